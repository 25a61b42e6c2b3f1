"""A spectrum with its certificates, and how it is put together."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ired_interp.curvature.certificates import Enclosure, MorseIndex
from ired_interp.curvature.routes import Route
from ired_interp.verification import Verification

__all__ = ["Spectrum", "assemble", "join"]


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
            name: getattr(self, name).index_copy(0, rows, getattr(other, name)) for name in _COLUMNS
        }
        columns["num_products"] = self.num_products.index_add(0, rows, other.num_products)
        routes = list(self.routes)
        for row, route in zip(rows.tolist(), other.routes, strict=True):
            routes[row] = route
        known = self.verification.with_rows(rows, other.verification)
        return replace(self, **columns, verification=known, routes=tuple(routes))


def assemble(
    values: Float[Tensor, "n e"],
    vectors: Float[Tensor, "n d e"],
    defects: Float[Tensor, "n d e"],
    enclosure: Enclosure,
    index: MorseIndex,
    *,
    norm: Float[Tensor, " n"],
    roundoff: Float[Tensor, " n"],
    ends_certain: bool,
    route: Route,
    num_products: Int[Tensor, " n"],
    verification: Verification,
) -> Spectrum:
    """A spectrum from pairs and what is known of them; the reason is left to the caller."""
    n = values.shape[0]
    return Spectrum(
        eigenvalues=values,
        eigenvectors=vectors,
        residuals=torch.linalg.vector_norm(defects, dim=1),
        norm=norm,
        roundoff=roundoff,
        radii=enclosure.radii,
        clusters=enclosure.clusters,
        cluster_radii=enclosure.cluster_radii,
        index_low=index.low.to(values.device),
        index_high=index.high.to(values.device),
        ends_certain=torch.full((n,), ends_certain, device=values.device),
        verification=verification,
        routes=(route,) * n,
        reason="",
        num_products=num_products.cpu(),
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
