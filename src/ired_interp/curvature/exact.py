"""Eigenpairs of ∇²_yE from the dense Hessian, each with its residual."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ired_interp.errors import ConvergenceError, ShapeError
from ired_interp.landscape import Landscape

__all__ = ["Spectrum", "spectrum"]

_TOLERANCE = {torch.float64: 1e-8, torch.float32: 1e-5}
# H itself, its eigenvectors, LAPACK's work space and the residual's product.
_MATRICES_HELD = 6


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Eigenpairs of the Hessian at n points, in energy / y².

    Attributes:
        eigenvalues: In the order that was asked for.
        eigenvectors: Of unit length, one a column, in the same order. Their sign is arbitrary, and
            so is their choice within a cluster of eigenvalues closer than the residuals.
        residuals: ‖Hv - λv‖₂ of each pair: an eigenvalue of H lies within that distance of λ (for a
            symmetric matrix; Parlett 1998, theorem 4.5.1).
        norm: ‖H‖₂, the largest |λ| of the whole spectrum.
    """

    eigenvalues: Float[Tensor, "n e"]
    eigenvectors: Float[Tensor, "n d e"]
    residuals: Float[Tensor, "n e"]
    norm: Float[Tensor, " n"]


def spectrum(
    land: Landscape,
    y: Float[Tensor, "n d"],
    top: int | None = None,
    bottom: int = 0,
    tol: float | None = None,
) -> Spectrum:
    """Eigenvalues and eigenvectors of ∇²_yE(x, y) at each row of y.

    Args:
        land: The landscape; its ``max_bytes`` bounds the matrices held beside the result.
        y: The points.
        top: How many of the largest by |λ|, by falling |λ|. None asks for all d, ascending.
        bottom: How many of the lowest, by rising λ, after the top ones. A pair may be in both.
        tol: Largest residual allowed, as a share of ‖H‖₂; 1e-8 if None, in float32 1e-5.

    Raises:
        ShapeError: ``top`` or ``bottom`` is negative or above d, nothing is asked for, ``bottom``
            is given without ``top``, or ``tol`` is not positive.
        ShapeError, DtypeError, NonFiniteError: y does not fit, or the Hessian is not finite.
        ConvergenceError: An eigenpair's residual is above the tolerance.

    Cost: one dense Hessian and one full symmetric eigendecomposition a point.
    """
    d = land.dim_y
    _check_request(top, bottom, tol, d)
    land.check_points(y)
    limit = _TOLERANCE.get(y.dtype, _TOLERANCE[torch.float32]) if tol is None else tol
    step = max(1, land.max_bytes // (_MATRICES_HELD * d * d * y.element_size()))
    parts = []
    for start in range(0, y.shape[0], step):
        rows = slice(start, start + step)
        parts.append(_spectrum(land.select(rows), y[rows], top, bottom))
    found = Spectrum(
        eigenvalues=torch.cat([p.eigenvalues for p in parts]),
        eigenvectors=torch.cat([p.eigenvectors for p in parts]),
        residuals=torch.cat([p.residuals for p in parts]),
        norm=torch.cat([p.norm for p in parts]),
    )
    missed = (found.residuals > limit * found.norm[:, None]).any(dim=1)
    if bool(missed.any()):
        worst = float((found.residuals[missed] / found.norm[missed, None]).max())
        raise ConvergenceError(
            f"spectrum: expected residuals ≤ {limit:.1e}·‖H‖, found {worst:.1e}·‖H‖ at "
            f"{int(missed.sum())} of {len(missed)} points. Use float64 or a larger tol."
        )
    return found


def _check_request(top: int | None, bottom: int, tol: float | None, d: int) -> None:
    for name, value in (("top", top), ("bottom", bottom)):
        if value is not None and not 0 <= value <= d:
            raise ShapeError(f"{name}: expected 0 … d = {d} eigenpairs, found {value}.")
    if top is None and bottom:
        raise ShapeError(
            "spectrum: top=None asks for all eigenpairs, the lowest among them. Give top=0 for the "
            "lowest alone."
        )
    if top == 0 and bottom == 0:
        raise ShapeError("spectrum: expected top or bottom above 0, found nothing asked for.")
    if tol is not None and not tol > 0:
        raise ShapeError(f"tol: expected a positive share of ‖H‖, found {tol}.")


def _spectrum(land: Landscape, y: Tensor, top: int | None, bottom: int) -> Spectrum:
    h = land.hessian(y)
    values, vectors = torch.linalg.eigh(h)
    norm = values.abs().amax(dim=1)
    if top is not None:
        by_size = values.abs().argsort(dim=1, descending=True, stable=True)[:, :top]
        lowest = torch.arange(bottom, device=y.device).expand(y.shape[0], -1)
        chosen = torch.cat([by_size, lowest], dim=1)
        values = values.gather(1, chosen)
        vectors = vectors.gather(2, chosen[:, None, :].expand(-1, vectors.shape[1], -1))
    residuals = torch.linalg.vector_norm(h @ vectors - vectors * values[:, None, :], dim=1)
    return Spectrum(values, vectors, residuals, norm)
