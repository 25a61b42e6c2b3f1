"""The config of EXP-004: what it measures, checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from ired_interp.errors import ConfigError
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

__all__ = ["Base", "Exp004Config", "fill_in"]

Base = Literal["answer", "product"]

_SIZES: Mapping[Scale, Mapping[str, int]] = {
    "laptop": {"problems": 24, "controls": 6, "moves": 16},
    "paper": {"problems": 100, "controls": 10, "moves": 40},
}
_LEAST = {"rank": 1, "moves": 4}


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
        shuffled: A checkpoint of the same network that was trained on shuffled answers, to be
            measured beside the model; none if there is none.
        weights: ``ema`` or ``online``, for a reference file.
        bound: The solver's clamp, for the model's skill; that of the model's training if none.
        dtype: Precision of the energies; distances are measured in float64.
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
    base: Base | None = None
    rank: int | None = None
    moves: int | None = None
    length: float = 0.2
    longest: float = 0.5
    difficulty: Difficulty = "same"
    seed: int = 0
    controls: int | None = None
    shuffled: str | None = None
    weights: Weights | None = None
    bound: float | None = None
    dtype: Dtype = "float64"
    device: str = "cpu"
    unit_problems: int = 12
    model_sha256: str = field(default="", metadata={"planned": True})
    shuffled_sha256: str = field(default="", metadata={"planned": True})

    def __post_init__(self) -> None:
        check_shared(self)
        check_least(self, _LEAST)
        check_choices(self, {"scale": get_args(Scale), "base": (None, *get_args(Base))})
        for name in ("length", "longest"):
            # From 1 on a move can take the base to 0, where there is no subspace to compare.
            if not 0 < getattr(self, name) < 1:
                raise ConfigError(
                    f"{name}: expected a share of ‖base‖ between 0 and 1, found "
                    f"{getattr(self, name)}."
                )


def fill_in(config: Exp004Config) -> Exp004Config:
    """The config with every number that its scale stands for."""
    return fill_from(config, _SIZES[config.scale])
