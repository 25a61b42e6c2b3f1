"""What one work unit of EXP-002 measures: minima, chords, barriers and the solver's path."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from ired_interp.bands import find_saddle, nudged_elastic_band
from ired_interp.directions import random_directions
from ired_interp.draws import RowDraws
from ired_interp.energy.base import Energy
from ired_interp.errors import LevelError
from ired_interp.experiments.exp002_config import Exp002Config
from ired_interp.experiments.exp002_variables import DEFINITIONS, MEASURED
from ired_interp.experiments.model_config import bound_of
from ired_interp.experiments.skill import answer_variables
from ired_interp.experiments.unit_data import draw_problems, level_coords, to_numpy
from ired_interp.geometry.spd import is_spd, skew_share, symmetric_part
from ired_interp.landscape import Landscape
from ired_interp.modes import NoMode, SeveralModes, SingleMode, find_modes, num_minima, same_minimum
from ired_interp.paths import barrier, convexity, energy_along, spd_path, straight_path
from ired_interp.slices import path_components, plane_through, project_path, random_walk_shares
from ired_interp.solve import solve
from ired_interp.tasks import Problems, Task

__all__ = ["FIRST_STEP", "measure_problems", "noise_and_signal", "solver_path"]

FIRST_STEP = 1
"""The path is looked at from the prediction after level 2 on: that after level 1 is noise over
s_1 = 0.005, and would be all of the variance."""
# The force left on a band, as a share of ‖H‖·length; Newton's method does the rest.
_BAND_TOLERANCE = 1e-3
_LEAST_STEPS = 2
_TINY = 1e-12


def measure_problems(
    model: Energy,
    task: Task,
    config: Exp002Config,
    first: int,
    count: int,
    *,
    answers: bool,
) -> xr.Dataset:
    """Everything about ``count`` problems from number ``first`` on; the config is planned.

    Args:
        model: Or a control.
        task: Which the problems are drawn from.
        config: Of the run.
        first: Number of the first problem.
        count: How many.
        answers: Also what the model answers, and the minimum behind it.
    """
    problems = draw_problems(task, config, first, count)
    columns: dict[str, list[Tensor]] = {}
    for level in config.levels:
        land = Landscape(model, problems.x, level)
        measured = _of_minima(land, problems, config, first, task)
        measured |= _of_chords(land, problems, config, first)
        for name, value in measured.items():
            columns.setdefault(name, []).append(value)
    stacked = {name: torch.stack(values, dim=1) for name, values in columns.items()}
    path = solver_path(model, problems, config, first)
    stacked |= _of_path(path[:, FIRST_STEP:], config, first)
    data_vars: dict[str, Any] = {
        "x": (("problem", "x_dim"), to_numpy(problems.x)),
        "answer": (("problem", "y_dim"), to_numpy(problems.y)),
        "path": (("problem", "step", "y_dim"), to_numpy(path)),
        "minimum": (("problem", "level", "y_dim"), to_numpy(stacked.pop("minimum"))),
    }
    data_vars = {
        name: (*value, {"long_name": DEFINITIONS[name].meaning})
        for name, value in data_vars.items()
    }
    for name, value in stacked.items():
        variable = MEASURED[name]
        dims = ("problem", "level") if variable.levels else ("problem",)
        values = to_numpy(value)
        data_vars[name] = (
            dims,
            values.astype(np.int32) if variable.count else values,
            {"units": variable.unit, "long_name": variable.definition.meaning},
        )
    if answers:
        data_vars |= answer_variables(
            model, problems, seed=config.seed, first=first, bound=bound_of(config)
        )
    steps = {"step": np.arange(1, model.schedule.num_levels + 1)}
    coords = level_coords(model.schedule, config, first, count) | steps
    return xr.Dataset(data_vars, coords=coords)


def solver_path(model: Energy, problems: Problems, config: Exp002Config, first: int) -> Tensor:
    """The solver's predictions after each level, unscaled, [n, K, d]."""
    found = solve(model, problems.x, seed=config.seed, first=first, bound=bound_of(config))
    return found.trajectory.transpose(0, 1)


def _of_minima(
    land: Landscape, problems: Problems, config: Exp002Config, first: int, task: Task
) -> dict[str, Tensor]:
    """How many minima there are, and what stands between the two most visited."""
    answer = problems.y
    n, d = answer.shape
    draws = RowDraws(n, seed=config.seed, purpose="exp002/starts", first=first)
    starts = config.spread * draws.normal(config.starts or 0, d).to(answer)
    found = find_modes(land, starts, tol=config.same)
    sigma, signal = noise_and_signal(land, answer)
    minimum = torch.full_like(answer, torch.nan)
    numbers: dict[str, list[float]] = {name: [] for name in _OF_MODES}
    for row, modes in enumerate(found):
        values = {
            "num_minima": float(num_minima(modes)),
            "num_converged": 0.0 if isinstance(modes, NoMode) else float(modes.num_converged),
            "same_minimum": same_minimum(modes),
        }
        if not isinstance(modes, NoMode):
            values["mode_spread"] = modes.spread
            values["softness"] = (
                modes.softness if isinstance(modes, SingleMode) else float(modes.softness.min())
            )
            minimum[row] = modes.y if isinstance(modes, SingleMode) else modes.y[0]
        if isinstance(modes, SeveralModes):
            values["mode_separation"] = modes.separation
        for name in _OF_MODES:
            numbers[name].append(values.get(name, math.nan))
    measured = {
        name: torch.tensor(values, dtype=answer.dtype, device=answer.device)
        for name, values in numbers.items()
    }
    off = (minimum - signal[:, None] * answer).norm(dim=1)
    measured["minimum_offset"] = off / (sigma * math.sqrt(d))
    measured["minimum"] = minimum
    pairs = {row: modes for row, modes in enumerate(found) if isinstance(modes, SeveralModes)}
    return measured | _of_barriers(land, pairs, config, task, answer)


