"""Backward passes of authors to scan: right, missing in part, wrong, and known to no batch."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from scanned_operation import Operation

__all__ = ["OWN_BACKWARDS"]


def _apply(function: type[torch.autograd.Function], *arguments: Any) -> Tensor:
    out: Tensor = function.apply(*arguments)  # type: ignore[no-untyped-call]
    return out


def _product(slope: Tensor, gradient: Tensor) -> Tensor:
    return slope * gradient


class _Cube(torch.autograd.Function):
    """y³ with the backward pass that autograd can differentiate."""

    @staticmethod
    def forward(ctx: Any, y: Tensor) -> Tensor:
        ctx.save_for_backward(y)
        return y**3

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (y,) = ctx.saved_tensors
        return _product(3 * y**2, gradients[0])


class _OnceDifferentiable(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, y: Tensor) -> Tensor:
        ctx.save_for_backward(y)
        return y**3

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (y,) = ctx.saved_tensors
        return _product(3 * y**2, gradients[0])


class _Detached(torch.autograd.Function):
    """What was saved is a constant to the backward pass: half of the second derivative."""

    @staticmethod
    def forward(ctx: Any, y: Tensor) -> Tensor:
        ctx.save_for_backward(y)
        return y**3

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (y,) = ctx.saved_tensors
        return _product(3 * y.detach() * y, gradients[0])


class _SavedOutside(torch.autograd.Function):
    """Saved on ctx, past autograd: the second derivative misses it."""

    @staticmethod
    def forward(ctx: Any, y: Tensor) -> Tensor:
        ctx.slope = 3 * y**2
        return y**3

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        slope: Tensor = ctx.slope
        return slope * gradients[0]


class _Slope(torch.autograd.Function):
    """3·y² with a backward pass that is ``factor`` times what it should be."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, factor: float) -> Tensor:
        ctx.save_for_backward(y)
        ctx.factor = factor
        return 3 * y**2

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (y,) = ctx.saved_tensors
        return ctx.factor * 6 * y * gradients[0], None


class _WrongSecond(torch.autograd.Function):
    """y³, whose second derivative is wrong by 1 %."""

    @staticmethod
    def forward(ctx: Any, y: Tensor) -> Tensor:
        ctx.save_for_backward(y)
        return y**3

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (y,) = ctx.saved_tensors
        return _apply(_Slope, y, 1.01) * gradients[0]


class _WrongFirst(torch.autograd.Function):
    """y³, whose gradient is wrong by 1 %."""

    @staticmethod
    def forward(ctx: Any, y: Tensor) -> Tensor:
        ctx.save_for_backward(y)
        return y**3

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (y,) = ctx.saved_tensors
        return _product(3.03 * y**2, gradients[0])


class _NumpyCos(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, y: Tensor) -> Tensor:
        ctx.save_for_backward(y)
        return torch.from_numpy(np.cos(y.detach().numpy()))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (y,) = ctx.saved_tensors
        return torch.from_numpy(-np.sin(y.detach().numpy()) * gradients[0].detach().numpy())


class _NumpySin(torch.autograd.Function):
    """sin y, whose second derivative is right and knows no batch."""

    @staticmethod
    def forward(ctx: Any, y: Tensor) -> Tensor:
        ctx.save_for_backward(y)
        return torch.from_numpy(np.sin(y.detach().numpy()))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (y,) = ctx.saved_tensors
        return _apply(_NumpyCos, y) * gradients[0]


class _Generated(torch.autograd.Function):
    """y³ in the newer style, with the rule for batches that torch makes."""

    generate_vmap_rule = True

    @staticmethod
    def forward(y: Tensor) -> Tensor:
        return y**3

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG004
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (y,) = ctx.saved_tensors
        return _product(3 * y**2, gradients[0])


def _cube_with_rule(*, wrong: bool) -> type[torch.autograd.Function]:
    """y³, whose backward pass is a product with an own rule for batches.

    The wrong rule takes the first of the batch for all. ``is_grads_batched`` asks neither.
    """

    class Times(torch.autograd.Function):
        @staticmethod
        def forward(slope: Tensor, gradient: Tensor) -> Tensor:
            return slope * gradient

        @staticmethod
        def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG004
            ctx.save_for_backward(*inputs)

        @staticmethod
        def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
            slope, gradient = ctx.saved_tensors
            return _apply(Times, gradient, gradients[0]), _apply(Times, slope, gradients[0])

        @staticmethod
        def vmap(info: Any, in_dims: tuple[int | None, ...], *pair: Tensor) -> tuple[Tensor, int]:
            slope, gradient = (
                tensor.expand(info.batch_size, *tensor.shape)
                if where is None
                else tensor.movedim(where, 0)
                for tensor, where in zip(pair, in_dims, strict=True)
            )
            out = _apply(Times, slope, gradient)
            return (out[:1].expand_as(out) if wrong else out), 0

    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, y: Tensor) -> Tensor:
            ctx.save_for_backward(y)
            return y**3

        @staticmethod
        def backward(ctx: Any, *gradients: Tensor) -> Tensor:
            (y,) = ctx.saved_tensors
            return _apply(Times, 3 * y**2, gradients[0])

    return Cube


def _without_a_graph(y: Tensor) -> Tensor:
    with torch.no_grad():
        scale = y.sin()
    return scale * y


def _hooked(y: Tensor) -> Tensor:
    """A hook on a gradient in the middle: the gradient is not that of E."""
    middle = y.sin()
    if middle.requires_grad:
        middle.register_hook(lambda g: g * 1.01)  # type: ignore[no-untyped-call]
    return middle


OWN_BACKWARDS: dict[str, Operation] = {
    "a backward that autograd differentiates": Operation(of=_Cube.apply),
    "a backward in NumPy": Operation(of=_NumpySin.apply),
    "a backward with a rule for batches": Operation(of=_cube_with_rule(wrong=False).apply),
    "a backward with a wrong rule for batches": Operation(of=_cube_with_rule(wrong=True).apply),
    "generate_vmap_rule": Operation(of=_Generated.apply),
    "once_differentiable": Operation(of=_OnceDifferentiable.apply),
    "once_differentiable beside a bowl": Operation(of=lambda y: _apply(_OnceDifferentiable, y) + y),
    "a backward that keeps half": Operation(of=_Detached.apply),
    "a backward that saves past autograd": Operation(of=_SavedOutside.apply),
    "a second derivative wrong by 1 %": Operation(of=_WrongSecond.apply),
    "a gradient wrong by 1 %": Operation(of=_WrongFirst.apply),
    "a hook that changes the gradient": Operation(of=_hooked),
    "detach in part": Operation(of=lambda y: y.detach() * y),
    "data in part": Operation(of=lambda y: y.data * y.sin()),
    "no_grad in part": Operation(of=_without_a_graph),
    "straight-through rounding": Operation(of=lambda y: y + (y.round() - y).detach()),
}
