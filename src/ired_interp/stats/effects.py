"""Effect sizes of paired differences: how large, where a p value says only how sure."""

from dataclasses import dataclass

import numpy as np

from ired_interp.errors import ShapeError
from ired_interp.stats.intervals import FloatArray, IntArray
from ired_interp.stats.ranks import tied

__all__ = ["PairedEffect", "paired_effect"]

_FEWEST = 3  # of 2 the factor is 0, as 1/s has no mean


@dataclass(frozen=True, slots=True)
class PairedEffect:
    """Sizes of paired differences, without units; shapes [...].

    Attributes:
        standardised: Hedges' g of differences: mean over standard deviation, times
            Γ(m/2)/(√(m/2)·Γ((m - 1)/2)) with m = n - 1, which takes the bias of few problems away.
            NaN where all are equal, and with fewer than 3 differences: the ratio of 2 has no mean.
        rank_biserial: (sum of ranks of |d| where d > 0 less where d < 0) over both, in -1 … 1: 1
            where every difference is above 0. NaN where all are 0.
        share_above: Of the differences that are above 0.
        count: How many differences are defined.
    """

    standardised: FloatArray
    rank_biserial: FloatArray
    share_above: FloatArray
    count: IntArray


def paired_effect(differences: FloatArray) -> PairedEffect:
    """Effect sizes over the last axis; NaN are left out and counted.

    Args:
        differences: Of independent units, shape [..., n].

    Raises:
        ShapeError: No axis.

    Source: Hedges (1981), doi:10.3102/10769986006002107, whose exact factor this is, not its
    approximation 1 - 3/(4·m - 1), which is 2 % off at n = 3; Kerby (2014),
    doi:10.2466/11.IT.3.1.
    """
    if differences.ndim == 0:
        raise ShapeError("paired_effect: expected differences [..., n], found a number.")
    # Imported here: it takes a second, which every start of the command line would pay.
    from scipy.special import gammaln
    from scipy.stats import rankdata

    known = np.isfinite(differences)
    count = known.sum(axis=-1)
    filled = np.where(known, differences, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = filled.sum(axis=-1) / count
        squares = np.where(known, (filled - mean[..., None]) ** 2, 0.0).sum(axis=-1)
        spread = np.sqrt(squares / (count - 1))
        floor = 8 * np.finfo(np.float64).eps * np.abs(filled).max(axis=-1, initial=0.0)
        varies = (count >= _FEWEST) & (spread > floor)
        freedom = np.maximum(count - 1, _FEWEST - 1)
        factor = np.exp(gammaln(freedom / 2) - gammaln((freedom - 1) / 2)) / np.sqrt(freedom / 2)
        standardised = np.where(varies, mean / spread * factor, np.nan)
        moved = known & (filled != 0)
        sizes = np.where(moved, tied(np.abs(filled)), np.nan)
        ranks = rankdata(sizes, axis=-1, nan_policy="omit")
        ranks = np.where(moved, ranks, 0.0)
        rank_biserial = (ranks * np.sign(filled)).sum(axis=-1) / ranks.sum(axis=-1)
        share = (known & (filled > 0)).sum(axis=-1) / count
    return PairedEffect(
        standardised=np.asarray(standardised),
        rank_biserial=np.asarray(rank_biserial),
        share_above=np.asarray(share),
        count=np.asarray(count, dtype=np.int64),
    )
