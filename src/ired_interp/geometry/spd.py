"""Symmetric positive definite matrices: distances, geodesics, and what is off in a matrix.

The affine-invariant metric has d(A, B) = ‖log eig(A⁻¹B)‖₂, with d(A, B) = d(A⁻¹, B⁻¹) =
d(MAMᵀ, MBMᵀ); the log-Euclidean one ‖log A - log B‖_F. Both put singular matrices infinitely far
away, so a matrix outside the cone is an error with a count, never NaN. `is_spd` says which ones
are, `clip` moves the others in, and counts.

Leading axes are a batch and broadcast. Work is done in float64 on the input's device and returned
in its dtype.

Source: Pennec, Fillard & Ayache (2006), doi:10.1007/s11263-005-3222-z; Arsigny et al. (2006),
doi:10.1002/mrm.20965.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ired_interp.errors import ManifoldError, ShapeError
from ired_interp.geometry.checking import broadcast, check_alike, check_matrices

__all__ = [
    "Clipped",
    "EigenParts",
    "affine_invariant_distance",
    "affine_invariant_geodesic",
    "clip",
    "eigen_parts",
    "is_spd",
    "log_euclidean_distance",
    "log_euclidean_geodesic",
]


@dataclass(frozen=True, slots=True)
class Clipped:
    """Matrices moved into the cone.

    Attributes:
        matrix: Symmetric, with every eigenvalue at least the floor.
        num_raised: How many eigenvalues of each were below it.
    """

    matrix: Float[Tensor, "... n n"]
    num_raised: Tensor


@dataclass(frozen=True, slots=True)
class EigenParts:
    """Three parts of a matrix at a symmetric one; orthogonal, and they add up to it.

    Attributes:
        eigenvalue: What commutes with the symmetric matrix: to first order it changes eigenvalues
            alone. Eigenvalues that cannot be told apart count as one, whose whole block is here.
        eigenvector: The rest of the symmetric part: to first order it turns eigenvectors alone.
        skew: The antisymmetric part, which leaves the symmetric matrices.
    """

    eigenvalue: Float[Tensor, "... n n"]
    eigenvector: Float[Tensor, "... n n"]
    skew: Float[Tensor, "... n n"]


def is_spd(a: Float[Tensor, "... n n"]) -> Bool[Tensor, "..."]:
    """Which matrices are symmetric (to √ε of their dtype) and have a Cholesky factor.

    Raises:
        ShapeError, DtypeError, NonFiniteError: Not finite square matrices.
    """
    _check_square("a", a)
    wide = a.to(torch.float64)
    size = wide.abs().amax(dim=(-2, -1))
    symmetric = (wide - wide.mT).abs().amax(dim=(-2, -1)) <= _tolerance(a) * size
    definite: Tensor = torch.linalg.cholesky_ex(_symmetrised(wide)).info == 0
    return symmetric & definite


def clip(a: Float[Tensor, "... n n"], *, floor: float) -> Clipped:
    """The closest symmetric matrices with eigenvalues ≥ floor, and how many had to be raised.

    A repair to be asked for by name: the distances depend on the floor, which must be reported with
    the count.

    Raises:
        ManifoldError: The floor is not above 0.
        ShapeError, DtypeError, NonFiniteError: Not finite square matrices.
    """
    _check_square("a", a)
    if not floor > 0:
        raise ManifoldError(f"floor: expected a number above 0, found {floor}.")
    values, vectors = torch.linalg.eigh(_symmetrised(a.to(torch.float64)))
    raised = (values < floor).sum(dim=-1)
    inside = (vectors * values.clamp_min(floor)[..., None, :]) @ vectors.mT
    return Clipped(_symmetrised(inside).to(a.dtype), raised)


def affine_invariant_distance(
    a: Float[Tensor, "... n n"], b: Float[Tensor, "... n n"]
) -> Float[Tensor, "..."]:
    """‖log eig(A⁻¹B)‖₂.

    Raises:
        ManifoldError: Matrices that are not symmetric positive definite, with their number.
        ShapeError, DtypeError, NonFiniteError: Not finite square matrices of one size and dtype.

    Cost: a Cholesky factor, two triangular solves and n eigenvalues a pair.
    """
    wide_a, wide_b = _pair(a, b)
    relative = _relative(torch.linalg.cholesky(wide_a), wide_b)
    size: Tensor = torch.linalg.vector_norm(torch.linalg.eigvalsh(relative).log(), dim=-1)
    return size.to(a.dtype)


def log_euclidean_distance(
    a: Float[Tensor, "... n n"], b: Float[Tensor, "... n n"]
) -> Float[Tensor, "..."]:
    """‖log A - log B‖_F.

    Raises:
        ManifoldError, ShapeError, DtypeError, NonFiniteError: As `affine_invariant_distance`.
    """
    wide_a, wide_b = _pair(a, b)
    off = _function(wide_a, torch.log) - _function(wide_b, torch.log)
    size: Tensor = torch.linalg.matrix_norm(off)
    return size.to(a.dtype)


def affine_invariant_geodesic(
    a: Float[Tensor, "... n n"], b: Float[Tensor, "... n n"], t: Float[Tensor, " p"]
) -> Float[Tensor, "p ... n n"]:
    """A^½·(A^-½·B·A^-½)^t·A^½: A at t = 0, B at 1.

    Raises:
        ManifoldError, ShapeError, DtypeError, NonFiniteError: As `affine_invariant_distance`.
    """
    wide_a, wide_b = _pair(a, b)
    root = torch.linalg.cholesky(wide_a)  # L·(L⁻¹BL⁻ᵀ)^t·Lᵀ is the same curve
    values, vectors = torch.linalg.eigh(_relative(root, wide_b))
    turned = root @ vectors
    times = t.to(values).reshape(-1, *[1] * values.ndim)
    out = (turned * values.pow(times)[..., None, :]) @ turned.mT
    return _symmetrised(out).to(a.dtype)


def log_euclidean_geodesic(
    a: Float[Tensor, "... n n"], b: Float[Tensor, "... n n"], t: Float[Tensor, " p"]
) -> Float[Tensor, "p ... n n"]:
    """exp((1 - t)·log A + t·log B).

    Raises:
        ManifoldError, ShapeError, DtypeError, NonFiniteError: As `affine_invariant_distance`.
    """
    wide_a, wide_b = _pair(a, b)
    start, end = _function(wide_a, torch.log), _function(wide_b, torch.log)
    times = t.to(start).reshape(-1, *[1] * start.ndim)
    return _function(start + times * (end - start), torch.exp).to(a.dtype)


def eigen_parts(
    at: Float[Tensor, "... n n"], z: Float[Tensor, "... n n"], *, tolerance: float = 1e-9
) -> EigenParts:
    """Split an error or a gradient Z at a symmetric matrix A = QΛQᵀ.

    The eigenvalue part is Q·M·Qᵀ with M the diagonal (blocks, where eigenvalues repeat) of QᵀZQ:
    n of the n² dimensions where all eigenvalues are simple, against n(n - 1)/2 of the eigenvector
    part and as many skew ones. It does not depend on the eigenvectors chosen.

    Args:
        at: A, symmetric; it need not be definite.
        z: The error or gradient, any matrix.
        tolerance: Neighbouring eigenvalues closer than this times the largest |λ| are one.

    Raises:
        ManifoldError: A is not symmetric.
        ShapeError, DtypeError, NonFiniteError: Not finite square matrices of one size and dtype.
    """
    _check_square("at", at)
    _check_square("z", z)
    _check_pair(at, z)
    wide = at.to(torch.float64)
    size = wide.abs().amax(dim=(-2, -1))
    off = (wide - wide.mT).abs().amax(dim=(-2, -1)) > _tolerance(at) * size
    if bool(off.any()):
        raise ManifoldError(
            f"at: expected symmetric matrices, found {int(off.sum())} of {off.numel()} that are "
            "not. Take (A + A.mT)/2 if that is what is meant."
        )
    values, vectors = torch.linalg.eigh(_symmetrised(wide))
    gaps = values.diff(dim=-1) > tolerance * values.abs().amax(dim=-1, keepdim=True)
    labels = torch.nn.functional.pad(gaps.long().cumsum(dim=-1), (1, 0))
    same = labels[..., :, None] == labels[..., None, :]
    given = z.to(torch.float64)
    symmetric = _symmetrised(given)
    turned = vectors.mT @ symmetric @ vectors
    along = vectors @ torch.where(same, turned, 0.0) @ vectors.mT
    return EigenParts(
        along.to(z.dtype), (symmetric - along).to(z.dtype), (given - symmetric).to(z.dtype)
    )


def _pair(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    for name, matrix in (("a", a), ("b", b)):
        good = is_spd(matrix)
        if not bool(good.all()):
            lowest = torch.linalg.eigvalsh(_symmetrised(matrix.to(torch.float64)))[..., 0]
            first = int((~good).flatten().nonzero()[0])
            raise ManifoldError(
                f"{name}: expected symmetric positive definite matrices, found "
                f"{int((~good).sum())} of {good.numel()} that are not (first: number {first}, "
                f"lowest eigenvalue of its symmetric part {float(lowest.flatten()[first]):.3g}). "
                "Leave them out with is_spd, or clip them and say how many."
            )
    _check_pair(a, b)
    first_wide, second_wide = broadcast(a.to(torch.float64), b.to(torch.float64))
    return _symmetrised(first_wide), _symmetrised(second_wide)


def _check_pair(a: Tensor, b: Tensor) -> None:
    if a.shape[-1] != b.shape[-1]:
        raise ShapeError(
            f"matrices: expected one size, found {a.shape[-1]} and {b.shape[-1]} rows."
        )
    check_alike("the second", b, "the first", a)


def _check_square(name: str, a: Tensor) -> None:
    check_matrices(name, a)
    if a.shape[-1] != a.shape[-2]:
        raise ShapeError(f"{name}: expected square matrices, found {tuple(a.shape[-2:])}.")


def _tolerance(a: Tensor) -> float:
    return math.sqrt(torch.finfo(a.dtype).eps)


def _symmetrised(a: Tensor) -> Tensor:
    return (a + a.mT) / 2


def _relative(root: Tensor, b: Tensor) -> Tensor:
    """L⁻¹·B·L⁻ᵀ, symmetric."""
    half = torch.linalg.solve_triangular(root, b, upper=False)
    return _symmetrised(torch.linalg.solve_triangular(root, half.mT, upper=False))


def _function(a: Tensor, fn: Callable[[Tensor], Tensor]) -> Tensor:
    values, vectors = torch.linalg.eigh(a)
    out: Tensor = (vectors * fn(values)[..., None, :]) @ vectors.mT
    return out
