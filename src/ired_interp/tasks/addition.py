"""Matrix addition: x = (A, B), y = A + B."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from ired_interp.draws import Draws
from ired_interp.tasks.base import Difficulty, OptionValue, Problems, check_size

__all__ = ["Addition"]

_HALF_WIDTH: dict[Difficulty, float] = {"same": 1.0, "harder": 2.5}


@dataclass(frozen=True)
class Addition:
    """Entries of A and B uniform in (-1, 1), harder (-2.5, 2.5). Parts: ``a``, ``b``."""

    name: ClassVar[str] = "addition"
    determined: ClassVar[bool] = True

    size: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", check_size(self.size))

    @property
    def dim_x(self) -> int:
        """2·size²."""
        return 2 * self.size**2

    @property
    def dim_y(self) -> int:
        """size²."""
        return self.size**2

    def options(self) -> dict[str, OptionValue]:
        """Addition has none."""
        return {}

    def build(self, draws: Draws, difficulty: Difficulty) -> Problems:
        """A is drawn before B."""
        half = _HALF_WIDTH[difficulty]
        a = draws.uniform(-half, half, self.size, self.size)
        b = draws.uniform(-half, half, self.size, self.size)
        x = torch.cat([a.flatten(1), b.flatten(1)], dim=1)
        return Problems(x, (a + b).flatten(1), {"a": a, "b": b})
