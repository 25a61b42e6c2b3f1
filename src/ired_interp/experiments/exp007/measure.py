"""What EXP-007 measures: answers and curvature of every checkpoint of a series.

Answers are held against what the rules of the task say, and against answers as wrong (`Unbiased`).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from ired_interp.energy.base import Energy
from ired_interp.experiments.exp005.spaces import space_names, splits
from ired_interp.experiments.exp007.references import (
    Unbiased,
    effective_rank,
    nuclear_norm,
    penalised,
    unbiased_of,
)
from ired_interp.experiments.exp007.series import Exp007Config
from ired_interp.experiments.kit.study import Prepared
from ired_interp.experiments.kit.variables import Values
from ired_interp.experiments.model_config import bound_of
from ired_interp.landscape import Landscape
from ired_interp.points import locate
from ired_interp.rules import ladder
from ired_interp.solve import solve
from ired_interp.tasks import Problems, Task
from ired_interp.tasks.completion import Completion
from ired_interp.tasks.inverse import Inverse

__all__ = [
    "Beside",
    "Compared",
    "Split",
    "beside_of",
    "compare",
    "measure_answers",
    "measure_curvature",
    "measure_model_series",
    "measure_series",
    "split_of",
]


@dataclass(frozen=True, slots=True)
class Beside:
    """What the answers to some problems are held against.

    Attributes:
        rules: Names of the R trivial rules, weakest first.
        said: What they answer.
        unbiased: Answers as wrong.
    """

    rules: tuple[str, ...]
    said: Float[Tensor, "n R d"]
    unbiased: Unbiased

    @property
    def rule_error(self) -> Float[Tensor, "n R"]:
        """Squared error an entry of each rule."""
        found: Tensor = (self.said - self.unbiased.truth[:, None]).square().mean(dim=2)
        return found


@dataclass(frozen=True, slots=True)
class Split:
    """Orthonormal tangent and normal directions at each problem: q and d - q columns."""

    tangent: Float[Tensor, "n d q"]
    normal: Float[Tensor, "n d p"]


@dataclass(frozen=True, kw_only=True)
class Compared(Prepared):
    """What is of a unit's problems alone.

    Attributes:
        beside: What answers are held against.
        split: What curvature is split by; None where the task has no split by itself.
    """

    beside: Beside
    split: Split | None


def compare(config: Exp007Config, given: Prepared) -> Compared:
    """Fit the rules, once for all networks, and split the directions at each answer."""
    task, problems = given.task, given.problems
    beside = beside_of(task, problems, config, given.first)
    truth = _matrices(problems.y)
    return Compared(
        task=task,
        problems=problems,
        first=given.first,
        schedule=given.schedule,
        coords={"step": list(config.steps), "rule": list(beside.rules)},
        variables={"true_rank": effective_rank(truth), "true_nuclear": nuclear_norm(truth)},
        beside=beside,
        split=split_of(task, problems),
    )


def beside_of(task: Task, problems: Problems, config: Exp007Config, first: int) -> Beside:
    """For the problems from number ``first`` on; all is fitted on what the model was trained on."""
    rules = ladder(task, difficulty=config.trained_on)
    return Beside(
        tuple(rule.name for rule in rules),
        torch.stack([rule.answers(problems.x) for rule in rules], dim=1),
        unbiased_of(task, problems, config, first),
    )


def split_of(task: Task, problems: Problems) -> Split | None:
    """The first split of `exp005.spaces`, where the task has one by itself."""
    family, rank = task.family, None
    if isinstance(family, Completion) and family.rank < family.size:
        rank = family.rank
    elif not (isinstance(family, Inverse) and family.size > 1):
        return None
    name = space_names(task, rank)[0]
    found = [each[name] for each in splits(task, problems, rank)]
    return Split(
        torch.stack([one.tangent for one in found]).to(problems.y),
        torch.stack([one.normal for one in found]).to(problems.y),
    )


def _of_series(
    models: Sequence[Energy],
    given: Compared,
    config: Exp007Config,
    *,
    of_answer: Sequence[Callable[[Tensor, Beside], Mapping[str, Tensor]]],
) -> Values:
    """By step: what is measured of the answers, and the curvature."""
    columns: dict[str, list[Tensor]] = {}
    for model in models:
        answer = solve(
            model, given.problems.x, seed=config.seed, first=given.first, bound=bound_of(config)
        ).y
        found = [measured(answer, given.beside) for measured in of_answer]
        for values in (*found, measure_curvature(model, given, given.split, config)):
            for name, value in values.items():
                columns.setdefault(name, []).append(value)
    of_problems = {
        "mean_error": given.beside.unbiased.mean_error,
        "rule_error": given.beside.rule_error,
    }
    return {name: torch.stack(column, dim=1) for name, column in columns.items()} | of_problems


def measure_answers(answer: Float[Tensor, "n d"], beside: Beside) -> dict[str, Tensor]:
    """Each [n], or [n, R] for distances from rules; distances are in units of the truth's rms."""
    truth = beside.unbiased.truth
    size = truth.square().mean(dim=1).sqrt()[:, None]
    error = (answer - truth).square().mean(dim=1)
    wrong = beside.unbiased.of_error(error)
    each = _matrices(wrong.flatten(0, 1))

    def over_draws(values: Tensor) -> Tensor:
        """Geometric, since it is the logarithm that is compared."""
        found: Tensor = values.reshape(wrong.shape[:2]).log().mean(dim=1).exp()
        return found

    from_rules = _apart(wrong[:, :, None], beside.said[:, None]).mean(dim=1)
    return {
        "error": error,
        "effective_rank": effective_rank(_matrices(answer)),
        "nuclear_norm": nuclear_norm(_matrices(answer)),
        "wrong_rank": over_draws(effective_rank(each)),
        "wrong_nuclear": over_draws(nuclear_norm(each)),
        "rule_distance": _apart(answer[:, None], beside.said) / size,
        "wrong_rule_distance": from_rules / size,
    }


