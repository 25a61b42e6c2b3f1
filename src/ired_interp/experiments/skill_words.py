"""The skill of a model in words and in a table: the first question of every report."""

import math

import numpy as np
import xarray as xr

from ired_interp.digits import number, with_interval
from ired_interp.experiments.page import (
    Block,
    Cell,
    Column,
    Marked,
    Paragraph,
    Row,
    RowGroup,
    Section,
    Table,
    Text,
)
from ired_interp.experiments.skill import SKILL

__all__ = ["SKILL_VARIABLES", "skill_clause", "skill_group", "skill_section"]

_GROUP = f"summary/{SKILL}"
SKILL_VARIABLES = tuple(f"{_GROUP}/{name}" for name in ("has_skill", "rungs_beaten", "skill"))
"""Paths of what the clause on skill says."""
# Beyond so many digits two answers are the same but for round-off of float32.
_SAME_DIGITS = 5.0


def skill_group(results: xr.DataTree) -> xr.Dataset | None:
    """What the results hold of the model's skill; None where it was not measured."""
    if "summary" not in results.children or SKILL not in results["summary"].children:
        return None
    return results[_GROUP].to_dataset()


def skill_clause(results: xr.DataTree) -> str:
    """One clause on skill, for a page's first line."""
    data = skill_group(results)
    if data is None:
        return "its skill was not measured"
    beaten, rules = int(data["rungs_beaten"]), [str(name) for name in data["rule"].values]
    if data.sizes["problem"] == 1:
        return "skill cannot be told from one problem"
    if int(data["has_skill"]) and beaten == len(rules):
        return (
            f"it has skill: it beats every trivial rule, the last of them, {rules[-1]}, with a "
            f"skill of {_skill(data, rules[-1])}"
        )
    if int(data["has_skill"]):
        return f"it has skill: it beats the trivial rules up to {rules[beaten - 1]}"
    first = rules[beaten]
    start = f"no skill: it does not beat the trivial rule {first} (skill {_skill(data, first)})"
    return start if beaten == 0 else f"{start}, only those up to {rules[beaten - 1]}"


def skill_section(results: xr.DataTree) -> Section | None:
    """The part of the page that asks whether there is anything to interpret."""
    data = skill_group(results)
    if data is None:
        return None
    return Section(
        "skill",
        "Is there anything to interpret?",
        (Paragraph(_lead(data)), _table(data), Paragraph(_coincidence(data)), _trace()),
        short="Skill",
    )


def _lead(data: xr.Dataset) -> Text:
    own = " ".join(with_interval(*_interval(data["mean_model_error"])))
    low, high, error = (float(value) for value in data["best_error"].values)
    best = (
        f"The least error that any answer can have lies between {number(min(low, high), 3)} and "
        f"{number(max(low, high), 3)} (standard error {number(error, 2)})."
    )
    if math.isnan(low):
        best = "The least error that any answer can have is not known here: see the rules."
    elif max(abs(low), abs(high)) == 0:
        best = (
            "The least error that any answer can have is 0, as the question determines the answer."
        )
    return (
        "A landscape says little if its model answers no better than a rule that has none. The "
        f"model’s mean squared error an entry is {own}, over {data.sizes['problem']} problems. "
        f"{best}"
    )


def _table(data: xr.Dataset) -> Table:
    rows = []
    for i, name in enumerate(data["rule"].values):
        here = data.sel(rule=name)
        value, interval = with_interval(*_interval(here["skill"]))
        beaten = i < int(data["rungs_beaten"])
        rows.append(
            RowGroup(
                (str(name),),
                [
                    Row(
                        "beaten" if beaten else "not beaten",
                        [
                            Cell(*with_interval(*_interval(here["mean_rule_error"]))),
                            Cell(value, interval),
                            Cell(_digits(data, "answer", str(name))),
                        ],
                    )
                ],
            )
        )
    return Table(
        label="The model beside trivial rules",
        group_heads=("rule, weakest first",),
        row_head="by the model",
        columns=[
            Column("its error"),
            Column("skill against it"),
            Column("digits shared"),
        ],
        groups=rows,
        note="Skill is 1 − MSE/MSE of the rule, paired by problem [95\u00a0% bootstrap interval]; "
        "a rung counts as beaten if it and all before it have an interval above 0. Digits shared "
        "are −log₁₀ of the root mean square distance of the two answers, in units of the true "
        "answers’ size.",
    )


def _coincidence(data: xr.Dataset) -> Text:
    """What the landscape's minimum is: which rule it coincides with, to how many digits."""
    words: list[str | Marked] = []
    found, num = int(data["minima_found"]), data.sizes["problem"]
    for what, subject in (("answer", "The model’s answer"), ("minimum", "The landscape’s minimum")):
        digits = data["digits"].sel(what=what)
        if not bool(np.isfinite(digits).any()) and not bool(np.isposinf(digits).any()):
            words.append("No minimum of the finest landscape was found behind any answer.")
            continue
        rules = digits.sel(target=data["rule"].values)
        nearest = str(rules["target"].values[int(np.nanargmax(rules.values))])
        shared, truth = float(rules.max()), float(digits.sel(target="truth"))
        how = "is" if shared >= _SAME_DIGITS else "comes closest to"
        nearer = "closer than to" if shared > truth else "further than from"
        which = "" if what == "answer" or found == num else f" (found for {found} of {num})"
        words.append(
            f"{subject}{which} {how}, of the rules, {nearest}: they share {_shown(shared)} digits, "
            f"{nearer} the true answer, with which it shares {_shown(truth)}. "
        )
    return words


def _trace() -> Block:
    return Paragraph(
        (
            "These numbers are the variables of ",
            Marked(_GROUP, "code"),
            ": ",
            Marked("mean_model_error", "code"),
            ", ",
            Marked("best_error", "code"),
            ", ",
            Marked("mean_rule_error", "code"),
            ", ",
            Marked("skill", "code"),
            ", ",
            Marked("rungs_beaten", "code"),
            ", ",
            Marked("digits", "code"),
            "; problem by problem ",
            Marked("model_error", "code"),
            " and ",
            Marked("rule_error", "code"),
            ".",
        ),
        "note",
    )


def _skill(data: xr.Dataset, rule: str) -> str:
    return " ".join(with_interval(*_interval(data["skill"].sel(rule=rule)))).strip()


def _interval(row: xr.DataArray) -> tuple[float, float, float]:
    mean, low, high = (float(row.sel(statistic=name)) for name in ("mean", "low", "high"))
    return mean, low, high


def _digits(data: xr.Dataset, what: str, target: str) -> str:
    return _shown(float(data["digits"].sel(what=what, target=target)))


def _shown(digits: float) -> str:
    if np.isnan(digits):
        return "–"
    return "all" if np.isposinf(digits) else f"{digits:.1f}".replace("-", "−")
