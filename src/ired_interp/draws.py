"""Random numbers that depend on the seed and the row alone.

`RowDraws` gives every row (a problem, a starting point) a stream of its own, so the same seed gives
the same row whatever the batch size, shard or device, and the first n rows of any larger draw. It
stands on NumPy's counter-based Philox and not on ``torch.Generator``: the latter keeps 32 bits of
its seed on the CPU, and ``torch.randn`` changes its last values with the length of the draw.

`BatchDraws` draws whole batches on the device, for training.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ired_interp.checks import Whole, as_whole, whole_numbers
from ired_interp.errors import ConfigError, ShapeError

__all__ = ["BatchDraws", "Draws", "RowDraws", "check_seed"]

_MAX_SEED = 2**64


@runtime_checkable
class Draws(Protocol):
    """A source of n independent rows; successive calls continue the rows' streams."""

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Uniform on [low, high), shape [n, *shape]."""
        ...

    def normal(self, *shape: int) -> Tensor:
        """Standard normal, shape [n, *shape]."""
        ...


def check_seed(seed: Whole) -> int:
    """The seed itself, as Python's int.

    Raises:
        ConfigError: Not a whole number in 0 … 2⁶⁴ - 1.
    """
    number = as_whole(seed)
    if number is None or not 0 <= number < _MAX_SEED:
        raise ConfigError(f"seed: expected a whole number in 0 … 2^64 - 1, found {seed!r}.")
    return number


class RowDraws:
    """Float64 draws on the CPU, one Philox stream a row, keyed by (seed, purpose, row).

    Args:
        n: Number of rows.
        seed: 0 … 2⁶⁴ - 1.
        purpose: Name of what is drawn; other names give independent streams.
        first: Number of the first row.

    Raises:
        ShapeError: ``n`` or ``first`` is negative.
        ConfigError: The seed is out of range.
    """

    def __init__(self, n: Whole, *, seed: Whole, purpose: str, first: Whole = 0) -> None:
        n, first = whole_numbers(n=n, first=first)
        if n < 0 or first < 0:
            raise ShapeError(f"draws: expected n ≥ 0 and first ≥ 0, found n={n}, first={first}.")
        digest = hashlib.blake2b(purpose.encode(), digest_size=8).digest()
        key = np.array([check_seed(seed), int.from_bytes(digest, "little")], dtype=np.uint64)
        self._rows = [
            np.random.Generator(
                np.random.Philox(key=key, counter=np.array([0, 0, 0, row], dtype=np.uint64))
            )
            for row in range(first, first + n)
        ]

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Uniform on [low, high), shape [n, *shape], float64."""
        return self._stack(lambda rng: rng.uniform(low, high, shape), shape)

    def normal(self, *shape: int) -> Tensor:
        """Standard normal, shape [n, *shape], float64."""
        return self._stack(lambda rng: rng.standard_normal(shape), shape)

    def _stack(
        self,
        draw_fn: Callable[[np.random.Generator], npt.NDArray[np.float64]],
        shape: tuple[int, ...],
    ) -> Tensor:
        out = np.empty((len(self._rows), *shape))
        for i, rng in enumerate(self._rows):
            out[i] = draw_fn(rng)
        return torch.from_numpy(out)


@dataclass(frozen=True)
class BatchDraws:
    """Batched draws of n rows from one generator, on the generator's device."""

    n: int
    generator: torch.Generator
    dtype: torch.dtype

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Uniform on [low, high), shape [n, *shape]."""
        unit = torch.rand(
            self.n, *shape, generator=self.generator, device=self.generator.device, dtype=self.dtype
        )
        return unit * (high - low) + low

    def normal(self, *shape: int) -> Tensor:
        """Standard normal, shape [n, *shape]."""
        return torch.randn(
            self.n, *shape, generator=self.generator, device=self.generator.device, dtype=self.dtype
        )
