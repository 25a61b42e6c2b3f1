"""How many directions a field of scores has: its spectrum beside that of isotropic noise.

n rows, centred, leave m = n - 1 degrees of freedom. Isotropic rows in ℝ^d do *not* have equal
sample eigenvalues, nor a participation ratio of d: the spectrum fills the Marchenko-Pastur bulk, up
to (1 + √(d/m))² times the variance. What a spectrum says is what it says beyond that.

- A spike of variance ℓ (the noise has 1) shows beyond the bulk where ℓ > 1 + √(d/m), and there its
  sample eigenvalue is near ℓ·(1 + (d/m)/(ℓ - 1)) (Baik, Ben Arous and Péché 2005; Paul 2007).
- For isotropic normal rows the mean of Σλ²/(Σλ)² is (m + d + 1)/(md + 2), exactly: Σλ²/(Σλ)² does
  not depend on Σλ, and E tr W² = md(m + d + 1), E (tr W)² = md(md + 2) for a Wishart W.
- The largest of its eigenvalues lies around the bulk's end as Tracy and Widom's law of order 1 says
  (Johnstone 2001, doi:10.1214/aos/1009210544).
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ired_interp.checks import Whole, whole, whole_numbers
from ired_interp.errors import DtypeError, NonFiniteError, ShapeError

__all__ = [
    "SpectrumOfRows",
    "bootstrap_error",
    "centred_svd",
    "concentration",
    "held_out_share",
    "isotropic_participation",
    "largest_by_chance",
    "marchenko_pastur_edge",
    "num_beyond_edge",
    "participation_ratio",
]

_LEAST_ROWS = 3
# The 99 % quantile of Tracy and Widom's law of order 1 (Bejan 2005, table 1).
_TRACY_WIDOM_99 = 2.0234
# A spread that small beside the rows themselves is round-off.
_ROUND_OFF = 1e3


@dataclass(frozen=True, slots=True)
class SpectrumOfRows:
    """Eigenvalues and eigenvectors of the covariance of n rows.

    Attributes:
        eigenvalues: Of the covariance with m = n - 1 in the denominator, falling, e = min(m, d) of
            them; the other d - e are 0. NaN where all rows are equal up to round-off.
        components: Orthonormal columns, one an eigenvalue; the sign is arbitrary.
        mean: Of the rows.
        num_rows: n.
        num_entries: d.
    """

    eigenvalues: Float[Tensor, "... e"]
    components: Float[Tensor, "... d e"]
    mean: Float[Tensor, "... d"]
    num_rows: int
    num_entries: int


def centred_svd(rows: Float[Tensor, "... n d"]) -> SpectrumOfRows:
    """The covariance spectrum of n rows, by the SVD of the centred rows.

    Raises:
        ShapeError: Fewer than 3 rows or no entries.
        DtypeError: Not float64: small eigenvalues are lost before.
        NonFiniteError: NaN or infinite rows.

    Cost: one thin SVD of n × d.
    """
    if rows.ndim < 2 or rows.shape[-2] < _LEAST_ROWS or rows.shape[-1] < 1:  # noqa: PLR2004
        raise ShapeError(
            f"rows: expected [..., n, d] with n ≥ {_LEAST_ROWS}, found {tuple(rows.shape)}."
        )
    if rows.dtype != torch.float64:
        raise DtypeError(f"rows: expected float64, found {rows.dtype}; convert with .double().")
    bad = int((~torch.isfinite(rows)).sum())
    if bad:
        raise NonFiniteError(f"rows: expected finite numbers, found {bad} that are not.")
    n, d = rows.shape[-2:]
    mean = rows.mean(dim=-2)
    centred = rows - mean[..., None, :]
    _, sizes, right = torch.linalg.svd(centred, full_matrices=False)
    e = min(n - 1, d)
    values = sizes[..., :e].square() / (n - 1)
    spread, size = centred.square().mean(dim=(-2, -1)), rows.square().mean(dim=(-2, -1))
    flat = spread <= (_ROUND_OFF * torch.finfo(rows.dtype).eps) ** 2 * size
    values = torch.where(flat[..., None], torch.nan, values)
    return SpectrumOfRows(values, right[..., :e, :].mT.contiguous(), mean, n, d)


def participation_ratio(eigenvalues: Float[Tensor, "... e"]) -> Float[Tensor, "..."]:
    """(Σλ)²/Σλ²: 1 for a single direction, d for d equal ones. NaN where all are 0."""
    return eigenvalues.sum(dim=-1).square() / eigenvalues.square().sum(dim=-1)


def isotropic_participation(num_rows: Whole, num_entries: Whole) -> float:
    """The participation ratio of isotropic normal rows: the harmonic mean, (md + 2)/(m + d + 1).

    Raises:
        ShapeError: Fewer than 3 rows or no entries.
    """
    num_rows, num_entries = whole_numbers(num_rows=num_rows, num_entries=num_entries)
    m, d = _freedom(num_rows, num_entries), num_entries
    return (m * d + 2) / (m + d + 1)


def concentration(spectrum: SpectrumOfRows) -> Float[Tensor, "..."]:
    """Σλ²/(Σλ)² over its mean for isotropic normal rows: 1 by chance, larger for fewer directions.

    At most `isotropic_participation`, where one direction has it all.
    """
    null = isotropic_participation(spectrum.num_rows, spectrum.num_entries)
    return null / participation_ratio(spectrum.eigenvalues)


def marchenko_pastur_edge(num_rows: Whole, num_entries: Whole) -> float:
    """(1 + √(d/m))², the upper end of the bulk of isotropic rows of variance 1.

    Raises:
        ShapeError: Fewer than 3 rows or no entries.

    Source: Marchenko and Pastur (1967), doi:10.1070/SM1967v001n04ABEH001994.
    """
    num_rows, num_entries = whole_numbers(num_rows=num_rows, num_entries=num_entries)
    m = _freedom(num_rows, num_entries)
    return 1 + num_entries / m + 2 * sqrt(num_entries / m)


def largest_by_chance(num_rows: Whole, num_entries: Whole) -> float:
    """What the largest eigenvalue of isotropic normal rows of variance 1 exceeds in 1 % of draws.

    With a = √(m - 1) and b = √d: ((a + b)² + 2.0234·(a + b)·(1/a + 1/b)^⅓)/m. One draw in six has
    an eigenvalue beyond the bare edge.

    Raises:
        ShapeError: Fewer than 3 rows or no entries.

    Source: Johnstone (2001), theorem 1.1.
    """
    num_rows, num_entries = whole_numbers(num_rows=num_rows, num_entries=num_entries)
    m = _freedom(num_rows, num_entries)
    a, b = sqrt(m - 1), sqrt(num_entries)
    scale = (a + b) * float((1 / a + 1 / b) ** (1 / 3))
    return ((a + b) ** 2 + _TRACY_WIDOM_99 * scale) / m


def num_beyond_edge(spectrum: SpectrumOfRows) -> Float[Tensor, "..."]:
    """How many components stand out of the noise; NaN where there is no spectrum.

    The largest j of at most e/2 whose eigenvalue exceeds what the largest of d - j + 1 isotropic
    directions exceeds in 1 % of draws, their variance being the mean of λ_j … λ_d. The j-th is
    looked at without those before it, so that many strong components do not hide one another; and
    as its own eigenvalue is in the mean, it errs on the side of too few.

    Source: the sequence of tests of Kritchman and Nadler (2008),
    doi:10.1016/j.chemolab.2008.06.002, taken from below.
    """
    values = spectrum.eigenvalues
    rest = values.flip(-1).cumsum(-1).flip(-1)
    count = torch.zeros(values.shape[:-1], dtype=values.dtype, device=values.device)
    for j in range(values.shape[-1] // 2):
        left = spectrum.num_entries - j
        limit = largest_by_chance(spectrum.num_rows, left) * rest[..., j] / left
        count = torch.where(values[..., j] > limit, j + 1.0, count)
    return torch.where(values.isfinite().all(dim=-1), count, torch.nan)


def held_out_share(rows: Float[Tensor, "n d"], num_components: Whole) -> Float[Tensor, " n"]:
    """How much of a row the leading components of *other* rows explain, over what chance gives.

    Every other row, from the first on, finds the components; the rest are projected on the first k
    of them: ‖P·(g - mean)‖²/‖g - mean‖² over k/d, mean and P of the rows that found them, which
    are NaN themselves. For independent isotropic rows the mean is 1; where one direction has it
    all, d/k. Rows that are tested are independent of one another, given the components. Were each
    row tested with components that all others found, rows that share a direction by chance would
    vouch for each other, and a test over rows would be wrong too often.

    Args:
        rows: One a problem.
        num_components: k.

    Raises:
        ShapeError: Fewer than k + 2 rows find the components, or k is not in 1 … d.
        DtypeError, NonFiniteError: As `centred_svd`.
    """
    num_components = whole("num_components", num_components)
    n, d = rows.shape
    finding, tested = rows[::2], rows[1::2]
    if not 1 <= num_components <= d or len(finding) < num_components + 2 or not len(tested):
        raise ShapeError(
            f"held_out_share: expected k in 1 … {d} and k + 2 rows in the half that finds "
            f"components, found k = {num_components} and {n} rows."
        )
    found = centred_svd(finding)
    off = tested - found.mean
    inside = (off @ found.components[:, :num_components]).square().sum(dim=-1)
    out = torch.full((n,), torch.nan, dtype=rows.dtype, device=rows.device)
    out[1::2] = inside / off.square().sum(dim=-1) * d / num_components
    return out


def bootstrap_error(
    rows: Float[Tensor, "n d"],
    statistic_fn: Callable[[Float[Tensor, "n d"]], Float[Tensor, ""]],
    *,
    seed: Whole,
    num_resamples: Whole = 200,
) -> float:
    """The standard error of a number of n rows, by resampling the rows.

    Only the spread of the resampled numbers is used: a resample repeats rows, which makes its
    spectrum more concentrated than that of new rows, so that their percentiles are off.

    Args:
        rows: One a problem, the unit of replication.
        statistic_fn: Rows → a number.
        seed: Of the resampling.
        num_resamples: How many.
    """
    seed, num_resamples = whole_numbers(seed=seed, num_resamples=num_resamples)
    rng = np.random.default_rng(seed)
    n = rows.shape[0]
    found = [
        float(statistic_fn(rows[torch.from_numpy(rng.integers(0, n, size=n))]))
        for _ in range(num_resamples)
    ]
    return float(np.nanstd(found, ddof=1)) if np.isfinite(found).any() else float("nan")


def _freedom(num_rows: int, num_entries: int) -> int:
    if num_rows < _LEAST_ROWS or num_entries < 1:
        raise ShapeError(
            f"spectrum: expected at least {_LEAST_ROWS} rows and 1 entry, found {num_rows} and "
            f"{num_entries}."
        )
    return num_rows - 1
