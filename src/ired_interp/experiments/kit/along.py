"""Means with their intervals along a dimension, all cases of a run beside each other."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import xarray as xr

from ired_interp.experiments.kit.chart_cases import Case, cases_of, interval_of, outlier_axis
from ired_interp.experiments.kit.drawn import Axis, Drawing, Grid, Panel
from ired_interp.experiments.kit.expressions import Pick
from ired_interp.experiments.kit.facets import CASE, QUANTITY, Facet, Quantity
from ired_interp.experiments.kit.traces import Color, Line, Marker, Numbers, Rule, Trace

__all__ = ["MARKERS", "Along", "mean_line"]

MARKERS: Sequence[Marker] = (
    "circle",
    "triangle-up",
    "square",
    "diamond",
    "triangle-down",
    "x",
    "cross",
    "pentagon",
    "triangle-left",
    "triangle-right",
    "hexagon",
    "star",
)
"""Marks of what is told apart in one panel, in turn."""
_BESIDE = 0.05
_ONCE: Sequence[Marker] = ("x", "plus", "triangle-up")


@dataclass(frozen=True)
class _Place:
    """Where a panel stands: what it shows, of whom, at which places of dimensions."""

    quantity: int | None = None
    case: int | None = None
    where: Mapping[str, Any] = field(default_factory=dict)
    words: str = ""


@dataclass(frozen=True, kw_only=True)
class Along:
    """What makes the drawing of the results.

    Attributes:
        x: The dimension along.
        axis_fn: Its axis, made of the results.
        quantities: What is drawn.
        rows: What differs from row to row; None for one row.
        columns: What differs from column to column.
        series: What differs from line to line, of the model alone unless cases have panels of
            their own; None for a line a case.
        groups: Names of the summaries that are shown; empty for all.
        called: What is said of some of them, by name, instead of the usual.
        bands: Whether the intervals are bands too.
        joined: Whether the points are.
        names: What the limits are called in the legend: null and ideal.
        wrap: How many columns there are, where panels are in one row.
        height: Of a panel, in inches on paper.
    """

    x: str
    axis_fn: Callable[[xr.DataTree], Axis]
    quantities: Sequence[Quantity]
    rows: Facet | None = None
    columns: Facet | None = None
    series: Facet | None = None
    groups: Sequence[str] = ()
    called: Mapping[str, str] = field(default_factory=dict)
    bands: bool = False
    joined: bool = True
    names: tuple[str, str] = ("", "")
    wrap: int | None = None
    height: float = 2.2

    def __call__(self, results: xr.DataTree) -> Drawing:
        """The drawing: a panel for each row and column."""
        cases = cases_of(results, self.x, *self.groups, called=self.called)
        rows = list(self._places(self.rows, cases))
        columns = list(self._places(self.columns, cases))
        x = self.axis_fn(results)
        panels = []
        for row in rows:
            lines = [self._traces(_joined(row, column), cases) for column in columns]
            y = self._axis(_joined(row, columns[0]), lines)
            panels += [
                Panel(
                    traces=traces,
                    title=_joined(row, column).words,
                    color="ink" if column.case is None else cases[column.case].color,
                    x=x,
                    y=y
                    if self.columns is None or column.quantity is None
                    else self._axis(column, [traces]),
                )
                for column, traces in zip(columns, lines, strict=True)
            ]
        own = self.columns is not None and self.columns.dim == QUANTITY
        return Drawing(
            overview=Grid(
                panels=panels,
                columns=self.wrap or len(columns),
                same_x=True,
                same_y="none" if own else "row",
                height=self.height,
            )
        )

    def _places(self, of: Facet | None, cases: Sequence[Case]) -> Iterator[_Place]:
        if of is None:
            yield _Place()
        elif of.dim == QUANTITY:
            for i, one in enumerate(self.quantities):
                yield _Place(quantity=i, words=one.title)
        elif of.dim == CASE:
            for i, case in enumerate(cases):
                yield _Place(case=i, words=case.label)
        else:
            for place in of.places(cases[0].data):
                yield _Place(where={of.dim: place}, words=of.said(place))

    def _axis(self, place: _Place, panels: Sequence[Sequence[Trace]]) -> Axis:
        of = self.quantities[place.quantity or 0]
        if of.scale == "outliers":
            lines = [trace.y for traces in panels for trace in traces if isinstance(trace, Line)]
            return outlier_axis(of.label, lines)
        return Axis(label=of.label, scale=of.scale, low=of.low, high=of.high)

    def _traces(self, place: _Place, cases: Sequence[Case]) -> list[Trace]:
        of = self.quantities[place.quantity or 0]
        shown = list(cases) if place.case is None else [cases[place.case]]
        found = list(self._limits(of, place, cases))
        if self.series is None:
            # The model is drawn last, on top of the others.
            for case in reversed(shown):
                found += self._of_case(of, place, case)
            return [*found, *self._once(of, place, shown[0])]
        case = shown[0]
        places = self.series.places(case.data)
        for i, one in enumerate(places):
            values = _at(of.pick, case.data, {**place.where, self.series.dim: one})
            shift = 0.1 * (i - len(places) / 2) if self.x == "level" else 0.0
            look: tuple[Color, Marker] = (i, MARKERS[i % len(MARKERS)])
            found.append(self._line(values, self.series.said(one), *look, shift=shift))
        return found

    def _limits(self, of: Quantity, place: _Place, cases: Sequence[Case]) -> Iterator[Trace]:
        null, ideal = self.names
        if isinstance(of.null, (int, float)):
            yield Rule(at=of.null, color="null", name=null, dash="dot")
        if isinstance(of.ideal, (int, float)):
            yield Rule(at=of.ideal, color="ideal", name=ideal)
        elif isinstance(of.ideal, Pick):
            values = _mean(_at(of.ideal, cases[0].data, place.where))
            if values.ndim == 0:
                yield Rule(at=float(values), color="ideal", name=ideal)
            else:
                x, y = values[self.x].values, values.values
                yield Line(x=x, y=y, color="ideal", name=ideal, dash="dash", hover=False)

    def _of_case(self, of: Quantity, place: _Place, case: Case) -> Iterator[Trace]:
        if isinstance(of.null, Pick):
            values = _mean(_at(of.null, case.data, place.where))
            x = case.data[self.x].values + case.shift
            y = np.broadcast_to(values.values, x.shape)
            yield Line(x=x, y=y, color=case.color, name=self.names[0], dash="dash", hover=False)
        shift = case.shift if self.x == "level" else 0.0
        several = [(of.pick, of.word), *of.beside]
        for i, (pick, word) in enumerate(several):
            # A panel of one case says in its title of which.
            words = [case.label] if place.case is None or not word else []
            name = ", ".join([*words, *([word] if word else [])])
            line = self._line(
                _at(pick, case.data, place.where),
                name,
                case.color,
                case.marker,
                shift=shift + i * _BESIDE,
            )
            yield line if i == 0 else replace(line, filled=False, dash="dash")

    def _once(self, of: Quantity, place: _Place, case: Case) -> Iterator[Trace]:
        there = [one for one in of.if_there if one[0].variables[0] in case.data]
        for (pick, word), marker in zip((*of.once, *there), _ONCE, strict=False):
            values = _at(pick, case.data, place.where)
            if bool(values.notnull().any()):
                line = self._line(values, word, "ink", marker, shift=-_BESIDE)
                yield replace(line, dash="dot")

    def _line(
        self, values: xr.DataArray, name: str, color: Color, marker: Marker, *, shift: float = 0.0
    ) -> Line:
        line = mean_line(values, self.x, name, color, marker, shift=shift)
        interval: Literal["both", "bars"] = "both" if self.bands else "bars"
        return replace(line, interval=interval, dash="solid" if self.joined else "none")


def mean_line(
    values: xr.DataArray, x: str, name: str, color: Color, marker: Marker, *, shift: float = 0.0
) -> Line:
    """Means with their intervals along x, a line."""
    mean, low, high = interval_of(values)
    at: Numbers = values[x].values + shift
    return Line(x=at, y=mean, low=low, high=high, name=name, color=color, marker=marker)


def _joined(row: _Place, column: _Place) -> _Place:
    first, second = (row, column)
    return _Place(
        second.quantity if first.quantity is None else first.quantity,
        second.case if first.case is None else first.case,
        {**first.where, **second.where},
        ", ".join(words for words in (second.words, first.words) if words),
    )


def _at(of: Pick, data: xr.Dataset, where: Mapping[str, Any]) -> xr.DataArray:
    """The numbers at those of the places that they have."""
    found = of.select(data)
    return found.sel({dim: place for dim, place in where.items() if dim in found.dims})


def _mean(values: xr.DataArray) -> xr.DataArray:
    return values.sel(statistic="mean") if "statistic" in values.dims else values
