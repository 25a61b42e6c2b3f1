"""Slopes of each problem by itself: how a quantity changes from level to level."""

from dataclasses import dataclass

import numpy as np

from ired_interp.errors import ShapeError
from ired_interp.stats.intervals import FloatArray, IntArray

__all__ = ["Slope", "log_log_slope", "slope"]

_SAME = 1e-12  # of the largest |x|: positions that differ by rounding alone are one


@dataclass(frozen=True, slots=True)
class Slope:
    """A slope of each row.

    Attributes:
        slope: Shape [...]; NaN where fewer than 2 different positions are defined.
        count: How many points of each row are defined, [...].
    """

    slope: FloatArray
    count: IntArray


def slope(values: FloatArray, positions: FloatArray) -> Slope:
    """Least-squares slope of values over positions along the last axis; NaN are left out.

    Σ (x - x̄)(y - ȳ) / Σ (x - x̄)². One number a problem: the levels of a problem are not
    independent, so no error is taken from them, only from the spread over problems.

    Args:
        values: y, shape [..., K].
        positions: x, shape [K] or [..., K].

    Raises:
        ShapeError: The last axes differ, or there is none.
    """
    if values.ndim == 0 or positions.ndim == 0 or values.shape[-1] != positions.shape[-1]:
        raise ShapeError(
            f"slope: expected values [..., K] and positions [K] or [..., K], found "
            f"{values.shape} and {positions.shape}."
        )
    values, positions = np.broadcast_arrays(values, positions)
    known = np.isfinite(values) & np.isfinite(positions)
    count = known.sum(axis=-1)
    y, x = np.where(known, values, 0.0), np.where(known, positions, 0.0)
    reach = np.abs(x).max(axis=-1, initial=0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        x = np.where(known, x - (x.sum(axis=-1) / count)[..., None], 0.0)
        y = np.where(known, y - (y.sum(axis=-1) / count)[..., None], 0.0)
        spread = (x**2).sum(axis=-1)
        found = (x * y).sum(axis=-1) / spread
    different = np.abs(x).max(axis=-1, initial=0.0) > _SAME * reach
    return Slope(np.where(different, found, np.nan), np.asarray(count, dtype=np.int64))


def log_log_slope(values: FloatArray, positions: FloatArray) -> Slope:
    """Slope of log(values) over log(positions); what is not positive has no logarithm.

    Of σ_t·λ over σ_t it is 0 for the ideal landscape I/σ_t, whose spectrum sharpens only as it
    must, and -1 where λ doubles in excess of that when σ_t is halved.

    Args:
        values: Shape [..., K]; values ≤ 0 or NaN are left out, and ``count`` says so. Where they
            are many the slope is of a selection: report the count.
        positions: Shape [K] or [..., K], positive.

    Raises:
        ShapeError: The last axes differ, or there is none.
    """
    return slope(_log(values), _log(positions))


def _log(value: FloatArray) -> FloatArray:
    positive = value > 0
    logs: FloatArray = np.log(value, out=np.full(value.shape, np.nan), where=positive)
    return logs
