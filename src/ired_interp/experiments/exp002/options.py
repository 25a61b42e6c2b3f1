"""The config of EXP-002: what it measures, checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import get_args

from ired_interp.errors import ConfigError
from ired_interp.experiments.model_config import (
    Dtype,
    Scale,
    check_choices,
    check_least,
    check_positive,
    check_shared,
    fill_from,
)
from ired_interp.models.checkpoint import Weights
from ired_interp.points import PointKind
from ired_interp.tasks import Difficulty

__all__ = ["Exp002Config", "fill_in"]

_SIZES: Mapping[Scale, Mapping[str, int]] = {
    "laptop": {"problems": 10, "slices": 1, "starts": 8, "controls": 8},
    "paper": {"problems": 100, "slices": 10, "starts": 20, "controls": 10},
}
_LEAST_SAME_IN_FLOAT32 = 1e-3
_LEAST = {
    "slices": 0,
    "grid": 3,
    "rank": 1,
    "starts": 2,
    "chords": 1,
    "images": 5,
    "band_steps": 1,
    "walks": 2,
}


@dataclass(frozen=True, kw_only=True)
class Exp002Config:
    """What EXP-002 measures.

    Attributes:
        model: A bundled name or the path of a checkpoint.
        task: Needed for a reference ``.pt``, which does not name its task.
        scale: How large where a number is not given: ``laptop`` (10 problems, 1 of them sliced, 8
            starts, 8 controls) or ``paper`` (100, 10, 20 and 10).
        problems: How many problems are searched for minima; as ``scale`` says if none.
        levels: Which levels, each in 1 … K.
        slices: How many of the problems are sliced, from the first on; as ``scale`` says if none.
        point: Where in y the planes go through.
        grid: Points of a slice on each axis, odd, so that the point itself is one of them.
        reach: Half the side of a slice, in σ_t.
        rank: Where the answer is cut for moves that keep or raise the rank; the task's inner rank,
            or half the side, if none.
        starts: Descents a problem and level; as ``scale`` says if none.
        spread: Standard deviation of the starts' entries, around 0.
        same: Distance at which two ends are one minimum, as a share of max(1, ‖y‖); in float32 at
            least 0.001.
        chords: Straight lines between typical points, a problem and level.
        images: Points of a chord, and of a path between minima; odd. The elastic band has every
            second of them.
        band_steps: Steps of the elastic band between the two most visited minima.
        walks: Random walks that the solver's path is held against.
        difficulty: Which generator the problems come from.
        seed: Of problems, starts, noise, walks and random planes.
        controls: Draws of untrained weights beside the model; as ``scale`` says if none.
        shuffled: A checkpoint of the same network that was trained on shuffled answers, to be
            measured beside the model; none if there is none.
        weights: ``ema`` or ``online``, for a reference file.
        bound: The solver's clamp; that of the model's training if none.
        dtype: Precision of everything but the stored slices, which are float32.
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
    slices: int | None = None
    point: PointKind = "minimum"
    grid: int = 101
    reach: float = 3.0
    rank: int | None = None
    starts: int | None = None
    spread: float = 5.0
    same: float = 1e-4
    chords: int = 8
    images: int = 21
    band_steps: int = 200
    walks: int = 200
    difficulty: Difficulty = "same"
    seed: int = 0
    controls: int | None = None
    shuffled: str | None = None
    weights: Weights | None = None
    bound: float | None = None
    dtype: Dtype = "float64"
    device: str = "cpu"
    unit_problems: int = 10
    model_sha256: str = field(default="", metadata={"planned": True})
    shuffled_sha256: str = field(default="", metadata={"planned": True})

    def __post_init__(self) -> None:
        check_shared(self)
        check_least(self, _LEAST)
        check_positive(self, ("reach", "spread"))
        check_choices(self, {"scale": get_args(Scale), "point": get_args(PointKind)})
        for name in ("grid", "images"):
            if getattr(self, name) % 2 == 0:
                raise ConfigError(f"{name}: expected an odd number, found {getattr(self, name)}.")
        if not 0 < self.same < 1:
            raise ConfigError(f"same: expected a share in (0, 1), found {self.same}.")
        if self.dtype == "float32" and self.same < _LEAST_SAME_IN_FLOAT32:
            raise ConfigError(
                f"same: expected at least {_LEAST_SAME_IN_FLOAT32} in float32, where descents to "
                f"one minimum end a few 1e-4 apart, found {self.same}. Give --same, or float64."
            )
        problems = _SIZES[self.scale]["problems"] if self.problems is None else self.problems
        if self.slices is not None and self.slices > problems:
            raise ConfigError(
                f"slices: expected at most the {problems} problems, found {self.slices}."
            )


def fill_in(config: Exp002Config) -> Exp002Config:
    """The config with every number that its scale stands for, no more slices than problems."""
    sizes = dict(_SIZES[config.scale])
    if config.problems is not None:
        sizes["slices"] = min(sizes["slices"], config.problems)
    return fill_from(config, sizes)
