"""Charts as declarations: what is drawn of which variables, with the words that go with it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import xarray as xr

from ired_interp.experiments.kit.along import Along
from ired_interp.experiments.kit.chart_cases import level_axis
from ired_interp.experiments.kit.drawn import Axis, Drawing, Grid, Panel
from ired_interp.experiments.kit.expressions import Pick
from ired_interp.experiments.kit.facets import (
    QUANTITY,
    Facet,
    Limit,
    Quantity,
    facet_of,
    quantities_of,
)
from ired_interp.experiments.kit.traces import Trace

__all__ = ["Chart", "Shown", "along", "by_level", "custom", "missing_variables"]

Shown = str | Pick | Quantity | Sequence[str | Pick | Quantity]
"""What is drawn: a variable, a selection of it, a quantity, or several."""


@dataclass(frozen=True)
class Chart:
    """A chart of the results, and the words that go with it.

    Attributes:
        name: For file names and anchors: letters, digits, '_' and '-'.
        title: A line.
        caption: What is drawn, of what, and how to read it.
        drawing_fn: Makes it of the results; it shows what they hold and computes nothing.
        needs: Paths of variables without which there is nothing to draw.
    """

    name: str
    title: str
    caption: str
    drawing_fn: Callable[[xr.DataTree], Drawing]
    needs: Sequence[str] = ()

    def missing(self, results: xr.DataTree) -> list[str]:
        """What of ``needs`` the results do not hold."""
        return missing_variables(results, self.needs)


def by_level(
    name: str,
    title: str,
    caption: str,
    *,
    y: Shown,
    columns: str | Facet | None = None,
    rows: str | Facet | None = None,
    **more: Any,
) -> Chart:
    """Means over problems with their intervals by level, the cases of the run beside each other.

    Args:
        name: Of the chart.
        title: A line.
        caption: How to read it.
        y: What is drawn, of the summaries.
        columns: A dimension whose places have a column each; ``case``, ``quantity``, or None.
        rows: Likewise; None for a row a quantity, if there are several and no columns of them.
        more: As `along` has it.
    """
    across = facet_of(columns)

    def axis(results: xr.DataTree) -> Axis:
        root = results.to_dataset()
        return level_axis(root, sigma_every=1 if across is None else 3)

    return along(
        name, title, caption, x="level", axis=axis, y=y, columns=columns, rows=rows, **more
    )


def along(
    name: str,
    title: str,
    caption: str,
    *,
    x: str,
    axis: Axis | Callable[[xr.DataTree], Axis],
    y: Shown,
    columns: str | Facet | None = None,
    rows: str | Facet | None = None,
    series: str | Facet | None = None,
    null: Limit = None,
    ideal: Limit = None,
    label: str = "",
    scale: Literal["linear", "log", "outliers"] = "linear",
    null_name: str = "",
    ideal_name: str = "",
    **more: Any,
) -> Chart:
    """Means over problems with their intervals along a dimension, the cases beside each other.

    Args:
        name: Of the chart.
        title: A line.
        caption: How to read it.
        x: The dimension.
        axis: Its axis.
        y: What is drawn, of the summaries.
        columns: A dimension whose places have a column each; ``case``, ``quantity``, or None.
        rows: Likewise; None for a row a quantity, if there are several and no columns of them.
        series: A dimension whose places have a line each, of the model.
        null: Where y would be if there were nothing; a variable is that of each case.
        ideal: Where y would be at best; a variable is the model's.
        label: Of the axis up, with the unit.
        scale: Of the axis up.
        null_name: What the null is called in the legend.
        ideal_name: What the ideal is called.
        more: Further attributes of `Along`: ``groups``, ``bands``, ``height``, ….
    """
    quantities = quantities_of(y, null=null, ideal=ideal, label=label, scale=scale)
    down, across = facet_of(rows), facet_of(columns)
    if len(quantities) > 1 and QUANTITY not in {one.dim for one in (down, across) if one}:
        down = Facet(QUANTITY)
    return Chart(
        name,
        title,
        caption,
        Along(
            x=x,
            axis_fn=axis if callable(axis) else lambda _: axis,
            quantities=quantities,
            rows=down,
            columns=across,
            series=facet_of(series),
            names=(null_name, ideal_name),
            **more,
        ),
        needs=_of_summary(quantities),
    )


def custom(
    name: str,
    title: str,
    caption: str,
    *,
    traces: Callable[[xr.DataTree], Drawing | Grid | Panel | Sequence[Trace]],
    needs: Sequence[str] = (),
) -> Chart:
    """Whatever a function makes of the results: a drawing, a grid, a panel, or its traces alone."""

    def drawing(results: xr.DataTree) -> Drawing:
        found = traces(results)
        if isinstance(found, Drawing):
            return found
        if isinstance(found, Grid):
            return Drawing(overview=found)
        panel = found if isinstance(found, Panel) else Panel(traces=found)
        return Drawing(overview=Grid(panels=[panel]))

    return Chart(name, title, caption, drawing, needs)


def _of_summary(quantities: Sequence[Quantity]) -> tuple[str, ...]:
    """Paths of the model's variables."""
    names = dict.fromkeys(name for one in quantities for name in one.needs())
    return tuple(f"summary/model/{name}" for name in names)


def missing_variables(results: xr.DataTree, paths: Sequence[str]) -> list[str]:
    """Those of the paths of variables, such as ``summary/model/mean``, that are not there."""
    return [path for path in paths if not _holds(results, path)]


def _holds(results: xr.DataTree, path: str) -> bool:
    *groups, name = path.split("/")
    node = results
    for group in groups:
        if group not in node.children:
            return False
        node = node.children[group]
    return name in node.data_vars
