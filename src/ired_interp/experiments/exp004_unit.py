"""What one work unit of EXP-004 measures: a chunk of problems at all levels, of one network."""

from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from ired_interp.draws import RowDraws
from ired_interp.energy.base import Energy
from ired_interp.energy.exact import exact_model
from ired_interp.experiments.exp004_config import Exp004Config
from ired_interp.experiments.exp004_correlations import partial_and_null, resolved
from ired_interp.experiments.exp004_distances import AFFINE, FROBENIUS, distances, metric_names
from ired_interp.experiments.exp004_moves import (
    base_points,
    chosen_base,
    chosen_rank,
    kinds_of,
    moved,
)
from ired_interp.experiments.exp004_variables import DEFINITIONS, FIXED, GROWING, SWEEPS, UNITS
from ired_interp.experiments.model_config import DTYPES, bound_of
from ired_interp.experiments.skill import answer_variables
from ired_interp.experiments.unit_data import (
    described,
    draw_problems,
    level_coords,
    scales_at,
    to_numpy,
)
from ired_interp.landscape import Landscape
from ired_interp.stats import FloatArray, IntArray, spearman
from ired_interp.tasks import Problems, Task
from ired_interp.tasks.gaussian import Gaussian

__all__ = ["measure_problems", "moves_of"]

_EXCHANGES = 10


def moves_of(
    base: Tensor, kinds: tuple[str, ...], config: Exp004Config, *, rank: int, first: int
) -> Tensor:
    """δ of all moves, [n, sweep, move, side, side], float64; moves of one kind stand together."""
    n, each = base.shape[0], config.moves or 0
    size = torch.linalg.matrix_norm(base.to(torch.float64))[:, None]
    sweeps = []
    for sweep in SWEEPS:
        parts = []
        for kind in kinds:
            # One length in each of so many equal steps, so that no two are the same.
            draws = RowDraws(n, seed=config.seed, purpose=f"exp004/lengths/{kind}", first=first)
            steps = (torch.arange(each, device="cpu") + draws.uniform(0.1, 0.9, each)) / each
            share = config.longest * steps if sweep == GROWING else config.length
            lengths = size * share * torch.ones(n, each, dtype=torch.float64, device="cpu")
            parts.append(
                moved(
                    base,
                    kind,
                    lengths,
                    rank=rank,
                    seed=config.seed,
                    purpose=sweep,
                    first=first,
                )
            )
        sweeps.append(torch.cat(parts, dim=1))
    return torch.stack(sweeps, dim=1)


def measure_problems(
    model: Energy, task: Task, config: Exp004Config, first: int, count: int, *, answers: bool
) -> xr.Dataset:
    """Energies and distances of ``count`` problems from number ``first`` on; the config is planned.

    Args:
        model: The energy, in the config's dtype.
        task: What the problems come from.
        config: What is asked.
        first: Number of the first problem.
        count: How many.
        answers: Whether to store what the model answers, for its skill.
    """
    problems = draw_problems(task, config, first, count)
    where = chosen_base(task, config.base)
    rank = chosen_rank(task, config.rank, where)
    kinds, metrics = kinds_of(task, where, rank), metric_names(task, rank)
    base = base_points(task, problems, where)
    moves = moves_of(base.cpu(), kinds, config, rank=rank, first=first)
    ends = base.cpu().to(torch.float64)[:, None, None] + moves
    apart = torch.stack(
        [distances(base.cpu(), ends[:, i], metrics, rank=rank) for i in range(len(SWEEPS))], dim=1
    )
    length = torch.linalg.matrix_norm(moves)
    found = _energies(model, task, config, problems, base, ends)
    numbers = {name: to_numpy(value) for name, value in found.items()}
    kind = np.repeat(kinds, config.moves or 0)
    distance, sizes = to_numpy(apart), to_numpy(length)
    alone = np.flatnonzero(kind == "random")
    eps = torch.finfo(DTYPES[config.dtype]).eps
    variables: dict[str, Any] = {
        "x": (("problem", "x_dim"), to_numpy(problems.x)),
        "answer": (("problem", "y_dim"), to_numpy(problems.y)),
        "base": (("problem", "y_dim"), to_numpy(base.flatten(1))),
        "length": (("problem", "sweep", "move"), sizes),
        "distance": (("problem", "sweep", "move", "metric"), distance),
        "base_energy": (("problem", "level"), numbers.pop("base_energy")),
        **{name: (("problem", "level", "sweep", "move"), value) for name, value in numbers.items()},
    }
    if AFFINE in metrics:
        inside = np.isfinite(distance[..., metrics.index(AFFINE)]).mean(axis=-1)
        variables["spd_share"] = (("problem", "sweep"), inside)
    energy, at_base = variables["energy"][1], variables["base_energy"][1]
    variables |= _predicted(
        resolved(energy, eps), sizes, distance, metrics, alone, first, config.seed
    )
    fixed = SWEEPS.index(FIXED)
    rise = (energy - at_base[..., None, None])[:, :, fixed] / numbers["bowl_energy"][:, :, fixed]
    relative = np.stack([rise[..., kind == one].mean(axis=-1) for one in kinds], axis=-1)
    variables["relative_energy"] = (("problem", "level", "kind"), relative)
    data = xr.Dataset(
        {name: (*value, described(name, DEFINITIONS, UNITS)) for name, value in variables.items()},
        coords=level_coords(model.schedule, config, first, count)
        | {
            "sweep": list(SWEEPS),
            "metric": list(metrics),
            "kind": list(kinds),
            "kind_of_move": ("move", kind),
        },
    )
    if answers:
        extra = answer_variables(
            model, problems, seed=config.seed, first=first, bound=bound_of(config)
        )
        data = data.assign(extra)
    return data


