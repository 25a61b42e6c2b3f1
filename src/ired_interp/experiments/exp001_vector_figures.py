"""The figure of EXP-001 that shows eigenvectors as matrices, beside the problem's own."""

import math
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure
from xarray import Dataset, DataTree

from ired_interp.experiments.axes import SMALL
from ired_interp.experiments.base import FigureSpec, Theme
from ired_interp.experiments.exp001_cases import root_of

__all__ = ["EIGENVECTORS"]

_STEPS = 64
_CELL = 1.32
# Matrices of a larger side are shown of one problem only: each entry is a shape in the file.
_SMALL_SIDE, _FEW = 8, 2
# Blue below 0, red above; 0 has the colour of the page.
_DARK_COLORS = ("#b5e2ff", "#3f9fe0", "#20262c", "#e0613a", "#ffd0b3")


@dataclass(frozen=True)
class _Place:
    """A problem at a level, as positions in the results."""

    problem: int
    level: int


def draw_eigenvectors(results: DataTree, theme: Theme) -> Figure:
    """Question and answer, then the eigenvectors of both ends at a coarse and a fine level."""
    root = root_of(results)
    places = _places(root)
    ends, num = root["end"].values.tolist(), root.sizes["vector"]
    columns, rows = 1 + num * len(ends), max(2, len(places))
    height = 0.65 + rows * (_CELL + 0.52)
    figure = Figure((0.5 + columns * _CELL, height))
    # The axes of a row start at its top, below the room of their titles.
    grid = figure.subplots(rows, columns, squeeze=False)
    figure.subplots_adjust(
        left=0.02, right=0.98, bottom=0.62 / height, top=1 - 0.48 / height, hspace=0.5, wspace=0.12
    )
    for ax in grid.flatten():
        ax.set_axis_off()
    shades = _shades(theme)
    side = _side(root)
    shown = [root["eigenvectors"].isel(problem=p.problem, level=p.level).values for p in places]
    most = max((float(np.abs(vectors).max()) for vectors in shown), default=1.0)
    drawn: Any = None
    if not places:
        grid[0, 0].set_title("no point was found", fontsize=SMALL, color=theme.ink, loc="left")
    for i, (place, vectors) in enumerate(zip(places, shown, strict=True)):
        first = i == 0 or places[i - 1].problem != place.problem
        _draw_given(grid[i, 0], root, place.problem, shades, theme, answer=not first)
        here = root.isel(problem=place.problem, level=place.level)
        for j, end in enumerate(ends):
            for v in range(num):
                ax = grid[i, 1 + j * num + v]
                matrix = vectors[j, v].reshape(-1, side)
                drawn = _draw_matrix(ax, matrix, most, shades, theme)
                title = _title(here.isel(end=j, vector=v), f"{end} {v + 1}")
                ax.set_title(title, fontsize=SMALL - 0.7, color=theme.ink, pad=3)
    if len(places) == 1:
        _draw_given(grid[1, 0], root, places[0].problem, shades, theme, answer=True)
    if drawn is not None:
        _add_bar(figure, drawn, most, height, theme)
    return figure


def _shades(theme: Theme) -> Colormap:
    if theme.name == "dark":
        return LinearSegmentedColormap.from_list("dark diverging", _DARK_COLORS, N=_STEPS)
    return mpl.colormaps["RdBu_r"].resampled(_STEPS)


def _places(root: Dataset) -> list[_Place]:
    """The coarsest and the finest level at which the first problems have a point."""
    found = (root["status"] == 0).transpose("problem", "level").values
    places = []
    num = _FEW if _side(root) <= _SMALL_SIDE else 1
    problems = [i for i in range(len(found)) if found[i].any()]
    for problem in problems[:num]:
        levels = np.flatnonzero(found[problem])
        ends = dict.fromkeys((int(levels[0]), int(levels[-1])))
        places += [_Place(problem, level) for level in ends]
    return places


