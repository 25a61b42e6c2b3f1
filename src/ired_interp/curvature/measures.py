"""Numbers that sum up a spectrum. Each takes all d eigenvalues, ascending, one row a point.

Those called ``…_interval`` take a `Spectrum` and say within which bounds the number of the true
Hessian lies, as certainly as the eigenvalues themselves do.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ired_interp.curvature.certified import Spectrum
from ired_interp.errors import ShapeError

__all__ = [
    "Interval",
    "condition_number",
    "condition_number_interval",
    "eigenvalue_errors",
    "num_negative",
    "num_undetermined",
    "participation_ratio",
    "participation_ratio_interval",
    "positive_condition_number",
    "positive_condition_number_interval",
    "spectral_gap",
    "spectral_gap_interval",
]

_ULPS = 8.0  # what a quotient and a square lose
_LAPACK = 10.0  # of d·ε: how far computed eigenvectors are from orthonormal, at most
_TWINS = 0.5  # cosine above which two columns are one pair, written twice


@dataclass(frozen=True, slots=True)
class Interval:
    """Bounds of a number at n points.

    Attributes:
        low: The number is not less.
        high: It is not more; infinite where nothing bounds it.
    """

    low: Float[Tensor, " n"]
    high: Float[Tensor, " n"]


def condition_number(eigenvalues: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
    """max|λ| / min|λ| over the whole spectrum; infinite where an eigenvalue is 0."""
    size = eigenvalues.abs()
    smallest = size.amin(dim=1)
    return torch.where(smallest > 0, size.amax(dim=1) / smallest, torch.inf)


def positive_condition_number(eigenvalues: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
    """max λ / min λ over the positive eigenvalues; NaN where there is none."""
    smallest = torch.where(eigenvalues > 0, eigenvalues, torch.inf).amin(dim=1)
    largest = eigenvalues.amax(dim=1)
    return torch.where(largest > 0, largest / smallest, torch.nan)


def participation_ratio(eigenvalues: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
    """(Σ|λ|)² / Σλ²: how many directions share the curvature, from 1 to d; NaN where H = 0."""
    size = eigenvalues.abs()
    # Scaled first, so that neither sum can overflow or underflow.
    share = size / size.amax(dim=1, keepdim=True)
    return share.sum(dim=1).square() / share.square().sum(dim=1)


def spectral_gap(eigenvalues: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
    """λ_1 - λ_2, the distance of the two largest eigenvalues; NaN where d = 1."""
    if eigenvalues.shape[1] == 1:
        return torch.full_like(eigenvalues[:, 0], torch.nan)
    return eigenvalues[:, -1] - eigenvalues[:, -2]


def num_negative(
    eigenvalues: Float[Tensor, "n d"], residuals: Float[Tensor, "n d"]
) -> Int[Tensor, " n"]:
    """How many eigenvalues are below 0 by more than their error."""
    return (eigenvalues < -eigenvalue_errors(eigenvalues, residuals)).sum(dim=1)


def num_undetermined(
    eigenvalues: Float[Tensor, "n d"], residuals: Float[Tensor, "n d"]
) -> Int[Tensor, " n"]:
    """How many eigenvalues have a sign that their error leaves open."""
    return (eigenvalues.abs() <= eigenvalue_errors(eigenvalues, residuals)).sum(dim=1)


def eigenvalue_errors(
    eigenvalues: Float[Tensor, "n d"], residuals: Float[Tensor, "n d"]
) -> Float[Tensor, "n d"]:
    """The residual, plus the round-off with which it and H were computed: d·ε·‖H‖."""
    d = eigenvalues.shape[1]
    norm = eigenvalues.abs().amax(dim=1, keepdim=True)
    return residuals + d * torch.finfo(eigenvalues.dtype).eps * norm


def condition_number_interval(spectrum: Spectrum) -> Interval:
    """Bounds of max|λ| / min|λ|; the upper one is infinite where an eigenvalue may be 0.

    They follow from ``cluster_radii``, not from ``radii``: an interval of half-width ``radii``
    holds *an* eigenvalue, but those of two pairs may hold the same one, and another then lies in
    none. Within ``cluster_radii`` each pair of a cluster has an eigenvalue of its own (Kahan), so
    that d pairs account for all d eigenvalues.

    Args:
        spectrum: All d pairs, as ``spectrum(land, y)`` gives them; the vectors are not needed.

    Raises:
        ShapeError: Not all d pairs.
    """
    least, most = _magnitudes(*_enclosures(spectrum, "condition_number_interval"))
    low = (least.amax(dim=1) / most.amin(dim=1)).clamp_min(1)
    smallest = least.amin(dim=1)
    high = torch.where(smallest > 0, most.amax(dim=1) / smallest, torch.inf)
    return _widened(low, high, floor=1)


def positive_condition_number_interval(spectrum: Spectrum) -> Interval:
    """Bounds of max λ / min λ over λ > 0, NaN where none is; infinite where a sign is open.

    From ``cluster_radii``, for the reason that `condition_number_interval` gives.

    Args:
        spectrum: All d pairs.

    Raises:
        ShapeError: Not all d pairs.
    """
    below, above = _enclosures(spectrum, "positive_condition_number_interval")
    certain, possible = below > 0, above > 0
    low = below.amax(dim=1) / torch.where(certain, above, torch.inf).amin(dim=1)
    high = above.amax(dim=1) / torch.where(possible, below, torch.inf).amin(dim=1)
    is_open = (possible & ~certain).any(dim=1)
    low = torch.where(certain.any(dim=1), low, 1).clamp_min(1)
    found = _widened(low, torch.where(is_open, torch.inf, high), floor=1)
    none = ~possible.any(dim=1)
    return Interval(found.low.masked_fill(none, torch.nan), found.high.masked_fill(none, torch.nan))


def participation_ratio_interval(spectrum: Spectrum) -> Interval:
    """Bounds of (Σ|λ|)² / Σλ², within 1 … d; 1 and d where H may be 0.

    Eigenvalues that are off by e move Σ|λ| by Σ|e| and (Σλ²)^½ by (Σe²)^½ at most. The e are
    ``cluster_radii``, for the reason that `condition_number_interval` gives.

    Args:
        spectrum: All d pairs.

    Raises:
        ShapeError: Not all d pairs.
    """
    below, above = _enclosures(spectrum, "participation_ratio_interval")
    d = below.shape[1]
    largest = torch.maximum(below.abs(), above.abs()).amax(dim=1, keepdim=True)
    size, error = ((above + below) / (2 * largest)).abs(), (above - below) / (2 * largest)
    length, wrong = (torch.linalg.vector_norm(t, dim=1) for t in (size, error))
    low = ((size - error).sum(dim=1).clamp_min(0) / (length + wrong)).square()
    high = ((size + error).sum(dim=1) / (length - wrong).clamp_min(0)).square().clamp_max(d)
    return _widened(low.clamp_max(d), high, floor=1, num_terms=d)


def spectral_gap_interval(spectrum: Spectrum) -> Interval:
    """Bounds of λ_1 - λ_2, the distance of the two largest eigenvalues; NaN where d = 1.

    From ``cluster_radii``, for the reason that `condition_number_interval` gives: the k-th largest
    eigenvalue lies between the k-th largest lower and the k-th largest upper ends.

    Args:
        spectrum: All d pairs.

    Raises:
        ShapeError: Not all d pairs.
    """
    below, above = _enclosures(spectrum, "spectral_gap_interval")
    if below.shape[1] == 1:
        none = torch.full_like(below[:, 0], torch.nan)
        return Interval(none, none)
    least, most = below.topk(2, dim=1).values, above.topk(2, dim=1).values
    return _widened(least[:, 0] - most[:, 1], most[:, 0] - least[:, 1], floor=0)


def _enclosures(spectrum: Spectrum, name: str) -> tuple[Tensor, Tensor]:
    """Ends of d intervals that hold the d eigenvalues, one each."""
    values, reach = spectrum.eigenvalues, spectrum.cluster_radii
    d = spectrum.eigenvectors.shape[1]
    complete = values.shape[1] == d and bool((values.diff(dim=1) >= 0).all())
    if complete and spectrum.eigenvectors.shape[2] == d:
        gram = (spectrum.eigenvectors.mT @ spectrum.eigenvectors).abs()
        complete = not bool((gram.tril(-1) > _TWINS).any())
    if not complete:
        raise ShapeError(
            f"{name}: expected all d = {d} eigenpairs, ascending, found {values.shape[1]} chosen "
            "ones; compute the spectrum with top=None."
        )
    # Clusters are told apart by the intervals of single pairs. Where their own, wider ones meet,
    # two of them may count one eigenvalue, and Weyl's bound for all d at once is used instead.
    low, high = values - reach, values + reach
    other = spectrum.clusters.diff(dim=1) != 0
    meets = (other & (high.cummax(dim=1).values[:, :-1] >= _rising(low)[:, 1:])).any(dim=1)
    skew = min(0.5, _LAPACK * d * torch.finfo(values.dtype).eps)
    total = torch.linalg.vector_norm(spectrum.residuals, dim=1) / (1 - skew)
    total = total + 2 * skew * spectrum.norm + spectrum.roundoff
    reach = torch.where(meets[:, None], total[:, None], reach)
    # Rounded outwards, so that no end is lost to the subtraction itself.
    ends = torch.full_like(values, torch.inf)
    return torch.nextafter(values - reach, -ends), torch.nextafter(values + reach, ends)


def _rising(ends: Tensor) -> Tensor:
    """The least of each entry and those after it."""
    return ends.flip(1).cummin(dim=1).values.flip(1)


def _magnitudes(below: Tensor, above: Tensor) -> tuple[Tensor, Tensor]:
    """Bounds of |λ| from those of λ."""
    least = torch.maximum(below, -above).clamp_min(0)
    return least, torch.maximum(below.abs(), above.abs())


def _widened(low: Tensor, high: Tensor, *, floor: float, num_terms: int = 0) -> Interval:
    """The bounds, moved outwards by the rounding of their own arithmetic."""
    share = (_ULPS + num_terms) * torch.finfo(low.dtype).eps
    return Interval((low * (1 - share)).clamp_min(floor), high * (1 + share))
