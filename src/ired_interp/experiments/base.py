"""What an experiment is: a config, work units that are pure functions, and figures of the results.

Where a unit's data belong stands in its attribute ``group``: ``/`` for the model, or
``controls/<name>``. Units of one group are joined along ``problem``, and along ``draw`` where a
control has several.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import xarray as xr
from matplotlib.figure import Figure

__all__ = ["GROUP", "Experiment", "FigureSpec", "Theme"]

GROUP = "group"


@dataclass(frozen=True)
class Theme:
    """Colours of a figure, so that the same figure is drawn for light and for dark pages.

    Attributes:
        name: ``light`` or ``dark``.
        ink: Text and axes.
        muted: Grid and secondary text.
        model: The model under study.
        control: Its control.
        ideal: The ideal landscape.
    """

    name: str
    ink: str
    muted: str
    model: str
    control: str
    ideal: str


@dataclass(frozen=True)
class FigureSpec:
    """A figure of the results, and the words that go with it.

    Attributes:
        name: For file names and anchors.
        title: A line.
        caption: What is drawn, of what, and how to read it.
        draw_fn: (results, theme) → Figure; it draws what the results hold and computes nothing.
        needs: Paths of variables without which there is nothing to draw: not every run measures
            everything.
    """

    name: str
    title: str
    caption: str
    draw_fn: Callable[[xr.DataTree, Theme], Figure]
    needs: Sequence[str] = ()

    def missing(self, results: xr.DataTree) -> list[str]:
        """What of ``needs`` the results do not hold."""
        return [path for path in self.needs if not _holds(results, path)]


def _holds(results: xr.DataTree, path: str) -> bool:
    *groups, name = path.split("/")
    node = results
    for group in groups:
        if group not in node.children:
            return False
        node = node.children[group]
    return name in node.data_vars


@runtime_checkable
class Experiment(Protocol):
    """One question asked of one model."""

    name: str
    title: str
    Config: type[Any]
    hypotheses: Sequence[Any]
    figures: Sequence[FigureSpec]

    def plan(self, config: Any) -> Any:
        """The config with everything that later steps must not guess, checked.

        Raises:
            IredInterpError: The config cannot be run.
        """
        ...

    def units(self, config: Any) -> int:
        """How many work units a planned config has."""
        ...

    def run_unit(self, config: Any, index: int) -> xr.Dataset:
        """Unit number ``index``: a pure function of the planned config."""
        ...

    def summarise(self, results: xr.DataTree) -> dict[str, xr.Dataset]:
        """Statistics over problems by group name, to be stored under ``summary``."""
        ...
