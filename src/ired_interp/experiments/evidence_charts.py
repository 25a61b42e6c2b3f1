"""The chart of a verdict: effect, null and control of each problem, as the results hold them."""

from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from ired_interp.experiments.kit.chart_cases import margins
from ired_interp.experiments.kit.charts import Chart
from ired_interp.experiments.kit.drawn import Axis, Drawing, Grid, Panel
from ired_interp.experiments.kit.traces import Color, Line, Marker, Rule, Trace
from ired_interp.experiments.verdict_data import VERDICTS, StoredVerdict, read_verdicts
from ired_interp.stats import FloatArray, Interval

__all__ = ["evidence_charts"]

# In inches: of the figure on paper, and of a row.
_WIDTH, _ROW = 4.0, 0.5
# Half the height, in rows, over which the dots of a case are spread.
_SPREAD = 0.16
_CAPTION = (
    "A dot is a problem, the bar its mean with the interval; the dashed line is the null, what the "
    "effect would be if there were nothing (its mean where it differs by problem). The arrow "
    "points to the side that supports the statement."
)


def evidence_charts(results: xr.DataTree) -> list[Chart]:
    """A chart a verdict that has an effect: ``evidence-<id>``."""
    return [
        Chart(
            f"evidence-{one.verdict.id}",
            f"Effect by problem: {one.verdict.id}",
            _CAPTION,
            partial(_drawing, name=one.verdict.id),
            needs=(f"{VERDICTS}/effect",),
        )
        for one in read_verdicts(results)
        if one.verdict.num_problems
    ]


def _drawing(results: xr.DataTree, *, name: str) -> Drawing:
    data = results[VERDICTS].to_dataset().sel(hypothesis=name)
    one = next(one for one in read_verdicts(results) if one.verdict.id == name)
    verdict = one.verdict
    cases: list[tuple[str, FloatArray, Interval, Color, Marker]] = [
        ("effect", data["effect"].values, verdict.estimate, "model", "circle")
    ]
    if verdict.control is not None:
        control = data["effect_control"].values
        cases.append(("control", control, verdict.control, "control", "square"))
    traces: list[Trace] = [Rule(at=verdict.null, across="x", color="ideal", name="null")]
    for row, (word, values, interval, color, marker) in enumerate(reversed(cases)):
        finite = values[np.isfinite(values)]
        # Apart in an order that no random number decides.
        shift = _SPREAD * np.sin(2.4 * np.arange(finite.size))
        look: dict[str, Any] = {"name": word, "color": color, "dash": "none", "listed": False}
        dots = Line(x=finite, y=row + shift, marker=marker, filled=False, opacity=0.75, **look)
        ends = [np.array([end]) for end in (interval.mean, interval.low, interval.high)]
        mean = Line(
            x=ends[0],
            y=np.array([float(row)]),
            low=ends[1],
            high=ends[2],
            interval="across",
            marker="tick",
            size=2.2,
            words=("the mean, with its interval",),
            **look,
        )
        traces += [dots, mean]
    low, high = margins([verdict.null, *(values for _, values, *_ in cases)])
    names = {float(row): word for row, (word, *_) in enumerate(reversed(cases))}
    panel = Panel(
        traces=traces,
        x=Axis(label=_label(one), low=low, high=high),
        y=Axis(ticks=names, low=-0.6, high=len(cases) - 0.4),
    )
    height = _ROW * len(cases) + 0.3
    return Drawing(overview=Grid(panels=[panel], height=height, width=_WIDTH))


def _label(one: StoredVerdict) -> str:
    unit = "" if one.unit in ("", "1") else f", {one.unit}"
    return (
        f"effect{unit}     supports →"
        if one.direction == "greater"
        else f"← supports     effect{unit}"
    )
