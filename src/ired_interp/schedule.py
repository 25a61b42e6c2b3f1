"""The K annealed levels: cosine schedule, step sizes, and the one place where k and t convert.

Source: the cosine schedule of Nichol & Dhariwal (2021, arXiv 2102.09672, eq. 17) with offset 0.008
and β clipped to 0.999, as IRED uses it (Du, Mao & Tenenbaum 2024, arXiv 2406.11179).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ired_interp.checks import Real, Whole, as_whole, real, whole
from ired_interp.errors import LevelError

__all__ = ["NUM_LEVELS", "Levels", "Schedule", "cosine_schedule"]

NUM_LEVELS = 10

Levels: TypeAlias = Whole | Sequence[Whole] | npt.NDArray[Any] | Int[Tensor, "..."]
"""One level in 1 … K, or one a row."""


@dataclass(frozen=True, eq=False)
class Schedule:
    """A noise schedule over the timesteps t = 0 (sharpest) … K - 1 (noisiest), in float64 on CPU.

    Attributes:
        alpha_bar: ᾱ_t, the cumulative signal.
        beta: β_t, the noise added by one step.
    """

    alpha_bar: Float[Tensor, " K"]
    beta: Float[Tensor, " K"]

    @property
    def num_levels(self) -> int:
        """K."""
        return int(self.alpha_bar.shape[0])

    @cached_property
    def signal(self) -> Float[Tensor, " K"]:
        """s_t = √ᾱ_t: y* appears as s_t·y* in the coordinates of timestep t."""
        return self.alpha_bar.sqrt()

    @cached_property
    def sigma(self) -> Float[Tensor, " K"]:
        """σ_t = √(1 - ᾱ_t)."""
        return (1 - self.alpha_bar).sqrt()

    @cached_property
    def step_size(self) -> Float[Tensor, " K"]:
        """λ_t = β_t / σ_t, the solver's step on ∇E."""
        return self.beta / self.sigma

    def timestep(self, level: Whole) -> int:
        """t = K - k.

        Raises:
            LevelError: ``level`` is not a whole number in 1 … K.
        """
        number = as_whole(level)
        if number is None:
            raise LevelError(
                f"level: expected a whole number in 1 … {self.num_levels}, found {level!r}."
            )
        if not 1 <= number <= self.num_levels:
            raise LevelError(
                f"level {number} is outside 1 … {self.num_levels}: level 1 is the noisiest and "
                f"smoothest, level {self.num_levels} the sharpest. Give a level in that range."
            )
        return self.num_levels - number

    def level(self, timestep: Whole) -> int:
        """k = K - t.

        Raises:
            LevelError: ``timestep`` is not in 0 … K - 1.
        """
        number = as_whole(timestep)
        if number is None:
            raise LevelError(
                f"timestep: expected a whole number in 0 … {self.num_levels - 1}, found "
                f"{timestep!r}."
            )
        if not 0 <= number < self.num_levels:
            raise LevelError(
                f"timestep {number} is outside 0 … {self.num_levels - 1}: timestep "
                f"{self.num_levels - 1} is the noisiest. Give a timestep in that range."
            )
        return self.num_levels - number

    def at(self, table: Float[Tensor, "K *axes"], t: Int[Tensor, " n"]) -> Float[Tensor, "n *axes"]:
        """Rows of a table over the timesteps, for each of n timesteps.

        Raises:
            LevelError: A timestep outside 0 … K - 1 (on a GPU, torch's own device assertion).
        """
        try:
            return table.index_select(0, t)
        except IndexError as error:
            raise LevelError(
                f"timestep: expected 0 … {self.num_levels - 1} (t = K - k), found one outside "
                "that range."
            ) from error

    def timesteps(self, level: Levels, num_rows: int) -> Int[Tensor, " n"]:
        """One timestep a row from one level or one level a row.

        Raises:
            LevelError: A level outside 1 … K, not whole, or not one per row.
        """
        if isinstance(level, np.ndarray):
            level = list(level) if level.ndim == 1 else level
        number = as_whole(level)
        if number is not None:
            return torch.full((num_rows,), self.timestep(number), dtype=torch.long, device="cpu")
        if isinstance(level, Tensor):
            if level.is_floating_point() or level.is_complex() or level.dtype == torch.bool:
                raise LevelError(f"level: expected whole numbers, found dtype {level.dtype}.")
            if level.ndim > 1:
                raise LevelError(
                    f"level: expected one level or one a row, found shape {tuple(level.shape)}."
                )
        if not isinstance(level, Tensor | Sequence):
            raise LevelError(f"level: expected a whole number or one a row, found {level!r}.")
        values = [int(v) for v in level] if isinstance(level, Tensor) else list(level)
        if len(values) != num_rows:
            raise LevelError(
                f"level: expected one level or {num_rows} of them (one a row), found {len(values)}."
            )
        return torch.tensor([self.timestep(v) for v in values], dtype=torch.long, device="cpu")


def cosine_schedule(
    num_levels: Whole = NUM_LEVELS, *, offset: Real = 0.008, max_beta: Real = 0.999
) -> Schedule:
    """The cosine schedule of IRED, in float64.

    Args:
        num_levels: K ≥ 1.
        offset: Shift of the cosine that keeps β_0 away from 0.
        max_beta: The clip of β; without it ᾱ at the noisiest timestep would be 0.

    Raises:
        LevelError: ``num_levels`` < 1.
    """
    num_levels = whole("num_levels", num_levels, error=LevelError)
    offset, max_beta = real("offset", offset), real("max_beta", max_beta)
    if num_levels < 1:
        raise LevelError(f"num_levels: expected at least 1, found {num_levels}.")
    grid = torch.linspace(0, 1, num_levels + 1, dtype=torch.float64, device="cpu")
    signal = torch.cos((grid + offset) / (1 + offset) * (math.pi / 2)) ** 2
    beta = (1 - signal[1:] / signal[:-1]).clamp(0, max_beta)
    return Schedule(alpha_bar=torch.cumprod(1 - beta, dim=0), beta=beta)
