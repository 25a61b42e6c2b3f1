"""What one work unit of EXP-007 measures: a chunk of problems, at every checkpoint of a series."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor

from ired_interp.energy.base import Energy
from ired_interp.experiments.exp005_spaces import Split, space_names, splits
from ired_interp.experiments.exp007_config import Exp007Config
from ired_interp.experiments.exp007_variables import DEFINITIONS, UNITS
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
from ired_interp.points import locate
from ired_interp.rules import ladder
from ired_interp.rules.ladders import FITTING_SEED
from ired_interp.solve import solve
from ired_interp.tasks import Problems, Task
from ired_interp.tasks.completion import Completion
from ired_interp.tasks.inverse import Inverse

__all__ = ["effective_rank", "measure_problems"]

_NUM_FOR_THE_MEAN = 2_000


def measure_problems(
    models: Sequence[Energy],
    task: Task,
    config: Exp007Config,
    first: int,
    count: int,
    *,
    answers: bool,
) -> xr.Dataset:
    """Everything of ``count`` problems from number ``first`` on; the config is planned.

    Args:
        models: The series by rising step, in the config's dtype.
        task: What the problems come from.
        config: What is asked.
        first: Number of the first problem.
        count: How many.
        answers: Whether to store the problems, the answers, and what the last one's skill needs.

    Raises:
        NonFiniteError: An answer left the finite numbers.
    """
    problems = draw_problems(task, config, first, count)
    side = _side(task)
    rules = ladder(task)
    said = torch.stack([rule.answers(problems.x) for rule in rules], dim=1)
    size = problems.y.square().mean(dim=1).sqrt()
    mean = task.sample(_NUM_FOR_THE_MEAN, seed=FITTING_SEED).y.mean(dim=0).to(problems.y)
    split = _splits(task, problems)
    columns: dict[str, list[Tensor]] = {}
    for model in models:
        answer = solve(model, problems.x, seed=config.seed, first=first, bound=bound_of(config)).y
        error = (answer - problems.y).square().mean(dim=1)
        wrong = _as_wrong(problems.y, mean, error)
        found = {
            "error": error,
            "effective_rank": effective_rank(answer.reshape(-1, side, side)),
            "nuclear_norm": _nuclear(answer.reshape(-1, side, side)),
            "wrong_rank": effective_rank(wrong.reshape(-1, side, side)),
            "wrong_nuclear": _nuclear(wrong.reshape(-1, side, side)),
            "rule_distance": (answer[:, None] - said).square().mean(dim=2).sqrt() / size[:, None],
            "given": answer,
            **_curvatures(model, task, problems, config, first, split),
        }
        for name, value in found.items():
            columns.setdefault(name, []).append(value)
    extra = {
        "rule_distance": ("rule",),
        "given": ("y_dim",),
        **dict.fromkeys(("curvature", "off_ideal", "split_ratio"), ("level",)),
    }
    data_vars: dict[str, Any] = {
        name: (
            ("problem", "step", *extra.get(name, ())),
            to_numpy(torch.stack(column, dim=1)),
            described(name, DEFINITIONS, UNITS),
        )
        for name, column in columns.items()
        if answers or name != "given"
    }
    if answers:
        data_vars |= _stored(problems, side)
        data_vars |= answer_variables(
            models[-1], problems, seed=config.seed, first=first, bound=bound_of(config)
        )
    return xr.Dataset(
        data_vars,
        coords=level_coords(models[-1].schedule, config, first, count)
        | {"step": list(config.steps), "rule": [rule.name for rule in rules]},
    )


def effective_rank(matrices: Float[Tensor, "n r c"]) -> Float[Tensor, " n"]:
    """exp(-Σ p log p) of p = σ/Σσ; 1 … min(r, c), and 0 of the zero matrix.

    Source: Roy & Vetterli (2007), EUSIPCO, definition 1.
    """
    values = torch.linalg.svdvals(matrices)
    total = values.sum(dim=1, keepdim=True)
    shares = values / torch.where(total > 0, total, 1.0)
    rank = torch.exp(-torch.special.xlogy(shares, shares).sum(dim=1))
    return torch.where(total[:, 0] > 0, rank, 0.0)


def _nuclear(matrices: Tensor) -> Tensor:
    total: Tensor = torch.linalg.svdvals(matrices).sum(dim=1)
    return total


def _side(task: Task) -> int:
    """Of the answers: d = side², as in all tasks."""
    return math.isqrt(task.dim_y)


def _as_wrong(truth: Tensor, mean: Tensor, error: Tensor) -> Tensor:
    """The point between the truth and the mean answer with that error; the mean beyond it."""
    away = (mean - truth).square().mean(dim=1)
    share = (error / away.clamp_min(torch.finfo(away.dtype).tiny)).sqrt().clamp_max(1)
    return truth + share[:, None] * (mean - truth)


def _splits(task: Task, problems: Problems) -> list[Split] | None:
    """The first split of `exp005_spaces`, where the task has one by itself."""
    family, rank = task.family, None
    if isinstance(family, Completion) and family.rank < family.size:
        rank = family.rank
    elif not (isinstance(family, Inverse) and family.size > 1):
        return None
    name = space_names(task, rank)[0]
    return [each[name] for each in splits(task, problems, rank)]


def _curvatures(
    model: Energy,
    task: Task,
    problems: Problems,
    config: Exp007Config,
    first: int,
    split: Sequence[Split] | None,
) -> Mapping[str, Tensor]:
    """Of each problem and level at typical points, [n, L]."""
    points = locate(
        "typical",
        model,
        problems.x,
        problems.y,
        config.levels,
        seed=config.seed,
        first=first,
        bound=bound_of(config),
    ).y
    mean, off, ratio = [], [], []
    for index, level in enumerate(config.levels):
        _, sigma = scales_at(model.schedule, level)
        hessian = sigma * Landscape(model, problems.x, level).hessian(points[:, index])
        values = torch.linalg.eigvalsh(hessian)
        mean.append(values.mean(dim=1))
        gap = (values - 1).square().mean(dim=1).sqrt()
        off.append(gap if task.family.determined else torch.full_like(gap, torch.nan))
        ratio.append(_ratio(hessian, split))
    return {
        "curvature": torch.stack(mean, dim=1),
        "off_ideal": torch.stack(off, dim=1),
        "split_ratio": torch.stack(ratio, dim=1),
    }


def _ratio(hessian: Tensor, split: Sequence[Split] | None) -> Tensor:
    if split is None:
        return hessian.new_full((hessian.shape[0],), torch.nan)
    parts = []
    for h, each in zip(hessian, split, strict=True):
        tangent, normal = (
            (frame.to(h) * (h @ frame.to(h))).sum() / frame.shape[1]
            for frame in (each.tangent, each.normal)
        )
        positive = (tangent > 0) & (normal > 0)
        parts.append(torch.where(positive, (normal / tangent).log(), torch.nan))
    return torch.stack(parts)


def _stored(problems: Problems, side: int) -> dict[str, Any]:
    truth = problems.y.reshape(-1, side, side)
    values = {
        "x": (("problem", "x_dim"), problems.x),
        "answer": (("problem", "y_dim"), problems.y),
        "true_rank": ("problem", effective_rank(truth)),
        "true_nuclear": ("problem", _nuclear(truth)),
    }
    return {
        name: (dims, to_numpy(value), described(name, DEFINITIONS, UNITS))
        for name, (dims, value) in values.items()
    }
