"""The slices of EXP-002 in a browser: any plane at any level, with the whole grid."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from ired_interp.experiments.base import Theme
from ired_interp.experiments.exp002.slices import PLANES
from ired_interp.experiments.exp002_slice_data import (
    COLOURS,
    RINGS,
    path_in,
    reach_of,
    scaled_in,
    shades,
    slices_of,
)
from ired_interp.experiments.interactive import Interactive, axis, grid, rounded, themed

__all__ = ["interactive_slices"]

_CIRCLE = np.linspace(0, 2 * np.pi, 49)


def interactive_slices(results: xr.DataTree, theme: Theme) -> Interactive:
    """A plane at a level: heights, the ideal bowl, s_t·y*, and the solver's path."""
    data = slices_of(results)
    levels, sigma = data["level"].values, data["sigma"].values
    reach = reach_of(data)
    planes = [str(name) for name in PLANES]
    values = [
        [_values(data.isel(level=i).sel(plane=plane)) for i in range(len(levels))]
        for plane in planes
    ]
    square = {"constrain": "domain", "range": [-reach, reach], "zeroline": False}
    changes = [
        [
            {
                "xaxis": axis(f"u (σ): {PLANES[plane].axes[0]}", **square),
                "yaxis": axis(f"v (σ): {PLANES[plane].axes[1]}", scaleanchor="x", **square),
            }
        ]
        * len(levels)
        for plane in planes
    ]
    return Interactive(
        caption=(
            "Any plane at any level, with all points of the grid. Lines are 1 apart in "
            "(E − E at the point)/σ_t, the colour scale is that of all slices: "
            f"{COLOURS}, what is beyond its ends in the colours there. The axes are in "
            "units of σ_t. Under the pointer: u, v and the height; on the path, how far the "
            "prediction lies off the plane."
        ),
        slider="level k",
        positions=[f"k = {k}, σ = {s:.2f}" for k, s in zip(levels, sigma, strict=True)],
        choice="plane",
        choices=[PLANES[plane].label for plane in planes],
        traces=_traces(data, reach, theme),
        values=values,
        layout={"hovermode": "closest"},
        changes=changes,
    )


def _traces(data: xr.Dataset, reach: float, theme: Theme) -> Sequence[Mapping[str, Any]]:
    return [
        {
            "type": "contour",
            "x": rounded(data["u"].values),
            "y": rounded(data["v"].values),
            "zmin": -(reach**2),
            "zmax": reach**2,
            "colorscale": themed(*(_scale(name) for name in ("light", "dark"))),
            "contours": _LINES | {"start": -math.ceil(2 * reach**2), "end": 2 * reach**2},
            "line": {"color": theme.muted, "width": 0.6},
            "colorbar": _BAR,
            "hovertemplate": "u %{x:.2f} σ, v %{y:.2f} σ<br>height %{z:.3g} σ<extra></extra>",
            "name": "height",
            "showlegend": False,
        },
        {
            "type": "scatter",
            "mode": "lines",
            "name": "ideal bowl at 1, 2, 3 σ",
            "line": {"color": theme.ideal, "width": 1, "dash": "dot"},
            "hoverinfo": "skip",
        },
        {
            "type": "scatter",
            "mode": "markers",
            "name": "s·y*",
            "marker": {"color": theme.ideal, "size": 10, "symbol": "cross-thin", "line": _THIN},
            "hovertemplate": "s·y*: u %{x:.2f} σ, v %{y:.2f} σ<extra></extra>",
        },
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": "solver’s path",
            "line": {"color": theme.control, "width": 1.6},
            "marker": {"color": theme.control, "size": 6},
            "text": [str(int(step)) for step in data["path_step"].values],
            "hovertemplate": (
                "after level %{text}: u %{x:.2f} σ, v %{y:.2f} σ, %{customdata:.2f} σ off the "
                "plane<extra></extra>"
            ),
        },
    ]


# Below the plane, which would be small beside it on a narrow page.
_BAR = {
    "title": {"text": "height, σ", "side": "top"},
    "orientation": "h",
    "y": -0.28,
    "yanchor": "top",
    "thickness": 10,
    "len": 0.6,
    "outlinewidth": 0,
}
_LINES = {"size": 1, "coloring": "heatmap"}
_THIN = {"color": "var(--fig-ideal)", "width": 1.5}


def _scale(theme: str) -> list[list[Any]]:
    """Of plotly, as the drawing has it."""
    from matplotlib.colors import to_hex

    colors, places = shades(theme), np.linspace(0, 1, 25)
    return [[float(place), to_hex(colors(float(place)))] for place in places]


def _values(here: xr.Dataset) -> list[dict[str, Any]]:
    centre, path = here["answer_at"].values, path_in(here)
    rings: list[Any] = []
    for ring in RINGS:
        rings += [centre + ring * np.stack([np.cos(a), np.sin(a)]) for a in _CIRCLE]
        rings.append(np.full(2, np.nan))  # ends the line
    circles = np.round(np.array(rings), 3)
    return [
        {"z": grid(scaled_in(here))},
        {"x": rounded(circles[:, 0]), "y": rounded(circles[:, 1])},
        {"x": rounded(centre[:1]), "y": rounded(centre[1:])},
        {
            "x": rounded(path[:, 0]),
            "y": rounded(path[:, 1]),
            "customdata": rounded(here["path_distance"].values),
        },
    ]
