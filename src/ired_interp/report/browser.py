"""A chart as the browser draws it: plotly's traces and axes, panel by panel, without their layout.

Where the panels stand depends on how wide the page is: the page's script lays them out. Colours are
names of the page's variables, which the script fills in for a light page or a dark one.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from ired_interp.experiments.interactive import rounded
from ired_interp.experiments.kit.drawn import Axis, Drawing, Grid, Panel
from ired_interp.experiments.kit.traces import (
    Arrows,
    Band,
    Bars,
    Contour,
    Heat,
    Line,
    Note,
    Numbers,
    Rule,
    Trace,
)
from ired_interp.report.axes_data import (
    ends_of,
    numbers_along,
    numbers_up,
    on_axis,
    symlog_ticks,
)
from ired_interp.report.colors import SCALES, color_name
from ired_interp.report.plotly_traces import page_color, plotly_traces, plotly_words

__all__ = ["plotted"]

_PIXELS = 100  # an inch on paper
# In decades: on a shorter axis powers of ten are too few labels, on a longer one too many.
_FEW, _MANY = 1.7, 6
# Those that stand first in a legend.
_FIRST = ("model", "control", "shuffled")


def plotted(drawing: Drawing) -> dict[str, Any]:
    """A drawing for the page's script: the overview and every view."""
    tables: dict[int, Any] = {}
    grid_fn = partial(_grid, tables=tables)
    overview = grid_fn(drawing.overview)
    views = [[grid_fn(grid) for grid in of_choice] for of_choice in drawing.views]
    return {
        "overview": overview,
        "views": views,
        "positions": list(drawing.places),
        "tables": list(tables.values()),
    }


def _grid(grid: Grid, *, tables: dict[int, Any]) -> dict[str, Any]:
    traces = [trace for panel in grid.panels for trace in panel.traces]
    groups = [_group(grid, i) for i in range(len(grid.panels))]
    along = [numbers_along(panel.traces) for panel in grid.panels]
    up = [numbers_up(panel.traces) for panel in grid.panels]
    every = np.concatenate(along)
    of_group = {
        group: np.concatenate([one for one, of in zip(up, groups, strict=True) if of == group])
        for group in groups
    }
    return {
        "columns": grid.columns,
        "height": round(grid.height * _PIXELS),
        "sameX": grid.same_x,
        "groups": groups,
        "panels": [
            _panel(panel, every if grid.same_x else along[i], of_group[groups[i]], tables)
            for i, panel in enumerate(grid.panels)
        ],
        "legend": list(_legend(traces)),
        "bar": next((_bar(one) for one in traces if isinstance(one, Heat) and one.label), None),
    }


def _group(grid: Grid, i: int) -> int:
    """Panels of a group show one range of y."""
    return {"none": i, "row": i // grid.columns, "all": 0}[grid.same_y]


def _panel(panel: Panel, along: Numbers, up: Numbers, tables: dict[int, Any]) -> dict[str, Any]:
    return {
        "title": plotly_words(panel.title),
        "color": page_color(panel.color),
        "square": panel.square,
        "x": _axis(panel.x, along),
        "y": _axis(panel.y, up),
        "traces": [made for one in panel.traces for made in plotly_traces(one, panel, tables)],
        "shapes": [_shape(one, panel) for one in panel.traces if isinstance(one, Rule)],
        "notes": [_note(one, panel) for one in panel.traces if isinstance(one, Note)],
    }


def _axis(axis: Axis, drawn: Numbers) -> dict[str, Any]:
    """An axis with its ends, in plotly's units: panels that show one range do so from the start."""
    found: dict[str, Any] = {"title": {"text": plotly_words(axis.label)}, "visible": axis.shown}
    ticks = dict(axis.ticks)
    if axis.scale == "symlog" and not ticks:
        ticks = symlog_ticks(drawn, axis)
    if ticks:
        found["tickvals"] = rounded(on_axis(np.array(list(ticks)), axis))
        found["ticktext"] = [plotly_words(text) for text in ticks.values()]
    low, high = ends_of(axis, drawn)
    found["range"] = [float(f"{end:.6g}") for end in (low, high)]
    if axis.scale == "log":
        found |= {"type": "log"} | _log_ticks(high - low)
    return found


def _log_ticks(decades: float) -> dict[str, Any]:
    """Labels at powers of ten where there are some, else at 1, 2 and 5 times them."""
    if decades <= _FEW:
        return {"dtick": "D2"}
    return {"dtick": 1} if decades < _MANY else {}


def _bar(one: Heat) -> dict[str, Any]:
    """What the colours mean, for the page's own bar."""
    return {
        "label": one.label,
        "low": rounded(one.low),
        "high": rounded(one.high),
        "scale": {theme: list(colors) for theme, colors in SCALES[one.scale].items()},
        "marks": rounded(np.array(one.marks, dtype=np.float64)),
    }


def _shape(one: Rule, panel: Panel) -> dict[str, Any]:
    axis = panel.y if one.across == "y" else panel.x
    dash = "solid" if one.dash == "none" else one.dash
    look = {"color": page_color(one.color), "width": 1.4, "dash": dash}
    return {"across": one.across, "at": rounded(on_axis(one.at, axis)), "line": look}


def _note(one: Note, panel: Panel) -> dict[str, Any]:
    inside = one.inside == "panel"
    x, y = (one.x, one.y) if inside else (on_axis(one.x, panel.x), on_axis(one.y, panel.y))
    return {
        "text": plotly_words(one.text),
        "x": rounded(x),
        "y": rounded(y),
        "inside": inside,
        "align": one.align,
        "color": page_color(one.color),
    }


def _legend(traces: Sequence[Trace]) -> Iterator[dict[str, Any]]:
    """Each name once, networks first; what has several colours is in none of them."""
    found: dict[str, dict[str, Any]] = {}
    for one in traces:
        if isinstance(one, Heat | Note) or not one.name:
            continue
        if isinstance(one, Rule) or one.listed:
            entry = _entry(one)
            first = found.setdefault(one.name, entry)
            if not first["marker"] and entry["marker"]:
                first = found[one.name] = entry
            if first["role"] != entry["role"]:
                first |= {"role": "muted", "color": page_color("muted")}
    ranks = (*_FIRST, "")
    yield from sorted(
        found.values(), key=lambda one: ranks.index(one["role"] if one["role"] in _FIRST else "")
    )


def _entry(one: Rule | Line | Band | Bars | Contour | Arrows) -> dict[str, Any]:
    entry = {
        "name": one.name,
        "key": plotly_words(one.name),
        "role": color_name(one.color),
        "color": page_color(one.color),
        "dash": "solid",
        "marker": "",
        "filled": True,
        "kind": "line",
    }
    match one:
        case Line() if not one.marker and one.dash == "none":
            return entry | {"kind": "area"}  # intervals alone
        case Line():
            return entry | {"dash": one.dash, "marker": one.marker, "filled": one.filled}
        case Rule():
            return entry | {"dash": one.dash}
        case Band() | Bars():
            return entry | {"kind": "area"}
    return entry
