"""The model and its control, as every figure of EXP-001 draws them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ired_interp.experiments.axes import add_legend
from ired_interp.experiments.base import Theme
from ired_interp.experiments.exp001.measure import ALL, BOTTOM, TOP

__all__ = ["ORDERS", "WIDTH", "Case", "cases_of", "legend", "root_of", "wanted_of"]

# Of a figure, in inches.
WIDTH = 9.0
ORDERS: Mapping[str, str] = {TOP: "top by falling |λ|", BOTTOM: "bottom by rising λ"}
"""How the eigenvalues of an end follow one another."""


@dataclass(frozen=True)
class Case:
    """One summary and the look it has in every figure; ``shift`` keeps two cases apart."""

    label: str
    data: xr.Dataset
    color: str
    line: Literal["-", "--"]
    marker: str
    shift: float


def cases_of(results: xr.DataTree, theme: Theme) -> list[Case]:
    """The model, and its control where the run has one."""

    def summary(name: str) -> xr.Dataset:
        return results[f"summary/{name}"].to_dataset().sortby("level")

    if "untrained" not in results["summary"].children:
        return [Case("model", summary("model"), theme.model, "-", "o", 0.0)]
    return [
        Case("model", summary("model"), theme.model, "-", "o", -0.15),
        Case("untrained control", summary("untrained"), theme.control, "--", "s", 0.15),
    ]


def root_of(results: xr.DataTree) -> xr.Dataset:
    """The model's own results, from the noisiest level on."""
    return results.to_dataset().sortby("level")


def wanted_of(root: xr.Dataset) -> dict[str, slice]:
    """Which eigenvalues are there for which reason; runs of version 1 have all."""
    if "wanted" not in root.coords:
        return {ALL: slice(0, root.sizes["eigen"])}
    names = root["wanted"].values.tolist()
    return {
        name: slice(names.index(name), names.index(name) + names.count(name))
        for name in dict.fromkeys(names)
    }


def legend(
    figure: Figure,
    cases: Sequence[Case],
    theme: Theme,
    ideal: str | None,
    *,
    joined: bool = True,
    dash: Literal[":", "-"] = ":",
) -> None:
    """A row above the panels: the cases, and what the ideal is called."""
    handles = [
        Line2D(
            [],
            [],
            color=case.color,
            linestyle=case.line if joined else "none",
            marker=case.marker,
            markersize=4,
            linewidth=1.5,
            label=case.label,
        )
        for case in cases
    ]
    if ideal is not None:
        handles.append(
            Line2D([], [], color=theme.ideal, linestyle=dash, linewidth=1.3, label=ideal)
        )
    add_legend(figure, handles, theme)
