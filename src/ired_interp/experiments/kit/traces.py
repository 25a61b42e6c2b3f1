"""What is drawn in a panel, as data. Two renderers of `report` read it.

Nothing here knows matplotlib or plotly. A trace has a role of colour and not a colour: which it is
on a light page, on a dark one and on paper is for the renderer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from ired_interp.errors import ExperimentError

__all__ = [
    "Arrows",
    "Band",
    "Bars",
    "Color",
    "Contour",
    "Dash",
    "Heat",
    "Line",
    "Marker",
    "Note",
    "Numbers",
    "Role",
    "Rule",
    "Scale",
    "Trace",
]

Role = Literal["model", "control", "shuffled", "ideal", "null", "ink", "muted"]
Color: TypeAlias = Role | int
"""What a colour says, or an index of the palette, which is taken in turn."""
Dash = Literal["solid", "dash", "dot", "dashdot", "none"]
Marker = Literal[
    "",
    "circle",
    "square",
    "triangle-up",
    "triangle-down",
    "diamond",
    "cross",
    "x",
    "triangle-left",
    "triangle-right",
    "pentagon",
    "hexagon",
    "star",
    "plus",
    "tick",
    "bar",
]
"""``plus``, ``tick`` (upright) and ``bar`` (level) are strokes, the others areas."""
Scale = Literal["diverging", "heights", "shares"]
"""Colours of a map: blue to red around 0, yellow to blue around 0, and dark to light from 0."""

# How far the ends of an arrow's head lie behind its tip and beside it, in lengths of the arrow.
_HEAD = (0.3, 0.15)

Numbers: TypeAlias = npt.NDArray[Any]
"""Of any kind of number."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """Points, joined or not, with their intervals.

    Attributes:
        x: [n]
        y: [n], NaN where there is none.
        low: [n], the lower ends of the intervals; None without any.
        high: [n], the upper ends.
        interval: How they are drawn: ``bars`` and ``band`` are along y, ``across`` bars along x.
        name: In the legend, and under the pointer.
        color: Its role.
        dash: Of the line that joins them; ``none`` for points alone.
        marker: Of a point; empty for a line alone.
        filled: Whether the marker is.
        size: Of the marker, and of the line's width, beside the usual.
        opacity: From 0 to 1.
        words: [n], what is said of a point under the pointer, after its numbers.
        listed: Whether the legend has it; one of several of a name is enough.
        hover: Whether the pointer finds it.
    """

    x: Numbers
    y: Numbers
    low: Numbers | None = None
    high: Numbers | None = None
    interval: Literal["bars", "band", "both", "across"] = "bars"
    name: str = ""
    color: Color = "ink"
    dash: Dash = "solid"
    marker: Marker = ""
    filled: bool = True
    size: float = 1.0
    opacity: float = 1.0
    words: Sequence[str] = ()
    listed: bool = True
    hover: bool = True

    def __post_init__(self) -> None:
        """Check that all have one length."""
        there = {"y": self.y, "low": self.low, "high": self.high, "words": self.words or None}
        _check_lengths(self.name, len(self.x), {k: v for k, v in there.items() if v is not None})


@dataclass(frozen=True, kw_only=True)
class Band:
    """The area between two curves over x.

    Attributes:
        x: [n]
        low: [n]
        high: [n]
        name: In the legend.
        color: Its role.
        opacity: From 0 to 1.
        listed: Whether the legend has it.
    """

    x: Numbers
    low: Numbers
    high: Numbers
    name: str = ""
    color: Color = "muted"
    opacity: float = 0.2
    listed: bool = False

    def __post_init__(self) -> None:
        """Check that all have one length."""
        _check_lengths(self.name, len(self.x), {"low": self.low, "high": self.high})


@dataclass(frozen=True, kw_only=True)
class Bars:
    """Upright bars.

    Attributes:
        x: [n], their middles.
        y: [n], their lengths; below 0 they go down.
        base: [n], where they begin.
        name: In the legend, and under the pointer.
        color: Its role.
        width: In units of x.
        listed: Whether the legend has it.
    """

    x: Numbers
    y: Numbers
    base: Numbers
    name: str = ""
    color: Color = "model"
    width: float = 0.7
    listed: bool = True

    def __post_init__(self) -> None:
        """Check that all have one length."""
        _check_lengths(self.name, len(self.x), {"y": self.y, "base": self.base})


@dataclass(frozen=True, kw_only=True)
class Heat:
    """A map of numbers as colours.

    Attributes:
        x: [n], middles of the columns.
        y: [m], middles of the rows.
        z: [m, n], NaN where there is none.
        low: The number of the first colour.
        high: The number of the last.
        scale: Which colours.
        label: Of the bar that explains them; empty for none.
        written: How the numbers are written into the map, such as ``.2f``; empty for not at all.
        name: Under the pointer.
        marks: Numbers that stand out on the bar.
    """

    x: Numbers
    y: Numbers
    z: Numbers
    low: float
    high: float
    scale: Scale
    label: str = ""
    written: str = ""
    name: str = ""
    marks: Sequence[float] = ()

    def __post_init__(self) -> None:
        """Check that there is a number for each column and row."""
        _check_table(self.name, self.z, (len(self.y), len(self.x)))


@dataclass(frozen=True, kw_only=True)
class Contour:
    """Lines on which a table of numbers has some values.

    Attributes:
        x: [n]
        y: [m]
        z: [m, n]
        levels: The values.
        name: In the legend.
        color: Its role.
        listed: Whether the legend has it.
    """

    x: Numbers
    y: Numbers
    z: Numbers
    levels: Sequence[float]
    name: str = ""
    color: Color = "ink"
    listed: bool = True

    def __post_init__(self) -> None:
        """Check that there is a number for each column and row."""
        _check_table(self.name, self.z, (len(self.y), len(self.x)))


@dataclass(frozen=True, kw_only=True)
class Arrows:
    """Directions at points.

    Attributes:
        x: [n], where they begin.
        y: [n]
        dx: [n], as far as they go.
        dy: [n]
        name: In the legend.
        color: Its role.
        listed: Whether the legend has it.
    """

    x: Numbers
    y: Numbers
    dx: Numbers
    dy: Numbers
    name: str = ""
    color: Color = "muted"
    listed: bool = True

    def __post_init__(self) -> None:
        """Check that all have one length."""
        _check_lengths(self.name, len(self.x), {"y": self.y, "dx": self.dx, "dy": self.dy})

    def strokes(self) -> tuple[Numbers, Numbers]:
        """Shaft and head of each as one broken line: x and y, [6 n], NaN after each stroke."""
        tip_x, tip_y = self.x + self.dx, self.y + self.dy
        gap = np.full(len(self.x), np.nan)
        back, aside = _HEAD
        x = [self.x, tip_x - back * self.dx - aside * self.dy, tip_x]
        y = [self.y, tip_y - back * self.dy + aside * self.dx, tip_y]
        x += [tip_x - back * self.dx + aside * self.dy, gap]
        y += [tip_y - back * self.dy - aside * self.dx, gap]
        # The shaft goes to the tip before the head begins there.
        x.insert(1, tip_x)
        y.insert(1, tip_y)
        return np.stack(x, axis=1).ravel(), np.stack(y, axis=1).ravel()


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A straight line across the panel: what would be if there were nothing, or at best.

    Attributes:
        at: Its place.
        across: Along x, at a y; or ``x``, upright.
        color: Its role.
        name: In the legend; empty for none.
        dash: How it is drawn.
    """

    at: float
    across: Literal["y", "x"] = "y"
    color: Color = "ideal"
    name: str = ""
    dash: Dash = "dash"


@dataclass(frozen=True, kw_only=True)
class Note:
    """Words in a panel.

    Attributes:
        text: What they say; may have several lines.
        x: Their place.
        y: Likewise.
        inside: Whether the place is a share of the panel's sides, or in the axes' units.
        align: Which end of the words is there.
        color: Its role.
    """

    text: str
    x: float
    y: float
    inside: Literal["panel", "axes"] = "panel"
    align: Literal["left", "center", "right"] = "left"
    color: Color = "ink"


Trace: TypeAlias = Line | Band | Bars | Heat | Contour | Arrows | Rule | Note


def _check_lengths(name: str, expected: int, found: Mapping[str, Any]) -> None:
    wrong = {key: len(one) for key, one in found.items() if len(one) != expected}
    if wrong:
        raise ExperimentError(
            f"chart: trace {name!r}: expected {expected} numbers as in x, found {wrong}."
        )


def _check_table(name: str, table: Numbers, expected: tuple[int, int]) -> None:
    if np.shape(table) != expected:
        raise ExperimentError(
            f"chart: trace {name!r}: expected a table of {expected} (rows, columns), found "
            f"{np.shape(table)}."
        )
