"""What a browser draws of the numbers of a figure, and what its reader can choose there.

An `Interactive` is data for plotly.js, drawn in the reader's browser: what all its pictures share,
and what changes from one to the next. Colours are those of `PAGE`, names of the page's own
variables, so that the picture follows the theme of the page as the drawing beside it does.
"""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ired_interp.errors import ExperimentError
from ired_interp.experiments.base import Theme

__all__ = ["PAGE", "Interactive", "axis", "grid", "label", "rounded", "themed"]

PAGE = Theme(
    name="page",
    ink="var(--fig-ink)",
    muted="var(--fig-muted)",
    model="var(--fig-model)",
    control="var(--fig-control)",
    ideal="var(--fig-ideal)",
)
"""The colours of the page that the picture stands on."""

_DIGITS = 4
_MOST_SHOWN = 60  # letters of a value in a message
# Of a grid's range: what is left of a number is far less than what a colour shows.
_STEPS = 4000

Change = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Interactive:
    """Pictures of a figure, one for each choice from a list and each place of a slider.

    Attributes:
        caption: What it shows that the drawing does not, and how to read it.
        slider: What the slider chooses, such as ``level k``.
        positions: What each of its places is, such as ``k = 3, σ = 0.95``.
        choice: What the list chooses; empty where there is none.
        choices: What it offers; a single one is not shown.
        traces: What plotly draws, without what changes.
        values: What is put into each trace, by choice, place of the slider and trace.
        layout: Of the picture, without what changes.
        changes: What is put into the layout, by choice and place of the slider; empty for nothing.
    """

    caption: str
    slider: str
    positions: Sequence[str]
    choice: str = ""
    choices: Sequence[str] = ("",)
    traces: Sequence[Change]
    values: Sequence[Sequence[Sequence[Change]]]
    layout: Change
    changes: Sequence[Sequence[Change]] = field(default=())

    def __post_init__(self) -> None:
        """Check that there is a picture for each choice and place, of what plotly can draw.

        Raises:
            ExperimentError: There is not.
        """
        for name in ("caption", "slider", "choice"):
            self._check(isinstance(getattr(self, name), str), name, "text", getattr(self, name))
        for name in ("positions", "choices"):
            given = getattr(self, name)
            sound = _is_row(given) and len(given) > 0 and all(isinstance(one, str) for one in given)
            self._check(sound, name, "texts, at least one", given)
        self._check(isinstance(self.layout, Mapping), "layout", "a mapping", self.layout)
        self._check(_is_row(self.traces), "traces", "a sequence of mappings", self.traces)
        for trace in self.traces:
            sound = isinstance(trace, Mapping) and isinstance(trace.get("type"), str)
            self._check(sound, "traces", "mappings with plotly's type", trace)
        shape = (len(self.choices), len(self.positions))
        self._check_shape("values", self.values, (*shape, len(self.traces)))
        if len(self.changes):
            self._check_shape("changes", self.changes, shape)
        for choice in self.values:
            for place in choice:
                for trace, own in zip(self.traces, place, strict=True):
                    self._check_lengths({**trace, **own})

    def _check(self, sound: bool, name: str, expected: str, found: Any) -> None:  # noqa: FBT001
        if not sound:
            raise ExperimentError(
                f"interactive figure: {name}: expected {expected}, found {_described(found)}."
            )

    def _check_shape(self, name: str, table: Any, expected: tuple[int, ...]) -> None:
        axes = " × ".join(("choices", "positions", "traces")[: len(expected)])
        found = _shape(table, len(expected))
        if found != expected:
            raise ExperimentError(
                f"interactive figure by {self.slider}: expected {name} for {axes} = {expected}, "
                f"mappings all, found {_told(found)}; give each its own, {{}} where it has none."
            )

    def _check_lengths(self, trace: Change) -> None:
        lengths = {key: len(trace[key]) for key in ("x", "y") if _is_row(trace.get(key))}
        if trace["type"] == "scatter" and len(set(lengths.values())) > 1:
            raise ExperimentError(
                f"interactive figure by {self.slider}: trace {trace.get('name', '')!r}: expected x "
                f"and y of one length, found {lengths['x']} and {lengths['y']}."
            )


def _is_row(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _shape(table: Any, depth: int) -> tuple[int, ...] | str:
    """Of nested sequences of mappings; in words where it is none."""
    if depth == 0:
        return () if isinstance(table, Mapping) else f"{_described(table)} for a mapping"
    if not _is_row(table):
        return f"{_described(table)} for a sequence"
    shapes = [_shape(one, depth - 1) for one in table]
    wrong = next((one for one in shapes if isinstance(one, str)), None)
    if wrong is not None:
        return wrong
    if len(set(shapes)) > 1:
        return f"rows of {' and '.join(sorted({_told(one) for one in shapes}))}"
    return (len(table), *(shapes[0] if shapes else ()))


def _told(shape: tuple[int, ...] | str) -> str:
    return shape if isinstance(shape, str) else str(shape)


def _described(value: Any) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text[:_MOST_SHOWN]}{'…' * (len(text) > _MOST_SHOWN)}"


def label(text: str) -> str:
    """Text as plotly takes it, which reads some tags."""
    return html.escape(text, quote=False)


def rounded(values: npt.ArrayLike) -> Any:
    """Nested lists of numbers of four digits, None where there is none: JSON has no NaN."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 0:
        number = float(array)
        return float(f"{number:.{_DIGITS}g}") if np.isfinite(number) else None
    return [rounded(one) for one in array]


def grid(values: npt.NDArray[np.floating[Any]]) -> dict[str, Any]:
    """A smooth table in few bytes: whole steps of 1/4000 of its range, differenced both ways.

    Returns:
        ``low`` + ``step`` times the sums of ``differences`` along both axes is the table, to half
        a step; ``differences`` is None where a number is missing.
    """
    table = np.asarray(values, dtype=np.float64)
    if not np.isfinite(table).all():
        return {"low": 0.0, "step": 0.0, "differences": None}
    low, high = float(table.min()), float(table.max())
    step = (high - low) / _STEPS or 1.0
    steps = np.rint((table - low) / step).astype(np.int64)
    once = np.diff(steps, axis=1, prepend=0)
    return {"low": low, "step": step, "differences": np.diff(once, axis=0, prepend=0).tolist()}


def themed(light: Any, dark: Any) -> dict[str, Any]:
    """What is one thing on a light page and another on a dark one."""
    return {"light": light, "dark": dark}


def axis(title: str, **more: Any) -> dict[str, Any]:
    """An axis in the colours of the page."""
    return {
        "title": {"text": title, "standoff": 8, "font": {"size": 13}},
        "color": PAGE.ink,
        "gridcolor": "var(--rule)",
        "zerolinecolor": PAGE.muted,
        "automargin": True,
        "exponentformat": "power",
    } | more
