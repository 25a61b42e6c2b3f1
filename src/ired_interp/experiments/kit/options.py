"""The options of an experiment: fields of its ``Config``, each declared with its words and bounds.

``option`` makes a field that says what it is, what stands for it at each scale, and what it may be;
from these the command line has its help, and the config its checks. What all experiments on a model
are asked is `SubjectOptions`, and with a network that was trained on shuffled answers beside it
`ModelOptions`; an experiment's ``Config`` inherits one of them and adds its own.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

import torch

from ired_interp.choices import Difficulty, Weights
from ired_interp.devices import check_device_name
from ired_interp.draws import check_seed
from ired_interp.errors import ConfigError
from ired_interp.experiments.config import take_plain, word_of
from ired_interp.solve import BOUND

__all__ = [
    "DTYPES",
    "Dtype",
    "ModelOptions",
    "Scale",
    "SubjectOptions",
    "bound_of",
    "filled",
    "option",
]

Dtype = Literal["float64", "float32"]
Scale = Literal["laptop", "paper"]

DTYPES: Mapping[Dtype, torch.dtype] = {"float64": torch.float64, "float32": torch.float32}

C = TypeVar("C", bound="SubjectOptions")


def option(
    text: str,
    *,
    default: Any = None,
    laptop: int | None = None,
    paper: int | None = None,
    least: int | None = None,
    above: float | None = None,
    between: tuple[float, float] | None = None,
    what: str = "a finite number",
    before: Any = dataclasses.MISSING,
    at_most: str | None = None,
) -> Any:
    """A field of a config.

    Args:
        text: What it is, for the command line's help.
        default: Its value where it is not given; None where ``laptop`` and ``paper`` stand for it.
        laptop: Its value at ``--scale laptop`` where it is not given.
        paper: Likewise at ``--scale paper``.
        least: The smallest it may be.
        above: It must be finite, and larger than this.
        between: It must lie between the two, and be neither.
        what: What a number is, in messages about ``above`` and ``between``.
        before: Its value in runs that were planned before there was the option.
        at_most: Name of an option that it may not be larger than; what stands for it at a scale is
            as small as that where need be.
    """
    scales = {"laptop": laptop, "paper": paper}
    if laptop is not None:
        text = f"{text}; {laptop} at --scale laptop, {paper} at paper"
    return dataclasses.field(
        default=default,
        metadata=({} if before is dataclasses.MISSING else {"before": before})
        | {
            "text": f"{text}.",
            "scales": scales,
            "least": least,
            "above": above,
            "between": between,
            "what": what,
            "at_most": at_most,
        },
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class SubjectOptions:
    """What every experiment on a model is asked: which model, which problems, at which levels."""

    model: str = option("A bundled name or the path of a checkpoint", default="inverse-4")
    task: str | None = option("Needed for a reference .pt, which does not name its task")
    scale: Scale = option(
        "How large where a number is not given: laptop or paper", default="laptop"
    )
    problems: int | None = option("How many problems", least=1)
    levels: tuple[int, ...] = option(
        "Which levels, each in 1 … K", default=(1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
    )
    difficulty: Difficulty = option("Which generator the problems come from", default="same")
    seed: int = option("Of everything that is drawn", default=0)
    controls: int | None = option("Draws of untrained weights beside the model", least=0)
    weights: Weights | None = option("ema or online, for a reference file")
    bound: float | None = option(
        "The solver's clamp, for the model's skill; that of the model's training if none",
        above=0,
    )
    dtype: Dtype = option("Precision", default="float64")
    device: str = option("Where to compute", default="cpu")
    unit_problems: int = option("Problems a work unit", default=4, least=1)
    model_sha256: str = dataclasses.field(default="", metadata={"planned": True})

    def __post_init__(self) -> None:
        """Check every field as its declaration has it.

        Raises:
            ConfigError: One of them cannot be meant.
        """
        take_plain(self)
        check_seed(self.seed)
        check_device_name(self.device)
        for field in dataclasses.fields(self):
            _check(field.name, getattr(self, field.name), field.metadata)
            _check_beside(self, field)
        if not self.levels or len(set(self.levels)) != len(self.levels):
            raise ConfigError(
                f"levels: expected different levels, at least one, found {list(self.levels)}."
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelOptions(SubjectOptions):
    """The same, and a network that was trained on shuffled answers to be measured beside it."""

    shuffled: str | None = option(
        "A checkpoint of the same network that was trained on shuffled answers, to be measured "
        "beside the model; none if there is none"
    )
    shuffled_sha256: str = dataclasses.field(default="", metadata={"planned": True})


def bound_of(config: SubjectOptions) -> float:
    """The solver's clamp: the plan's, which holds one always, else the solver's own."""
    return BOUND if config.bound is None else config.bound


def filled(config: C) -> C:
    """The config with the numbers that were not given, as its scale has them."""
    missing = {
        field.name: _in_full(config, field)
        for field in dataclasses.fields(config)
        if getattr(config, field.name) is None and _of_scale(field.metadata)
    }
    return dataclasses.replace(config, **missing)


def _in_full(config: SubjectOptions, field: dataclasses.Field[Any]) -> Any:
    """Its value, or what stands for it at the config's scale."""
    value = getattr(config, field.name)
    if value is not None or not _of_scale(field.metadata):
        return value
    value, most = field.metadata["scales"][config.scale], _most(config, field)
    return value if most is None else min(value, most)


def _most(config: SubjectOptions, field: dataclasses.Field[Any]) -> Any:
    """The option that it may not be larger than, in full; None without one."""
    name = field.metadata.get("at_most")
    return name and _in_full(config, type(config).__dataclass_fields__[name])


def _of_scale(metadata: Mapping[str, Any]) -> bool:
    return metadata.get("scales", {}).get("laptop") is not None


def _check(name: str, value: Any, bounds: Mapping[str, Any]) -> None:
    if value is None:
        return
    least, above, between = (bounds.get(bound) for bound in ("least", "above", "between"))
    if least is not None and value < least:
        raise ConfigError(f"{name}: expected at least {least}, found {word_of(value)}.")
    if above is not None and not above < value < math.inf:
        raise ConfigError(f"{name}: expected {bounds['what']} > {above}, found {value}.")
    if between is not None and not between[0] < value < between[1]:
        low, high = between
        raise ConfigError(
            f"{name}: expected {bounds['what']} between {low} and {high}, found {value}."
        )


def _check_beside(config: SubjectOptions, field: dataclasses.Field[Any]) -> None:
    value, most = getattr(config, field.name), _most(config, field)
    if value is not None and most is not None and value > most:
        raise ConfigError(
            f"{field.name}: expected at most the {most} {field.metadata['at_most']}, found {value}."
        )
