"""Matrix completion: fill in the masked entries of a noisy low-rank matrix."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from ired_interp.draws import Draws
from ired_interp.errors import ShapeError
from ired_interp.tasks.base import Difficulty, OptionValue, Problems, check_size

__all__ = ["DIVISOR", "Completion"]

DIVISOR: dict[Difficulty, float] = {"same": 20.0, "harder": 5.0}
_KEEP_PROBABILITY = 0.5
_RELEASED_RANK = 10
_RELEASED_NOISE = 0.1


@dataclass(frozen=True)
class Completion:
    """R = U Vᵀ/20 + noise·N (harder: /5); x keeps each entry of R with probability ½; y = R.

    U and V are size × rank, standard normal; N is standard normal. A masked entry of x is 0, and
    the network does not see the mask.

    Parts: ``u``, ``v`` [n, size, rank], ``noise`` [n, size, size] as it was added (noise·N), and
    ``mask`` [n, size, size], true where the entry was kept.

    Attributes:
        size: The matrix's side.
        rank: The inner rank, 10 in the released generator (so full rank for size ≤ 10).
        noise: Standard deviation of the noise; 0 gives targets of exactly that rank.
    """

    name: ClassVar[str] = "completion"
    determined: ClassVar[bool] = False

    size: int
    rank: int = _RELEASED_RANK
    noise: float = _RELEASED_NOISE

    def __post_init__(self) -> None:
        check_size(self.size)
        if isinstance(self.rank, bool) or not isinstance(self.rank, int) or self.rank < 1:
            raise ShapeError(f"rank: expected a whole number ≥ 1, found {self.rank!r}.")
        if not isinstance(self.noise, int | float) or not 0 <= self.noise < float("inf"):
            raise ShapeError(f"noise: expected a finite number ≥ 0, found {self.noise!r}.")

    @property
    def dim_x(self) -> int:
        """size²."""
        return self.size**2

    @property
    def dim_y(self) -> int:
        """size²."""
        return self.size**2

    def options(self) -> dict[str, OptionValue]:
        """``rank`` and ``noise``."""
        return {"rank": self.rank, "noise": self.noise}

    def build(self, draws: Draws, difficulty: Difficulty) -> Problems:
        """Drawn in the order U, V, N, mask."""
        u = draws.normal(self.size, self.rank)
        v = draws.normal(self.size, self.rank)
        noise = self.noise * draws.normal(self.size, self.size)
        mask = draws.uniform(0, 1, self.size, self.size) >= 1 - _KEEP_PROBABILITY
        target = u @ v.mT / DIVISOR[difficulty] + noise
        x = torch.where(mask, target, 0.0)
        parts = {"u": u, "v": v, "mask": mask, "noise": noise}
        return Problems(x.flatten(1), target.flatten(1), parts)
