"""Figures of EXP-004: correlations by level, what a distance adds, and the clouds behind them."""

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
from ired_interp.experiments.exp004.distances import AFFINE, FROBENIUS, GRASSMANN
from ired_interp.experiments.exp004.measure import FIXED, GROWING, SWEEPS
from ired_interp.experiments.exp004_interactive import (
    SWEEP_WORDS,
    cloud_of,
    interactive_clouds,
    problem_of,
)

__all__ = ["FIGURES"]

_ROW = 2.2
_MARKERS = ("o", "^", "s", "D", "v", "x")
_CLOUDS = 3  # levels of which points are drawn


def _cases(results: DataTree, theme: Theme) -> list[tuple[str, Dataset, str, str, float]]:
    """Label, summary, colour, marker and shift of each case."""
    looks = (
        ("untrained", "untrained weights", theme.control, "s", 0.12),
        ("model", "model", theme.model, "o", 0.0),
    )
    groups = results["summary"].children
    return [
        (label, groups[name].to_dataset().sortby("level"), color, marker, shift)
        for name, label, color, marker, shift in looks
        if name in groups
    ]


def _panels(
    results: DataTree, rows: int, columns: int, *, height: float = _ROW
) -> tuple[Figure, list[list[Axes]], Dataset]:
    figure = Figure((WIDTH, 0.9 + height * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey="row")
    return figure, [list(row) for row in panels], results.to_dataset().sortby("level")


def _shown(results: DataTree) -> list[str]:
    """The metrics that panels are drawn of: at other ranks they stand in the table."""
    known = [str(name) for name in results.coords["metric"].values]
    return [name for name in (GRASSMANN, FROBENIUS, AFFINE) if name in known]


def _draw(ax: Axes, values: DataArray, color: str, marker: str, shift: float) -> None:
    """Means with their intervals, by level."""
    levels = values["level"].values + shift
    mean, low, high = (values.sel(statistic=s).values for s in ("mean", "low", "high"))
    ax.plot(levels, mean, color=color, marker=marker, markersize=4, linewidth=1.2)
    ax.vlines(levels, low, high, color=color, linewidth=1)


def _handles(cases: Sequence[tuple[str, Dataset, str, str, float]]) -> list[Line2D]:
    return [
        Line2D([], [], color=color, marker=marker, markersize=4, label=name)
        for name, _, color, marker, _ in reversed(cases)
    ]


def draw_growing(results: DataTree, theme: Theme) -> Figure:
    """Rank correlation over growing moves, beside the bowl's."""
    cases, metrics = _cases(results, theme), _shown(results)
    figure, panels, root = _panels(results, 2, len(metrics))
    for row, (variable, bowl, words) in zip(
        panels,
        (
            ("random_spearman", "random_bowl", "random moves"),
            ("spearman", "bowl_spearman", "all kinds"),
        ),
        strict=True,
    ):
        for ax, metric in zip(row, metrics, strict=True):
            dress(ax, theme)
            model = cases[-1][1]
            null = model[bowl].sel(metric=metric, statistic="mean")
            null = null.sel(sweep=GROWING) if "sweep" in null.dims else null
            ax.axhline(float(null), color=theme.ideal, linewidth=1.2, linestyle="--")
            ax.axhline(0, color=theme.muted, linewidth=0.8, linestyle=":")
            for _, data, color, marker, shift in cases:
                here = data[variable].sel(metric=metric)
                here = here.sel(sweep=GROWING) if "sweep" in here.dims else here
                _draw(ax, here, color, marker, shift)
            ax.set_title(f"{metric}, {words}", fontsize=TEXT, color=theme.ink, loc="left")
            label_levels(ax, root, theme, sigma_every=3, label=row is panels[-1])
        row[0].set_ylabel("rank correlation", fontsize=TEXT, color=theme.ink)
    bowl_line = Line2D([], [], color=theme.ideal, linestyle="--", label="isotropic bowl")
    add_legend(figure, [*_handles(cases), bowl_line], theme)
    return figure


def draw_fixed(results: DataTree, theme: Theme) -> Figure:
    """Rank correlation over moves of one length."""
    cases = _cases(results, theme)
    metrics = [name for name in _shown(results) if name != FROBENIUS]
    figure, panels, root = _panels(results, 1, len(metrics))
    for ax, metric in zip(panels[0], metrics, strict=True):
        dress(ax, theme)
        ax.axhline(0, color=theme.ideal, linewidth=1.2, linestyle="--")
        for _, data, color, marker, shift in cases:
            _draw(ax, data["spearman"].sel(sweep=FIXED, metric=metric), color, marker, shift)
        ax.set_title(metric, fontsize=TEXT, color=theme.ink, loc="left")
        label_levels(ax, root, theme, sigma_every=3)
    panels[0][0].set_ylabel("rank correlation", fontsize=TEXT, color=theme.ink)
    chance = Line2D([], [], color=theme.ideal, linestyle="--", label="by chance")
    add_legend(figure, [*_handles(cases), chance], theme)
    return figure


def draw_beyond(results: DataTree, theme: Theme) -> Figure:
    """Partial correlation given length, and the R² that a distance adds, with their nulls."""
    cases = _cases(results, theme)
    metrics = [name for name in _shown(results) if name != FROBENIUS]
    figure, panels, root = _panels(results, 2, len(metrics))
    for row, (variable, label) in zip(
        panels, (("partial", "correlation given ‖δ‖"), ("added", "added R²")), strict=True
    ):
        for ax, metric in zip(row, metrics, strict=True):
            dress(ax, theme)
            for _, data, color, marker, shift in cases:
                here = data.sel(metric=metric)
                null = here[f"{variable}_null"].sel(statistic="mean")
                ax.plot(here["level"] + shift, null, color=color, linewidth=1, linestyle="--")
                _draw(ax, here[variable], color, marker, shift)
            ax.set_title(metric, fontsize=TEXT, color=theme.ink, loc="left")
            label_levels(ax, root, theme, sigma_every=3, label=row is panels[-1])
        row[0].set_ylabel(label, fontsize=TEXT, color=theme.ink)
    figure.align_ylabels([row[0] for row in panels])
    exchanged = Line2D([], [], color=theme.muted, linestyle="--", label="distances exchanged")
    add_legend(figure, [*_handles(cases), exchanged], theme)
    return figure


def draw_kinds(results: DataTree, theme: Theme) -> Figure:
    """What a move of each kind costs at fixed length, in units of the bowl."""
    cases = list(reversed(_cases(results, theme)))
    kinds = [str(kind) for kind in results.coords["kind"].values]
    figure, panels, root = _panels(results, 1, len(cases), height=2.6)
    drawn: list[DataArray] = []
    for ax, (label, data, *_) in zip(panels[0], cases, strict=True):
        dress(ax, theme)
        ax.axhline(1, color=theme.ideal, linewidth=1.2, linestyle="--")
        for i, kind in enumerate(kinds):
            here = data["relative_energy"].sel(kind=kind)
            color = _kind_colors(theme)[i % 3]
            _draw(ax, here, color, _MARKERS[i], 0.1 * (i - len(kinds) / 2))
            drawn.append(here.sel(statistic="mean").fillna(0))
        ax.set_title(label, fontsize=TEXT, color=theme.ink, loc="left")
        label_levels(ax, root, theme, sigma_every=3)
    note = set_outlier_axis(panels[0][0], drawn)
    panels[0][0].set_ylabel(f"energy / bowl{note}", fontsize=TEXT, color=theme.ink)
    add_legend(figure, _kind_handles(kinds, theme), theme)
    return figure


def draw_clouds(results: DataTree, theme: Theme) -> Figure:
    """Energy against Grassmann distance, all moves of the first problem, at three levels."""
    root = problem_of(results)
    kinds = [str(kind) for kind in root["kind"].values]
    places = sorted({round(i) for i in np.linspace(0, root.sizes["level"] - 1, _CLOUDS)})
    figure = Figure((WIDTH, 0.9 + _ROW * len(SWEEPS)), layout="constrained")
    panels = figure.subplots(len(SWEEPS), len(places), squeeze=False, sharex="row")
    for row, sweep in zip(panels, SWEEPS, strict=True):
        for ax, k in zip(row, places, strict=True):
            dress(ax, theme)
            here = root.isel(level=k).sel(sweep=sweep)
            for i, kind in enumerate(kinds):
                ax.plot(
                    *cloud_of(here, GRASSMANN, kind),
                    linestyle="none",
                    marker=_MARKERS[i],
                    markersize=3.5,
                    color=_kind_colors(theme)[i % 3],
                    alpha=0.8,
                )
            title = f"level {int(here['level'])}, {SWEEP_WORDS[sweep]}"
            ax.set_title(title, fontsize=TEXT, color=theme.ink, loc="left")
            if sweep == FIXED:
                ax.set_xlabel("Grassmann distance, rad", fontsize=TEXT, color=theme.ink)
        row[0].set_ylabel("E − E(base)", fontsize=TEXT, color=theme.ink)
    figure.align_ylabels(list(panels[:, 0]))
    add_legend(figure, _kind_handles(kinds, theme, line="none"), theme)
    return figure


def _kind_colors(theme: Theme) -> tuple[str, str, str]:
    """Kinds differ by marker; three colours repeat."""
    return theme.model, theme.control, theme.ink


def _kind_handles(
    kinds: Sequence[str], theme: Theme, *, line: Literal["-", "none"] = "-"
) -> list[Line2D]:
    return [
        Line2D(
            [],
            [],
            color=_kind_colors(theme)[i % 3],
            marker=_MARKERS[i],
            markersize=4,
            linestyle=line,
            label=kind,
        )
        for i, kind in enumerate(kinds)
    ]


_BARS = "Means over problems, bars are 95 % bootstrap intervals. "

FIGURES = (
    FigureSpec(
        "growing",
        "Energy against distance, as moves grow",
        "Spearman’s correlation of energy with each distance, of each problem by itself. "
        f"{_BARS}The dashed line is what E = ‖δ‖² has at the same points: high without knowing of "
        "subspaces, as longer moves turn them further. Above, random directions alone; below, all "
        "kinds of moves, some of which leave the subspaces where they are.",
        draw_growing,
        needs=("summary/model/random_spearman", "summary/model/spearman"),
        colors="theme",
    ),
    FigureSpec(
        "fixed",
        "Energy against distance, at one length",
        "The same over moves that are all equally long, so that the bowl is flat: whatever "
        f"correlation is left is not one with ‖δ‖. {_BARS}Ranks say nothing of size: see what the "
        "kinds of moves cost.",
        draw_fixed,
        needs=("summary/model/spearman",),
        colors="theme",
    ),
    FigureSpec(
        "beyond",
        "What a distance adds to the length of the move",
        "Above, the rank correlation given ‖δ‖; below, what distance² adds to ‖δ‖² in R², fitted "
        f"on every other move and tried on the rest. {_BARS}Dashed: the same with distances "
        "exchanged among moves of nearly the same length, which is what chance gives: below 0, as "
        "a useless predictor costs R².",
        draw_beyond,
        needs=("summary/model/partial", "summary/model/added"),
        colors="theme",
    ),
    FigureSpec(
        "kinds",
        "What each kind of move costs at one length",
        "Energy above that of the base, in units of the bowl s_t²‖δ‖²/(2σ_t), mean over moves of a "
        f"kind. {_BARS}The dashed line, 1, is the ideal where the answer is determined: all kinds "
        "cost the same. Values off it together say that the bowl is wider or narrower, values "
        "apart that kinds of moves differ.",
        draw_kinds,
        needs=("summary/model/relative_energy",),
        colors="theme",
    ),
    FigureSpec(
        "clouds",
        "The moves of one problem",
        "Energy above that of the base against Grassmann distance, every move of the first "
        "problem at the coarsest, a middle and the finest level of the run. A cloud that rises "
        "above and is flat below follows the length of the moves and nothing else.",
        draw_clouds,
        needs=("energy", "distance", "base_energy"),
        colors="theme",
        interactive_fn=interactive_clouds,
    ),
)
