"""Float64 eigenpairs from float32 work: Rayleigh-Ritz with float64 products, then corrections.

The vectors of a float32 decomposition span the wanted space to about ε₃₂/gap. The Ritz values of
that span with float64 products are wrong by the square of it (Parlett 1998, theorem 11.7.1). The
residuals are not: where they are too large, each is corrected by solving the float32 tridiagonal
matrix for it, which is an inexact Newton step of the eigenproblem (Dongarra, Moler & Wilkinson
1983, doi:10.1137/0720002), and the span is widened by the corrections.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ired_interp import lapack
from ired_interp.curvature.dense import DensePairs, asked_before, rayleigh_ritz
from ired_interp.curvature.ends import Ends
from ired_interp.curvature.lanczos import Product

__all__ = ["refine"]

_MOST_CORRECTIONS = 3


def refine(
    rough: DensePairs,
    product: Product,
    ends: Ends,
    tol: float,
    *,
    norm: Float[Tensor, " n"] | None = None,
) -> tuple[DensePairs, Bool[Tensor, " n"], int]:
    """Float64 pairs, whether their residuals are ≤ tol·‖H‖, and the products a vector took.

    Args:
        rough: Float32 pairs; without ``reductions`` there are no corrections.
        product: Float64 products of m vectors a point, as rows.
        ends: Which pairs ``rough`` has.
        tol: Largest residual, as a share of ‖H‖.
        norm: ‖H‖; None: of ``rough.spectrum``.

    Cost: e products a point, and e more for each of up to 3 corrections.
    """
    if norm is None:
        norm = rough.spectrum.abs().amax(dim=1).double()
    basis = torch.linalg.qr(_distinct(rough.vectors.double())).Q
    images = product(basis.mT).mT
    num_products = width = basis.shape[2]
    for num_corrections in range(_MOST_CORRECTIONS + 1):
        ritz = rayleigh_ritz(basis, images)
        values, vectors, applied = _take(ritz, ends.choose(ritz[0]))
        defects = applied - vectors * values[:, None, :]
        good = (torch.linalg.vector_norm(defects, dim=1) <= tol * norm[:, None]).all(dim=1)
        if bool(good.all()) or not rough.reductions or num_corrections == _MOST_CORRECTIONS:
            break
        shifts, kept, moved = _take(ritz, ends.nearest(ritz[0], width))
        steps = _corrections(rough.reductions, shifts, moved - kept * shifts[:, None, :])
        steps = torch.linalg.qr(_outside(steps, kept)).Q
        basis = torch.cat([kept, steps], dim=2)
        images = torch.cat([moved, product(steps.mT).mT], dim=2)
        num_products += width
    return DensePairs(values, vectors, applied, rough.spectrum.double()), good, num_products


def _take(ritz: tuple[Tensor, Tensor, Tensor], chosen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Some of the Ritz values, vectors and images."""
    values, vectors, images = ritz
    columns = chosen[:, None, :].expand(-1, vectors.shape[1], -1)
    return values.gather(1, chosen), vectors.gather(2, columns), images.gather(2, columns)


def _outside(steps: Tensor, kept: Tensor) -> Tensor:
    """The corrections' parts orthogonal to the span so far, of unit length."""
    tiny = torch.finfo(steps.dtype).tiny
    for _ in range(2):
        steps = steps - kept @ (kept.mT @ steps)
        steps = steps / torch.linalg.vector_norm(steps, dim=1, keepdim=True).clamp_min(tiny)
    return steps


def _distinct(vectors: Tensor) -> Tensor:
    """The vectors; one that was asked for twice gives way to noise that Rayleigh-Ritz sorts out."""
    return torch.where(asked_before(vectors)[:, None, :], vectors.roll(1, dims=1), vectors)


def _corrections(
    reductions: tuple[lapack.Reduction, ...], values: Tensor, defects: Tensor
) -> Tensor:
    """Solve (H₃₂ - λ)·x = r for each pair, in the reductions' coordinates."""
    parts = []
    with lapack.same_threads(defects.shape[1]):
        for reduction, shifts, columns in zip(reductions, values, defects, strict=True):
            size = torch.linalg.vector_norm(columns, dim=0).clamp_min(
                torch.finfo(columns.dtype).tiny
            )
            rotated = reduction.rotate_back((columns / size).float()).double()
            solved = reduction.solve_shifted(rotated, shifts)
            parts.append(reduction.rotate(solved.float()).double())
    return torch.stack(parts)