def _side(root: Dataset) -> int:
    """Of the answer's square matrix; an answer that is none is one row."""
    d = root.sizes["y_dim"]
    side = math.isqrt(d)
    return side if side * side == d else d


def _draw_given(
    ax: Axes, root: Dataset, problem: int, shades: Colormap, theme: Theme, *, answer: bool
) -> None:
    name, side = ("answer", _side(root)) if answer else ("x", _side(root))
    values = root[name].isel(problem=problem).values
    matrix = values.reshape(-1, side) if values.size % side == 0 else values[None]
    most = float(np.abs(matrix).max()) or 1.0
    _draw_matrix(ax, matrix, most, shades, theme)
    label = "answer y*" if answer else "question x"
    number = int(root["problem"][problem])
    title = f"problem {number}\n{label}\ncolours: ±{most:.2g}"
    ax.set_title(title, fontsize=SMALL - 0.7, color=theme.model, pad=3)


def _draw_matrix(
    ax: Axes, matrix: npt.NDArray[np.floating[Any]], most: float, shades: Colormap, theme: Theme
) -> Any:
    """Row 1 on top; the frame is muted, so that pale matrices keep their edge."""
    drawn = ax.pcolormesh(matrix, cmap=shades, vmin=-most, vmax=most)
    drawn.set_edgecolor("face")
    drawn.set_linewidth(0.2)
    ax.invert_yaxis()
    ax.set_aspect("equal")
    ax.set_axis_on()
    ax.set(xticks=[], yticks=[], facecolor="none")
    for spine in ax.spines.values():
        spine.set(color=theme.muted, linewidth=0.6)
    return drawn


def _title(here: Dataset, name: str) -> str:
    """The eigenvalue with its radius, and what the vector is worth."""
    at = int(here["vector_eigen"])
    value, radius = (float(here[key][at]) for key in ("eigenvalues", "radii"))
    size, gap = int(here["vector_cluster_size"]), float(here["vector_gap"])
    worth = f"next λ at {gap:.1g}" if size == 1 else f"cluster of {size}: arbitrary"
    level = int(here["level"])
    text = f"{name},  k = {level}\nλ = {value:.4g} ± {radius:.0e}\n{worth}"
    return text.replace("-", "−")


def _add_bar(figure: Figure, drawn: Any, most: float, height: float, theme: Theme) -> None:
    ax = figure.add_axes((0.35, 0.34 / height, 0.3, 0.1 / height))
    bar = figure.colorbar(drawn, cax=ax, orientation="horizontal")
    if bar.solids is not None:
        bar.solids.set_rasterized(False)
    bar.outline.set_visible(False)
    bar.set_ticks([-most, 0, most], labels=[f"−{most:.2g}", "0", f"{most:.2g}"])
    ax.tick_params(colors=theme.ink, labelsize=SMALL, length=2)
    ax.set_title("entry of the eigenvector", fontsize=SMALL, color=theme.ink, pad=2)


EIGENVECTORS = FigureSpec(
    "eigenvectors",
    "Eigenvectors as matrices, beside the problem’s own",
    "The first problems of the run: the question x and the answer y*, row-major as matrices, and "
    "the first eigenvectors of H at the coarsest and the finest level measured, in the same "
    "layout: top by the largest |λ|, bottom by the lowest λ, each with its eigenvalue, the "
    "certified radius and the distance to the next eigenvalue. A vector shows in which entries the "
    "answer must move together to change the energy most (top) or least (bottom); its sign is "
    "arbitrary, set so that the largest entry is positive. Where the note says cluster the vector "
    "is an accident of the arithmetic. Where the next eigenvalue is near by the measure of what "
    "you call the same, it is an accident of the training: the ideal spectrum of a determined "
    "answer is flat and has no eigenvectors of its own. Two problems are no evidence for all.",
    draw_eigenvectors,
    needs=("eigenvectors", "vector_eigen", "radii"),
)
