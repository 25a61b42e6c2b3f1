"""Tasks: families of problems x with their true answers y*."""

import dataclasses
import difflib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from ired_interp.checks import Real, Whole, plain
from ired_interp.errors import UnknownNameError
from ired_interp.tasks.addition import Addition
from ired_interp.tasks.base import (
    Difficulty,
    Family,
    OptionValue,
    Problems,
    Task,
    check_size,
)
from ired_interp.tasks.completion import Completion
from ired_interp.tasks.gaussian import Gaussian
from ired_interp.tasks.inverse import Inverse

__all__ = ["Difficulty", "Family", "OptionValue", "Problems", "Task", "task", "task_names"]

_FAMILIES: dict[str, type[Addition | Completion | Inverse | Gaussian]] = {
    "addition": Addition,
    "completion": Completion,
    "inverse": Inverse,
    "gaussian": Gaussian,
}


def task_names() -> list[str]:
    """The names that `task` takes."""
    return list(_FAMILIES)


def task(name: str, size: Whole, **options: Real | Sequence[Real] | npt.NDArray[Any]) -> Task:
    """A task by name.

    Args:
        name: ``addition``, ``completion``, ``inverse`` or ``gaussian``.
        size: The side of the matrix.
        options: ``rank``, ``noise`` and ``scale`` (completion), ``condition`` (inverse),
            ``spectrum`` and ``map_seed`` (gaussian).

    Raises:
        UnknownNameError: No such task, or no such option of it.
        ShapeError: The size or an option is out of range.
    """
    if name not in _FAMILIES:
        near = difflib.get_close_matches(name, _FAMILIES, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise UnknownNameError(
            f"task: expected one of {', '.join(_FAMILIES)}, found {name!r}.{hint}"
        )
    family = _FAMILIES[name]
    known = [field.name for field in dataclasses.fields(family) if field.name != "size"]
    unknown = [option for option in options if option not in known]
    if unknown:
        takes = ", ".join(known) or "no options"
        raise UnknownNameError(f"task {name!r}: unknown option {unknown[0]!r}; it takes {takes}.")
    chosen = {option: _plain(value) for option, value in options.items()}
    return Task(family(check_size(size), **chosen))


def _plain(value: Any) -> Any:
    """Numbers as Python's own, sequences of them as tuples."""
    given: Any = plain(value)
    several = isinstance(given, list | tuple | np.ndarray | Tensor)
    return tuple(map(plain, given)) if several else given
