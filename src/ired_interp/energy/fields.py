"""What a landscape is made of: an energy and its derivatives at fixed rows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from ired_interp.energy.base import AnalyticEnergy, FixedProduct, LinearisedEnergy

__all__ = ["AnalyticField", "Field", "blocks_within", "where_defined"]

# What an energy may raise beyond its domain, and torch within it. The points are not the caller's.
_AT_A_POINT = (ArithmeticError, AssertionError, LookupError, RuntimeError, TypeError, ValueError)
_CLOSED_FORMS = ("energy", "energy_and_gradient", "hvp", "hessian", "product")


@runtime_checkable
class Field(Protocol):
    """E and its derivatives at fixed rows; tangents and vectors as rows."""

    @property
    def is_tested(self) -> bool:
        """Whether the derivatives are closed forms that this package's own tests verify."""
        ...

    @property
    def note(self) -> str:
        """What a result should say of how its products were taken; mostly nothing."""
        ...

    def select(self, rows: slice | Tensor) -> "Field":
        """The same at some of the rows."""
        ...

    def energy(self, y: Tensor) -> Tensor:
        """E at each row."""
        ...

    def energy_and_gradient(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """E and ∇E."""
        ...

    def hvp(self, y: Tensor, v: Tensor) -> Tensor:
        """∇²E·v for m vectors a row, [n, m, d]."""
        ...

    def linearise(self, y: Tensor) -> FixedProduct:
        """`hvp` at fixed points, for many calls."""
        ...

    def hessian(self, y: Tensor) -> Tensor:
        """∇²E, symmetric."""
        ...

    def hessian_rows(self, max_bytes: int) -> int:
        """Rows whose Hessians are assembled at once within so many bytes; 0: not assembled."""
        ...

    def work(self, y: Tensor) -> tuple[int, int]:
        """Operations of a product and of a Hessian, a row."""
        ...

    def memory(self, y: Tensor) -> Callable[[int], int]:
        """Bytes a row needs, as a function of the number of vectors."""
        ...

    def check_rows(self, y: Tensor) -> None:
        """Raise EnergyError if rows influence one another."""
        ...


@dataclass(frozen=True)
class AnalyticField:
    """A model with closed-form derivatives, at fixed x and t."""

    model: AnalyticEnergy
    x: Tensor
    t: Tensor

    @property
    def is_tested(self) -> bool:
        """Whether the model's own class, not one that it derives from, is tested here."""
        own = vars(type(self.model)).get("has_tested_derivatives", False)
        return bool(own) and vars(self.model).keys().isdisjoint(_CLOSED_FORMS)

    @property
    def note(self) -> str:
        """Nothing."""
        return ""

    def select(self, rows: slice | Tensor) -> "AnalyticField":
        """The same at some of the rows."""
        return AnalyticField(self.model, self.x[rows], self.t[rows])

    def energy(self, y: Tensor) -> Tensor:
        """E at each row."""
        return self.model.energy(self.x, y, self.t)

    def energy_and_gradient(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """E and ∇E."""
        return self.model.energy_and_gradient(self.x, y, self.t)

    def hvp(self, y: Tensor, v: Tensor) -> Tensor:
        """∇²E·v for m vectors a row, [n, m, d]."""
        return self.model.hvp(self.x, y, self.t, v)

    def linearise(self, y: Tensor) -> FixedProduct:
        """`hvp` at fixed points, for many calls."""
        if isinstance(self.model, LinearisedEnergy):
            return self.model.product(self.x, y, self.t)
        return lambda v: self.hvp(y, v)

    def hessian(self, y: Tensor) -> Tensor:
        """∇²E, symmetric."""
        return self.model.hessian(self.x, y, self.t)

    def hessian_rows(self, max_bytes: int) -> int:
        """Rows whose Hessians a model with an assembly of its own makes at once; else 0."""
        if not isinstance(self.model, LinearisedEnergy):
            return 0
        fixed = self.model.hessian_bytes(0)
        return max(0, (max_bytes - fixed) // (self.model.hessian_bytes(1) - fixed))

    def work(self, y: Tensor) -> tuple[int, int]:
        """Operations of a product and of a Hessian; without word of them, d² of both."""
        if isinstance(self.model, LinearisedEnergy):
            return self.model.product_flops(), self.model.hessian_flops()
        return y.shape[1] ** 2, y.shape[1] ** 2

    def memory(self, y: Tensor) -> Callable[[int], int]:  # noqa: ARG002 - the protocol's
        """Bytes a row needs, as a function of the number of vectors."""
        return self.model.working_bytes

    def check_rows(self, y: Tensor) -> None:
        """A model's rows are independent by its protocol."""


def where_defined(field: Field, y: Tensor) -> tuple[Tensor, Tensor]:
    """E and ∇E; NaN at rows where the energy raises an error.

    Cost: one energy and gradient; one a row where it refuses some row.
    """
    try:
        return field.energy_and_gradient(y)
    except torch.OutOfMemoryError:
        raise
    except _AT_A_POINT:
        if y.shape[0] == 1:
            return torch.full_like(y[:, 0], torch.nan), torch.full_like(y, torch.nan)
    rows = [slice(row, row + 1) for row in range(y.shape[0])]
    parts = [where_defined(field.select(row), y[row]) for row in rows]
    return torch.cat([energy for energy, _ in parts]), torch.cat([slope for _, slope in parts])


def blocks_within(
    bytes_for: Callable[[int], int], num_rows: int, num_vectors: int, max_bytes: int
) -> list[tuple[slice, slice]]:
    """Rows, and vectors where one row is too much, whose memory stays near the bound.

    Args:
        bytes_for: Bytes a row needs for so many vectors.
        num_rows: How many there are.
        num_vectors: Of each row.
        max_bytes: The bound.
    """
    step = max(1, max_bytes // max(bytes_for(num_vectors), 1))
    num_columns = num_vectors
    while num_columns > 1 and bytes_for(num_columns) > max_bytes:
        num_columns = (num_columns + 1) // 2
    return [
        (slice(row, row + step), slice(column, min(column + num_columns, num_vectors)))
        for row in range(0, num_rows, step)
        for column in range(0, max(num_vectors, 1), max(num_columns, 1))
    ]