def _beside_penalty(answer: Float[Tensor, "n d"], beside: Beside) -> dict[str, Tensor]:
    """The answers, and how far they are from the truth with a penalty that makes their error."""
    truth = beside.unbiased.truth
    size = truth.square().mean(dim=1).sqrt()
    error = (answer - truth).square().mean(dim=1)
    cut = penalised(truth, error)
    known = cut.isfinite().all(dim=1)
    shrunk = _matrices(torch.where(known[:, None], cut, 0.0))
    wrong = beside.unbiased.of_error(error)
    return {
        "given": answer,
        "penalised_rank": torch.where(known, effective_rank(shrunk), torch.nan),
        "penalised_nuclear": torch.where(known, nuclear_norm(shrunk), torch.nan),
        "penalised_distance": _apart(answer, cut) / size,
        "wrong_penalised_distance": _apart(wrong, cut[:, None]).mean(dim=1) / size,
    }


measure_series = partial(_of_series, of_answer=(measure_answers,))
"""(energies by rising step, prepared, config) → numbers of one series."""
measure_model_series = partial(_of_series, of_answer=(measure_answers, _beside_penalty))
"""The same of the model's, with its answers and what no claim needs of untrained networks."""


def measure_curvature(
    model: Energy, given: Prepared, split: Split | None, config: Exp007Config
) -> Mapping[str, Tensor]:
    """Of each problem and level at typical points, [n, L]; ``off_ideal`` where one is known.

    Means over eigenvalues are traces: Σσλ = tr σH, and Σ(σλ - 1)² = ‖σH - I‖_F².
    """
    x, y, levels = given.problems.x, given.problems.y, config.levels
    n, num = len(y), len(levels)
    points = locate("typical", model, x, y, levels, seed=config.seed, first=given.first).y
    # All levels of a problem are rows of one landscape, which costs less than one a level.
    rows = x.repeat_interleave(num, dim=0)
    land = Landscape(model, rows, torch.tensor(levels, device="cpu").repeat(n))
    sigma = model.schedule.sigma[[model.schedule.timestep(level) for level in levels]].to(y)
    flat = land.hessian(points.flatten(0, 1))
    hessian = flat.reshape(n, num, *flat.shape[1:]) * sigma[:, None, None]
    eye = torch.eye(y.shape[1], dtype=y.dtype, device=y.device)
    mean = hessian.diagonal(dim1=2, dim2=3).mean(dim=2)
    missing = torch.full_like(mean, torch.nan)
    return {
        "curvature": mean,
        "off_ideal": (hessian - eye).square().sum(dim=(2, 3)).div(len(eye)).sqrt()
        if given.task.family.determined
        else missing,
        "split_ratio": missing if split is None else _ratio(hessian, split),
    }


def _ratio(hessian: Float[Tensor, "n L d d"], split: Split) -> Float[Tensor, "n L"]:
    """log of mean normal by mean tangent curvature; NaN where one of them is not positive."""
    tangent, normal = (
        (frame[:, None] * (hessian @ frame[:, None])).sum(dim=(2, 3)) / frame.shape[2]
        for frame in (split.tangent, split.normal)
    )
    positive = (tangent > 0) & (normal > 0)
    found: Tensor = torch.where(positive, (normal / tangent).log(), torch.nan)
    return found


def _matrices(flat: Tensor) -> Tensor:
    """d = side² in all tasks."""
    side = math.isqrt(flat.shape[-1])
    return flat.reshape(-1, side, side)


def _apart(a: Tensor, b: Tensor) -> Tensor:
    """rms distance an entry."""
    found: Tensor = (a - b).square().mean(dim=-1).sqrt()
    return found
