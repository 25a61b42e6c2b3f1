"""Ways of writing an energy to scan: gradients inside, in place, sparse, compiled, checkpointed."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.utils.checkpoint import checkpoint

from scanned_operation import Operation, rows, weights

__all__ = ["WAYS"]


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
        y.requires_grad_()
    return _force(y)


def _by_jvp(y: Tensor) -> Tensor:
    out: Tensor = torch.func.jvp(torch.sin, (y,), (y.cos(),))[1]
    return out


def _by_dual_numbers(y: Tensor) -> Tensor:
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(y, y.cos())  # type: ignore[no-untyped-call]
        slope = forward_ad.unpack_dual(dual.sin()).tangent  # type: ignore[no-untyped-call]
        return torch.zeros_like(y) if slope is None else slope.clone()


def _slope(row: Tensor) -> Tensor:
    return row.sin() * row.sum()


def _hessian(row: Tensor) -> Tensor:
    hessian = torch.autograd.functional.hessian
    out: Tensor = hessian(_potential, row, create_graph=True)  # type: ignore[no-untyped-call]
    return out


def _saved_on_cpu(y: Tensor) -> Tensor:
    with torch.autograd.graph.save_on_cpu():
        return y.sin() * y.exp()


def _without_gradients(y: Tensor) -> Tensor:
    with torch.inference_mode():
        return y.sin()


def _either(y: Tensor) -> Tensor:
    out: Tensor = torch.cond(torch.tensor(data=True), torch.sin, torch.cos, (y,))
    return out


def _nested(y: Tensor) -> Tensor:
    return torch.nested.as_nested_tensor([row.sin() for row in y]).to_padded_tensor(0.0)


def _network() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))


def _compiled(module: nn.Module, y: Tensor) -> Tensor:
    out: Tensor = torch.compile(module, backend="aot_eager")(y)
    return out


def _compiled_eagerly(module: nn.Module, y: Tensor) -> Tensor:
    out: Tensor = torch.compile(module, backend="eager")(y)
    return out


def _scripted(y: Tensor) -> Tensor:
    traced = torch.jit.trace(torch.sinh, weights(1, 4))  # type: ignore[no-untyped-call]
    out: Tensor = traced(y)
    return out


WAYS: dict[str, Operation] = {
    "autograd.grad inside": Operation(of=_force),
    "autograd.grad inside, of a leaf": Operation(of=_force_of_a_leaf),
    "torch.func.grad inside": Operation(of=torch.func.vmap(torch.func.grad(_potential))),
    "torch.func.jacrev inside": Operation(of=torch.func.vmap(torch.func.jacrev(_slope))),
    "torch.func.jacfwd inside": Operation(of=torch.func.vmap(torch.func.jacfwd(_slope))),
    "torch.func.vjp inside": Operation(of=lambda y: torch.func.vjp(torch.sin, y)[1](y.cos())[0]),
    "torch.func.linearize inside": Operation(
        of=lambda y: torch.func.linearize(torch.sin, y)[1](y.cos())
    ),
    "autograd.functional.hessian inside": Operation(of=rows(_hessian)),
    "torch.func.hessian inside": Operation(of=torch.func.vmap(torch.func.hessian(_potential))),
    "torch.func.jvp inside": Operation(of=_by_jvp),
    "dual numbers inside": Operation(of=_by_dual_numbers),
    "checkpoint": Operation(module=_network, of=lambda m, y: checkpoint(m, y, use_reentrant=False)),
    "checkpoint, reentrant": Operation(
        module=_network, of=lambda m, y: checkpoint(m, y, use_reentrant=True)
    ),
    "compiled by aot_eager": Operation(module=_network, of=_compiled),
    "compiled by eager": Operation(module=_network, of=_compiled_eagerly),
    "traced": Operation(of=_scripted),
    "torch.cond": Operation(of=_either),
    "scripted": Operation(module=lambda: torch.jit.script(_network()), of=lambda m, y: m(y)),
    "saved on the CPU": Operation(of=_saved_on_cpu),
    "inference_mode inside": Operation(of=_without_gradients),
    "float32 inside": Operation(of=lambda y: y.float().sin().double(), rounding=1e-7),
    "nested": Operation(of=_nested),
    "in place on y": Operation(of=_in_place),
    "in place on an entry of y": Operation(of=_in_place_on_an_entry),
    "in place over what was saved": Operation(of=_in_place_over_what_was_saved),
    "in place on a copy": Operation(of=_in_place_on_a_copy),
    "relu_ on y": Operation(of=torch.relu_),
    "sparse COO": Operation(of=_sparse(lambda a: a.to_sparse())),
    "sparse CSR": Operation(of=_sparse(lambda a: a.to_sparse_csr())),
    "sparse CSC": Operation(of=_sparse(lambda a: a.to_sparse_csc())),
    "sparse.mm": Operation(of=lambda y: torch.sparse.mm((weights(3, 4).relu()).to_sparse(), y.T).T),
    "sparse.mm, reduced": Operation(
        of=lambda y: torch.sparse.mm(weights(3, 4).relu().to_sparse_csr(), y.mT, "sum").mT
    ),
    "sparse with entries of y": Operation(of=_sparse_of_y),
}
