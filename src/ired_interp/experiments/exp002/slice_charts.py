"""Charts of EXP-002's slices: any plane at any level, and the solver's path from above."""

from typing import Any

import numpy as np
import xarray as xr

from ired_interp.experiments.exp002.slices import PLANES, SLICES
from ired_interp.experiments.kit.chart_cases import level_places, spread
from ired_interp.experiments.kit.charts import custom
from ired_interp.experiments.kit.drawn import Axis, Drawing, Grid, Panel
from ired_interp.experiments.kit.traces import Arrows, Contour, Heat, Line, Note, Trace

__all__ = ["PATH", "SLICE_PLANES"]

_FIRST = "0"  # the problem whose slices are shown
# Contours of the ideal bowl at a distance of 1, 2 and 3 from its bottom, in σ_t.
_RINGS = (1.0, 2.0, 3.0)
_COLOURS = "blue above the point, yellow below it"
_COLUMNS = 5
_RANDOM = "random"
_CIRCLE = np.linspace(0, 2 * np.pi, 49)
# An arrow is this share of −σ∇E: in the ideal bowl it goes so far towards its bottom.
_ARROW = 1 / 6


def planes(results: xr.DataTree) -> Drawing:
    """Every plane at five levels, on one colour scale; and any at any level."""
    data = _slices(results)
    num = data.sizes["level"]
    shown = spread(num, _COLUMNS)
    overview = [
        _panel(data, name, k, title=f"{plane.label}\n{_level(data, k)}")
        for name, plane in PLANES.items()
        for k in shown
    ]
    return Drawing(
        overview=_grid(overview, len(shown)),
        slider="level k",
        places=level_places(data),
        choice="plane",
        choices=[plane.label for plane in PLANES.values()],
        views=[
            [_alone(_panel(data, name, k, axes=plane.axes)) for k in range(num)]
            for name, plane in PLANES.items()
        ],
        hint="By itself a slice says what its axes are; under the pointer stand u, v and the "
        "height, on the path how far the prediction lies off the plane.",
    )


def path(results: xr.DataTree) -> Grid:
    """The plane of the solver's path and a random one, every level, with the gradient field."""
    data = _slices(results)
    num = data.sizes["level"]
    columns = min(num, _COLUMNS)
    panels = []
    for first in range(0, num, columns):
        for name in ("path", _RANDOM):
            for k in range(first, min(first + columns, num)):
                kept = float(data.isel(level=k).sel(plane=name)["path_kept"])
                title = f"{PLANES[name].label}\n{_level(data, k)}\nkeeps {kept:.3f}"
                panels.append(_panel(data, name, k, title=title, arrows=True))
    return _grid(panels, columns)


def _slices(results: xr.DataTree) -> xr.Dataset:
    """Of the first sliced problem, from the noisiest level on."""
    return results[f"{SLICES}/{_FIRST}"].to_dataset().sortby("level")


def _grid(panels: list[Panel], columns: int) -> Grid:
    return Grid(panels=panels, columns=columns, same_x=True, same_y="all", height=1.7)


def _alone(panel: Panel) -> Grid:
    return Grid(panels=[panel], height=2.8)


def _level(data: xr.Dataset, k: int) -> str:
    return f"k = {int(data['level'][k])},  σ = {float(data['sigma'][k]):.2f}"


def _panel(
    data: xr.Dataset,
    plane: str,
    k: int,
    *,
    title: str = "",
    axes: tuple[str, str] | None = None,
    arrows: bool = False,
) -> Panel:
    here = data.isel(level=k).sel(plane=plane)
    u, v = here["u"].values, here["v"].values
    scaled = here["energy_above"].transpose("v", "u").values / float(here["sigma"])
    # As far below the point, at 0, as the ideal bowl in the corner of a slice is above it.
    most = float(u.max()) ** 2
    height: Any = {"low": -most, "high": most, "scale": "heights", "name": "height, σ"}
    label = "(E − E at the point)/σ"
    traces: list[Trace] = [Heat(x=u, y=v, z=scaled, label=label, **height)]
    if np.isfinite(scaled).any():
        levels = [float(np.nanmin(scaled)) + ring**2 / 2 for ring in _RINGS]
        words = "heights ½, 2, 4½ above the lowest"
        traces.append(Contour(x=u, y=v, z=scaled, levels=levels, name=words))
        traces += _ideal(here)
    else:
        traces.append(Note(text="no point\nfound", x=0.5, y=0.5, align="center"))
    if arrows:
        traces.append(_field(here))
    traces += _path(here)
    said = [f": {of}" for of in axes or ()] or ["", ""]
    x = Axis(label=f"u (σ){said[0]}", low=float(u[0]), high=float(u[-1]))
    y = Axis(label=f"v (σ){said[1]}", low=float(v[0]), high=float(v[-1]))
    return Panel(traces=traces, title=title, x=x, y=y, square=True)


