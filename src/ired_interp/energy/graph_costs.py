"""What differentiating an energy costs: operations as they run, and bytes that a graph holds."""

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["LEAST_GRAPH_BYTES", "FlopCount", "graph_bytes"]

LEAST_GRAPH_BYTES = 1024
"""Of whatever cannot be measured, or is next to nothing."""


class FlopCount(TorchDispatchMode):
    """Counts the operations of matrix products and convolutions, and nothing of modules."""

    supports_higher_order_operators = True  # what is inside `torch.cond` is not counted

    @classmethod
    def ignore_compile_internals(cls) -> bool:
        """Yes: torch would never again compile what it first meets inside another mode."""
        return True

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        # Imported here: it takes time that every start of the command line would pay.
        from torch.utils.flop_counter import flop_registry

        self._registry = flop_registry
        self.total = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:  # torch's own signature
        out = func(*args, **(kwargs or {}))
        if count := self._registry.get(getattr(func, "_overloadpacket", func)):
            self.total += int(count(*args, **(kwargs or {}), out_val=out))
        return out


def graph_bytes(tensor: Tensor, leaf: Tensor) -> int:
    """Bytes that the nodes from a leaf to a tensor gave out, those of weights alone left out."""
    if tensor.grad_fn is None:
        return 0
    known = {torch.autograd.graph.get_gradient_edge(leaf).node: True}
    waiting, total = [tensor.grad_fn], 0
    while waiting:  # each node after the ones that it was made from
        node = waiting[-1]
        parents = [parent for parent, _ in node.next_functions if parent is not None]
        later = [parent for parent in parents if parent not in known]
        if node not in known and later:
            waiting += later
            continue
        waiting.pop()
        if node in known:
            continue
        known[node] = any(known[parent] for parent in parents)
        try:
            sizes = [torch.Size(m.shape).numel() * m.dtype.itemsize for m in node._input_metadata]
        except RuntimeError:  # a nested tensor has no one shape
            sizes = [LEAST_GRAPH_BYTES]
        total += sum(sizes) if known[node] else 0
    return total
