"""The traces of a chart as plotly has them: all but which pair of axes each stands on."""

import html
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ired_interp.experiments.interactive import grid as in_steps
from ired_interp.experiments.interactive import rounded, themed
from ired_interp.experiments.kit.drawn import Axis, Panel
from ired_interp.experiments.kit.traces import (
    Arrows,
    Band,
    Bars,
    Color,
    Contour,
    Heat,
    Line,
    Numbers,
    Trace,
)
from ired_interp.report.axes_data import on_axis
from ired_interp.report.colors import SCALES, color_name

__all__ = ["page_color", "plotly_traces", "plotly_words"]

_SYMBOLS = {"plus": "cross-thin", "tick": "line-ns", "bar": "line-ew"}
_STROKES = (*_SYMBOLS.values(),)
# Tables with more numbers than this are written in steps of their range.
_MANY = 100


def plotly_traces(one: Trace, panel: Panel, tables: dict[int, Any]) -> Iterator[dict[str, Any]]:
    """What plotly draws of a trace; nothing of rules and notes, which are no traces there.

    Args:
        one: The trace.
        panel: In which it stands.
        tables: Of the chart, by the array that they are of: a new one is added.
    """
    match one:
        case Line():
            yield from _line(one, panel)
        case Band():
            yield _area(one.x, one.low, one.high, panel, one.name, one.color, one.opacity)
        case Bars():
            yield {
                "type": "bar",
                "x": rounded(one.x),
                "y": rounded(one.y),
                "base": rounded(one.base),
                "width": one.width,
                "name": plotly_words(one.name),
                "marker": {"color": page_color(one.color), "line": {"width": 0}},
                "customdata": [[word] for word in _places(one.x, panel.x)],
                "hovertemplate": _hover(one.name, panel, "%{y:.4g}", "%{customdata[0]}"),
            }
        case Heat():
            yield _heat(one, panel, tables)
        case Contour():
            for level in one.levels:
                yield {
                    "type": "contour",
                    "x": rounded(one.x),
                    "y": rounded(one.y),
                    "z": _table(one.z, tables),
                    "name": plotly_words(one.name),
                    "contours": {"start": level, "end": level, "size": 1, "coloring": "none"},
                    "line": {"color": page_color(one.color), "width": 1},
                    "showscale": False,
                    "hoverinfo": "skip",
                }
        case Arrows():
            x, y = one.strokes()
            yield _scatter(one.name) | {
                "x": rounded(x),
                "y": rounded(y),
                "mode": "lines",
                "line": {"color": page_color(one.color), "width": 1},
                "hoverinfo": "skip",
            }


def _scatter(name: str) -> dict[str, Any]:
    return {"type": "scatter", "name": plotly_words(name)}


def _line(one: Line, panel: Panel) -> Iterator[dict[str, Any]]:
    color = page_color(one.color)
    across = one.interval == "across"
    if one.low is not None and one.high is not None and one.interval in ("band", "both"):
        yield _area(one.x, one.low, one.high, panel, one.name, one.color, 0.2)
    modes = [m for m, there in (("lines", one.dash != "none"), ("markers", one.marker)) if there]
    made = _scatter(one.name) | {
        "x": rounded(on_axis(one.x, panel.x)),
        "y": rounded(on_axis(one.y, panel.y)),
        "mode": "+".join(modes) or "markers",
        "line": {"color": color, "width": 1.6 * one.size},
        "opacity": one.opacity,
    }
    if one.dash not in ("none", "solid"):
        made["line"]["dash"] = one.dash
    if not modes:
        made["marker"] = {"opacity": 0}
    if one.marker:
        symbol = _SYMBOLS.get(one.marker, one.marker)
        open_ = "" if one.filled or symbol in _STROKES else "-open"
        made["marker"] = {"color": color, "size": 7 * one.size, "symbol": symbol + open_}
        if symbol in _STROKES:
            made["marker"]["line"] = {"color": color, "width": 2}
    if one.low is not None and one.high is not None and one.interval != "band":
        axis, middle = (panel.x, one.x) if across else (panel.y, one.y)
        at, low, high = (on_axis(n, axis) for n in (middle, one.low, one.high))
        made["error_x" if across else "error_y"] = {
            "type": "data",
            "symmetric": False,
            "array": rounded(high - at),
            "arrayminus": rounded(at - low),
            "thickness": 1.2 * one.size,
            "width": 0,
            "color": color,
        }
    if not one.hover:
        yield made | {"hoverinfo": "skip"}
        return
    yield made | _said(one, panel)


