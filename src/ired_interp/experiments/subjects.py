"""What an experiment studies: the model of its plan, and its untrained controls."""

import hashlib
from typing import Final

from ired_interp.energy.mlp import EnergyMLP
from ired_interp.errors import CheckpointError
from ired_interp.experiments.model_config import ModelConfig
from ired_interp.models.checkpoint import Checkpoint
from ired_interp.models.zoo import open_checkpoint, untrained_like

__all__ = ["MODEL", "UNTRAINED", "control_seed", "open_planned", "untrained_control"]

MODEL: Final = "/"
"""The group of the model itself."""
UNTRAINED: Final = "controls/untrained"
"""The group of the same network with random weights."""


def open_planned(config: ModelConfig) -> Checkpoint:
    """The model of a config; once it is planned, no other file than that.

    Raises:
        CheckpointError: Another file, or one that cannot be read.
        UnknownNameError: No such model.
    """
    checkpoint = open_checkpoint(config.model, weights=config.weights)
    if config.model_sha256 and checkpoint.sha256 != config.model_sha256:
        raise CheckpointError(
            f"{checkpoint.path}: expected the file of the run's plan (SHA-256 "
            f"{config.model_sha256[:12]}…), found another ({checkpoint.sha256[:12]}…): the model "
            "was changed. Put the old file back, or start a new run."
        )
    return checkpoint


def untrained_control(model: EnergyMLP, *, seed: int, draw: int) -> EnergyMLP:
    """The same network with random weights: draw number ``draw`` of a run's seed.

    All experiments have the same draws.
    """
    return untrained_like(model, seed=control_seed(seed, draw))


def control_seed(seed: int, draw: int) -> int:
    """A seed that no other run's control has, nor a training of the same seed."""
    digest = hashlib.blake2b(f"untrained/{seed}/{draw}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")
