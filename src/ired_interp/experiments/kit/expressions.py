"""Statistics as expressions over variables: what a claim tests, a chart shows, a table lists.

    rho = pick("spearman", metric="grassmann").mean("level", where=sees_the_answer)
    rho(sweep="growing") - pick("bowl_spearman", sweep="growing", metric="grassmann")

An expression says which variables it needs, and is evaluated on the data of one network, or on a
summary.
"""

import operator
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import xarray as xr

__all__ = ["FIRST", "Expression", "Pick", "pick"]

FIRST: Final[Hashable] = object()
"""Of a dimension its first place, whatever that is in the data."""


@dataclass(frozen=True)
class Expression:
    """A function of the data, and the variables that it takes.

    Attributes:
        variables: Names.
        evaluate: (data) → its values; a dimension that a variable was reduced to one place of is
            gone, and a place that the data do not have gives NaN.
    """

    variables: tuple[str, ...]
    evaluate: Callable[[xr.Dataset], xr.DataArray]

    def of(self, data: xr.Dataset) -> xr.DataArray:
        """The values."""
        return self.evaluate(data)

    def mean(
        self, dim: str, *, where: Callable[[xr.Dataset], xr.DataArray] | None = None
    ) -> "Expression":
        """The mean over a dimension, of what is not missing.

        Args:
            dim: Which; what does not have it stays as it is.
            where: (data) → which places count, along that dimension; all if none.
        """

        def evaluate(data: xr.Dataset) -> xr.DataArray:
            values = self.of(data)
            if dim not in values.dims:
                return values
            if where is not None:
                values = values.isel({dim: np.flatnonzero(where(data).values)})
            return values.mean(dim)

        return Expression(self.variables, evaluate)

    def map(self, function: Callable[[xr.DataArray], xr.DataArray]) -> "Expression":
        """A function of the values, such as a logarithm."""
        return Expression(self.variables, lambda data: function(self.of(data)))

    def __call__(self, **where: Hashable) -> "Expression":
        """The same at one place of further dimensions."""
        return Expression(self.variables, lambda data: _at(self.of(data), where))

    def __add__(self, other: "Expression | float") -> "Expression":
        return self._with(other, operator.add)

    def __sub__(self, other: "Expression | float") -> "Expression":
        return self._with(other, operator.sub)

    def __mul__(self, other: "Expression | float") -> "Expression":
        return self._with(other, operator.mul)

    def __truediv__(self, other: "Expression | float") -> "Expression":
        return self._with(other, operator.truediv)

    def _with(self, other: "Expression | float", how: Callable[[Any, Any], Any]) -> "Expression":
        if not isinstance(other, Expression):
            return self.map(lambda values: how(values, other))
        names = tuple(dict.fromkeys((*self.variables, *other.variables)))
        return Expression(names, lambda data: how(self.of(data), other.of(data)))


@dataclass(frozen=True, init=False)
class Pick(Expression):
    """A variable, at one place of some of its dimensions.

    Attributes:
        variable: Its name.
        where: Places by dimension.
    """

    variable: str
    where: Mapping[str, Hashable] = field(default_factory=dict)

    def __init__(self, variable: str, where: Mapping[str, Hashable]) -> None:
        object.__setattr__(self, "variable", variable)
        object.__setattr__(self, "where", where)
        super().__init__((variable,), self.select)

    def select(self, data: xr.Dataset) -> xr.DataArray:
        """The values, of results or of a summary."""
        return _at(data[self.variable], self.where)

    def __call__(self, **where: Hashable) -> "Pick":
        """The same at one place of further dimensions."""
        return Pick(self.variable, {**self.where, **where})


def pick(variable: str, **where: Hashable) -> Pick:
    """A variable of the results, at one place of some of its dimensions."""
    return Pick(variable, where)


def _at(values: xr.DataArray, where: Mapping[str, Hashable]) -> xr.DataArray:
    """At one place of each dimension; NaN where the data have no such place."""
    for dim, place in where.items():
        if dim not in values.dims:
            continue
        if place is FIRST:
            values = values.isel({dim: 0})
        elif place in values[dim].values:
            values = values.sel({dim: place})
        else:
            values = xr.full_like(values.isel({dim: 0}, drop=True), np.nan, dtype=float)
    return values
