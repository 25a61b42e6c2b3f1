"""The figure of EXP-001 on the posterior: claimed variances against actual squared errors."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from xarray import Dataset, DataTree

from ired_interp.experiments.axes import SMALL, TEXT, dress
from ired_interp.experiments.base import FigureSpec, Theme
from ired_interp.experiments.exp001_cases import WIDTH, Case, cases_of, legend, root_of

__all__ = ["POSTERIOR"]

_COLUMNS, _ROW = 5, 2.05
# Both axes are linear up to this and logarithmic beyond, on both sides of 0.
_LINEAR = 1e-3
_DIAGONAL = (-1.0, -1e-1, -1e-2, -1e-3, 0.0, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
_TICKS = (-1.0, -1e-2, 0.0, 1e-2, 1.0)
_LOWEST = -5e-4  # no squared error is below 0
_MANY = 100


def draw_posterior(results: DataTree, theme: Theme) -> Figure:
    """A panel a level: one mark a bin of entries, the diagonal where claims are kept."""
    cases, root = cases_of(results, theme), root_of(results)
    levels = root["level"].values
    columns = min(_COLUMNS, len(levels))
    rows = -(-len(levels) // columns)
    figure = Figure((max(WIDTH * columns / _COLUMNS, 4), 0.9 + _ROW * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).flat
    highest = [
        float(case.data["actual_error"].sel(statistic=["mean", "high"]).max()) for case in cases
    ]
    top = 2 * max([value for value in highest if np.isfinite(value)], default=1.0)
    for ax, level in zip(panels, levels, strict=False):
        dress(ax, theme)
        here = [case.data.sel(level=level) for case in cases]
        title = f"k = {level},  σ²/s² = {_plain(float(here[0]['amplification']))}"
        ax.set_title(title, fontsize=TEXT, color=theme.ink, loc="left")
        if int(here[0]["posterior_determined"]):
            ax.plot(_DIAGONAL, _DIAGONAL, color=theme.ideal, linestyle=":", linewidth=1.3)
            for case, data in zip(cases, here, strict=True):
                _draw_bins(ax, case, data)
        else:
            ax.text(
                0.5,
                0.5,
                "not determined",
                transform=ax.transAxes,
                ha="center",
                color=theme.ink,
                fontsize=TEXT,
            )
        _set_axes(ax, top)
    for ax in figure.axes[len(levels) :]:
        ax.set_visible(False)
    figure.supxlabel("claimed variance / (σ²/s²)", fontsize=TEXT, color=theme.ink)
    figure.supylabel("actual squared error / (σ²/s²)", fontsize=TEXT, color=theme.ink)
    legend(figure, cases, theme, "claims kept")
    return figure


def _draw_bins(ax: Axes, case: Case, data: Dataset) -> None:
    claimed, actual = data["claimed_variance"], data["actual_error"]
    x, y = (values.sel(statistic="mean").values for values in (claimed, actual))
    low, high = (actual.sel(statistic=end).values for end in ("low", "high"))
    ax.vlines(x, low, high, color=case.color, linewidth=1)
    order = np.argsort(x)
    ax.plot(
        x[order],
        y[order],
        case.line,
        color=case.color,
        linewidth=1,
        marker=case.marker,
        markersize=3.4,
    )
    entries = data["bin_entries"].values
    count = f"{entries.min()}" if entries.min() == entries.max() else f"≤ {entries.max()}"
    above = 0.93 if case.marker == "o" else 0.83
    ax.text(0.04, above, f"n = {count}", transform=ax.transAxes, color=case.color, fontsize=SMALL)


def _set_axes(ax: Axes, top: float) -> None:
    for axis, set_scale in ((ax.xaxis, ax.set_xscale), (ax.yaxis, ax.set_yscale)):
        set_scale("symlog", linthresh=_LINEAR)
        axis.set_major_locator(FixedLocator(_TICKS))
        axis.set_major_formatter(FuncFormatter(lambda value, _: _plain(value)))
        axis.set_minor_locator(NullLocator())
    ax.set_ylim(_LOWEST, top)


def _plain(value: float) -> str:
    text = f"{value:.3g}" if abs(value) < _MANY else f"{value:,.0f}"
    return text.replace("-", "−")


POSTERIOR = FigureSpec(
    "posterior",
    "What the landscape claims to be unsure of, and how wrong it is",
    "At typical points the ideal landscape carries the answer’s posterior: its mean is "
    "(y − σ∇E)/s, its covariance (σ²/s²)(I − σH). One panel a level. The entries of all answers "
    "are put into eight bins by the variance that is claimed for them; n is how many a bin holds. "
    "A mark is a bin: across, the mean claim; up, the mean squared error that these entries have, "
    "with a 95\u00a0% bootstrap interval over problems. On the dotted diagonal claims are kept; "
    "above it the landscape is too sure, left of 0 it claims a variance that no posterior has. "
    "Both are divided by σ²/s², the variance of the noise, and drawn linear up to ±0.001, "
    "logarithmic beyond. Where x determines the answer the ideal is the point (0, 0). Levels "
    "where σ²/s² multiplies any error of the curvature beyond use are not determined.",
    draw_posterior,
    needs=("summary/model/claimed_variance",),
    colors="theme",
)
