"""The config of EXP-005: what it measures, checked."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from ired_interp.devices import check_device_name
from ired_interp.draws import check_seed
from ired_interp.errors import ConfigError
from ired_interp.experiments.subjects import Dtype
from ired_interp.models.checkpoint import Weights
from ired_interp.tasks import Difficulty

__all__ = ["Exp005Config", "Scale", "fill_in"]

Scale = Literal["laptop", "paper"]

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
        random_draws: Random subspaces a problem; as ``scale`` says if none.
        weights: ``ema`` or ``online``, for a reference file.
        bound: The solver's clamp.
        dtype: Precision of everything.
        device: Where to compute.
        unit_problems: Problems a work unit.
        model_sha256: Filled in when the run is planned; another file is refused from then on.
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
    random_draws: int | None = None
    weights: Weights | None = None
    bound: float = 2.0
    dtype: Dtype = "float64"
    device: str = "cpu"
    unit_problems: int = 12
    model_sha256: str = field(default="", metadata={"planned": True})

    def __post_init__(self) -> None:
        check_seed(self.seed)
        check_device_name(self.device)
        for name, least in (
            ("problems", 1),
            ("rank", 1),
            ("controls", 0),
            ("random_draws", 1),
            ("unit_problems", 1),
        ):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ConfigError(f"{name}: expected at least {least}, found {value}.")
        if not self.levels or len(set(self.levels)) != len(self.levels):
            raise ConfigError(
                f"levels: expected different levels, at least one, found {list(self.levels)}."
            )
        if not 0 < self.bound < math.inf:
            raise ConfigError(f"bound: expected a finite number > 0, found {self.bound}.")
        for name, choices in (
            ("scale", get_args(Scale)),
            ("difficulty", get_args(Difficulty)),
            ("dtype", get_args(Dtype)),
        ):
            if getattr(self, name) not in choices:
                raise ConfigError(
                    f"{name}: expected one of {', '.join(choices)}, found {getattr(self, name)!r}."
                )


def fill_in(config: Exp005Config) -> Exp005Config:
    """The config with every number that its scale stands for."""
    sizes = _SIZES[config.scale]
    missing = {name: value for name, value in sizes.items() if getattr(config, name) is None}
    return replace(config, **missing)  # type: ignore[arg-type] # they are whole numbers
