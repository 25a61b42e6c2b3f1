"""Pictures of EXP-002: slices by plane and level, and the solver's path from above."""

import math
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle

from ired_interp.experiments.axes import SMALL, TEXT
from ired_interp.experiments.base import FigureSpec, Theme
from ired_interp.experiments.exp002.slices import PLANES, SLICES
from ired_interp.experiments.exp002_interactive import interactive_slices
from ired_interp.experiments.exp002_slice_data import (
    COLOURS,
    FIRST,
    RINGS,
    path_in,
    reach_of,
    scaled_in,
    shades,
    slices_of,
)

__all__ = ["PATH", "SLICE_PLANES"]

# In inches: the side of a panel with its share of the gaps, and the margins around all.
_CELL = 1.5
_LEFT, _RIGHT, _BOTTOM, _TOP = 0.62, 0.85, 0.5, 0.7
_COLUMNS = 5
_NARROW = 7.0
_RANDOM = "random"
# Contours at so small a size are the same from every second line of the grid.
_THINNED = 2


def draw_planes(results: xr.DataTree, theme: Theme) -> Figure:
    """Every plane at five levels, on one colour scale."""
    data = slices_of(results)
    levels = _spread(data.sizes["level"])
    rows, columns = len(PLANES), len(levels)
    figure, grid = _panels(rows, columns, _CELL)
    scale = _scale(data)
    image: Any = None
    for i, (name, plane) in enumerate(PLANES.items()):
        for j, level in enumerate(levels):
            here = data.isel(level=level).sel(plane=name)
            image = _draw_slice(grid[i][j], here, scale, theme)
            _draw_path(grid[i][j], here, theme)
            if i == 0:
                grid[i][j].set_title(_level(here), fontsize=TEXT, color=theme.ink)
        grid[i][0].set_ylabel(plane.label, fontsize=TEXT, color=theme.ink)
    _finish(figure, image, theme)
    return figure


