"""Verdicts in the results: the group ``verdicts`` of ``results.h5``, written and read.

The group has a row a hypothesis and holds all that a report says of it, the words too: a page made
of old results shows what was asked then. Along ``row`` lie the effect of each problem, what it
would be if there were nothing, and the control's (the mean of its draws), which the figures show.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import xarray as xr

from ired_interp.experiments.hypothesis import Evidence, Hypothesis, Outcome, Verdict
from ired_interp.experiments.verdicts import ALPHA, weigh
from ired_interp.stats import FloatArray, Interval

__all__ = ["VERDICTS", "StoredVerdict", "judged", "read_verdicts", "verdict_groups"]

VERDICTS: Final = "verdicts"
"""Name of the group."""

_STATISTICS = ("mean", "low", "high", "count")
_NO_CONTROL = -1  # as a count: nothing was measured beside the model
_INTERVALS = ("estimate", "control", "contrast")
_NUMBERS = {
    "null": "what the effect would be if there were nothing, mean over problems",
    "p_for": "one-sided p value of the statement: beyond null and beyond control",
    "p_against": "p value of being beyond null or control on the wrong side",
    "adjusted_p": "adjusted by Holm: of p_against where refuted, else of p_for",
}
_SIZES = {
    "hedges_g": "Hedges' g of effect - null: mean over standard deviation, corrected for few",
    "rank_biserial": "of effect - null: ranks above less ranks below, over both",
    "share_above": "of what was tested, above the null",
}
_COUNTS = {
    "num_problems": "problems with a finite effect and null",
    "num_models": "trained models that they belong to",
}
_WORDS = {
    "outcome": "supported, refuted or inconclusive",
    "reason": "of the outcome",
    "statement": "what is claimed",
    "direction": "side of null and control that supports it",
    "supports": "what would support it",
    "refutes": "what would refute it",
    "control_is": "what the control is",
    "source": "where the claim comes from",
    "figure": "the figure that shows it; empty without one",
    "unit": "of the effect",
    "note": "what else matters",
    "role": "confirmatory, or exploratory: shown, not tested",
}
# Results of before there were roles have none, and all of theirs were tested.
_BEFORE: dict[str, str] = {"role": "confirmatory"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredVerdict:
    """A verdict with the words of its hypothesis.

    Attributes:
        verdict: How it came out.
        statement: What is claimed.
        direction: Side of null and control that supports it.
        supports: What would support it.
        refutes: What would refute it.
        control_is: What the control is.
        source: Where the claim comes from.
        figure: Name of the figure that shows it; empty without one.
        unit: Of the effect.
        note: What else matters.
        role: ``confirmatory``, or ``exploratory``: shown, not tested.
    """

    verdict: Verdict
    statement: str
    direction: str
    supports: str
    refutes: str
    control_is: str
    source: str
    figure: str
    unit: str
    note: str
    role: str


def judged(hypotheses: Sequence[Hypothesis | str]) -> list[Hypothesis]:
    """Those that get a verdict: a plain sentence has no statistic."""
    return [one for one in hypotheses if isinstance(one, Hypothesis)]


def verdict_groups(
    hypotheses: Sequence[Hypothesis | str], results: xr.DataTree
) -> dict[str, xr.Dataset]:
    """The group ``verdicts``, by its name; empty where no hypothesis has a statistic.

    Args:
        hypotheses: Of the experiment; plain sentences are left out.
        results: Of the run, with its summary.

    Raises:
        ExperimentError, ShapeError, NonFiniteError: A statistic is not what it must be.
    """
    asked = judged(hypotheses)
    if not asked:
        return {}
    weighed = weigh(asked, results)
    verdicts, evidence = [one.verdict for one in weighed], [one.evidence for one in weighed]
    data: dict[str, Any] = {}
    for name in _INTERVALS:
        rows = np.array([_row(getattr(verdict, name)) for verdict in verdicts])
        data[name] = (("hypothesis", "statistic"), rows, _says(_MEANINGS[name]))
    for name, text in (_NUMBERS | _SIZES).items():
        data[name] = ("hypothesis", np.array([getattr(v, name) for v in verdicts]), _says(text))
    for name, text in _COUNTS.items():
        data[name] = ("hypothesis", np.array([getattr(v, name) for v in verdicts]), _says(text))
    words = [_words(*triple) for triple in zip(asked, verdicts, evidence, strict=True)]
    for name, text in _WORDS.items():
        data[name] = ("hypothesis", np.array([row[name] for row in words], object), _says(text))
    for name, rows in _rows(evidence).items():
        data[name] = (("hypothesis", "row"), rows, _says(_MEANINGS[name]))
    return {
        VERDICTS: xr.Dataset(
            data,
            coords={
                "hypothesis": [one.id for one in asked],
                "statistic": list(_STATISTICS),
            },
            attrs={"alpha": ALPHA, "confidence": 1 - 2 * ALPHA, "unit_of_replication": "problem"},
        )
    }


def read_verdicts(results: xr.DataTree) -> list[StoredVerdict]:
    """The verdicts that results hold, in their order; none where they hold no such group."""
    if VERDICTS not in results.children:
        return []
    data = results[VERDICTS].to_dataset()
    return [_stored(data.sel(hypothesis=name)) for name in data["hypothesis"].values]


_MEANINGS = {
    "estimate": "mean effect over problems, with its interval",
    "control": "mean effect of the control; count -1 without one",
    "contrast": "mean of effect - control, paired by problem; count -1 without one",
    "effect": "of each problem",
    "effect_null": "what it would be if there were nothing",
    "effect_control": "of the control, mean over its draws",
}


def _says(text: str) -> dict[str, str]:
    return {"long_name": text}


def _words(hypothesis: Hypothesis, verdict: Verdict, evidence: Evidence | None) -> dict[str, str]:
    return {
        "outcome": verdict.outcome,
        "reason": verdict.reason,
        "statement": hypothesis.statement,
        "direction": hypothesis.direction,
        "supports": hypothesis.supports,
        "refutes": hypothesis.refutes,
        "control_is": hypothesis.control,
        "source": hypothesis.source,
        "figure": hypothesis.figure or "",
        "unit": "" if evidence is None else evidence.unit,
        "note": "" if evidence is None else evidence.note,
        "role": hypothesis.role,
    }


def _rows(evidence: Sequence[Evidence | None]) -> dict[str, FloatArray]:
    """Effect, null and control of each problem, NaN beyond the last one of a hypothesis."""
    longest = max((one.effect.size for one in evidence if one is not None), default=0)
    rows = {name: np.full((len(evidence), longest), np.nan) for name in _ROWS}
    for i, one in enumerate(evidence):
        if one is None:
            continue
        n = one.effect.size
        rows["effect"][i, :n] = one.effect
        rows["effect_null"][i, :n] = one.null
        if one.control is not None:
            rows["effect_control"][i, :n] = _mean(np.atleast_2d(one.control))
    return rows


_ROWS = ("effect", "effect_null", "effect_control")


def _mean(draws: FloatArray) -> FloatArray:
    """Over the draws that are finite; NaN where none is."""
    there = np.isfinite(draws)
    count = there.sum(axis=0)
    total = np.where(there, draws, 0.0).sum(axis=0)
    mean: FloatArray = np.where(count, total / np.maximum(count, 1), np.nan)
    return mean


def _row(interval: Interval | None) -> list[float]:
    if interval is None:
        return [float("nan")] * 3 + [_NO_CONTROL]
    return [interval.mean, interval.low, interval.high, float(interval.count)]


def _interval(row: xr.DataArray) -> Interval:
    mean, low, high, count = (float(value) for value in row.values)
    return Interval(mean, low, high, int(count))


def _control_interval(row: xr.DataArray) -> Interval | None:
    found = _interval(row)
    return None if found.count == _NO_CONTROL else found


def _stored(row: xr.Dataset) -> StoredVerdict:
    words = {name: str(row[name].item()) if name in row else _BEFORE[name] for name in _WORDS}
    outcome: Outcome = words.pop("outcome")  # type: ignore[assignment]
    verdict = Verdict(
        id=str(row["hypothesis"].item()),
        outcome=outcome,
        estimate=_interval(row["estimate"]),
        control=_control_interval(row["control"]),
        contrast=_control_interval(row["contrast"]),
        reason=words.pop("reason"),
        null=float(row["null"]),
        p_for=float(row["p_for"]),
        p_against=float(row["p_against"]),
        adjusted_p=float(row["adjusted_p"]),
        num_problems=int(row["num_problems"]),
        num_models=int(row["num_models"]),
        **{name: float(row[name]) for name in _SIZES if name in row},
    )
    return StoredVerdict(verdict=verdict, **words)
