"""The config of EXP-006: what it collects and measures, checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

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
from ired_interp.tasks import Difficulty

__all__ = ["Exp006Config", "Storage", "chosen_components", "fill_in"]

Storage = Literal["float32", "float16"]

_SIZES: Mapping[Scale, Mapping[str, int]] = {
    "laptop": {"problems": 32, "noise": 48, "controls": 8, "random_draws": 32},
    "paper": {"problems": 100, "noise": 100, "controls": 10, "random_draws": 100},
}
_COMPONENTS = 3


@dataclass(frozen=True, kw_only=True)
class Exp006Config:
    """What EXP-006 collects and measures.

    Attributes:
        model: A bundled name or the path of a checkpoint.
        task: Needed for a reference ``.pt``, which does not name its task.
        scale: How large where a number is not given: ``laptop`` (32 problems, 48 noise draws, 8
            controls, 32 random directions) or ``paper`` (100, 100, 10 and 100).
        problems: How many problems; as ``scale`` says if none.
        noise: Noise draws a problem, at typical points and as starts of the solver; as ``scale``
            says if none.
        levels: Which levels, each in 1 … K.
        components: How many components of each end are looked at; 3 if none, or half of the
            spectrum where that is fewer.
        radius: Length of a move along a component, in units of the length σ_t·√d of the noise.
        storage: How the scores are stored.
        difficulty: Which generator the problems come from.
        seed: Of problems, noise and random directions.
        controls: Draws of untrained weights beside the model; as ``scale`` says if none.
        shuffled: A checkpoint of the same network that was trained on shuffled answers, to be
            measured beside the model; none if there is none.
        random_draws: Random directions a problem; as ``scale`` says if none.
        weights: ``ema`` or ``online``, for a reference file.
        bound: The solver's clamp; that of the model's training if none.
        dtype: Precision of everything that is computed.
        device: Where to compute.
        unit_problems: Problems a work unit.
        model_sha256: Filled in when the run is planned; another file is refused from then on.
        shuffled_sha256: Likewise, of ``shuffled``.
    """

    model: str = "inverse-4"
    task: str | None = None
    scale: Scale = "laptop"
    problems: int | None = None
    noise: int | None = None
    levels: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
    components: int | None = None
    radius: float = 0.25
    storage: Storage = "float32"
    difficulty: Difficulty = "same"
    seed: int = 0
    controls: int | None = None
    shuffled: str | None = None
    random_draws: int | None = None
    weights: Weights | None = None
    bound: float | None = None
    dtype: Dtype = "float64"
    device: str = "cpu"
    unit_problems: int = 16
    model_sha256: str = field(default="", metadata={"planned": True})
    shuffled_sha256: str = field(default="", metadata={"planned": True})

    def __post_init__(self) -> None:
        check_shared(self)
        check_least(self, {"noise": 3, "components": 1, "random_draws": 1})
        check_positive(self, ("radius",))
        check_choices(self, {"scale": get_args(Scale), "storage": get_args(Storage)})


def chosen_components(config: Exp006Config, dim_y: int) -> int:
    """How many components of each end: asked for or 3, at most half of the spectrum.

    Raises:
        ConfigError: More were asked for, or the spectrum has no halves.
    """
    noise = config.noise or 0
    most = min(noise - 1, dim_y) // 2
    asked = config.components
    if most < 1 or (asked is not None and asked > most):
        raise ConfigError(
            f"components: expected 1 … {most}, half of the spectrum of {noise} scores of {dim_y} "
            f"entries, found {asked if asked is not None else 'none'}."
        )
    return min(_COMPONENTS, most) if asked is None else asked


def fill_in(config: Exp006Config) -> Exp006Config:
    """The config with every number that its scale stands for."""
    return fill_from(config, _SIZES[config.scale])
