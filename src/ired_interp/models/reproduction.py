"""How a model was trained, as its card says, and the command that does it again."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from ired_interp.errors import CheckpointError
from ired_interp.models.checkpoint import ModelCard
from ired_interp.models.train_config import TrainConfig

__all__ = ["check_training", "train_command"]

_ENTRIES: Mapping[str, type] = {
    "config": Mapping,
    "steps_done": int,
    "provenance": Mapping,
    "curve": Sequence,
}


def train_command(card: ModelCard) -> str:
    """``ired-interp train …`` with every option that is not the default, and the threads.

    The threads of a training decide how its sums are rounded, and differ from machine to machine
    where they are not given. A checkpoint that was kept on the way is reproduced by a training of
    that many steps, since nothing in a step depends on how many there are to be.

    Args:
        card: Of a model that `ired_interp.models.trainer` trained.

    Raises:
        CheckpointError: The card does not say how the model was trained.
    """
    training = check_training(card)
    given: Mapping[str, Any] = training["config"]
    defaults = TrainConfig(task=card.task, size=card.size)
    words = ["ired-interp", "train", card.task, f"--size {card.size}"]
    words += [
        f"{_option(name)} {_plain(value)}"
        for name, value in card.options.items()
        if value is not None
    ]
    for field in dataclasses.fields(TrainConfig):
        name = field.name
        if name in {"task", "size", "options", "keep", "steps"} or name not in given:
            continue
        if given[name] != getattr(defaults, name):
            option = _option(name)
            words.append(option if given[name] is True else f"{option} {_plain(given[name])}")
    steps = int(training["steps_done"])
    if steps != defaults.steps:
        words.append(f"--steps {steps}")
    threads = training["provenance"].get("threads")
    if threads is not None:
        words.append(f"--threads {threads}")
    return " ".join(words)


def check_training(card: ModelCard) -> Mapping[str, Any]:
    """What a card says of the training: ``config``, ``steps_done``, ``provenance``, ``curve``.

    Raises:
        CheckpointError: One of them is missing or is something else: the model was not trained by
            ired-interp, or the card was changed.
    """
    training = card.training
    wrong = [
        name
        for name, kind in _ENTRIES.items()
        if not isinstance(training.get(name), kind) or isinstance(training.get(name), bool)
    ]
    if wrong:
        raise CheckpointError(
            f"card: expected the {', '.join(_ENTRIES)} of a training of {card.task} at size "
            f"{card.size}, found {', '.join(training) or 'nothing'}, in which {', '.join(wrong)} "
            "is missing or damaged: it was not trained by ired-interp."
        )
    return training


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _plain(value: object) -> str:
    """As the command line reads it; all digits of a number that needs them."""
    if isinstance(value, list | tuple):
        return ",".join(map(_plain, value))
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    return str(value)
