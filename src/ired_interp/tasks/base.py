"""What a task is: a family of problems, drawn by rows or by batches."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, get_args, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from ired_interp.checks import Whole, as_whole, whole
from ired_interp.choices import Difficulty
from ired_interp.draws import BatchDraws, Draws, RowDraws
from ired_interp.errors import DtypeError, ShapeError, UnknownNameError

__all__ = ["Difficulty", "Family", "OptionValue", "Problems", "Task", "check_size"]

OptionValue = int | float | tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Problems:
    """n problems of one task.

    Attributes:
        x: The questions, flat and row-major.
        y: The true answers y*, flat and row-major.
        parts: What each problem was made of, one row a problem; the keys are the task's own.
    """

    x: Float[Tensor, "n dim_x"]
    y: Float[Tensor, "n dim_y"]
    parts: Mapping[str, Tensor]

    def to(self, *, dtype: torch.dtype, device: torch.device | str) -> "Problems":
        """The same problems in another dtype, on another device; a mask stays boolean."""
        return Problems(
            self.x.to(device, dtype),
            self.y.to(device, dtype),
            {
                name: part.to(device, dtype) if part.is_floating_point() else part.to(device)
                for name, part in self.parts.items()
            },
        )


@runtime_checkable
class Family(Protocol):
    """The mathematics of one task: how draws become problems.

    Attributes:
        name: The task's name.
        determined: Whether x determines y, so that the posterior is a point.
    """

    name: ClassVar[str]
    determined: ClassVar[bool]

    @property
    def size(self) -> int:
        """The side of the matrix."""
        ...

    @property
    def dim_x(self) -> int:
        """Entries of x."""
        ...

    @property
    def dim_y(self) -> int:
        """Entries of y."""
        ...

    def options(self) -> dict[str, OptionValue]:
        """What differs from the released generator, by the names that `task` takes."""
        ...

    def build(self, draws: Draws, difficulty: Difficulty) -> Problems:
        """Problems in the draws' dtype and on their device."""
        ...


@dataclass(frozen=True)
class Task:
    """A family of problems at one size.

    Attributes:
        family: The generator.
    """

    family: Family

    @property
    def name(self) -> str:
        """``addition``, ``completion``, ``inverse`` or ``gaussian``."""
        return self.family.name

    @property
    def size(self) -> int:
        """The side of the matrix."""
        return self.family.size

    @property
    def dim_x(self) -> int:
        """Entries of x."""
        return self.family.dim_x

    @property
    def dim_y(self) -> int:
        """Entries of y."""
        return self.family.dim_y

    def options(self) -> dict[str, OptionValue]:
        """What differs from the released generator, by the names that `ired_interp.task` takes."""
        return self.family.options()

    def sample(
        self,
        n: Whole,
        *,
        seed: Whole,
        difficulty: Difficulty = "same",
        first: Whole = 0,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str = "cpu",
    ) -> Problems:
        """Problems number first … first + n - 1 of the seed's endless list.

        Each problem depends on the seed and its own number alone: not on n, dtype or device. It is
        drawn and computed in float64 on the CPU, then cast and moved.

        Raises:
            ShapeError: ``n`` < 1 or ``first`` < 0.
            ConfigError: The seed is out of range.
            DtypeError: ``dtype`` is not a floating-point type.
            UnknownNameError: The difficulty is neither ``same`` nor ``harder``.
        """
        n = whole("n", n)
        if n < 1:
            raise ShapeError(f"sample: expected at least 1 problem, found n={n}.")
        if not dtype.is_floating_point:
            raise DtypeError(f"sample: expected a floating-point dtype, found {dtype}.")
        draws = RowDraws(n, seed=seed, purpose=f"problems/{self.name}", first=first)
        return self._build(draws, difficulty).to(dtype=dtype, device=device)

    def draw(self, draws: BatchDraws, *, difficulty: Difficulty = "same") -> Problems:
        """A batch from a stream of draws, made on its device: for training."""
        return self._build(draws, difficulty)

    def _build(self, draws: Draws, difficulty: Difficulty) -> Problems:
        if difficulty not in get_args(Difficulty):
            raise UnknownNameError(
                f"difficulty: expected one of {', '.join(get_args(Difficulty))}, "
                f"found {difficulty!r}."
            )
        return self.family.build(draws, difficulty)


def check_size(size: Whole) -> int:
    """The size as Python's int, or ShapeError unless it is a whole number ≥ 1."""
    number = as_whole(size)
    if number is None or number < 1:
        raise ShapeError(f"size: expected a whole number ≥ 1 (the matrix's side), found {size!r}.")
    return number
