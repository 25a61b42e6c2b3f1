"""The round-off of a function: what its high differences show, and what it is a share of."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ired_interp.errors import EnergyError

__all__ = ["high_differences", "largest_number"]


def largest_number(compute: Callable[[], object]) -> float:
    """The largest finite number that torch's operations return on the way; 0 if there is none.

    Infinite where it cannot be told: some operations of higher order let nobody watch.

    Cost: the computation, and a pass over each of its tensors.
    """
    seen = _Magnitude()
    with seen:
        try:
            compute()
        except (EnergyError, RuntimeError):
            return math.inf
    return seen.largest


def high_differences(values: Tensor) -> tuple[Tensor, ...]:
    """The sixth and both fifth differences of seven places, as standard deviations of a noise."""
    sixth = values.new_tensor((1, -6, 15, -20, 15, -6, 1)) / 924**0.5
    fifth = values.new_tensor((-1, 5, -10, 10, -5, 1)) / 252**0.5
    parts = ((sixth, values), (fifth, values[:, :6]), (fifth, values[:, 1:]))
    return tuple(torch.einsum("k,nk...->n...", weights, part) for weights, part in parts)


class _Magnitude(TorchDispatchMode):
    """Looks at what operations return, and changes nothing."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.largest = 0.0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:  # torch's own signature
        out = func(*args, **(kwargs or {}))
        for value in tree_leaves(out):
            if isinstance(value, Tensor) and value.is_floating_point():
                dense = value.detach()
                if dense.layout is not torch.strided:
                    continue
                size = torch.where(torch.isfinite(dense), dense.abs(), 0)
                self.largest = max(self.largest, float(size.max()) if size.numel() else 0.0)
        return out