def draw_path(results: xr.DataTree, theme: Theme) -> Figure:
    """The plane of the solver's path and a random one, every level, with the gradient field."""
    data = slices_of(results)
    num = data.sizes["level"]
    blocks = math.ceil(num / _COLUMNS)
    columns = min(num, _COLUMNS)
    figure, grid = _panels(2 * blocks, columns, _CELL + 0.34)
    scale = _scale(data)
    image: Any = None
    for i in range(2 * blocks):
        name = ("path", _RANDOM)[i % 2]
        for j in range(columns):
            level = (i // 2) * columns + j
            if level >= num:
                grid[i][j].set_visible(False)
                continue
            here = data.isel(level=level).sel(plane=name)
            image = _draw_slice(grid[i][j], here, scale, theme)
            _draw_arrows(grid[i][j], here, theme)
            _draw_path(grid[i][j], here, theme)
            kept = float(here["path_kept"])
            title = f"{_level(here)}\nkeeps {kept:.3f}" if i % 2 == 0 else f"keeps {kept:.3f}"
            grid[i][j].set_title(title, fontsize=SMALL, color=theme.ink)
        grid[i][0].set_ylabel(PLANES[name].label, fontsize=TEXT, color=theme.ink)
    _finish(figure, image, theme)
    return figure


def _spread(num: int) -> list[int]:
    """At most five levels, the first and the last among them."""
    return sorted({round(i) for i in np.linspace(0, num - 1, min(num, _COLUMNS))})


def _panels(rows: int, columns: int, row_height: float) -> tuple[Figure, list[list[Axes]]]:
    # Fixed margins: a layout that measures all the letters takes seconds with so many panels.
    width, height = max(5.4, _LEFT + _RIGHT + columns * _CELL), _TOP + _BOTTOM + rows * row_height
    figure = Figure((width, height))
    figure.subplots_adjust(
        left=_LEFT / width,
        right=1 - _RIGHT / width,
        bottom=_BOTTOM / height,
        top=1 - _TOP / height,
        wspace=0.06,
        hspace=0.06 * row_height + (row_height - _CELL) / _CELL,
    )
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    return figure, [list(row) for row in grid]


def _scale(data: xr.Dataset) -> Normalize:
    """As far below the point, at 0, as the ideal bowl in the corner of a slice is above it."""
    return Normalize(-(reach_of(data) ** 2), reach_of(data) ** 2)


def _draw_slice(ax: Axes, here: xr.Dataset, scale: Normalize, theme: Theme) -> Any:
    u, v = here["u"].values, here["v"].values
    scaled = scaled_in(here)
    extent = (float(u[0]), float(u[-1]), float(v[0]), float(v[-1]))
    image = ax.imshow(
        scaled,
        norm=scale,
        cmap=shades(theme.name),
        origin="lower",
        extent=extent,
        aspect="equal",
        interpolation="none",
    )
    _dress(ax, theme)
    ax.set_xlim(extent[0], extent[1])
    ax.set_ylim(extent[2], extent[3])
    if not np.isfinite(scaled).any():
        ax.text(0, 0, "no point\nfound", ha="center", va="center", fontsize=SMALL, color=theme.ink)
        return image
    bottom = float(np.nanmin(scaled))
    ax.contour(
        u[::_THINNED],
        v[::_THINNED],
        scaled[::_THINNED, ::_THINNED],
        levels=[bottom + ring**2 / 2 for ring in RINGS],
        colors=[theme.ink],
        linewidths=0.7,
    )
    _draw_ideal(ax, here, theme)
    return image


def _draw_ideal(ax: Axes, here: xr.Dataset, theme: Theme) -> None:
    """Contours of the ideal bowl: circles around the foot of s_t·y*."""
    centre = here["answer_at"].values
    for ring in RINGS:
        look: Any = {"edgecolor": theme.ideal, "linewidth": 0.6, "linestyle": (0, (1, 2))}
        ax.add_artist(Circle((centre[0], centre[1]), ring, facecolor="none", **look))
    ax.plot(
        *centre,
        marker="+",
        markersize=5,
        markeredgewidth=1,
        color=theme.ideal,
        scalex=False,
        scaley=False,
    )


def _draw_path(ax: Axes, here: xr.Dataset, theme: Theme) -> None:
    at = path_in(here)
    look: Any = {"scalex": False, "scaley": False, "color": theme.control}
    ax.plot(at[:, 0], at[:, 1], linewidth=1.0, marker="o", markersize=1.8, **look)
    ax.plot(*at[-1], linestyle="none", marker="s", markersize=3.4, **look)


def _draw_arrows(ax: Axes, here: xr.Dataset, theme: Theme) -> None:
    """-∇E·σ_t in the plane, to scale: in the ideal bowl it points to its bottom, half as long."""
    field = -here["gradient"].transpose("arrow_v", "arrow_u", "axis").values
    ax.quiver(
        here["arrow_u"].values,
        here["arrow_v"].values,
        field[..., 0],
        field[..., 1],
        angles="xy",
        scale_units="xy",
        scale=6.0,
        width=0.006,
        color=theme.muted,
    )


def _dress(ax: Axes, theme: Theme) -> None:
    ax.set_facecolor("none")
    ax.tick_params(colors=theme.ink, labelsize=SMALL - 1, color=theme.muted, length=2)
    for spine in ax.spines.values():
        spine.set_color(theme.muted)
        spine.set_linewidth(0.6)


def _finish(figure: Figure, image: Any, theme: Theme) -> None:
    width, height = figure.get_size_inches()
    place = (1 - (_RIGHT - 0.15) / width, 0.3, 0.13 / width, 0.4)
    bar = figure.colorbar(image, cax=figure.add_axes(place))
    bar.ax.tick_params(colors=theme.ink, labelsize=SMALL, color=theme.muted)
    bar.outline.set_edgecolor(theme.muted)
    bar.set_label("(E − E at the point)/σ", fontsize=TEXT, color=theme.ink)
    figure.text(0.5, 0.1 / height, "u  (σ)", fontsize=TEXT, color=theme.ink, ha="center")
    handles = [
        Line2D([], [], color=theme.ink, linewidth=0.9, label="contours ½, 2, 4½ above the lowest"),
        Line2D([], [], color=theme.ideal, linewidth=0.9, linestyle=(0, (1, 2)), label="ideal"),
        Line2D([], [], color=theme.ideal, linestyle="none", marker="+", label="s·y*"),
        Line2D([], [], color=theme.control, marker="o", markersize=3, label="solver’s path"),
    ]
    figure.legend(
        handles=handles,
        loc="upper left",
        ncols=2 if width < _NARROW else len(handles),
        frameon=False,
        fontsize=TEXT,
        labelcolor=theme.ink,
        handlelength=2.2,
    )


def _level(here: xr.Dataset) -> str:
    return f"k = {int(here['level'])},  σ = {float(here['sigma']):.2f}"


SLICE_PLANES = FigureSpec(
    "slices",
    "Slices through one point, plane by plane",
    "One row a plane, one column a level, of the first problem. Colour is (E − E at the point)/σ_t "
    f"on one scale for all panels, {COLOURS}; both axes are in units of σ_t, with the point in "
    "the middle. "
    "Lines are the heights ½, 2 and 4½ above the lowest of the panel, dotted circles the same "
    "heights of the ideal bowl around s_t·y* (+, its foot on the plane). The solver’s predictions "
    "after levels 2 … K, in the level’s coordinates, are drawn on top, the last as a square. The "
    "last row is a random plane: what it shows too is no property of the others.",
    draw_planes,
    needs=(f"{SLICES}/{FIRST}/energy_above",),
    interactive_fn=interactive_slices,
)

PATH = FigureSpec(
    "path",
    "The solver’s path from above, with the gradient field",
    "The plane of the path’s first two principal components through the point, above, and a random "
    f"plane, below, at every level, of the first problem. Colours as above: {COLOURS}. Arrows are "
    "−∇E within the plane, drawn to scale on all panels. “keeps” is the share of the path’s "
    "variance that the plane holds: a path always looks planar in the plane of its own "
    "components, so read it beside the random walks of the figure on the path’s variance.",
    draw_path,
    needs=(f"{SLICES}/{FIRST}/energy_above",),
)
