"""What EXP-007 measures: answers and curvature of every checkpoint of a series."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from ired_interp.choices import Difficulty
from ired_interp.energy.base import Energy
from ired_interp.energy.mlp import EnergyMLP
from ired_interp.errors import ConfigError
from ired_interp.experiments.exp005.spaces import space_names, splits
from ired_interp.experiments.exp007.answers import (
    Beside,
    beside_of,
    beside_penalty,
    effective_rank,
    matrices,
    measure_answers,
    nuclear_norm,
)
from ired_interp.experiments.kit.cases import Case
from ired_interp.experiments.kit.options import SubjectOptions, bound_of, option
from ired_interp.experiments.kit.study import Prepared
from ired_interp.experiments.kit.variables import Values
from ired_interp.experiments.subjects import MODEL, UNTRAINED, open_as_planned, untrained_control
from ired_interp.landscape import Landscape
from ired_interp.models.checkpoint import Checkpoint
from ired_interp.points import locate
from ired_interp.solve import solve
from ired_interp.tasks import Problems, Task
from ired_interp.tasks.completion import Completion
from ired_interp.tasks.inverse import Inverse

__all__ = [
    "LEAST",
    "THE_SERIES",
    "UNTRAINED_SERIES",
    "Compared",
    "Exp007Config",
    "Split",
    "compare",
    "measure_curvature",
    "measure_model_series",
    "measure_series",
    "open_series",
    "split_of",
]

LEAST: Final = 3
"""Checkpoints, of which there is a trend."""
_PLANNED = {"planned": True}


@dataclass(frozen=True, kw_only=True)
class Exp007Config(SubjectOptions):
    """What EXP-007 is asked."""

    model: str = option(
        "The last checkpoint: a bundled name or a path", default="inverse-4-small-0"
    )
    series: tuple[str, ...] = option(
        "The checkpoints before the model, by name or path, in any order; if none, the bundled "
        "MODEL-step-N, or the step-N.safetensors beside a file",
        default=(),
    )
    problems: int | None = option("How many problems", laptop=24, paper=100, least=1)
    levels: tuple[int, ...] = option(
        "At which levels curvature is measured, each in 1 … K",
        default=(1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
    )
    controls: int | None = option(
        "Series of untrained weights beside the model's", laptop=8, paper=10, least=0
    )
    bound: float | None = option(
        "The solver's clamp; that of the model's training if none", above=0
    )
    unit_problems: int = option("Problems a work unit", default=12, least=1)
    series_sha256: tuple[str, ...] = field(default=(), metadata=_PLANNED)
    # How far each of the series and the last one were trained.
    steps: tuple[int, ...] = field(default=(), metadata=_PLANNED)
    # Difficulty of the training, on which rules and mean are fitted.
    trained_on: Difficulty = field(default="same", metadata=_PLANNED)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.series and len(set(self.series)) < LEAST - 1:
            raise ConfigError(
                f"series: expected at least {LEAST - 1} checkpoints before the last one, found "
                f"{len(set(self.series))}."
            )


def open_series(config: Exp007Config) -> list[Checkpoint]:
    """The checkpoints before the last one, of a planned config, by rising step.

    Raises:
        CheckpointError: One is no longer the file of the plan.
    """
    files = zip(config.series, config.series_sha256, strict=True)
    return [open_as_planned(name, sha256, weights=config.weights) for name, sha256 in files]


def _networks(checkpoint: Checkpoint, config: Exp007Config, _: int | None) -> list[EnergyMLP]:
    return [*(one.model for one in open_series(config)), checkpoint.model]


def _untrained(checkpoint: Checkpoint, config: Exp007Config, draw: int | None) -> list[EnergyMLP]:
    """Of draws that no other series has."""
    first = (draw or 0) * len(config.steps)
    return [
        untrained_control(checkpoint.model, seed=config.seed, draw=first + place)
        for place in range(len(config.steps))
    ]


THE_SERIES = Case(MODEL, lambda _: (None,), _networks)
"""The checkpoints of one training, the model the last of them."""
UNTRAINED_SERIES = Case(UNTRAINED, lambda config: tuple(range(config.controls or 0)), _untrained)
"""A network with random weights in the place of each."""


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
    beside = beside_of(
        task, problems, seed=config.seed, first=given.first, trained_on=config.trained_on
    )
    truth = matrices(problems.y)
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


measure_series = partial(_of_series, of_answer=(measure_answers,))
"""(energies by rising step, prepared, config) → numbers of one series."""
measure_model_series = partial(_of_series, of_answer=(measure_answers, beside_penalty))
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
