"""How a checkpoint was trained, as far as its file says: what later questions must respect."""

import math
from collections.abc import Mapping
from typing import Any, Final, get_args

from ired_interp.errors import CheckpointError
from ired_interp.models.checkpoint import Checkpoint
from ired_interp.solve import BOUND
from ired_interp.tasks import Difficulty

__all__ = ["training_bound", "training_config", "training_differences", "training_difficulty"]

# Fields of a training's config that may differ between checkpoints of one training.
_MAY_CHANGE: Final = frozenset(
    {"steps", "keep", "validate_every", "validation_problems", "device", "compile"}
)


def training_config(checkpoint: Checkpoint) -> Mapping[str, Any]:
    """The fields of `TrainConfig` that the file names; none for a file of the reference.

    Raises:
        CheckpointError: What its card has in their place is something else.
    """
    card = checkpoint.card
    found = {} if card is None else card.training.get("config", {})
    if not isinstance(found, Mapping):
        raise CheckpointError(
            f"{checkpoint.path}: card: expected the training's config by name, found {found!r}."
        )
    return found


def training_bound(checkpoint: Checkpoint) -> float:
    """The clamp of the training's answers, b; the solver's own where the file does not say.

    Raises:
        CheckpointError: The file says something that cannot be a clamp.
    """
    found = training_config(checkpoint).get("bound", BOUND)
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 < found < math.inf:
        raise CheckpointError(
            f"{checkpoint.path}: card: expected a bound that is a number > 0, found {found!r}."
        )
    return float(found)


def training_difficulty(checkpoint: Checkpoint) -> Difficulty:
    """Of the problems that it was trained on; ``same`` where the file does not say.

    Raises:
        CheckpointError: The file says something that is no difficulty.
    """
    found: Difficulty = training_config(checkpoint).get("difficulty", "same")
    if found not in get_args(Difficulty):
        raise CheckpointError(
            f"{checkpoint.path}: card: expected one of {', '.join(get_args(Difficulty))} as the "
            f"training's difficulty, found {found!r}."
        )
    return found


def training_differences(one: Checkpoint, last: Checkpoint) -> list[str]:
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
    config = {k: v for k, v in training_config(checkpoint).items() if k not in _MAY_CHANGE}
    return task | shapes | config
