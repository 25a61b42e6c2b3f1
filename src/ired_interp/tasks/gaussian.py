"""A planted task whose optimal landscape is known exactly: y | x ~ N(Mx, Σ)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from ired_interp.checks import plain, real
from ired_interp.draws import Draws, RowDraws, check_seed
from ired_interp.errors import ShapeError
from ired_interp.tasks.base import Difficulty, OptionValue, Problems, check_size

__all__ = ["Gaussian"]

_X_SCALE: dict[Difficulty, float] = {"same": 1.0, "harder": 2.5}
_DEFAULT_SMALLEST = 0.01


@dataclass(frozen=True)
class Gaussian:
    """x ~ N(0, I) (harder: 2.5 times as wide), y = Mx + Σ^½ε, both with size² entries.

    M and the eigenvectors of Σ are fixed by ``map_seed``: M has independent normal entries of
    variance 1/size², the eigenvectors are Haar-distributed.

    Parts: ``mean`` = Mx and ``noise`` = y - Mx, [n, size²].

    Attributes:
        size: √dim_y.
        spectrum: The size² eigenvalues of Σ, in units of y², each > 0; empty means log-spaced from
            1 down to 0.01.
        map_seed: Seed of M and of the eigenvectors.
    """

    name: ClassVar[str] = "gaussian"
    determined: ClassVar[bool] = False

    size: int
    spectrum: tuple[float, ...] = ()
    map_seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", check_size(self.size))
        object.__setattr__(self, "map_seed", check_seed(self.map_seed))
        object.__setattr__(self, "spectrum", tuple(plain(value) for value in self.spectrum))
        if self.spectrum and len(self.spectrum) != self.dim_y:
            raise ShapeError(
                f"spectrum: expected size² = {self.dim_y} eigenvalues, found {len(self.spectrum)}."
            )
        if any(not 0 < real("spectrum", value) < float("inf") for value in self.spectrum):
            raise ShapeError("spectrum: expected finite eigenvalues > 0; remove the others.")

    @property
    def dim_x(self) -> int:
        """size²."""
        return self.size**2

    @property
    def dim_y(self) -> int:
        """size²."""
        return self.size**2

    def options(self) -> dict[str, OptionValue]:
        """``spectrum`` (where chosen) and ``map_seed``."""
        chosen: dict[str, OptionValue] = {"map_seed": self.map_seed}
        return chosen | {"spectrum": self.spectrum} if self.spectrum else chosen

    def eigenvalues(self) -> Float[Tensor, " d"]:
        """Eigenvalues of Σ, in the order of the columns of `eigenvectors`, float64."""
        if self.spectrum:
            return torch.tensor(self.spectrum, dtype=torch.float64, device="cpu")
        exponents = torch.linspace(0, 1, self.dim_y, dtype=torch.float64, device="cpu")
        return _DEFAULT_SMALLEST**exponents

    def mean_map(self) -> Float[Tensor, "d d"]:
        """M, float64."""
        return self._maps()[0]

    def eigenvectors(self) -> Float[Tensor, "d d"]:
        """Orthonormal eigenvectors of Σ, one a column, float64."""
        return self._maps()[1]

    def build(self, draws: Draws, difficulty: Difficulty) -> Problems:
        """x is drawn before ε."""
        d = self.dim_y
        x = _X_SCALE[difficulty] * draws.normal(d)
        standard = draws.normal(d)
        mean_map, vectors = (m.to(x) for m in self._maps())
        root = vectors * self.eigenvalues().sqrt().to(x)
        mean, noise = _rowwise(mean_map, x), _rowwise(root, standard)
        return Problems(x, mean + noise, {"mean": mean, "noise": noise})

    def _maps(self) -> tuple[Float[Tensor, "d d"], Float[Tensor, "d d"]]:
        d = self.dim_y
        draws = RowDraws(2, seed=self.map_seed, purpose="gaussian/maps").normal(d, d)
        q, r = torch.linalg.qr(draws[1])
        # The sign convention of QR is the library's; with R's diagonal positive, Q is Haar.
        return draws[0] / d**0.5, q * torch.sign(torch.diagonal(r))


def _rowwise(matrix: Float[Tensor, "d k"], rows: Float[Tensor, "n k"]) -> Float[Tensor, "n d"]:
    """The matrix times each row, by itself: in one product the bits would depend on n.

    Each row is copied first, since they also depend on how the memory is aligned.
    """
    return torch.stack([matrix @ row.clone() for row in rows])
