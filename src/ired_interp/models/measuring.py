"""What a model is worth, measured: errors beside trivial rules, and its landscape's mean curvature.

Format ``ired-interp-measurement`` version 1: a JSON object with the fields of `Measurement`, in a
file ``NAME.card.json`` beside ``NAME.safetensors``. It is made by `measure`, never by hand.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from ired_interp.checks import Real, Whole, real, whole_numbers
from ired_interp.energy.mlp import EnergyMLP
from ired_interp.errors import CheckpointError
from ired_interp.landscape import Landscape
from ired_interp.models.checkpoint import Checkpoint
from ired_interp.models.trained import training_bound, training_difficulty
from ired_interp.points import locate
from ired_interp.rules import Rule, ladder
from ired_interp.runs.provenance import provenance
from ired_interp.runs.storage import read_json, to_json, write_file
from ired_interp.solve import solve
from ired_interp.stats import skill
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

_FORMAT = "ired-interp-measurement"
_VERSION = 1
# A card travels with its model: names of machines and folders say nothing to others.
_OF_THE_MACHINE = ("host", "git_url", "command")
_NUM_PROBLEMS = 5_000
_NUM_CHECKED = 64


@dataclass(frozen=True, kw_only=True)
class RuleBeside:
    """A trivial rule on the same problems, and the model's skill over it.

    Attributes:
        name: Of the rule.
        mse: Its mean squared error an entry.
        standard_error: Of that, over problems.
        skill: 1 - MSE/MSE of the rule.
        low: Lower end of the skill's BCa interval over problems, 95 %.
        high: Upper end.
    """

    name: str
    mse: float
    standard_error: float
    skill: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Errors:
    """The model on one set of held-out problems.

    Attributes:
        difficulty: Of the generator.
        num_problems: How many.
        seed: Of the problems and of the solver's start.
        mse: Mean squared error an entry.
        standard_error: Of that, over problems.
        rules: The ladder of the task, weakest first, fitted as the measurement says.
    """

    difficulty: Difficulty
    num_problems: int
    seed: int
    mse: float
    standard_error: float
    rules: tuple[RuleBeside, ...]

    @property
    def best_beaten(self) -> str | None:
        """The last rule of those from the weakest on whose interval of skill lies above 0."""
        best = None
        for rule in self.rules:
            if not rule.low > 0:
                break
            best = rule.name
        return best


@dataclass(frozen=True, kw_only=True)
class LevelCheck:
    """Mean curvature of one level at typical points.

    Attributes:
        level: 1 … K.
        mean: Mean of σ_t·λ over eigenvalues and problems, which is σ_t·tr(H)/d.
        standard_error: Of that, over problems.
        below_zero: Share of the eigenvalues below 0.
    """

    level: int
    mean: float
    standard_error: float
    below_zero: float


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """A model, measured.

    Attributes:
        model_sha256: Of the checkpoint's file.
        provenance: Code and machine that measured.
        rule: The solver's.
        bound: The solver's clamp.
        errors: On the difficulties ``same`` and ``harder``.
        landscape: One entry a level, at typical points of the first of the ``same`` problems.
        num_checked: On how many problems.
        determined: Whether x determines y, so that the ideal of every ``mean`` is 1.
        rules_fitted_on: Difficulty of the draw that the rules were fitted on: the model's own.
    """

    model_sha256: str
    provenance: Mapping[str, Any]
    rule: str
    bound: float
    errors: tuple[Errors, ...]
    landscape: tuple[LevelCheck, ...]
    num_checked: int
    determined: bool
    rules_fitted_on: Difficulty = "same"  # cards before this field are of models trained on it

    def on(self, difficulty: Difficulty) -> Errors:
        """The errors at a difficulty."""
        return next(each for each in self.errors if each.difficulty == difficulty)


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


def card_path(checkpoint: Path) -> Path:
    """Where the measurement of a checkpoint lies."""
    return checkpoint.with_name(f"{checkpoint.name.removesuffix('.safetensors')}.card.json")


def write_measurement(path: Path, found: Measurement) -> None:
    """Write it as JSON, whole or not at all.

    Raises:
        StorageError: The file system refused.
    """
    write_file(path, to_json({"format": _FORMAT, "version": _VERSION, **asdict(found)}))


def read_measurement(checkpoint: Checkpoint) -> Measurement | None:
    """The measurement beside a checkpoint; None if nobody made one.

    Raises:
        CheckpointError: It is damaged, of another format, or of another file of that name.
    """
    path = card_path(checkpoint.path)
    if not path.exists():
        return None
    content = read_json(path)
    if content.pop("format", None) != _FORMAT or content.pop("version", None) != _VERSION:
        raise CheckpointError(
            f"{path}: expected {_FORMAT} version {_VERSION}, found something else. Make it again: "
            f"ired-interp card {checkpoint.path}"
        )
    try:
        content["errors"] = tuple(
            Errors(**each | {"rules": tuple(RuleBeside(**rule) for rule in each["rules"])})
            for each in content["errors"]
        )
        content["landscape"] = tuple(LevelCheck(**each) for each in content["landscape"])
        found = Measurement(**content)
    except (TypeError, KeyError) as error:
        raise CheckpointError(
            f"{path}: the measurement is damaged ({error}). Make it again: ired-interp card "
            f"{checkpoint.path}"
        ) from error
    if found.model_sha256 != checkpoint.sha256:
        raise CheckpointError(
            f"{path}: expected a measurement of the file beside it (SHA-256 "
            f"{checkpoint.sha256[:12]}…), found one of {found.model_sha256[:12]}…. Make it again: "
            f"ired-interp card {checkpoint.path}"
        )
    return found


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
