"""Figures of EXP-001 on where curvature comes from: the split of H by layer."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from xarray import DataArray, Dataset, DataTree

from ired_interp.experiments.axes import SMALL, TEXT, add_legend, dress, label_levels
from ired_interp.experiments.base import FigureSpec, Theme
from ired_interp.experiments.exp001_cases import WIDTH, cases_of, root_of

__all__ = ["CONTRIBUTIONS", "PARTS"]

_NARROW = 6
_ROW = 2.3
# Of the colour map viridis, for parts from the output down to the first layer.
_LIGHT, _DARK = (0.08, 0.92), (0.3, 1.0)


def draw_parts(results: DataTree, theme: Theme) -> Figure:
    """Shares of the parts in ‖H‖², and what each adds to the mean σλ, model beside control."""
    cases, root = cases_of(results, theme), root_of(results)
    names = [name for name in ("part_shares", "scaled_part_traces") if name in cases[0].data]
    figure = Figure((WIDTH, 0.8 + _ROW * len(names)), layout="constrained")
    panels = figure.subplots(len(names), len(cases), squeeze=False, sharex=True)
    for row, name in zip(panels, names, strict=True):
        for ax, case in zip(row, cases, strict=True):
            _draw_stacks(ax, case.data[name], theme)
            ax.set_title(case.label, fontsize=TEXT, color=case.color, loc="left")
            last = row is panels[-1]
            label_levels(ax, root, theme, sigma_every=_every(root, len(cases)), label=last)
        label = "share of ‖H‖²" if name == "part_shares" else "σ·trace/d: mean σλ"
        row[0].set_ylabel(label, fontsize=TEXT, color=theme.ink)
    _legend(figure, root, theme)
    return figure


def draw_contributions(results: DataTree, theme: Theme) -> Figure:
    """What each part contributes to σλ of the first vector of each end."""
    cases, root = cases_of(results, theme), root_of(results)
    ends = root["end"].values.tolist()
    figure = Figure((WIDTH, 0.8 + _ROW * len(ends)), layout="constrained")
    panels = figure.subplots(len(ends), len(cases), squeeze=False, sharex=True)
    for row, end in zip(panels, ends, strict=True):
        for ax, case in zip(row, cases, strict=True):
            _draw_stacks(ax, case.data["scaled_contributions"].sel(end=end), theme)
            ax.set_title(f"{case.label}, {end} vector", fontsize=TEXT, color=case.color, loc="left")
            last = row is panels[-1]
            label_levels(ax, root, theme, sigma_every=_every(root, len(cases)), label=last)
        row[0].set_ylabel("σ·vᵀPv", fontsize=TEXT, color=theme.ink)
    _legend(figure, root, theme)
    return figure


def _draw_stacks(ax: Axes, values: DataArray, theme: Theme) -> None:
    """Positive parts above 0, negative ones below it, and their sum."""
    dress(ax, theme)
    mean = values.sel(statistic="mean").transpose("part", "level")
    levels = mean["level"].values
    above, below = np.zeros(len(levels)), np.zeros(len(levels))
    for part, color in zip(mean.values, _colors(len(mean), theme), strict=True):
        here = np.nan_to_num(part)
        bottom = np.where(here >= 0, above, below)
        ax.bar(levels, here, 0.7, bottom=bottom, color=color, linewidth=0)
        above, below = above + np.maximum(here, 0), below + np.minimum(here, 0)
    ax.plot(
        levels,
        mean.sum("part", skipna=False).values,
        linestyle="none",
        marker="_",
        color=theme.ideal,
        markersize=15,
        markeredgewidth=1.6,
    )
    ax.axhline(0, color=theme.muted, linewidth=0.8)
    ax.ticklabel_format(axis="y", style="sci", scilimits=(-3, 4))
    ax.yaxis.get_offset_text().set(color=theme.ink, fontsize=SMALL)


def _colors(num: int, theme: Theme) -> Sequence[str]:
    low, high = _LIGHT if theme.name == "light" else _DARK
    spread = [low + (high - low) * i / max(1, num - 1) for i in range(num)]
    return [to_hex(mpl.colormaps["viridis"](at)) for at in spread]


def _legend(figure: Figure, root: Dataset, theme: Theme) -> None:
    names = [str(name).replace("_", " ") for name in root["part"].values]
    names = [name.replace("gauss newton", "Gauss–Newton 2JᵀJ") for name in names]
    handles = [
        Patch(color=color, linewidth=0, label=name)
        for name, color in zip(names, _colors(len(names), theme), strict=True)
    ]
    total = Line2D(
        [], [], linestyle="none", marker="_", color=theme.ideal, markersize=12, label="sum"
    )
    add_legend(figure, [*handles, total], theme)


def _every(root: Dataset, num_cases: int) -> int:
    return 1 if root.sizes["level"] <= _NARROW or num_cases == 1 else 3


PARTS = FigureSpec(
    "parts",
    "Where curvature comes from: the split by layer",
    "H is the sum of a Gauss–Newton part, which never bends down, and one part per layer, the bend "
    "of its units. Above: each part’s share ⟨P, H⟩/‖H‖², means over problems; shares add up to 1, "
    "and one below 0 works against the rest. Below: each part’s trace, in units of the mean σλ "
    "that they add up to (the dash). Long bars on both sides of 0 with a short sum mean that "
    "curvature is a small rest of a cancellation. The panels’ scales differ between model and "
    "control. The split belongs to the network as it is written, not to its landscape, and a part "
    "is no measure of how important a layer is.",
    draw_parts,
    needs=("summary/model/scaled_part_traces",),
)

CONTRIBUTIONS = FigureSpec(
    "contributions",
    "The top and the bottom eigenvalue, by layer",
    "What each part contributes to σλ = σ·vᵀHv of the eigenvector with the largest |λ| (top) and "
    "of that with the lowest λ (bottom), means over problems. They add up to the dash. Where the "
    "dash is below 0, the bars say which layer bends the landscape down. Not to be read where "
    "the eigenvalue has close neighbours: contributions of one vector of a cluster are as "
    "arbitrary as the vector.",
    draw_contributions,
    needs=("summary/model/scaled_contributions",),
)
