"""What to train, and how far a training came."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from ired_interp.checks import plain, real, whole
from ired_interp.choices import Answers
from ired_interp.devices import check_device
from ired_interp.draws import check_seed
from ired_interp.energy.mlp import DEFAULT_WIDTH
from ired_interp.errors import ConfigError
from ired_interp.negatives import NEGATIVES
from ired_interp.tasks import Difficulty, Task, task
from ired_interp.tasks.base import check_size
from ired_interp.training import PRODUCTS

__all__ = ["Answers", "TrainConfig", "TrainReport"]


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """What to train and how. Defaults are the released code's, but for batch and number of steps.

    Attributes:
        task: Name of the task.
        size: Side of the matrix.
        options: The task's options.
        difficulty: Which generator to train on.
        answers: ``true``, or ``shuffled``: each problem has the answer of another one, which makes
            a control that has seen the same questions and answers and nothing of their relation.
        steps: Optimiser steps.
        batch_size: Problems a step (the reference: 2048).
        learning_rate: Of Adam.
        clip: Largest norm of the weights' gradient; larger ones are scaled down.
        init_gain: Scale of the initial weights, 1 for PyTorch's initialisation.
        bound: Clamp of negatives and validation answers: 2 fits answers within ±2, the harder
            addition needs 5.
        width: Units of a hidden layer.
        seed: Of weights and batches.
        validate_every: Steps between validations, which are also when the state is saved.
        validation_problems: Held-out problems, the same at every validation.
        device: ``cpu``, ``cuda`` …
        negatives: Where the contrastive term's wrong answers come from, a name of
            `ired_interp.negatives.NEGATIVES`: ``mined`` as in the released code, ``hard``,
            ``random`` or ``none``.
        keep: Steps whose averaged weights are kept as checkpoints beside the last ones; there the
            model is validated too. A training is not started with one beyond ``steps``.
        precision: Of the matrix products of a step: ``float32``, or ``bfloat16``, which is faster
            where the processor has it and rounds to 8 bits. Validation is in float32 always.
        compile: Fuse what lies between the products with `torch.compile`, which needs a C++
            compiler and a minute before the first step; losses change by round-off.
    """

    task: str
    size: int
    options: Mapping[str, Any] = field(default_factory=dict)
    difficulty: Difficulty = "same"
    answers: Answers = "true"
    steps: int = 20_000
    batch_size: int = 256
    learning_rate: float = 1e-4
    clip: float = 1.0
    init_gain: float = 1.0
    bound: float = 2.0
    width: int = DEFAULT_WIDTH
    seed: int = 0
    validate_every: int = 1_000
    validation_problems: int = 1_000
    device: str = "cpu"
    negatives: str = "mined"
    keep: tuple[int, ...] = ()
    precision: str = "float32"
    compile: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "seed", check_seed(self.seed))
        object.__setattr__(self, "size", check_size(self.size))
        object.__setattr__(self, "options", {k: _plain(v) for k, v in self.options.items()})
        counts = ("steps", "batch_size", "width", "validate_every", "validation_problems")
        for name in counts:
            count = whole(name, getattr(self, name), error=ConfigError)
            object.__setattr__(self, name, count)
            if count < 1:
                raise ConfigError(f"{name}: expected at least 1, found {count}.")
        for name in ("learning_rate", "clip", "init_gain", "bound"):
            real(name, getattr(self, name), error=ConfigError)
            object.__setattr__(self, name, plain(getattr(self, name)))
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigError(
                    f"{name}: expected a finite number > 0, found {getattr(self, name)}."
                )
        keep = {whole("keep", step, error=ConfigError) for step in self.keep}
        object.__setattr__(self, "keep", tuple(sorted(keep)))
        if self.keep and self.keep[0] < 1:
            raise ConfigError(f"keep: expected steps ≥ 1, found {self.keep[0]}.")
        if self.negatives not in NEGATIVES:
            raise ConfigError(
                f"negatives: expected one of {', '.join(NEGATIVES)}, found {self.negatives!r}."
            )
        if self.precision not in PRODUCTS:
            raise ConfigError(
                f"precision: expected one of {', '.join(PRODUCTS)}, found {self.precision!r}."
            )
        if self.answers not in get_args(Answers):
            raise ConfigError(
                f"answers: expected one of {', '.join(get_args(Answers))}, found {self.answers!r}."
            )
        # Rows of a batch lend one another their answers, and no row is to get its own back.
        shuffled, random = self.answers == "shuffled", self.negatives == "random"
        if self.batch_size < 1 + shuffled + random:
            lent = [name for name, on in (("answers", shuffled), ("negatives", random)) if on]
            raise ConfigError(
                f"batch_size: expected at least {1 + shuffled + random} where other problems' "
                f"answers serve as {' and as '.join(lent)}, found {self.batch_size}."
            )
        self.make_task()
        check_device(self.device)

    def make_task(self) -> Task:
        """The task."""
        options = {k: tuple(v) if isinstance(v, list) else v for k, v in self.options.items()}
        return task(self.task, self.size, **options)


def _plain(option: Any) -> Any:
    return type(option)(map(plain, option)) if isinstance(option, list | tuple) else plain(option)


@dataclass(frozen=True)
class TrainReport:
    """How far training came.

    Attributes:
        folder: The training folder.
        step: Steps done.
        steps: Steps asked for.
        curve: One entry a validation: ``step``, ``mse_ema``, ``mse_online`` and the mean losses
            since the last one.
    """

    folder: Path
    step: int
    steps: int
    curve: list[dict[str, float]]

    @property
    def finished(self) -> bool:
        """Whether all steps are done."""
        return self.step >= self.steps
