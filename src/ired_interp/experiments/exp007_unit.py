"""What one work unit of EXP-007 measures: a chunk of problems, at every checkpoint of a series."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import xarray as xr
from torch import Tensor

from ired_interp.energy.base import Energy
from ired_interp.experiments.exp005.spaces import Split, space_names, splits
from ired_interp.experiments.exp007_answers import beside_of, measure_answers
from ired_interp.experiments.exp007_config import Exp007Config
from ired_interp.experiments.exp007_references import effective_rank, nuclear_norm
from ired_interp.experiments.exp007_variables import DEFINITIONS, SHARED, UNITS
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
from ired_interp.solve import solve
from ired_interp.tasks import Problems, Task
from ired_interp.tasks.completion import Completion
from ired_interp.tasks.inverse import Inverse

__all__ = ["measure_curvature", "measure_problems", "splits_of"]

_AXES = {
    "given": ("y_dim",),
    **dict.fromkeys(("rule_distance", "wrong_rule_distance", "rule_error"), ("rule",)),
    **dict.fromkeys(("curvature", "off_ideal", "split_ratio"), ("level",)),
}


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
    beside = beside_of(task, problems, config, first)
    split = splits_of(task, problems)
    columns: dict[str, list[Tensor]] = {}
    for model in models:
        answer = solve(model, problems.x, seed=config.seed, first=first, bound=bound_of(config)).y
        found = {
            "given": answer,
            **measure_answers(answer, beside),
            **measure_curvature(model, task, problems, config, first, split),
        }
        for name, value in found.items():
            columns.setdefault(name, []).append(value)
    data_vars: dict[str, Any] = {
        name: (
            ("problem", "step", *_AXES.get(name, ())),
            to_numpy(torch.stack(column, dim=1)),
            described(name, DEFINITIONS, UNITS),
        )
        for name, column in columns.items()
        if answers or name not in SHARED
    }
    for name, value in (
        ("mean_error", beside.unbiased.mean_error),
        ("rule_error", beside.rule_error),
    ):
        dims = ("problem", *_AXES.get(name, ()))
        data_vars[name] = (dims, to_numpy(value), described(name, DEFINITIONS, UNITS))
    if answers:
        data_vars |= _stored(problems)
        data_vars |= answer_variables(
            models[-1], problems, seed=config.seed, first=first, bound=bound_of(config)
        )
    return xr.Dataset(
        data_vars,
        coords=level_coords(models[-1].schedule, config, first, count)
        | {"step": list(config.steps), "rule": list(beside.rules)},
    )


def splits_of(task: Task, problems: Problems) -> list[Split] | None:
    """The first split of `exp005.spaces`, where the task has one by itself."""
    family, rank = task.family, None
    if isinstance(family, Completion) and family.rank < family.size:
        rank = family.rank
    elif not (isinstance(family, Inverse) and family.size > 1):
        return None
    name = space_names(task, rank)[0]
    return [each[name] for each in splits(task, problems, rank)]


def measure_curvature(
    model: Energy,
    task: Task,
    problems: Problems,
    config: Exp007Config,
    first: int,
    split: Sequence[Split] | None,
) -> Mapping[str, Tensor]:
    """Of each problem and level at typical points, [n, L]; ``off_ideal`` where one is known."""
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


def _stored(problems: Problems) -> dict[str, Any]:
    side = math.isqrt(problems.y.shape[1])
    truth = problems.y.reshape(-1, side, side)
    values = {
        "x": (("problem", "x_dim"), problems.x),
        "answer": (("problem", "y_dim"), problems.y),
        "true_rank": ("problem", effective_rank(truth)),
        "true_nuclear": ("problem", nuclear_norm(truth)),
    }
    return {
        name: (dims, to_numpy(value), described(name, DEFINITIONS, UNITS))
        for name, (dims, value) in values.items()
    }
