"""The Krylov route to the ends of spectra: no Hessian is formed."""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from ired_interp.curvature.by_matrices import wanted_by_matrices
from ired_interp.curvature.certificates import enclose, index_bounds, num_probes, roundoff
from ired_interp.curvature.certified import Spectrum, assemble, join
from ired_interp.curvature.dense import DensePairs
from ired_interp.curvature.extremes import Extremes, extremes
from ired_interp.curvature.refined import refine, rows_at_once
from ired_interp.curvature.routes import Plan, Route, capacity_of, products
from ired_interp.curvature.wanted import Wanted
from ired_interp.errors import ConvergenceError
from ired_interp.landscape import Landscape
from ired_interp.verification import Verification

__all__ = ["refined_by_krylov", "wanted_by_krylov"]

_ROOM = 1.3  # spaces are allocated that much larger than they were expected to grow


def wanted_by_krylov(
    land: Landscape,
    y: Float[Tensor, "n d"],
    wanted: Wanted,
    tol: float,
    plan: Plan,
    *,
    keep: bool,
    index: bool,
    verify: bool,
) -> Spectrum:
    """The wanted eigenpairs; points that the plan gives up are done with matrices.

    Raises:
        ConvergenceError: Such a point's matrix does not fit into memory.
    """
    parts = []
    for rows in _chunks(land, y, wanted, plan):
        there, points = land.select(rows), y[rows]
        known = there.verification(points, verify=verify)
        found = _extremes(there, points, wanted, tol, plan)
        part = _certified(there, points, _pairs(found), found, "krylov", known)
        missed = (~found.converged).nonzero().flatten()
        if missed.numel():
            if not plan.dense_fits:
                raise ConvergenceError(_gave_up(missed.numel(), points.shape[0], plan))
            again = wanted_by_matrices(
                there.select(missed), points[missed], wanted, keep=True, index=index, verify=verify
            )
            part = part.with_rows(missed, again)
        parts.append(part if keep else part.without_vectors())
    return join(parts)


def refined_by_krylov(
    land: Landscape,
    rough: Landscape,
    y: Float[Tensor, "n d"],
    wanted: Wanted,
    tol: float,
    plan: Plan,
    *,
    keep: bool,
    index: bool,
    verify: bool,
) -> Spectrum:
    """The wanted eigenpairs in float64 from Krylov spaces in a lower precision.

    Points whose residuals stay above the tolerance are done again in float64.
    """
    parts = []
    step = rows_at_once(land, y, wanted)
    for rows in _chunks(rough, y.float(), wanted, plan):
        found = _extremes(rough.select(rows), y[rows].float(), wanted, plan.tol, plan)
        for begin in range(0, found.norm.shape[0], step):
            few = slice(begin, min(begin + step, found.norm.shape[0]))
            there, points = land.select(rows).select(few), y[rows][few]
            part = _refined(
                there, points, found.select(few), wanted, tol, plan, index=index, verify=verify
            )
            parts.append(part if keep else part.without_vectors())
    return join(parts)


def _refined(
    land: Landscape,
    y: Tensor,
    found: Extremes,
    wanted: Wanted,
    tol: float,
    plan: Plan,
    *,
    index: bool,
    verify: bool,
) -> Spectrum:
    known = land.verification(y, verify=verify)
    pairs, good, num_products = refine(
        _pairs(found), land.product(y), wanted, tol, norm=found.norm.double()
    )
    part = _certified(land, y, pairs, found, "krylov, refined", known)
    part = replace(part, num_products=part.num_products + num_products)
    missed = (~(good & found.converged)).nonzero().flatten()
    if not missed.numel():
        return part
    again = wanted_by_krylov(
        land.select(missed), y[missed], wanted, tol, plan, keep=True, index=index, verify=verify
    )
    return part.with_rows(missed, again)


def _extremes(land: Landscape, y: Tensor, wanted: Wanted, tol: float, plan: Plan) -> Extremes:
    return extremes(
        products(land, y),
        y,
        wanted,
        tol=tol,
        capacity=capacity_of(land, y, wanted),
        most_products=plan.most_products,
        first_look=plan.first_look,
    )


def _pairs(found: Extremes) -> DensePairs:
    return DensePairs(found.values, found.vectors.mT, found.images.mT, found.values)


def _certified(
    land: Landscape,
    y: Tensor,
    pairs: DensePairs,
    found: Extremes,
    route: Route,
    known: Verification,
) -> Spectrum:
    norm = found.norm.to(y)
    error = roundoff(land, y, None, norm)
    defects = torch.addcmul(pairs.images, pairs.vectors, pairs.values[:, None, :], value=-1)
    # A space that was given up has no pairs: its point is done again.
    values, vectors = pairs.values.nan_to_num(), pairs.vectors.nan_to_num()
    enclosure = enclose(values, vectors, defects.nan_to_num(), error)
    return assemble(
        pairs.values,
        pairs.vectors,
        defects,
        enclosure,
        index_bounds(values, vectors, enclosure),
        norm=norm,
        roundoff=error,
        ends_certain=False,
        route=route,
        num_products=found.num_products + 2 * num_probes(y.shape[1]),
        verification=known,
    )


def _chunks(land: Landscape, y: Tensor, wanted: Wanted, plan: Plan) -> list[slice]:
    """Rows whose spaces, and the energy's graph, fit into the landscape's memory."""
    d, size = y.shape[1], y.element_size()
    dimensions = min(capacity_of(land, y, wanted), int(_ROOM * plan.first_look) + 1)
    row_bytes = (2 * dimensions + 3 * wanted.num_pairs) * d * size + 8 * dimensions**2
    step = max(1, land.max_bytes // (row_bytes + land.product_bytes(y)))
    return [slice(row, row + step) for row in range(0, y.shape[0], step)]


def _gave_up(num_missed: int, num_points: int, plan: Plan) -> str:
    return (
        f"spectrum: expected convergence within {plan.most_products} Hessian products, found none "
        f"at {num_missed} of {num_points} points, and {plan.reason}. Ask for fewer pairs, a larger "
        "tol, or give the landscape a larger max_bytes."
    )
