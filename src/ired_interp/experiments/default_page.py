"""The page of an experiment that has none of its own: its summary as a table."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePath
from typing import Any

import numpy as np
import xarray as xr

from ired_interp.digits import concise, with_error, with_interval
from ired_interp.experiments.page import (
    Block,
    Cell,
    Column,
    Listing,
    Marked,
    Page,
    Paragraph,
    Row,
    RowGroup,
    Table,
    Text,
)

__all__ = ["listing", "page"]

_STATISTIC = "statistic"
_MODEL = "model"
# Rows of one variable on the page, and of all of them in a terminal.
_MOST_ROWS, _MOST_LINES = 60, 30
_MOST_LETTERS = 60


@dataclass(frozen=True)
class _Estimate:
    """A number of the summary, with its error in one of two forms."""

    mean: float
    standard_error: float
    low: float
    high: float
    count: int | None


def page(name: str, hypotheses: Sequence[Any], results: xr.DataTree) -> Page:
    """What was measured, and the summary as a table.

    Args:
        name: Of the experiment.
        hypotheses: What it tests.
        results: Of the run.
    """
    config: dict[str, Any] = json.loads(results.attrs["config"])
    summary = _summary(results)
    measured = [str(name) for name in results.to_dataset().data_vars]
    model = config.get("model")
    subject = "/".join(PurePath(model).parts[-2:]) if isinstance(model, str) else ""
    problems = results.sizes.get("problem")
    return Page(
        lead=_lead(name, measured, problems, subject),
        facts=[(name, _plain(value)) for name, value in config.items() if value not in (None, "")],
        findings=(*_hypotheses(name, hypotheses), *_table(summary)),
        subject=subject,
        drawn_of=", ".join(
            [*([subject] if subject else []), *([f"{problems} problems"] if problems else [])]
        )
        or name,
        layout=_layout(results, summary),
    )


def listing(results: xr.DataTree) -> Listing:
    """The summary as lines; those that do not fit are counted."""
    summary = _summary(results)
    cases = list(summary)
    lines = [
        [name, place, *(_brief(estimates.get(case)) for case in cases)]
        for name in _names(summary)
        for place, estimates in _estimates(summary, name)
    ]
    more = len(lines) - _MOST_LINES
    left_out = f"; {more} more lines are in the report and in results.h5" if more > 0 else ""
    return Listing(
        heads=("variable", "at", *cases),
        rows=lines[:_MOST_LINES],
        caption="means over problems; in parentheses, in the last digit's unit, their error"
        + left_out
        if lines
        else "no variable has a dimension 'problem', so nothing was averaged",
        left=("variable", "at"),
        muted=cases[1:],
    )


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= _MOST_LETTERS else f"{text[:_MOST_LETTERS]}…"


def _lead(name: str, measured: Sequence[str], problems: int | None, subject: str) -> Text:
    words: list[str | Marked] = ["This run of ", Marked(name, "em")]
    if subject:
        words += [" on ", Marked(subject, "strong")]
    words.append(" measured ")
    for i, variable in enumerate(measured):
        words += [", "] * (i > 0) + [Marked(variable, "code")]
    if not measured:
        words.append("nothing")
    if problems is not None:
        words.append(f" for {problems} problem{'' if problems == 1 else 's'}")
    return (*words, ".")


def _hypotheses(name: str, hypotheses: Sequence[Any]) -> list[Block]:
    if not hypotheses:
        text = f"These are measurements, not verdicts: {name} tests no hypothesis."
        return [Paragraph(text, "note")]
    return []  # the report has a card for each


def _layout(results: xr.DataTree, summary: Mapping[str, xr.Dataset]) -> Text:
    words: list[str | Marked] = ["Its root is what was studied"]
    for control in results["controls"].children if "controls" in results.children else ():
        words += ["; ", Marked(f"controls/{control}", "code"), " is a control"]
    if summary:
        words += ["; ", Marked("summary/…", "code"), " holds the statistics over problems"]
    return (*words, ".")


def _summary(results: xr.DataTree) -> dict[str, xr.Dataset]:
    """By group, what is studied first."""
    groups = results.children["summary"].children if "summary" in results.children else {}
    names = sorted(groups, key=lambda name: (name != _MODEL, name))
    return {name: groups[name].to_dataset() for name in names}


def _names(summary: Mapping[str, xr.Dataset]) -> list[str]:
    """Of the variables that can be shown: numbers, with a mean if they have statistics."""
    names: dict[str, None] = {}
    for data in summary.values():
        for name, values in data.data_vars.items():
            statistics = set(_statistics_of(values))
            if values.dtype.kind in "iuf" and (not statistics or "mean" in statistics):
                names[str(name)] = None
    return list(names)


def _table(summary: Mapping[str, xr.Dataset]) -> list[Block]:
    cases = list(summary)
    groups, left_out = [], []
    for name in _names(summary):
        # All cases share the coordinates of the first that has the variable.
        found = list(islice(_estimates(summary, name), _MOST_ROWS + 1))
        if len(found) > _MOST_ROWS:
            left_out.append(name)
        rows = [
            Row(
                place or "all",
                [_cell(estimates.get(case)) for case in cases],
                next((one.count for one in estimates.values()), None),
            )
            for place, estimates in found[:_MOST_ROWS]
        ]
        groups.append(RowGroup((name,), rows))
    if not groups:
        return [
            Paragraph(
                "There is no summary: no variable has a dimension called problem, and the "
                "experiment has no statistics of its own.",
                "note",
            )
        ]
    blocks: list[Block] = [
        Table(
            label="The summary, by variable",
            group_heads=("variable",),
            row_head="at",
            count_head=(Marked("n", "i"),),
            columns=[Column(case) for case in cases],
            groups=groups,
            note=(
                "Means over problems with their error: ± one standard error, or [an interval]. ",
                Marked("n", "i"),
                " counts the problems.",
            ),
        )
    ]
    if left_out:
        shown = f"Only the first {_MOST_ROWS} rows are shown of {', '.join(left_out)}."
        blocks.append(Paragraph(f"{shown} All are in results.h5.", "note"))
    return blocks


def _estimates(
    summary: Mapping[str, xr.Dataset], name: str
) -> Iterator[tuple[str, dict[str, _Estimate]]]:
    """Place by place, the estimates by case."""
    own = {case: data[name] for case, data in summary.items() if name in data.data_vars}
    first = next(iter(own.values()))
    dims = [dim for dim in first.dims if dim != _STATISTIC]
    for place in np.ndindex(*(first.sizes[dim] for dim in dims)):
        at = dict(zip(dims, place, strict=True))
        words = ", ".join(f"{dim} {_coordinate(first, dim, i)}" for dim, i in at.items())
        yield words, {case: _estimate(values.isel(at)) for case, values in own.items()}


def _coordinate(values: xr.DataArray, dim: Any, place: int) -> str:
    return str(values.coords[dim].values[place]) if dim in values.coords else str(place)


def _statistics_of(values: xr.DataArray) -> list[str]:
    if _STATISTIC not in values.dims or _STATISTIC not in values.coords:
        return []
    return [str(one) for one in values.coords[_STATISTIC].values]


def _estimate(values: xr.DataArray) -> _Estimate:
    names = _statistics_of(values)
    if not names:
        nan = float("nan")
        return _Estimate(float(values), nan, nan, nan, None)
    by_name = dict(zip(names, map(float, values.values), strict=True))
    nan = float("nan")
    return _Estimate(
        by_name["mean"],
        by_name.get("standard_error", nan),
        by_name.get("low", nan),
        by_name.get("high", nan),
        int(by_name["count"]) if "count" in by_name else None,
    )


def _cell(estimate: _Estimate | None) -> Cell:
    if estimate is None:
        return Cell("")
    if np.isfinite(estimate.low) and np.isfinite(estimate.high):
        return Cell(*with_interval(estimate.mean, estimate.low, estimate.high))
    return Cell(*with_error(estimate.mean, estimate.standard_error))


def _brief(estimate: _Estimate | None) -> str:
    if estimate is None:
        return ""
    half = estimate.standard_error
    if np.isfinite(estimate.low) and np.isfinite(estimate.high):
        half = max(estimate.high - estimate.mean, estimate.mean - estimate.low)
    return concise(estimate.mean, half)
