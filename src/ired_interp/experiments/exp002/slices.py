"""Slices of one problem's landscapes: every plane at every level, for EXP-002."""

from collections.abc import Mapping
from typing import Any

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
from ired_interp.experiments.exp002_config import Exp002Config
from ired_interp.experiments.exp002_unit import FIRST_STEP, noise_and_signal, solver_path
from ired_interp.experiments.exp002_variables import PLANES, SLICE_DEFINITIONS
from ired_interp.experiments.model_config import bound_of
from ired_interp.experiments.unit_data import draw_problems
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
from ired_interp.tasks import Problems, Task

__all__ = ["slice_problem"]

_ARROWS = 11  # gradients on each axis of a slice
_UNITS = {
    "origin_energy": "energy",
    "energy_above": "energy",
    "gradient": "energy / y",
    "gradient_norm": "energy / y",
    "path_at": "σ_t",
    "path_distance": "σ_t",
    "answer_at": "σ_t",
    "answer_distance": "σ_t",
    "path_kept": "1",
}


def slice_problem(model: EnergyMLP, task: Task, config: Exp002Config, number: int) -> xr.Dataset:
    """All planes at all levels through one problem's points; the config is planned."""
    problems = draw_problems(task, config, number, 1)
    places = locate(
        config.point,
        model,
        problems.x,
        problems.y,
        config.levels,
        seed=config.seed,
        first=number,
        bound=bound_of(config),
    )
    fixed = _fixed_directions(model, problems, task, config, number)
    path = solver_path(model, problems, config, number)[:, FIRST_STEP:]
    u = grid_axis(config.grid, config.reach)
    arrows = grid_axis(min(_ARROWS, config.grid), config.reach)
    columns: dict[str, list[Any]] = {}
    for i, level in enumerate(config.levels):
        land = Landscape(model, problems.x, level)
        if bool(places.found[0, i]):
            measured = _at_level(land, places.y[:, i], problems.y, path, fixed, u, arrows)
            measured["status"] = np.int8(0)
        else:
            measured = _nothing(task.dim_y, path.shape[1], config.grid, len(arrows))
        for name, value in measured.items():
            columns.setdefault(name, []).append(value)
    sliced = np.zeros(config.problems or 0, dtype=np.int8)
    sliced[number] = 1
    data_vars: dict[str, Any] = {
        "sliced": ("problem", sliced, {"long_name": SLICE_DEFINITIONS["sliced"]})
    }
    for name, values in columns.items():
        attrs = {"units": _UNITS.get(name, "1"), "long_name": SLICE_DEFINITIONS[name]}
        data_vars[name] = (("level", *_DIMS[name]), np.stack(values), attrs)
    schedule = model.schedule
    timesteps = [schedule.timestep(level) for level in config.levels]
    coords = {
        "problem": np.arange(config.problems or 0),
        "level": ("level", np.array(config.levels)),
        "sigma": ("level", schedule.sigma[timesteps].numpy()),
        "plane": list(PLANES),
        "axis": ["u", "v"],
        "u": ("u", u.numpy(), {"units": "σ_t"}),
        "v": ("v", u.numpy(), {"units": "σ_t"}),
        "arrow_u": ("arrow_u", arrows.numpy(), {"units": "σ_t"}),
        "arrow_v": ("arrow_v", arrows.numpy(), {"units": "σ_t"}),
        "path_step": np.arange(FIRST_STEP + 1, schedule.num_levels + 1),
    }
    return xr.Dataset(data_vars, coords=coords)


_DIMS: Mapping[str, tuple[str, ...]] = {
    "status": (),
    "origin": ("y_dim",),
    "origin_energy": (),
    "axes": ("plane", "axis", "y_dim"),
    "energy_above": ("plane", "v", "u"),
    "gradient": ("plane", "arrow_v", "arrow_u", "axis"),
    "gradient_norm": ("plane", "arrow_v", "arrow_u"),
    "path_at": ("plane", "path_step", "axis"),
    "path_distance": ("plane", "path_step"),
    "path_kept": ("plane",),
    "answer_at": ("plane", "axis"),
    "answer_distance": ("plane",),
}


