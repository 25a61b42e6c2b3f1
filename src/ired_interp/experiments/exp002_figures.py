"""Figures of EXP-002: each draws what the results hold and computes nothing."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ired_interp.experiments.axes import (
    SMALL,
    TEXT,
    add_legend,
    dress,
    label_levels,
    set_log_axis,
)
from ired_interp.experiments.base import FigureSpec, Theme
from ired_interp.experiments.exp001_cases import WIDTH, Case, cases_of, legend, root_of
from ired_interp.experiments.exp002.declared import HALF
from ired_interp.experiments.exp002_slice_figures import PATH, SLICE_PLANES
from ired_interp.experiments.subjects import UNTRAINED

__all__ = ["FIGURES"]

_TINY = 1e-9


def draw_minima(results: xr.DataTree, theme: Theme) -> Figure:
    """Pairs of starts that end together, how many minima, and how far the first is off."""
    cases, root = cases_of(results, theme), root_of(results)
    figure = Figure((WIDTH, 3.1), layout="constrained")
    panels = figure.subplots(1, 3)
    texts = ("pairs of starts that end together", "distinct minima", "offset of the minimum, σ√d")
    names = ("same_minimum", "num_minima", "minimum_offset")
    for ax, name, text in zip(panels, names, texts, strict=True):
        dress(ax, theme)
        for case in cases:
            _draw_mean(ax, case, name)
        ax.set_title(text, fontsize=TEXT, color=theme.ink, loc="left")
        label_levels(ax, root, theme, sigma_every=3)
    panels[0].axhline(1, color=theme.ideal, linewidth=1.2, linestyle=":")
    panels[0].axhline(HALF, color=theme.muted, linewidth=1, linestyle="--")
    panels[0].annotate(
        "two equal minima",
        (0.02, HALF),
        (0, -3),
        va="top",
        xycoords=panels[0].get_yaxis_transform(),
        textcoords="offset points",
        fontsize=SMALL,
        color=theme.ink,
    )
    panels[0].set_ylim(0, 1.06)
    panels[1].axhline(1, color=theme.ideal, linewidth=1.2, linestyle=":")
    panels[1].set_ylim(bottom=0)
    set_log_axis(panels[2])
    legend(figure, cases, theme, "ideal, where the answer is determined")
    return figure


def draw_convexity(results: xr.DataTree, theme: Theme) -> Figure:
    """The convexity score of chords, and the barriers on them."""
    cases, root = cases_of(results, theme), root_of(results)
    figure = Figure((WIDTH, 3.1), layout="constrained")
    panels = figure.subplots(1, 2)
    texts = ("convexity score of chords", "barrier on chords, energy")
    for ax, name, text in zip(panels, ("convexity", "chord_height"), texts, strict=True):
        dress(ax, theme)
        for case in cases:
            _draw_mean(ax, case, name)
        ax.set_title(text, fontsize=TEXT, color=theme.ink, loc="left")
        ax.ticklabel_format(axis="y", useOffset=False)
        label_levels(ax, root, theme)
    panels[0].axhline(1, color=theme.ideal, linewidth=1.2, linestyle=":")
    panels[1].axhline(0, color=theme.ideal, linewidth=1.2, linestyle=":")
    legend(figure, cases, theme, "ideal, where the answer is determined")
    return figure


def draw_path_variance(results: xr.DataTree, theme: Theme) -> Figure:
    """What planes keep of each problem's path, beside random walks."""
    figure = Figure((WIDTH, 3.4), layout="constrained")
    ax = figure.subplots()
    dress(ax, theme)
    root = root_of(results)
    groups = [(root, theme.model, "o", "model", 0.0)]
    if "controls" in results.children:
        control = results[UNTRAINED].to_dataset()
        groups += [
            (control.isel(draw=i), theme.control, "s", "untrained" if i == 0 else "", 0.25)
            for i in range(control.sizes["draw"])
        ]
    handles = []
    for data, color, marker, label, shift in groups:
        at = np.arange(data.sizes["problem"]) + shift
        walk, deviation = data["walk_kept"].values, data["walk_deviation"].values
        ends = np.clip(np.stack([walk - 2 * deviation, walk + 2 * deviation]), None, 1 - _TINY)
        ax.vlines(at, 1 - ends[1], 1 - ends[0], color=color, linewidth=4, alpha=0.22)
        lost = 1 - np.minimum(data["path_kept"].values, 1 - _TINY)
        ax.plot(at, lost, linestyle="none", marker=marker, markersize=4, color=color)
        if label:
            handles += [
                Line2D([], [], color=color, marker=marker, linestyle="none", label=label),
                Line2D([], [], color=color, linewidth=4, alpha=0.3, label=f"{label}, random walks"),
            ]
    random = 1 - root["path_kept_random"].values
    here = np.arange(len(random))
    ax.plot(here, random, linestyle="none", marker="x", markersize=4, color=theme.muted)
    handles.append(
        Line2D([], [], color=theme.muted, marker="x", linestyle="none", label="model, random plane")
    )
    ax.set_yscale("log")
    ax.set_xticks(here, [str(int(p)) for p in root["problem"].values])
    ax.set_xlabel("problem", fontsize=TEXT, color=theme.ink)
    ax.set_ylabel("share of the variance that is lost", fontsize=TEXT, color=theme.ink)
    add_legend(figure, handles, theme, columns=3)
    return figure


