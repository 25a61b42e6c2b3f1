"""IRED's network at fixed questions and timesteps: for many candidate answers of one batch.

A training step asks six times about the same questions. What depends on x and t alone is computed
once; all of it is ordinary tensor operations, so that one backward pass gives the weights'
gradients of energies and of ∇_yE, and `torch.compile` can fuse what lies between the products.
"""

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

__all__ = ["ConditionedMLP", "Product"]

Product = Callable[[Tensor, Tensor], Tensor]
"""A product of two matrices: `torch.matmul`, or one of lower precision."""


@dataclass(frozen=True, slots=True)
class ConditionedMLP:
    """y ↦ E and ∇_yE, one question a row; notation as in `mlp`.

    Attributes:
        first: W_1ˣx + b_1.
        gains: Of the second and third layer at each row.
        shifts: Their biases at each row.
        weights: W_1 (its columns of y), W_2, W_3 and W_4.
        biases: b_2, b_3 and b_4.
        product: How matrices are multiplied.
    """

    first: Float[Tensor, "n w"]
    gains: tuple[Float[Tensor, "n w"], Float[Tensor, "n w"]]
    shifts: tuple[Float[Tensor, "n w"], Float[Tensor, "n w"]]
    weights: tuple[Tensor, Tensor, Tensor, Tensor]
    biases: tuple[Tensor, Tensor, Tensor]
    product: Product

    def energy(self, y: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        """E at each row."""
        return self._output(y)[0].square().sum(-1)

    def energy_and_gradient(
        self, y: Float[Tensor, "n d"]
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, "n d"]]:
        """E and ∇_yE from one forward pass."""
        output, slopes = self._output(y)
        first, second, third, last = self.weights
        back = self.product(2 * output, last) * slopes[2] * self.gains[1]
        back = self.product(back, third) * slopes[1] * self.gains[0]
        back = self.product(back, second) * slopes[0]
        return output.square().sum(-1), self.product(back, first)

    def _output(self, y: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """f, and swish′ of the three layers."""
        first, second, third, last = self.weights
        a1 = self.product(y, first.mT) + self.first
        h1, slope1 = _swish(a1)
        a2 = (self.product(h1, second.mT) + self.biases[0]) * self.gains[0] + self.shifts[0]
        h2, slope2 = _swish(a2)
        a3 = (self.product(h2, third.mT) + self.biases[1]) * self.gains[1] + self.shifts[1]
        h3, slope3 = _swish(a3)
        return self.product(h3, last.mT) + self.biases[2], (slope1, slope2, slope3)


def _swish(a: Tensor) -> tuple[Tensor, Tensor]:
    """swish(a) = a·σ(a) and swish′(a) = σ(a)·(1 + a·(1 - σ(a)))."""
    s = a.sigmoid()
    return a * s, s * (1 + a * (1 - s))