def _said(one: Line, panel: Panel) -> dict[str, Any]:
    """What the pointer says of each point: its numbers as they are, wherever they stand."""
    rows: list[Sequence[Any]] = [_places(one.x, panel.x), rounded(one.y)]
    x, y = "%{customdata[0]}", "%{customdata[1]:.4g}"
    if one.low is not None and one.high is not None:
        rows += [rounded(one.low), rounded(one.high)]
        ends = " [%{customdata[2]:.4g}, %{customdata[3]:.4g}]"
        x, y = (x + ends, y) if one.interval == "across" else (x, y + ends)
    template = _hover(one.name, panel, y, x)
    if one.words:
        rows.append([plotly_words(word) for word in one.words])
        template = template.replace("<extra>", f"<br>%{{customdata[{len(rows) - 1}]}}<extra>")
    return {"customdata": [list(row) for row in zip(*rows, strict=True)], "hovertemplate": template}


def _hover(name: str, panel: Panel, y: str, x: str) -> str:
    lines = [f"<b>{plotly_words(name)}</b>"] if name else []
    lines += [
        f"{plotly_words(axis.label.split(',')[0])} {n}" for axis, n in ((panel.y, y), (panel.x, x))
    ]
    return "<br>".join(lines) + "<extra></extra>"


def _places(x: Numbers, axis: Axis) -> list[Any]:
    """The numbers along, or the words of the ticks that they stand at."""
    if not axis.ticks:
        return list(rounded(x))
    known = np.array(list(axis.ticks))
    words = [plotly_words(text.partition("\n")[0]) for text in axis.ticks.values()]
    return [words[int(np.argmin(np.abs(known - one)))] for one in x]


def _area(
    x: Numbers, low: Numbers, high: Numbers, panel: Panel, name: str, color: Color, opacity: float
) -> dict[str, Any]:
    """There along the lower curve, back along the upper, where both are numbers."""
    there = np.isfinite(low) & np.isfinite(high)
    at = on_axis(x[there], panel.x)
    around = [on_axis(n[there], panel.y) for n in (low, high)]
    return _scatter(name) | {
        "x": rounded(np.concatenate([at, at[::-1]])),
        "y": rounded(np.concatenate([around[0], around[1][::-1]])),
        "mode": "lines",
        "line": {"width": 0, "color": page_color(color)},
        "fill": "toself",
        "fillcolor": {"color": page_color(color), "alpha": opacity},
        "hoverinfo": "skip",
    }


def _heat(one: Heat, panel: Panel, tables: dict[int, Any]) -> dict[str, Any]:
    scale = SCALES[one.scale]
    made: dict[str, Any] = {
        "type": "heatmap",
        "x": rounded(one.x),
        "y": rounded(one.y),
        "z": _table(one.z, tables),
        "zmin": one.low,
        "zmax": one.high,
        "colorscale": themed(*(_colorscale(scale[theme]) for theme in ("light", "dark"))),
        "showscale": False,
        "name": plotly_words(one.name),
        "hovertemplate": f"{plotly_words(one.name)} %{{z:.4g}}<br>"
        + _hover("", panel, "%{y}", "%{x}"),
    }
    if one.written:
        made |= {"texttemplate": f"%{{z:{one.written}}}", "textfont": {"size": 10}}
    return made


def _colorscale(colors: Sequence[str]) -> list[list[Any]]:
    return [[i / (len(colors) - 1), color] for i, color in enumerate(colors)]


def _table(values: Numbers, tables: dict[int, Any]) -> dict[str, int]:
    """Its number among the tables of the chart: one that is drawn twice is written once."""
    if id(values) not in tables:
        many = values.size > _MANY and bool(np.isfinite(values).all())
        tables[id(values)] = in_steps(values) if many else rounded(values)
    return {"table": list(tables).index(id(values))}


def page_color(color: Color) -> str:
    """A colour as the page's script fills it in."""
    return f"var(--fig-{color_name(color)})"


def plotly_words(text: str) -> str:
    """Text as plotly takes it, which reads some tags, a line a line."""
    return html.escape(text, quote=False).replace("\n", "<br>")
