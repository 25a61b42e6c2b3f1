"""Charts of EXP-011: error of each way, error for its cost, minima, and the way by level."""

from typing import Any

import numpy as np
import xarray as xr

from ired_interp.anatomy import RELEASED
from ired_interp.experiments.kit.along import MARKERS
from ired_interp.experiments.kit.chart_cases import Case, cases_of, interval_of
from ired_interp.experiments.kit.charts import by_level, custom
from ired_interp.experiments.kit.drawn import Axis, Drawing, Grid, Panel
from ired_interp.experiments.kit.facets import facet, quantity
from ired_interp.experiments.kit.level_charts import level_by_level
from ired_interp.experiments.kit.table_charts import forest
from ired_interp.experiments.kit.traces import Line, Trace

__all__ = ["CHARTS"]

_BARS = "Means over problems, bars are 95 % bootstrap intervals. "
_ERROR = "squared error an entry"


def costs(results: xr.DataTree) -> Drawing:
    """Error against gradients, a mark a way: at the end, and after each level."""
    cases = cases_of(results, "level")
    model = cases[0]
    whole = Panel(traces=[_released(model), *_marks(model, "cost", "error", None)], x=_COST, y=_UP)

    def panel(case: Case, k: int) -> Panel:
        marks = _marks(case, "path_cost", "path_error", k)
        ends = [_range(case, name) for name in ("path_cost", "path_error")]
        x, y = (
            Axis(label=one.label, scale="log", low=low, high=high)
            for one, (low, high) in zip((_COST, _UP), ends, strict=True)
        )
        return Panel(traces=[_released(case), *marks], x=x, y=y)

    return level_by_level(
        Grid(panels=[whole], height=3.4),
        results,
        panel,
        [(case.label, case) for case in cases],
        choice="weights",
        hint="After each level: how far each way has come; the last level has the answers. A way "
        "that leaves a level out has no mark there. The axes stay while the slider moves.",
    )


_COST, _UP = Axis(label="gradients a problem", scale="log"), Axis(label=_ERROR, scale="log")


def _released(case: Case) -> Line:
    """The released rule, level by level."""
    way = case.data.sel(arm=RELEASED)
    x, y = (way[name].sel(statistic="mean").values for name in ("path_cost", "path_error"))
    return Line(x=x, y=y, color="muted", name="the released rule, level by level", hover=False)


def _marks(case: Case, cost: str, error: str, k: int | None) -> list[Trace]:
    found: list[Trace] = []
    for i, way in enumerate(case.data["arm"].values.tolist()):
        here = case.data.sel(arm=way)
        here = here if k is None else here.isel(level=k)
        x = np.atleast_1d(here[cost].sel(statistic="mean").values)
        mean, low, high = (np.atleast_1d(n) for n in interval_of(here[error]))
        # Newton’s ways stand apart from those by gradients.
        look: Any = {"color": "control" if "newton" in way else "model", "size": 1.3}
        look |= {"marker": MARKERS[i % len(MARKERS)], "dash": "none", "opacity": 0.85}
        found.append(Line(x=x, y=mean, low=low, high=high, name=way, **look))
    return found


def _range(case: Case, name: str) -> tuple[float, float]:
    """Of all ways and levels; what is 0 has no place on such an axis."""
    values = case.data[name].sel(statistic="mean").values
    there = values[np.isfinite(values) & (values > 0)]
    if not there.size:
        return 0.1, 10.0
    room = (float(there.max() / there.min())) ** 0.1 or 1.1
    return float(there.min()) / max(room, 1.1), float(there.max()) * max(room, 1.1)


CHARTS = (
    forest(
        "errors",
        "Error of each way to the answer",
        f"Squared error an entry, mean over starts. {_BARS}Ways whose errors are the same end at "
        "the same place: what they differ in does not matter to the answer.",
        rows="arm",
        x="error",
        scale="log",
        label=_ERROR,
    ),
    custom(
        "costs",
        "Error for the gradients that it takes",
        "A mark is a way; the line is the released rule, level by level. A Hessian counts as 2·d "
        f"gradients. {_BARS}Nearer to the lower left is better.",
        traces=costs,
        needs=[f"summary/model/{n}" for n in ("cost", "error", "path_cost", "path_error")],
    ),
    by_level(
        "levels",
        "Error after each level",
        "Of the prediction y/s_t at the end of each level, mean over starts and problems. Where "
        "the lines are one, steps add nothing to the jumps.",
        y="path_error",
        series=facet("arm", only=(RELEASED, "no-steps", "twenty-steps", "no-jump")),
        label=_ERROR,
        scale="log",
        height=2.8,
    ),
    forest(
        "minima",
        "Minima behind the answers",
        "Left, how many distinct minima of the finest level Newton descents from the answers of a "
        "problem’s starts reach; right, the share of pairs of starts that end at different ones. "
        f"{_BARS}One minimum and no pairs apart: there is nothing to search for.",
        rows="arm",
        x=[
            quantity("num_minima", label="minima reached"),
            quantity("apart", label="pairs of starts apart"),
        ],
    ),
)
