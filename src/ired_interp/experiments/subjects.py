"""What an experiment studies: the model of its plan, and its untrained controls."""

import hashlib
from collections.abc import Mapping
from typing import Literal, Protocol, runtime_checkable

import torch

from ired_interp.energy.mlp import EnergyMLP
from ired_interp.errors import CheckpointError
from ired_interp.models.checkpoint import Checkpoint, Weights
from ired_interp.models.zoo import open_checkpoint, untrained_like

__all__ = ["DTYPES", "Dtype", "Planned", "open_planned", "untrained_control"]

Dtype = Literal["float64", "float32"]
DTYPES: Mapping[Dtype, torch.dtype] = {"float64": torch.float64, "float32": torch.float32}


@runtime_checkable
class Planned(Protocol):
    """The fields of a config that name a model."""

    @property
    def model(self) -> str:
        """A bundled name or the path of a checkpoint."""
        ...

    @property
    def weights(self) -> Weights | None:
        """Which weights of a reference file."""
        ...

    @property
    def model_sha256(self) -> str:
        """Of the planned file; empty before that."""
        ...


def open_planned(config: Planned) -> Checkpoint:
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

    All experiments have the same draws, which no training of that seed starts from.
    """
    digest = hashlib.blake2b(f"untrained/{seed}/{draw}".encode(), digest_size=8).digest()
    return untrained_like(model, seed=int.from_bytes(digest, "little"))
