"""The numbers that a chart shows, read back from what a browser draws and from what is on paper."""

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection, QuadMesh

from ired_interp.experiments.kit.drawn import Axis, Panel
from ired_interp.experiments.kit.traces import Line
from ired_interp.report.axes_data import on_axis

__all__ = ["Numbers", "filled_in", "of_browser", "of_paper", "summed"]

Array = npt.NDArray[Any]


@dataclass
class Numbers:
    """What one panel shows: of each kind in the order in which it was drawn.

    Attributes:
        lines: x and y of points, joined or not.
        intervals: Both ends of each, sorted.
        rules: Places of the reference lines.
        maps: Tables of numbers.
        bars: Ends of the bars.
        areas: Extents: lowest and highest x and y.
        title: Its words.
    """

    lines: list[tuple[Array, Array]]
    intervals: list[Array]
    rules: list[float]
    maps: list[Array]
    bars: list[Array]
    areas: list[Array]
    title: str


def of_browser(panel: Mapping[str, Any], tables: Sequence[Any]) -> Numbers:
    """Of a panel of `plotted`, as the page's script fills it in."""
    traces = [filled_in(trace, tables) for trace in panel["traces"]]
    scatter = [one for one in traces if one["type"] == "scatter"]
    lines = [one for one in scatter if one.get("fill") != "toself"]
    areas = [one for one in scatter if one.get("fill") == "toself"]
    return Numbers(
        lines=[(floats(one["x"]), floats(one["y"])) for one in lines],
        intervals=[ends for one in lines for ends in _ends(one)],
        rules=[float(one["at"]) for one in panel["shapes"]],
        maps=[floats(one["z"]) for one in traces if one["type"] == "heatmap"],
        bars=[
            np.stack([floats(one["base"]), floats(one["base"]) + floats(one["y"])])
            for one in traces
            if one["type"] == "bar"
        ],
        areas=[_extent(floats(one["x"]), floats(one["y"])) for one in areas],
        title=html.unescape(panel["title"].replace("<br>", "\n")),
    )


def of_paper(ax: Axes, panel: Panel) -> Numbers:
    """Of a panel that matplotlib drew, where a browser has its numbers on those axes."""
    x, y = panel.x, panel.y
    ways = [
        one.interval == "across"
        for one in panel.traces
        if isinstance(one, Line) and one.low is not None and one.interval != "band"
    ]
    bars = [one for one in ax.collections if isinstance(one, LineCollection)]
    lines = [one for one in ax.lines if one.get_transform() == ax.transData]
    rules = [one for one in ax.lines if one.get_transform() != ax.transData]
    return Numbers(
        lines=[
            (
                on_axis(np.asarray(one.get_xdata(), dtype=float), x),
                on_axis(np.asarray(one.get_ydata(), dtype=float), y),
            )
            for one in lines
        ],
        intervals=[
            _sorted(on_axis(_of_segments(one.get_segments(), across=across), x if across else y))
            for one, across in zip(bars, ways, strict=True)
        ],
        rules=[_place(one, x, y) for one in rules],
        maps=[
            np.ma.filled(np.ma.asarray(one.get_array(), dtype=float), np.nan)
            for one in ax.collections
            if isinstance(one, QuadMesh)
        ],
        bars=[
            np.array([[bar.get_y(), bar.get_y() + bar.get_height()] for bar in group]).T
            for group in ax.containers
        ],
        areas=[
            _extent(
                on_axis(
                    np.concatenate([np.asarray(path.vertices)[:, 0] for path in one.get_paths()]), x
                ),
                on_axis(
                    np.concatenate([np.asarray(path.vertices)[:, 1] for path in one.get_paths()]), y
                ),
            )
            for one in ax.collections
            if isinstance(one, PolyCollection) and one.get_paths()
        ],
        title=ax.get_title(loc="left"),
    )


def filled_in(value: Any, tables: Sequence[Any]) -> Any:
    """As the page's script does it, but for colours."""
    match value:
        case {"table": number}:
            return filled_in(tables[number], tables)
        case {"differences": _}:
            return summed(value)
        case {**keyed}:
            return {key: filled_in(one, tables) for key, one in keyed.items()}
        case [*entries]:
            return [filled_in(one, tables) for one in entries]
    return value


def summed(table: Mapping[str, Any]) -> Any:
    """As the page's script does it."""
    if table["differences"] is None:
        return None
    steps = np.cumsum(np.cumsum(table["differences"], axis=0), axis=1)
    return table["low"] + table["step"] * steps


def floats(values: Any) -> Array:
    """With NaN where there is none."""
    return np.array(values, dtype=float)


def _ends(one: Mapping[str, Any]) -> Iterator[Array]:
    for error, axis in (("error_y", "y"), ("error_x", "x")):
        if error in one:
            at = floats(one[axis])
            below, above = (floats(one[error][key]) for key in ("arrayminus", "array"))
            yield _sorted(np.stack([at - below, at + above]))


def _of_segments(segments: Sequence[Array], *, across: bool) -> Array:
    """Both ends of those that there are, along y; of level ones along x."""
    whole = [one[:, 0 if across else 1] for one in segments if len(one) > 1]
    return np.array(whole).reshape(-1, 2).T


def _sorted(ends: Array) -> Array:
    there = np.isfinite(ends).all(axis=0)
    return np.sort(ends[:, there].ravel())


def _place(line: Any, x: Axis, y: Axis) -> float:
    upright = line.get_xdata()[0] == line.get_xdata()[1]
    return float(on_axis(line.get_xdata()[0], x) if upright else on_axis(line.get_ydata()[0], y))


def _extent(x: Array, y: Array) -> Array:
    if not np.isfinite(y).any():
        return np.zeros(0)
    return np.array([np.nanmin(x), np.nanmax(x), np.nanmin(y), np.nanmax(y)])
