"""The config of EXP-011: whom it asks and how often, checked."""

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

__all__ = ["Exp011Config", "fill_in"]

_SIZES: Mapping[Scale, Mapping[str, int]] = {
    "laptop": {"problems": 32, "controls": 8, "starts": 4},
    "paper": {"problems": 200, "controls": 10, "starts": 8},
}


@dataclass(frozen=True, kw_only=True)
class Exp011Config:
    """What EXP-011 measures.

    Attributes:
        model: A bundled name or the path of a checkpoint.
        task: Needed for a reference ``.pt``, which does not name its task.
        scale: How large where a number is not given: ``laptop`` (32 problems, 8 controls, 4
            starts) or ``paper`` (200, 10 and 8).
        problems: How many problems; as ``scale`` says if none.
        starts: Starts of the solver a problem, at least 2; as ``scale`` says if none.
        levels: The levels that inference may go through, each in 1 … K.
        difficulty: Which generator the problems come from; with ``harder`` give a bound that the
            answers fit into.
        seed: Of problems and starts.
        controls: Draws of untrained weights beside the model; as ``scale`` says if none.
        weights: ``ema`` or ``online``, for a reference file.
        bound: The clamp of all ways that clamp; that of the model's training if none.
        dtype: Precision of everything.
        device: Where to compute.
        unit_problems: Problems a work unit.
        model_sha256: Filled in when the run is planned; another file is refused from then on.
    """

    model: str = "inverse-4"
    task: str | None = None
    scale: Scale = "laptop"
    problems: int | None = None
    starts: int | None = None
    levels: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
    difficulty: Difficulty = "same"
    seed: int = 0
    controls: int | None = None
    weights: Weights | None = None
    bound: float | None = None
    dtype: Dtype = "float64"
    device: str = "cpu"
    unit_problems: int = 16
    model_sha256: str = field(default="", metadata={"planned": True})

    def __post_init__(self) -> None:
        check_shared(self)
        check_least(self, {"starts": 2})
        check_choices(self, {"scale": get_args(Scale)})


def fill_in(config: Exp011Config) -> Exp011Config:
    """The config with every number that its scale stands for."""
    return fill_from(config, _SIZES[config.scale])
