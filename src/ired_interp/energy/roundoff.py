"""The round-off of a function: what its high differences show, and what it is a share of."""

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch._ops import HigherOrderOperator
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ired_interp.errors import EnergyError

__all__ = ["Magnitude", "high_differences", "magnitude"]


@dataclass(frozen=True, slots=True)
class Magnitude:
    """How large the numbers are that a computation passes through.

    Attributes:
        largest: The largest finite one that torch's operations return; one of a coarser dtype
            counts by the ratio of the units of the last place. 0 if it was not looked for,
            infinite where it cannot be told: nobody can watch what is inside `torch.cond`.
        coarse: Whether there was a coarser dtype.
    """

    largest: float = 0.0
    coarse: bool = False


def magnitude(compute: Callable[[], object], dtype: torch.dtype) -> Magnitude:
    """The magnitude of a computation whose result is in that dtype.

    Cost: the computation, and a pass over each of its tensors.
    """
    seen = _Watch(dtype)
    with _as_written(), seen:
        try:
            compute()
        except (EnergyError, RuntimeError):
            return Magnitude(math.inf)
    return Magnitude(seen.largest, seen.coarse)


def high_differences(values: Tensor) -> tuple[Tensor, ...]:
    """The sixth and both fifth differences of seven places, as standard deviations of a noise."""
    sixth = values.new_tensor((1, -6, 15, -20, 15, -6, 1)) / 924**0.5
    fifth = values.new_tensor((-1, 5, -10, 10, -5, 1)) / 252**0.5
    parts = ((sixth, values), (fifth, values[:, :6]), (fifth, values[:, 1:]))
    return tuple(torch.einsum("k,nk...->n...", weights, part) for weights, part in parts)


@contextmanager
def _as_written() -> Iterator[None]:
    """Compiled functions run uncompiled inside: a kernel of theirs shows only what it returns."""
    if "torch._dynamo" not in sys.modules:  # nothing is compiled yet, and its import takes long
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield


class _Watch(TorchDispatchMode):
    """Looks at what operations return, and changes nothing."""

    supports_higher_order_operators = True

    @classmethod
    def ignore_compile_internals(cls) -> bool:
        """Yes: torch would never again compile what it first meets inside another mode."""
        return True

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.eps = torch.finfo(dtype).eps
        self.largest = 0.0
        self.coarse = False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:  # torch's own signature
        out = func(*args, **(kwargs or {}))
        if isinstance(func, HigherOrderOperator):
            self.largest = math.inf
        for value in tree_leaves(out):
            if isinstance(value, Tensor) and _has_numbers(value):
                size = value.detach().abs()
                size = torch.where(torch.isfinite(size), size, 0)
                share = torch.finfo(size.dtype).eps / self.eps
                self.coarse |= share > 1
                self.largest = max(self.largest, float(size.max()) * max(share, 1.0))
        return out


def _has_numbers(value: Tensor) -> bool:
    """Whether there are numbers to look at: forward-mode derivatives have tensors without any."""
    if not (value.is_floating_point() or value.is_complex()) or value.layout is not torch.strided:
        return False
    return value.device.type != "meta" and not value._is_zerotensor() and value.numel() > 0
