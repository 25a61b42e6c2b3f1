"""Figures of EXP-005: shares, curvatures and extremes of tangent and normal directions."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from xarray import DataArray, Dataset, DataTree

from ired_interp.experiments.axes import (
    TEXT,
    add_legend,
    dress,
    label_levels,
    set_outlier_axis,
)
from ired_interp.experiments.base import FigureSpec, Theme
from ired_interp.experiments.exp001_cases import WIDTH
from ired_interp.experiments.exp005.measure import BASE, PLACES, TYPICAL
from ired_interp.experiments.exp005_interactive import PLACE_WORDS, interactive_curvatures

__all__ = ["FIGURES"]

_ROW = 2.1


def _cases(results: DataTree, theme: Theme) -> list[tuple[str, Dataset, str, str, float]]:
    """Label, summary, colour, marker and shift of each case."""
    looks = (
        ("random", "random splits", theme.muted, "^", 0.22),
        ("untrained", "untrained weights", theme.control, "s", 0.11),
        ("model", "model", theme.model, "o", 0.0),
    )
    groups = results["summary"].children
    return [
        (label, groups[name].to_dataset().sortby("level"), color, marker, shift)
        for name, label, color, marker, shift in looks
        if name in groups
    ]


def _grid(results: DataTree, columns: int, rows: int) -> tuple[Figure, list[list[Axes]], Dataset]:
    figure = Figure((WIDTH, 0.9 + _ROW * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey="row")
    return figure, [list(row) for row in panels], results.to_dataset().sortby("level")


def _draw(
    ax: Axes,
    values: DataArray,
    color: str,
    marker: str,
    shift: float,
    *,
    filled: bool = True,
    line: Literal["-", "--", ":"] = "-",
) -> None:
    """Means with their intervals, by level."""
    levels = values["level"].values + shift
    mean, low, high = (values.sel(statistic=s).values for s in ("mean", "low", "high"))
    ax.plot(
        levels,
        mean,
        color=color,
        marker=marker,
        markersize=4,
        linewidth=1.2,
        linestyle=line,
        markerfacecolor=color if filled else "none",
    )
    ax.vlines(levels, low, high, color=color, linewidth=1)


def _finish(
    figure: Figure, panels: Sequence[Sequence[Axes]], root: Dataset, theme: Theme, label: str
) -> None:
    for row in panels:
        note = set_outlier_axis(row[0], [_drawn(ax) for ax in row])
        row[0].set_ylabel(f"{label}{note}", fontsize=TEXT, color=theme.ink)
        for ax in row:
            label_levels(ax, root, theme, sigma_every=3, label=row is panels[-1])
    figure.align_ylabels([row[0] for row in panels])


def _drawn(ax: Axes) -> DataArray:
    heights = [np.asarray(line.get_ydata(), dtype=np.float64) for line in ax.lines]
    return DataArray(np.concatenate(heights)).fillna(0)


def _draw_share(results: DataTree, theme: Theme, variable: str, null: float, label: str) -> Figure:
    """One variable at all places in all splits, beside its controls."""
    cases = _cases(results, theme)
    spaces = [str(name) for name in results.coords["space"].values]
    figure, panels, root = _grid(results, len(PLACES), len(spaces))
    for row, space in zip(panels, spaces, strict=True):
        for ax, place in zip(row, PLACES, strict=True):
            dress(ax, theme)
            ax.axhline(null, color=theme.ideal, linewidth=1, linestyle=":")
            for _, data, color, marker, shift in cases:
                _draw(ax, data[variable].sel(place=place, space=space), color, marker, shift)
            ax.set_title(
                f"{space}, {PLACE_WORDS[place]}", fontsize=TEXT, color=theme.ink, loc="left"
            )
    _finish(figure, panels, root, theme, label)
    handles = [
        Line2D([], [], color=color, marker=marker, markersize=4, label=name)
        for name, _, color, marker, _ in reversed(cases)
    ]
    handles.append(Line2D([], [], color=theme.ideal, linestyle=":", label="by chance"))
    add_legend(figure, handles, theme)
    return figure


def draw_gradients(results: DataTree, theme: Theme) -> Figure:
    """The normal gradient a dimension, over that of the whole."""
    return _draw_share(results, theme, "gradient_share", 1.0, "normal share / dim.")


def draw_contrasts(results: DataTree, theme: Theme) -> Figure:
    """Normal less tangent curvature, in units of the rms eigenvalue."""
    return _draw_share(results, theme, "curvature_contrast", 0.0, "contrast")


def draw_overlaps(results: DataTree, theme: Theme) -> Figure:
    """How far the flattest directions are the tangent ones."""
    return _draw_share(results, theme, "bottom_overlap", 1.0, "overlap / chance")


def draw_curvatures(results: DataTree, theme: Theme) -> Figure:
    """Mean tangent and normal curvature, model beside untrained weights."""
    cases = [case for case in _cases(results, theme) if case[0] != "random splits"]
    spaces = [str(name) for name in results.coords["space"].values]
    figure, panels, root = _grid(results, len(PLACES), len(spaces))
    bent = False
    for row, space in zip(panels, spaces, strict=True):
        for ax, place in zip(row, PLACES, strict=True):
            dress(ax, theme)
            ax.axhline(1, color=theme.ideal, linewidth=1, linestyle=":")
            for _, data, color, marker, shift in cases:
                here = data.sel(place=place, space=space)
                _draw(ax, here["normal_curvature"], color, marker, shift)
                _draw(ax, here["tangent_curvature"], color, marker, shift, filled=False, line="--")
            model = cases[-1][1]
            if place == BASE and "riemannian_curvature" in model:
                along = model["riemannian_curvature"].sel(place=place, space=space)
                if bool(along.notnull().any()):
                    bent = True
                    _draw(ax, along, theme.ink, "x", -0.15, line=":")
            ax.set_title(
                f"{space}, {PLACE_WORDS[place]}", fontsize=TEXT, color=theme.ink, loc="left"
            )
    _finish(figure, panels, root, theme, "mean σκ")
    handles = []
    for name, _, color, marker, _ in reversed(cases):
        handles += [
            Line2D([], [], color=color, marker=marker, markersize=4, label=f"{name}, normal"),
            Line2D(
                [],
                [],
                color=color,
                marker=marker,
                markersize=4,
                markerfacecolor="none",
                linestyle="--",
                label="tangent",
            ),
        ]
    if bent:
        handles.append(
            Line2D([], [], color=theme.ink, marker="x", linestyle=":", label="Riemannian")
        )
    handles.append(Line2D([], [], color=theme.ideal, linestyle=":", label="limit 1"))
    add_legend(figure, handles, theme)
    return figure


def draw_extremes(results: DataTree, theme: Theme) -> Figure:
    """The lowest and the highest curvature of each space, beside random ones of that dimension."""
    cases = [case for case in _cases(results, theme) if case[0] != "untrained weights"]
    spaces = [str(name) for name in results.coords["space"].values]
    figure, panels, root = _grid(results, 2, len(spaces))
    for row, space in zip(panels, spaces, strict=True):
        for ax, part in zip(row, ("tangent", "normal"), strict=True):
            dress(ax, theme)
            for _, data, color, marker, shift in cases:
                here = data.sel(place=TYPICAL, space=space)
                _draw(ax, here[f"{part}_highest"], color, marker, shift)
                _draw(ax, here[f"{part}_lowest"], color, marker, shift, filled=False, line="--")
            ax.axhline(1, color=theme.ideal, linewidth=1, linestyle=":")
            size = _range(root[f"{part}_dimension"].sel(space=space))
            words = f"{space}, {part}, {size} dimensions"
            ax.set_title(words, fontsize=TEXT, color=theme.ink, loc="left")
    _finish(figure, panels, root, theme, "σκ, extremes")
    handles = []
    for name, _, color, marker, _ in reversed(cases):
        handles += [
            Line2D([], [], color=color, marker=marker, markersize=4, label=f"{name}, highest"),
            Line2D(
                [],
                [],
                color=color,
                marker=marker,
                markersize=4,
                markerfacecolor="none",
                linestyle="--",
                label="lowest",
            ),
        ]
    handles.append(Line2D([], [], color=theme.ideal, linestyle=":", label="limit 1"))
    add_legend(figure, handles, theme)
    return figure


def _range(sizes: DataArray) -> str:
    low, high = int(sizes.min()), int(sizes.max())
    return str(low) if low == high else f"{low} … {high}"


_BARS = "Means over problems, bars are 95 % bootstrap intervals. "

FIGURES = (
    FigureSpec(
        "gradients",
        "The gradient in normal directions",
        f"The squared gradient a normal dimension, over that of all dimensions. {_BARS}The dotted "
        "line, 1, is what random splits have on average (grey: as measured at these gradients). "
        "Above it the gradient points away from the tangent space more than by chance. At typical "
        "points the ideal gradient is the noise of that point, whose share scatters around 1 too, "
        "with the same noise at all levels.",
        draw_gradients,
        needs=("summary/model/gradient_share",),
        colors="theme",
    ),
    FigureSpec(
        "curvatures",
        "Mean curvature of tangent and normal directions",
        f"σ_t times the mean of vᵀHv over normal (filled) and tangent (open) directions. {_BARS}No "
        "posterior has σκ above 1 at typical points, where a determined answer has exactly 1 in "
        "both. Away from them there is no such limit. Where the split is stated at a matrix of "
        "fixed rank, crosses show the Riemannian Hessian beside the projected one.",
        draw_curvatures,
        needs=("summary/model/normal_curvature",),
        colors="theme",
        interactive_fn=interactive_curvatures,
    ),
    FigureSpec(
        "contrasts",
        "Normal less tangent curvature",
        "Mean normal less mean tangent curvature, in units of the root mean square eigenvalue, so "
        f"that it is defined whatever the signs. {_BARS}Random splits have 0 on average.",
        draw_contrasts,
        needs=("summary/model/curvature_contrast",),
        colors="theme",
    ),
    FigureSpec(
        "overlaps",
        "Are the flattest directions the tangent ones?",
        "Overlap of the q lowest eigenvectors with the q-dimensional tangent space, over its mean "
        f"for random subspaces. {_BARS}1 is chance; the largest possible value is d/q. Nothing is "
        "drawn where the cut goes through equal eigenvalues.",
        draw_overlaps,
        needs=("summary/model/bottom_overlap",),
        colors="theme",
    ),
    FigureSpec(
        "extremes",
        "The sharpest and the flattest direction of each space",
        "σ_t times the highest (filled) and the lowest (open) vᵀHv over unit vectors of each "
        f"space, at typical points. {_BARS}A larger space reaches further by chance: compare with "
        "random spaces of the same dimension (grey), not tangent with normal.",
        draw_extremes,
        needs=("summary/random/tangent_highest",),
        colors="theme",
    ),
)
