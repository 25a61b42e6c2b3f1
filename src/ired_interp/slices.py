"""Planes through a landscape: energy and gradient on a grid, and paths seen from above.

A plane has an origin and two orthonormal axes in the space of y. Its coordinates (u, v) count in
``unit``, a length in y that the caller states: σ_t, or the ‖δy‖ of a perturbation. Directions are
never rescaled entry by entry: that trick removes the scale invariance of *weights*, which a slice
in y does not have.

**What a plane keeps of a path.** With the path's points centred on their mean, the share of
Σ‖y_i - ȳ‖² that lies in the plane. Two nulls belong beside it: a random plane keeps 2/d, and the
plane of a random walk's own first two principal components keeps most of it all the same
(`random_walk_shares`), as Antognini & Sohl-Dickstein (2018, arXiv 1806.08805) show.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ired_interp.checks import (
    Real,
    Whole,
    check_finite,
    check_like,
    check_matrix,
    real,
    whole,
    whole_numbers,
)
from ired_interp.draws import RowDraws
from ired_interp.errors import ShapeError
from ired_interp.landscape import Landscape

__all__ = [
    "GradientSlice",
    "PathComponents",
    "Plane",
    "Projection",
    "grid_axis",
    "path_components",
    "plane_through",
    "project_path",
    "random_walk_shares",
    "slice_energy",
    "slice_gradient",
]

_MOST_PARALLEL = 1e-6
_COPIES = 4  # of a chunk's points: the points, the questions, and what is made on the way


@dataclass(frozen=True, slots=True)
class Plane:
    """A plane through one point of each row.

    Attributes:
        origin: Where (u, v) = (0, 0).
        axes: Orthonormal: the first is the u axis, the second the v axis.
        unit: How long a step of u or v by 1 is, in y.
        names: What the two directions are.
    """

    origin: Float[Tensor, "n d"]
    axes: Float[Tensor, "n 2 d"]
    unit: Float[Tensor, " n"]
    names: tuple[str, str]

    def points(self, coordinates: Float[Tensor, "n m 2"]) -> Float[Tensor, "n m d"]:
        """y at (u, v).

        Raises:
            ShapeError: Not m pairs for each row of the plane.
        """
        _check_rows("coordinates", coordinates, self, 2)
        steps = coordinates * self.unit[:, None, None]
        return self.origin[:, None, :] + steps @ self.axes

    def coordinates(self, y: Float[Tensor, "n m d"]) -> Float[Tensor, "n m 2"]:
        """(u, v) of the foot of each point on the plane.

        Raises:
            ShapeError: Not m points for each row of the plane.
        """
        _check_rows("y", y, self, self.origin.shape[1])
        return (y - self.origin[:, None, :]) @ self.axes.mT / self.unit[:, None, None]


@dataclass(frozen=True, slots=True)
class GradientSlice:
    """The gradient field on a grid.

    Attributes:
        components: ∇E along the two axes, in energy / y.
        norm: ‖∇E‖ with all its entries: what the plane does not show is in the difference.
    """

    components: Float[Tensor, "n v u 2"]
    norm: Float[Tensor, "n v u"]


@dataclass(frozen=True, slots=True)
class Projection:
    """A path seen from above the plane.

    Attributes:
        coordinates: (u, v) of each of its points.
        distance: From the plane, in y.
        kept: Share of the path's variance about its mean that lies in the plane, 0 … 1; NaN where
            the path does not move.
    """

    coordinates: Float[Tensor, "n m 2"]
    distance: Float[Tensor, "n m"]
    kept: Float[Tensor, " n"]


@dataclass(frozen=True, slots=True)
class PathComponents:
    """Principal components of each path, by falling variance.

    Attributes:
        axes: Orthonormal, the largest entry of each positive.
        shares: Of the path's variance, summing to at most 1; NaN where the path does not move.
    """

    axes: Float[Tensor, "n k d"]
    shares: Float[Tensor, "n k"]


def plane_through(
    origin: Float[Tensor, "n d"],
    first: Float[Tensor, "n d"],
    second: Float[Tensor, "n d"],
    *,
    unit: Float[Tensor, " n"],
    names: tuple[str, str],
) -> Plane:
    """The plane that two directions span at each origin.

    The first direction keeps its course; the second is made orthogonal to it.

    Args:
        origin: A point a row.
        first: A direction a row, of any length.
        second: Another.
        unit: Length of a step by 1 on either axis, above 0.
        names: What the directions are.

    Raises:
        ShapeError: Shapes that differ, fewer than 2 entries, a direction of length 0, two that are
            parallel (sine of their angle ≤ 1e-6), or a unit that is not positive.
        DtypeError, NonFiniteError: Not finite tensors of one dtype and device.
    """
    check_matrix("origin", origin)
    for name, value in (("first", first), ("second", second)):
        if value.shape != origin.shape:
            raise ShapeError(
                f"plane_through: {name}: expected shape {tuple(origin.shape)} as origin has, found "
                f"{tuple(value.shape)}."
            )
        check_like(name, value, origin, "origin")
        check_finite(name, value)
    if origin.shape[1] < 2:  # noqa: PLR2004 - a plane
        raise ShapeError("plane_through: expected y with at least 2 entries, found 1: no plane.")
    if unit.shape != origin.shape[:1] or not bool((unit > 0).all() & torch.isfinite(unit).all()):
        raise ShapeError(
            f"plane_through: unit: expected {origin.shape[0]} lengths above 0, found "
            f"{tuple(unit.shape)}: {unit.tolist()[:3]}."
        )
    lengths = torch.stack([first.norm(dim=1), second.norm(dim=1)])
    if bool((lengths == 0).any()):
        row = int((lengths == 0).any(dim=0).nonzero()[0])
        raise ShapeError(
            f"plane_through: expected two directions, found one of length 0 at row {row} "
            f"({' and '.join(names)})."
        )
    u = first / lengths[0][:, None]
    v = second / lengths[1][:, None]
    for _ in range(2):  # twice is enough
        v = v - (u * v).sum(dim=1, keepdim=True) * u
        sine = v.norm(dim=1, keepdim=True)
        if bool((sine <= _MOST_PARALLEL).any()):
            row = int((sine <= _MOST_PARALLEL).any(dim=1).nonzero()[0])
            raise ShapeError(
                f"plane_through: expected two directions that span a plane, found parallel ones at "
                f"row {row} ({' and '.join(names)})."
            )
        v = v / sine
    return Plane(origin, torch.stack([u, v], dim=1), unit.to(origin), names)


def grid_axis(num: Whole, reach: Real) -> Float[Tensor, " num"]:
    """``num`` coordinates from -reach to reach, float64; an odd number has 0 in the middle.

    Raises:
        ShapeError: Fewer than 2, or a reach that is not positive.
    """
    num = whole("num", num)
    reach = real("reach", reach)
    if num < 2 or not 0 < reach < math.inf:  # noqa: PLR2004
        raise ShapeError(f"grid_axis: expected num ≥ 2 and reach > 0, found {num} and {reach}.")
    return torch.linspace(-reach, reach, num, dtype=torch.float64, device="cpu")


def slice_energy(
    land: Landscape, plane: Plane, u: Float[Tensor, " u"], v: Float[Tensor, " v"]
) -> Float[Tensor, "n v u"]:
    """E at every point of the grid: v goes down the rows, u along the columns.

    Raises:
        ShapeError: The plane has other rows than the landscape, or u or v is no list of numbers.
        DtypeError, NonFiniteError: As the landscape's methods.

    Cost: one energy a point of the grid, in chunks that stay near the landscape's ``max_bytes``.
    """
    parts = [land.select(rows).energy(y) for rows, y in _chunks(land, plane, u, v)]
    return torch.cat(parts).reshape(plane.origin.shape[0], len(v), len(u))


def slice_gradient(
    land: Landscape, plane: Plane, u: Float[Tensor, " u"], v: Float[Tensor, " v"]
) -> GradientSlice:
    """∇E at every point of the grid, projected into the plane.

    Raises:
        ShapeError, DtypeError, NonFiniteError: As `slice_energy`.

    Cost: one gradient a point of the grid, in chunks as `slice_energy`.
    """
    components, norms = [], []
    for rows, y in _chunks(land, plane, u, v):
        gradient = land.select(rows).gradient(y)
        components.append(torch.einsum("md,mad->ma", gradient, plane.axes[rows]))
        norms.append(gradient.norm(dim=1))
    shape = (plane.origin.shape[0], len(v), len(u))
    return GradientSlice(
        torch.cat(components).reshape(*shape, 2),
        torch.cat(norms).reshape(shape),
    )


def project_path(plane: Plane, path: Float[Tensor, "n m d"]) -> Projection:
    """Where a path runs above the plane, and how much of its variance the plane keeps.

    Raises:
        ShapeError: Other rows or entries than the plane.
        DtypeError, NonFiniteError: Not finite and in the plane's dtype.
    """
    _check_rows("path", path, plane, plane.origin.shape[1])
    check_like("path", path, plane.origin, "the plane")
    check_finite("path", path)
    coordinates = plane.coordinates(path)
    centred = path - path.mean(dim=1, keepdim=True)
    inside = (centred @ plane.axes.mT).square().sum(dim=(1, 2))
    total = centred.square().sum(dim=(1, 2))
    off = path - plane.points(coordinates)
    return Projection(coordinates, off.norm(dim=2), _share(inside, total))


def path_components(path: Float[Tensor, "n m d"], num: Whole = 2) -> PathComponents:
    """The first principal components of each path, about its mean.

    Args:
        path: m points a row.
        num: How many components, at most min(m - 1, d).

    Raises:
        ShapeError: Fewer points or entries than that asks for.
        NonFiniteError: NaN or infinity.

    Cost: a singular value decomposition of an m × d matrix a row.
    """
    num = whole("num", num)
    if path.ndim != 3 or not 1 <= num <= min(path.shape[1] - 1, path.shape[2]):  # noqa: PLR2004
        raise ShapeError(
            f"path_components: expected a path [n, m, d] with 1 ≤ num ≤ min(m - 1, d), found "
            f"{tuple(path.shape)} and num = {num}."
        )
    check_finite("path", path)
    centred = path - path.mean(dim=1, keepdim=True)
    _, sizes, rows = torch.linalg.svd(centred, full_matrices=False)
    axes = rows[:, :num]
    largest = axes.abs().argmax(dim=2, keepdim=True)
    axes = axes * axes.gather(2, largest).sign()
    squares = sizes.square()
    # A path that stays where it is has round-off for a spread.
    still = max(path.shape[1:]) * torch.finfo(path.dtype).eps * path.abs().amax(dim=(1, 2))
    squares = torch.where((sizes[:, :1] > still[:, None]), squares, 0)
    return PathComponents(axes, _share(squares[:, :num], squares.sum(dim=1, keepdim=True)))


def random_walk_shares(
    steps: Float[Tensor, "n m"],
    d: Whole,
    *,
    num: Whole = 2,
    num_draws: Whole = 200,
    seed: Whole = 0,
    first: Whole = 0,
) -> Float[Tensor, "n draws"]:
    """What the first ``num`` principal components keep of random walks with given step lengths.

    The null of `path_components`: each step goes its own uniformly random way in ℝ^d, and is as
    long as the path's. Each row has walks of its own, so that over rows the null's error averages
    out; they depend on the seed, the row's number and the number of steps alone.

    Args:
        steps: Lengths of the m steps of each path, at least ``num``.
        d: Entries of y.
        num: How many components.
        num_draws: How many walks a row.
        seed: Of the walks.
        first: Number of the first row.

    Raises:
        ShapeError: Fewer steps or entries than components, no draw, or ``first`` below 0.

    Cost: num_draws singular value decompositions of an (m + 1) × d matrix a row.
    """
    d, num, num_draws, first = whole_numbers(d=d, num=num, num_draws=num_draws, first=first)
    if steps.ndim != 2 or not 1 <= num <= min(steps.shape[1], d) or num_draws < 1:  # noqa: PLR2004
        raise ShapeError(
            f"random_walk_shares: expected steps [n, m] with num ≤ min(m, d) and num_draws ≥ 1, "
            f"found {tuple(steps.shape)}, num = {num}, d = {d}, num_draws = {num_draws}."
        )
    out = []
    for row, lengths in enumerate(steps, start=first):
        draws = RowDraws(1, seed=seed, purpose="slices/walks", first=row)
        courses = draws.normal(num_draws, len(lengths), d)[0].to(steps)
        courses = courses / courses.norm(dim=2, keepdim=True)
        walks = torch.cumsum(courses * lengths[:, None], dim=1)
        walks = torch.cat([torch.zeros_like(walks[:, :1]), walks], dim=1)
        out.append(path_components(walks, num).shares.sum(dim=1))
    return torch.stack(out)


def _check_rows(name: str, value: Tensor, plane: Plane, width: int) -> None:
    n = plane.origin.shape[0]
    if value.ndim != 3 or value.shape[0] != n or value.shape[2] != width:  # noqa: PLR2004
        raise ShapeError(
            f"{name}: expected shape [{n}, m, {width}], a row of the plane each, found "
            f"{tuple(value.shape)}."
        )


def _share(part: Tensor, whole: Tensor) -> Tensor:
    share: Tensor = torch.where(whole > 0, part / whole, torch.nan).clamp(max=1)
    return share


def _chunks(land: Landscape, plane: Plane, u: Tensor, v: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Rows and points of the grid in order, few enough at once for the landscape's bound."""
    for name, axis in (("u", u), ("v", v)):
        if axis.ndim != 1 or len(axis) < 1:
            raise ShapeError(f"{name}: expected coordinates [m], m ≥ 1, found {tuple(axis.shape)}.")
        check_finite(name, axis)
    land.check_points(plane.origin)
    n, d = plane.origin.shape
    like = plane.origin
    across, down = torch.meshgrid(u.to(like), v.to(like), indexing="xy")
    grid = torch.stack([across.flatten(), down.flatten()], dim=1)
    step = max(1, land.max_bytes // (_COPIES * d * like.element_size()))
    for start in range(0, n * len(grid), step):
        index = torch.arange(start, min(start + step, n * len(grid)), device=like.device)
        rows, cells = index // len(grid), index % len(grid)
        steps = grid[cells] * plane.unit[rows, None]
        y = plane.origin[rows] + torch.einsum("ma,mad->md", steps, plane.axes[rows])
        yield rows, y
