"""An experiment made as small as it goes, to try all of it in seconds."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ired_interp.errors import ExperimentError
from ired_interp.experiments.base import Experiment

__all__ = ["Reduced", "reduce_config"]

# Fields that count problems, and fields that list levels, whatever the experiment.
_COUNTS = ("problems", "num_problems", "unit_problems")
_LISTS = ("levels",)


@dataclass(frozen=True)
class Reduced:
    """A config of one problem and one level, or as near to that as the experiment allows.

    Attributes:
        config: To be planned and run.
        ratios: By field that was changed, how many times as much the full config asks for.
        note: Why it is no smaller; empty where it is small.
        own: Whether the experiment said itself what is smallest.
    """

    config: Any
    ratios: Mapping[str, float]
    note: str = ""
    own: bool = False

    @property
    def times(self) -> float:
        """How many times the work of the reduced config the full one has, chunks left aside."""
        return math.prod(n for name, n in self.ratios.items() if not name.startswith("unit_"))


def reduce_config(
    experiment: Experiment,
    config: Any,
    *,
    full: Any = None,
    num_problems: int = 1,
    num_levels: int = 1,
) -> Reduced:
    """Reduce a config to one problem and one level, or to a few.

    An experiment with a method ``smallest(config)`` says itself what its smallest config is. For
    others the fields ``problems`` (``num_problems``, ``unit_problems``) become 1 and of ``levels``
    the first is kept; one that has no such fields stays as it is.

    Args:
        experiment: Whose config it is.
        config: As it was asked for.
        full: The same planned, where numbers that were left open are filled in; ``config`` if none.
        num_problems: How many are left, for an experiment without ``smallest``.
        num_levels: How many are left, likewise.

    Raises:
        ExperimentError: ``smallest`` returned something else than a config.
    """
    full = config if full is None else full
    if experiment.smallest is not None:
        small = experiment.smallest(config)
        if not isinstance(small, experiment.Config):
            raise ExperimentError(
                f"{experiment.name}: smallest: expected a {experiment.Config.__name__}, found "
                f"{type(small).__name__}."
            )
        return Reduced(small, _ratios(full, small), own=True)
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(config):
        value = getattr(full, field.name)
        if field.name in _COUNTS and isinstance(value, int) and value > num_problems:
            changes[field.name] = num_problems
        elif field.name in _LISTS and isinstance(value, tuple) and len(value) > num_levels:
            changes[field.name] = value[:num_levels]
    if not changes:
        return Reduced(config, {}, "its config has no problems or levels to reduce")
    try:
        small = dataclasses.replace(config, **changes)
    except (ValueError, TypeError) as error:
        return Reduced(config, {}, f"its config refuses one problem at one level ({error})")
    return Reduced(small, _ratios(full, small))


def _ratios(full: Any, small: Any) -> dict[str, float]:
    ratios = {}
    for field in dataclasses.fields(full):
        before, after = getattr(full, field.name), getattr(small, field.name)
        if before == after or isinstance(before, bool):
            continue
        if isinstance(before, tuple) and isinstance(after, tuple) and after:
            ratios[field.name] = len(before) / len(after)
        elif isinstance(before, int) and isinstance(after, int) and after > 0:
            ratios[field.name] = before / after
    return ratios
