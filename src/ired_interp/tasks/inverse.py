"""Matrix inversion: x = A, symmetric and positive definite, y = A⁻¹."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from ired_interp.checks import plain, real
from ired_interp.draws import Draws
from ired_interp.errors import ShapeError
from ired_interp.tasks.base import Difficulty, OptionValue, Problems, check_size

__all__ = ["Inverse"]

_SHIFT: dict[Difficulty, float] = {"same": 0.5, "harder": 0.1}


@dataclass(frozen=True)
class Inverse:
    """A = 2RRᵀ + 0.5·I (harder: 0.1·I), R uniform in (-1, 1). Parts: ``factor``, the R.

    Attributes:
        size: The matrix's side.
        condition: If given, A is changed to have this condition number: its eigenvectors and its
            smallest eigenvalue stay, the ratios λ_i/λ_min are raised to the one power that does it.
    """

    name: ClassVar[str] = "inverse"
    determined: ClassVar[bool] = True

    size: int
    condition: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", check_size(self.size))
        if self.condition is None:
            return
        if not 1 <= real("condition", self.condition) < math.inf:
            raise ShapeError(f"condition: expected a finite number ≥ 1, found {self.condition!r}.")
        object.__setattr__(self, "condition", plain(self.condition))
        most = 1 / (4 * self.size * torch.finfo(torch.float64).eps)
        if self.condition > most:
            raise ShapeError(
                f"condition: expected at most {most:.1e}, 1/(4·size·ε) in float64, found "
                f"{self.condition:g}: the smallest eigenvalue, and with it A⁻¹, would be round-off."
            )
        if self.size == 1 and self.condition != 1:
            raise ShapeError(
                f"condition: a 1 × 1 matrix has condition number 1, found {self.condition:g}."
            )

    @property
    def dim_x(self) -> int:
        """size²."""
        return self.size**2

    @property
    def dim_y(self) -> int:
        """size²."""
        return self.size**2

    def options(self) -> dict[str, OptionValue]:
        """``condition``, where one was chosen."""
        return {} if self.condition is None else {"condition": self.condition}

    def build(self, draws: Draws, difficulty: Difficulty) -> Problems:
        """One draw, R."""
        factor = draws.uniform(-1, 1, self.size, self.size)
        identity = torch.eye(self.size, dtype=factor.dtype, device=factor.device)
        a = 2 * factor @ factor.mT + _SHIFT[difficulty] * identity
        if self.condition is not None:
            a = _with_condition(a, self.condition)
        y = torch.linalg.inv(a)
        return Problems(a.flatten(1), y.flatten(1), {"factor": factor})


def _with_condition(
    a: Float[Tensor, "n size size"], condition: float
) -> Float[Tensor, "n size size"]:
    values, vectors = torch.linalg.eigh(a)
    smallest = values[:, :1]
    log_ratio = (values / smallest).log()
    power = math.log(condition) / log_ratio[:, -1:].clamp_min(torch.finfo(a.dtype).tiny)
    changed = smallest * (power * log_ratio).exp()
    a = vectors * changed[:, None, :] @ vectors.mT
    return (a + a.mT) / 2
