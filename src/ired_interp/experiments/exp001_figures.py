"""Figures of EXP-001: each draws what the results hold and computes nothing.

The statistics are in ``summary/model`` and, where the run has a control, ``summary/untrained``.
"""

import math
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from ired_interp.experiments.axes import (
    SMALL,
    TEXT,
    add_legend,
    dress,
    label_levels,
    set_log_axis,
    set_outlier_axis,
)
from ired_interp.experiments.base import FigureSpec, Theme
from ired_interp.experiments.exp001.measure import ALL
from ired_interp.experiments.exp001.summary import MEASURES, Measure
from ired_interp.experiments.exp001_cases import (
    ORDERS,
    WIDTH,
    Case,
    cases_of,
    legend,
    root_of,
    wanted_of,
)
from ired_interp.experiments.exp001_certified_figures import (
    CERTIFICATES,
    DENSITY,
    INDEX,
)
from ired_interp.experiments.exp001_interactive import interactive_spectra
from ired_interp.experiments.exp001_overlap_figures import OVERLAP_LEVELS, OVERLAP_PROBLEMS
from ired_interp.experiments.exp001_part_figures import CONTRIBUTIONS, PARTS
from ired_interp.experiments.exp001_posterior_figures import POSTERIOR
from ired_interp.experiments.exp001_vector_figures import EIGENVECTORS

__all__ = ["FIGURES"]

_COLUMNS = 5
# More eigenvalues than this are drawn as a line without markers.
_MARKED = 40
# With more levels than this in a narrow panel, σ stands under every third one.
_NARROW = 6


