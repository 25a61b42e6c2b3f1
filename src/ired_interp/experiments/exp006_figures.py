"""Figures of EXP-006: spectra, concentration, alignment and moves."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from xarray import DataArray, Dataset, DataTree

from ired_interp.experiments.axes import (
    TEXT,
    add_legend,
    dress,
    label_levels,
    set_log_axis,
    set_outlier_axis,
)
from ired_interp.experiments.base import FigureSpec, Theme
from ired_interp.experiments.exp001_cases import WIDTH
from ired_interp.experiments.exp006.directions import BOTTOM, ENDS, TOP
from ired_interp.experiments.exp006.measure import PLACES, TYPICAL
from ired_interp.experiments.exp006_interactive import PLACE_WORDS, interactive_spectra

__all__ = ["FIGURES"]

_ROW = 2.3
_ENDS = {TOP: "leading components", BOTTOM: "last components"}
_MOST_SPECTRA = 3


def _cases(results: DataTree, theme: Theme) -> list[tuple[str, Dataset, str, str, float]]:
    """Label, summary, colour, marker and shift of each case, the model last."""
    looks = (
        ("untrained", "untrained weights", theme.control, "s", 0.12),
        ("model", "model", theme.model, "o", -0.06),
    )
    groups = results["summary"].children
    return [
        (label, groups[name].to_dataset().sortby("level"), color, marker, shift)
        for name, label, color, marker, shift in looks
        if name in groups
    ]


def _panels(rows: int, columns: int, *, sharex: bool = True) -> tuple[Figure, list[list[Axes]]]:
    figure = Figure((WIDTH, 0.8 + _ROW * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharex=sharex, sharey="row")
    return figure, [list(row) for row in panels]


def _draw(
    ax: Axes, values: DataArray, color: str, marker: str, shift: float, *, hollow: bool = False
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
        linestyle="--" if hollow else "-",
        markerfacecolor="none" if hollow else color,
    )
    ax.vlines(levels, low, high, color=color, linewidth=1)


def _line(ax: Axes, color: str, at: float) -> None:
    ax.axhline(at, color=color, linewidth=1, linestyle=":")


def _mark(color: str, marker: str, label: str, *, hollow: bool = False) -> Line2D:
    return Line2D(
        [],
        [],
        color=color,
        marker=marker,
        markersize=4,
        markerfacecolor="none" if hollow else color,
        linestyle="--" if hollow else "-",
        label=label,
    )


def _dotted(color: str, label: str) -> Line2D:
    return Line2D([], [], color=color, linestyle=":", label=label)


def _axes(figure: Figure, panels: Sequence[Sequence[Axes]], root: Dataset, theme: Theme) -> None:
    for row in panels:
        for ax in row:
            label_levels(ax, root, theme, sigma_every=3, label=row is panels[-1])
    figure.align_ylabels([row[0] for row in panels])


def _drawn(values: DataArray) -> DataArray:
    return values.sel(statistic=["mean", "low", "high"]).fillna(0)


def _title(ax: Axes, text: str, theme: Theme) -> None:
    ax.set_title(text, fontsize=TEXT, color=theme.ink, loc="left")


def _label(ax: Axes, text: str, theme: Theme) -> None:
    ax.set_ylabel(text, fontsize=TEXT, color=theme.ink)


def _chosen(levels: Sequence[int]) -> list[int]:
    """The first, the middle and the last."""
    ordered = sorted(levels)
    if len(ordered) <= _MOST_SPECTRA:
        return ordered
    return [ordered[0], ordered[len(ordered) // 2], ordered[-1]]


def draw_spectra(results: DataTree, theme: Theme) -> Figure:
    """Mean eigenvalues over noise draws beside those of the noise, at a few levels."""
    cases = _cases(results, theme)
    model = cases[-1][1]
    levels = _chosen([int(level) for level in model["level"].values])
    figure, panels = _panels(len(PLACES), len(levels))
    ranks = np.arange(1, model.sizes["rank"] + 1)
    for row, place in zip(panels, PLACES, strict=True):
        for ax, level in zip(row, levels, strict=True):
            dress(ax, theme)
            for _, data, color, marker, _ in cases:
                values = data["mean_eigenvalue"].sel(place=place, level=level).values
                ax.plot(ranks, values, color=color, marker=marker, markersize=3, linewidth=1.2)
            noise = model["mean_noise_eigenvalue"].values
            ax.plot(ranks, noise, color=theme.ideal, linewidth=1.2, linestyle=":")
            _title(ax, f"level {level}, {PLACE_WORDS[place]}", theme)
            ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
            if row is panels[-1]:
                ax.set_xlabel("component", fontsize=TEXT, color=theme.ink)
        set_log_axis(row[0])
        _label(row[0], "λ over the mean λ", theme)
    handles = [_mark(color, marker, name) for name, _, color, marker, _ in reversed(cases)]
    add_legend(figure, [*handles, _dotted(theme.ideal, "the noise itself")], theme)
    return figure


def draw_concentration(results: DataTree, theme: Theme) -> Figure:
    """How concentrated the scores are, and how many components stand beyond the edge."""
    cases = _cases(results, theme)
    variables = ("concentration", "beyond_edge")
    figure, panels = _panels(len(variables), len(PLACES))
    for row, name in zip(panels, variables, strict=True):
        for ax, place in zip(row, PLACES, strict=True):
            dress(ax, theme)
            chance = cases[-1][1][f"noise_{name}"].sel(statistic="mean")
            _line(ax, theme.ideal, float(chance))
            for _, data, color, marker, shift in cases:
                _draw(ax, data[name].sel(place=place), color, marker, shift)
            _title(ax, PLACE_WORDS[place], theme)
    _label(panels[0][0], "concentration", theme)
    _label(panels[1][0], "beyond the edge", theme)
    _axes(figure, panels, results.to_dataset().sortby("level"), theme)
    handles = [_mark(color, marker, name) for name, _, color, marker, _ in reversed(cases)]
    add_legend(figure, [*handles, _dotted(theme.ideal, "the noise itself")], theme)
    return figure


def draw_problems(results: DataTree, theme: Theme) -> Figure:
    """The same over problems, and what problems share."""
    cases = _cases(results, theme)
    variables = ("problems_concentration", "shared_share")
    figure, panels = _panels(len(variables), len(PLACES))
    for row, name in zip(panels, variables, strict=True):
        for ax, place in zip(row, PLACES, strict=True):
            dress(ax, theme)
            _line(ax, theme.ideal, 1.0)
            for _, data, color, marker, shift in cases:
                _draw(ax, data[name].sel(place=place), color, marker, shift)
            _title(ax, PLACE_WORDS[place], theme)
    _label(panels[0][0], "concentration", theme)
    _label(panels[1][0], "held-out share / chance", theme)
    _axes(figure, panels, results.to_dataset().sortby("level"), theme)
    handles = [_mark(color, marker, name) for name, _, color, marker, _ in reversed(cases)]
    add_legend(figure, [*handles, _dotted(theme.ideal, "by chance")], theme)
    return figure


def draw_alignment(results: DataTree, theme: Theme) -> Figure:
    """Shares in the own subspace and in those of other problems."""
    cases = _cases(results, theme)
    figure, panels = _panels(len(ENDS), len(PLACES))
    for row, end in zip(panels, ENDS, strict=True):
        for ax, place in zip(row, PLACES, strict=True):
            dress(ax, theme)
            for _, data, color, marker, shift in cases:
                here = data.sel(place=place, end=end)
                _draw(ax, here["own_share"], color, marker, shift)
                _draw(ax, here["other_share"], color, marker, shift + 0.08, hollow=True)
            _title(ax, f"{_ENDS[end]}, {PLACE_WORDS[place]}", theme)
        _label(row[0], "share", theme)
    _axes(figure, panels, results.to_dataset().sortby("level"), theme)
    handles = []
    for name, _, color, marker, _ in reversed(cases):
        handles.append(_mark(color, marker, f"{name}, own"))
        handles.append(_mark(color, marker, "others’", hollow=True))
    add_legend(figure, handles, theme)
    return figure


def draw_moves(results: DataTree, theme: Theme) -> Figure:
    """Energy and error along components and along random directions, at typical points."""
    cases = _cases(results, theme)
    model = cases[-1][1].sel(place=TYPICAL)
    figure, panels = _panels(2, len(cases))
    for row, (name, ideal) in zip(panels, (("energy", 1.0), ("error", 0.0)), strict=True):
        for ax, (label, data, color, marker, shift) in zip(row, reversed(cases), strict=True):
            dress(ax, theme)
            here = data.sel(place=TYPICAL)
            _line(ax, theme.ideal, ideal)
            _draw(ax, here[f"{name}_along"].sel(end=TOP), color, marker, shift)
            _draw(ax, here[f"{name}_along"].sel(end=BOTTOM), color, marker, 0.0, hollow=True)
            _draw(ax, here[f"{name}_random"], theme.muted, "^", 0.1)
            _title(ax, label, theme)
        set_outlier_axis(
            row[0],
            [_drawn(data[f"{name}_along"].sel(place=TYPICAL)) for _, data, *_ in cases],
        )
        _label(row[0], "rise of E" if name == "energy" else "rise of the error", theme)
    _axes(figure, panels, model.sortby("level"), theme)
    handles = [
        _mark(theme.model, "o", "leading components"),
        _mark(theme.model, "o", "last components", hollow=True),
        _mark(theme.muted, "^", "random directions"),
        _dotted(theme.ideal, "ideal"),
    ]
    add_legend(figure, handles, theme)
    return figure


_BARS = "Means over problems, bars are 95 % bootstrap intervals. "

FIGURES = (
    FigureSpec(
        "spectra",
        "Spectrum of the scores over noise",
        "Covariance eigenvalues of a problem’s scores over noise draws (typical points) or over "
        "the solver’s starts (trajectory), over their mean; means over problems. Dotted: the noise "
        "draws themselves, which in finite number fill the Marchenko-Pastur bulk and not a line at "
        "1. Where a determined answer is denoised ideally the score is the noise.",
        draw_spectra,
        needs=("summary/model/mean_eigenvalue",),
        colors="theme",
        interactive_fn=interactive_spectra,
    ),
    FigureSpec(
        "concentration",
        "Fewer directions than noise?",
        "Above: Σλ²/(Σλ)² of the same spectra over what isotropic rows have on average. Below: "
        "components beyond what the largest of isotropic rows exceeds in 1 % of draws. "
        f"{_BARS}Dotted: the noise draws themselves.",
        draw_concentration,
        needs=("summary/model/concentration",),
        colors="theme",
    ),
    FigureSpec(
        "problems",
        "Directions that problems share",
        "Above: concentration of the spectrum over problems of each problem’s mean score (bars: "
        "1.96 standard errors of a bootstrap over problems). Below: how much of a problem’s mean "
        "score the leading components of other problems explain, over k/d (bars: 95 % bootstrap "
        "intervals). Dotted: 1, chance. Networks with untrained weights share directions too.",
        draw_problems,
        needs=("summary/model/shared_share",),
        colors="theme",
    ),
    FigureSpec(
        "alignment",
        "Do components lie in the problem’s own subspace?",
        "Share of the leading and the last components in the problem’s own subspace (filled), and "
        f"in those of the other problems (open), which has whatever all problems share. {_BARS}"
        "Where the spectrum is that of noise the components are arbitrary and both are alike.",
        draw_alignment,
        needs=("summary/model/own_share",),
        colors="theme",
    ),
    FigureSpec(
        "moves",
        "What a move along a component does",
        "At typical points that the components have not seen: second difference of the energy, in "
        "units of 1/σ_t (above), and rise of the squared error of the one-step answer, in units of "
        f"the move’s own (below). {_BARS}Grey: random directions of the same length. Dotted: the "
        "ideal of a determined task.",
        draw_moves,
        needs=("summary/model/energy_along",),
        colors="theme",
    ),
)
