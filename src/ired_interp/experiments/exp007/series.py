"""Which checkpoints along a training EXP-007 asks: its options, and the files of a series."""

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ired_interp.choices import Difficulty
from ired_interp.energy.mlp import EnergyMLP
from ired_interp.errors import CheckpointError, ConfigError
from ired_interp.experiments.kit.cases import Case
from ired_interp.experiments.kit.options import SubjectOptions, option
from ired_interp.experiments.subjects import MODEL, UNTRAINED, untrained_control
from ired_interp.models.checkpoint import Checkpoint
from ired_interp.models.trained import MAY_CHANGE, training_config, training_difficulty
from ired_interp.models.zoo import open_checkpoint

__all__ = ["THE_SERIES", "UNTRAINED_SERIES", "Exp007Config", "open_series", "with_series"]

_LEAST = 3  # checkpoints, of which there is a trend
_KEPT = re.compile(r"step-0*(\d+)$")
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
        if self.series and len(set(self.series)) < _LEAST - 1:
            raise ConfigError(
                f"series: expected at least {_LEAST - 1} checkpoints before the last one, found "
                f"{len(set(self.series))}."
            )


def with_series(config: Exp007Config) -> Exp007Config:
    """The config with its series by name, hash and step, and how it was trained.

    Raises:
        ConfigError: Fewer than three checkpoints, or two of one step.
        CheckpointError: One cannot be read, does not say its step, or is of another training.
    """
    last = open_checkpoint(config.model, weights=config.weights)
    names = config.series or _found(config.model, last)
    found = [(name, open_checkpoint(name, weights=config.weights)) for name in names]
    for name, one in found:
        different = _differences(one, last)
        if different:
            raise CheckpointError(
                f"{name}: expected a checkpoint of the training of {config.model}, found another "
                f"one: {'; '.join(different)}."
            )
    found = sorted(
        ((name, one) for name, one in found if one.sha256 != last.sha256),
        key=lambda pair: _step(*pair),
    )
    steps = (*(_step(*pair) for pair in found), _step(config.model, last))
    if len(steps) < _LEAST or len(set(steps)) < len(steps) or steps[-1] != max(steps):
        raise ConfigError(
            f"series: expected at least {_LEAST} checkpoints of different steps, the model the "
            f"last of them, found steps {', '.join(map(str, steps))}. Train with --keep STEPS, or "
            "name checkpoints with --series."
        )
    return replace(
        config,
        series=tuple(name if one.bundled else str(one.path.resolve()) for name, one in found),
        series_sha256=tuple(one.sha256 for _, one in found),
        steps=steps,
        trained_on=training_difficulty(last),
    )


def open_series(config: Exp007Config) -> list[Checkpoint]:
    """The checkpoints before the last one, of a planned config, by rising step.

    Raises:
        CheckpointError: One is no longer the file of the plan.
    """
    out = []
    for name, sha256 in zip(config.series, config.series_sha256, strict=True):
        one = open_checkpoint(name, weights=config.weights)
        if one.sha256 != sha256:
            raise CheckpointError(
                f"{one.path}: expected the file of the run's plan (SHA-256 {sha256[:12]}…), found "
                f"another ({one.sha256[:12]}…). Put the old file back, or start a new run."
            )
        out.append(one)
    return out


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


def _found(model: str, last: Checkpoint) -> tuple[str, ...]:
    if last.bundled:
        paths = last.path.parent.glob(f"{model}-step-*.safetensors")
        return tuple(sorted(path.name.removesuffix(".safetensors") for path in paths))
    return tuple(sorted(str(path) for path in Path(last.path).parent.glob("step-*.safetensors")))


def _differences(one: Checkpoint, last: Checkpoint) -> list[str]:
    """In what two files are not of one training; what only one of them says is no sign."""
    found, expected = _training_of(one), _training_of(last)
    return [
        f"{name} {found[name]} in place of {expected[name]}"
        for name in found
        if name in expected and found[name] != expected[name]
    ]


def _training_of(checkpoint: Checkpoint) -> dict[str, Any]:
    """What is the same of all checkpoints of a training, as far as the file says."""
    model, card = checkpoint.model, checkpoint.card
    task = {} if card is None else {"task": card.task, "size": card.size, "options": card.options}
    shapes = {
        "dim_x": model.dim_x,
        "dim_y": model.dim_y,
        "width": model.width,
        "levels": model.schedule.num_levels,
        "weights": checkpoint.weights,
    }
    config = {k: v for k, v in training_config(checkpoint).items() if k not in MAY_CHANGE}
    return task | shapes | config


def _step(name: str, one: Checkpoint) -> int:
    if one.card is not None and "steps_done" in one.card.training:
        return int(one.card.training["steps_done"])
    kept = _KEPT.search(one.path.stem)
    if kept is None:
        raise CheckpointError(
            f"{name}: expected a checkpoint that says how many steps it had, in its card or as "
            "step-N in its name, found neither."
        )
    return int(kept[1])
