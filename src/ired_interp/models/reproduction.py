"""The command that trains a model again, from what its card says."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from ired_interp.errors import CheckpointError
from ired_interp.models.checkpoint import ModelCard
from ired_interp.models.train_config import TrainConfig

__all__ = ["train_command"]


def train_command(card: ModelCard) -> str:
    """``ired-interp train …`` with every option that is not the default.

    A checkpoint that was kept on the way is reproduced by a training of that many steps, since
    nothing in a step depends on how many there are to be.

    Args:
        card: Of a model that `ired_interp.models.trainer` trained.

    Raises:
        CheckpointError: The card says nothing of a training.
    """
    if "config" not in card.training:
        raise CheckpointError(
            f"card: expected the config of a training of {card.task} at size {card.size}, found "
            f"{', '.join(card.training) or 'nothing'}: it was not trained by ired-interp."
        )
    given: Mapping[str, Any] = card.training["config"]
    defaults = TrainConfig(task=card.task, size=card.size)
    words = ["ired-interp", "train", card.task, f"--size {card.size}"]
    words += [f"--{name} {value}" for name, value in card.options.items() if value is not None]
    for field in dataclasses.fields(TrainConfig):
        name = field.name
        if name in {"task", "size", "options", "keep", "steps", "device"} or name not in given:
            continue
        if given[name] != getattr(defaults, name):
            option = f"--{name.replace('_', '-')}"
            words.append(option if given[name] is True else f"{option} {_plain(given[name])}")
    steps = int(card.training["steps_done"])
    if steps != defaults.steps:
        words.append(f"--steps {steps}")
    return " ".join(words)


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
