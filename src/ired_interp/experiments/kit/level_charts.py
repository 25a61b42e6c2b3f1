"""Charts of one level at a time: spectra, clouds of problems, and whatever else has levels."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import xarray as xr

from ired_interp.experiments.kit.chart_cases import (
    Case,
    cases_of,
    level_places,
    raw_cases_of,
    spread,
)
from ired_interp.experiments.kit.charts import Chart, custom
from ired_interp.experiments.kit.drawn import Axis, Drawing, Grid, Panel
from ired_interp.experiments.kit.expressions import Pick
from ired_interp.experiments.kit.facets import Facet, facet_of, picked
from ired_interp.experiments.kit.traces import Band, Line, Trace

__all__ = ["cloud", "level_by_level", "scatter", "spectrum"]

Choice = TypeVar("Choice")

# Of quantiles over problems: the ends of a band, and how dense it is.
_BANDS = ((0.05, 0.95, 0.16), (0.25, 0.75, 0.3))
# More numbers than this are a line without marks.
_MARKED = 40
# Inches on paper, of a panel that is seen alone.
_ALONE = 3.6


def level_by_level(
    overview: Grid,
    results: xr.DataTree,
    panel_fn: Callable[[Choice, int], Panel],
    choices: Sequence[tuple[str, Choice]],
    *,
    choice: str = "",
    hint: str = "",
) -> Drawing:
    """An overview, and a picture of each level by itself.

    Args:
        overview: What is seen at first.
        results: Of a run.
        panel_fn: (choice, number of the level, from the noisiest on) → its picture.
        choices: What a list offers; a single one is not shown.
        choice: What the list chooses.
        hint: What the pictures show that the overview does not.
    """
    places = level_places(results.to_dataset())
    return Drawing(
        overview=overview,
        slider="level k",
        places=places,
        choice=choice,
        choices=[words for words, _ in choices],
        views=[
            [Grid(panels=[panel_fn(one, k)], height=_ALONE) for k in range(len(places))]
            for _, one in choices
        ],
        hint=hint,
    )


def spectrum(
    name: str,
    title: str,
    caption: str,
    *,
    y: str | Pick,
    x: str,
    rows: str | Facet | None = None,
    most: int = 3,
    axis: Axis,
    up: Axis,
    ideal: Pick | None = None,
    ideal_name: str = "ideal",
) -> Chart:
    """Numbers in their order, at some levels beside each other and at any by itself.

    Args:
        name: Of the chart.
        title: A line.
        caption: How to read it.
        y: Of the summaries: by level and ``x``, perhaps with quantiles over problems.
        x: The dimension of the order.
        rows: A dimension whose places have a row each.
        most: How many levels stand beside each other.
        axis: Along.
        up: The other one.
        ideal: What it would be at best, of the model.
        ideal_name: What that is called.
    """
    of, down = picked(y), facet_of(rows)

    def drawing(results: xr.DataTree) -> Drawing:
        cases = cases_of(results, "level")
        root = results.to_dataset().sortby("level")
        places = [None] if down is None else down.places(cases[0].data)
        levels = spread(root.sizes["level"], most)

        def panel(place: Any, k: int) -> Panel:
            where = {} if down is None else {down.dim: place}
            traces: list[Trace] = []
            for case in reversed(cases):
                traces += _ordered(of.select(case.data).sel(where).isel(level=k), x, case)
            if ideal is not None:
                values = ideal.select(cases[0].data).values
                at = np.arange(1, values.size + 1)
                traces.append(Line(x=at, y=values, color="ideal", dash="dot", name=ideal_name))
            words = [] if down is None else [down.said(place)]
            label = ", ".join([f"level {int(root['level'][k])}", *words])
            return Panel(traces=traces, title=label, x=axis, y=up)

        panels = [panel(place, k) for place in places for k in levels]
        grid = Grid(panels=panels, columns=len(levels), same_x=True, same_y="row")
        choices = [("" if down is None else down.said(place), place) for place in places]
        return level_by_level(grid, results, panel, choices, choice="points")

    needs = [*of.variables, *(() if ideal is None else ideal.variables)]
    return custom(
        name, title, caption, traces=drawing, needs=[f"summary/model/{one}" for one in needs]
    )


def _ordered(values: xr.DataArray, x: str, case: Case) -> list[Trace]:
    """A line over the order, of medians with bands where there are quantiles."""
    at = np.arange(1, values.sizes[x] + 1)
    traces: list[Trace] = []
    middle = values
    if "quantile" in values.dims:
        for low, high, opacity in _BANDS:
            ends = [values.sel(quantile=q).values for q in (low, high)]
            traces.append(Band(x=at, low=ends[0], high=ends[1], color=case.color, opacity=opacity))
        middle = values.sel(quantile=0.5)
    marker = case.marker if at.size <= _MARKED else ""
    look: Any = {"name": case.label, "color": case.color, "marker": marker, "size": 0.8}
    return [*traces, Line(x=at, y=middle.values, **look)]


def scatter(
    name: str,
    title: str,
    caption: str,
    *,
    x: Pick,
    y: Pick,
    axes: tuple[Axis, Axis],
    most: int = 3,
) -> Chart:
    """One number of each problem against another, at some levels and at any by itself.

    Args:
        name: Of the chart.
        title: A line.
        caption: How to read it.
        x: Of the results, problem by problem and by level.
        y: Likewise.
        axes: Along and up.
        most: How many levels stand beside each other.
    """

    def drawing(results: xr.DataTree) -> Drawing:
        words = level_places(results.to_dataset())

        def panel(_: None, k: int) -> Panel:
            return cloud(results, x, y, k, axes, words[k])

        panels = [panel(None, k) for k in spread(len(words), most)]
        grid = Grid(panels=panels, columns=len(panels), same_x=True, same_y="all")
        return level_by_level(grid, results, panel, [("", None)])

    return custom(name, title, caption, traces=drawing, needs=[*x.variables, *y.variables])


def cloud(
    results: xr.DataTree, x: Pick, y: Pick, k: int, axes: tuple[Axis, Axis], title: str = ""
) -> Panel:
    """One number of each problem against another, at one level."""
    traces: list[Trace] = []
    for case in reversed(raw_cases_of(results)):
        here = case.data.isel(level=k)
        look: Any = {"name": case.label, "color": case.color, "marker": case.marker}
        at = (x.select(here).values.ravel(), y.select(here).values.ravel())
        traces.append(Line(x=at[0], y=at[1], dash="none", **look))
    return Panel(traces=traces, title=title, x=axes[0], y=axes[1])
