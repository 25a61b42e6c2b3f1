"""Figures of EXP-011: error of each way, error for its cost, minima, and the way by level."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from xarray import DataArray, Dataset, DataTree

from ired_interp.anatomy import RELEASED
from ired_interp.experiments.axes import SMALL, TEXT, add_legend, dress, label_levels, set_log_axis
from ired_interp.experiments.base import FigureSpec, Theme
from ired_interp.experiments.exp011_interactive import SYMBOLS, color_of, interactive_costs

__all__ = ["FIGURES"]

_WIDTH, _ROW = 9.0, 0.24


def _cases(results: DataTree, theme: Theme) -> list[tuple[str, Dataset, str, str]]:
    looks = (
        ("model", "model", theme.model, "o"),
        ("untrained", "untrained weights", theme.control, "s"),
    )
    groups = results["summary"].children
    return [
        (label, groups[name].to_dataset(), color, marker)
        for name, label, color, marker in looks
        if name in groups
    ]


def _handles(cases: Sequence[tuple[str, Dataset, str, str]]) -> list[Line2D]:
    return [
        Line2D([], [], color=color, marker=marker, markersize=4, linestyle="none", label=label)
        for label, _, color, marker in cases
    ]


def _forest(ax: Axes, values: DataArray, color: str, marker: str, shift: float) -> None:
    """Means with their intervals, one below the other."""
    places = np.arange(values.sizes["arm"])[::-1] + shift
    mean, low, high = (values.sel(statistic=s).values for s in ("mean", "low", "high"))
    ax.plot(mean, places, linestyle="none", color=color, marker=marker, markersize=4)
    ax.hlines(places, low, high, color=color, linewidth=1)


def _rows(
    results: DataTree, theme: Theme, variables: Sequence[tuple[str, str]], *, log: bool
) -> Figure:
    """A panel a variable, a row a way."""
    cases = _cases(results, theme)
    names = [str(name) for name in cases[0][1]["arm"].values]
    figure = Figure((_WIDTH, 1.2 + _ROW * len(names)), layout="constrained")
    panels = figure.subplots(1, len(variables), squeeze=False, sharey=True)[0]
    for ax, (variable, label) in zip(panels, variables, strict=True):
        dress(ax, theme)
        ax.grid(visible=False)
        ax.grid(axis="x", color=theme.muted, alpha=0.25, linewidth=0.6)
        for number, (_, data, color, marker) in enumerate(cases):
            _forest(ax, data[variable], color, marker, 0.14 - 0.28 * number)
        if log:
            ax.set_xscale("log")
        ax.set_xlabel(label, fontsize=TEXT, color=theme.ink)
    panels[0].set_yticks(range(len(names))[::-1], names, fontsize=SMALL, color=theme.ink)
    add_legend(figure, _handles(cases), theme)
    return figure


def draw_errors(results: DataTree, theme: Theme) -> Figure:
    """Error of each way."""
    return _rows(results, theme, [("error", "squared error an entry")], log=True)


def draw_minima(results: DataTree, theme: Theme) -> Figure:
    """Distance to the minimum behind the answer, and how many minima there are."""
    variables = [("num_minima", "minima reached"), ("apart", "pairs of starts apart")]
    return _rows(results, theme, variables, log=False)


def draw_costs(results: DataTree, theme: Theme) -> Figure:
    """Error against gradients, one mark a way, and the released rule's way there."""
    data = _cases(results, theme)[0][1]
    figure = Figure((_WIDTH, 3.4), layout="constrained")
    ax = figure.subplots()
    dress(ax, theme)
    path = data.sel(arm=RELEASED).sortby("level")
    ax.plot(
        path["path_cost"].sel(statistic="mean"),
        path["path_error"].sel(statistic="mean"),
        color=theme.model,
        linewidth=1,
        alpha=0.6,
    )
    names = [str(name) for name in data["arm"].values]
    handles = []
    for number, name in enumerate(names):
        here = data.sel(arm=name)
        cost = float(here["cost"].sel(statistic="mean"))
        mean, low, high = (float(here["error"].sel(statistic=s)) for s in ("mean", "low", "high"))
        color = color_of(name, theme)
        marker, _ = SYMBOLS[number % len(SYMBOLS)]
        ax.vlines(cost, low, high, color=color, linewidth=1)
        ax.plot(cost, mean, marker=marker, color=color, markersize=6, linestyle="none")
        handles.append(
            Line2D([], [], color=color, marker=marker, markersize=5, linestyle="none", label=name)
        )
    ax.set_xscale("log")
    set_log_axis(ax)
    ax.set_xlabel("gradients a problem", fontsize=TEXT, color=theme.ink)
    ax.set_ylabel("squared error an entry", fontsize=TEXT, color=theme.ink)
    add_legend(figure, handles, theme, columns=4)
    return figure


def draw_ways(results: DataTree, theme: Theme) -> Figure:
    """Error after each level: jumps alone, with steps, with more of them."""
    data = _cases(results, theme)[0][1].sortby("level")
    root = results.to_dataset().sortby("level")
    figure = Figure((_WIDTH, 2.8), layout="constrained")
    ax = figure.subplots()
    dress(ax, theme)
    looks = (
        (RELEASED, theme.model, "o", "-"),
        ("no-steps", theme.control, "s", "--"),
        ("twenty-steps", theme.ink, "^", ":"),
        ("no-jump", theme.muted, "v", "-."),
    )
    handles = []
    for name, color, marker, line in looks:
        values = data["path_error"].sel(arm=name, statistic="mean")
        look = {"color": color, "marker": marker, "markersize": 4, "linestyle": line}
        ax.plot(root["level"], values, linewidth=1.2, **look)  # type: ignore[arg-type]
        handles.append(Line2D([], [], label=name, **look))  # type: ignore[arg-type]
    set_log_axis(ax)
    label_levels(ax, root, theme)
    ax.set_ylabel("squared error an entry", fontsize=TEXT, color=theme.ink)
    add_legend(figure, handles, theme)
    return figure


_BARS = "Means over problems, bars are 95 % bootstrap intervals. "

FIGURES = (
    FigureSpec(
        "errors",
        "Error of each way to the answer",
        f"Squared error an entry, mean over starts. {_BARS}Ways whose errors are the same end at "
        "the same place: what they differ in does not matter to the answer.",
        draw_errors,
        needs=("summary/model/error",),
        colors="theme",
    ),
    FigureSpec(
        "costs",
        "Error for the gradients that it takes",
        "A mark is a way; the line is the released rule, level by level. A Hessian counts as 2·d "
        f"gradients. {_BARS}Nearer to the lower left is better.",
        draw_costs,
        needs=tuple(
            f"summary/model/{name}" for name in ("cost", "error", "path_cost", "path_error")
        ),
        interactive_fn=interactive_costs,
        colors="theme",
    ),
    FigureSpec(
        "levels",
        "Error after each level",
        "Of the prediction y/s_t at the end of each level, mean over starts and problems. Where "
        "the lines are one, steps add nothing to the jumps.",
        draw_ways,
        needs=("summary/model/path_error",),
        colors="theme",
    ),
    FigureSpec(
        "minima",
        "Minima behind the answers",
        "Left, how many distinct minima of the finest level Newton descents from the answers of a "
        "problem’s starts reach; right, the share of pairs of starts that end at different ones. "
        f"{_BARS}One minimum and no pairs apart: there is nothing to search for.",
        draw_minima,
        needs=("summary/model/num_minima", "summary/model/apart"),
        colors="theme",
    ),
)
