"""Symmetric positive definite matrices: distances, geodesics, and what is off in a matrix.

The affine-invariant metric has d(A, B) = ‖log eig(A⁻¹B)‖₂, with d(A, B) = d(A⁻¹, B⁻¹) =
d(MAMᵀ, MBMᵀ); the log-Euclidean one ‖log A - log B‖_F. Both put singular matrices infinitely far
away, so a matrix outside the cone is an error with a count, never NaN. So is one whose lowest
eigenvalue is round-off, at most 3n·ε·max|λ| with ε of its dtype: whether a Cholesky factor of it
exists is chance, and its distance would be that chance's. `is_spd` says which ones are inside,
`clip` moves the others in, and counts.

**Digits.** Logarithms are taken of singular values of Cholesky factors, A = L_A·L_Aᵀ: those of
L_A⁻¹·L_B are the roots of eig(A⁻¹B), so that the smallest keeps digits as long as κ(A⁻¹B) is below
1/ε², where eigenvalues of a product lose all at 1/ε. What rounding the entries of A itself has
lost is lost.

Leading axes are a batch and broadcast. Work is done in float64 on the input's device and returned
in its dtype.

Source: Pennec, Fillard & Ayache (2006), doi:10.1007/s11263-005-3222-z; Arsigny et al. (2006),
doi:10.1002/mrm.20965.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ired_interp.checks import Real, real
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
    "skew_share",
    "symmetric_part",
]


_ROUND_OFF = 4  # times n·ε·max|λ|: below it an eigenvalue of a matrix with rounded entries drowns
_KNOWN = _ROUND_OFF - 1  # what is clipped at that floor stays above this when it is rounded again


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
    """Which matrices are symmetric (to √ε) and known to be positive definite: λ_1 > 3n·ε·max|λ|.

    ε is that of their dtype. What lies below is round-off of the entries: half of the covariances
    of data from which a mean was subtracted, which are singular, would have a Cholesky factor.

    Raises:
        ShapeError, DtypeError, NonFiniteError: Not finite square matrices.

    Cost: the eigenvalues of an n × n matrix each.
    """
    _check_square("a", a)
    wide = a.to(torch.float64)
    size = wide.abs().amax(dim=(-2, -1))
    symmetric = (wide - wide.mT).abs().amax(dim=(-2, -1)) <= _tolerance(a) * size
    values = torch.linalg.eigvalsh(_symmetrised(wide.detach()))
    least = _KNOWN * a.shape[-1] * torch.finfo(a.dtype).eps * values.abs().amax(dim=-1)
    definite: Tensor = values[..., 0] > least
    return symmetric & definite


def symmetric_part(a: Float[Tensor, "... n n"]) -> Float[Tensor, "... n n"]:
    """(A + Aᵀ)/2.

    Raises:
        ShapeError, DtypeError, NonFiniteError: Not finite square matrices.
    """
    _check_square("a", a)
    return _symmetrised(a)


def skew_share(a: Float[Tensor, "... n n"]) -> Float[Tensor, "..."]:
    """‖A - Aᵀ‖_F/2 over ‖A‖_F: 0 for a symmetric matrix, 1 for an antisymmetric one, NaN for 0.

    Raises:
        ShapeError, DtypeError, NonFiniteError: Not finite square matrices.
    """
    _check_square("a", a)
    size = a.abs().amax(dim=(-2, -1), keepdim=True)
    unit = a / torch.where(size > 0, size, 1)  # so that no square over- or underflows
    share: Tensor = torch.linalg.matrix_norm(unit - unit.mT) / 2 / torch.linalg.matrix_norm(unit)
    return share


def clip(a: Float[Tensor, "... n n"], *, floor: Real) -> Clipped:
    """The closest symmetric matrices with eigenvalues ≥ floor, and how many had to be raised.

    A repair to be asked for by name: the distances depend on the floor, which must be reported with
    the count.

    Raises:
        ManifoldError: The floor is not above 0, or below 4n·ε·max|λ| of a matrix that needs it,
            ε of its dtype: round-off of its entries alone would take it out of the cone again.
        ShapeError, DtypeError, NonFiniteError: Not finite square matrices.
    """
    floor = real("floor", floor)
    _check_square("a", a)
    if not floor > 0:
        raise ManifoldError(f"floor: expected a number above 0, found {floor}.")
    values, vectors = torch.linalg.eigh(_symmetrised(a.to(torch.float64)))
    raised = (values < floor).sum(dim=-1)
    least = _ROUND_OFF * a.shape[-1] * torch.finfo(a.dtype).eps * values.abs().amax(dim=-1)
    lost = (raised > 0) & (least > floor)
    if bool(lost.any()):
        raise ManifoldError(
            f"floor: expected at least {float(least[lost].max()):.3g}, {_ROUND_OFF}n·ε·max|λ| in "
            f"{a.dtype}, found {floor:.3g}: {int(lost.sum())} of {lost.numel()} matrices would not "
            "be positive definite for round-off. Raise the floor, or convert with .double()."
        )
    inside = (vectors * values.clamp_min(floor)[..., None, :]) @ vectors.mT
    return Clipped(_symmetrised(inside).to(a.dtype), raised)


def affine_invariant_distance(
    a: Float[Tensor, "... n n"], b: Float[Tensor, "... n n"]
) -> Float[Tensor, "..."]:
    """‖log eig(A⁻¹B)‖₂, as 2·‖log σ(L_A⁻¹·L_B)‖₂ with the Cholesky factors of A and B.

    Raises:
        ManifoldError: Matrices that are not symmetric positive definite, with their number.
        ShapeError, DtypeError, NonFiniteError: Not finite square matrices of one size and dtype.

    Cost: two Cholesky factors, a triangular solve and n singular values a pair.
    """
    root_a, root_b = (torch.linalg.cholesky(wide) for wide in _pair(a, b))
    relative = torch.linalg.solve_triangular(root_a, root_b, upper=False)
    size: Tensor = 2 * torch.linalg.vector_norm(torch.linalg.svdvals(relative).log(), dim=-1)
    return size.to(a.dtype)


def log_euclidean_distance(
    a: Float[Tensor, "... n n"], b: Float[Tensor, "... n n"]
) -> Float[Tensor, "..."]:
    """‖log A - log B‖_F.

    Raises:
        ManifoldError, ShapeError, DtypeError, NonFiniteError: As `affine_invariant_distance`.
    """
    wide_a, wide_b = _pair(a, b)
    size: Tensor = torch.linalg.matrix_norm(_logarithm(wide_a) - _logarithm(wide_b))
    return size.to(a.dtype)


def affine_invariant_geodesic(
    a: Float[Tensor, "... n n"], b: Float[Tensor, "... n n"], t: Float[Tensor, " p"]
) -> Float[Tensor, "p ... n n"]:
    """A^½·(A^-½·B·A^-½)^t·A^½: A at t = 0, B at 1.

    Raises:
        ManifoldError, ShapeError, DtypeError, NonFiniteError: As `affine_invariant_distance`.
    """
    root_a, root_b = (torch.linalg.cholesky(wide) for wide in _pair(a, b))
    # L_A·(L_A⁻¹·B·L_A⁻ᵀ)^t·L_Aᵀ is the same curve, and its middle is (L_A⁻¹·L_B)(…)ᵀ.
    relative = torch.linalg.solve_triangular(root_a, root_b, upper=False)
    vectors, sizes, _ = torch.linalg.svd(relative)
    turned = root_a @ vectors
    times = t.to(sizes).reshape(-1, *[1] * sizes.ndim)
    out = (turned * sizes.pow(2 * times)[..., None, :]) @ turned.mT
    return _symmetrised(out).to(a.dtype)


def log_euclidean_geodesic(
    a: Float[Tensor, "... n n"], b: Float[Tensor, "... n n"], t: Float[Tensor, " p"]
) -> Float[Tensor, "p ... n n"]:
    """exp((1 - t)·log A + t·log B).

    Raises:
        ManifoldError, ShapeError, DtypeError, NonFiniteError: As `affine_invariant_distance`.
    """
    wide_a, wide_b = _pair(a, b)
    start, end = _logarithm(wide_a), _logarithm(wide_b)
    times = t.to(start).reshape(-1, *[1] * start.ndim)
    values, vectors = torch.linalg.eigh(start + times * (end - start))
    out: Tensor = (vectors * values.exp()[..., None, :]) @ vectors.mT
    return out.to(a.dtype)


def eigen_parts(
    at: Float[Tensor, "... n n"], z: Float[Tensor, "... n n"], *, tolerance: Real = 1e-9
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
    tolerance = real("tolerance", tolerance)
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
                f"lowest eigenvalue of its symmetric part {float(lowest.flatten()[first]):.3g}, of "
                f"which {_KNOWN}n·ε·max|λ| in {matrix.dtype} is not known from 0). Leave them out "
                "with is_spd, or clip them and say how many."
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
    return a / 2 + a.mT / 2  # whose sum does not overflow


def _logarithm(a: Tensor) -> Tensor:
    """log A = 2·U·log Σ·Uᵀ, with L = U·Σ·Vᵀ the Cholesky factor of A."""
    vectors, sizes, _ = torch.linalg.svd(torch.linalg.cholesky(a))
    out: Tensor = (vectors * 2 * sizes.log()[..., None, :]) @ vectors.mT
    return out
