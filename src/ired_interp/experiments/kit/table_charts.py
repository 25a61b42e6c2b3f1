"""Charts without an order along: maps of tables, and rows of intervals."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr

from ired_interp.experiments.kit.chart_cases import cases_of, interval_of
from ired_interp.experiments.kit.charts import Chart, Shown, custom
from ired_interp.experiments.kit.drawn import Axis, Grid, Panel
from ired_interp.experiments.kit.expressions import Pick
from ired_interp.experiments.kit.facets import Facet, facet_of, picked, quantities_of
from ired_interp.experiments.kit.traces import Heat, Line, Scale, Trace

__all__ = ["forest", "heat"]

_ROW = 0.26  # inches on paper, of a forest


def heat(
    name: str,
    title: str,
    caption: str,
    *,
    z: str | Pick,
    x: str,
    y: str,
    rows: str | Facet | None = None,
    low: float,
    high: float,
    scale: Scale,
    label: str | Callable[[xr.DataTree], tuple[str, Sequence[float]]],
    written: str = "",
    axes: tuple[str, str] = ("", ""),
) -> Chart:
    """A map of each case, of a table of numbers.

    Args:
        name: Of the chart.
        title: A line.
        caption: How to read it.
        z: Of the summaries, by ``y`` and ``x``.
        x: The dimension along.
        y: The dimension down.
        rows: A dimension whose places have a row each.
        low: The number of the first colour.
        high: The number of the last.
        scale: Which colours.
        label: Of the bar that explains them; a function gives also what is marked on it.
        written: How numbers are written into the map; empty for not at all.
        axes: Labels along and down.
    """
    of, down = picked(z), facet_of(rows)

    def grid(results: xr.DataTree) -> Grid:
        cases = cases_of(results, y)
        words, marks = (label, ()) if isinstance(label, str) else label(results)
        panels = []
        for place in [None] if down is None else down.places(cases[0].data):
            for case in cases:
                table = of.select(case.data).sel({} if down is None else {down.dim: place})
                table = table.sortby(x).transpose(y, x)
                names = [case.label, *([] if down is None else [down.said(place)])]
                panels.append(
                    Panel(
                        traces=[
                            Heat(
                                x=np.arange(table.sizes[x]),
                                y=np.arange(table.sizes[y]),
                                z=table.values,
                                low=low,
                                high=high,
                                scale=scale,
                                label=words,
                                marks=marks,
                                written=written,
                            )
                        ],
                        title=", ".join(names),
                        color=case.color,
                        x=Axis(label=axes[0], ticks=_named(table[x])),
                        y=Axis(
                            label=axes[1],
                            ticks=_named(table[y]),
                            low=table.sizes[y] - 0.5,
                            high=-0.5,
                        ),
                        square=True,
                    )
                )
        return Grid(panels=panels, columns=len(cases), same_x=True, same_y="all", height=2.7)

    return custom(
        name, title, caption, traces=grid, needs=[f"summary/model/{one}" for one in of.variables]
    )


def _named(coordinate: xr.DataArray) -> dict[float, str]:
    return {float(i): str(one) for i, one in enumerate(coordinate.values)}


def forest(
    name: str,
    title: str,
    caption: str,
    *,
    rows: str,
    x: Shown,
    scale: Literal["linear", "log"] = "linear",
    label: str = "",
) -> Chart:
    """Means with their intervals, a row a place of a dimension and a panel a quantity.

    Args:
        name: Of the chart.
        title: A line.
        caption: How to read it.
        rows: The dimension.
        x: What is drawn, of the summaries.
        scale: Of the axis along.
        label: Of it, with the unit.
    """
    quantities = quantities_of(x, scale=scale, label=label)

    def grid(results: xr.DataTree) -> Grid:
        cases = cases_of(results, "")
        names = cases[0].data[rows].values.tolist()
        places = np.arange(len(names))[::-1]
        ticks = {float(place): str(one) for place, one in zip(places, names, strict=True)}
        panels = []
        for of in quantities:
            traces: list[Trace] = []
            for case in reversed(cases):
                mean, low, high = interval_of(of.pick.select(case.data))
                look: Any = {"name": case.label, "color": case.color, "marker": case.marker}
                traces.append(
                    Line(
                        x=mean,
                        y=places - 1.5 * case.shift,
                        low=low,
                        high=high,
                        interval="across",
                        dash="none",
                        **look,
                    )
                )
            kind: Literal["linear", "log"] = "log" if of.scale == "log" else "linear"
            along = Axis(label=of.label, scale=kind)
            up = Axis(ticks=ticks, low=-0.6, high=len(names) - 0.4)
            panels.append(Panel(traces=traces, title=of.title, x=along, y=up))
        height = 0.6 + _ROW * len(names)
        return Grid(panels=panels, columns=len(panels), same_y="all", height=height)

    needs = dict.fromkeys(name for of in quantities for name in of.needs())
    return custom(
        name, title, caption, traces=grid, needs=[f"summary/model/{one}" for one in needs]
    )
