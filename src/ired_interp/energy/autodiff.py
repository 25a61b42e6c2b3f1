"""Derivatives in y of any differentiable energy, by reverse-mode autograd twice.

The Hessian products are batched over vectors by `torch.autograd.grad(is_grads_batched=True)`: the
energy itself runs once, as its author wrote it, so it need not be traceable or vmap-compatible.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ired_interp.errors import EnergyError

__all__ = ["AutodiffField"]

_MIN_GRAPH_BYTES = 1024
_NUM_PROBE_ROWS = 8
_FLOPS_PER_NUMBER = 8


@dataclass(frozen=True)
class AutodiffField:
    """E(·) at fixed rows of whatever else it depends on.

    Attributes:
        energy_fn: (rows' arguments …, y) → [n].
        arguments: Tensors with one row a row of y, given to ``energy_fn`` before y.
    """

    energy_fn: Callable[..., Tensor]
    arguments: tuple[Tensor, ...]

    def select(self, rows: slice | Tensor) -> "AutodiffField":
        """The same energy at some of the rows."""
        return AutodiffField(self.energy_fn, tuple(a[rows] for a in self.arguments))

    def energy(self, y: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        """E at each row."""
        with torch.inference_mode(mode=False), torch.no_grad():
            return self._call(y)

    def energy_and_gradient(
        self, y: Float[Tensor, "n d"]
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, "n d"]]:
        """E and ∇E."""
        with torch.inference_mode(mode=False), torch.enable_grad():
            leaf = y.detach().clone().requires_grad_()
            energy = self._call(leaf)
            gradient = _gradient(energy, leaf, create_graph=False)
        return energy.detach(), gradient

    def hvp(self, y: Float[Tensor, "n d"], v: Float[Tensor, "n m d"]) -> Float[Tensor, "n m d"]:
        """∇²E·v, one backward pass for all m vectors together."""
        return self.linearise(y)(v)

    def linearise(
        self, y: Float[Tensor, "n d"]
    ) -> Callable[[Float[Tensor, "n m d"]], Float[Tensor, "n m d"]]:
        """v ↦ ∇²E·v at fixed points; the graph of the gradient lives as long as the function."""
        with torch.inference_mode(mode=False), torch.enable_grad():
            leaf = y.detach().clone().requires_grad_()
            gradient = _gradient(self._call(leaf), leaf, create_graph=True)

        def product(v: Float[Tensor, "n m d"]) -> Float[Tensor, "n m d"]:
            if not gradient.requires_grad:  # an energy linear in y
                return torch.zeros_like(v)
            one = v.shape[1] == 1  # then the energy's operations need no batching rule
            with torch.inference_mode(mode=False), torch.enable_grad():
                products: tuple[Tensor | None, ...] = torch.autograd.grad(
                    gradient,
                    leaf,
                    grad_outputs=_outside_inference(v[:, 0] if one else v.transpose(0, 1)),
                    is_grads_batched=not one,
                    retain_graph=True,
                    allow_unused=True,
                )
            found = products[0]
            if found is None:  # piecewise linear in y, as a ReLU is between its kinks
                return torch.zeros_like(v)
            return found[:, None] if one else found.transpose(0, 1)

        return product

    def hessian(self, y: Float[Tensor, "n d"]) -> Float[Tensor, "n d d"]:
        """∇²E, symmetrised: the two triangles differ by round-off."""
        eye = torch.eye(y.shape[1], dtype=y.dtype, device=y.device)
        h = self.hvp(y, eye.expand(y.shape[0], -1, -1))
        return (h + h.mT) / 2

    def hessian_rows(self, max_bytes: int) -> int:  # noqa: ARG002 - the protocol's
        """0: Hessians are made of products, whose memory `memory` estimates."""
        return 0

    def work(self, y: Float[Tensor, "n d"]) -> tuple[int, int]:
        """Floating-point operations of one Hessian product, and of a Hessian made of products.

        Matrix products are counted as they run; of the rest, a few operations a saved number.

        Cost: two energies, gradients and one product of one row.
        """
        # Imported here: it takes half a second, which every start of the command line would pay.
        from torch.utils.flop_counter import FlopCounterMode

        first = self.select(slice(0, 1))
        product = first.linearise(y[:1])
        with FlopCounterMode(display=False) as counter:
            product(torch.ones_like(y[:1, None]))
        numbers = self.memory(y)(0) // y.element_size()
        flops = int(counter.get_total_flops()) + _FLOPS_PER_NUMBER * numbers
        return flops, flops * y.shape[1]

    def memory(self, y: Float[Tensor, "n d"]) -> Callable[[int], int]:
        """Bytes a row needs for m Hessian products, as a function of m.

        Estimated as 1 + m times what autograd saves for the first row's gradient.

        Cost: one energy and one gradient of one row.
        """
        saved = 0

        def count(tensor: Tensor) -> Tensor:
            nonlocal saved
            saved += tensor.numel() * tensor.element_size()
            return tensor

        first = self.select(slice(0, 1))
        with (
            torch.inference_mode(mode=False),
            torch.enable_grad(),
            torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor),
        ):
            leaf = y[:1].detach().clone().requires_grad_()
            _gradient(first._call(leaf), leaf, create_graph=True)
        graph = max(saved, _MIN_GRAPH_BYTES)
        return lambda num_vectors: graph * (1 + num_vectors)

    def check_rows(self, y: Float[Tensor, "n d"]) -> None:
        """Raise EnergyError if the first rows of ``energy_fn`` influence one another.

        Of the first 8 rows, the even and the odd ones are evaluated again by themselves, in
        reversed order, and the derivative of their energies by the others must be exactly zero.

        Cost: two energies and two gradients of at most 8 rows. A coupling of rows of equal parity
        that moves no energy by a share of √ε escapes.
        """
        probe = self.select(slice(0, _NUM_PROBE_ROWS))
        y = y[:_NUM_PROBE_ROWS]
        order = torch.arange(y.shape[0], device=y.device).flip(0)
        for parity in (0, 1):
            inside, outside = order[order % 2 == parity], order[order % 2 != parity]
            if inside.numel() and outside.numel():
                probe._check_split(y, inside, outside)

    def _check_split(
        self, y: Float[Tensor, "n d"], inside: Int[Tensor, " k"], outside: Int[Tensor, " l"]
    ) -> None:
        alone = self.select(inside).energy(y[inside])
        with torch.inference_mode(mode=False), torch.enable_grad():
            leaf = y.detach().clone().requires_grad_()
            together = self._call(leaf)
            leak = _gradient(together[inside.clone()], leaf, create_graph=False)[outside]
        together = together.detach()
        # Rows that are not finite are named by whoever asked; at a kink a derivative is 0·∞.
        together, alone = together.nan_to_num(0, 0, 0), alone.nan_to_num(0, 0, 0)
        leak = leak.nan_to_num(0, 0, 0)
        scale = together.abs().max().clamp_min(torch.finfo(y.dtype).tiny)
        gap = (together[inside] - alone).abs().max() / scale
        if bool((leak != 0).any()) or bool(gap > torch.finfo(y.dtype).eps ** 0.5):
            raise EnergyError(
                "Landscape: the rows of the energy influence one another (without its neighbours "
                f"a row's energy changes by a share of {float(gap):.1e}). Expected the energy of a "
                "row to depend on that row alone: look for a mean, a sum, a batch norm or a roll "
                "over the first axis."
            )

    def _call(self, y: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        energy = self.energy_fn(*map(_outside_inference, self.arguments), y)
        if not isinstance(energy, Tensor):
            raise EnergyError(
                f"Landscape: expected fn to return a tensor, found {type(energy).__name__}."
            )
        if energy.shape != y.shape[:1]:
            raise EnergyError(
                f"Landscape: expected fn to return shape {tuple(y.shape[:1])}, one energy a "
                f"row of y, found {tuple(energy.shape)}."
            )
        if energy.dtype != y.dtype or energy.device != y.device:
            raise EnergyError(
                f"Landscape: expected fn to return {y.dtype} on {y.device} as y is, found "
                f"{energy.dtype} on {energy.device}."
            )
        return energy


def _outside_inference(tensor: Tensor) -> Tensor:
    """A tensor that autograd may save: one made in inference mode is copied."""
    return tensor.clone() if tensor.is_inference() else tensor.detach()


def _gradient(
    energy: Float[Tensor, " k"], y: Float[Tensor, "n d"], *, create_graph: bool
) -> Float[Tensor, "n d"]:
    if not energy.requires_grad:
        raise EnergyError(
            "Landscape: the energy is not differentiable in y: fn's result carries no graph. "
            "Look for detach(), .item(), NumPy or no_grad inside fn, or for a y that is ignored."
        )
    (gradient,) = torch.autograd.grad(energy.sum(), y, create_graph=create_graph, allow_unused=True)
    if gradient is None:
        raise EnergyError("Landscape: the energy does not depend on y: there is no curvature.")
    return gradient
