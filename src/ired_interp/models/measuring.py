"""What a model is worth, measured: errors beside trivial rules, and its landscape's mean curvature.

`ired_interp.models.measurement` has the format of the file; it is made by `measure`, never by hand.
"""

import copy
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import get_args

import torch
from jaxtyping import Float
from torch import Tensor

from ired_interp.checks import Real, Whole, real, whole_numbers
from ired_interp.energy.mlp import EnergyMLP
from ired_interp.landscape import Landscape
from ired_interp.models.checkpoint import Checkpoint
from ired_interp.models.measurement import (
    FORMAT,
    VERSION,
    Errors,
    LevelCheck,
    Measurement,
    RuleBeside,
    card_path,
    read_measurement,
)
from ired_interp.models.trained import training_bound, training_difficulty
from ired_interp.points import locate
from ired_interp.provenance import provenance
from ired_interp.rules import Rule, ladder
from ired_interp.solve import solve
from ired_interp.stats import skill
from ired_interp.storage import to_json, write_file
from ired_interp.tasks import Difficulty, Task

__all__ = [
    "MEASURING_SEED",
    "Errors",
    "LevelCheck",
    "Measurement",
    "RuleBeside",
    "card_path",
    "measure",
    "read_measurement",
    "write_measurement",
]

MEASURING_SEED = 1_002
"""Seed of the held-out problems, which no training, validation or fit of a rule draws."""

# A card travels with its model: names of machines and folders say nothing to others.
_OF_THE_MACHINE = ("host", "git_url", "command")
_NUM_PROBLEMS = 5_000
_NUM_CHECKED = 64


def measure(
    checkpoint: Checkpoint,
    task: Task,
    *,
    num_problems: Whole = _NUM_PROBLEMS,
    num_checked: Whole = _NUM_CHECKED,
    bound: Real | None = None,
) -> Measurement:
    """Ask a model the held-out problems, in float64 with the rule ``released``.

    Args:
        checkpoint: The model.
        task: Its task.
        num_problems: Held-out problems of each difficulty, at least 2.
        num_checked: How many of them the curvature is computed for.
        bound: The solver's clamp; that of the model's training if none.

    Raises:
        NonFiniteError: The solver or the landscape left the finite numbers.
        ShapeError: Fewer than 2 problems.

    Cost: 60 gradients a problem and difficulty, K Hessians a checked problem.
    """
    num_problems, num_checked = whole_numbers(num_problems=num_problems, num_checked=num_checked)
    bound = None if bound is None else real("bound", bound)
    model = copy.deepcopy(checkpoint.model).double()
    clamp = training_bound(checkpoint) if bound is None else bound
    trained_on = training_difficulty(checkpoint)
    rules = ladder(task, difficulty=trained_on)
    return Measurement(
        model_sha256=checkpoint.sha256,
        provenance={k: v for k, v in provenance().items() if k not in _OF_THE_MACHINE},
        rule="released",
        bound=clamp,
        rules_fitted_on=trained_on,
        errors=tuple(
            _errors(model, task, difficulty, num_problems, clamp, rules)
            for difficulty in get_args(Difficulty)
        ),
        landscape=_landscape(model, task, num_checked),
        num_checked=num_checked,
        determined=task.family.determined,
    )


def write_measurement(path: Path, found: Measurement) -> None:
    """Write it as JSON, whole or not at all.

    Raises:
        StorageError: The file system refused.
    """
    write_file(path, to_json({"format": FORMAT, "version": VERSION, **asdict(found)}))


def _errors(
    model: EnergyMLP,
    task: Task,
    difficulty: Difficulty,
    num_problems: int,
    bound: float,
    rules: Sequence[Rule],
) -> Errors:
    problems = task.sample(num_problems, seed=MEASURING_SEED, difficulty=difficulty)
    answer = solve(model, problems.x, seed=MEASURING_SEED, bound=bound).y
    errors = (answer - problems.y).square().mean(dim=1)
    beside = []
    for rule in rules:
        of_rule = rule.errors(problems)
        found = skill(errors.numpy(), of_rule.numpy(), seed=0)
        beside.append(
            RuleBeside(
                name=rule.name,
                mse=float(of_rule.mean()),
                standard_error=_standard_error(of_rule),
                skill=found.mean,
                low=found.low,
                high=found.high,
            )
        )
    return Errors(
        difficulty=difficulty,
        num_problems=num_problems,
        seed=MEASURING_SEED,
        mse=float(errors.mean()),
        standard_error=_standard_error(errors),
        rules=tuple(beside),
    )


def _landscape(model: EnergyMLP, task: Task, num_checked: int) -> tuple[LevelCheck, ...]:
    problems = task.sample(num_checked, seed=MEASURING_SEED)
    levels = tuple(range(1, model.schedule.num_levels + 1))
    points = locate("typical", model, problems.x, problems.y, levels, seed=MEASURING_SEED).y
    out = []
    for index, level in enumerate(levels):
        sigma = float(model.schedule.sigma[model.schedule.timestep(level)])
        hessian = Landscape(model, problems.x, level).hessian(points[:, index])
        scaled = sigma * torch.linalg.eigvalsh(hessian)
        out.append(
            LevelCheck(
                level=level,
                mean=float(scaled.mean()),
                standard_error=_standard_error(scaled.mean(dim=1)),
                below_zero=float((scaled < 0).double().mean()),
            )
        )
    return tuple(out)


def _standard_error(values: Float[Tensor, " n"]) -> float:
    return float(values.std() / values.shape[0] ** 0.5)
