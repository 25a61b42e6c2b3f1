"""Spectra of ∇²_yE: the whole of them or their ends, each pair with a certificate.

Three stages, which the points pass once: a route is chosen (`routes`), the eigenproblem is solved
(`solving`), and what was found is certified (`certified`). Points whose pairs miss the tolerance go
through the last two again, by the plan's way for those.
"""

import math
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from ired_interp.checks import Real, Whole, as_real, as_whole
from ired_interp.curvature.certified import Spectrum, certify, join
from ired_interp.curvature.ends import Ends
from ired_interp.curvature.routes import Plan, choose_route
from ired_interp.curvature.solving import solve_eigenproblem
from ired_interp.errors import ConvergenceError, DtypeError, ShapeError
from ired_interp.landscape import Landscape

__all__ = ["Spectrum", "spectrum"]

_TOLERANCE = {torch.float64: 1e-8, torch.float32: 1e-5}
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
    ends, share = _request(top, bottom, tol, land.dim_y)
    land.check_points(y)
    if y.dtype not in _TOLERANCE:
        raise DtypeError(f"y: expected float64 or float32, found {y.dtype}; convert it with .to().")
    limit = _TOLERANCE[y.dtype] if share is None else share
    land.check_rows(y)  # here, so that it does not depend on the chunks
    rough = _in_float32(land, y, ends)
    plan = choose_route(land, rough, y, ends, limit)
    found = _by(plan, land, rough, y, vectors=vectors, index=index, verify=verify)
    found = replace(found, reason="; ".join(filter(None, (plan.reason, land.note))))
    missed = (found.residuals > limit * found.norm[:, None]).any(dim=1)
    if bool(missed.any()):
        worst = float((found.residuals[missed] / found.norm[missed, None]).max())
        raise ConvergenceError(
            f"spectrum: expected residuals ≤ {limit:.1e}·‖H‖, found {worst:.1e}·‖H‖ at "
            f"{int(missed.sum())} of {len(missed)} points. Use float64 or a larger tol."
        )
    return found


def _by(
    plan: Plan,
    land: Landscape,
    rough: Landscape | None,
    y: Tensor,
    *,
    vectors: bool,
    index: bool,
    verify: bool,
) -> Spectrum:
    """Solved and certified chunk by chunk, with the points that missed done again another way."""
    parts = []
    for rows in plan.chunks(land, y):
        here, there, points = land.select(rows), rough and rough.select(rows), y[rows]
        solved = solve_eigenproblem(plan, here, there, points, verify=verify)
        part = certify(plan, here, points, solved, index=index)
        missed = (~solved.met).nonzero().flatten()
        if missed.numel():
            again = _by(
                plan.for_missed(missed.numel(), points.shape[0]),
                here.select(missed),
                there and there.select(missed),
                points[missed],
                vectors=True,
                index=index,
                verify=verify,
            )
            part = part.with_rows(missed, again)
        parts.append(part if vectors else part.without_vectors())
    return join(parts)


def _in_float32(land: Landscape, y: Tensor, ends: Ends | None) -> Landscape | None:
    """The landscape in float32, where work there with float64 products after it may pay."""
    if ends is None or y.dtype != torch.float64 or _FEW * ends.num_pairs > land.dim_y:
        return None
    return land.in_dtype(torch.float32) if land.has_other_dtypes else None


def _request(top: object, bottom: object, tol: object, d: int) -> tuple[Ends | None, float | None]:
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
    return None if most is None else Ends(most, lowest), share


def _count(name: str, given: object, d: int) -> int:
    count = as_whole(given)
    if count is None:
        raise ShapeError(f"{name}: expected a whole number of eigenpairs, found {given!r}.")
    if not 0 <= count <= d:
        raise ShapeError(f"{name}: expected 0 … d = {d} eigenpairs, found {count}.")
    return count