def _ideal(here: xr.Dataset) -> list[Trace]:
    """Contours of the ideal bowl: circles around the foot of s_t·y*."""
    centre = here["answer_at"].values
    rings: list[Any] = []
    for ring in _RINGS:
        rings += [centre + ring * np.stack([np.cos(a), np.sin(a)]) for a in _CIRCLE]
        rings.append(np.full(2, np.nan))  # ends the line
    circles = np.array(rings)
    name = "ideal bowl at 1, 2, 3 σ"
    look: Any = {"color": "ideal", "dash": "dot", "hover": False, "size": 0.6}
    foot: Any = {"color": "ideal", "dash": "none", "marker": "plus"}
    return [
        Line(x=circles[:, 0], y=circles[:, 1], name=name, **look),
        Line(x=centre[:1], y=centre[1:], name="s·y*", **foot),
    ]


def _path(here: xr.Dataset) -> list[Trace]:
    at = here["path_at"].transpose("path_step", "axis").values
    words = [
        f"after level {int(step)}, {float(off):.2f} σ off the plane"
        for step, off in zip(here["path_step"].values, here["path_distance"].values, strict=True)
    ]
    look: Any = {"color": "control", "marker": "circle", "size": 0.7}
    line = Line(x=at[:, 0], y=at[:, 1], words=words, name="solver’s path", **look)
    end: Any = {"color": "control", "marker": "square", "dash": "none", "listed": False}
    last = Line(x=at[-1:, 0], y=at[-1:, 1], name="solver’s path", hover=False, **end)
    return [line, last]


def _field(here: xr.Dataset) -> Arrows:
    """-∇E·σ_t in the plane, to scale: in the ideal bowl it points to its bottom."""
    field = -_ARROW * here["gradient"].transpose("arrow_v", "arrow_u", "axis").values
    u, v = np.meshgrid(here["arrow_u"].values, here["arrow_v"].values)
    along, up = field[..., 0].ravel(), field[..., 1].ravel()
    return Arrows(x=u.ravel(), y=v.ravel(), dx=along, dy=up, name="−∇E in the plane")


SLICE_PLANES = custom(
    "slices",
    "Slices through one point, plane by plane",
    "One row a plane, one column a level, as far as the page is wide; of the first problem. "
    "Colour is (E − E at the point)/σ_t "
    f"on one scale for all panels, {_COLOURS}; both axes are in units of σ_t, with the point in "
    "the middle. "
    "Lines are the heights ½, 2 and 4½ above the lowest of the panel, dotted circles the same "
    "heights of the ideal bowl around s_t·y* (+, its foot on the plane). The solver’s predictions "
    "after levels 2 … K, in the level’s coordinates, are drawn on top, the last as a square. The "
    "last row is a random plane: what it shows too is no property of the others.",
    traces=planes,
    needs=(f"{SLICES}/{_FIRST}/energy_above",),
)

PATH = custom(
    "path",
    "The solver’s path from above, with the gradient field",
    "The plane of the path’s first two principal components through the point, above, and a random "
    f"plane, below, at every level, of the first problem. Colours as above: {_COLOURS}. Arrows are "
    "−∇E within the plane, drawn to scale on all panels. “keeps” is the share of the path’s "
    "variance that the plane holds: a path always looks planar in the plane of its own "
    "components, so read it beside the random walks of the figure on the path’s variance.",
    traces=path,
    needs=(f"{SLICES}/{_FIRST}/energy_above",),
)
