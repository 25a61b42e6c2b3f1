"""The ends of a spectrum that are asked for, and which values may be among them."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = ["Ends"]


@dataclass(frozen=True, slots=True)
class Ends:
    """Which eigenpairs: ``top`` of the largest |λ|, ``bottom`` of the lowest λ."""

    top: int
    bottom: int

    @property
    def num_pairs(self) -> int:
        """Pairs in the result; one may be in it twice."""
        return self.top + self.bottom

    def choose(self, values: Float[Tensor, "n k"]) -> Int[Tensor, "n e"]:
        """Their indices among the given values: by falling |λ|, then by rising λ."""
        by_size = values.abs().argsort(dim=1, descending=True, stable=True)[:, : self.top]
        lowest = values.argsort(dim=1, stable=True)[:, : self.bottom]
        return torch.cat([by_size, lowest], dim=1)

    def nearest(self, values: Float[Tensor, "n k"], count: int) -> Int[Tensor, "n c"]:
        """Indices of as many different ones: the wanted ones first, then those next to them."""
        by_size = values.abs().argsort(dim=1, descending=True, stable=True).argsort(dim=1)
        from_below = values.argsort(dim=1, stable=True).argsort(dim=1)
        rank = torch.minimum(by_size - self.top, from_below - self.bottom)
        return rank.argsort(dim=1, stable=True)[:, :count]

    def may_include(
        self,
        found: Float[Tensor, "n e"],
        low: Float[Tensor, "n k"],
        high: Float[Tensor, "n k"],
        tol: float,
    ) -> Bool[Tensor, "n k"]:
        """Which of some values, known to lie in low … high, may belong among those found.

        Args:
            found: In the order of `choose`.
            low: Lower ends.
            high: Upper ends.
            tol: What makes no difference, as a share of the largest.
        """
        sizes = torch.maximum(low.abs(), high.abs())
        norm = torch.maximum(found.abs().amax(dim=1), sizes.amax(dim=1).to(found))
        margin = (tol * norm)[:, None]
        may = torch.zeros_like(low, dtype=torch.bool)
        if self.top:
            may |= sizes > found[:, : self.top].abs().amin(dim=1, keepdim=True) + margin
        if self.bottom:
            may |= low < found[:, self.top :].amax(dim=1, keepdim=True) - margin
        return may

    def improved(
        self, found: Float[Tensor, "n e"], again: Float[Tensor, "n e"], tol: float
    ) -> Bool[Tensor, " n"]:
        """Where other pairs lie further out than those found, by more than tol·‖H‖."""
        margin = tol * torch.maximum(found.abs(), again.abs()).amax(dim=1, keepdim=True)
        old, new = (v[:, : self.top].abs().sort(dim=1).values for v in (found, again))
        lowest, lower = (v[:, self.top :].sort(dim=1).values for v in (found, again))
        return (new > old + margin).any(dim=1) | (lower < lowest - margin).any(dim=1)
