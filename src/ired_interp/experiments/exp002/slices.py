"""Slices of one problem's landscapes: every plane at every level, of the model alone."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import numpy as np
import xarray as xr
from torch import Tensor

from ired_interp.directions import (
    end_directions,
    hessian_directions,
    random_directions,
    rank_directions,
    rotation_directions,
    singular_directions,
)
from ired_interp.draws import RowDraws
from ired_interp.energy.mlp import EnergyMLP
from ired_interp.errors import ConfigError
from ired_interp.experiments.exp002.measure import (
    FIRST_STEP,
    Drawn,
    Exp002Config,
    solver_path,
)
from ired_interp.experiments.kit.options import bound_of
from ired_interp.experiments.kit.variables import V, Values, Variables
from ired_interp.experiments.unit_data import scales_at, to_numpy
from ired_interp.landscape import Landscape
from ired_interp.points import locate
from ired_interp.slices import (
    grid_axis,
    path_components,
    plane_through,
    project_path,
    slice_energy,
    slice_gradient,
)
from ired_interp.tasks import Task

__all__ = ["PLANES", "SLICES", "SLICE_VARIABLES", "Plane", "slice_problem", "with_rank"]

SLICES: Final = "slices"
"""Where the slices lie: a group ``slices/<problem>`` each."""
_LEAST_SIDE = 2
_ARROWS = 11  # gradients on each axis of a slice


@dataclass(frozen=True)
class Plane:
    """A plane that is cut.

    Attributes:
        label: In figures.
        axes: What its two directions are.
    """

    label: str
    axes: tuple[str, str]


PLANES: Mapping[str, Plane] = {
    "top": Plane("sharpest", ("eigenvector of the largest |λ|", "of the second largest")),
    "bottom": Plane("flattest", ("eigenvector of the lowest λ", "of the second lowest")),
    "ends": Plane("sharp, flat", ("eigenvector of the largest |λ|", "of the lowest λ")),
    "path": Plane("solver’s path", ("first principal component of the path", "second")),
    "rank": Plane("keep, raise rank", ("a move that keeps the rank", "one that raises it")),
    "singular": Plane("singular values", ("u₁v₁ᵀ of the answer", "u₂v₂ᵀ")),
    "rotation": Plane("turn subspaces", ("left singular subspace turns", "right one turns")),
    "random": Plane("random", ("a random direction", "another")),
}


# One a level, NaN where there is no point; in float32 but for the point and its energy.
_of_level = partial(V, may_be_missing=True)
_DECLARED = (
    V("sliced", "problem", "", "1 for the problem of this group"),
    V("status", "level", "1", "0: a point was found; 1: the search for a minimum did not converge"),
    _of_level(
        "origin",
        "level y_dim",
        "1",
        "the point that the planes go through, in the level's own coordinates",
    ),
    _of_level("origin_energy", "level", "energy", "E at the point"),
    _of_level(
        "axes",
        "level plane axis y_dim",
        "1",
        "the two orthonormal directions of each plane; ends: the second is the eigenvector of the "
        "second lowest λ where the lowest λ is also the largest |λ|",
    ),
    _of_level("energy_above", "level plane v u", "energy", "E(u, v) − E at the point"),
    _of_level(
        "gradient",
        "level plane arrow_v arrow_u axis",
        "energy / y",
        "∇E along the two axes of the plane",
    ),
    _of_level(
        "gradient_norm",
        "level plane arrow_v arrow_u",
        "energy / y",
        "‖∇E‖ with all entries, of which the plane shows a part",
    ),
    _of_level(
        "path_at",
        "level plane path_step axis",
        "σ_t",
        "(u, v) of the solver's predictions, in this level's coordinates",
    ),
    _of_level(
        "path_distance",
        "level plane path_step",
        "σ_t",
        "distance of those predictions from the plane, in σ_t",
    ),
    _of_level("path_kept", "level plane", "1", "share of the path's variance that the plane keeps"),
    _of_level("answer_at", "level plane axis", "σ_t", "(u, v) of s_t·y*"),
    _of_level("answer_distance", "level plane", "σ_t", "distance of s_t·y* from the plane, in σ_t"),
)
SLICE_VARIABLES = Variables({one.name: one for one in _DECLARED})


def with_rank(config: Exp002Config, task: Task) -> Exp002Config:
    """With the rank where the answer is cut: asked for, the task's inner one, or half the side.

    Raises:
        ConfigError: Answers that are no matrices, or a rank that is not below their side.
    """
    if task.size < _LEAST_SIDE or task.size**2 != task.dim_y:
        raise ConfigError(
            f"task: expected answers that are matrices of side ≥ {_LEAST_SIDE}, found "
            f"{task.name!r} with {task.dim_y} entries at size {task.size}."
        )
    inner = task.options().get("rank")
    usual = inner if isinstance(inner, int) and inner < task.size else task.size // 2
    rank = usual if config.rank is None else config.rank
    if not 1 <= rank < task.size:
        raise ConfigError(
            f"rank: expected 1 … {task.size - 1}, below the side of the answer, found {rank}."
        )
    return replace(config, rank=rank)


def slice_problem(model: EnergyMLP, given: Drawn, config: Exp002Config) -> xr.Dataset:
    """All planes at all levels through the points of the one problem that is given."""
    places = locate(
        config.point,
        model,
        given.problems.x,
        given.problems.y,
        config.levels,
        seed=config.seed,
        first=given.first,
        bound=bound_of(config),
    )
    path = solver_path(model, given, config)[:, FIRST_STEP:]
    fixed = _fixed_directions(path, given, config)
    u = grid_axis(config.grid, config.reach)
    arrows = grid_axis(min(_ARROWS, config.grid), config.reach)
    along = {"u": u, "v": u, "arrow_u": arrows, "arrow_v": arrows}
    coords = {
        "problem": np.arange(config.problems or 0),
        "level": np.array(config.levels),
        "sigma": ("level", [scales_at(given.schedule, level)[1] for level in config.levels]),
        "plane": list(PLANES),
        "axis": ["u", "v"],
        **{name: (name, axis.numpy(), {"units": "σ_t"}) for name, axis in along.items()},
        "path_step": np.arange(FIRST_STEP + 1, given.schedule.num_levels + 1),
    }
    sizes = {
        "y_dim": given.task.dim_y,
        "plane": len(PLANES),
        "axis": 2,
        "path_step": path.shape[1],
        **{name: len(axis) for name, axis in along.items()},
    }
    sliced = np.zeros(config.problems or 0, dtype=np.int8)
    sliced[given.first] = 1
    columns: list[Values] = []
    for i, level in enumerate(config.levels):
        if bool(places.found[0, i]):
            land = Landscape(model, given.problems.x, level)
            columns.append(_at_level(land, level, places.y[:, i], given, path, fixed, u, arrows))
        else:
            columns.append(_nothing(sizes))
    stacked = {name: np.stack([one[name] for one in columns]) for name in columns[0]}
    return SLICE_VARIABLES.dataset({"sliced": sliced, **stacked}, coords)


def _fixed_directions(path: Tensor, given: Drawn, config: Exp002Config) -> dict[str, Tensor]:
    """Directions that are the same at every level, [1, 2, d] each."""
    answer, parts, task, first = given.problems.y, given.problems.parts, given.task, given.first
    # The target of the completion task is noise on top of a matrix of low rank: that one is meant.
    whole = {"u", "v"} <= set(parts)
    matrix = (parts["u"] @ parts["v"].mT).flatten(1) if whole else answer
    shape = (task.size, task.size)
    rank = config.rank
    if rank is None:
        raise ConfigError("rank: expected a planned config, found none; plan it first.")
    move = RowDraws(1, seed=config.seed, purpose="exp002/rank", first=first).normal(task.dim_y)
    frame = random_directions(1, task.dim_y, seed=config.seed, purpose="exp002/plane", first=first)
    return {
        "path": path_components(path).axes,
        "rank": rank_directions(matrix, shape, rank, move=move.to(answer)),
        "singular": singular_directions(matrix, shape),
        "rotation": rotation_directions(matrix, shape, rank),
        "random": frame.to(answer),
    }


def _at_level(
    land: Landscape,
    level: int,
    point: Tensor,
    given: Drawn,
    path: Tensor,
    fixed: Mapping[str, Tensor],
    u: Tensor,
    arrows: Tensor,
) -> dict[str, Any]:
    """Every plane at one level."""
    signal, sigma = scales_at(given.schedule, level)
    top, bottom = hessian_directions(land, point)
    ends = end_directions(top, bottom)
    directions = {"top": top, "bottom": bottom, "ends": ends, **fixed}
    base = land.energy(point)
    found: dict[str, list[Any]] = {}
    for name, plane_of in PLANES.items():
        first, second = directions[name].unbind(dim=1)
        unit = point.new_tensor([sigma])
        plane = plane_through(point, first, second, unit=unit, names=plane_of.axes)
        field = slice_gradient(land, plane, arrows, arrows)
        seen = project_path(plane, signal * path)
        mark = project_path(plane, signal * given.problems.y[:, None])
        for key, value in {
            "axes": plane.axes,
            "energy_above": slice_energy(land, plane, u, u) - base[:, None, None],
            "gradient": field.components,
            "gradient_norm": field.norm,
            "path_at": seen.coordinates,
            "path_distance": seen.distance / sigma,
            "path_kept": seen.kept,
            "answer_at": mark.coordinates[:, 0],
            "answer_distance": mark.distance[:, 0] / sigma,
        }.items():
            # Pictures need no more than float32.
            found.setdefault(key, []).append(to_numpy(value[0]).astype(np.float32))
    return {
        "status": np.int8(0),
        "origin": to_numpy(point[0]),
        "origin_energy": to_numpy(base[0]),
        **{key: np.stack(values) for key, values in found.items()},
    }


def _nothing(sizes: Mapping[str, int]) -> dict[str, Any]:
    """What stands where no point was found."""
    shapes = {
        name: [sizes[dim] for dim in one.dims if dim != "level"]
        for name, one in SLICE_VARIABLES.items()
        if one.may_be_missing
    }
    nan = {name: np.full(shape, np.nan, dtype=np.float32) for name, shape in shapes.items()}
    return nan | {"status": np.int8(1)}
