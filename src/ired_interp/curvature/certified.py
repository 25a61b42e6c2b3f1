"""A spectrum with its certificates: the last of its three stages."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ired_interp.curvature.certificates import (
    enclose,
    index_bounds,
    lapack_error,
    morse_index,
    noise_bound,
    probe_vectors,
    products_elsewhere,
)
from ired_interp.curvature.routes import Plan, Route
from ired_interp.curvature.solving import Solved
from ired_interp.landscape import Landscape
from ired_interp.verification import Verification

__all__ = ["Spectrum", "certify", "join"]


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Eigenpairs of the Hessian at n points, in energy / y².

    Attributes:
        eigenvalues: In the order that was asked for.
        eigenvectors: Of unit length, one a column, in the same order; of no columns if they were
            not kept. Their sign is arbitrary, and so is their choice within a cluster.
        residuals: ‖Hv - λv‖₂ of each pair, with the products that were computed.
        norm: ‖H‖₂, the largest |λ| that was found.
        roundoff: How far, in the 2-norm, the computed Hessian may be from the true one, measured.
        radii: Half-widths of intervals: an eigenvalue of the true Hessian lies within that
            distance of λ.
        clusters: Number of each pair's cluster, ascending with λ. Only the span of a cluster's
            eigenvectors means anything.
        cluster_radii: As many eigenvalues, counted with multiplicity, as the cluster has members
            lie within that distance of its members.
        index_low: The Hessian has no fewer negative eigenvalues.
        index_high: It has no more.
        ends_certain: Whether it is certain that no eigenvalue that belongs to the ones asked for
            was missed. A Krylov route can only search for such, with a random direction, and to it
            eigenvalues that differ by less than 4·tol·‖H‖ are the same.
        num_products: Hessian products of each point, certificates included, pilots not; a dense
            Hessian counts as none.
        verification: How far the derivatives were held against the energy itself: what all of the
            above is certain of is the Hessian that was computed.
        routes: Which way was taken, at each point.
        reason: Why, in one sentence.
    """

    eigenvalues: Float[Tensor, "n e"]
    eigenvectors: Float[Tensor, "n d kept"]
    residuals: Float[Tensor, "n e"]
    norm: Float[Tensor, " n"]
    roundoff: Float[Tensor, " n"]
    radii: Float[Tensor, "n e"]
    clusters: Int[Tensor, "n e"]
    cluster_radii: Float[Tensor, "n e"]
    index_low: Int[Tensor, " n"]
    index_high: Int[Tensor, " n"]
    ends_certain: Bool[Tensor, " n"]
    num_products: Int[Tensor, " n"]
    verification: Verification
    routes: tuple[Route, ...]
    reason: str

    def without_vectors(self) -> "Spectrum":
        """The same with no eigenvectors."""
        return replace(self, eigenvectors=self.eigenvectors[:, :, :0].clone())

    def with_rows(self, rows: Int[Tensor, " k"], other: "Spectrum") -> "Spectrum":
        """The same with some of the points' results taken from another spectrum."""
        columns: dict[str, Any] = {
            name: getattr(self, name).index_copy(
                0, rows.to(getattr(self, name).device), getattr(other, name)
            )
            for name in _COLUMNS
        }
        columns["num_products"] = self.num_products.index_add(0, rows.cpu(), other.num_products)
        routes = list(self.routes)
        for row, route in zip(rows.tolist(), other.routes, strict=True):
            routes[row] = route
        known = self.verification.with_rows(rows, other.verification)
        return replace(self, **columns, verification=known, routes=tuple(routes))


def certify(
    plan: Plan, land: Landscape, y: Float[Tensor, "n d"], solved: Solved, *, index: bool
) -> Spectrum:
    """What is certain of the pairs that were found.

    Args:
        plan: The route that they were found by.
        land: The landscape of these points.
        y: The points.
        solved: What was found.
        index: Whether the Morse index is counted where there are matrices.

    Cost: an energy, a gradient and `num_probes` products; as many again where pairs come from
    products; the factorisations of the index.
    """
    n, d = y.shape
    h, product, norm = solved.hessian, solved.product, solved.norm.to(y)
    pairs, full = solved.pairs, plan.ends is None
    probes, again = probe_vectors(y), products_elsewhere(land, y)
    images = again if h is None else (probes.to(h) @ h).to(y)  # no matrices, no noise of theirs
    error_of_h = noise_bound(images, again, norm)
    error = error_of_h if product is None else noise_bound(product(probes), again, norm)
    all_values: dict[str, Tensor] = {}
    if h is not None:
        spread = lapack_error(d, h.dtype, norm) + error_of_h
        all_values = {"spectrum": pairs.spectrum, "spread": spread}
    defects = torch.addcmul(pairs.images, pairs.vectors, pairs.values[:, None, :], value=-1)
    # A point that was given up has no pairs, and is done again.
    values, vectors = pairs.values.nan_to_num(), pairs.vectors.nan_to_num()
    enclosure = enclose(values, vectors, defects.nan_to_num(), error, full=full, **all_values)
    counted = (
        morse_index(h, error_of_h)
        if index and h is not None
        else index_bounds(values, vectors, enclosure, full=full)
    )
    return Spectrum(
        eigenvalues=pairs.values,
        eigenvectors=pairs.vectors,
        residuals=torch.linalg.vector_norm(defects, dim=1),
        norm=norm,
        roundoff=error,
        radii=enclosure.radii,
        clusters=enclosure.clusters,
        cluster_radii=enclosure.cluster_radii,
        index_low=counted.low.to(y.device),
        index_high=counted.high.to(y.device),
        ends_certain=torch.full((n,), h is not None, device=y.device),
        num_products=solved.num_products.cpu() + probes.shape[1] * (1 if product is None else 2),
        verification=solved.verification,
        routes=(plan.route,) * n,
        reason=plan.reason,
    )


def join(parts: Sequence[Spectrum]) -> Spectrum:
    """Spectra of successive points as one."""
    if len(parts) == 1:
        return parts[0]
    columns: dict[str, Any] = {
        name: torch.cat([getattr(part, name) for part in parts]) for name in _COLUMNS
    }
    routes = tuple(route for part in parts for route in part.routes)
    known = Verification.join([part.verification for part in parts])
    return replace(parts[0], **columns, verification=known, routes=routes)


_APART = ("verification", "routes", "reason")
_COLUMNS = tuple(f.name for f in fields(Spectrum) if f.name not in _APART)
