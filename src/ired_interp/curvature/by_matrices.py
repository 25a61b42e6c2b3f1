"""The dense route to spectra: Hessians, their eigenpairs, and certificates for both."""

from collections.abc import Iterator
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from ired_interp.curvature.certificates import (
    enclose,
    index_bounds,
    lapack_error,
    morse_index,
    probe_vectors,
    roundoff,
)
from ired_interp.curvature.certified import Spectrum, assemble, join
from ired_interp.curvature.dense import DensePairs, all_pairs, wanted_pairs
from ired_interp.curvature.refined import refine, rows_at_once
from ired_interp.curvature.routes import MATRICES_OF_FEW, Route
from ired_interp.curvature.wanted import Wanted
from ired_interp.landscape import Landscape
from ired_interp.verification import Verification

__all__ = ["all_by_matrices", "refined_by_matrices", "wanted_by_matrices"]

_MATRICES_OF_ALL = 6  # H, its eigenvectors, LAPACK's work space, the residual's product


def all_by_matrices(
    land: Landscape, y: Float[Tensor, "n d"], *, keep: bool, index: bool, verify: bool
) -> Spectrum:
    """All eigenpairs, ascending. Cost: one dense Hessian and eigendecomposition a point."""
    parts = []
    for rows in _chunks(land, y, _MATRICES_OF_ALL):
        h, known = land.select(rows).hessian_and_verification(y[rows], verify=verify)
        pairs = all_pairs(h)
        part = _certified(
            land.select(rows), y[rows], h, pairs, "dense", known, index=index, full=True
        )
        parts.append(part if keep else part.without_vectors())
    return join(parts)


def wanted_by_matrices(
    land: Landscape,
    y: Float[Tensor, "n d"],
    wanted: Wanted,
    *,
    keep: bool,
    index: bool,
    verify: bool,
) -> Spectrum:
    """The wanted eigenpairs. Cost: one dense Hessian and its reduction a point."""
    parts = []
    for rows in _chunks(land, y, MATRICES_OF_FEW):
        h, known = land.select(rows).hessian_and_verification(y[rows], verify=verify)
        pairs = wanted_pairs(h, wanted)
        part = _certified(land.select(rows), y[rows], h, pairs, "dense", known, index=index)
        parts.append(part if keep else part.without_vectors())
    return join(parts)


def refined_by_matrices(
    land: Landscape,
    rough: Landscape,
    y: Float[Tensor, "n d"],
    wanted: Wanted,
    tol: float,
    *,
    keep: bool,
    index: bool,
    verify: bool,
) -> Spectrum:
    """The wanted eigenpairs in float64 from Hessians in a lower precision.

    Points whose residuals stay above the tolerance are done again with float64 Hessians.

    Cost: one rough Hessian and its reduction, and a few float64 products a pair.
    """
    parts = []
    for rows in _chunks(rough, y.float(), MATRICES_OF_FEW, most=rows_at_once(land, y, wanted)):
        known = land.select(rows).verification(y[rows], verify=verify)
        h = rough.select(rows).hessian(y[rows].float(), verify=False)
        product = land.select(rows).product(y[rows])
        pairs, good, num_products = refine(wanted_pairs(h, wanted), product, wanted, tol)
        part = _certified(
            land.select(rows), y[rows], h, pairs, "dense, refined", known, index=index
        )
        part = replace(part, num_products=part.num_products + num_products)
        if not bool(good.all()):
            bad = (~good).nonzero().flatten()
            there = torch.arange(rows.start, rows.start + good.shape[0], device="cpu")[bad]
            again = wanted_by_matrices(
                land.select(there), y[there], wanted, keep=True, index=index, verify=verify
            )
            part = part.with_rows(bad, again)
        parts.append(part if keep else part.without_vectors())
    return join(parts)


def _certified(
    land: Landscape,
    y: Tensor,
    h: Tensor,
    pairs: DensePairs,
    route: Route,
    known: Verification,
    *,
    index: bool,
    full: bool = False,
) -> Spectrum:
    d = y.shape[1]
    norm = pairs.spectrum.abs().amax(dim=1)
    probes = probe_vectors(y)
    error_of_h = roundoff(land, y, (probes.to(h) @ h).to(y), norm)
    error = error_of_h if h.dtype == y.dtype else roundoff(land, y, None, norm)
    defects = torch.addcmul(pairs.images, pairs.vectors, pairs.values[:, None, :], value=-1)
    enclosure = enclose(
        pairs.values,
        pairs.vectors,
        defects,
        error,
        full=full,
        spectrum=pairs.spectrum,
        spread=lapack_error(d, h.dtype, norm) + error_of_h,
    )
    return assemble(
        pairs.values,
        pairs.vectors,
        defects,
        enclosure,
        morse_index(h, error_of_h)
        if index
        else index_bounds(pairs.values, pairs.vectors, enclosure, full=full),
        norm=norm,
        roundoff=error,
        ends_certain=True,
        route=route,
        num_products=torch.full((y.shape[0],), probes.shape[1], device="cpu"),
        verification=known,
    )


def _chunks(
    land: Landscape, y: Tensor, num_matrices: int, most: int | None = None
) -> Iterator[slice]:
    """Rows whose matrices fit into the landscape's memory, and at most so many."""
    step = max(1, land.max_bytes // (num_matrices * y.shape[1] ** 2 * y.element_size()))
    step = step if most is None else min(step, most)
    return (slice(row, min(row + step, y.shape[0])) for row in range(0, y.shape[0], step))
