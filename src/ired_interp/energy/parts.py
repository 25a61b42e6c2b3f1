"""Energies whose Hessian is a known sum of named parts: what they must offer.

For E = ‖f‖² with Jacobian J of f, ∇²E = 2·JᵀJ + 2·Σ_i f_i·∇²f_i: the Gauss-Newton part, which never
bends down, and the residual part, which a network splits further by layer (docs/parts.md).
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor

from ired_interp.energy.base import AnalyticEnergy

__all__ = ["GAUSS_NEWTON", "RESIDUAL", "ModelParts", "SplitEnergy", "SplitField"]

GAUSS_NEWTON = "gauss_newton"
RESIDUAL = "residual"


@runtime_checkable
class SplitEnergy(AnalyticEnergy, Protocol):
    """A model whose ∇²_yE is a sum of p named symmetric parts, each known in closed form.

    ``working_bytes`` covers these two methods as it covers ``hvp`` and ``hessian``.
    """

    @property
    def part_names(self) -> tuple[str, ...]:
        """A name for each part, in the order of the axis p."""
        ...

    def hessian_parts(
        self, x: Float[Tensor, "n dim_x"], y: Float[Tensor, "n d"], t: Int[Tensor, " n"]
    ) -> Float[Tensor, "n p d d"]:
        """The parts as symmetric matrices; their sum is ∇²_yE."""
        ...

    def quadratic_parts(
        self,
        x: Float[Tensor, "n dim_x"],
        y: Float[Tensor, "n d"],
        t: Int[Tensor, " n"],
        v: Float[Tensor, "n m d"],
    ) -> Float[Tensor, "n p m"]:
        """vᵀ(part)v for m vectors a row, without the matrices."""
        ...


@runtime_checkable
class SplitField(Protocol):
    """A split energy at fixed rows of whatever else it depends on."""

    @property
    def part_names(self) -> tuple[str, ...]:
        """A name for each part, in the order of the axis p."""
        ...

    def select(self, rows: slice | Tensor) -> "SplitField":
        """The same energy at some of the rows."""
        ...

    def hessian_parts(self, y: Float[Tensor, "n d"], num_columns: int) -> Float[Tensor, "n p d d"]:
        """The parts as matrices, from at most ``num_columns`` products at a time."""
        ...

    def quadratic_parts(
        self, y: Float[Tensor, "n d"], v: Float[Tensor, "n m d"]
    ) -> Float[Tensor, "n p m"]:
        """vᵀ(part)v for m vectors a row."""
        ...


@dataclass(frozen=True)
class ModelParts:
    """A split model at fixed x and t."""

    model: SplitEnergy
    x: Float[Tensor, "n dim_x"]
    t: Int[Tensor, " n"]

    @property
    def part_names(self) -> tuple[str, ...]:
        """The model's."""
        return self.model.part_names

    def select(self, rows: slice | Tensor) -> "ModelParts":
        """The same model at some of the rows."""
        return ModelParts(self.model, self.x[rows], self.t[rows])

    def hessian_parts(
        self,
        y: Float[Tensor, "n d"],
        num_columns: int,  # noqa: ARG002 - the protocol's; a closed form needs no products
    ) -> Float[Tensor, "n p d d"]:
        """The parts as matrices."""
        return self.model.hessian_parts(self.x, y, self.t)

    def quadratic_parts(
        self, y: Float[Tensor, "n d"], v: Float[Tensor, "n m d"]
    ) -> Float[Tensor, "n p m"]:
        """vᵀ(part)v for m vectors a row."""
        return self.model.quadratic_parts(self.x, y, self.t, v)