def draw_barriers(results: xr.DataTree, theme: Theme) -> Figure:
    """Barriers between the two most visited minima: straight line against elastic band."""
    figure = Figure((5.2, 4.2), layout="constrained")
    ax = figure.subplots()
    dress(ax, theme)
    root = root_of(results)
    groups = [(root, theme.model, "o", "model")]
    if "controls" in results.children:
        groups.append((results[UNTRAINED].to_dataset(), theme.control, "s", "untrained control"))
    handles, seen = [], []
    for data, color, marker, label in groups:
        straight = data["straight_height"].values.ravel()
        band = data["band_height"].values.ravel()
        good = data["band_status"].values.ravel() == 0
        there = np.isfinite(straight) & (straight > 0) & (band > 0)
        for which, fill in ((there & good, color), (there & ~good, "none")):
            ax.plot(
                straight[which],
                band[which],
                linestyle="none",
                marker=marker,
                markersize=4,
                markerfacecolor=fill,
                color=color,
                alpha=0.8,
            )
        seen += [straight[there], band[there]]
        text = f"{label}, {int(there.sum())} pairs" if there.any() else f"{label}: single modes"
        handles.append(Line2D([], [], color=color, marker=marker, linestyle="none", label=text))
    flat = np.concatenate(seen)
    if flat.size:
        ends = [float(flat.min()) / 2, float(flat.max()) * 2]
        ax.plot(ends, ends, color=theme.ideal, linewidth=1, linestyle=":")
        ax.set_xscale("log")
        ax.set_yscale("log")
    else:
        ax.text(
            0.5,
            0.5,
            "single modes only:\nno barrier to measure",
            ha="center",
            va="center",
            transform=ax.transAxes,
            fontsize=TEXT,
            color=theme.ink,
        )
        ax.set_xticks([])
        ax.set_yticks([])
    ax.set_xlabel("max E − max(E₀, E₁), straight line", fontsize=TEXT, color=theme.ink)
    ax.set_ylabel("max E − max(E₀, E₁), elastic band", fontsize=TEXT, color=theme.ink)
    add_legend(figure, handles, theme)
    return figure


def _draw_mean(ax: Axes, case: Case, name: str) -> None:
    data = case.data[name]
    x, mean = data["level"].values + case.shift / 2, data.sel(statistic="mean").values
    low, high = (data.sel(statistic=end).values for end in ("low", "high"))
    look: dict[str, Any] = {"color": case.color}
    ax.fill_between(x, low, high, alpha=0.22, linewidth=0, **look)
    ax.vlines(x, low, high, linewidth=1, **look)
    ax.plot(x, mean, case.line, linewidth=1.3, marker=case.marker, markersize=3.4, **look)


FIGURES = (
    SLICE_PLANES,
    FigureSpec(
        "minima",
        "How many minima there are",
        "Left: the share of pairs of starts whose descents end at the same minimum, mean over "
        "problems with 95\u00a0% bootstrap interval; its inverse is the effective number of "
        "minima. Middle: how many distinct ones. Right: the distance of the most visited one from "
        "s_t·y*, over σ_t√d, the length of the level’s noise. Both counts say what these starts "
        "found, no more.",
        draw_minima,
        colors="theme",
    ),
    PATH,
    FigureSpec(
        "path-variance",
        "How flat the solver’s path is",
        "What the plane of the path’s first two principal components loses of its variance, a mark "
        "a problem (lower is flatter). The bars span two standard deviations around what the same "
        "analysis loses of random walks with the same step lengths: a path within its bar is no "
        "flatter than chance. Crosses: what a random plane loses of the model’s path.",
        draw_path_variance,
        colors="theme",
    ),
    FigureSpec(
        "convexity",
        "How convex the landscape is along straight lines",
        "Chords between two typical points of one problem. Left: ΣD/Σ|D| of the jumps of the "
        "slope, 1 where E is convex along the chord. Right: the barrier on it. Means over problems "
        "with 95\u00a0% bootstrap intervals. Where untrained weights score the same, convexity is "
        "the network’s, not training’s.",
        draw_convexity,
        colors="theme",
    ),
    FigureSpec(
        "barriers",
        "Barriers between minima, by straight line and by elastic band",
        "A mark for each problem, level and draw with several minima: the barrier between the two "
        "most visited ones along the straight line, and along the nudged elastic band (hollow: it "
        "ran out of steps). On the dotted line both are equal; below it the straight line "
        "overestimates the barrier. A landscape of single modes has no mark.",
        draw_barriers,
        colors="theme",
    ),
)
