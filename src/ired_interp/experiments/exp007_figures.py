"""Figures of EXP-007: error, ranks, rules and curvature along training."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from xarray import DataArray, Dataset, DataTree

from ired_interp.experiments.axes import TEXT, add_legend, dress, set_log_axis
from ired_interp.experiments.base import FigureSpec, Theme
from ired_interp.experiments.exp007_interactive import QUANTITIES, interactive_training

__all__ = ["FIGURES"]

_WIDTH = 9.0
_MARKERS = ("o", "s", "^", "v", "D", "P", "X")


def _cases(results: DataTree, theme: Theme) -> list[tuple[str, Dataset, str, str]]:
    looks = (
        ("model", "model", theme.model, "o"),
        ("untrained", "untrained weights", theme.control, "s"),
    )
    groups = results["summary"].children
    return [
        (label, groups[name].to_dataset().sortby("step"), color, marker)
        for name, label, color, marker in looks
        if name in groups
    ]


def _draw(ax: Axes, values: DataArray, color: str, marker: str) -> None:
    """Means over problems with their intervals, by step."""
    steps = values["step"].values
    mean, low, high = (values.sel(statistic=s).values for s in ("mean", "low", "high"))
    ax.plot(steps, mean, color=color, marker=marker, markersize=4, linewidth=1.2)
    ax.vlines(steps, low, high, color=color, linewidth=1)


def _axis(ax: Axes, theme: Theme, label: str) -> None:
    dress(ax, theme)
    ax.set_xscale("log")
    ax.set_xlabel("training step", fontsize=TEXT, color=theme.ink)
    ax.set_ylabel(label, fontsize=TEXT, color=theme.ink)


def _handles(cases: Sequence[tuple[str, Dataset, str, str]]) -> list[Line2D]:
    return [
        Line2D([], [], color=color, marker=marker, markersize=4, label=label)
        for label, _, color, marker in cases
    ]


def draw_errors(results: DataTree, theme: Theme) -> Figure:
    """Error along training."""
    cases = _cases(results, theme)
    figure = Figure((_WIDTH, 2.8), layout="constrained")
    ax = figure.subplots()
    _axis(ax, theme, "squared error an entry")
    for _, data, color, marker in cases:
        _draw(ax, data["error"], color, marker)
    set_log_axis(ax)
    add_legend(figure, _handles(cases), theme)
    return figure


def draw_ranks(results: DataTree, theme: Theme) -> Figure:
    """Effective rank and nuclear norm of the answers, beside answers as wrong and penalised."""
    cases = _cases(results, theme)
    figure = Figure((_WIDTH, 2.9), layout="constrained")
    panels = figure.subplots(1, 2)
    for ax, (own, wrong, cut, truth, label) in zip(
        panels,
        (
            ("effective_rank", "wrong_rank", "penalised_rank", "true_rank", "effective rank"),
            ("nuclear_norm", "wrong_nuclear", "penalised_nuclear", "true_nuclear", "nuclear norm"),
        ),
        strict=True,
    ):
        _axis(ax, theme, label)
        model = cases[0][1]
        ax.axhline(
            float(model[truth].sel(statistic="mean")), color=theme.ideal, linestyle="--", lw=1.2
        )
        for name, line, mark in ((wrong, ":", "x"), (cut, "-.", "+")):
            values = model[name].sel(statistic="mean")
            ax.plot(model["step"], values, color=theme.ink, ls=line, marker=mark)
        for _, data, color, marker in cases:
            _draw(ax, data[own], color, marker)
    more = [
        Line2D([], [], color=theme.ink, linestyle=":", marker="x", label="if as wrong"),
        Line2D([], [], color=theme.ink, linestyle="-.", marker="+", label="if penalised"),
        Line2D([], [], color=theme.ideal, linestyle="--", label="truth"),
    ]
    add_legend(figure, [*_handles(cases), *more], theme)
    return figure


def draw_rules(results: DataTree, theme: Theme) -> Figure:
    """Distance of the model's answers from each trivial rule's."""
    data = _cases(results, theme)[0][1]
    figure = Figure((_WIDTH, 3.0), layout="constrained")
    ax = figure.subplots()
    _axis(ax, theme, "distance from the rule")
    colors = (theme.muted, theme.control, theme.model, theme.ink)
    handles = []
    for number, rule in enumerate(str(name) for name in data["rule"].values):
        color, marker = colors[number % len(colors)], _MARKERS[number % len(_MARKERS)]
        _draw(ax, data["rule_distance"].sel(rule=rule), color, marker)
        handles.append(Line2D([], [], color=color, marker=marker, markersize=4, label=rule))
    set_log_axis(ax)
    add_legend(figure, handles, theme, columns=3)
    return figure


def draw_curvature(results: DataTree, theme: Theme) -> Figure:
    """Mean curvature, distance from the ideal and normal over tangent, a line a level."""
    data = _cases(results, theme)[0][1].sortby("level")
    levels = data["level"].values
    figure = Figure((_WIDTH, 3.0), layout="constrained")
    panels = figure.subplots(1, 3)
    shown = sorted({round(i) for i in np.linspace(0, len(levels) - 1, 4)})
    colors = (theme.muted, theme.control, theme.model, theme.ink)
    for ax, (variable, (label, ideal)) in zip(panels, QUANTITIES.items(), strict=True):
        _axis(ax, theme, label)
        ax.axhline(ideal, color=theme.ideal, linestyle="--", linewidth=1.2)
        for number, place in enumerate(shown):
            color, marker = colors[number], _MARKERS[number]
            _draw(ax, data[variable].isel(level=place), color, marker)
    handles = [
        Line2D([], [], color=colors[i], marker=_MARKERS[i], label=f"level {int(levels[place])}")
        for i, place in enumerate(shown)
    ]
    ideal_line = Line2D([], [], color=theme.ideal, linestyle="--", label="ideal if determined")
    add_legend(figure, [*handles, ideal_line], theme)
    return figure


_BARS = "Means over problems, bars are 95 % bootstrap intervals. "

FIGURES = (
    FigureSpec(
        "errors",
        "Error along training",
        f"Squared error an entry of the solver’s answers at each checkpoint. {_BARS}",
        draw_errors,
        needs=("summary/model/error",),
        colors="theme",
    ),
    FigureSpec(
        "ranks",
        "Rank and norm of the answers along training",
        f"Effective rank and nuclear norm. {_BARS}Dotted: of answers that are as wrong without a "
        "bias, between truth and mean answer, and beyond the mean answer with noise. Below the "
        "dotted line there is a bias to low rank or small norm; on it there is none. Dash-dotted: "
        "of the truth with a penalty on the nuclear norm that makes the same error; it is missing "
        "where answers are worse than 0.",
        draw_ranks,
        needs=(
            "summary/model/effective_rank",
            "summary/model/true_rank",
            "summary/model/penalised_rank",
        ),
        colors="theme",
    ),
    FigureSpec(
        "rules",
        "Which trivial rule the answers are near",
        "rms distance of the model’s answers from those of each rule of the task’s ladder, in "
        f"units of the true answers’ rms. {_BARS}A line that dips and rises again is a rule that "
        "the model passed.",
        draw_rules,
        needs=("summary/model/rule_distance",),
        colors="theme",
    ),
    FigureSpec(
        "curvature",
        "Curvature at typical points along training",
        f"At up to four levels. {_BARS}Dashed: the ideal where the answer is determined.",
        draw_curvature,
        needs=tuple(f"summary/model/{name}" for name in QUANTITIES),
        interactive_fn=interactive_training,
        colors="theme",
    ),
)
