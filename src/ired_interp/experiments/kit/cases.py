"""What an experiment measures alike: the model, and the networks that it is held against."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ired_interp.energy.mlp import EnergyMLP
from ired_interp.experiments.subjects import (
    MODEL,
    SHUFFLED,
    UNTRAINED,
    open_shuffled,
    shuffled_of,
    untrained_control,
)
from ired_interp.models.checkpoint import Checkpoint

__all__ = ["THE_MODEL", "Case", "Networks", "shuffled", "untrained"]

Networks = EnergyMLP | Sequence[EnergyMLP]
"""A network, or a series of them such as checkpoints of one training."""


@dataclass(frozen=True)
class Case:
    """One kind of network.

    Attributes:
        group: Where its data belong in ``results.h5``.
        draws: (config) → the numbers of its draws; ``(None,)`` for one without draws, empty where
            it is not asked for.
        network: (the model's checkpoint, config, draw) → it, in the checkpoint's dtype; or a
            series of networks, which is measured as one.
    """

    group: str
    draws: Callable[[Any], tuple[int | None, ...]]
    network: Callable[[Checkpoint, Any, int | None], Networks]


THE_MODEL = Case(MODEL, lambda _: (None,), lambda checkpoint, *_: checkpoint.model)
"""The model itself."""


def untrained(option: str = "controls") -> Case:
    """The same network with random weights, as many draws as an option says."""
    return Case(
        UNTRAINED,
        lambda config: tuple(range(getattr(config, option) or 0)),
        lambda checkpoint, config, draw: untrained_control(
            checkpoint.model, seed=config.seed, draw=draw or 0
        ),
    )


def shuffled() -> Case:
    """The same network trained on shuffled answers, where the option ``shuffled`` names one."""

    def network(checkpoint: Checkpoint, config: Any, _: int | None) -> EnergyMLP:
        return open_shuffled(config, checkpoint).model

    return Case(SHUFFLED, lambda config: () if shuffled_of(config) is None else (None,), network)
