"""Matrix completion: fill in the masked entries of a noisy low-rank matrix."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch

from ired_interp.checks import plain, real, whole
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
    """R = c·(U Vᵀ/20 + noise·N) (harder: /5); x keeps each entry of R with probability ½; y = R.

    U and V are size × rank, standard normal; N is standard normal. A masked entry of x is 0, and
    the network does not see the mask. c is 1, as in the released generator, unless a scale is
    chosen.

    Parts: ``u``, ``v`` [n, size, rank], ``noise`` [n, size, size] as it was added (c·noise·N), and
    ``mask`` [n, size, size], true where the entry was kept.

    Attributes:
        size: The matrix's side.
        rank: The inner rank, 10 in the released generator (so full rank for size ≤ 10).
        noise: Standard deviation of the noise, before c; 0 gives targets of exactly that rank.
        scale: The standard deviation that an entry of R is to have at difficulty ``same``: c is
            scale/√(rank/20² + noise²), for ``harder`` too.
    """

    name: ClassVar[str] = "completion"
    determined: ClassVar[bool] = False

    size: int
    rank: int = _RELEASED_RANK
    noise: float = _RELEASED_NOISE
    scale: float | None = None

    def __post_init__(self) -> None:
        noise = real("noise", self.noise)
        if not 0 <= noise < math.inf:
            raise ShapeError(f"noise: expected a finite number ≥ 0, found {noise!r}.")
        scale = None if self.scale is None else real("scale", self.scale)
        if scale is not None and not 0 < scale < math.inf:
            raise ShapeError(f"scale: expected a finite number > 0, found {scale!r}.")
        object.__setattr__(self, "size", check_size(self.size))
        object.__setattr__(self, "rank", whole("rank", self.rank, least=1))
        object.__setattr__(self, "noise", plain(self.noise))
        object.__setattr__(self, "scale", plain(self.scale))

    @property
    def dim_x(self) -> int:
        """size²."""
        return self.size**2

    @property
    def dim_y(self) -> int:
        """size²."""
        return self.size**2

    def options(self) -> dict[str, OptionValue]:
        """``rank``, ``noise``, and ``scale`` where one was chosen."""
        options: dict[str, OptionValue] = {"rank": self.rank, "noise": self.noise}
        return options if self.scale is None else options | {"scale": self.scale}

    @property
    def multiplier(self) -> float:
        """c: what the released generator's matrices are multiplied by, 1 without a scale."""
        if self.scale is None:
            return 1.0
        return self.scale / math.sqrt(_variance(self.rank, self.noise, "same"))

    def variance(self, difficulty: Difficulty) -> float:
        """Of an entry of R."""
        return self.multiplier**2 * _variance(self.rank, self.noise, difficulty)

    def build(self, draws: Draws, difficulty: Difficulty) -> Problems:
        """Drawn in the order U, V, N, mask."""
        u = draws.normal(self.size, self.rank)
        v = draws.normal(self.size, self.rank)
        noise = self.multiplier * self.noise * draws.normal(self.size, self.size)
        mask = draws.uniform(0, 1, self.size, self.size) >= 1 - _KEEP_PROBABILITY
        target = self.multiplier * (u @ v.mT / DIVISOR[difficulty]) + noise
        x = torch.where(mask, target, 0.0)
        parts = {"u": u, "v": v, "mask": mask, "noise": noise}
        return Problems(x.flatten(1), target.flatten(1), parts)


def _variance(rank: int, noise: float, difficulty: Difficulty) -> float:
    return rank / DIVISOR[difficulty] ** 2 + noise**2
