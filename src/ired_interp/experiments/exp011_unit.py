"""What one work unit of EXP-011 measures: a chunk of problems, answered in every way."""

from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from ired_interp.anatomy import ARMS, RELEASED, infer
from ired_interp.draws import RowDraws
from ired_interp.energy.base import Energy
from ired_interp.experiments.exp011_config import Exp011Config
from ired_interp.experiments.exp011_variables import DEFINITIONS, UNITS
from ired_interp.experiments.model_config import bound_of
from ired_interp.experiments.skill import answer_variables
from ired_interp.experiments.unit_data import (
    described,
    draw_problems,
    level_coords,
    scales_at,
    to_numpy,
)
from ired_interp.landscape import Landscape
from ired_interp.minimise import minimise
from ired_interp.modes import NoMode, find_modes, num_minima, same_minimum
from ired_interp.tasks import Problems, Task

__all__ = ["measure_problems"]

# Hessians that the search for the minimum behind an answer may use.
_MOST_STEPS = 50
_OF_MINIMA = ("to_minimum", "num_minima", "apart")


def measure_problems(
    model: Energy, task: Task, config: Exp011Config, first: int, count: int, *, answers: bool
) -> xr.Dataset:
    """Everything of ``count`` problems from number ``first`` on; the config is planned.

    Args:
        model: The energy, in the config's dtype.
        task: What the problems come from.
        config: What is asked.
        first: Number of the first problem.
        count: How many.
        answers: Whether it is the model: its answers are stored and what its skill needs, and the
            minima behind the answers of every way; of untrained networks, behind the released
            rule's alone, which is all that a claim is about and a third of the work.

    Raises:
        NonFiniteError: An answer left the finite numbers.
    """
    problems = draw_problems(task, config, first, count)
    starts = config.starts or 0
    noise = RowDraws(count, seed=config.seed, purpose="exp011/start", first=first)
    start = noise.normal(starts, task.dim_y).to(problems.y).reshape(-1, task.dim_y)
    levels = tuple(sorted(config.levels))
    order = [levels.index(level) for level in config.levels]
    columns: dict[str, list[Tensor]] = {name: [] for name in (*UNITS, "given")}
    asked = problems.x.repeat_interleave(starts, dim=0)
    inferred = {
        arm.name: infer(model, asked, start, arm, levels=levels, bound=bound_of(config))
        for arm in ARMS
    }
    reference = inferred[RELEASED].y.reshape(count, starts, -1)
    not_looked_for = torch.full((count,), torch.nan, dtype=torch.float64, device="cpu")
    for arm, found in inferred.items():
        answer = found.y.reshape(count, starts, -1)
        measured = _of_arm(model, problems, answer, reference, levels[-1])
        if answers or arm == RELEASED:
            measured |= _minima(model, problems, answer, levels[-1])
        else:
            measured |= dict.fromkeys(_OF_MINIMA, not_looked_for)
        for name, value in measured.items():
            columns[name].append(value)
        truth = problems.y.repeat_interleave(starts, dim=0)
        path = (found.path - truth).square().mean(dim=2).reshape(-1, count, starts).mean(dim=2)
        cost = found.cost.reshape(-1, count, starts).mean(dim=2)
        columns["path_error"].append(path[order].T)
        columns["path_cost"].append(cost[order].T)
        columns["cost"].append(cost[-1])
        columns["given"].append(answer[:, 0])
    axes = {"path_error": ("level",), "path_cost": ("level",)}
    data_vars: dict[str, Any] = {
        name: (
            ("problem", "arm", *axes.get(name, ())),
            to_numpy(torch.stack(columns[name], dim=1)),
            described(name, DEFINITIONS, UNITS),
        )
        for name in UNITS
    }
    if answers:
        data_vars |= _stored(problems, columns["given"])
        data_vars |= answer_variables(
            model, problems, seed=config.seed, first=first, bound=bound_of(config)
        )
    return xr.Dataset(
        data_vars,
        coords=level_coords(model.schedule, config, first, count)
        | {"arm": [arm.name for arm in ARMS]},
    )


def _of_arm(
    model: Energy, problems: Problems, answer: Tensor, reference: Tensor, finest: int
) -> dict[str, Tensor]:
    """Error, energy and change of the answers of one way, [n] each."""
    n, starts, d = answer.shape
    signal, _ = scales_at(model.schedule, finest)
    scaled = signal * answer
    errors = (answer - problems.y[:, None]).square().mean(dim=2)
    own = (reference - problems.y[:, None]).square().mean(dim=(1, 2))
    moved = (answer - reference).square().mean(dim=(1, 2))
    # Two exact answers differ by round-off, or not at all.
    change = torch.where(moved == 0, 0.0, (moved / own.clamp_min(torch.finfo(own.dtype).tiny)))
    everywhere = Landscape(model, problems.x.repeat_interleave(starts, dim=0), finest)
    energy = everywhere.energy(scaled.reshape(-1, d)).reshape(n, starts)
    return {
        "error": errors.mean(dim=1),
        "energy": energy.mean(dim=1),
        "change": change.sqrt(),
    }


def _minima(model: Energy, problems: Problems, answer: Tensor, finest: int) -> dict[str, Tensor]:
    """`_OF_MINIMA` behind the answers of one way, [n] each, on the CPU."""
    signal, _ = scales_at(model.schedule, finest)
    scaled = signal * answer
    land = Landscape(model, problems.x, finest)
    ends = minimise(land, scaled[:, 0], max_steps=_MOST_STEPS)
    gap = ((ends.y - scaled[:, 0]) / signal).square().mean(dim=1).sqrt()
    modes = find_modes(land, scaled, max_steps=_MOST_STEPS)
    counts = [np.nan if isinstance(one, NoMode) else float(num_minima(one)) for one in modes]
    apart = [1 - same_minimum(one) for one in modes]
    return {
        "to_minimum": torch.where(ends.converged, gap, torch.nan).to("cpu", torch.float64),
        "num_minima": torch.tensor(counts, dtype=torch.float64, device="cpu"),
        "apart": torch.tensor(apart, dtype=torch.float64, device="cpu"),
    }


def _stored(problems: Problems, given: list[Tensor]) -> dict[str, Any]:
    return {
        "x": (
            ("problem", "x_dim"),
            to_numpy(problems.x),
            described("x", DEFINITIONS, UNITS),
        ),
        "answer": (
            ("problem", "y_dim"),
            to_numpy(problems.y),
            described("answer", DEFINITIONS, UNITS),
        ),
        "given": (
            ("problem", "arm", "y_dim"),
            to_numpy(torch.stack(given, dim=1)),
            described("given", DEFINITIONS, UNITS),
        ),
    }
