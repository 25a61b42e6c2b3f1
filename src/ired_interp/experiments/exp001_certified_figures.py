"""Figures of EXP-001 on what is certain: error bounds, the index, and the density by level."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullLocator, PercentFormatter
from xarray import Dataset, DataTree

from ired_interp.experiments.axes import SMALL, TEXT, add_legend, dress, label_levels
from ired_interp.experiments.base import FigureSpec, Theme
from ired_interp.experiments.exp001_cases import WIDTH, Case, cases_of, legend, root_of

__all__ = ["CERTIFICATES", "DENSITY", "INDEX"]

_NARROW = 6
# Inches a level's ridge, and the height of the tallest in levels.
_RIDGE, _TALLEST = 0.45, 1.3


def draw_certificates(results: DataTree, theme: Theme) -> Figure:
    """Certified radii of the eigenvalues, and the share that stands in clusters."""
    cases, root = cases_of(results, theme), root_of(results)
    figure = Figure((WIDTH, 3.7), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(2, 1))
    levels, handles = root["level"].values, []
    for ax in (left, right):
        dress(ax, theme)
    for case in cases:
        x = levels + case.shift
        largest, median = (case.data[f"{kind}_radius"].values for kind in ("largest", "median"))
        left.vlines(x, median, largest, color=case.color, linewidth=1)
        for kind, values, fill in (("largest", largest, case.color), ("median", median, "none")):
            look: dict[str, Any] = {
                "color": case.color,
                "marker": case.marker,
                "markersize": 5.5,
                "markerfacecolor": fill,
                "linestyle": "none",
            }
            left.plot(x, values, **look)
            handles.append(Line2D([], [], label=f"{case.label}, {kind}", **look))
        right.plot(
            x,
            case.data["clustered_share"].values,
            case.line,
            color=case.color,
            linewidth=1.3,
            marker=case.marker,
            markersize=4,
        )
    epsilon = float(np.finfo(root["eigenvalues"].dtype).eps)
    left.axhline(epsilon, color=theme.ideal, linewidth=1.2, linestyle=":")
    left.set_yscale("log")
    low, high = left.get_ylim()
    left.set_ylim(min(low, epsilon / 10), max(high, epsilon * 100))
    left.yaxis.set_minor_locator(NullLocator())
    left.set_ylabel("radius / max|λ|", fontsize=TEXT, color=theme.ink)
    name = f"round-off of {root['eigenvalues'].dtype}, ε"
    handles.append(Line2D([], [], color=theme.ideal, linewidth=1.2, linestyle=":", label=name))
    right.set_ylim(-0.04, 1.04)
    right.yaxis.set_major_formatter(PercentFormatter(1.0))
    right.set_title("eigenvalues in clusters", fontsize=TEXT, color=theme.ink, loc="left")
    left.set_title("certified radius", fontsize=TEXT, color=theme.ink, loc="left")
    label_levels(left, root, theme)
    label_levels(right, root, theme, sigma_every=_every(root))
    add_legend(figure, handles, theme, columns=3)
    return figure


def draw_index(results: DataTree, theme: Theme) -> Figure:
    """The Morse index at each level: its range over points and the mean of its bounds."""
    cases, root = cases_of(results, theme), root_of(results)
    figure = Figure((WIDTH, 3.2), layout="constrained")
    ax = figure.subplots()
    dress(ax, theme)
    levels, d = root["level"].values, root.sizes["y_dim"]
    tallest = 1.0
    for case in cases:
        x, data = levels + case.shift, case.data
        least, most = data["index_least"].values, data["index_most"].values
        low, high = (data[name].sel(statistic="mean").values for name in _BOUNDS)
        ax.vlines(x, least, most, color=case.color, linewidth=1)
        ax.vlines(x, low, high, color=case.color, linewidth=5, alpha=0.45)
        certain = data["index_certain"].values
        for i, share in enumerate(certain):
            fill = case.color if share == 1 else "none"
            for end in (low, high):
                look: dict[str, Any] = {"markerfacecolor": fill, "markersize": 5}
                ax.plot(x[i], end[i], case.marker, color=case.color, **look)
            if share < 1:
                ax.annotate(
                    f"{share:.0%}",
                    (x[i], most[i]),
                    (0, 4),
                    textcoords="offset points",
                    ha="center",
                    fontsize=SMALL,
                    color=case.color,
                )
        tallest = max(tallest, float(np.nanmax(most, initial=0)))
    ax.axhline(0, color=theme.ideal, linewidth=1.2, linestyle=":")
    ax.set_ylim(-0.05 * tallest, 1.12 * tallest)
    ax.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.set_ylabel(f"negative eigenvalues, of {d}", fontsize=TEXT, color=theme.ink)
    label_levels(ax, root, theme)
    legend(figure, cases, theme, "ideal of a determined answer, 0", joined=False)
    return figure


def draw_density(results: DataTree, theme: Theme) -> Figure:
    """The density of σλ: a ridge a level, the model beside its control."""
    cases, root = cases_of(results, theme), root_of(results)
    num_levels = root.sizes["level"]
    size = (WIDTH, 1.0 + max(2.0, _RIDGE * num_levels))
    figure = Figure(size, layout="constrained")
    panels = figure.subplots(1, len(cases), squeeze=False, sharey=True)[0]
    for ax, case in zip(panels, cases, strict=True):
        dress(ax, theme)
        peak = float(np.nanmax(case.data["density"].values, initial=0)) or 1.0
        for i in range(num_levels):
            _draw_ridge(ax, case, i, _TALLEST / peak)
        low, high = ax.get_xlim()
        if low < 1 < high or case.label == "model":
            ax.axvline(1, color=theme.ideal, linewidth=1.2, linestyle=":")
        ax.set_title(case.label, fontsize=TEXT, color=case.color, loc="left")
        ax.set_xlabel("σλ", fontsize=TEXT, color=theme.ink)
        ax.ticklabel_format(axis="x", style="sci", scilimits=(-3, 4), useOffset=False)
        ax.xaxis.get_offset_text().set(color=theme.ink, fontsize=SMALL)
        ax.xaxis.set_major_locator(MaxNLocator(6))
    levels, sigma = root["level"].values, root["sigma"].values
    names = [f"{level}   {noise:.2f}" for level, noise in zip(levels, sigma, strict=True)]
    panels[0].set_yticks(-np.arange(num_levels), names)
    panels[0].set_ylim(0.25 - num_levels, 1.1 * _TALLEST)
    panels[0].set_ylabel("level k,  σ", fontsize=TEXT, color=theme.ink)
    dotted = Line2D([], [], color=theme.ideal, linewidth=1.2, linestyle=":", label="σλ = 1")
    add_legend(figure, [dotted], theme)
    return figure


_BOUNDS = ("index_low", "index_high")


def _draw_ridge(ax: Axes, case: Case, i: int, scale: float) -> None:
    here = case.data.isel(level=i)
    grid, density, error = (
        here[name].values for name in ("density_grid", "density", "density_error")
    )
    if not np.isfinite(density).any():
        return
    look: dict[str, Any] = {"color": case.color, "linewidth": 0}
    ax.fill_between(grid, -i, scale * density - i, alpha=0.25, **look)
    low, high = np.maximum(density - 2 * error, 0), density + 2 * error
    ax.fill_between(grid, scale * low - i, scale * high - i, alpha=0.3, **look)
    ax.plot(grid, scale * density - i, color=case.color, linewidth=1.1)


def _every(root: Dataset) -> int:
    return 1 if root.sizes["level"] <= _NARROW else 3


CERTIFICATES = FigureSpec(
    "certificates",
    "What is certain about the eigenvalues",
    "Left: the certified radius of each eigenvalue, as a share of the largest |λ| at the same "
    "point. An eigenvalue of the true Hessian lies within that distance; unlike the residual it "
    "counts the round-off of the Hessian itself, which is measured. Shown are the largest over all "
    "eigenvalues of all problems (filled) and the median (hollow). Right: the share of eigenvalues "
    "whose intervals overlap a neighbour’s. Their values are as certain as the others, their "
    "eigenvectors are not: only the span of a cluster means anything. A radius says nothing on how "
    "the eigenvalue would move with another point, problem or training.",
    draw_certificates,
    needs=("summary/model/largest_radius", "summary/model/clustered_share"),
    colors="theme",
)

INDEX = FigureSpec(
    "index",
    "The Morse index: in how many directions the landscape bends down",
    "How many eigenvalues are negative, with certainty. The thin bar reaches from the least that "
    "any point can have to the most, the thick bar joins the means of the two bounds over "
    "problems. A filled mark says that the index is certain at every point; a hollow one that it "
    "is not, with the share of points where it is. Away from a stationary point the count depends "
    "on the point; read it as the number of saddle directions at a minimum only. Small networks "
    "of random weights have eigenvalues near 0 of either sign: a count says nothing on size.",
    draw_index,
    needs=("summary/model/index_least", "summary/model/index_certain"),
    colors="theme",
)

DENSITY = FigureSpec(
    "density",
    "The density of σλ, level by level",
    "Where the eigenvalues lie: a Gaussian of area 1/d at each, averaged over problems; the band "
    "is two standard errors over problems to either side. Every ridge has the area 1. The "
    "Gaussians’ width is 1/51 of the range of the level’s eigenvalues, for each case by itself "
    "(density_width): no finer structure can be seen, and a single outlier widens it. Compare "
    "positions, not heights; the panels of model and control have scales of their own. Problems "
    "differ, so a wide ridge can be many narrow spectra: the figure of the sorted spectra tells.",
    draw_density,
    needs=("summary/model/density",),
    colors="theme",
)
