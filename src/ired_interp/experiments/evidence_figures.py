"""The figure of a verdict: effect, null and control of each problem, as the results hold them."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ired_interp.experiments.axes import SMALL, TEXT, dress
from ired_interp.experiments.base import FigureSpec, Theme
from ired_interp.experiments.verdict_data import VERDICTS, StoredVerdict, read_verdicts
from ired_interp.stats import FloatArray, Interval

__all__ = ["evidence_figures"]

# In inches: of the figure, of a row, of all that is above and below the rows, and of the margins.
_WIDTH, _ROW, _FRAME = 4.0, 0.42, 0.7
_BELOW, _LEFT, _RIGHT = 0.46, 0.62, 0.12
_CAPTION = (
    "A dot is a problem, the bar its mean with the interval; the dashed line is the null, what the "
    "effect would be if there were nothing (its mean where it differs by problem). The arrow "
    "points to the side that supports the statement."
)


def evidence_figures(results: xr.DataTree) -> list[FigureSpec]:
    """A figure a verdict that has an effect: ``evidence-<id>``."""
    return [
        FigureSpec(
            f"evidence-{one.verdict.id}",
            f"Effect by problem: {one.verdict.id}",
            _CAPTION,
            partial(_draw, name=one.verdict.id),
            needs=(f"{VERDICTS}/effect",),
            colors="theme",
        )
        for one in read_verdicts(results)
        if one.verdict.num_problems
    ]


def _draw(results: xr.DataTree, theme: Theme, *, name: str) -> Figure:
    data = results[VERDICTS].to_dataset().sel(hypothesis=name)
    one = next(one for one in read_verdicts(results) if one.verdict.id == name)
    verdict = one.verdict
    cases: list[tuple[str, FloatArray, Interval, str, str]] = [
        ("effect", data["effect"].values, verdict.estimate, theme.model, "o")
    ]
    if verdict.control is not None:
        control = data["effect_control"].values
        cases.append(("control", control, verdict.control, theme.control, "s"))
    height = _FRAME + _ROW * len(cases)
    figure = Figure((_WIDTH, height))
    # The frame is the same in all of them: nothing has to be laid out, which takes its time.
    low, rest = _BELOW / height, (_FRAME - 0.02) / height
    ax = figure.add_axes((_LEFT / _WIDTH, low, 1 - (_LEFT + _RIGHT) / _WIDTH, 1 - rest))
    dress(ax, theme)
    ax.grid(visible=False)
    ax.grid(axis="x", color=theme.muted, alpha=0.25, linewidth=0.6)
    ax.axvline(verdict.null, color=theme.ideal, linestyle="--", linewidth=1.2)
    for place, (_, values, interval, color, marker) in enumerate(cases):
        _draw_case(ax, values, interval, len(cases) - 1 - place, color, marker)
    ax.set_yticks(range(len(cases)), [label for label, *_ in reversed(cases)], color=theme.ink)
    ax.tick_params(axis="y", labelsize=TEXT, length=0)
    ax.set_ylim(-0.6, len(cases) - 0.4)
    _frame(ax, [verdict.null, *(values for _, values, *_ in cases)])
    ax.annotate(
        "null",
        (verdict.null, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(0, 2),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=SMALL,
        color=theme.ink,
    )
    ax.set_xlabel(_label(one), fontsize=SMALL, color=theme.ink)
    return figure


def _draw_case(
    ax: Axes, values: FloatArray, interval: Interval, row: int, color: str, marker: str
) -> None:
    finite = values[np.isfinite(values)]
    # Apart in an order that no random number decides.
    shift = 0.16 * np.sin(2.4 * np.arange(finite.size))
    ax.plot(
        finite,
        row + shift,
        linestyle="none",
        marker=marker,
        markersize=3.2,
        markerfacecolor="none",
        markeredgecolor=color,
        markeredgewidth=0.7,
        alpha=0.75,
    )
    if np.isfinite(interval.low) and np.isfinite(interval.high):
        ax.plot([interval.low, interval.high], [row, row], color=color, linewidth=3.4, alpha=0.9)
    if np.isfinite(interval.mean):
        ax.plot([interval.mean], [row], marker="|", markersize=15, color=color, markeredgewidth=2.2)


def _frame(ax: Axes, drawn: Sequence[float | FloatArray]) -> None:
    flat = np.concatenate([np.ravel(values) for values in drawn])
    finite = flat[np.isfinite(flat)]
    low, high = float(finite.min()), float(finite.max())
    margin = 0.06 * (high - low) or max(abs(high), 1.0) * 0.06
    ax.set_xlim(low - margin, high + margin)


def _label(one: StoredVerdict) -> str:
    unit = "" if one.unit in ("", "1") else f", {one.unit}"
    return (
        f"effect{unit}     supports →"
        if one.direction == "greater"
        else f"← supports     effect{unit}"
    )
