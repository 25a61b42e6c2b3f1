"""Derivatives in y of any differentiable energy, by reverse-mode autograd twice.

The Hessian products are batched over vectors by `torch.autograd.grad(is_grads_batched=True)`: the
energy itself runs once, as its author wrote it, so it need not be traceable or vmap-compatible.
A batched product is held against one of a single vector; where torch cannot batch, or does so
wrongly, the vectors are taken one at a time.

The energy is always called as its derivatives need it: with grad mode on, and with copies of the
rows, so that it may take gradients itself and work in place.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ired_interp.energy.findings import Findings
from ired_interp.energy.graph_costs import LEAST_GRAPH_BYTES, FlopCount, graph_bytes
from ired_interp.energy.row_checks import check_rows
from ired_interp.energy.torch_errors import translated
from ired_interp.errors import EnergyError

__all__ = ["AutodiffField"]

_FLOPS_PER_NUMBER = 8
_BATCH_ULPS = 64.0
_NOISES = 30.0
_GOLDEN = (1 + 5**0.5) / 2
# What a rule for batches may raise: torch's own errors, and those of a backward written in NumPy.
_OF_BATCHING = (RuntimeError, TypeError, ValueError, AttributeError, IndexError)


@dataclass(frozen=True)
class AutodiffField:
    """E(·) at fixed rows of whatever else it depends on.

    Attributes:
        energy_fn: (rows' arguments …, y) → [n].
        arguments: Tensors with one row a row of y, given to ``energy_fn`` before y.
        findings: What has been learnt of ``energy_fn``.
    """

    energy_fn: Callable[..., Tensor]
    arguments: tuple[Tensor, ...]
    findings: Findings = field(default_factory=Findings, compare=False)

    @property
    def is_tested(self) -> bool:
        """No: autograd differentiates what it sees of the energy."""
        return False

    @property
    def note(self) -> str:
        """What there is to say of how products were taken."""
        return self.findings.one_by_one

    def select(self, rows: slice | Tensor) -> "AutodiffField":
        """The same energy at some of the rows."""
        return AutodiffField(self.energy_fn, tuple(a[rows] for a in self.arguments), self.findings)

    def energy(self, y: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        """E at each row."""

        def alone() -> Tensor:
            return self._forward(y)[0].detach()

        return self.findings.computed(alone)

    def energy_and_gradient(
        self, y: Float[Tensor, "n d"]
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, "n d"]]:
        """E and ∇E."""

        def both() -> tuple[Tensor, Tensor]:
            energy, leaf = self._forward(y)
            return energy.detach(), _gradient(energy, leaf, create_graph=False).detach()

        return self.findings.computed(both)

    def hvp(self, y: Float[Tensor, "n d"], v: Float[Tensor, "n m d"]) -> Float[Tensor, "n m d"]:
        """∇²E·v, one backward pass for all m vectors together."""
        return self.linearise(y)(v)

    def linearise(
        self, y: Float[Tensor, "n d"]
    ) -> Callable[[Float[Tensor, "n m d"]], Float[Tensor, "n m d"]]:
        """v ↦ ∇²E·v at fixed points; the graph of the gradient lives as long as the function.

        Cost of the function: m products, and for m > 1 one more, against which they are held.
        """

        def graph() -> tuple[Tensor, Tensor]:
            energy, leaf = self._forward(y)
            return _gradient(energy, leaf, create_graph=True), leaf

        held = [self.findings.computed(graph)]

        def product(v: Float[Tensor, "n m d"]) -> Float[Tensor, "n m d"]:
            while True:
                with translated("the second derivative"), self.findings.applied():
                    try:
                        return self._products(*held[0], v)
                    except RuntimeError as error:
                        if not self.findings.learn(error):
                            raise
                held[0] = self.findings.computed(
                    graph
                )  # as the energy has to be called from now on

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
        product = self.select(slice(0, 1)).linearise(y[:1])
        one = torch.ones_like(y[:1, None])
        product(one)  # in whatever way it can be had
        counter = FlopCount()
        with counter:
            product(one)
        numbers = self.memory(y)(0) // y.element_size()
        flops = counter.total + _FLOPS_PER_NUMBER * numbers
        return flops, flops * y.shape[1]

    def memory(self, y: Float[Tensor, "n d"]) -> Callable[[int], int]:
        """Bytes a row needs for m Hessian products, as a function of m.

        Estimated as 1 + m times what the nodes of the graph of the first row's gradient give out.

        Cost: one energy and one gradient of one row, the first time.
        """
        key = (y.shape[1], y.dtype)
        known = self.findings.row_bytes
        if key not in known:
            first = self.select(slice(0, 1))

            def gradient() -> int:
                energy, leaf = first._forward(y[:1])
                return graph_bytes(_gradient(energy, leaf, create_graph=True), leaf)

            known[key] = max(self.findings.computed(gradient), LEAST_GRAPH_BYTES)
        graph = known[key]
        return lambda num_vectors: graph * (1 + num_vectors)

    def check_rows(self, y: Float[Tensor, "n d"]) -> None:
        """Raise EnergyError if ``energy_fn`` changes, or its first rows influence one another."""
        check_rows(self, y)

    def moved_by(
        self, y: Float[Tensor, "n d"], inside: Int[Tensor, " k"], outside: Int[Tensor, " l"]
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, "l d"]]:
        """E of all rows together, and the derivative of Σ E over some rows by some others."""

        def leak() -> tuple[Tensor, Tensor]:
            together, leaf = self._forward(y)
            moved = _gradient(together[inside.clone()], leaf, create_graph=False)[outside]
            return together.detach(), moved.detach()

        return self.findings.computed(leak)

    def _products(self, gradient: Tensor, leaf: Tensor, v: Tensor) -> Tensor:
        """Products with the vectors, all at once where that is right, else one by one."""
        if not gradient.requires_grad:  # an energy linear in y
            return torch.zeros_like(v)
        if v.shape[1] == 1 or self.findings.one_by_one:
            return _one_by_one(gradient, leaf, v)
        try:
            batched = _backward(gradient, leaf, v.transpose(0, 1), batched=True)
        except torch.OutOfMemoryError:
            raise
        except _OF_BATCHING as error:
            found = _one_by_one(gradient, leaf, v)  # raises where that is no cure
            reason = str(error).strip().splitlines() or [type(error).__name__]
            self.findings.one_by_one = (
                "products one vector at a time, because the energy's backward cannot be batched "
                f"({reason[0][:120]})"
            )
            return found
        found = batched.transpose(0, 1)
        weights = (
            1
            + (
                _GOLDEN * torch.arange(1, v.shape[1] + 1, dtype=torch.float64, device=v.device)
            ).frac()
        )
        weights = weights.to(v)
        single = _backward(gradient, leaf, torch.einsum("m,nmd->nd", weights, v), batched=False)
        sizes = torch.einsum("m,nm->n", weights, torch.linalg.vector_norm(found, dim=2))
        limit = _BATCH_ULPS * torch.finfo(v.dtype).eps * v.shape[1] ** 0.5 * sizes

        def off(products: Tensor) -> Tensor:
            gap = torch.einsum("m,nmd->nd", weights, products) - single
            size: Tensor = torch.linalg.vector_norm(gap, dim=1)
            return size

        suspicious = ~(off(found) <= limit) & torch.isfinite(single).all(dim=1)
        if not bool(suspicious.any()):
            return found
        slowly = _one_by_one(gradient, leaf, v)
        # Round-off that is larger than usual, or the batch alone?
        lies = off(found)[suspicious] > 2 * _NOISES * off(slowly)[suspicious] + limit[suspicious]
        if bool(lies.any()):
            self.findings.one_by_one = (
                "products one vector at a time, because the energy's batched backward differs from "
                "that of single vectors"
            )
        return slowly

    def _forward(self, y: Float[Tensor, "n d"]) -> tuple[Tensor, Tensor]:
        """E with its graph, and the leaf that it grew from."""
        leaf = y.detach().clone().requires_grad_()
        return self._call(leaf.clone()), leaf  # no leaf, so that fn may work in place

    def _call(self, y: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        shape, dtype, device = y.shape[:1], y.dtype, y.device
        energy = self.energy_fn(*(a.detach().clone() for a in self.arguments), y)
        if not isinstance(energy, Tensor):
            raise EnergyError(
                f"Landscape: expected fn to return a tensor, found {type(energy).__name__}."
            )
        if energy.shape != shape:
            raise EnergyError(
                f"Landscape: expected fn to return shape {tuple(shape)}, one energy a "
                f"row of y, found {tuple(energy.shape)}."
            )
        if energy.dtype != dtype or energy.device != device:
            raise EnergyError(
                f"Landscape: expected fn to return {dtype} on {device} as y is, found "
                f"{energy.dtype} on {energy.device}."
            )
        return energy


def _one_by_one(gradient: Tensor, leaf: Tensor, v: Tensor) -> Tensor:
    rows = [_backward(gradient, leaf, v[:, j], batched=False) for j in range(v.shape[1])]
    return torch.stack(rows, dim=1)


def _backward(gradient: Tensor, leaf: Tensor, v: Tensor, *, batched: bool) -> Tensor:
    with torch.inference_mode(mode=False), torch.enable_grad():
        products: tuple[Tensor | None, ...] = torch.autograd.grad(
            gradient,
            leaf,
            grad_outputs=v.clone() if v.is_inference() else v.detach(),
            is_grads_batched=batched,
            retain_graph=True,
            allow_unused=True,
        )
    # None: piecewise linear in y, as a ReLU is between its kinks.
    found = products[0]
    return torch.zeros_like(v) if found is None else found.detach()


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
