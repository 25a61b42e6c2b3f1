"""Ways of writing an energy to scan: own backward passes, gradients inside, sparse, compiled."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint

from scanned_operation import Operation, weights

__all__ = ["OWN_BACKWARDS", "WAYS"]


class _Cube(torch.autograd.Function):
    """y³ with the backward pass that autograd can differentiate."""

    @staticmethod
    def forward(ctx: Any, y: Tensor) -> Tensor:
        ctx.save_for_backward(y)
        return y**3

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (y,) = ctx.saved_tensors
        return 3 * y**2 * gradients[0]


class _OnceDifferentiable(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, y: Tensor) -> Tensor:
        ctx.save_for_backward(y)
        return y**3

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (y,) = ctx.saved_tensors
        return 3 * y**2 * gradients[0]


class _Detached(torch.autograd.Function):
    """What was saved is a constant to the backward pass: half of the second derivative."""

    @staticmethod
    def forward(ctx: Any, y: Tensor) -> Tensor:
        ctx.save_for_backward(y)
        return y**3

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (y,) = ctx.saved_tensors
        return 3 * y.detach() * y * gradients[0]


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
        slope: Tensor = _Slope.apply(y, 1.01)
        return slope * gradients[0]


class _WrongFirst(torch.autograd.Function):
    """y³, whose gradient is wrong by 1 %."""

    @staticmethod
    def forward(ctx: Any, y: Tensor) -> Tensor:
        ctx.save_for_backward(y)
        return y**3

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (y,) = ctx.saved_tensors
        return 3.03 * y**2 * gradients[0]


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
        slope: Tensor = _NumpyCos.apply(y)
        return gradients[0] * slope


class _Generated(torch.autograd.Function):
    """y³ in the newer style, with the rule for batches that torch makes."""

    generate_vmap_rule = True

    @staticmethod
    def forward(y: Tensor) -> Tensor:
        return y**3

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (y,) = ctx.saved_tensors
        return 3 * y**2 * gradients[0]


class _TimesWithRule(torch.autograd.Function):
    """slope · gradient with an own rule for batches."""

    @staticmethod
    def forward(slope: Tensor, gradient: Tensor) -> Tensor:
        return slope * gradient

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        slope, gradient = ctx.saved_tensors
        return (
            _TimesWithRule.apply(gradient, gradients[0]),
            _TimesWithRule.apply(slope, gradients[0]),
        )

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], slope: Tensor, gradient: Tensor
    ) -> tuple[Tensor, int]:
        slope, gradient = (
            tensor[None] if where is None else tensor.movedim(where, 0)
            for tensor, where in zip((slope, gradient), in_dims, strict=True)
        )
        return _TimesWithRule.apply(slope, gradient), 0


class _TimesWithWrongRule(torch.autograd.Function):
    """The same with a rule for batches that takes the first of the batch for all."""

    @staticmethod
    def forward(slope: Tensor, gradient: Tensor) -> Tensor:
        return slope * gradient

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        slope, gradient = ctx.saved_tensors
        return (
            _TimesWithWrongRule.apply(gradient, gradients[0]),
            _TimesWithWrongRule.apply(slope, gradients[0]),
        )

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], slope: Tensor, gradient: Tensor
    ) -> tuple[Tensor, int]:
        first = [
            tensor if where is None else tensor.select(where, 0)
            for tensor, where in zip((slope, gradient), in_dims, strict=True)
        ]
        out: Tensor = _TimesWithWrongRule.apply(*first)
        return out.expand(info.batch_size, *out.shape), 0


def _cube_by(times: type[torch.autograd.Function]) -> type[torch.autograd.Function]:
    """y³, whose backward pass multiplies by another Function."""

    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, y: Tensor) -> Tensor:
            ctx.save_for_backward(y)
            return y**3

        @staticmethod
        def backward(ctx: Any, *gradients: Tensor) -> Tensor:
            (y,) = ctx.saved_tensors
            out: Tensor = times.apply(3 * y**2, gradients[0])
            return out

    return Cube


_CubeWithRule = _cube_by(_TimesWithRule)
_CubeWithWrongRule = _cube_by(_TimesWithWrongRule)


def _sparse(change: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    dense = weights(3, 4) * (weights(3, 4) > 0)
    return lambda y: (change(dense) @ y.T).T


def _sparse_of_y(y: Tensor) -> Tensor:
    where = torch.tensor([[0, 0, 1, 2], [0, 2, 1, 2]])
    return torch.stack(
        [torch.sparse.mm(torch.sparse_coo_tensor(where, row, (3, 3)), _COLUMNS) for row in y]
    )


_COLUMNS = weights(3, 2)


def _in_place(y: Tensor) -> Tensor:
    y -= y.mean(1, keepdim=True)
    return y


def _in_place_on_an_entry(y: Tensor) -> Tensor:
    y[:, 0] += 2 * y[:, 1]
    return y


def _in_place_over_what_was_saved(y: Tensor) -> Tensor:
    y[:, 0] *= y[:, 1]
    return y


def _in_place_on_a_copy(y: Tensor) -> Tensor:
    out = y.clone()
    out[:, 1:].mul_(y[:, :-1]).sin_()
    return out


def _potential(y: Tensor) -> Tensor:
    return (y**4).sum(-1) / 4 + y.prod(-1)


def _force(y: Tensor) -> Tensor:
    (force,) = torch.autograd.grad(_potential(y).sum(), y, create_graph=True)
    return force


def _force_of_a_leaf(y: Tensor) -> Tensor:
    if not y.requires_grad:
        y.requires_grad_(requires_grad=True)
    return _force(y)


def _by_jvp(y: Tensor) -> Tensor:
    return torch.func.jvp(torch.sin, (y,), (y.cos(),))[1]


def _by_dual_numbers(y: Tensor) -> Tensor:
    with forward_ad.dual_level():
        slope = forward_ad.unpack_dual(forward_ad.make_dual(y, y.cos()).sin()).tangent
        return torch.zeros_like(y) if slope is None else slope.clone()


def _network() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))


def _compiled(module: nn.Module, y: Tensor) -> Tensor:
    out: Tensor = torch.compile(module, backend="aot_eager")(y)
    return out


def _compiled_eagerly(module: nn.Module, y: Tensor) -> Tensor:
    out: Tensor = torch.compile(module, backend="eager")(y)
    return out


def _scripted(y: Tensor) -> Tensor:
    out: Tensor = torch.jit.trace(torch.sinh, torch.zeros(1, 4, dtype=y.dtype))(y)
    return out


def _hooked(y: Tensor) -> Tensor:
    """A hook on a gradient in the middle: the gradient is not that of E."""
    middle = y.sin()
    if middle.requires_grad:
        middle.register_hook(lambda gradient: gradient * 1.01)
    return middle


OWN_BACKWARDS: dict[str, Operation] = {
    "a backward that autograd differentiates": Operation(of=_Cube.apply),
    "a backward in NumPy": Operation(of=_NumpySin.apply),
    "a backward with a rule for batches": Operation(of=_CubeWithRule.apply),
    "a backward with a wrong rule for batches": Operation(of=_CubeWithWrongRule.apply),
    "generate_vmap_rule": Operation(of=_Generated.apply),
    "once_differentiable": Operation(of=_OnceDifferentiable.apply),
    "once_differentiable beside a bowl": Operation(of=lambda y: _OnceDifferentiable.apply(y) + y),
    "a backward that keeps half": Operation(of=_Detached.apply),
    "a backward that saves past autograd": Operation(of=_SavedOutside.apply),
    "a second derivative wrong by 1 %": Operation(of=_WrongSecond.apply),
    "a gradient wrong by 1 %": Operation(of=_WrongFirst.apply),
    "a hook that changes the gradient": Operation(of=_hooked),
    "detach in part": Operation(of=lambda y: y.detach() * y),
    "straight-through rounding": Operation(of=lambda y: y + (y.round() - y).detach()),
}

WAYS: dict[str, Operation] = {
    "autograd.grad inside": Operation(of=_force),
    "autograd.grad inside, of a leaf": Operation(of=_force_of_a_leaf),
    "torch.func.grad inside": Operation(of=torch.func.vmap(torch.func.grad(_potential))),
    "torch.func.hessian inside": Operation(of=torch.func.vmap(torch.func.hessian(_potential))),
    "torch.func.jvp inside": Operation(of=_by_jvp),
    "dual numbers inside": Operation(of=_by_dual_numbers),
    "checkpoint": Operation(
        module=_network, of=lambda m, y: checkpoint(m, y, use_reentrant=False)
    ),
    "checkpoint, reentrant": Operation(
        module=_network, of=lambda m, y: checkpoint(m, y, use_reentrant=True)
    ),
    "compiled by aot_eager": Operation(module=_network, of=_compiled),
    "compiled by eager": Operation(module=_network, of=_compiled_eagerly),
    "traced": Operation(of=_scripted),
    "in place on y": Operation(of=_in_place),
    "in place on an entry of y": Operation(of=_in_place_on_an_entry),
    "in place over what was saved": Operation(of=_in_place_over_what_was_saved),
    "in place on a copy": Operation(of=_in_place_on_a_copy),
    "relu_ on y": Operation(of=torch.relu_),
    "sparse COO": Operation(of=_sparse(lambda a: a.to_sparse())),
    "sparse CSR": Operation(of=_sparse(lambda a: a.to_sparse_csr())),
    "sparse CSC": Operation(of=_sparse(lambda a: a.to_sparse_csc())),
    "sparse.mm": Operation(
        of=lambda y: torch.sparse.mm((weights(3, 4).relu()).to_sparse(), y.T).T
    ),
    "sparse with entries of y": Operation(of=_sparse_of_y),
}
