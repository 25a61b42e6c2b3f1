"""Rank correlations of each problem by itself, and trends over levels."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ired_interp.errors import ShapeError
from ired_interp.stats.intervals import FloatArray, IntArray

__all__ = ["Correlation", "PageTrend", "page_trend", "partial_spearman", "spearman", "tied"]

_SAME = 8 * float(np.finfo(np.float64).eps)
_FEWEST = 3  # two points correlate perfectly
_FEWEST_LEVELS = 3
_FEWEST_ROWS = 2


@dataclass(frozen=True, slots=True)
class Correlation:
    """A correlation of each row.

    Attributes:
        coefficient: In -1 … 1, shape [...]; NaN where fewer than 3 points are defined, or one of
            the two does not vary (all tied).
        count: How many points of each row are defined in all arguments, [...].
    """

    coefficient: FloatArray
    count: IntArray


@dataclass(frozen=True, slots=True)
class PageTrend:
    """Page's test that values rise along the levels, within problems.

    Attributes:
        statistic: L = Σ_j j·R_j, R_j the sum over problems of level j's rank.
        p_value: One-sided.
        count: How many problems have a value at every level; the others are left out.
    """

    statistic: float
    p_value: float
    count: int


def spearman(first: FloatArray, second: FloatArray) -> Correlation:
    """Spearman's rank correlation along the last axis: one a problem, never pooled.

    Args:
        first: Shape [..., m]: m perturbations, steps or levels of each problem.
        second: Likewise; the leading axes broadcast.

    Returns:
        Tied values share the mean of their ranks; a point that is NaN in one is left out of both.
        Values count as tied where they differ by round-off, 8·ε of their size.

    Raises:
        ShapeError: The last axes differ, or there is none.

    Source: Spearman (1904), doi:10.2307/1412159.
    """
    (first, second), known = _aligned(first, second)
    return _correlation(_ranks(first, known), _ranks(second, known), known)


def partial_spearman(first: FloatArray, second: FloatArray, given: FloatArray) -> Correlation:
    """Spearman's correlation of what is left of two when a third is held fixed.

    ρ₁₂·₃ = (ρ₁₂ - ρ₁₃·ρ₂₃)/√((1 - ρ₁₃²)(1 - ρ₂₃²)), by problem: what energy has in common with a
    distance beyond what both have in common with ‖δy‖. What is taken away is linear in the ranks,
    so that of two that depend on a third alone a little may be left (0.05 where the plain
    correlation is 0.8): compare with a control, and do not test against 0 with many problems.

    Args:
        first: Shape [..., m].
        second: Likewise.
        given: What is held fixed, likewise.

    Returns:
        NaN also where ``given`` determines the ranks of ``first`` or ``second``: nothing is left.
        Where ``given`` does not vary it holds nothing fixed, and the answer is `spearman`'s.

    Raises:
        ShapeError: The last axes differ, or there is none.

    Source: Kendall (1942), doi:10.1093/biomet/32.3-4.277; Kim (2015),
    doi:10.5351/CSAM.2015.22.6.665.
    """
    (first, second, given), known = _aligned(first, second, given)
    one, two, three = (_ranks(value, known) for value in (first, second, given))
    return _correlation(_residual(one, three), _residual(two, three), known)


def page_trend(values: FloatArray) -> PageTrend:
    """Page's trend test over problems: do values rise from the first level to the last?

    Ranks are within a problem, so that problems may differ in size; ties share their mean rank.
    Levels of one problem are not independent of one another, and are not taken to be: the problem
    is what is repeated.

    Args:
        values: Shape [n, levels], in the order in which they are said to rise.

    Returns:
        NaN with fewer than 2 complete problems. For a fall give the levels in reverse.

    Raises:
        ShapeError: Not [n, levels] with at least 3 levels.

    Source: Page (1963), doi:10.1080/01621459.1963.10500843, as scipy.stats.page_trend_test has it:
    exact for few problems and levels.
    """
    if values.ndim != 2 or values.shape[1] < _FEWEST_LEVELS:  # noqa: PLR2004 - the number of axes
        raise ShapeError(
            f"page_trend: expected values [n, levels] at 3 levels or more, found {values.shape}."
        )
    whole = values[np.isfinite(values).all(axis=1)]
    if len(whole) < _FEWEST_ROWS:
        return PageTrend(float("nan"), float("nan"), len(whole))
    from scipy.stats import page_trend_test, rankdata

    ranks = rankdata(tied(whole), axis=1)
    found = page_trend_test(ranks, ranked=True)
    return PageTrend(float(found.statistic), float(found.pvalue), len(whole))


def tied(value: FloatArray) -> FloatArray:
    """The places of values along the last axis: those that differ by round-off share one.

    Neighbours in size are one where they differ by at most 8·ε of the larger; NaN come last.
    """
    order = np.argsort(value, axis=-1)
    line = np.take_along_axis(value, order, axis=-1)
    size = np.maximum(np.abs(line[..., 1:]), np.abs(line[..., :-1]))
    with np.errstate(invalid="ignore"):
        apart = ~(np.diff(line, axis=-1) <= _SAME * size)
    places = np.zeros(value.shape)
    np.cumsum(apart, axis=-1, out=places[..., 1:])
    out = np.empty(value.shape)
    np.put_along_axis(out, order, places, axis=-1)
    return out


def _aligned(*values: FloatArray) -> tuple[list[FloatArray], npt.NDArray[np.bool_]]:
    """The arrays in one shape, and where all of them are defined."""
    sizes = {value.shape[-1] if value.ndim else None for value in values}
    if len(sizes) != 1 or None in sizes:
        raise ShapeError(
            "rank correlation: expected arrays [..., m] with one m, found shapes "
            f"{', '.join(str(value.shape) for value in values)}."
        )
    aligned: list[FloatArray] = list(np.broadcast_arrays(*values))
    known = np.logical_and.reduce([np.isfinite(value) for value in aligned])
    return aligned, known


def _ranks(value: FloatArray, known: npt.NDArray[np.bool_]) -> FloatArray:
    """Centred ranks within each row, 0 where a point is not defined."""
    # Imported here: it takes a second, which every start of the command line would pay.
    from scipy.stats import rankdata

    if value.shape[-1] == 0:
        return np.zeros(value.shape)
    ranks = rankdata(np.where(known, tied(value), np.nan), axis=-1, nan_policy="omit")
    middle = (known.sum(axis=-1, keepdims=True) + 1) / 2
    return np.where(known, ranks - middle, 0.0)


def _residual(value: FloatArray, given: FloatArray) -> FloatArray:
    """What is left of a row when its projection on another is taken away."""
    size = (given**2).sum(axis=-1, keepdims=True)
    along = (value * given).sum(axis=-1, keepdims=True)
    share = np.divide(along, size, out=np.zeros_like(along), where=size > 0)
    left: FloatArray = value - given * share
    return left


def _correlation(one: FloatArray, two: FloatArray, known: npt.NDArray[np.bool_]) -> Correlation:
    """Of centred rows; not defined where nothing varies, which sums of ranks tell exactly."""
    count = known.sum(axis=-1)
    sizes = (one**2).sum(axis=-1), (two**2).sum(axis=-1)
    defined = (count >= _FEWEST) & (sizes[0] > 0) & (sizes[1] > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = (one * two).sum(axis=-1) / np.sqrt(sizes[0] * sizes[1])
    return Correlation(
        coefficient=np.where(defined, np.clip(found, -1.0, 1.0), np.nan),
        count=np.asarray(count, dtype=np.int64),
    )
