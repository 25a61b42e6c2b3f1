"""IRED's network at fixed questions and timesteps: for many candidate answers of one batch.

A training step asks six times about the same questions. What depends on x and t alone is computed
once; all of it is ordinary tensor operations, so that one backward pass gives the weights'
gradients of energies and of ∇_yE, and `torch.compile` can fuse what lies between the products.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

__all__ = ["ConditionedMLP", "Product"]

Product = Callable[[Tensor, Tensor], Tensor]
"""A product of two matrices: `torch.matmul`, or one of lower precision."""


@dataclass(frozen=True, slots=True)
class ConditionedMLP:
    """y ↦ E and ∇_yE, one question a row; notation as in `mlp`.

    Attributes:
        first: W_1ˣx + b_1.
        gains: Of the second and third layer at each row.
        shifts: What is added after the gain at each row, the layer's own bias among it.
        weights: W_1 (its columns of y), W_2, W_3 and W_4.
        bias: b_4.
        product: How matrices are multiplied.
    """

    first: Float[Tensor, "n w"]
    gains: tuple[Float[Tensor, "n w"], Float[Tensor, "n w"]]
    shifts: tuple[Float[Tensor, "n w"], Float[Tensor, "n w"]]
    weights: tuple[Tensor, Tensor, Tensor, Tensor]
    bias: Tensor
    product: Product

    def energy(self, y: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        """E at each row."""
        h = functional.silu(self._first(y))
        for layer in (0, 1):
            h = functional.silu(self._hidden(h, layer))
        return self._last(h).square().sum(-1)

    def energy_and_gradient(
        self, y: Float[Tensor, "n d"]
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, "n d"]]:
        """E and ∇_yE from one forward pass."""
        h1, slope1 = _swish(self._first(y))
        h2, slope2 = _swish(self._hidden(h1, 0))
        h3, slope3 = _swish(self._hidden(h2, 1))
        output = self._last(h3)
        first, second, third, last = self.weights
        back = self.product(2 * output, last) * slope3 * self.gains[1]
        back = self.product(back, third) * slope2 * self.gains[0]
        back = self.product(back, second) * slope1
        return output.square().sum(-1), self.product(back, first)

    def _first(self, y: Tensor) -> Tensor:
        return self.product(y, self.weights[0].mT) + self.first

    def _hidden(self, h: Tensor, layer: int) -> Tensor:
        """a of the second (0) or third (1) layer."""
        product = self.product(h, self.weights[1 + layer].mT)
        return torch.addcmul(self.shifts[layer], product, self.gains[layer])

    def _last(self, h: Tensor) -> Tensor:
        return self.product(h, self.weights[3].mT) + self.bias


def _swish(a: Tensor) -> tuple[Tensor, Tensor]:
    """swish(a) = h = a·σ(a) and swish′(a) = σ(a) + h - h·σ(a)."""
    s = a.sigmoid()
    h = a * s
    return h, torch.addcmul(s + h, h, s, value=-1)
