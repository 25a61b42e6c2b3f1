"""The config of EXP-004: what it measures, checked."""

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

__all__ = ["Base", "Exp004Config", "Scale", "fill_in"]

Scale = Literal["laptop", "paper"]
Base = Literal["answer", "product"]

_SIZES: Mapping[Scale, Mapping[str, int]] = {
    "laptop": {"problems": 24, "controls": 6, "moves": 16},
    "paper": {"problems": 100, "controls": 10, "moves": 40},
}
_FEWEST_MOVES = 4


@dataclass(frozen=True, kw_only=True)
class Exp004Config:
    """What EXP-004 measures.

    Attributes:
        model: A bundled name or the path of a checkpoint.
        task: Needed for a reference ``.pt``, which does not name its task.
        scale: How large where a number is not given: ``laptop`` (24 problems, 6 controls, 16 moves
            of a kind) or ``paper`` (100, 10 and 40).
        problems: How many problems; as ``scale`` says if none.
        levels: Which levels, each in 1 … K.
        base: The point that is moved: ``answer``, y*, or ``product``, UVᵀ (completion). As the task
            has it if none: ``product`` for completion, else ``answer``.
        rank: Of the subspaces compared, and of the matrices that rank-preserving moves keep to. If
            none: the task's inner rank, or half the side where the answers have full rank.
        moves: How many moves of each kind, in each sweep; as ``scale`` says if none.
        length: ‖δ‖ of the sweep at fixed length, in units of ‖base‖.
        longest: The largest ‖δ‖ of the growing sweep, in the same units.
        difficulty: Which generator the problems come from.
        seed: Of problems, moves and the solver's start.
        controls: Draws of untrained weights beside the model; as ``scale`` says if none.
        weights: ``ema`` or ``online``, for a reference file.
        bound: The solver's clamp, for the model's skill.
        dtype: Precision of the energies; distances are measured in float64.
        device: Where to compute.
        unit_problems: Problems a work unit.
        model_sha256: Filled in when the run is planned; another file is refused from then on.
    """

    model: str = "inverse-4"
    task: str | None = None
    scale: Scale = "laptop"
    problems: int | None = None
    levels: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
    base: Base | None = None
    rank: int | None = None
    moves: int | None = None
    length: float = 0.2
    longest: float = 0.5
    difficulty: Difficulty = "same"
    seed: int = 0
    controls: int | None = None
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
            ("moves", _FEWEST_MOVES),
            ("controls", 0),
            ("unit_problems", 1),
        ):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ConfigError(f"{name}: expected at least {least}, found {value}.")
        if not self.levels or len(set(self.levels)) != len(self.levels):
            raise ConfigError(
                f"levels: expected different levels, at least one, found {list(self.levels)}."
            )
        for name in ("length", "longest"):
            # From 1 on a move can take the base to 0, where there is no subspace to compare.
            if not 0 < getattr(self, name) < 1:
                raise ConfigError(
                    f"{name}: expected a share of ‖base‖ between 0 and 1, found "
                    f"{getattr(self, name)}."
                )
        if not 0 < self.bound < math.inf:
            raise ConfigError(f"bound: expected a finite number > 0, found {self.bound}.")
        for name, choices in (
            ("scale", get_args(Scale)),
            ("base", (None, *get_args(Base))),
            ("difficulty", get_args(Difficulty)),
            ("dtype", get_args(Dtype)),
        ):
            if getattr(self, name) not in choices:
                known = ", ".join(str(choice) for choice in choices if choice is not None)
                raise ConfigError(
                    f"{name}: expected one of {known}, found {getattr(self, name)!r}."
                )


def fill_in(config: Exp004Config) -> Exp004Config:
    """The config with every number that its scale stands for."""
    sizes = _SIZES[config.scale]
    missing = {name: value for name, value in sizes.items() if getattr(config, name) is None}
    return replace(config, **missing)  # type: ignore[arg-type] # they are whole numbers
