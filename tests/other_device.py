"""Tensors that behave as if they lay on another device, on a machine that has none."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["Elsewhere"]

_INDEXING = ("__getitem__", "__setitem__")
_TRANSFERS = ("cpu", "to", "copy_", "tolist", "numpy", "type_as")


class Elsewhere(Tensor):
    """Refuses plain tensors beside it, but for single numbers, and for indices of itself.

    Results of it are of its kind; ``.cpu()`` alone brings them back. ``device`` still says cpu.
    """

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Sequence[type], args: Any = (), kwargs: Any = None
    ) -> Any:  # torch's own signature
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        with torch._C.DisableTorchFunctionSubclass():
            given = [tensor for tensor in _tensors((args, kwargs)) if tensor.ndim]
        kinds = {isinstance(tensor, cls) for tensor in given}
        indexed_here = name in _INDEXING and isinstance(args[0], cls)
        if len(kinds) > 1 and name not in _TRANSFERS and not indexed_here:
            raise RuntimeError(f"{name}: expected all tensors to be on the same device.")
        ask: Any = super().__torch_function__
        out = ask(func, types, args, kwargs)
        return out.as_subclass(Tensor) if name == "cpu" else out


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from _tensors(tuple(value.values()))
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _tensors(one)
