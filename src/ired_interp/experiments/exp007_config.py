"""The config of EXP-007: which checkpoints along a training it asks, checked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

from ired_interp.errors import CheckpointError, ConfigError
from ired_interp.experiments.model_config import (
    Dtype,
    Scale,
    check_choices,
    check_shared,
    fill_from,
)
from ired_interp.models.checkpoint import Checkpoint, Weights
from ired_interp.models.trained import MAY_CHANGE, training_config, training_difficulty
from ired_interp.models.zoo import open_checkpoint
from ired_interp.tasks import Difficulty

__all__ = ["Exp007Config", "fill_in", "open_series"]

_SIZES: Mapping[Scale, Mapping[str, int]] = {
    "laptop": {"problems": 24, "controls": 8},
    "paper": {"problems": 100, "controls": 10},
}
_LEAST = 3  # checkpoints, of which there is a trend
_KEPT = re.compile(r"step-0*(\d+)$")


@dataclass(frozen=True, kw_only=True)
class Exp007Config:
    """What EXP-007 measures.

    Attributes:
        model: The last checkpoint: a bundled name or a path.
        series: The ones before it, by name or path, in any order; if none, the bundled
            ``MODEL-step-N``, or the ``step-N.safetensors`` beside a file.
        task: Needed for reference files, which do not name their task.
        scale: How large where a number is not given: ``laptop`` (24 problems, 8 controls) or
            ``paper`` (100 and 10).
        problems: How many problems; as ``scale`` says if none.
        levels: At which levels curvature is measured, each in 1 … K.
        difficulty: Which generator the problems come from.
        seed: Of problems, noise and the solver's start.
        controls: Series of untrained weights beside the model's; as ``scale`` says if none.
        weights: ``ema`` or ``online``, for reference files.
        bound: The solver's clamp; that of the model's training if none.
        dtype: Precision of everything.
        device: Where to compute.
        unit_problems: Problems a work unit.
        model_sha256: Filled in when the run is planned; another file is refused from then on.
        series_sha256: Likewise, of the series.
        steps: Likewise: how far each of the series and the last one were trained.
        trained_on: Likewise: difficulty of the training, on which rules and mean are fitted.
    """

    model: str = "inverse-4-small-0"
    series: tuple[str, ...] = ()
    task: str | None = None
    scale: Scale = "laptop"
    problems: int | None = None
    levels: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
    difficulty: Difficulty = "same"
    seed: int = 0
    controls: int | None = None
    weights: Weights | None = None
    bound: float | None = None
    dtype: Dtype = "float64"
    device: str = "cpu"
    unit_problems: int = 12
    model_sha256: str = field(default="", metadata={"planned": True})
    series_sha256: tuple[str, ...] = field(default=(), metadata={"planned": True})
    steps: tuple[int, ...] = field(default=(), metadata={"planned": True})
    trained_on: Difficulty = field(default="same", metadata={"planned": True})

    def __post_init__(self) -> None:
        check_shared(self)
        check_choices(self, {"scale": get_args(Scale)})
        if self.series and len(set(self.series)) < _LEAST - 1:
            raise ConfigError(
                f"series: expected at least {_LEAST - 1} checkpoints before the last one, found "
                f"{len(set(self.series))}."
            )


def fill_in(config: Exp007Config) -> Exp007Config:
    """The config with every number that its scale stands for, and its series by hash and step.

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
        fill_from(config, _SIZES[config.scale]),
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
