"""What the configs of experiments on models share: their fields as a type, and their checks.

Each config still declares its own fields, in the order in which the command line and run.json have
them; what a field may hold is said here once.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Protocol, TypeVar, get_args, runtime_checkable

import torch

from ired_interp.devices import check_device_name
from ired_interp.draws import check_seed
from ired_interp.errors import ConfigError
from ired_interp.experiments.config import take_plain
from ired_interp.models.checkpoint import Weights
from ired_interp.solve import BOUND
from ired_interp.tasks import Difficulty

__all__ = [
    "DTYPES",
    "Dtype",
    "ModelConfig",
    "Scale",
    "bound_of",
    "check_choices",
    "check_least",
    "check_positive",
    "check_shared",
    "fill_from",
]

Dtype = Literal["float64", "float32"]
Scale = Literal["laptop", "paper"]
DTYPES: Mapping[Dtype, torch.dtype] = {"float64": torch.float64, "float32": torch.float32}

_LEAST = {"problems": 1, "controls": 0, "unit_problems": 1}
_CHOICES: Mapping[str, Sequence[str]] = {
    "difficulty": get_args(Difficulty),
    "dtype": get_args(Dtype),
}


@runtime_checkable
class ModelConfig(Protocol):
    """The fields that every config of an experiment on a model has."""

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    @property
    def model(self) -> str:
        """A bundled name or the path of a checkpoint."""
        ...

    @property
    def task(self) -> str | None:
        """Of a reference file, which does not name it."""
        ...

    @property
    def problems(self) -> int | None:
        """How many; none until the scale is filled in."""
        ...

    @property
    def levels(self) -> tuple[int, ...]:
        """Each in 1 … K."""
        ...

    @property
    def difficulty(self) -> Difficulty:
        """Which generator the problems come from."""
        ...

    @property
    def seed(self) -> int:
        """Of everything that is drawn."""
        ...

    @property
    def controls(self) -> int | None:
        """Draws of untrained weights; none until the scale is filled in."""
        ...

    @property
    def weights(self) -> Weights | None:
        """Which weights of a reference file."""
        ...

    @property
    def bound(self) -> float | None:
        """The solver's clamp; none until it is planned, if none was given."""
        ...

    @property
    def dtype(self) -> Dtype:
        """Precision."""
        ...

    @property
    def device(self) -> str:
        """Where to compute."""
        ...

    @property
    def unit_problems(self) -> int:
        """Problems a work unit."""
        ...

    @property
    def model_sha256(self) -> str:
        """Of the planned file; empty before that."""
        ...


C = TypeVar("C", bound=ModelConfig)


def check_shared(config: ModelConfig) -> None:
    """Check the fields of `ModelConfig`, once all are of the types that are declared.

    Raises:
        ConfigError: One of them cannot be meant.
    """
    take_plain(config)
    check_seed(config.seed)
    check_device_name(config.device)
    check_least(config, _LEAST)
    if not config.levels or len(set(config.levels)) != len(config.levels):
        raise ConfigError(
            f"levels: expected different levels, at least one, found {list(config.levels)}."
        )
    if config.bound is not None:
        check_positive(config, ("bound",))
    check_choices(config, _CHOICES)


def check_least(config: ModelConfig, least: Mapping[str, int]) -> None:
    """Check that numbers that were given are no smaller than they may be.

    Raises:
        ConfigError: One is.
    """
    for name, lowest in least.items():
        value = getattr(config, name)
        if value is not None and value < lowest:
            raise ConfigError(f"{name}: expected at least {lowest}, found {value}.")


def check_positive(config: ModelConfig, names: Sequence[str]) -> None:
    """Check that numbers are finite and above 0.

    Raises:
        ConfigError: One is not.
    """
    for name in names:
        value = getattr(config, name)
        if not 0 < value < math.inf:
            raise ConfigError(f"{name}: expected a finite number > 0, found {value}.")


def check_choices(config: ModelConfig, choices: Mapping[str, Sequence[str | None]]) -> None:
    """Check that words are among those that are known.

    Raises:
        ConfigError: One is not.
    """
    for name, known in choices.items():
        value = getattr(config, name)
        if value not in known:
            words = ", ".join(str(word) for word in known if word is not None)
            raise ConfigError(f"{name}: expected one of {words}, found {value!r}.")


def bound_of(config: ModelConfig) -> float:
    """The solver's clamp: the plan's, which holds one always, else the solver's own."""
    return BOUND if config.bound is None else config.bound


def fill_from(config: C, sizes: Mapping[str, int]) -> C:
    """The config with the numbers that were not given, as its scale has them."""
    missing = {name: value for name, value in sizes.items() if getattr(config, name) is None}
    return dataclasses.replace(config, **missing)
