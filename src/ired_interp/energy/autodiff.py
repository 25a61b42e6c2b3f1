"""Derivatives in y of any differentiable energy, by reverse-mode autograd twice.

The Hessian products are batched over vectors by `torch.autograd.grad(is_grads_batched=True)`: the
energy itself runs once, as its author wrote it, so it need not be traceable or vmap-compatible.
A batched product is held against one of a single vector; where torch cannot batch, or does so
wrongly, the vectors are taken one at a time.

The energy is always called as its derivatives need it: with grad mode on, and with copies of the
rows, so that it may take gradients itself and work in place.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode

from ired_interp.energy.roundoff import high_differences, magnitude
from ired_interp.energy.torch_errors import is_of_attention, is_of_compilation, translated
from ired_interp.errors import EnergyError

__all__ = ["AutodiffField", "Findings"]

_MIN_GRAPH_BYTES = 1024
_NUM_PROBE_ROWS = 8
_FLOPS_PER_NUMBER = 8
_BATCH_ULPS = 64.0
_NOISE_ULPS = (1, 3, 8)
_NOISES = 30.0
_DIFFERENCES = 1 / 6  # power of ε that makes the step of a high difference
_GOLDEN = (1 + 5**0.5) / 2
# What a rule for batches may raise: torch's own errors, and those of a backward written in NumPy.
_OF_BATCHING = (RuntimeError, TypeError, ValueError, AttributeError, IndexError)
# torch's choice of an attention kernel belongs to the process: no two threads change it at once.
_ATTENTION = threading.RLock()
_T = TypeVar("_T")


@dataclass
class Findings:
    """What has been learnt of an energy, shared by all selections of its rows.

    It changes as the energy is called: what torch refused once is not tried again.

    Attributes:
        plain_attention: Fused attention cannot be differentiated twice; torch's plain one is used.
        eager: A compiled function cannot be, and runs as it was written.
        one_by_one: Why products are taken one vector at a time; empty where they are batched.
        row_bytes: What the graph of a row's gradient holds, by the number of entries and the dtype.
    """

    plain_attention: bool = False
    eager: bool = False
    one_by_one: str = ""
    row_bytes: dict[tuple[int, torch.dtype], int] = field(default_factory=dict)

    def learn(self, error: RuntimeError) -> bool:
        """Whether the error names something that has another way, not yet taken; it is then."""
        if is_of_attention(error) and not self.plain_attention:
            self.plain_attention = True
            return True
        if is_of_compilation(error) and not self.eager:
            self.eager = True
            return True
        return False

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Call the energy in the ways that were found necessary, and with derivatives."""
        with ExitStack() as stack:
            stack.enter_context(torch.inference_mode(mode=False))
            stack.enter_context(torch.enable_grad())
            if self.eager:
                stack.enter_context(torch.compiler.set_stance("force_eager"))
            if self.plain_attention:
                stack.enter_context(_ATTENTION)
                stack.enter_context(sdpa_kernel(SDPBackend.MATH))
            yield


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

        return self.computed(alone)

    def energy_and_gradient(
        self, y: Float[Tensor, "n d"]
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, "n d"]]:
        """E and ∇E."""

        def both() -> tuple[Tensor, Tensor]:
            energy, leaf = self._forward(y)
            return energy.detach(), _gradient(energy, leaf, create_graph=False).detach()

        return self.computed(both)

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

        held = [self.computed(graph)]

        def product(v: Float[Tensor, "n m d"]) -> Float[Tensor, "n m d"]:
            while True:
                with translated("the second derivative"), self.findings.applied():
                    try:
                        return self._products(*held[0], v)
                    except RuntimeError as error:
                        if not self.findings.learn(error):
                            raise
                held[0] = self.computed(graph)  # as the energy has to be called from now on

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
        counter = _FlopCount()
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
                return _graph_bytes(_gradient(energy, leaf, create_graph=True), leaf)

            known[key] = max(self.computed(gradient), _MIN_GRAPH_BYTES)
        graph = known[key]
        return lambda num_vectors: graph * (1 + num_vectors)

    def check_rows(self, y: Float[Tensor, "n d"]) -> None:
        """Raise EnergyError if ``energy_fn`` changes, or its first rows influence one another.

        The first 8 rows are evaluated twice. Then the even and the odd ones are evaluated by
        themselves, in reversed order, and the derivative of their energies by the others must be
        exactly zero. Energies that differ may do so by their own round-off: as much as they change
        where y moves by a few units of the last place, or a few units of the last place of the
        largest number that they pass through.

        Cost: four energies and two gradients of at most 8 rows, for one row two energies. A
        coupling of rows of equal parity that moves no energy by a share of √ε escapes.
        """
        probe = self.select(slice(0, _NUM_PROBE_ROWS))
        y = y[:_NUM_PROBE_ROWS]
        first = probe.energy(y).nan_to_num(0, 0, 0)
        probe._check_repeats(y, first)
        if y.shape[0] == 1:
            return
        order = torch.arange(y.shape[0], device=y.device).flip(0)
        for parity in (0, 1):
            inside, outside = order[order % 2 == parity], order[order % 2 != parity]
            if inside.numel() and outside.numel():
                probe._check_split(y, inside, outside)

    def _check_repeats(self, y: Float[Tensor, "n d"], first: Float[Tensor, " n"]) -> None:
        """The same rows again: to the last bit, but for sums that a device takes in any order."""
        gap = (self.energy(y).nan_to_num(0, 0, 0) - first).abs().max()
        unit = _BATCH_ULPS * torch.finfo(y.dtype).eps
        if bool(gap <= unit * first.abs().max()):
            return
        if float(gap) > unit * magnitude(lambda: self.energy(y), y.dtype).largest:
            raise EnergyError(
                "Landscape: the energy is not the same function from call to call (at the same y "
                f"it changes by {float(gap):.1e}). Expected no state and no randomness: call eval()"
                " on a module (dropout, spectral norm and batch norm change in training mode), and "
                "look for draws and caches inside fn."
            )

    def _check_split(
        self,
        y: Float[Tensor, "n d"],
        inside: Int[Tensor, " k"],
        outside: Int[Tensor, " l"],
    ) -> None:
        alone = self.select(inside).energy(y[inside])

        def leak() -> tuple[Tensor, Tensor]:
            together, leaf = self._forward(y)
            moved = _gradient(together[inside.clone()], leaf, create_graph=False)[outside]
            return together.detach(), moved.detach()

        together, moved = self.computed(leak)
        # Rows that are not finite are named by whoever asked; at a kink a derivative is 0·∞.
        together, alone = together.nan_to_num(0, 0, 0), alone.nan_to_num(0, 0, 0)
        moved = moved.nan_to_num(0, 0, 0)
        scale = together.abs().max().clamp_min(torch.finfo(y.dtype).tiny)
        gap = (together[inside] - alone).abs().max()
        changed = bool(gap > torch.finfo(y.dtype).eps ** 0.5 * scale)
        if bool((moved != 0).any()) or (changed and float(gap) > self._round_off(y, together)):
            raise EnergyError(
                "Landscape: the rows of the energy influence one another, or it remembers earlier "
                "calls (without its neighbours a row's energy changes by a share of "
                f"{float(gap / scale):.1e}). Expected the energy of a row to depend on that row "
                "alone: look for a mean, a sum, a batch norm or a roll over the first axis, and "
                "for a cache inside fn."
            )

    def _round_off(self, y: Float[Tensor, "n d"], energy: Float[Tensor, " n"]) -> float:
        """How far round-off may move an energy.

        The largest of what moving y by its last places does, of the noise that high differences of
        E show, and of a few last places of the largest number that it passes through.
        """
        eps = torch.finfo(y.dtype).eps
        signs = torch.where(torch.arange(y.shape[1], device=y.device) % 2 == 0, 1, -1).to(y)
        step = eps**_DIFFERENCES * torch.linalg.vector_norm(y, dim=1, keepdim=True) * signs
        near = [self.energy(y * (1 + k * eps * signs)).nan_to_num(0, 0, 0) for k in _NOISE_ULPS]
        moved = max(float((there - energy).abs().max()) for there in near)
        line = torch.stack([self.energy(y + k * step) for k in range(-3, 4)], dim=1)
        shown = [float(part.nan_to_num(0, 0, 0).abs().max()) for part in high_differences(line)]
        return max(
            _NOISES * moved,
            _NOISES * max(shown),
            _BATCH_ULPS * eps * magnitude(lambda: self.energy(y), y.dtype).largest,
        )

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

    def computed(self, compute: Callable[[], _T]) -> _T:
        """What ``compute`` returns, another way if torch asks for one; its errors in our words."""
        with translated():
            while True:
                with self.findings.applied():
                    try:
                        return compute()
                    except RuntimeError as error:
                        if not self.findings.learn(error):
                            raise

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


class _FlopCount(TorchDispatchMode):
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


def _graph_bytes(tensor: Tensor, leaf: Tensor) -> int:
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
            sizes = [_MIN_GRAPH_BYTES]
        total += sum(sizes) if known[node] else 0
    return total


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
