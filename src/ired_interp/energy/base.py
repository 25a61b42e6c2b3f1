"""What an energy is: the protocol that models satisfy, and the closed forms that some can add."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor

from ired_interp.schedule import Schedule

__all__ = [
    "AnalyticEnergy",
    "ConditionableEnergy",
    "ConditionedEnergy",
    "Energy",
    "FixedCurvature",
    "FixedProduct",
    "LinearisedEnergy",
]


@runtime_checkable
class Energy(Protocol):
    """E_θ(x, y, t), one number a row; rows do not influence one another."""

    schedule: Schedule
    dim_x: int
    dim_y: int

    def energy(
        self, x: Float[Tensor, "n dim_x"], y: Float[Tensor, "n d"], t: Int[Tensor, " n"]
    ) -> Float[Tensor, " n"]:
        """E at each row."""
        ...


@runtime_checkable
class AnalyticEnergy(Energy, Protocol):
    """An energy whose derivatives in y are known in closed form, without autograd."""

    def energy_and_gradient(
        self, x: Float[Tensor, "n dim_x"], y: Float[Tensor, "n d"], t: Int[Tensor, " n"]
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, "n d"]]:
        """E and ∇_yE from one forward pass."""
        ...

    def hvp(
        self,
        x: Float[Tensor, "n dim_x"],
        y: Float[Tensor, "n d"],
        t: Int[Tensor, " n"],
        v: Float[Tensor, "n m d"],
    ) -> Float[Tensor, "n m d"]:
        """∇²_yE·v for m vectors a row."""
        ...

    def hessian(
        self, x: Float[Tensor, "n dim_x"], y: Float[Tensor, "n d"], t: Int[Tensor, " n"]
    ) -> Float[Tensor, "n d d"]:
        """∇²_yE, symmetric."""
        ...

    def working_bytes(self, num_vectors: int) -> int:
        """Bytes of working memory a row needs: 0 vectors for a gradient, m for `hvp`, d for H."""
        ...


@runtime_checkable
class ConditionedEnergy(Protocol):
    """E and ∇_yE at fixed questions and timesteps."""

    def energy(self, y: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        """E at each row."""
        ...

    def energy_and_gradient(
        self, y: Float[Tensor, "n d"]
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, "n d"]]:
        """E and ∇_yE from one forward pass."""
        ...


@runtime_checkable
class ConditionableEnergy(Energy, Protocol):
    """An energy that can fix its questions once for many candidate answers."""

    def condition(
        self,
        x: Float[Tensor, "n dim_x"],
        t: Int[Tensor, " n"],
        *,
        product: Callable[[Tensor, Tensor], Tensor] = ...,
    ) -> ConditionedEnergy:
        """The energy at these questions; ``product`` multiplies its matrices."""
        ...


FixedProduct = Callable[[Float[Tensor, "n m d"]], Float[Tensor, "n m d"]]
"""v ↦ ∇²_yE·v for m vectors a row, at fixed points."""


@runtime_checkable
class FixedCurvature(Protocol):
    """∇²_yE at fixed points, of which everything that one forward pass gives is known."""

    @property
    def energy(self) -> Float[Tensor, " n"]:
        """E at each point."""
        ...

    def __call__(self, v: Float[Tensor, "n m d"]) -> Float[Tensor, "n m d"]:
        """∇²_yE·v for m vectors a row."""
        ...

    def hessian(self) -> Float[Tensor, "n d d"]:
        """∇²_yE, symmetric."""
        ...

    def select(self, rows: Int[Tensor, " k"]) -> "FixedCurvature":
        """The same at some of the rows."""
        ...


@runtime_checkable
class LinearisedEnergy(AnalyticEnergy, Protocol):
    """An analytic energy that can fix its points once, for products and matrices."""

    def product(
        self, x: Float[Tensor, "n dim_x"], y: Float[Tensor, "n d"], t: Int[Tensor, " n"]
    ) -> FixedCurvature:
        """∇²_yE at these points."""
        ...

    def hessian_bytes(self, num_rows: int) -> int:
        """Bytes of working memory of `hessian` for that many rows, its result left out."""
        ...

    def product_flops(self) -> int:
        """Floating-point operations of one Hessian product."""
        ...

    def hessian_flops(self) -> int:
        """Floating-point operations of one assembled Hessian."""
        ...
