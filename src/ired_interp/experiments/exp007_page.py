"""EXP-007's own words: which checkpoints, and what changed along them."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import xarray as xr

from ired_interp.digits import number
from ired_interp.experiments import model_page
from ired_interp.experiments.page import (
    Cell,
    Column,
    Listing,
    Marked,
    Page,
    Paragraph,
    Points,
    Row,
    RowGroup,
    Section,
    Table,
    Text,
)

__all__ = ["NEEDED", "listing", "page"]

_COLUMNS = (
    ("error", "error"),
    ("effective_rank", "effective rank"),
    ("wrong_rank", "rank if as wrong"),
    ("nuclear_norm", "nuclear norm"),
    ("wrong_nuclear", "norm if as wrong"),
    ("curvature", "mean σλ"),
    ("off_ideal", "off the ideal"),
    ("split_ratio", "log normal/tangent"),
)
_LISTED = (
    ("error", "error"),
    ("effective_rank", "rank"),
    ("wrong_rank", "if as wrong"),
    ("off_ideal", "off ideal"),
)
_SAID = tuple(
    f"summary/model/{name}"
    for name in ("error", "rule_distance", "effective_rank", "true_rank", "curvature")
)
NEEDED = tuple(
    f"summary/model/{name}"
    for name in (*(name for name, _ in _COLUMNS), "rule_distance", "true_rank")
)


def page(results: xr.DataTree) -> Page:
    """What the results of EXP-007 say."""
    told = model_page.told_of(results)
    draws = model_page.num_draws(results, "untrained")
    return Page(
        lead=_lead(results, told.subject, draws),
        facts=_facts(results, told.config),
        findings=(Points(_in_words(results), _SAID), _table(results)),
        sections=(_meaning(),),
        subject=told.subject,
        drawn_of=told.drawn_of,
        layout=model_page.described_layout(
            "Its root is the model’s series alone;",
            [("controls/untrained", "series of untrained weights;")] if draws else [],
            "means over problems with their 95\u00a0% bootstrap intervals.",
        ),
        agreement=told.agreement("to 10⁻⁹ of the answers"),
    )


def listing(results: xr.DataTree) -> Listing:
    """Means over problems, and over levels where there are any, a row a checkpoint."""
    data = model_page.cases_of(results)[0].data
    rows = []
    for step in _steps(results):
        here = data.sel(step=step)
        cells = [number(_mean(here[name]), 3) for name, _ in _LISTED]
        rows.append([str(step), *cells, _nearest(here)])
    return Listing(
        heads=("step", *(label for _, label in _LISTED), "nearest rule"),
        rows=rows,
        caption="means over problems, and over levels; rank: effective, of the answers; if as "
        "wrong: of\nthe point between truth and mean answer that has this error; off ideal: rms of "
        "σλ − 1;\nthe figures and the page have the intervals",
        left=("nearest rule",),
    )


def _steps(results: xr.DataTree) -> list[int]:
    return sorted(int(step) for step in results.coords["step"].values)


def _mean(statistics: xr.DataArray) -> float:
    return float(statistics.sel(statistic="mean").mean())


def _nearest(here: xr.Dataset) -> str:
    distance = here["rule_distance"].sel(statistic="mean")
    place = int(distance.argmin("rule"))
    return f"{distance['rule'].values[place]} ({float(distance[place]):.2f})"


def _lead(results: xr.DataTree, model: str, draws: int) -> Text:
    steps = _steps(results)
    beside = f", beside {draws} series of untrained weights" if draws else ""
    return (
        "What did training do to the answers and the landscape of ",
        Marked(model, "strong"),
        (
            f"? This run asked {len(steps)} checkpoints, from step {steps[0]} to step {steps[-1]}, "
            f"{model_page.counted(results.sizes['problem'], 'problem')}{beside}."
        ),
    )


def _facts(results: xr.DataTree, config: Mapping[str, Any]) -> list[tuple[str, Text]]:
    return [
        ("Checkpoints", ", ".join(str(step) for step in _steps(results))),
        model_page.problems_fact(results, config),
        ("Levels", ", ".join(str(level) for level in model_page.levels_of(results))),
        ("Numerics", f"{config['dtype']} on {config['device']}"),
    ]


def _in_words(results: xr.DataTree) -> list[Text]:
    data = model_page.cases_of(results)[0].data
    steps = _steps(results)
    first, last = data.sel(step=steps[0]), data.sel(step=steps[-1])
    truth = _mean(data["true_rank"])
    said: list[Text] = [
        (
            f"From step {steps[0]} to step {steps[-1]} the error goes from "
            f"{number(_mean(first['error']), 3)} to {number(_mean(last['error']), 3)}, and the "
            f"nearest trivial rule from {_nearest(first)} to {_nearest(last)}; in parentheses its "
            "distance in units of the answers."
        ),
        (
            f"The effective rank of the answers goes from "
            f"{number(_mean(first['effective_rank']), 3)} to "
            f"{number(_mean(last['effective_rank']), 3)}; that of the truth is "
            f"{number(truth, 3)}."
        ),
        (
            f"Mean σλ at typical points goes from {number(_mean(first['curvature']), 3)} to "
            f"{number(_mean(last['curvature']), 3)}, mean over levels."
        ),
    ]
    if "penalised_distance" in data:  # not in results of before it was measured
        said.append(_penalty_in_words(data, steps))
    return said


def _penalty_in_words(data: xr.Dataset, steps: Sequence[int]) -> str:
    """Beside explicit regularisation, at the first step whose answers are better than 0."""
    for step in steps[:-1]:
        here = data.sel(step=step)
        own, wrong, rank = (
            _mean(here[name])
            for name in ("penalised_distance", "wrong_penalised_distance", "penalised_rank")
        )
        if math.isfinite(own):
            return (
                f"The truth with a penalty on the nuclear norm that makes the error of step {step} "
                f"has an effective rank of {number(rank, 3)}; answers of that step have "
                f"{number(_mean(here['effective_rank']), 3)}, answers as wrong "
                f"{number(_mean(here['wrong_rank']), 3)}. From it answers are {number(own, 2)} "
                f"away, answers as wrong {number(wrong, 2)}."
            )
    return "No answers before the last step are better than 0, as a penalty makes them."


def _table(results: xr.DataTree) -> Table:
    cases = model_page.cases_of(results)

    def cells(data: xr.Dataset, step: int) -> list[Cell]:
        here = data.sel(step=step)
        return [
            Cell(number(_mean(here[name]), 3))
            if "level" in here[name].dims
            else model_page.cell(here[name])
            for name, _ in _COLUMNS
        ]

    return Table(
        label="Answers and curvature along training",
        group_heads=("step",),
        row_head="case",
        columns=[Column(label, variable=f"summary/…/{name}") for name, label in _COLUMNS],
        groups=[
            RowGroup((str(step),), [Row(c.label, cells(c.data, step), None, c.key) for c in cases])
            for step in _steps(results)
        ],
        note="Means over problems [95\u00a0% bootstrap interval]; the last three are means over "
        "levels too, and their intervals stand in the figures.",
    )


def _meaning() -> Section:
    blocks: Sequence[Paragraph] = (
        Paragraph(
            "An answer that is not yet right has another rank than the truth whatever the reason. "
            "“If as wrong” is the point between the true answer and the mean answer of the task "
            "that has the same error, and for answers worse than the mean answer that answer with "
            "noise: what being wrong does by itself, without a bias to low rank. “If penalised” is "
            "the truth as an explicit bias makes it: with a penalty on the nuclear norm whose "
            "strength gives the same error."
        ),
        Paragraph(
            "Weights are the moving average, as in all evaluation; it lags behind the weights that "
            "are trained by as many steps as it remembers, up to about 2,000.",
            "note",
        ),
    )
    return Section("bias", "What being wrong does by itself", blocks)
