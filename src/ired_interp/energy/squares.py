"""Derivatives in y of E = ‖f(y)‖² for any differentiable f, with its Hessian split in two.

Both parts come from one function of (y, u), G = Σ_j u_j·f_j(y), whose Hessian is bordered:

    ∇²G = [ Σ_j u_j·∇²f_j   Jᵀ ]
          [ J                0 ]

At u = 2f a single product with (v, 0) gives the residual part times v and J·v: the cost of one
Hessian product for both, and no forward-mode derivative of f is needed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from ired_interp.energy.autodiff import AutodiffField
from ired_interp.energy.findings import Findings
from ired_interp.energy.parts import GAUSS_NEWTON, RESIDUAL
from ired_interp.errors import EnergyError

__all__ = ["SquaresField"]

_NUM_PROBE_ROWS = 8


@dataclass(frozen=True)
class SquaresField:
    """‖f(·)‖² at fixed rows of whatever else f depends on.

    Attributes:
        residual_fn: (rows' arguments …, y) → f, [n, r].
        arguments: Tensors with one row a row of y, given to ``residual_fn`` before y.
        findings: What has been learnt of ``residual_fn``.
    """

    residual_fn: Callable[..., Tensor]
    arguments: tuple[Tensor, ...]
    findings: Findings = field(default_factory=Findings, compare=False)

    @property
    def is_tested(self) -> bool:
        """No: autograd differentiates what it sees of f."""
        return False

    @property
    def note(self) -> str:
        """What there is to say of how products were taken."""
        return self.findings.one_by_one

    @property
    def part_names(self) -> tuple[str, str]:
        """2·JᵀJ, then 2·Σ_i f_i·∇²f_i."""
        return (GAUSS_NEWTON, RESIDUAL)

    def select(self, rows: slice | Tensor) -> "SquaresField":
        """The same energy at some of the rows."""
        rows_of = tuple(a[rows] for a in self.arguments)
        return SquaresField(self.residual_fn, rows_of, self.findings)

    def energy(self, y: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        """‖f‖² at each row."""
        return self._whole().energy(y)

    def energy_and_gradient(
        self, y: Float[Tensor, "n d"]
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, "n d"]]:
        """E and ∇E = 2·Jᵀf."""
        return self._whole().energy_and_gradient(y)

    def hvp(self, y: Float[Tensor, "n d"], v: Float[Tensor, "n m d"]) -> Float[Tensor, "n m d"]:
        """∇²E·v, of the sum itself: independent of the parts."""
        return self._whole().hvp(y, v)

    def linearise(
        self, y: Float[Tensor, "n d"]
    ) -> Callable[[Float[Tensor, "n m d"]], Float[Tensor, "n m d"]]:
        """`hvp` at fixed points."""
        return self._whole().linearise(y)

    def work(self, y: Float[Tensor, "n d"]) -> tuple[int, int]:
        """As of the sum itself."""
        return self._whole().work(y)

    def hessian_rows(self, max_bytes: int) -> int:
        """As of the sum itself."""
        return self._whole().hessian_rows(max_bytes)

    def hessian(self, y: Float[Tensor, "n d"]) -> Float[Tensor, "n d d"]:
        """∇²E, of the sum itself."""
        return self._whole().hessian(y)

    def memory(self, y: Float[Tensor, "n d"]) -> Callable[[int], int]:
        """Bytes a row needs for m Hessian products, or for the parts along m vectors."""
        return self._whole().memory(y)

    def hessian_parts(self, y: Float[Tensor, "n d"], num_columns: int) -> Float[Tensor, "n 2 d d"]:
        """2·JᵀJ and 2·Σ_i f_i·∇²f_i, exactly symmetric.

        Cost: d Hessian products, ``num_columns`` of them at a time, and d²·r multiplications a row.
        """
        n, d = y.shape
        eye = torch.eye(d, dtype=y.dtype, device=y.device).expand(n, -1, -1)
        pairs = [self._products(y, block) for block in torch.split(eye, num_columns, dim=1)]
        residual = torch.cat([product for product, _ in pairs], dim=1)
        jacobian = torch.cat([change for _, change in pairs], dim=1)
        parts = torch.stack([2 * jacobian @ jacobian.mT, residual], dim=1)
        return (parts + parts.mT) / 2

    def quadratic_parts(
        self, y: Float[Tensor, "n d"], v: Float[Tensor, "n m d"]
    ) -> Float[Tensor, "n 2 m"]:
        """2‖Jv‖² and 2·Σ_i f_i·vᵀ∇²f_i·v. Cost: m Hessian products."""
        product, change = self._products(y, v)
        return torch.stack([2 * change.square().sum(-1), (v * product).sum(-1)], dim=1)

    def check_rows(self, y: Float[Tensor, "n d"]) -> None:
        """Raise EnergyError if the first rows of ``residual_fn`` influence one another.

        f itself is tested, through a sum with fixed weights: rows might turn one another's f and
        leave every ‖f‖² as it is. The sum is compared with the size of its terms, so that round-off
        where f = 0, which is a minimum, is not taken for an influence.

        Cost: four sums and three gradients of at most 8 rows.
        """
        probe, y = self.select(slice(0, _NUM_PROBE_ROWS)), y[:_NUM_PROBE_ROWS]
        num_residuals = probe._residuals(y).shape[1]
        weights = 1.5 + torch.arange(num_residuals, dtype=y.dtype, device=y.device).cos()
        z = torch.cat([y, weights.expand(y.shape[0], -1)], dim=1)
        _, gradient = probe._bordered(y.shape[1]).energy_and_gradient(z)
        size = float((gradient * z).abs().sum(-1).nan_to_num(0, 0, 0).max())
        probe._bordered(y.shape[1], offset=size).check_rows(z)

    def _products(
        self, y: Float[Tensor, "n d"], v: Float[Tensor, "n m d"]
    ) -> tuple[Float[Tensor, "n m d"], Float[Tensor, "n m r"]]:
        """The residual part times v, and J·v."""
        d = y.shape[1]
        twice = 2 * self._residuals(y)
        border = torch.zeros(*v.shape[:2], twice.shape[1], dtype=v.dtype, device=v.device)
        both = self._bordered(d).hvp(torch.cat([y, twice], dim=1), torch.cat([v, border], dim=2))
        return both[..., :d], both[..., d:]

    def _whole(self) -> AutodiffField:
        def total(*inputs: Tensor) -> Tensor:
            return self._call(*inputs).square().sum(-1)

        return AutodiffField(total, self.arguments, self.findings)

    def _bordered(self, d: int, *, offset: float = 0.0) -> AutodiffField:
        """G(y, u) = Σ_j u_j·f_j(y) + offset, as a function of (y, u) side by side."""

        def weighted(*inputs: Tensor) -> Tensor:
            *arguments, z = inputs
            return (self._call(*arguments, z[:, :d]) * z[:, d:]).sum(-1) + offset

        return AutodiffField(weighted, self.arguments, self.findings)

    def _residuals(self, y: Float[Tensor, "n d"]) -> Float[Tensor, "n r"]:
        def residuals() -> Tensor:
            copies = (a.detach().clone() for a in self.arguments)
            return self._call(*copies, y.detach().clone().requires_grad_().clone()).detach()

        return self.findings.computed(residuals)

    def _call(self, *inputs: Tensor) -> Float[Tensor, "n r"]:
        y = inputs[-1]
        f = self.residual_fn(*inputs)
        if not isinstance(f, Tensor):
            raise EnergyError(
                f"Landscape.of_squares: expected fn to return a tensor, found {type(f).__name__}."
            )
        if f.ndim != 2 or f.shape[0] != y.shape[0] or f.shape[1] == 0:  # noqa: PLR2004 - axes
            raise EnergyError(
                f"Landscape.of_squares: expected fn to return shape ({y.shape[0]}, r), the r ≥ 1 "
                f"numbers whose squares sum to the energy, found {tuple(f.shape)}. For a function "
                "that returns the energy itself use Landscape.of."
            )
        if f.dtype != y.dtype or f.device != y.device:
            raise EnergyError(
                f"Landscape.of_squares: expected fn to return {y.dtype} on {y.device} as y is, "
                f"found {f.dtype} on {f.device}."
            )
        return f
