"""∇²_yE of a landscape at fixed points, for many calls."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ired_interp.checks import finite
from ired_interp.energy.base import FixedCurvature, FixedProduct

__all__ = ["NO_SECOND_DERIVATIVE", "FixedRows", "HessianProduct"]

NO_SECOND_DERIVATIVE = (
    "E is finite there. Where y and the weights are of a usual size, the second derivative is not "
    "defined at this y, or torch's is not: a norm or a root at 0, equal eigenvalues or singular "
    "values, a where beside an undefined branch. Move y by a little, or write the term smoothly."
)
"""What to say of a curvature that is not finite."""


@runtime_checkable
class FixedRows(Protocol):
    """What a product needs of the landscape that it is of."""

    def select(self, rows: Int[Tensor, " k"]) -> "FixedRows":
        """The landscape of some of the rows."""
        ...

    def product(self, y: Float[Tensor, "n d"]) -> "HessianProduct":
        """The product at other points."""
        ...

    def assembled(self, y: Float[Tensor, "n d"]) -> Float[Tensor, "n d d"]:
        """∇²_yE, where the products do not give it."""
        ...


@dataclass(frozen=True, slots=True)
class HessianProduct:
    """v ↦ ∇²_yE·v at fixed points, as `Landscape.product` makes it.

    Attributes:
        land: The landscape.
        y: The points.
        blocks: The rows of each part.
        parts: The products of the blocks.
    """

    land: FixedRows
    y: Float[Tensor, "n d"]
    blocks: tuple[slice, ...]
    parts: tuple[FixedProduct, ...]

    @torch.no_grad()
    def __call__(self, v: Float[Tensor, "n m d"]) -> Float[Tensor, "n m d"]:
        """H·v for m vectors a point, as rows.

        Raises:
            NonFiniteError: A product is not finite.
        """
        if len(self.parts) == 1:
            return finite(self.parts[0](v), "the Hessian product")
        pairs = zip(self.parts, self.blocks, strict=True)
        return finite(torch.cat([part(v[rows]) for part, rows in pairs]), "the Hessian product")

    @torch.no_grad()
    def hessian(self) -> Float[Tensor, "n d d"]:
        """H at each point, symmetric: of what the forward pass left, where that is enough.

        Raises:
            NonFiniteError: H is not finite.
        """
        held = [part for part in self.parts if isinstance(part, FixedCurvature)]
        if len(held) < len(self.parts):
            return self.land.assembled(self.y)
        matrices = [part.hessian() for part in held]
        h = matrices[0] if len(matrices) == 1 else torch.cat(matrices)
        return finite(h, "the Hessian", NO_SECOND_DERIVATIVE)

    def select(self, rows: Int[Tensor, " k"]) -> "HessianProduct":
        """The product at some of the points, without a new forward pass where that is possible."""
        land, y = self.land.select(rows), self.y[rows]
        part = self.parts[0]
        if len(self.parts) == 1 and isinstance(part, FixedCurvature):
            return HessianProduct(land, y, (slice(0, len(rows)),), (part.select(rows),))
        return land.product(y)
