"""Several hypotheses of one experiment: the p values that remain after looking at all of them."""

import numpy as np

from ired_interp.errors import NonFiniteError, ShapeError
from ired_interp.stats.intervals import FloatArray

__all__ = ["holm"]


def holm(p_values: FloatArray) -> FloatArray:
    """Holm's adjusted p values; those at most α bound the chance of any false one by α.

    The i-th smallest of m becomes max over j ≤ i of (m - j + 1)·p_(j), at most 1. Nothing is asked
    of how the tests depend on one another.

    Args:
        p_values: Of the m tests, shape [m]; each in 0 … 1. Tests not made are not in it.

    Returns:
        Shape [m], in the same order; never below ``p_values``.

    Raises:
        ShapeError: Not one axis.
        NonFiniteError: Outside 0 … 1, or NaN.

    Source: Holm (1979), Scand. J. Statist. 6, 65-70.
    """
    if p_values.ndim != 1:
        raise ShapeError(f"holm: expected p values [m], found shape {p_values.shape}.")
    wrong = ~((p_values >= 0) & (p_values <= 1))
    if wrong.any():
        raise NonFiniteError(
            f"holm: expected p values in 0 … 1, found {wrong.sum()} others of {p_values.size}. "
            "Leave out tests that were not made."
        )
    order = np.argsort(p_values, kind="stable")
    steps = np.arange(p_values.size, 0, -1) * p_values[order]
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted
