"""Means over problems, and over models, with bootstrap intervals."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ired_interp.checks import Real, Whole, real, whole_numbers
from ired_interp.errors import ShapeError

__all__ = [
    "FloatArray",
    "IntArray",
    "Interval",
    "Intervals",
    "bootstrap_mean",
    "bootstrap_means",
    "clustered_mean",
    "skill",
    "unit_means",
]

_NUMBERS_AT_ONCE = 2**20  # resampled: 8 MiB
_SAME = 8 * np.finfo(np.float64).eps  # nothing but rounding: there is nothing to resample
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


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


@dataclass(frozen=True, slots=True)
class Intervals:
    """`Interval` of each of several rows of numbers, shape [...] each."""

    mean: FloatArray
    low: FloatArray
    high: FloatArray
    count: IntArray


def bootstrap_mean(
    values: FloatArray,
    *,
    seed: Whole,
    confidence: Real = 0.95,
    num_resamples: Whole = 2_000,
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
    found = bootstrap_means(values, seed=seed, confidence=confidence, num_resamples=num_resamples)
    return Interval(float(found.mean), float(found.low), float(found.high), int(found.count))


def bootstrap_means(
    values: FloatArray,
    *,
    seed: Whole,
    confidence: Real = 0.95,
    num_resamples: Whole = 2_000,
) -> Intervals:
    """`bootstrap_mean` along the last axis: each row has the numbers that it has alone.

    Rows of equally many finite problems are resampled alike.

    Args:
        values: Shape [..., n], a row of one number a problem.
        seed: Of the resampling.
        confidence: Coverage that is aimed at.
        num_resamples: Bootstrap samples.

    Raises:
        ShapeError: ``values`` has no axis.
    """
    seed, num_resamples = whole_numbers(seed=seed, num_resamples=num_resamples)
    confidence = real("confidence", confidence)
    if values.ndim == 0:
        raise ShapeError("bootstrap_means: expected one number a problem, found a single number.")
    shape = values.shape[:-1]
    rows = np.asarray(values, dtype=np.float64).reshape(math.prod(shape), values.shape[-1])
    finite = np.isfinite(rows)
    counts = finite.sum(axis=1)
    mean, low, high = (np.full(len(rows), np.nan) for _ in range(3))
    for count in np.unique(counts[counts > 0]):
        alike = np.flatnonzero(counts == count)
        table = rows[alike][finite[alike]].reshape(alike.size, count)
        mean[alike] = table.mean(axis=1)
        if count == 1:
            continue
        # Values this close leave means without one of them that are equal: nothing to resample.
        rounding = max(_SAME, count * np.finfo(np.float64).eps)
        constant = np.ptp(table, axis=1) <= rounding * np.abs(table).max(axis=1)
        low[alike[constant]] = high[alike[constant]] = mean[alike[constant]]
        most = max(1, _NUMBERS_AT_ONCE // (num_resamples * int(count)))
        there = np.flatnonzero(~constant)
        for first in range(0, there.size, most):
            some = there[first : first + most]
            at = alike[some]
            low[at], high[at] = _bca((table[some],), _mean, seed, confidence, num_resamples)
    return Intervals(
        mean.reshape(shape), low.reshape(shape), high.reshape(shape), counts.reshape(shape)
    )


def unit_means(values: FloatArray, unit: IntArray) -> FloatArray:
    """The mean over the finite problems of each unit that has any, in the order of the units.

    Args:
        values: One number a problem, shape [n].
        unit: The larger unit that a problem belongs to, such as a trained model, shape [n].

    Raises:
        ShapeError: Not one number and one unit a problem.
    """
    if values.ndim != 1 or unit.shape != values.shape:
        raise ShapeError(
            "unit_means: expected one number and one unit a problem, found shapes "
            f"{values.shape} and {unit.shape}."
        )
    finite = np.isfinite(values)
    order = np.lexsort((values[finite], unit[finite]))  # sums that know no order of the problems
    _, index = np.unique(unit[finite][order], return_inverse=True)
    sums = np.bincount(index, weights=values[finite][order])
    means: FloatArray = sums / np.bincount(index)
    return means


def clustered_mean(
    values: FloatArray,
    model: IntArray,
    *,
    seed: Whole,
    confidence: Real = 0.95,
    num_resamples: Whole = 2_000,
) -> Interval:
    """The mean over models, problems within models, with a BCa interval that resamples models.

    Every model counts once, however many problems it has. Models are drawn with all their
    problems: the spread of their means holds already what the problems contribute, so that to
    resample problems too would count it twice.

    Args:
        values: One number a problem, shape [n]; those that are not finite are left out.
        model: Which model a problem belongs to, shape [n].
        seed: Of the resampling.
        confidence: Coverage that is aimed at; with fewer than about 10 models it is not reached.
        num_resamples: Bootstrap samples.

    Returns:
        ``count`` is the number of finite problems. The ends are NaN with fewer than 2 models.

    Raises:
        ShapeError: Not one number and one model a problem.

    Source: Davison & Hinkley (1997), Bootstrap Methods and their Application, §3.8, strategy 1.
    """
    found = bootstrap_mean(
        unit_means(values, model), seed=seed, confidence=confidence, num_resamples=num_resamples
    )
    return Interval(found.mean, found.low, found.high, int(np.isfinite(values).sum()))


def skill(
    errors: FloatArray,
    rule_errors: FloatArray,
    *,
    seed: Whole,
    confidence: Real = 0.95,
    num_resamples: Whole = 2_000,
) -> Interval:
    """1 - MSE/MSE of a rule, paired by problem, with a BCa bootstrap interval over problems.

    Args:
        errors: Squared error of each problem, shape [n].
        rule_errors: The rule's at the same problems.
        seed: Of the resampling.
        confidence: Coverage that is aimed at.
        num_resamples: Bootstrap samples.

    Returns:
        The interval; ``mean`` is the skill at all problems, ``count`` their number. It is -inf
        where the rule makes no error and the other does, and NaN where neither does.

    Raises:
        ShapeError: Not one finite number ≥ 0 a problem in each, or fewer than 2 problems.

    Source: Murphy (1988), doi:10.1175/1520-0493(1988)116<2417:SSBOTM>2.0.CO;2, equation 1.
    """
    seed, num_resamples = whole_numbers(seed=seed, num_resamples=num_resamples)
    confidence = real("confidence", confidence)
    if errors.ndim != 1 or errors.shape != rule_errors.shape or errors.size < 2:  # noqa: PLR2004
        raise ShapeError(
            "skill: expected one error a problem of both, for at least 2 problems, found "
            f"{errors.shape} and {rule_errors.shape}."
        )
    both = np.stack([errors, rule_errors])
    if not (np.isfinite(both) & (both >= 0)).all():
        raise ShapeError("skill: expected finite squared errors ≥ 0, found others; leave them out.")

    def statistic(own: FloatArray, rule: FloatArray, axis: int = -1) -> Any:
        with np.errstate(divide="ignore", invalid="ignore"):
            return 1 - own.mean(axis=axis) / rule.mean(axis=axis)

    point = float(statistic(errors, rule_errors))
    known = Interval(point, point, point, int(errors.size))
    if not np.isfinite(point):
        return known
    if (np.abs(errors - (1 - point) * rule_errors) <= _SAME * errors.max()).all():
        return known
    low, high = _bca((errors, rule_errors), statistic, seed, confidence, num_resamples)
    return Interval(point, float(low), float(high), int(errors.size))


def _mean(samples: FloatArray, axis: int) -> Any:
    """In the order in which the samples of a row alone are added, however they lie in memory."""
    return np.ascontiguousarray(samples).mean(axis=axis)


def _bca(
    samples: tuple[FloatArray, ...],
    statistic: Callable[..., Any],
    seed: int,
    confidence: float,
    num_resamples: int,
) -> tuple[FloatArray, FloatArray]:
    """The bootstrap interval of a statistic over problems, the last axis; samples are paired."""
    # Imported here: it takes a second, which every start of the command line would pay.
    from scipy import stats

    result = stats.bootstrap(
        samples,
        statistic,
        paired=len(samples) > 1,
        axis=-1,
        vectorized=True,
        confidence_level=confidence,
        n_resamples=num_resamples,
        method="BCa",
        rng=np.random.default_rng(seed),
    )
    low, high = result.confidence_interval
    return np.asarray(low), np.asarray(high)