_OF_MODES = (
    "num_minima",
    "num_converged",
    "same_minimum",
    "mode_spread",
    "mode_separation",
    "softness",
)
_OF_BARRIERS = (
    "straight_height",
    "straight_excess",
    "geodesic_height",
    "geodesic_skew",
    "band_height",
    "saddle_height",
)


def _of_barriers(
    land: Landscape,
    pairs: Mapping[int, SeveralModes],
    config: Exp002Config,
    task: Task,
    like: Tensor,
) -> dict[str, Tensor]:
    """Barriers between the two most visited minima of the rows that have them."""
    n = like.shape[0]
    out = {name: like.new_full((n,), torch.nan) for name in _OF_BARRIERS}
    out["band_status"] = like.new_full((n,), -1)
    if not pairs:
        return out
    rows = torch.tensor(list(pairs), device=like.device)
    a, b = (torch.stack([modes.y[i] for modes in pairs.values()]) for i in (0, 1))
    here = land.select(rows)
    line = straight_path(a, b, config.images)
    straight = barrier(energy_along(here, line), line)
    out["straight_height"][rows], out["straight_excess"][rows] = straight.height, straight.excess
    if task.name == "inverse":
        first, last = (end.reshape(-1, task.size, task.size) for end in (a, b))
        out["geodesic_skew"][rows] = torch.maximum(skew_share(first), skew_share(last))
        there = is_spd(symmetric_part(first)) & is_spd(symmetric_part(last))
        if bool(there.any()):
            curve = spd_path(a[there], b[there], config.images, size=task.size)
            along = barrier(energy_along(here.select(there.nonzero().flatten()), curve), curve)
            out["geodesic_height"][rows[there]] = along.height
    # Every second image is enough to climb from: Newton's method finds the saddle itself.
    band = nudged_elastic_band(here, line[:, ::2], tol=_BAND_TOLERANCE, max_steps=config.band_steps)
    relaxed = barrier(band.energy, band.images)
    out["band_height"][rows] = relaxed.height
    out["band_status"][rows] = (~band.converged).to(like)
    top = band.images[torch.arange(len(rows), device=rows.device), band.peak]
    saddle = find_saddle(here, top, within=relaxed.length / (band.images.shape[1] - 1))
    ends = torch.maximum(band.energy[:, 0], band.energy[:, -1])
    out["saddle_height"][rows] = saddle.energy - ends
    return out


def _of_chords(
    land: Landscape, problems: Problems, config: Exp002Config, first: int
) -> dict[str, Tensor]:
    """Straight lines between typical points of the same problem: how convex, what barriers."""
    answer = problems.y
    n, d = answer.shape
    draws = RowDraws(n, seed=config.seed, purpose="exp002/chords", first=first)
    noise = draws.normal(2, config.chords, d).to(answer)
    sigma, signal = noise_and_signal(land, answer)
    ends = signal[:, None, None, None] * answer[:, None, None] + sigma[:, None, None, None] * noise
    rows = torch.arange(n, device=answer.device).repeat_interleave(config.chords)
    lines = straight_path(ends[:, 0].reshape(-1, d), ends[:, 1].reshape(-1, d), config.images)
    energy = energy_along(land.select(rows), lines)
    along = barrier(energy, lines)
    shape = (n, config.chords)
    return {
        "convexity": convexity(energy, lines).reshape(shape).nanmean(dim=1),
        "chord_height": along.height.reshape(shape).mean(dim=1),
        "chord_excess": along.excess.reshape(shape).mean(dim=1),
    }


def _of_path(path: Tensor, config: Exp002Config, first: int) -> dict[str, Tensor]:
    """What planes keep of the solver's path, and of random walks with its step lengths."""
    n, _, d = path.shape
    kept = path_components(path).shares.sum(dim=1)
    frames = random_directions(n, d, seed=config.seed, purpose="exp002/path", first=first)
    unit = torch.ones(n, dtype=path.dtype, device=path.device)
    plane = plane_through(
        path[:, -1], *frames.to(path).unbind(dim=1), unit=unit, names=("random", "random")
    )
    steps = path.diff(dim=1).norm(dim=2)
    walks = random_walk_shares(steps, d, num_draws=config.walks, seed=config.seed, first=first)
    less = (walks < kept[:, None]).to(path) + (walks == kept[:, None]).to(path) / 2
    moves = (steps > 0).sum(dim=1) >= _LEAST_STEPS
    place = torch.where(moves, less.mean(dim=1), torch.nan)
    # Round-off is all that an exactly flat path loses.
    lost, walks_lost = ((1 - share).clamp_min(_TINY) for share in (kept, walks))
    return {
        "path_kept": kept,
        "path_kept_random": project_path(plane, path).kept,
        "walk_kept": walks.mean(dim=1),
        "walk_deviation": walks.std(dim=1),
        "path_flatness": torch.where(moves, walks_lost.log().mean(dim=1) - lost.log(), torch.nan),
        "path_place": place,
    }


def noise_and_signal(land: Landscape, like: Tensor) -> tuple[Tensor, Tensor]:
    """σ_t and s_t of each row, on the points' device and in their dtype."""
    if land.sigma is None or land.signal is None:
        raise LevelError("exp002: expected the landscape of a model at a level, found none.")
    return land.sigma.to(like), land.signal.to(like)
