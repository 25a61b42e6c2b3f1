"""Subspaces of ℝ^d: angles between them, their overlap, and what chance alone gives.

A subspace is given by a frame: a matrix [..., d, k] with orthonormal columns. Leading axes are a
batch and broadcast. Work is done in float64 and returned in the frames' dtype.

The **null** is a uniformly random subspace (Haar measure). With P, Q the projectors on subspaces of
dimension k and l, one of them random, T = tr(PQ) has

    E T = k·l/d        Var T = 2·k·l·(d - k)·(d - l) / (d²·(d - 1)·(d + 2))

because the traceless part of P is spread evenly over the (d - 1)(d + 2)/2 dimensions of the
traceless symmetric matrices, which rotations do not split further.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ired_interp.checks import Whole, whole_numbers
from ired_interp.draws import RowDraws, check_seed
from ired_interp.errors import DtypeError, NonFiniteError, ShapeError

__all__ = [
    "OverlapNull",
    "OverlapQuantiles",
    "explained_share",
    "orthonormalise",
    "overlap",
    "overlap_null",
    "overlap_p_value",
    "overlap_quantiles",
    "principal_angles",
    "random_angles",
]

_CHUNK_NUMBERS = 2**22
# Draws that equal the observed overlap but for round-off count as reaching it.
_TIE = 1e-12


@dataclass(frozen=True, slots=True)
class OverlapNull:
    """Overlap with a uniformly random subspace: exact mean and standard deviation."""

    mean: float
    standard_deviation: float


@dataclass(frozen=True, slots=True)
class OverlapQuantiles:
    """Quantiles of the overlap with a uniformly random subspace, from seeded draws.

    Attributes:
        probabilities: Which quantiles.
        values: The sample quantiles.
        low: Lower ends of their 95 % intervals, from order statistics; 0 where the draws are too
            few to have one.
        high: Upper ends; 1 where the draws are too few.
    """

    probabilities: tuple[float, ...]
    values: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def orthonormalise(basis: Float[Tensor, "... d k"]) -> Float[Tensor, "... d k"]:
    """A frame of the subspace that a basis spans; its first j columns span the basis's first j.

    Columns are scaled to unit length first, so their scales do not matter.

    Raises:
        ShapeError: The columns do not span k dimensions: a singular value of the scaled basis is at
            most max(d, k)·ε times the largest (ε of the basis's dtype).
        DtypeError, NonFiniteError: Not a finite floating-point tensor.

    Cost: one QR and the singular values of a k × k matrix.
    """
    _check("basis", basis)
    d, k = basis.shape[-2:]
    wide = basis.to(torch.float64)
    size = wide.abs().amax(dim=-2, keepdim=True)
    wide = wide / torch.where(size > 0, size, 1)
    length = torch.linalg.vector_norm(wide, dim=-2, keepdim=True)
    frame: Tensor
    frame, triangle = torch.linalg.qr(wide / torch.where(length > 0, length, 1))
    sizes = torch.linalg.svdvals(triangle)
    limit = max(d, k) * torch.finfo(basis.dtype).eps * sizes[..., :1]
    rank = int((sizes > limit).sum(dim=-1).min()) if sizes.numel() else 0
    if rank < k:
        raise ShapeError(
            f"basis: expected {k} linearly independent columns in {d} dimensions, found rank "
            f"{rank}. Leave out the columns that the others span."
        )
    return frame.to(basis.dtype)


def principal_angles(
    a: Float[Tensor, "... d k"], b: Float[Tensor, "... d l"]
) -> Float[Tensor, "... j"]:
    """The j = min(k, l) principal angles between two subspaces, ascending, in 0 … π/2.

    Angles above π/4 come from the cosines svd(AᵀB), smaller ones from the sines svd(B - AAᵀB), so
    that 1e-9 and π/2 - 1e-9 are both right to round-off. Float32 frames are orthonormalised again
    in float64; what their entries have lost stays lost (angles good to about 1e-7).

    Args:
        a: A frame.
        b: Another, in the same space.

    Raises:
        ShapeError: Different d, or columns that are not orthonormal (use `orthonormalise`).
        DtypeError, NonFiniteError: Not finite floating-point tensors of one dtype.

    Cost: two QRs, two singular value decompositions of k × l and d × min(k, l) matrices.
    Source: Knyazev & Argentati (2002), doi:10.1137/S1064827500377332, algorithm 3.1.
    """
    _check_frames(a, b)
    wide, narrow = (a, b) if a.shape[-1] >= b.shape[-1] else (b, a)
    wide = torch.linalg.qr(wide.to(torch.float64)).Q
    narrow = torch.linalg.qr(narrow.to(torch.float64)).Q
    product = wide.mT @ narrow
    cosines = torch.linalg.svdvals(product).clamp(max=1)
    sines = torch.linalg.svdvals(narrow - wide @ product).flip(-1).clamp(max=1)
    angles = torch.where(cosines.square() < 1 / 2, cosines.acos(), sines.asin())
    return angles.to(a.dtype)


def overlap(a: Float[Tensor, "... d k"], b: Float[Tensor, "... d l"]) -> Float[Tensor, "..."]:
    """tr(P_A·P_B)/min(k, l): the mean squared cosine of the principal angles, in 0 … 1.

    1 where one subspace contains the other. `overlap_null` says what chance gives: max(k, l)/d.

    Raises:
        ShapeError, DtypeError, NonFiniteError: As `principal_angles`.
    """
    _check_frames(a, b)
    squares = (a.to(torch.float64).mT @ b.to(torch.float64)).square().sum(dim=(-2, -1))
    return (squares / min(a.shape[-1], b.shape[-1])).clamp(max=1).to(a.dtype)


def explained_share(
    basis: Float[Tensor, "... d l"], vectors: Float[Tensor, "... d m"]
) -> Float[Tensor, "... m"]:
    """‖P_B·v‖²/‖v‖²: how much of each vector the subspace of a frame explains, in 0 … 1.

    Chance gives l/d. The share of a subspace is the mean over any frame of it.

    Raises:
        ShapeError: Different d, a zero vector, or a basis that is not orthonormal.
        DtypeError, NonFiniteError: Not finite floating-point tensors of one dtype.
    """
    _check_frames(basis, basis)
    _check("vectors", vectors)
    _check_alike(basis, vectors)
    wide = vectors.to(torch.float64)
    size = wide.abs().amax(dim=-2, keepdim=True)
    if bool((size == 0).any()):
        raise ShapeError("vectors: expected directions, found a zero vector, which has none.")
    wide = wide / size
    inside = (basis.to(torch.float64).mT @ wide).square().sum(dim=-2)
    return (inside / wide.square().sum(dim=-2)).clamp(max=1).to(vectors.dtype)


def overlap_null(d: Whole, k: Whole, l: Whole) -> OverlapNull:  # noqa: E741 - the formula's letter
    """The overlap of a subspace of dimension k with a random one of dimension l in ℝ^d, exactly.

    Raises:
        ShapeError: Not 1 ≤ k, l ≤ d.

    Source: the module's text; for k = l = 1 the Beta(1/2, (d - 1)/2) law of a squared cosine.
    """
    d, k, l = whole_numbers(d=d, k=k, l=l)  # noqa: E741 - the formula's letter
    _check_dims(d, k, l)
    least = min(k, l)
    if max(k, l) == d:  # one is the whole space
        return OverlapNull(1.0, 0.0)
    variance = 2 * k * l * (d - k) * (d - l) / (d**2 * (d - 1) * (d + 2))
    return OverlapNull(k * l / d / least, math.sqrt(variance) / least)


def random_angles(
    d: Whole,
    k: Whole,
    l: Whole,  # noqa: E741 - the formula's letter
    *,
    num_draws: Whole,
    seed: Whole,
) -> Float[Tensor, "draws j"]:
    """Principal angles of a subspace of dimension k with random ones of dimension l, ascending.

    Args:
        d: Dimension of the space.
        k: Dimension of one subspace.
        l: Dimension of the other.
        num_draws: How many random subspaces.
        seed: The same seed gives the same draws, and the first of any larger number.

    Raises:
        ShapeError: Not 1 ≤ k, l ≤ d, or no draw asked for.
        ConfigError: The seed is out of range.

    Cost: d·min(k, l) normal numbers and a QR a draw.
    """
    d, k, l, num_draws = whole_numbers(d=d, k=k, l=l, num_draws=num_draws)  # noqa: E741
    _check_dims(d, k, l)
    if num_draws < 1:
        raise ShapeError(f"num_draws: expected at least 1, found {num_draws}.")
    least, most = min(k, l), max(k, l)
    step = max(1, _CHUNK_NUMBERS // (d * least))
    parts = []
    for start in range(0, num_draws, step):
        size = min(step, num_draws - start)
        draws = RowDraws(size, seed=seed, purpose="geometry/subspaces", first=start)
        frame = torch.linalg.qr(draws.normal(d, least)).Q
        cosines = torch.linalg.svdvals(frame[:, :most]).clamp(max=1)
        sines = torch.linalg.svdvals(frame[:, most:]) if most < d else cosines.new_zeros(size, 0)
        missing = cosines.new_zeros(size, least - sines.shape[-1])
        sines = torch.cat([missing, sines.to(cosines).flip(-1)], dim=-1).clamp(max=1)
        parts.append(torch.where(cosines.square() < 1 / 2, cosines.acos(), sines.asin()))
    return torch.cat(parts)


def overlap_quantiles(
    d: Whole,
    k: Whole,
    l: Whole,  # noqa: E741 - the formula's letter
    probabilities: Sequence[float],
    *,
    num_draws: Whole = 999,
    seed: Whole = 0,
) -> OverlapQuantiles:
    """Quantiles of the overlap with a random subspace, each with a 95 % interval.

    Raises:
        ShapeError: As `random_angles`, or a probability outside (0, 1).

    Cost: as `random_angles`.
    """
    d, k, l, num_draws = whole_numbers(d=d, k=k, l=l, num_draws=num_draws)  # noqa: E741
    wanted = tuple(float(p) for p in probabilities)
    if not all(0 < p < 1 for p in wanted):
        raise ShapeError(f"probabilities: expected numbers in (0, 1), found {wanted}.")
    ordered = _random_overlaps(d, k, l, num_draws, check_seed(seed)).sort().values
    padded = [0.0, *ordered.tolist(), 1.0]
    # Imported here: it takes a second, which every start of the command line would pay.
    from scipy import stats

    low = [int(stats.binom.ppf(0.025, num_draws, p)) for p in wanted]
    high = [int(stats.binom.ppf(0.975, num_draws, p)) + 1 for p in wanted]
    levels = torch.tensor(wanted, dtype=ordered.dtype, device="cpu")
    return OverlapQuantiles(
        probabilities=wanted,
        values=tuple(torch.quantile(ordered, levels).tolist()),
        low=tuple(padded[i] for i in low),
        high=tuple(padded[i] for i in high),
    )


def overlap_p_value(
    observed: Float[Tensor, "..."],
    d: Whole,
    k: Whole,
    l: Whole,  # noqa: E741 - the formula's letter
    *,
    num_draws: Whole = 999,
    seed: Whole = 0,
) -> Float[Tensor, "..."]:
    """P(overlap with a random subspace ≥ the observed one).

    Exact where one subspace is a line: Beta(max(k, l)/2, (d - max(k, l))/2). Otherwise from
    N = ``num_draws`` draws as (1 + number that reach it)/(1 + N), which is valid at any N and never
    below 1/(1 + N).

    Raises:
        ShapeError, ConfigError: As `random_angles`.
        NonFiniteError: An overlap that is not a number.

    Cost: nothing, or as `random_angles`.
    """
    d, k, l, num_draws = whole_numbers(d=d, k=k, l=l, num_draws=num_draws)  # noqa: E741
    _check_dims(d, k, l)
    if not bool(torch.isfinite(observed).all()):
        raise NonFiniteError(
            f"observed: expected overlaps in 0 … 1, found {int((~torch.isfinite(observed)).sum())} "
            f"of {observed.numel()} that are NaN or infinite. Leave them out."
        )
    most = max(k, l)
    if most == d:
        return torch.ones_like(observed)
    if min(k, l) == 1:
        from scipy import special

        shares = observed.detach().cpu().to(torch.float64).clamp(0, 1).numpy()
        tail = torch.as_tensor(special.betaincc(most / 2, (d - most) / 2, shares), device="cpu")
        return tail.to(observed).reshape(observed.shape)
    ordered = _random_overlaps(d, k, l, num_draws, check_seed(seed)).sort().values
    values = observed.detach().cpu().to(torch.float64).contiguous()
    below = torch.searchsorted(ordered, values - _TIE)
    return ((1 + num_draws - below).to(torch.float64) / (1 + num_draws)).to(observed)


def _random_overlaps(d: int, k: int, l: int, num_draws: int, seed: int) -> Tensor:  # noqa: E741
    return random_angles(d, k, l, num_draws=num_draws, seed=seed).cos().square().mean(dim=-1)


def _check_dims(d: int, k: int, l: int) -> None:  # noqa: E741 - the formula's letter
    if not (1 <= k <= d and 1 <= l <= d):
        raise ShapeError(f"subspaces: expected dimensions in 1 … d = {d}, found {k} and {l}.")


def _check(name: str, value: Tensor) -> None:
    if not value.is_floating_point():
        raise DtypeError(f"{name}: expected a floating-point tensor, found {value.dtype}.")
    if value.ndim < 2 or 0 in value.shape[-2:]:  # noqa: PLR2004 - the number of axes
        raise ShapeError(f"{name}: expected shape [..., d, k], found {tuple(value.shape)}.")
    if not bool(torch.isfinite(value).all()):
        raise NonFiniteError(f"{name}: expected finite numbers, found NaN or infinity.")


def _check_alike(a: Tensor, b: Tensor) -> None:
    if a.shape[-2] != b.shape[-2]:
        raise ShapeError(
            f"subspaces: expected one space, found d = {a.shape[-2]} and d = {b.shape[-2]}."
        )
    if a.dtype != b.dtype or a.device != b.device:
        raise DtypeError(
            f"subspaces: expected one dtype and device, found {a.dtype} on {a.device} and "
            f"{b.dtype} on {b.device}; convert one with .to()."
        )


def _check_frames(a: Tensor, b: Tensor) -> None:
    for name, frame in (("a", a), ("b", b)):
        _check(name, frame)
        product = frame.mT @ frame
        eye = torch.eye(frame.shape[-1], dtype=frame.dtype, device=frame.device)
        defect = float((product - eye).abs().max()) if frame.numel() else 0.0
        if defect > torch.finfo(frame.dtype).eps ** 0.5:
            raise ShapeError(
                f"subspaces: expected orthonormal columns, found {name} with products off by "
                f"{defect:.1e}; pass it through orthonormalise first."
            )
    _check_alike(a, b)
