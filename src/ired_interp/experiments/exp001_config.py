"""The config of EXP-001: what it measures, checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
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
from ired_interp.points import PointKind
from ired_interp.tasks import Difficulty

__all__ = ["Exp001Config", "YesNo", "complete", "fill_in"]

YesNo = Literal["yes", "no"]

_MOST_DRAWS = 2
_FEW_VECTORS = 3
_LEAST = {"top": 0, "bottom": 0, "eigenvectors": 0, "noise_draws": 1}
_SIZES: Mapping[Scale, Mapping[str, int]] = {
    "laptop": {"problems": 20, "controls": 8},
    "paper": {"problems": 100, "controls": 10},
}
_CHOICES: Mapping[str, Sequence[str]] = {
    "scale": get_args(Scale),
    "point": get_args(PointKind),
    "parts": get_args(YesNo),
    "skill": get_args(YesNo),
}


@dataclass(frozen=True, kw_only=True)
class Exp001Config:
    """What EXP-001 measures.

    Attributes:
        model: A bundled name or the path of a checkpoint.
        task: Needed for a reference ``.pt``, which does not name its task.
        scale: How large where a number is not given: ``laptop`` (20 problems, 8 controls) or
            ``paper`` (100 and 10).
        problems: How many problems; as ``scale`` says if none.
        levels: Which levels, each in 1 … K.
        point: Where in y the Hessian is taken.
        difficulty: Which generator the problems come from.
        seed: Of problems, noise and the solver's start.
        controls: Draws of untrained weights beside the model; as ``scale`` says if none.
        shuffled: A checkpoint of the same network that was trained on shuffled answers, to be
            measured beside the model; none if there is none.
        weights: ``ema`` or ``online``, for a reference file.
        bound: The solver's clamp, for the points ``trajectory`` and ``minimum``; that of the
            model's training if none.
        dtype: Precision of everything.
        device: Where to compute.
        unit_problems: Problems a work unit.
        top: Only so many of the largest eigenvalues by |λ|; all d if none.
        bottom: And so many of the lowest, where ``top`` is given.
        eigenvectors: How many to keep of each end; 3 if none, or what there is.
        parts: ``yes`` or ``no``, whether curvature is split by layer.
        noise_draws: Points a problem, 1 or 2, to compare eigenvectors; 2 if none, where it can be.
        skill: ``yes`` or ``no``, whether the model's answers are held against trivial rules.
        model_sha256: Filled in when the run is planned; another file is refused from then on.
        shuffled_sha256: Likewise, of ``shuffled``.
    """

    model: str = "inverse-4"
    task: str | None = None
    scale: Scale = "laptop"
    problems: int | None = None
    levels: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
    point: PointKind = "typical"
    difficulty: Difficulty = "same"
    seed: int = 0
    controls: int | None = None
    shuffled: str | None = None
    weights: Weights | None = None
    bound: float | None = None
    dtype: Dtype = "float64"
    device: str = "cpu"
    unit_problems: int = 10
    top: int | None = None
    bottom: int = 0
    # A run that was planned before these fields were there did without what they ask for.
    eigenvectors: int | None = field(default=None, metadata={"before": 0})
    parts: YesNo = field(default="yes", metadata={"before": "no"})
    noise_draws: int | None = field(default=None, metadata={"before": 1})
    skill: YesNo = field(default="yes", metadata={"before": "no"})
    model_sha256: str = field(default="", metadata={"planned": True})
    shuffled_sha256: str = field(default="", metadata={"planned": True})

    def __post_init__(self) -> None:
        check_shared(self)
        check_least(self, _LEAST)
        check_choices(self, _CHOICES)
        if self.top is None and self.bottom:
            raise ConfigError(
                f"bottom: expected 0 where top is none, as all eigenvalues are computed then, "
                f"found {self.bottom}. Give top too; 0 leaves it out."
            )
        if self.top == 0 and self.bottom == 0:
            raise ConfigError("top, bottom: expected one of them above 0, found nothing to do.")
        if self.noise_draws is not None:
            _check_draws(self, self.noise_draws)


def fill_in(config: Exp001Config) -> Exp001Config:
    """The config with every number that its scale stands for."""
    return fill_from(config, _SIZES[config.scale])


def complete(config: Exp001Config, dim_y: int) -> Exp001Config:
    """The config with all that was left open filled in, for answers of d entries.

    Raises:
        ConfigError: More eigenvalues or eigenvectors than there are, or than were asked for.
    """
    ends = {"top": config.top, "bottom": config.bottom} if config.top is not None else {}
    for name, value in ends.items():
        if value is not None and value > dim_y:
            raise ConfigError(f"{name}: expected 0 … d = {dim_y} eigenvalues, found {value}.")
    # One eigenvalue more than vectors, so that the gap behind them is known.
    asked = [value for value in ends.values() if value]
    most = min([dim_y, *(value if value == dim_y else value - 1 for value in asked)])
    num = min(_FEW_VECTORS, most) if config.eigenvectors is None else config.eigenvectors
    if num > most:
        why = ", one less than the eigenvalues of each end" if asked else ""
        raise ConfigError(f"eigenvectors: expected 0 … {most}{why}, found {num}.")
    config = replace(fill_in(config), eigenvectors=num)
    draws = config.noise_draws
    if draws is None:
        draws = _MOST_DRAWS if num and config.point == "typical" else 1
    _check_draws(config, draws)
    return replace(config, noise_draws=draws)


def _check_draws(config: Exp001Config, draws: int) -> None:
    if draws > _MOST_DRAWS:
        raise ConfigError(f"noise_draws: expected 1 or {_MOST_DRAWS}, found {draws}.")
    if draws == 1:
        return
    if config.point != "typical":
        raise ConfigError(
            f"noise_draws: expected 1 at the point {config.point!r}, which no noise is added to, "
            f"found {draws}. Only typical points have it."
        )
    if config.eigenvectors == 0:
        raise ConfigError(
            f"noise_draws: expected 1 where eigenvectors is 0, as there is nothing to compare, "
            f"found {draws}."
        )
