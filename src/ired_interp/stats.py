"""Statistics over problems: the problem is the unit of replication, never an eigenvalue."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ired_interp.errors import ShapeError

__all__ = ["Interval", "bootstrap_mean"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over problems with its confidence interval.

    Attributes:
        mean: Over the problems that have a finite value; NaN if there is none.
        low: Lower end; NaN where fewer than 2 problems are finite.
        high: Upper end, likewise.
        count: How many problems have a finite value.
    """

    mean: float
    low: float
    high: float
    count: int


def bootstrap_mean(
    values: FloatArray,
    *,
    seed: int,
    confidence: float = 0.95,
    num_resamples: int = 2_000,
) -> Interval:
    """The mean over problems with a bias-corrected and accelerated bootstrap interval.

    Args:
        values: One number a problem, shape [n]; those that are not finite are left out, and
            ``count`` says so.
        seed: Of the resampling.
        confidence: Coverage that is aimed at.
        num_resamples: Bootstrap samples.

    Raises:
        ShapeError: ``values`` is not one number a problem.

    Source: Efron (1987), doi:10.1080/01621459.1987.10478410, as scipy.stats.bootstrap has it.
    """
    if values.ndim != 1:
        raise ShapeError(f"bootstrap_mean: expected one number a problem, found {values.shape}.")
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return Interval(float("nan"), float("nan"), float("nan"), 0)
    mean = float(finite.mean())
    if finite.size == 1:
        return Interval(mean, float("nan"), float("nan"), 1)
    if np.ptp(finite) <= np.finfo(np.float64).eps * np.abs(finite).max():
        return Interval(mean, mean, mean, int(finite.size))
    # Imported here: it takes a second, which every start of the command line would pay.
    from scipy import stats

    result = stats.bootstrap(
        (finite,),
        np.mean,
        vectorized=True,
        confidence_level=confidence,
        n_resamples=num_resamples,
        method="BCa",
        rng=np.random.default_rng(seed),
    )
    low, high = (float(end) for end in result.confidence_interval)
    return Interval(mean, low, high, int(finite.size))
