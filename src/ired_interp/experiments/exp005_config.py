"""The config of EXP-005: what it measures, checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import get_args

from ired_interp.experiments.model_config import (
    Dtype,
    Scale,
    check_choices,
    check_least,
    check_shared,
    fill_from,
)
from ired_interp.models.checkpoint import Weights
from ired_interp.tasks import Difficulty

__all__ = ["Exp005Config", "fill_in"]

_SIZES: Mapping[Scale, Mapping[str, int]] = {
    "laptop": {"problems": 24, "controls": 8, "random_draws": 8},
    "paper": {"problems": 100, "controls": 10, "random_draws": 50},
}


@dataclass(frozen=True, kw_only=True)
class Exp005Config:
    """What EXP-005 measures.

    Attributes:
        model: A bundled name or the path of a checkpoint.
        task: Needed for a reference ``.pt``, which does not name its task.
        scale: How large where a number is not given: ``laptop`` (24 problems, 8 controls, 8 random
            draws) or ``paper`` (100, 10 and 50).
        problems: How many problems; as ``scale`` says if none.
        levels: Which levels, each in 1 … K.
        rank: Of the matrices whose tangent space is taken; the task's inner rank if none.
        difficulty: Which generator the problems come from.
        seed: Of problems, noise, the solver's start and the random subspaces.
        controls: Draws of untrained weights beside the model; as ``scale`` says if none.
        shuffled: A checkpoint of the same network that was trained on shuffled answers, to be
            measured beside the model; none if there is none.
        random_draws: Random subspaces a problem; as ``scale`` says if none.
        weights: ``ema`` or ``online``, for a reference file.
        bound: The solver's clamp; that of the model's training if none.
        dtype: Precision of everything.
        device: Where to compute.
        unit_problems: Problems a work unit.
        model_sha256: Filled in when the run is planned; another file is refused from then on.
        shuffled_sha256: Likewise, of ``shuffled``.
    """

    model: str = "inverse-4"
    task: str | None = None
    scale: Scale = "laptop"
    problems: int | None = None
    levels: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
    rank: int | None = None
    difficulty: Difficulty = "same"
    seed: int = 0
    controls: int | None = None
    shuffled: str | None = None
    random_draws: int | None = None
    weights: Weights | None = None
    bound: float | None = None
    dtype: Dtype = "float64"
    device: str = "cpu"
    unit_problems: int = 12
    model_sha256: str = field(default="", metadata={"planned": True})
    shuffled_sha256: str = field(default="", metadata={"planned": True})

    def __post_init__(self) -> None:
        check_shared(self)
        check_least(self, {"rank": 1, "random_draws": 1})
        check_choices(self, {"scale": get_args(Scale)})


def fill_in(config: Exp005Config) -> Exp005Config:
    """The config with every number that its scale stands for."""
    return fill_from(config, _SIZES[config.scale])
