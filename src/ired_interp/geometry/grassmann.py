"""Subspaces of one dimension as points of a manifold: distance, logarithm, geodesic, mean.

A point of Gr(d, k) is a k-dimensional subspace of ℝ^d, given by a frame [..., d, k]. A tangent
vector at the frame A is a matrix D [..., d, k] with AᵀD = 0, its horizontal lift; with the frame it
turns: D·R at A·R.

**Metric.** The length of D is ‖D‖_F, and the distance is ‖θ‖₂ of the principal angles, as in SciPy,
pymanopt and Edelman, Arias & Smith (1998). geomstats measures projectors, and is √2 times as long
(`geometry.interop`). Distances go up to π/2·√min(k, d - k); two subspaces have one shortest
geodesic as long as their largest angle is below π/2.

Leading axes are a batch and broadcast. Work is done in float64 on the input's device and returned
in its dtype: cosines in float32 would turn a distance of 0 into 2e-3.

Source: Edelman, Arias & Smith (1998), doi:10.1137/S0895479895290954, sections 2.5 and 4; for the
logarithm Bendokat, Zimmermann & Absil (2024), doi:10.1007/s10444-023-10090-8, algorithm 5.3.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ired_interp.checks import Real, Whole, real, whole
from ired_interp.errors import ConvergenceError, ManifoldError, ShapeError
from ired_interp.geometry.checking import (
    broadcast,
    check_alike,
    check_frame,
    check_matrices,
    check_same_dimension,
)
from ired_interp.geometry.subspaces import principal_angles

__all__ = [
    "FrechetMean",
    "Logarithm",
    "chordal_squared",
    "distance",
    "exp",
    "frechet_mean",
    "geodesic",
    "log",
    "pairwise_distances",
    "transport",
]

# How far from π/2 the largest angle must stay for the geodesic to count as the only one.
_RIGHT = 1e-7
# Subspaces within this distance of their mean have no other one.
_ONE_MEAN = math.pi / 4
_CHUNK_NUMBERS = 2**22


@dataclass(frozen=True, slots=True)
class Logarithm:
    """The way from one subspace to another.

    Attributes:
        tangent: D at the first frame: `exp` of it is the other subspace, ‖D‖_F their distance.
        angles: Principal angles, ascending; the singular values of D.
        unique: False where the largest angle is π/2 (to 1e-7): other tangents of the same length
            lead there too.
    """

    tangent: Float[Tensor, "... d k"]
    angles: Float[Tensor, "... k"]
    unique: Bool[Tensor, "..."]


@dataclass(frozen=True, slots=True)
class FrechetMean:
    """The subspace with the least mean squared distance to given ones.

    Attributes:
        frame: Of the mean.
        variance: The mean squared distance.
        residual: ‖mean logarithm‖_F at it; 0 at a stationary point.
        steps: How many were taken.
        unique: True where all lie within π/4 of it, and no other mean can exist.
    """

    frame: Float[Tensor, "d k"]
    variance: float
    residual: float
    steps: int
    unique: bool


def distance(a: Float[Tensor, "... d k"], b: Float[Tensor, "... d k"]) -> Float[Tensor, "..."]:
    """‖θ‖₂ of the principal angles, right to round-off from 0 to π/2·√k.

    Raises:
        ShapeError: Subspaces of different dimension, or columns that are not orthonormal.
        DtypeError, NonFiniteError: Not finite floating-point tensors of one dtype.

    Cost: as `principal_angles`. Not to be differentiated: use `chordal_squared`.
    """
    check_same_dimension(a, b)
    angles = principal_angles(a, b).to(torch.float64)
    return angles.square().sum(dim=-1).sqrt().to(a.dtype)


def pairwise_distances(
    a: Float[Tensor, "n d k"], b: Float[Tensor, "m d k"]
) -> Float[Tensor, "n m"]:
    """All distances between two lists of subspaces, as `distance` has them.

    Raises:
        ShapeError, DtypeError, NonFiniteError: As `distance`.

    Cost: one product of all frames with all, and two singular value decompositions a pair, of a
    k × k and a (d - k) × k matrix.
    """
    check_same_dimension(a, b)
    check_frame("a", a)
    check_frame("b", b)
    check_alike("b", b.new_empty(1, 1), "a", a)
    (n, d, k), m = a.shape, len(b)
    # With a complement behind each frame, cosines and sines come from one product.
    whole = torch.linalg.qr(a.to(torch.float64), mode="complete").Q
    columns = torch.linalg.qr(b.to(torch.float64)).Q.transpose(0, 1).reshape(d, m * k)
    step = max(1, _CHUNK_NUMBERS // (m * d * k))
    out = []
    for start in range(0, n, step):
        rows = whole[start : start + step]
        product = rows.mT.reshape(-1, d) @ columns
        inner = product.reshape(len(rows), d, m, k).transpose(1, 2)
        cosines = torch.linalg.svdvals(inner[:, :, :k]).clamp(max=1)
        sines = torch.zeros_like(cosines)
        if d > k:
            found = torch.linalg.svdvals(inner[:, :, k:]).clamp(max=1)
            sines[..., k - found.shape[-1] :] = found.flip(-1)
        angles = torch.where(cosines.square() < 1 / 2, cosines.acos(), sines.asin())
        out.append(angles.square().sum(dim=-1).sqrt())
    return torch.cat(out).to(a.dtype)


def chordal_squared(
    a: Float[Tensor, "... d k"], b: Float[Tensor, "... d k"]
) -> Float[Tensor, "..."]:
    """Σ sin²θ = ‖B - AAᵀB‖_F² = ‖P_A - P_B‖_F²/2: smooth everywhere, also at 0 and π/2.

    For losses and steering: the gradient of `distance` is infinite or NaN at identical and at
    orthogonal subspaces. In the frames' own dtype; gradients flow through.

    Raises:
        ShapeError, DtypeError, NonFiniteError: As `distance`.
    """
    check_same_dimension(a, b)
    check_frame("a", a)
    check_frame("b", b)
    check_alike("b", b, "a", a)
    return (b - a @ (a.mT @ b)).square().sum(dim=(-2, -1))


def log(a: Float[Tensor, "... d k"], b: Float[Tensor, "... d k"]) -> Logarithm:
    """The shortest tangent at a that leads to b, also where angles are π/2.

    With AᵀB = W·cos θ·Rᵀ the frames A·W and B·R are aligned, and D = U·θ·Wᵀ with U·sin θ the
    columns of B·R - A·W·cos θ. It is defined at θ = π/2 too, where (AᵀB)⁻¹ is not.

    Raises:
        ShapeError: Subspaces of different dimension, or columns that are not orthonormal.
        DtypeError, NonFiniteError: Not finite floating-point tensors of one dtype.
    """
    check_same_dimension(a, b)
    check_frame("a", a)
    check_frame("b", b)
    check_alike("b", b, "a", a)
    start, end = broadcast(_sharp(a), _sharp(b))
    w, _, rh = torch.linalg.svd(start.mT @ end)
    aligned = end @ (w @ rh).mT  # Bᵀ-frame with AᵀB symmetric and ≥ 0
    off = aligned - start @ (start.mT @ aligned)
    u, sines, zh = torch.linalg.svd(off, full_matrices=False)
    cosines = torch.linalg.vector_norm(start.mT @ aligned @ zh.mT, dim=-2)
    angles = torch.atan2(sines, cosines)
    tangent = (u * angles[..., None, :]) @ zh
    tangent = tangent - start @ (start.mT @ tangent)
    rising = angles.sort(dim=-1).values
    unique = rising[..., -1] < math.pi / 2 - _RIGHT
    return Logarithm(tangent.to(a.dtype), rising.to(a.dtype), unique)


def exp(a: Float[Tensor, "... d k"], tangent: Float[Tensor, "... d k"]) -> Float[Tensor, "... d k"]:
    """The frame reached from a along a tangent, at unit time.

    With D = U·S·Wᵀ it is (A·W·cos S + U·sin S)·Wᵀ; the columns follow those of a.

    Raises:
        ManifoldError: The tangent is not horizontal: AᵀD ≠ 0 (to √ε·‖D‖).
        ShapeError, DtypeError, NonFiniteError: They do not fit, or a is no frame.
    """
    start, way = _at(a, tangent)
    u, s, wh = torch.linalg.svd(way, full_matrices=False)
    out = (start @ (wh.mT * s.cos()[..., None, :]) + u * s.sin()[..., None, :]) @ wh
    frame: Tensor = _sharp(out)
    return frame.to(a.dtype)


def geodesic(
    a: Float[Tensor, "... d k"], b: Float[Tensor, "... d k"], t: Float[Tensor, " p"]
) -> Float[Tensor, "p ... d k"]:
    """Points of the shortest geodesic: a at t = 0, b at 1; beyond them it goes on.

    Raises:
        ManifoldError: The largest angle is π/2 in some pair, which several geodesics join: choose
            one by its tangent (`log`, then `exp`).
        ShapeError, DtypeError, NonFiniteError: As `log`.
    """
    way = log(a, b)
    if not bool(way.unique.all()):
        raise ManifoldError(
            f"geodesic: expected principal angles below π/2, found {int((~way.unique).sum())} of "
            f"{way.unique.numel()} pairs with a right one: several geodesics are shortest. log "
            "gives the tangent of one of them, for exp."
        )
    times = t.to(way.tangent).reshape(-1, *[1] * way.tangent.ndim)
    return exp(a, times * way.tangent)


def transport(
    a: Float[Tensor, "... d k"],
    direction: Float[Tensor, "... d k"],
    vector: Float[Tensor, "... d k"],
) -> Float[Tensor, "... d k"]:
    """Carry a tangent along the geodesic of another, without turning it: an isometry.

    With D = U·S·Wᵀ the vector X becomes (-A·W·sin S + U·cos S)·UᵀX + (I - UUᵀ)·X, a tangent at
    ``exp(a, direction)``. (Projecting X there, as pymanopt's ``transport`` does, shortens it.)

    Raises:
        ManifoldError: A vector is not horizontal.
        ShapeError, DtypeError, NonFiniteError: They do not fit, or a is no frame.
    """
    start, way = _at(a, direction)
    _, carried = _at(a, vector)
    u, s, wh = torch.linalg.svd(way, full_matrices=False)
    along = u.mT @ carried
    turned = u * s.cos()[..., None, :] - start @ (wh.mT * s.sin()[..., None, :])
    out: Tensor = turned @ along + carried - u @ along
    return out.to(a.dtype)


def frechet_mean(
    frames: Float[Tensor, "n d k"], *, tol: Real = 1e-12, max_steps: Whole = 200
) -> FrechetMean:
    """The mean of n subspaces, by steps along the mean logarithm from the mean projector's span.

    Args:
        frames: The subspaces.
        tol: ‖mean logarithm‖_F to reach.
        max_steps: At most so many.

    Raises:
        ManifoldError: Some subspace has a right angle to the mean, where the logarithm is not
            unique: the mean is not defined by them.
        ConvergenceError: Not within max_steps.
        ShapeError, DtypeError, NonFiniteError: Not n frames.

    Cost: n logarithms a step; few steps where the subspaces lie within π/4 of one another.
    Source: Karcher (1977), doi:10.1002/cpa.3160300502; Afsari (2011),
    doi:10.1090/S0002-9939-2010-10541-5, for the ball in which it is unique.
    """
    max_steps = whole("max_steps", max_steps)
    tol = real("tol", tol)
    check_frame("frames", frames)
    if frames.ndim != 3:  # noqa: PLR2004 - the number of axes
        raise ShapeError(f"frames: expected shape [n, d, k], found {tuple(frames.shape)}.")
    sharp = _sharp(frames)
    k = frames.shape[-1]
    projector = (sharp @ sharp.mT).mean(dim=0)
    mean = torch.linalg.eigh(projector).eigenvectors[:, -k:]
    for step in range(max_steps + 1):
        ways = log(mean, sharp)
        if not bool(ways.unique.all()):
            raise ManifoldError(
                f"frechet_mean: expected subspaces at angles below π/2 of their mean, found "
                f"{int((~ways.unique).sum())} of {len(frames)} with a right one. They are spread "
                "too far to have one."
            )
        direction = ways.tangent.mean(dim=0)
        residual = float(direction.norm())
        if residual <= tol:
            squares = ways.angles.square().sum(dim=-1)
            return FrechetMean(
                frame=mean.to(frames.dtype),
                variance=float(squares.mean()),
                residual=residual,
                steps=step,
                unique=float(squares.max().sqrt()) < _ONE_MEAN,
            )
        mean = exp(mean, direction)
    raise ConvergenceError(
        f"frechet_mean: expected ‖mean logarithm‖ ≤ {tol:g} within {max_steps} steps, found "
        f"{residual:.1e}. Allow more steps, or average subspaces that lie closer together."
    )


def _sharp(frame: Tensor) -> Tensor:
    """Orthonormal in float64, with columns that follow those given."""
    q, r = torch.linalg.qr(frame.to(torch.float64))
    signs = r.diagonal(dim1=-2, dim2=-1).sign()
    # What float32 or a tolerance has lost of orthonormality is far below the columns themselves.
    frame_out: Tensor = q * torch.where(signs == 0, 1.0, signs)[..., None, :]
    return frame_out


def _at(a: Tensor, tangent: Tensor) -> tuple[Tensor, Tensor]:
    """The frame and a horizontal tangent in float64, on one set of leading axes."""
    check_frame("a", a)
    check_matrices("tangent", tangent)
    check_same_dimension(a, tangent)
    check_alike("tangent", tangent, "a", a)
    start, way = broadcast(_sharp(a), tangent.to(torch.float64))
    inner = start.mT @ way
    largest = float(inner.abs().max())
    if largest > torch.finfo(a.dtype).eps ** 0.5 * max(1.0, float(way.abs().max())):
        raise ManifoldError(
            f"tangent: expected AᵀD = 0, found entries of {largest:.1e}: not a tangent at this "
            "frame. Project it: D - A @ (A.mT @ D)."
        )
    return start, way - start @ inner
