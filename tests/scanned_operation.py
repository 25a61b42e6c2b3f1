"""One torch operation as an energy: what the lists of operations to scan are made of."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

__all__ = ["Operation", "matrix", "positive", "rows", "weights"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """An operation on each row of y, and where it is looked at.

    Attributes:
        of: y [n, d] → numbers of each row, real or complex, [n, …]; (module, y) → … with a module.
        module: Makes the module, whose parameters are then drawn.
        training: Whether the module is in training mode.
        d: Entries of y.
        low, high: Bounds of the entries.
        zeros: Entries that are exactly 0.
        rounding: The energy's own round-off as a share, if it is coarser than float64's.
        is_function: Whether two calls at one point give the same; if not, only a refusal is right.
    """

    of: Callable[..., Tensor]
    module: Callable[[], nn.Module] | None = None
    training: bool = False
    d: int = 4
    low: float = -1.0
    high: float = 1.0
    zeros: tuple[int, ...] = ()
    rounding: float = 0.0
    is_function: bool = True

    def points(self, num_rows: int) -> Tensor:
        """The first rows of points that are always the same."""
        draws = torch.Generator().manual_seed(7)
        shares = torch.rand(4, self.d, generator=draws, dtype=torch.float64)[:num_rows]
        y = self.low + (self.high - self.low) * shares
        y[:, list(self.zeros)] = 0
        return y

    def energy(self) -> Callable[[Tensor], Tensor]:
        """E(y) = Σ_j w_j·(o_j + o_j²/2 + o_j³/6) of the numbers o: curved though o be linear.

        A module is made anew at each call of this method.
        """
        if self.module is None:
            return lambda y: _energy(self.of(y))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            module = self.module().double().train(self.training)
        draws = torch.Generator().manual_seed(0)
        for parameter in module.parameters():
            drawn = torch.randn(parameter.shape, generator=draws, dtype=torch.float64)
            parameter.requires_grad_(False).copy_(drawn / 2)  # noqa: FBT003 - torch's own signature
        return lambda y: _energy(self.of(module, y))


def weights(*shape: int) -> Tensor:
    """Fixed numbers, standard normal."""
    draws = torch.Generator().manual_seed(sum(shape))
    return torch.randn(*shape, generator=draws, dtype=torch.float64)


def matrix(y: Tensor) -> Tensor:
    """A well-conditioned 3 × 3 matrix of the nine entries of each row."""
    return y.view(-1, 3, 3) + torch.diag(torch.tensor([2.0, 3.0, 4.5], dtype=y.dtype))


def positive(y: Tensor) -> Tensor:
    """A positive definite 3 × 3 matrix of each row, with distinct eigenvalues."""
    a = matrix(y)
    return a @ a.mT + torch.diag(torch.tensor([0.5, 1.0, 2.0], dtype=y.dtype))


def rows(fn: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """An operation that knows no batch, at each row by itself."""
    return lambda y: torch.stack([fn(row) for row in y])


def _energy(numbers: Tensor) -> Tensor:
    if numbers.is_complex():
        numbers = torch.view_as_real(numbers.resolve_conj())
    o = numbers.reshape(numbers.shape[0], -1)
    w = torch.cos(1 + torch.arange(o.shape[1], dtype=o.dtype))
    return ((o + o**2 / 2 + o**3 / 6) * w).sum(1)
