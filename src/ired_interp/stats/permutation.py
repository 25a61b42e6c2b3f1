"""Sign-flip permutation tests: is a paired difference larger than chance signs would make it?"""

from dataclasses import dataclass

import numpy as np

from ired_interp.checks import Whole, whole_numbers
from ired_interp.errors import NonFiniteError, ShapeError
from ired_interp.stats.intervals import FloatArray, IntArray

__all__ = ["NUM_DRAWS", "SignFlip", "sign_flip"]

NUM_DRAWS = 9_999
_SAME = 1e-12  # of Σ|d|: sums that differ by rounding alone are equal
_ROWS = 64  # at once: 64 rows of 9,999 sums are 5 MB


@dataclass(frozen=True, slots=True)
class SignFlip:
    """One-sided p values of differences around 0.

    Attributes:
        greater: That the mean is above 0, shape [...]; NaN where no difference is defined.
        less: That it is below 0, likewise.
        count: How many differences are defined, [...].
        exact: All 2ⁿ signs were enumerated; else the p values are of ``NUM_DRAWS`` draws.
    """

    greater: FloatArray
    less: FloatArray
    count: IntArray
    exact: bool


def sign_flip(differences: FloatArray, *, seed: Whole, num_draws: Whole = NUM_DRAWS) -> SignFlip:
    """Sign-flip test of the mean, row by row: exact where 2ⁿ ≤ num_draws + 1, drawn else.

    If a difference is as likely to be d as -d, all signs of the d_i are equally likely, and
    p = P(Σ s_i·d_i ≥ Σ d_i) over the signs s. Drawn signs count the observed one as a draw,
    p = (1 + #{…}) / (1 + num_draws), so that p is never 0. A difference of exactly 0 changes no
    sum. The order of the differences changes nothing, and the two sides are mirror images:
    ``sign_flip(-d).greater`` is ``sign_flip(d).less``, to the bit.

    Args:
        differences: Of independent units, shape [..., n]; NaN where one is not defined.
        seed: Of the drawn signs.
        num_draws: How many.

    Raises:
        ShapeError: No axis, or fewer than 1 draw.
        NonFiniteError: An infinite difference.

    Source: Fisher (1935), The Design of Experiments, §21; for drawn permutations Phipson & Smyth
    (2010), doi:10.2202/1544-6115.1585.
    """
    seed, num_draws = whole_numbers(seed=seed, num_draws=num_draws)
    if differences.ndim == 0 or differences.shape[-1] == 0 or num_draws < 1:
        raise ShapeError(
            "sign_flip: expected differences [..., n] with n ≥ 1 and at least 1 draw, found shape "
            f"{differences.shape} and {num_draws} draws."
        )
    if np.isinf(differences).any():
        raise NonFiniteError(
            f"sign_flip: expected finite differences or NaN, found {np.isinf(differences).sum()} "
            "infinite. Say NaN where a difference is not defined."
        )
    n = differences.shape[-1]
    known = np.isfinite(differences)
    rows = np.where(known, differences, 0.0).reshape(-1, n)
    sizes = np.sort(np.abs(rows), axis=-1)
    observed = rows.sum(axis=-1)
    exact = 2**n <= num_draws + 1
    signs = _all_signs(n) if exact else _drawn_signs(n, num_draws, seed)
    above, below = np.empty(len(rows)), np.empty(len(rows))
    for first in range(0, len(rows), _ROWS):
        part = slice(first, first + _ROWS)
        sums = sizes[part] @ signs.T
        slack = _SAME * sizes[part].sum(axis=-1)
        above[part] = (sums >= (observed[part] - slack)[:, None]).sum(axis=-1)
        below[part] = (sums >= (-observed[part] - slack)[:, None]).sum(axis=-1)
    extra = 0 if exact else 1
    total = len(signs) + extra
    count = known.sum(axis=-1)
    shape = differences.shape[:-1]
    undefined = count == 0
    return SignFlip(
        greater=np.where(undefined, np.nan, ((above + extra) / total).reshape(shape)),
        less=np.where(undefined, np.nan, ((below + extra) / total).reshape(shape)),
        count=np.asarray(count, dtype=np.int64),
        exact=exact,
    )


def _all_signs(n: int) -> FloatArray:
    """All 2ⁿ rows of ±1."""
    bits = np.arange(2**n)[:, None] >> np.arange(n) & 1
    return (1 - 2 * bits).astype(np.float64)


def _drawn_signs(n: int, num_draws: int, seed: int) -> FloatArray:
    bits = np.random.default_rng(seed).integers(0, 2, size=(num_draws, n))
    return (1 - 2 * bits).astype(np.float64)
