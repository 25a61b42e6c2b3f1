"""What an experiment studies: the model of its plan, and its controls' networks."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final, Protocol, runtime_checkable

from ired_interp.energy.mlp import EnergyMLP
from ired_interp.errors import CheckpointError
from ired_interp.experiments.kit.options import SubjectOptions
from ired_interp.models.checkpoint import Checkpoint, Weights
from ired_interp.models.zoo import open_checkpoint, untrained_like

__all__ = [
    "MODEL",
    "SHUFFLED",
    "UNTRAINED",
    "ShuffledConfig",
    "control_seed",
    "open_as_planned",
    "open_planned",
    "open_shuffled",
    "shuffled_of",
    "untrained_control",
]

MODEL: Final = "/"
"""The group of the model itself."""
UNTRAINED: Final = "controls/untrained"
"""The group of the same network with random weights."""
SHUFFLED: Final = "controls/shuffled"
"""The group of the same network trained on shuffled answers."""


@runtime_checkable
class ShuffledConfig(Protocol):
    """The fields of a config that may name a checkpoint trained on shuffled answers."""

    @property
    def shuffled(self) -> str | None:
        """Its path; none if there is none to be had."""
        ...

    @property
    def shuffled_sha256(self) -> str:
        """Of the planned file; empty before that."""
        ...


def shuffled_of(config: object) -> ShuffledConfig | None:
    """The config where it names a checkpoint trained on shuffled answers, else none."""
    if isinstance(config, ShuffledConfig) and config.shuffled is not None:
        return config
    return None


def open_planned(config: SubjectOptions) -> Checkpoint:
    """The model of a config; once it is planned, no other file than that.

    Raises:
        CheckpointError: Another file, or one that cannot be read.
        UnknownNameError: No such model.
    """
    return open_as_planned(config.model, config.model_sha256, weights=config.weights)


def open_as_planned(name: str, sha256: str, *, weights: Weights | None = None) -> Checkpoint:
    """A checkpoint; once it is planned, no other file than that of its hash.

    Raises:
        CheckpointError: Another file, or one that cannot be read.
        UnknownNameError: No such model.
    """
    checkpoint = open_checkpoint(name, weights=weights)
    if sha256 and checkpoint.sha256 != sha256:
        raise CheckpointError(
            f"{checkpoint.path}: expected the file of the run's plan (SHA-256 "
            f"{sha256[:12]}…), found another ({checkpoint.sha256[:12]}…): the model "
            "was changed. Put the old file back, or start a new run."
        )
    return checkpoint


def open_shuffled(config: ShuffledConfig, model: Checkpoint) -> Checkpoint:
    """The checkpoint that was trained on shuffled answers, which must be the model's twin.

    Args:
        config: With a path in ``shuffled``.
        model: What it is a control of.

    Raises:
        CheckpointError: It was trained on true answers, or is another task's or another network; or
            another file than the plan's.
    """
    twin = open_as_planned(config.shuffled or "", config.shuffled_sha256)
    answers = _of_training(twin, "answers")
    if answers != "shuffled":
        raise CheckpointError(
            f"{twin.path}: expected a model trained on shuffled answers, as 'ired-interp train "
            f"--answers shuffled' makes it, found one trained on {answers or 'unknown'} answers."
        )
    for what, of_twin, of_model in (
        ("task", _task_words(twin), _task_words(model)),
        ("dims", (twin.model.dim_x, twin.model.dim_y), (model.model.dim_x, model.model.dim_y)),
        ("width", twin.model.width, model.model.width),
    ):
        if of_model is not None and of_twin != of_model:
            raise CheckpointError(
                f"{twin.path}: expected a control with the {what} of {model.path}, {of_model}, "
                f"found {of_twin}."
            )
    return twin


def _of_training(checkpoint: Checkpoint, name: str) -> Any:
    if checkpoint.card is None:
        return None
    config: Mapping[str, Any] = checkpoint.card.training.get("config", {})
    return config.get(name, "true")


def _task_words(checkpoint: Checkpoint) -> str | None:
    """Of a file of ours; the reference's do not say their task."""
    card = checkpoint.card
    return None if card is None else f"{card.task} of size {card.size} with {dict(card.options)}"


def untrained_control(model: EnergyMLP, *, seed: int, draw: int) -> EnergyMLP:
    """The same network with random weights: draw number ``draw`` of a run's seed.

    All experiments have the same draws.
    """
    return untrained_like(model, seed=control_seed(seed, draw))


def control_seed(seed: int, draw: int) -> int:
    """A seed that no other run's control has, nor a training of the same seed."""
    digest = hashlib.blake2b(f"untrained/{seed}/{draw}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")
