"""Spectra of ∇²_yE: the whole of them or their ends, each pair with a certificate."""

import math
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from ired_interp.checks import Real, Whole, as_real, as_whole
from ired_interp.curvature.by_krylov import refined_by_krylov, wanted_by_krylov
from ired_interp.curvature.by_matrices import (
    all_by_matrices,
    refined_by_matrices,
    wanted_by_matrices,
)
from ired_interp.curvature.certified import Spectrum
from ired_interp.curvature.routes import choose_route
from ired_interp.curvature.wanted import Wanted
from ired_interp.errors import ConvergenceError, DtypeError, ShapeError
from ired_interp.landscape import Landscape

__all__ = ["COARSE", "Spectrum", "spectrum"]

COARSE = 2e-6
"""Residuals that float32 work reaches by itself, as a share of ‖H‖."""
_TOLERANCE = {torch.float64: 1e-8, torch.float32: 1e-5}
_SHARE_OF_COARSE = 0.5  # of the tolerance, for the float32 residuals: rounding takes some
_FIRST_ROWS = 8  # as many as a landscape compares
_FEW = 4  # fewer than d / 4 pairs


def spectrum(
    land: Landscape,
    y: Float[Tensor, "n d"],
    top: Whole | None = None,
    bottom: Whole = 0,
    tol: Real | None = None,
    *,
    vectors: bool = True,
    index: bool = True,
    verify: bool = True,
) -> Spectrum:
    """Eigenvalues and eigenvectors of ∇²_yE(x, y) at each row of y.

    The route is chosen from shapes, counted operations and pilot products, and stands in the
    result: dense matrices, Krylov spaces, or, in float64, either of them in float32 with float64
    products to refine the pairs.

    Args:
        land: The landscape; its ``max_bytes`` bounds what is held beside the result.
        y: The points.
        top: How many of the largest by |λ|, by falling |λ|. None asks for all d, ascending.
        bottom: How many of the lowest, by rising λ, after the top ones. A pair may be in both.
        tol: Largest residual allowed, as a share of ‖H‖₂; 1e-8 if None, in float32 1e-5. In
            float64, 2e-6 or more is cheaper, and eigenvalues are then still wrong by no more than
            about its square over the relative gap.
        vectors: Whether the eigenvectors are kept in the result.
        index: Whether the Morse index is certified where dense Hessians are at hand (a Cholesky
            or two LDLᵀ factorisations a point); else it is only bounded by the pairs found.
        verify: Whether the derivatives are held against the energy at each point
            (`Landscape.verification`); the result says where they were not.

    Raises:
        ShapeError: ``top`` or ``bottom`` is negative or above d, nothing is asked for, ``bottom``
            is given without ``top``, or ``tol`` is not positive.
        ShapeError, DtypeError, NonFiniteError: y does not fit, or the Hessian is not finite.
        ConvergenceError: An eigenpair's residual is above the tolerance.
        EnergyError: The derivatives are not those of the energy.

    Cost: one dense Hessian and eigendecomposition a point, or less by Krylov spaces; and the
    verification.
    """
    d = land.dim_y
    top, bottom, tol = _request(top, bottom, tol, d)
    land.check_points(y)
    if y.dtype not in _TOLERANCE:
        raise DtypeError(f"y: expected float64 or float32, found {y.dtype}; convert it with .to().")
    limit = _TOLERANCE[y.dtype] if tol is None else tol
    few = slice(0, _FIRST_ROWS)
    land.select(few).energy(y[few])  # shows rows that influence one another, whatever the chunks
    if top is None:
        found = all_by_matrices(land, y, keep=vectors, index=index, verify=verify)
        found = replace(found, reason="all eigenpairs were asked for")
    else:
        found = _ends(land, y, Wanted(top, bottom), limit, keep=vectors, index=index, verify=verify)
    if land.note:
        found = replace(found, reason=f"{found.reason}; {land.note}")
    missed = (found.residuals > limit * found.norm[:, None]).any(dim=1)
    if bool(missed.any()):
        worst = float((found.residuals[missed] / found.norm[missed, None]).max())
        raise ConvergenceError(
            f"spectrum: expected residuals ≤ {limit:.1e}·‖H‖, found {worst:.1e}·‖H‖ at "
            f"{int(missed.sum())} of {len(missed)} points. Use float64 or a larger tol."
        )
    return found


def _ends(
    land: Landscape,
    y: Tensor,
    wanted: Wanted,
    tol: float,
    *,
    keep: bool,
    index: bool,
    verify: bool,
) -> Spectrum:
    # Float32 work with float64 products after it pays where the energy can be evaluated in both.
    mixed = y.dtype == torch.float64 and land.has_other_dtypes
    mixed = mixed and _FEW * wanted.num_pairs <= land.dim_y
    if not mixed:
        plan = choose_route(land, y, wanted, tol)
        if plan.krylov:
            found = wanted_by_krylov(
                land, y, wanted, tol, plan, keep=keep, index=index, verify=verify
            )
        else:
            found = wanted_by_matrices(land, y, wanted, keep=keep, index=index, verify=verify)
        return replace(found, reason=plan.reason)
    rough = land.in_dtype(torch.float32)
    if tol >= COARSE:
        plan = choose_route(rough, y.float(), wanted, _SHARE_OF_COARSE * tol)
        if plan.krylov:
            found = refined_by_krylov(
                land, rough, y, wanted, tol, plan, keep=keep, index=index, verify=verify
            )
            return replace(found, reason=plan.reason)
    else:
        # Krylov spaces would have to be float64; the dense route corrects float32 pairs.
        twice = 2 * wanted.num_pairs
        plan = choose_route(land, y, wanted, tol, dense_share=0.5, dense_products=twice)
        if plan.krylov:
            found = wanted_by_krylov(
                land, y, wanted, tol, plan, keep=keep, index=index, verify=verify
            )
            return replace(found, reason=plan.reason)
    found = refined_by_matrices(land, rough, y, wanted, tol, keep=keep, index=index, verify=verify)
    return replace(found, reason=plan.reason)


def _request(
    top: object, bottom: object, tol: object, d: int
) -> tuple[int | None, int, float | None]:
    most = None if top is None else _count("top", top, d)
    lowest = _count("bottom", bottom, d)
    if most is None and lowest:
        raise ShapeError(
            "spectrum: top=None asks for all eigenpairs, the lowest among them. Give top=0 for the "
            "lowest alone."
        )
    if most == 0 and lowest == 0:
        raise ShapeError("spectrum: expected top or bottom above 0, found nothing asked for.")
    share = as_real(tol)
    if tol is not None and not (share is not None and 0 < share < math.inf):
        raise ShapeError(f"tol: expected a positive share of ‖H‖, found {tol!r}.")
    return most, lowest, share


def _count(name: str, given: object, d: int) -> int:
    count = as_whole(given)
    if count is None:
        raise ShapeError(f"{name}: expected a whole number of eigenpairs, found {given!r}.")
    if not 0 <= count <= d:
        raise ShapeError(f"{name}: expected 0 … d = {d} eigenpairs, found {count}.")
    return count
