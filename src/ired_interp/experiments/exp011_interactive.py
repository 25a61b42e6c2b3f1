"""The ways of EXP-011 in a browser: error against gradients, after each level."""

from typing import Any

import numpy as np
import xarray as xr

from ired_interp.anatomy import RELEASED
from ired_interp.experiments.base import Theme
from ired_interp.experiments.interactive import Interactive, axis, label, rounded

__all__ = ["SYMBOLS", "color_of", "interactive_costs"]

SYMBOLS = (
    ("o", "circle"),
    ("s", "square"),
    ("^", "triangle-up"),
    ("v", "triangle-down"),
    ("D", "diamond"),
    ("P", "cross"),
    ("X", "x"),
    ("<", "triangle-left"),
    (">", "triangle-right"),
    ("p", "pentagon"),
    ("h", "hexagon"),
    ("*", "star"),
)
"""The mark of each way, in turn, in a drawing and in a browser."""

_CASES = (("model", "model"), ("untrained", "untrained weights"))
_MARGIN = 0.1


def color_of(way: str, theme: Theme) -> str:
    """Newton's ways stand apart from those by gradients."""
    return theme.control if "newton" in way else theme.model


def interactive_costs(results: xr.DataTree, theme: Theme) -> Interactive:
    """Error and gradients of every way after each level that it goes through."""
    groups = results["summary"].children
    cases = [
        (name, groups[group].to_dataset().sortby("level"))
        for group, name in _CASES
        if group in groups
    ]
    model = cases[0][1]
    levels, sigma = model["level"].values, results.to_dataset().sortby("level")["sigma"].values
    ways = [str(name) for name in model["arm"].values]
    return Interactive(
        caption=(
            "How far each way has come after each level; the last level has the answers. Marks are "
            "those of the drawing, a way that leaves a level out has none there, and the line is "
            "the released rule, level by level. Under the pointer: the ways at that many "
            "gradients, with their error, in units of y², and its 95 % bootstrap interval over "
            "problems. The axes stay while the slider moves."
        ),
        slider="after level k",
        positions=[f"k = {k}, σ = {s:.2f}" for k, s in zip(levels, sigma, strict=True)],
        choice="weights",
        choices=[name for name, _ in cases],
        traces=[_line(theme), *(_trace(i, way, theme) for i, way in enumerate(ways))],
        values=[
            [
                [_whole_way(data), *(_values(data.sel(arm=way).isel(level=i)) for way in ways)]
                for i in range(len(levels))
            ]
            for _, data in cases
        ],
        layout={"hovermode": "x", "showlegend": False},
        changes=[[_axes(data)] * len(levels) for _, data in cases],
    )


def _line(theme: Theme) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "released rule",
        "line": {"color": theme.muted, "width": 1.2},
        "hoverinfo": "skip",
    }


def _trace(number: int, way: str, theme: Theme) -> dict[str, Any]:
    color = color_of(way, theme)
    _, symbol = SYMBOLS[number % len(SYMBOLS)]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": label(way),
        "marker": {"color": color, "size": 10, "symbol": symbol, "opacity": 0.85},
        "hovertemplate": (
            f"{label(way)}: %{{y:.3g}} [%{{customdata[0]:.3g}}, %{{customdata[1]:.3g}}], "
            "%{x:.4g} gradients<extra></extra>"
        ),
    }


def _whole_way(data: xr.Dataset) -> dict[str, Any]:
    way = data.sel(arm=RELEASED)
    return {
        axis_name: rounded(way[name].sel(statistic="mean").values)
        for axis_name, name in (("x", "path_cost"), ("y", "path_error"))
    }


def _values(here: xr.Dataset) -> dict[str, Any]:
    error, cost = here["path_error"], here["path_cost"].sel(statistic="mean")
    mean, low, high = (float(error.sel(statistic=name)) for name in ("mean", "low", "high"))
    if not np.isfinite(mean):
        return {"x": [None], "y": [None], "customdata": [[None, None]]}
    return {"x": rounded([cost]), "y": rounded([mean]), "customdata": rounded([[low, high]])}


def _axes(data: xr.Dataset) -> dict[str, Any]:
    return {
        "xaxis": axis("gradients a problem", type="log", range=_range(data["path_cost"])),
        "yaxis": axis("squared error an entry", type="log", range=_range(data["path_error"])),
    }


def _range(statistics: xr.DataArray) -> list[float]:
    """Of all ways and levels, in powers of ten; what is 0 has no place on such an axis."""
    values = statistics.sel(statistic="mean").values
    there = np.log10(values[np.isfinite(values) & (values > 0)])
    if there.size == 0:
        return [-1.0, 1.0]
    margin = _MARGIN * float(there.max() - there.min()) or _MARGIN
    found: list[float] = rounded([there.min() - margin, there.max() + margin])
    return found
