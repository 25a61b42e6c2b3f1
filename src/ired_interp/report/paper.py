"""A chart on paper: matplotlib draws the overview of a `Drawing`, with the same numbers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import NullLocator

from ired_interp.experiments.axes import SMALL, TEXT, add_legend, dress, set_log_axis
from ired_interp.experiments.base import Theme
from ired_interp.experiments.kit.drawn import Axis, Drawing, Grid, Panel
from ired_interp.experiments.kit.traces import (
    Arrows,
    Band,
    Bars,
    Color,
    Contour,
    Heat,
    Line,
    Marker,
    Note,
    Rule,
    Trace,
)
from ired_interp.report.colors import COLORS, SCALES, color_name

__all__ = ["paper_figure"]

_MARKERS: dict[Marker, str] = {
    "": "",
    "circle": "o",
    "square": "s",
    "triangle-up": "^",
    "triangle-down": "v",
    "diamond": "D",
    "cross": "P",
    "x": "X",
    "triangle-left": "<",
    "triangle-right": ">",
    "pentagon": "p",
    "hexagon": "h",
    "star": "*",
    "plus": "+",
    "tick": "|",
    "bar": "_",
}
_DASHES = {"solid": "-", "dash": "--", "dot": ":", "dashdot": "-.", "none": "none"}
# Of the legend, in characters of its names: a row holds about so many.
_ROW = 95
_STEPS = 96
# In inches: what a figure has above its panels.
_HEAD = 0.7


def paper_figure(drawing: Drawing, theme: Theme) -> Figure:
    """The overview of a drawing, in the colours of a theme."""
    grid = drawing.overview
    rows = -(-len(grid.panels) // grid.columns)
    figure = Figure((grid.width, _HEAD + grid.height * rows), layout="constrained")
    axes = figure.subplots(
        rows,
        grid.columns,
        squeeze=False,
        sharex=grid.same_x,
        sharey=grid.same_y if grid.same_y != "none" else False,
    )
    flat = list(axes.flat)
    handles: dict[str, Any] = {}
    maps = []
    for i, (ax, panel) in enumerate(zip(flat, grid.panels, strict=False)):
        dress(ax, theme)
        for one in panel.traces:
            made = _draw(ax, one, theme)
            if isinstance(one, Heat) and one.label:
                maps.append((one, made))
            _note_handle(handles, one, theme)
        _finish(ax, panel, theme, grid, i)
    for ax in flat[len(grid.panels) :]:
        ax.set_visible(False)
    if maps:
        _add_bar(figure, *maps[0], flat, theme)
    if handles:
        longest = max(map(len, handles)) + 6
        columns = max(1, min(len(handles), round(_ROW * grid.width / 9) // longest))
        add_legend(figure, list(handles.values()), theme, columns=columns)
    return figure


def _draw(ax: Axes, one: Trace, theme: Theme) -> Any:
    color = "none" if isinstance(one, Heat) else _color(one.color, theme)
    match one:
        case Line():
            _draw_line(ax, one, color)
        case Band():
            look: Any = {"color": color, "alpha": one.opacity, "linewidth": 0}
            ax.fill_between(one.x, one.low, one.high, **look)
        case Bars():
            ax.bar(one.x, one.y, one.width, bottom=one.base, color=color, linewidth=0)
        case Heat():
            return _draw_heat(ax, one, theme)
        case Contour():
            if np.isfinite(one.z).any():
                ax.contour(one.x, one.y, one.z, levels=sorted(one.levels), colors=[color])
        case Arrows():
            ax.plot(*one.strokes(), color=color, linewidth=0.6, scalex=False, scaley=False)
        case Rule():
            line = ax.axhline if one.across == "y" else ax.axvline
            line(one.at, color=color, linewidth=1.2, linestyle=_DASHES[one.dash])
        case Note():
            _draw_note(ax, one, color)
    return None


def _draw_line(ax: Axes, one: Line, color: str) -> None:
    if one.low is not None and one.high is not None:
        if one.interval in ("band", "both"):
            ax.fill_between(one.x, one.low, one.high, color=color, alpha=0.2, linewidth=0)
        # Without a point there is no interval.
        there = np.isfinite(one.x) & np.isfinite(one.y)
        ends = one.low[there], one.high[there]
        look: Any = {"color": color, "linewidth": one.size}
        if one.interval in ("bars", "both"):
            ax.vlines(one.x[there], *ends, **look)
        if one.interval == "across":
            ax.hlines(one.y[there], *ends, **look)
    ax.plot(one.x, one.y, alpha=one.opacity, **_look(one, color))


def _look(one: Line, color: str) -> dict[str, Any]:
    return {
        "color": color,
        "linestyle": _DASHES[one.dash],
        "linewidth": 1.2 * one.size,
        "marker": _MARKERS[one.marker],
        "markersize": 4 * one.size,
        "markerfacecolor": color if one.filled else "none",
    }


def _draw_heat(ax: Axes, one: Heat, theme: Theme) -> Any:
    drawn = ax.pcolormesh(
        one.x,
        one.y,
        one.z,
        cmap=_shades(one, theme),
        vmin=one.low,
        vmax=one.high,
        shading="nearest",
    )
    drawn.set_edgecolor("face")
    drawn.set_linewidth(0.2)
    ax.grid(visible=False)
    if one.written:
        _write(ax, one, drawn)
    return drawn


def _write(ax: Axes, one: Heat, drawn: Any) -> None:
    """The numbers of a map into it, in black or white."""
    for (i, j), number in np.ndenumerate(one.z):
        red, green, blue, _ = drawn.cmap(drawn.norm(number))
        dark = 0.3 * red + 0.6 * green + 0.1 * blue < 0.5  # noqa: PLR2004 - half as bright
        words = f"{number:{one.written}}".removeprefix("0")
        look: Any = {"ha": "center", "va": "center", "fontsize": 5.5}
        look["color"] = "white" if dark else "black"
        ax.text(float(one.x[j]), float(one.y[i]), words, **look)


def _shades(one: Heat, theme: Theme) -> Colormap:
    colors = list(SCALES[one.scale][theme.name])
    return LinearSegmentedColormap.from_list(f"{one.scale}, {theme.name}", colors, N=_STEPS)


def _draw_note(ax: Axes, one: Note, color: str) -> None:
    where: Any = ax.transAxes if one.inside == "panel" else ax.transData
    look: Any = {"ha": one.align, "va": "center", "fontsize": SMALL, "color": color}
    ax.text(one.x, one.y, one.text, transform=where, **look)


def _finish(ax: Axes, panel: Panel, theme: Theme, grid: Grid, place: int) -> None:
    ax.set_title(panel.title, fontsize=TEXT, color=_color(panel.color, theme), loc="left")
    last = place + grid.columns >= len(grid.panels)
    _set_axis(ax, "x", panel.x, theme, labelled=last or not grid.same_x)
    first = place % grid.columns == 0
    _set_axis(ax, "y", panel.y, theme, labelled=first or grid.same_y == "none")
    if last and grid.same_x:
        ax.tick_params(labelbottom=True)
    if panel.square:
        ax.set_aspect("equal", adjustable="box")


def _set_axis(ax: Axes, name: str, axis: Axis, theme: Theme, *, labelled: bool) -> None:
    set_ = {"x": (ax.set_xscale, ax.set_xlim, ax.set_xlabel, ax.xaxis)}
    set_["y"] = (ax.set_yscale, ax.set_ylim, ax.set_ylabel, ax.yaxis)  # type: ignore[assignment]
    scale, limits, words, ticks = set_[name]
    if axis.scale == "symlog":
        scale("symlog", linthresh=axis.linear_to)
        ticks.set_minor_locator(NullLocator())
    elif axis.scale == "log" and name == "y":
        set_log_axis(ax)
    elif axis.scale == "log":
        scale("log")
    if axis.ticks:
        ticks.set_ticks(list(axis.ticks), list(axis.ticks.values()))
    if axis.low is not None or axis.high is not None:
        limits(axis.low, axis.high)
    if labelled and axis.label:
        words(axis.label, fontsize=TEXT, color=theme.ink)
    if not axis.shown:
        ticks.set_ticks([])
        ax.grid(visible=False)


def _note_handle(handles: dict[str, Any], one: Trace, theme: Theme) -> None:
    """Add what the legend has of a trace, once a name."""
    if isinstance(one, Heat | Note) or not one.name or one.name in handles:
        return
    color = _color(one.color, theme)
    match one:
        case Line() if one.listed:
            handles[one.name] = Line2D([], [], label=one.name, **_look(one, color))
        case Rule():
            look: Any = {"color": color, "linestyle": _DASHES[one.dash]}
            handles[one.name] = Line2D([], [], label=one.name, **look)
        case Band() | Bars() if one.listed:
            alpha = one.opacity if isinstance(one, Band) else 1.0
            handles[one.name] = Patch(color=color, alpha=alpha, linewidth=0, label=one.name)
        case Contour() | Arrows() if one.listed:
            handles[one.name] = Line2D([], [], color=color, label=one.name)


def _add_bar(figure: Figure, one: Heat, drawn: Any, axes: Sequence[Axes], theme: Theme) -> None:
    bar = figure.colorbar(drawn, ax=list(axes), shrink=0.7, pad=0.02)
    if bar.solids is not None:
        bar.solids.set_rasterized(False)
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=theme.ink, labelsize=SMALL)
    for mark in one.marks:
        bar.ax.axhline(mark, color=theme.ideal, linewidth=1.2)
    bar.set_label(one.label, fontsize=TEXT, color=theme.ink)


def _color(color: Color, theme: Theme) -> str:
    return COLORS[theme.name][color_name(color)]