def draw_spectra(results: xr.DataTree, theme: Theme) -> Figure:
    """σλ of every eigenvalue, ascending, a panel a level."""
    cases, root = cases_of(results, theme), root_of(results)
    num_levels = root.sizes["level"]
    columns = min(num_levels, _COLUMNS)
    rows = math.ceil(num_levels / columns)
    width = max(4.5, WIDTH * columns / _COLUMNS)
    figure = Figure((width, 0.7 + 2.2 * rows + (1.0 if rows == 1 else 0)), layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flatten()
    number = root["eigen"].values + 1
    wanted = wanted_of(root)
    for i, ax in enumerate(panels):
        dress(ax, theme)
        if i >= num_levels:
            ax.set_visible(False)
            continue
        ax.axhline(0, color=theme.muted, linewidth=0.8)
        for columns_of_end in wanted.values():
            for case in cases:
                _draw_bands(ax, case, number, i, columns_of_end)
            _draw_ideal_spectrum(ax, root.isel(level=i, eigen=columns_of_end), theme)
        ax.set_title(_level_title(root, cases[0], i), fontsize=TEXT, color=theme.ink)
        ends = {1, number.size, *(columns_of_end.start + 1 for columns_of_end in wanted.values())}
        ax.set_xticks(sorted(ends | {(number.size + 1) // 2} if ALL in wanted else ends))
        if i + columns >= num_levels:
            ax.tick_params(labelbottom=True)
    label = "σλ" + set_outlier_axis(panels[0], [c.data["scaled_eigenvalues"] for c in cases])
    figure.supylabel(label, fontsize=TEXT, color=theme.ink)
    order = "eigenvalue, in ascending order"
    if ALL not in wanted:
        order = "eigenvalue: " + ", then ".join(ORDERS[end] for end in wanted)
    figure.supxlabel(order, fontsize=TEXT, color=theme.ink)
    legend(figure, cases, theme, _ideal_label(root, "ideal", "upper limit of any posterior, 1"))
    return figure


def draw_eigenvalues(results: xr.DataTree, theme: Theme) -> Figure:
    """The range of the raw eigenvalues λ at each level."""
    cases, root = cases_of(results, theme), root_of(results)
    figure = Figure((WIDTH, 4.0), layout="constrained")
    ax = figure.subplots()
    dress(ax, theme)
    levels, e = root["level"].values, root.sizes["eigen"]
    every = ALL in wanted_of(root)
    ax.axhline(0, color=theme.muted, linewidth=0.8)
    for case in cases:
        x = levels + case.shift
        spectrum = case.data["scaled_eigenvalues"] / case.data["sigma"]
        median = spectrum.sel(quantile=0.5)
        low, high = spectrum.isel(quantile=0).min("eigen"), spectrum.isel(quantile=-1).max("eigen")
        ax.vlines(x, low.values, high.values, color=case.color, linewidth=1.2)
        look: dict[str, Any] = {"color": case.color, "linestyle": "none", "marker": case.marker}
        if not every:
            for column in range(e):
                ax.plot(x, median.isel(eigen=column).values, markersize=3, **look)
            continue
        inner = (median.isel(eigen=e // 4).values, median.isel(eigen=3 * e // 4).values)
        ax.vlines(x, *inner, color=case.color, linewidth=5, alpha=0.45)
        ax.plot(x, median.isel(eigen=e // 2).values, markersize=4.5, **look)
    if _ideal_known(root):
        ideal_values = root["ideal_eigenvalues"]
        curves = [ideal_values.min("eigen").values, ideal_values.max("eigen").values]
    else:
        curves = [1 / root["sigma"].values]
    for curve in curves:
        ax.hlines(curve, levels - 0.38, levels + 0.38, color=theme.ideal, linewidth=1.3)
        ax.plot(levels, curve, color=theme.ideal, linewidth=0.8, linestyle=":")
    label_levels(ax, root, theme)
    label = "λ  (energy / y²)" + set_outlier_axis(
        ax, [case.data["scaled_eigenvalues"] for case in cases]
    )
    ax.set_ylabel(label, fontsize=TEXT, color=theme.ink)
    ideal = _ideal_label(root, "ideal", "upper limit 1/σ")
    legend(figure, cases, theme, ideal, joined=False, dash="-")
    return figure


def draw_measures(results: xr.DataTree, theme: Theme) -> Figure:
    """Every measure against level, with its interval."""
    cases, root = cases_of(results, theme), root_of(results)
    columns = 3
    rows = math.ceil(len(MEASURES) / columns)
    figure = Figure((WIDTH, 0.6 + 2.15 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True).flatten()
    every = 1 if root.sizes["level"] <= _NARROW else 3
    for measure, ax in zip(MEASURES, panels, strict=False):
        dress(ax, theme)
        _draw_ideal_measure(ax, root, measure, theme)
        for case in cases:
            _draw_measure(ax, case, measure)
        ax.set_title(measure.label, fontsize=TEXT, color=theme.ink, loc="left")
        ax.set_ylabel(_unit(root, measure), fontsize=SMALL, color=theme.muted)
        if measure.mean == "geometric":
            set_log_axis(ax)
        else:
            ax.ticklabel_format(axis="y", useOffset=False)
        if measure.name == "num_negative":
            top = max(1.0, ax.get_ylim()[1])
            ax.set_ylim(-0.04 * top, top)
        label_levels(ax, root, theme, sigma_every=every, label=ax in panels[-columns:])
    known = "ideal" if _determined(root) else "ideal, or its upper limit 1"
    legend(figure, cases, theme, _ideal_label(root, known, "upper limit of any posterior, 1"))
    return figure


def draw_residuals(results: xr.DataTree, theme: Theme) -> Figure:
    """The largest and the median residual at each level."""
    cases, root = cases_of(results, theme), root_of(results)
    figure = Figure((WIDTH, 3.4), layout="constrained")
    ax = figure.subplots()
    dress(ax, theme)
    levels = root["level"].values
    handles = []
    for case in cases:
        x = levels + case.shift
        largest, median = (case.data[f"{name}_residual"].values for name in ("largest", "median"))
        ax.vlines(x, median, largest, color=case.color, linewidth=1)
        for name, values, fill in (("largest", largest, case.color), ("median", median, "none")):
            look: dict[str, Any] = {
                "color": case.color,
                "marker": case.marker,
                "markersize": 5.5,
                "markerfacecolor": fill,
                "linestyle": "none",
            }
            ax.plot(x, values, **look)
            handles.append(Line2D([], [], label=f"{case.label}, {name}", **look))
    epsilon = float(np.finfo(root["eigenvalues"].dtype).eps)
    ax.axhline(epsilon, color=theme.ideal, linewidth=1.2, linestyle=":")
    ax.annotate(
        f"round-off of {root['eigenvalues'].dtype}, ε",
        (0.995, epsilon),
        (0, -4),
        xycoords=ax.get_yaxis_transform(),
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize=SMALL,
        color=theme.ink,
    )
    ax.set_yscale("log")
    low, high = ax.get_ylim()
    ax.set_ylim(min(low, epsilon / 10), max(high, epsilon * 100))
    ax.yaxis.set_minor_locator(NullLocator())
    label_levels(ax, root, theme)
    ax.set_ylabel("‖Hv − λv‖ / max|λ|", fontsize=TEXT, color=theme.ink)
    add_legend(figure, handles, theme)
    return figure


def _ideal_known(root: xr.Dataset) -> bool:
    return bool(root["ideal_eigenvalues"].notnull().all())


def _determined(root: xr.Dataset) -> bool:
    return any(measure.ideal_of(root) is not None for measure in MEASURES)


def _ideal_label(root: xr.Dataset, known: str, unknown: str) -> str:
    return known if _ideal_known(root) else f"{unknown} (ideal not known)"


def _level_title(root: xr.Dataset, case: Case, i: int) -> str:
    level, sigma = int(root["level"][i]), float(root["sigma"][i])
    title = f"k = {level},  σ = {sigma:.2f}"
    count = int(case.data["gradient_norm"].sel(statistic="count")[i])
    return title if count == root.sizes["problem"] else f"{title}\n{count} points found"


def _draw_bands(ax: Axes, case: Case, numbers: Any, i: int, columns: slice) -> None:
    here = case.data["scaled_eigenvalues"].isel(level=i, eigen=columns)
    number = numbers[columns]
    for low, high, alpha in ((0.05, 0.95, 0.18), (0.25, 0.75, 0.32)):
        bottom, top = (here.sel(quantile=q).values for q in (low, high))
        ax.fill_between(number, bottom, top, color=case.color, alpha=alpha, linewidth=0)
    marker = case.marker if number.size <= _MARKED else ""
    ax.plot(
        number,
        here.sel(quantile=0.5).values,
        case.line,
        color=case.color,
        linewidth=1.3,
        marker=marker,
        markersize=2.6,
    )


def _draw_ideal_spectrum(ax: Axes, here: xr.Dataset, theme: Theme) -> None:
    number = here["eigen"].values + 1
    if not _ideal_known(here):
        ax.axhline(1, color=theme.ideal, linewidth=1.2, linestyle=":")
        return
    scaled = (here["ideal_eigenvalues"] * here["sigma"]).values
    ends = ([number[0] - 0.5], number, [number[-1] + 0.5])
    steps = ([scaled[0]], scaled, [scaled[-1]])
    ax.plot(
        np.concatenate(ends),
        np.concatenate(steps),
        color=theme.ideal,
        linewidth=1.2,
        linestyle=":",
    )


def _draw_ideal_measure(ax: Axes, root: xr.Dataset, measure: Measure, theme: Theme) -> None:
    constant = measure.ideal_of(root)
    ends = ("smallest_scaled_eigenvalue", "largest_scaled_eigenvalue")
    if constant is not None:
        ax.axhline(constant, color=theme.ideal, linewidth=1.2, linestyle=":")
    elif measure.name in ends and _ideal_known(root):
        at = root["ideal_eigenvalues"] * root["sigma"]
        end = at.min("eigen") if measure.name == "smallest_scaled_eigenvalue" else at.max("eigen")
        ax.plot(root["level"].values, end.values, color=theme.ideal, linewidth=1.2, linestyle=":")
    elif measure.name.endswith("scaled_eigenvalue"):
        ax.axhline(1, color=theme.ideal, linewidth=1.2, linestyle=":")


def _draw_measure(ax: Axes, case: Case, measure: Measure) -> None:
    data = case.data[measure.name]
    x, mean = data["level"].values + case.shift / 2, data.sel(statistic="mean").values
    low, high = (data.sel(statistic=end).values for end in ("low", "high"))
    ax.fill_between(x, low, high, color=case.color, alpha=0.22, linewidth=0)
    ax.vlines(x, low, high, color=case.color, linewidth=1)
    ax.plot(x, mean, case.line, color=case.color, linewidth=1.3, marker=case.marker, markersize=3.4)


def _unit(root: xr.Dataset, measure: Measure) -> str:
    unit = str(root[measure.name].attrs["units"])
    if unit == "eigenvalues":
        return f"of {root.sizes['y_dim']}"
    return "" if unit == "1" else unit.replace("^2", "²")


FIGURES = (
    FigureSpec(
        "spectra",
        "The spectrum of the Hessian, level by level",
        "One panel a level, from the noisiest (k = 1) to the sharpest. Each holds σλ of every "
        "eigenvalue, in ascending order: the line is the median over problems, the dark band "
        "their middle 50\u00a0%, the light band the middle 90\u00a0%; the control's are over "
        "problems and draws of weights. Where the answer is determined the ideal is a flat line "
        "at 1. Values between 0 and 1 read as uncertainty, below 0 the landscape bends the wrong "
        "way, and above 1 is always model error.",
        draw_spectra,
        colors="theme",
        interactive_fn=interactive_spectra,
    ),
    EIGENVECTORS,
    FigureSpec(
        "eigenvalues",
        "The raw eigenvalues, and the curve they should follow",
        "λ itself, in energy / y². The thin bar reaches from the smallest eigenvalue (its 5\u00a0% "
        "quantile over problems) to the largest (its 95\u00a0% quantile), the thick bar spans the "
        "middle half of the spectrum and the mark is the middle eigenvalue (medians over "
        "problems). In the ideal landscape of a determined answer all of them are 1/σ: the "
        "sharper the level, the stronger the curvature.",
        draw_eigenvalues,
        colors="theme",
    ),
    DENSITY,
    FigureSpec(
        "measures",
        "What sums the spectrum up",
        "Means over problems with 95\u00a0% bootstrap intervals (bars and band). The problem "
        "is the unit of replication: its draws of untrained weights are averaged first. "
        "Condition numbers and the gradient's length span decades: their mean is geometric and "
        "their axis logarithmic. With one problem there is no interval.",
        draw_measures,
        colors="theme",
    ),
    INDEX,
    POSTERIOR,
    PARTS,
    CONTRIBUTIONS,
    OVERLAP_LEVELS,
    OVERLAP_PROBLEMS,
    FigureSpec(
        "residuals",
        "The error of every eigenvalue",
        "Each eigenpair comes with its residual ‖Hv − λv‖: an eigenvalue of the computed H lies "
        "within that distance of λ. Shown as a share of the largest |λ| at the same point: the "
        "largest over all eigenvalues of all problems (filled) and their median (hollow). A run "
        "stops if one exceeds 10⁻⁸ in float64 or 10⁻⁵ in float32.",
        draw_residuals,
        colors="theme",
    ),
    CERTIFICATES,
)
