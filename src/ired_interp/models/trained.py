"""How a checkpoint was trained, as far as its file says: what later questions must respect."""

import math
from collections.abc import Mapping
from typing import Any, Final, get_args

from ired_interp.errors import CheckpointError
from ired_interp.models.checkpoint import Checkpoint
from ired_interp.solve import BOUND
from ired_interp.tasks import Difficulty

__all__ = ["MAY_CHANGE", "training_bound", "training_config", "training_difficulty"]

MAY_CHANGE: Final = frozenset(
    {"steps", "keep", "validate_every", "validation_problems", "device", "compile"}
)
"""Fields of a training's config that may differ between checkpoints of one training."""


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
