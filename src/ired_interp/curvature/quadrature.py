"""Spectral measures of ∇²_yE: d equal masses if exact, Gauss rules from Lanczos runs if not.

A probe z of length √d, in Lanczos' hands, gives the nodes θ_j and weights w_j of a Gauss rule for
the measure that has mass (u_iᵀz)²/d at each eigenvalue λ_i; k steps integrate polynomials of degree
2k - 1 exactly. Averaged over probes, Σ_j w_j·f(θ_j) estimates tr f(H)/d.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ired_interp.checks import Whole, whole
from ired_interp.curvature.estimates import SpherePoints, chunks, mean_and_error
from ired_interp.curvature.lanczos import lanczos
from ired_interp.draws import check_seed
from ired_interp.errors import UnknownNameError
from ired_interp.landscape import Landscape

__all__ = ["Measure", "QuadratureRoute", "average", "exact_measure", "measure"]

QuadratureRoute = Literal["exact", "quadrature"]

# H, its eigenvalues' work space and copies.
_MATRICES_HELD = 4


@dataclass(frozen=True, slots=True)
class Measure:
    """Nodes, ascending, and weights with sum 1, of m probes at n points; float64.

    Attributes:
        nodes: Of all steps; the eigenvalues themselves where ``exact``, with m = 1.
        weights: Likewise.
        early_nodes: Of the first steps alone, to see what the later ones changed.
        early_weights: Likewise.
        exact: Whether the nodes are all d eigenvalues.
        num_products: Hessian products spent a point.
        reason: One sentence on why this route.
    """

    nodes: Float[Tensor, "n m k"]
    weights: Float[Tensor, "n m k"]
    early_nodes: Float[Tensor, "n m q"]
    early_weights: Float[Tensor, "n m q"]
    exact: bool
    num_products: int
    reason: str

    @property
    def estimator(self) -> QuadratureRoute:
        """The route's name."""
        return "exact" if self.exact else "quadrature"


def measure(
    land: Landscape,
    y: Float[Tensor, "n d"],
    *,
    estimator: str | None,
    num_probes: Whole,
    num_steps: Whole,
    early_share: float,
    probes: SpherePoints,
) -> Measure:
    """The spectral measures by the route asked for: exact, if d ≤ num_probes·num_steps, by default.

    ``early_share`` of the steps make up the early nodes.

    Raises:
        UnknownNameError: No such route.
        ShapeError: num_steps < 1, or fewer than 2 probes, which leave no standard error.
        ConfigError: The seed is out of range.
        ShapeError, DtypeError, NonFiniteError: y does not fit, or E or a product is not finite.

    Cost: d products, or the closed form, and all eigenvalues; or num_probes·num_steps products.
    """
    check_seed(probes.seed)
    num_probes = whole("num_probes", num_probes, least=2)
    num_steps = whole("num_steps", num_steps, least=1)
    if estimator not in ("exact", "quadrature", None):
        raise UnknownNameError(
            f"estimator: expected 'exact', 'quadrature', or None to choose, found {estimator!r}."
        )
    land.check_points(y)
    d, most = land.dim_y, num_probes * num_steps
    if estimator == "exact" or (estimator is None and d <= most):
        why = "as asked" if estimator else f"d = {d} products are no more than {most}"
        return exact_measure(land, y, f"exact: {why}.")
    why = "as asked" if estimator else f"d = {d} products are more than {most}"
    steps = min(num_steps, d)
    early = max(1, round(early_share * steps))
    return _sampled(land, y, num_probes, steps, early, probes, f"quadrature: {why}.")


def exact_measure(land: Landscape, y: Float[Tensor, "n d"], reason: str) -> Measure:
    """Mass 1/d at each of the d eigenvalues, of Hessians that the caller verifies."""
    d = land.dim_y
    held = _MATRICES_HELD * d * d * y.element_size()
    nodes = torch.cat(
        [
            torch.linalg.eigvalsh(land.select(rows).hessian(y[rows], verify=False)).double()
            for rows in chunks(y.shape[0], held, land.max_bytes)
        ]
    )[:, None]
    weights = torch.full_like(nodes, 1 / d)
    return Measure(nodes, weights, nodes, weights, exact=True, num_products=d, reason=reason)


def average(
    found: Measure, fn: Callable[[Float[Tensor, "n m k"]], Float[Tensor, "n m k"]]
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"], Float[Tensor, " n"]]:
    """tr f(H)/d, its standard error over probes, and what the later steps changed."""
    samples = (found.weights * fn(found.nodes)).sum(dim=2)
    early = (found.early_weights * fn(found.early_nodes)).sum(dim=2)
    change = (samples - early).mean(dim=1).abs()
    if found.exact:
        return samples[:, 0], torch.zeros_like(change), change
    return *mean_and_error(samples), change


def _sampled(
    land: Landscape,
    y: Tensor,
    num_probes: int,
    num_steps: int,
    early: int,
    probes: SpherePoints,
    reason: str,
) -> Measure:
    shape = (y.shape[0], num_probes)
    nodes, weights = (
        torch.empty(*shape, num_steps, dtype=torch.float64, device=y.device) for _ in range(2)
    )
    early_nodes, early_weights = (
        torch.empty(*shape, early, dtype=torch.float64, device=y.device) for _ in range(2)
    )
    held = (2 * num_steps + 8) * y.shape[1] * y.element_size()
    for places in chunks(num_probes, held, land.max_bytes):
        num = places.stop - places.start
        z = probes.draw(places.start, num, y)
        for rows in chunks(y.shape[0], held * num, land.max_bytes):
            diagonal, off = _tridiagonal(land.select(rows), y[rows], z, num_steps)
            nodes[rows, places], weights[rows, places] = _rule(diagonal, off)
            early_nodes[rows, places], early_weights[rows, places] = _rule(
                diagonal[..., :early], off[..., :early]
            )
    return Measure(
        nodes,
        weights,
        early_nodes,
        early_weights,
        exact=False,
        num_products=num_probes * num_steps,
        reason=reason,
    )


def _tridiagonal(
    land: Landscape, y: Tensor, z: Float[Tensor, "d m"], num_steps: int
) -> tuple[Float[Tensor, "n m k"], Float[Tensor, "n m k"]]:
    """Diagonal and off-diagonal of a Lanczos run from each probe at each point, all at once."""
    n, (d, m) = y.shape[0], z.shape

    def product(v: Tensor) -> Tensor:
        return land.hvp(y, v.reshape(n, m, d).mT).mT.reshape(n * m, d)

    start = (z.mT / d**0.5).expand(n, m, d).reshape(n * m, d)
    found = lanczos(product, start, num_steps)
    return tuple(  # type: ignore[return-value]
        a.double().reshape(n, m, num_steps) for a in (found.diagonal, found.off_diagonal)
    )


def _rule(
    diagonal: Float[Tensor, "n m k"], off: Float[Tensor, "n m k"]
) -> tuple[Float[Tensor, "n m k"], Float[Tensor, "n m k"]]:
    """Nodes and weights of the Gauss rule (Golub & Welsch 1969)."""
    beside = off[..., :-1]
    matrix = torch.diag_embed(diagonal) + torch.diag_embed(beside, 1) + torch.diag_embed(beside, -1)
    values, vectors = torch.linalg.eigh(matrix)
    return values, vectors[..., 0, :].square()
