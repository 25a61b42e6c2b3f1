"""Axes and legends in a theme, as every figure has them."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from ired_interp.experiments.base import Theme

__all__ = [
    "SMALL",
    "TEXT",
    "add_legend",
    "dress",
    "label_levels",
    "set_log_axis",
    "set_outlier_axis",
]

# Sizes of letters, in points.
SMALL, TEXT = 7.5, 8.5
# Values beyond this make an axis logarithmic.
_FAR = 5.0
# A logarithmic axis of a smaller ratio than the first has ticks at 1, 2 and 5 times powers of ten,
# of a smaller one than the second at round numbers.
_FEW_DECADES, _NO_DECADE = 50, 4


def dress(ax: Axes, theme: Theme) -> None:
    """Colours, a grid and two spines."""
    ax.set_facecolor("none")
    ax.grid(axis="y", color=theme.muted, alpha=0.25, linewidth=0.6)
    ax.set_axisbelow(True)
    ax.tick_params(which="both", colors=theme.ink, labelsize=SMALL, color=theme.muted)
    ax.tick_params(length=3)
    for side, spine in ax.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(theme.muted)


def set_outlier_axis(ax: Axes, drawn: Sequence[xr.DataArray]) -> str:
    """Make the y axis logarithmic beyond ±1 if values of order 1 have outliers.

    Args:
        ax: The panel; panels that share its axis follow.
        drawn: The values, NaN where there is none.

    Returns:
        What the axis's label must say of it.
    """
    if not any(bool(np.any(np.abs(values) > _FAR)) for values in drawn):
        return ""
    ax.set_yscale("symlog", linthresh=1.0)
    ax.yaxis.set_major_formatter(FuncFormatter(_plain))
    ax.yaxis.set_minor_locator(NullLocator())
    return ",  linear up to ±1, then logarithmic"


def set_log_axis(ax: Axes) -> None:
    """A logarithmic axis that is labelled even where it spans less than a decade.

    A panel where nothing was drawn stays as it is.
    """
    if not np.isfinite(ax.dataLim.minposy):
        return
    ax.set_yscale("log")
    low, high = ax.get_ylim()
    if high < _FEW_DECADES * low:
        wide = high > _NO_DECADE * low
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)) if wide else MaxNLocator(4))
        ax.yaxis.set_major_formatter(FuncFormatter(_plain))
    ax.yaxis.set_minor_locator(NullLocator())


def label_levels(
    ax: Axes, root: xr.Dataset, theme: Theme, *, sigma_every: int = 1, label: bool = True
) -> None:
    """Put the levels on the x axis, with σ under every so many of them."""
    levels, sigma = root["level"].values, root["sigma"].values
    names = [
        f"{level}\n{sigma[i]:.2f}" if i % sigma_every == 0 else f"{level}"
        for i, level in enumerate(levels)
    ]
    ax.set_xticks(levels, names)
    ax.set_xlim(levels[0] - 0.6, levels[-1] + 0.6)
    if label:
        ax.set_xlabel("level k, σ below it", fontsize=TEXT, color=theme.ink)


def add_legend(
    figure: Figure, handles: Sequence[Line2D | Patch], theme: Theme, *, columns: int | None = None
) -> None:
    """A row above the panels, or several of so many columns."""
    figure.legend(
        handles=list(handles),
        loc="outside upper left",
        ncols=columns or len(handles),
        frameon=False,
        fontsize=TEXT,
        labelcolor=theme.ink,
        handlelength=2.6,
    )


def _plain(value: float, _: int | None) -> str:
    return f"{value:g}".replace("-", "−")
