"""Eigenpairs by the planned route: what each of them was computed with goes on to be certified."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ired_interp.curvature.dense import DensePairs, all_pairs, wanted_pairs
from ired_interp.curvature.ends import Ends
from ired_interp.curvature.extremes import extremes
from ired_interp.curvature.lanczos import products
from ired_interp.curvature.refined import refine
from ired_interp.curvature.routes import Plan
from ired_interp.hessian_product import HessianProduct
from ired_interp.landscape import Landscape
from ired_interp.verification import Verification

__all__ = ["Solved", "solve_eigenproblem"]


@dataclass(frozen=True, slots=True)
class Solved:
    """Eigenpairs at n points, not yet certified.

    Attributes:
        pairs: The pairs, NaN where none were found.
        norm: ‖H‖₂, the largest |λ| that was found.
        met: Whether the pairs are as good as was asked, on the CPU.
        num_products: Hessian products of each point, on the CPU.
        verification: How far the derivatives were held against the energy.
        hessian: The matrices, perhaps of a lower precision; None if there were none.
        product: Products at the points in y's dtype, where the pairs come from such.
    """

    pairs: DensePairs
    norm: Float[Tensor, " n"]
    met: Bool[Tensor, " n"]
    num_products: Int[Tensor, " n"]
    verification: Verification
    hessian: Float[Tensor, "n d d"] | None = None
    product: HessianProduct | None = None


def solve_eigenproblem(
    plan: Plan,
    land: Landscape,
    rough: Landscape | None,
    y: Float[Tensor, "n d"],
    *,
    verify: bool,
) -> Solved:
    """The planned pairs at a chunk of points.

    Args:
        plan: The route.
        land: The landscape of these points.
        rough: The same in float32; only a refined route needs it.
        y: The points.
        verify: Whether the derivatives are held against the energy.

    Cost: a dense Hessian and its decomposition a point, or as many products as its Krylov space
    needs; refined, the same in float32 and a few products a pair.
    """
    if plan.ends is None or not (plan.krylov or plan.refined):
        h, known = land.hessian_and_verification(y, verify=verify)
        pairs = all_pairs(h) if plan.ends is None else wanted_pairs(h, plan.ends)
        none = torch.zeros(y.shape[0], dtype=torch.int64, device="cpu")
        norm = pairs.spectrum.abs().amax(dim=1)
        return Solved(pairs, norm, none == 0, none, known, hessian=h)
    known = land.verification(y, verify=verify)
    if not plan.refined or rough is None:
        return _by_krylov(plan, plan.ends, land.product(y), land, y, known)
    if plan.krylov:
        points = y.float()
        found = _by_krylov(plan, plan.ends, rough.product(points), rough, points, known)
    else:
        h = rough.hessian(y.float(), verify=False)
        pairs = wanted_pairs(h, plan.ends)
        none = torch.zeros(y.shape[0], dtype=torch.int64, device="cpu")
        norm = pairs.spectrum.abs().amax(dim=1)
        found = Solved(pairs, norm, none == 0, none, known, hessian=h)
    product, norm = land.product(y), found.norm.to(y)
    pairs, good, num_products = refine(found.pairs, product, plan.ends, plan.tol, norm=norm)
    met = good.cpu() & found.met
    spent = found.num_products + num_products
    return Solved(pairs, norm, met, spent, known, found.hessian, product)


def _by_krylov(
    plan: Plan,
    ends: Ends,
    product: HessianProduct,
    land: Landscape,
    y: Float[Tensor, "n d"],
    known: Verification,
) -> Solved:
    """Ritz pairs, as columns; a landscape and points of whichever precision the work is done in."""
    found = extremes(
        products(product),
        y,
        ends,
        tol=plan.space_tol,
        capacity=plan.capacity(land, y),
        most_products=plan.most_products,
        first_look=plan.first_look,
    )
    pairs = DensePairs(found.values, found.vectors.mT, found.images.mT, found.values)
    return Solved(pairs, found.norm, found.converged, found.num_products, known, product=product)