def _fixed_directions(
    model: EnergyMLP, problems: Problems, task: Task, config: Exp002Config, number: int
) -> dict[str, Tensor]:
    """Directions that are the same at every level, [1, 2, d] each."""
    answer, parts = problems.y, problems.parts
    # The target of the completion task is noise on top of a matrix of low rank: that one is meant.
    whole = {"u", "v"} <= set(parts)
    matrix = (parts["u"] @ parts["v"].mT).flatten(1) if whole else answer
    shape = (task.size, task.size)
    rank = config.rank
    if rank is None:
        raise ConfigError("rank: expected a planned config, found none; plan it first.")
    path = solver_path(model, problems, config, number)[:, FIRST_STEP:]
    draws = RowDraws(1, seed=config.seed, purpose="exp002/rank", first=number)
    frames = random_directions(
        1, task.dim_y, seed=config.seed, purpose="exp002/plane", first=number
    )
    return {
        "path": path_components(path).axes,
        "rank": rank_directions(matrix, shape, rank, move=draws.normal(task.dim_y).to(answer)),
        "singular": singular_directions(matrix, shape),
        "rotation": rotation_directions(matrix, shape, rank),
        "random": frames.to(answer),
    }


def _at_level(
    land: Landscape,
    point: Tensor,
    answer: Tensor,
    path: Tensor,
    fixed: Mapping[str, Tensor],
    u: Tensor,
    arrows: Tensor,
) -> dict[str, Any]:
    """Every plane at one level."""
    sigma, signal = noise_and_signal(land, point)
    top, bottom = hessian_directions(land, point)
    directions = {
        "top": top,
        "bottom": bottom,
        "ends": end_directions(top, bottom),
        **fixed,
    }
    base = land.energy(point)
    found: dict[str, list[Any]] = {}
    for name, plane_of in PLANES.items():
        first, second = directions[name].unbind(dim=1)
        plane = plane_through(point, first, second, unit=sigma, names=plane_of.axes)
        field = slice_gradient(land, plane, arrows, arrows)
        seen = project_path(plane, signal[:, None, None] * path)
        mark = project_path(plane, (signal[:, None] * answer)[:, None])
        energy = slice_energy(land, plane, u, u) - base[:, None, None]
        for key, value in {
            "axes": plane.axes,
            "energy_above": energy,
            "gradient": field.components,
            "gradient_norm": field.norm,
            "path_at": seen.coordinates,
            "path_distance": seen.distance / sigma[:, None],
            "path_kept": seen.kept,
            "answer_at": mark.coordinates[:, 0],
            "answer_distance": mark.distance[:, 0] / sigma,
        }.items():
            found.setdefault(key, []).append(_stored(value[0]))
    return {
        "origin": point[0].cpu().numpy(),
        "origin_energy": base[0].cpu().numpy(),
        **{key: np.stack(values) for key, values in found.items()},
    }


def _nothing(dim_y: int, num_steps: int, grid: int, num_arrows: int) -> dict[str, Any]:
    """What stands where no point was found."""
    sizes = {
        "y_dim": dim_y,
        "plane": len(PLANES),
        "axis": 2,
        "u": grid,
        "v": grid,
        "arrow_u": num_arrows,
        "arrow_v": num_arrows,
        "path_step": num_steps,
    }
    nan = {
        name: np.full([sizes[dim] for dim in dims], np.nan, dtype=np.float32)
        for name, dims in _DIMS.items()
    }
    return nan | {"status": np.int8(1)}


def _stored(value: Tensor) -> Any:
    """Pictures need no more than float32."""
    return value.cpu().numpy().astype(np.float32)
