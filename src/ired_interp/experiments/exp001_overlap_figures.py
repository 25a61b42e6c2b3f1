"""Figures of EXP-001 on how far eigenspaces agree: between levels, problems and draws of noise."""

from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from xarray import Dataset, DataTree

from ired_interp.experiments.axes import SMALL, TEXT, add_legend, dress, label_levels
from ired_interp.experiments.base import FigureSpec, Theme
from ired_interp.experiments.exp001_cases import WIDTH, cases_of, root_of

__all__ = ["OVERLAP_LEVELS", "OVERLAP_PROBLEMS"]

_NARROW = 6
_SIDE = 2.7
_STEPS = 32
# With more levels than this the overlaps are not written into the map.
_WRITTEN = 12
_MIDDLE = 0.6


def draw_level_overlaps(results: DataTree, theme: Theme) -> Figure:
    """A map level × level, for each end and case."""
    cases, root = cases_of(results, theme), root_of(results)
    ends, levels = root["end"].values.tolist(), root["level"].values
    size = (0.9 + 1.5 * _SIDE * len(cases), 0.3 + _SIDE * len(ends))
    figure = Figure(size, layout="constrained")
    panels = figure.subplots(len(ends), len(cases), squeeze=False, sharex=True, sharey=True)
    shades = mpl.colormaps["viridis"].resampled(_STEPS)
    places = range(len(levels))
    for row, end in zip(panels, ends, strict=True):
        for ax, case in zip(row, cases, strict=True):
            table = case.data["level_overlap"].sel(end=end).sortby("other_level")
            drawn = ax.pcolormesh(table.values, cmap=shades, vmin=0, vmax=1)
            if len(levels) <= _WRITTEN:
                for i in places:
                    for j in places:
                        value = float(table[i, j])
                        ax.text(
                            j + 0.5,
                            i + 0.5,
                            f"{value:.2f}".removeprefix("0"),
                            ha="center",
                            va="center",
                            fontsize=5.5,
                            color="black" if value > _MIDDLE else "white",
                        )
            ax.set_ylim(len(levels), 0)
            ax.set_xticks([i + 0.5 for i in places], [str(level) for level in levels])
            ax.set_yticks([i + 0.5 for i in places], [str(level) for level in levels])
            ax.tick_params(colors=theme.ink, labelsize=SMALL, length=0)
            for spine in ax.spines.values():
                spine.set_visible(False)
            ax.set_facecolor("none")
            title = f"{case.label}, {end} {root.sizes['vector']}"
            ax.set_title(title, fontsize=TEXT, color=case.color, loc="left")
    null, spread = _null(cases[0].data)
    bar = figure.colorbar(drawn, ax=panels, shrink=0.8, pad=0.02)
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=theme.ink, labelsize=SMALL)
    bar.ax.axhline(null, color="white", linewidth=1.6)
    bar.ax.axhline(null, color="black", linewidth=0.8)
    label = f"mean overlap;  a random subspace has {null:.3f} ± {spread:.3f} (line)"
    bar.set_label(label, fontsize=TEXT, color=theme.ink)
    figure.supxlabel("level k", fontsize=TEXT, color=theme.ink)
    figure.supylabel("level k", fontsize=TEXT, color=theme.ink)
    return figure


def draw_problem_overlaps(results: DataTree, theme: Theme) -> Figure:
    """Overlap between problems, and between two draws of the noise of one problem."""
    cases, root = cases_of(results, theme), root_of(results)
    ends, levels = root["end"].values.tolist(), root["level"].values
    figure = Figure((WIDTH, 3.7), layout="constrained")
    panels = figure.subplots(1, len(ends), squeeze=False, sharey=True)[0]
    null, spread = _null(cases[0].data)
    handles = []
    for ax, end in zip(panels, ends, strict=True):
        dress(ax, theme)
        ax.axhspan(null - 2 * spread, null + 2 * spread, color=theme.muted, alpha=0.18, linewidth=0)
        ax.axhline(null, color=theme.ideal, linewidth=1.2, linestyle=":")
        for case in cases:
            for name, what, fill in (
                ("draw_overlap", "two draws of one problem", case.color),
                ("problem_overlap", "two problems", "none"),
            ):
                if name not in case.data:
                    continue
                rows = case.data[name].sel(end=end)
                mean, low, high = (rows.sel(statistic=s).values for s in ("mean", "low", "high"))
                look: dict[str, Any] = {
                    "color": case.color,
                    "linestyle": case.line,
                    "marker": case.marker,
                    "markersize": 4.5,
                    "markerfacecolor": fill,
                    "linewidth": 1.2,
                }
                ax.vlines(levels, low, high, color=case.color, linewidth=1)
                ax.plot(levels, mean, **look)
                if ax is panels[0]:
                    handles.append(Line2D([], [], label=f"{case.label}: {what}", **look))
        title = f"{end} {root.sizes['vector']} of {root.sizes['y_dim']}"
        ax.set_title(title, fontsize=TEXT, color=theme.ink, loc="left")
        ax.set_ylim(-0.03, 1.03)
        every = 1 if root.sizes["level"] <= _NARROW or len(ends) == 1 else 3
        label_levels(ax, root, theme, sigma_every=every)
    panels[0].set_ylabel("overlap", fontsize=TEXT, color=theme.ink)
    chance = Line2D(
        [], [], color=theme.ideal, linestyle=":", linewidth=1.2, label="random subspace ± 2 s.d."
    )
    add_legend(figure, [*handles, chance], theme, columns=3)
    return figure


def _null(summary: Dataset) -> tuple[float, float]:
    return float(summary["overlap_null"]), float(summary["overlap_null_deviation"])


OVERLAP_LEVELS = FigureSpec(
    "overlap-levels",
    "Do the levels share their eigenvectors?",
    "The span of the first eigenvectors of an end (top: largest |λ|, bottom: lowest λ) at one "
    "level against that at another: tr(PQ)/k, the mean squared cosine of their principal angles, "
    "averaged over problems. 1 is the same subspace; the line in the colour bar is what a random "
    "subspace gives, with the standard deviation of a single pair. A problem’s levels share their "
    "noise at typical points. Not a finding by itself: compare with the untrained control, whose "
    "few stiff directions hardly change with the level. Where a cut goes through a cluster "
    "(subspace_unresolved, level_overlap_error) the overlap is that of arbitrary directions.",
    draw_level_overlaps,
    needs=("summary/model/level_overlap",),
    colors="theme",
)

OVERLAP_PROBLEMS = FigureSpec(
    "overlap-problems",
    "Do problems share their eigenvectors, and does one problem have any?",
    "Hollow: mean overlap of a problem’s eigenspace with those of the other problems. Filled: of "
    "the same problem at two points with independent noise. If two draws of one problem do not "
    "agree, the problem has no eigenspace that another could share: read the hollow marks against "
    "the filled ones and against the untrained control, not against 1. Bars are 95\u00a0% "
    "bootstrap intervals over problems; those of the hollow marks are too short, as the pairs "
    "share problems. The band is two standard deviations of one pair of random subspaces. The top "
    "of a flat spectrum is ordered by small errors of training, however well it is resolved.",
    draw_problem_overlaps,
    needs=("summary/model/problem_overlap",),
    colors="theme",
)
