"""What a landscape is made of: an energy and its derivatives at fixed rows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor

from ired_interp.energy.base import AnalyticEnergy, FixedProduct, LinearisedEnergy

__all__ = ["AnalyticField", "Field"]


@runtime_checkable
class Field(Protocol):
    """E and its derivatives at fixed rows; tangents and vectors as rows."""

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
