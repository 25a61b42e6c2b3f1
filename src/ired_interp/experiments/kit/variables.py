"""The variables of an experiment, each declared once: dimensions, unit, meaning, error.

From the declarations follow the attributes in ``results.h5``, the table of variables of the page,
what may be missing, and which means over problems the summary holds.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import xarray as xr
from torch import Tensor

from ired_interp.errors import ExperimentError
from ired_interp.experiments.over_problems import mean_variable, summarised
from ired_interp.experiments.page import Definition

__all__ = ["GIVEN", "ROUND_OFF", "V", "Values", "Variable", "Variables", "declare"]

ROUND_OFF: Final = "round-off of the dtype"
GIVEN: Final = "none: given"

Values = Mapping[str, "Tensor | npt.NDArray[Any]"]
"""Numbers by the name of their variable."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of the results.

    Attributes:
        name: In ``results.h5``.
        dims: Of its array, in their order.
        unit: ``1`` for pure numbers; empty for what has several, as x and y*.
        meaning: How it is measured.
        error: Where its error stands.
        may_be_missing: Whether NaN is a possible answer.
        mean: Whether the summary has its mean over problems.
        flags: What its numbers stand for; empty for numbers that are meant.
        whole: Whether it is a whole number, below 0 where it is missing.
    """

    name: str
    dims: tuple[str, ...]
    unit: str
    meaning: str
    error: str = ROUND_OFF
    may_be_missing: bool = False
    mean: bool = False
    flags: str = ""
    whole: bool = False

    def attributes(self) -> dict[str, str]:
        """As they stand beside the numbers."""
        unit = {"units": self.unit} if self.unit else {}
        flags = {"flag_meanings": self.flags} if self.flags else {}
        return unit | {"long_name": self.meaning} | flags


def V(  # noqa: N802 - a declaration, read as a line of a table
    name: str,
    dims: str,
    unit: str,
    meaning: str,
    error: str = ROUND_OFF,
    *,
    may_be_missing: bool = False,
    mean: bool = False,
    flags: str = "",
    whole: bool = False,
) -> Variable:
    """A `Variable`, its dims separated by spaces."""
    given = tuple(dims.split())
    return Variable(name, given, unit, meaning, error, may_be_missing, mean, flags, whole)


_OF_ALL = (
    V("x", "problem x_dim", "", "The question, flat and row-major.", GIVEN),
    V("answer", "problem y_dim", "", "The true answer y*, flat and row-major.", GIVEN),
)


class Variables(Mapping[str, Variable]):
    """All of an experiment; x and the true answer are among them always."""

    def __init__(self, declared: Mapping[str, Variable]) -> None:
        self._declared = declared

    def __getitem__(self, name: str) -> Variable:
        return self._declared[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._declared)

    def __len__(self) -> int:
        return len(self._declared)

    @property
    def definitions(self) -> dict[str, Definition]:
        """For the page's table of variables."""
        return {name: Definition(one.meaning, one.error) for name, one in self.items()}

    @property
    def may_be_missing(self) -> tuple[str, ...]:
        """Where NaN is a possible answer."""
        return tuple(name for name, one in self.items() if one.may_be_missing)

    def dataset(self, values: Values, coords: Mapping[str, Any]) -> xr.Dataset:
        """Numbers as a dataset, with their dims and attributes.

        Raises:
            ExperimentError: A variable that is not declared, or with other dims.
        """
        data = {}
        for name, value in values.items():
            if name not in self:
                raise ExperimentError(
                    f"{name}: expected a declared variable ({', '.join(self)}), found one that is "
                    "not. Declare it with its dims, unit and meaning."
                )
            array = value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)
            dims = self[name].dims
            if array.ndim != len(dims):
                raise ExperimentError(
                    f"{name}: expected the declared dims ({', '.join(dims)}), found an array of "
                    f"shape {array.shape}."
                )
            if self[name].whole:
                array = array.astype(np.int32)
            data[name] = (dims, array, self[name].attributes())
        used = {dim for dims, _, _ in data.values() for dim in dims}
        return xr.Dataset(data, coords={k: v for k, v in coords.items() if _dims(k, v) <= used})

    def summary(self, data: xr.Dataset) -> xr.Dataset:
        """Means over problems with BCa bootstrap intervals, of what is declared to have one."""
        means: dict[str, Any] = {}
        for name, one in self.items():
            if one.mean and name in data:
                axes = tuple(dim for dim in one.dims if dim != "problem")
                values = data[name].where(data[name] >= 0) if one.whole else data[name]
                means[name] = mean_variable(values, axes, one.unit, name)
        used = {dim for dims, *_ in means.values() for dim in dims}
        coords = [str(k) for k, v in data.coords.items() if v.dims and set(v.dims) <= used]
        return summarised(data, means, coords)


def declare(*variables: Variable) -> Variables:
    """The variables of an experiment.

    Raises:
        ExperimentError: Two of one name.
    """
    names = [one.name for one in variables]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ExperimentError(
            f"variables: expected different names, found {', '.join(twice)} twice."
        )
    return Variables({one.name: one for one in (*_OF_ALL, *variables)})


def _dims(name: str, value: Any) -> set[str]:
    if isinstance(value, xr.DataArray | xr.Variable):
        return set(map(str, value.dims))
    if isinstance(value, tuple):
        return {value[0]} if isinstance(value[0], str) else set(value[0])
    return {name} if np.ndim(value) else set()