def _energies(
    model: Energy, task: Task, config: Exp004Config, problems: Problems, base: Tensor, ends: Tensor
) -> dict[str, Tensor]:
    """Of the model, the bowl and, where it is known, the ideal, at all levels."""
    n, sweeps, m = ends.shape[:3]
    x = problems.x.repeat_interleave(sweeps * m, dim=0)
    matrices = ends.to(base).reshape(n * sweeps * m, -1)
    centre, answer = (
        value.flatten(1).repeat_interleave(sweeps * m, dim=0) for value in (base, problems.y)
    )
    ideal = exact_model(task) if isinstance(task.family, Gaussian) else None
    out: dict[str, list[Tensor]] = {}
    for level in config.levels:
        signal, sigma = scales_at(model.schedule, level)
        y = signal * matrices
        here = {
            "energy": Landscape(model, x, level).energy(y),
            "base_energy": Landscape(model, problems.x, level).energy(signal * base.flatten(1)),
            "bowl_energy": _bowl(y, signal * centre, sigma),
        }
        if ideal is not None:
            here["ideal_energy"] = Landscape(
                ideal.to(device=y.device, dtype=y.dtype), x, level
            ).energy(y)
        elif task.family.determined:
            here["ideal_energy"] = _bowl(y, signal * answer, sigma)
        for name, value in here.items():
            shaped = value if name == "base_energy" else value.reshape(n, sweeps, m)
            out.setdefault(name, []).append(shaped)
    return {name: torch.stack(values, dim=1) for name, values in out.items()}


def _bowl(y: Tensor, centre: Tensor, sigma: float) -> Tensor:
    return (y - centre).square().sum(dim=-1) / (2 * sigma)


def _predicted(
    energy: FloatArray,
    length: FloatArray,
    distance: FloatArray,
    metrics: tuple[str, ...],
    alone: IntArray,
    first: int,
    seed: int,
) -> dict[str, Any]:
    """How well each metric predicts, by problem; energies [n, level, sweep, move].

    ``alone`` are the places of the random moves.
    """
    n, levels = energy.shape[:2]
    growing = SWEEPS.index(GROWING)
    plain = np.full((n, levels, len(SWEEPS), len(metrics)), np.nan)
    random, bowl_random = (
        np.full((n, levels, len(metrics)), np.nan),
        np.full((n, len(metrics)), np.nan),
    )
    bowl = np.full((n, len(SWEEPS), len(metrics)), np.nan)
    beyond = np.full((4, n, levels, len(metrics)), np.nan)
    for j, metric in enumerate(metrics):
        apart = distance[..., j]
        for s, sweep in enumerate(SWEEPS):
            if sweep == FIXED and metric == FROBENIUS:
                continue  # it does not vary
            plain[:, :, s, j] = spearman(energy[:, :, s], apart[:, None, s]).coefficient
        bowl[:, growing, j] = spearman(length[:, growing], apart[:, growing]).coefficient
        far, along = length[:, growing][:, alone], apart[:, growing][:, alone]
        random[:, :, j] = spearman(energy[:, :, growing][..., alone], along[:, None]).coefficient
        bowl_random[:, j] = spearman(far, along).coefficient
        if metric == FROBENIUS:
            continue  # nothing is left of it when it is held fixed
        for i in range(n):
            beyond[:, i, :, j] = partial_and_null(
                energy[i, :, growing],
                length[i, growing],
                apart[i, growing],
                draws=_EXCHANGES,
                seed=[seed, first + i, j],
            )
    by_level = ("problem", "level", "metric")
    names = ("partial", "partial_null", "added", "added_null")
    return {
        "spearman": (("problem", "level", "sweep", "metric"), plain),
        "bowl_spearman": (("problem", "sweep", "metric"), bowl),
        "random_spearman": (by_level, random),
        "random_bowl": (("problem", "metric"), bowl_random),
        **{name: (by_level, value) for name, value in zip(names, beyond, strict=True)},
    }
