"""What is drawn, as data: panels with their axes, all at once and one at a time.

Two renderers of `report` read it: one makes what a browser draws, the other files for papers. It
holds numbers, words and roles of colours, and knows nothing of matplotlib or plotly.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ired_interp.errors import ExperimentError
from ired_interp.experiments.kit.traces import Color, Trace

__all__ = ["Axis", "Drawing", "Grid", "Panel"]


@dataclass(frozen=True, kw_only=True)
class Axis:
    """An axis of a panel.

    Attributes:
        label: What it is, with the unit.
        scale: ``symlog`` is linear up to ±`linear_to` and logarithmic beyond.
        low: Its lower end; None for the lowest that is drawn.
        high: Its upper end.
        ticks: Words by place; empty for numbers.
        linear_to: Of ``symlog``.
        shown: Whether there are ticks and a grid.
    """

    label: str = ""
    scale: Literal["linear", "log", "symlog"] = "linear"
    low: float | None = None
    high: float | None = None
    ticks: Mapping[float, str] = field(default_factory=dict)
    linear_to: float = 1.0
    shown: bool = True


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One pair of axes.

    Attributes:
        traces: From the lowest to the topmost.
        title: Above it; may have several lines.
        x: The axis along.
        y: The axis up.
        color: Of the title.
        square: Whether a unit of x is as long as one of y.
    """

    traces: Sequence[Trace]
    title: str = ""
    x: Axis = Axis()
    y: Axis = Axis()
    color: Color = "ink"
    square: bool = False


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Panels in rows.

    Attributes:
        panels: Row by row.
        columns: How many are beside each other where there is room.
        same_x: Whether all panels show the same range of x.
        same_y: Which panels show the same range of y.
        height: Of a panel, in inches on paper.
        width: Of all of it, in inches on paper.
    """

    panels: Sequence[Panel]
    columns: int = 1
    same_x: bool = False
    same_y: Literal["none", "row", "all"] = "none"
    height: float = 2.2
    width: float = 9.0

    def __post_init__(self) -> None:
        """Check that there is a panel and a column.

        Raises:
            ExperimentError: There is none.
        """
        if not self.panels or self.columns < 1:
            raise ExperimentError(
                f"chart: expected a panel and a column at least, found {len(self.panels)} panels "
                f"in {self.columns} columns. Leave the chart out where it has nothing to show."
            )


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A chart's pictures: all at once, and one at a time as the reader chooses.

    Attributes:
        overview: What is seen at first, on paper, and by whoever chooses nothing.
        slider: What a slider chooses, such as ``level k``; empty without one.
        places: What each of its places is, such as ``k = 3, σ = 0.95``.
        choice: What a list chooses; empty without one.
        choices: What it offers.
        views: By choice and place.
        hint: What the chosen pictures show that the overview does not.
    """

    overview: Grid
    slider: str = ""
    places: Sequence[str] = ()
    choice: str = ""
    choices: Sequence[str] = ()
    views: Sequence[Sequence[Grid]] = ()
    hint: str = ""

    def __post_init__(self) -> None:
        """Check that there is a picture for each choice and place.

        Raises:
            ExperimentError: There is not.
        """
        expected = [len(self.places)] * max(len(self.choices), 1) if self.places else []
        if [len(of_choice) for of_choice in self.views] != expected:
            raise ExperimentError(
                f"chart: expected views for each of {len(self.choices)} choices and "
                f"{len(self.places)} places, found {[len(one) for one in self.views]}."
            )

    def grids(self) -> Iterator[Grid]:
        """The overview, then every view."""
        yield self.overview
        for of_choice in self.views:
            yield from of_choice
