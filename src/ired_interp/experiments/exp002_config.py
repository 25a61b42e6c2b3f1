"""The config of EXP-002: what it measures, checked."""

from dataclasses import dataclass, field
from typing import get_args

from ired_interp.errors import ConfigError
from ired_interp.experiments.model_config import (
    Dtype,
    check_choices,
    check_least,
    check_positive,
    check_shared,
)
from ired_interp.models.checkpoint import Weights
from ired_interp.points import PointKind
from ired_interp.tasks import Difficulty

__all__ = ["Exp002Config"]

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
        problems: How many problems are searched for minima.
        levels: Which levels, each in 1 … K.
        slices: How many of the problems are sliced, from the first on.
        point: Where in y the planes go through.
        grid: Points of a slice on each axis, odd, so that the point itself is one of them.
        reach: Half the side of a slice, in σ_t.
        rank: Where the answer is cut for moves that keep or raise the rank; the task's inner rank,
            or half the side, if none.
        starts: Descents a problem and level.
        spread: Standard deviation of the starts' entries, around 0.
        same: Distance at which two ends are one minimum, as a share of max(1, ‖y‖).
        chords: Straight lines between typical points, a problem and level.
        images: Points of a chord, and images of a path between minima; odd.
        band_steps: Steps of the elastic band between the two most visited minima.
        walks: Random walks that the solver's path is held against.
        difficulty: Which generator the problems come from.
        seed: Of problems, starts, noise, walks and random planes.
        controls: Draws of untrained weights to measure beside the model.
        weights: ``ema`` or ``online``, for a reference file.
        bound: The solver's clamp.
        dtype: Precision of everything but the stored slices, which are float32.
        device: Where to compute.
        unit_problems: Problems a work unit.
        model_sha256: Filled in when the run is planned; another file is refused from then on.
    """

    model: str = "inverse-4"
    task: str | None = None
    problems: int = 10
    levels: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
    slices: int = 2
    point: PointKind = "minimum"
    grid: int = 101
    reach: float = 3.0
    rank: int | None = None
    starts: int = 8
    spread: float = 5.0
    same: float = 1e-4
    chords: int = 8
    images: int = 21
    band_steps: int = 200
    walks: int = 200
    difficulty: Difficulty = "same"
    seed: int = 0
    controls: int = 6
    weights: Weights | None = None
    bound: float = 2.0
    dtype: Dtype = "float64"
    device: str = "cpu"
    unit_problems: int = 5
    model_sha256: str = field(default="", metadata={"planned": True})

    def __post_init__(self) -> None:
        check_shared(self)
        check_least(self, _LEAST)
        check_positive(self, ("reach", "spread"))
        check_choices(self, {"point": get_args(PointKind)})
        for name in ("grid", "images"):
            if getattr(self, name) % 2 == 0:
                raise ConfigError(f"{name}: expected an odd number, found {getattr(self, name)}.")
        if self.slices > self.problems:
            raise ConfigError(
                f"slices: expected at most the {self.problems} problems, found {self.slices}."
            )
        if not 0 < self.same < 1:
            raise ConfigError(f"same: expected a share in (0, 1), found {self.same}.")
