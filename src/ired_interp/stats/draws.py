"""Is what was studied further off than the draws of its control are from one another?"""

from dataclasses import dataclass

import numpy as np

from ired_interp.checks import Whole, whole
from ired_interp.errors import ShapeError
from ired_interp.stats.intervals import FloatArray

__all__ = ["BeyondDraws", "beyond_draws"]

_FEWEST = 2  # for a spread
_SAME = 1e-12  # of the largest contrast: draws that differ by rounding alone are one


@dataclass(frozen=True, slots=True)
class BeyondDraws:
    """One-sided p values against the spread of a control's draws.

    Attributes:
        greater: That the studied lies above the population of draws; NaN with fewer than 2.
        less: That it lies below.
        count: How many draws are defined.
    """

    greater: float
    less: float
    count: int


def beyond_draws(contrasts: FloatArray, *, num_models: Whole) -> BeyondDraws:
    """Prediction test: could the studied be one more draw of the control?

    With g_j = mean over problems of (effect - draw j), t = ḡ / (s_g·√(1/M + 1/D)) has Student's t
    distribution with D - 1 degrees of freedom if the M studied models and the D draws come from
    one normal population. A draw (a network with untrained weights) sways all problems at once, so
    that a test over problems, however many, finds any network to differ from any other; this test
    does not. Few draws make it weak: t must exceed 12.7, 3.18 and 2.26 with 2, 4 and 10 of them.

    Args:
        contrasts: g, one a draw, shape [D]; NaN where a draw is not defined.
        num_models: M.

    Raises:
        ShapeError: Not one number a draw, or no model.

    Source: the prediction interval of a future mean; Hahn (1969),
    doi:10.1080/00401706.1969.10490742.
    """
    num_models = whole("num_models", num_models)
    if contrasts.ndim != 1 or num_models < 1:
        raise ShapeError(
            "beyond_draws: expected one contrast a draw and at least 1 model, found shape "
            f"{contrasts.shape} and {num_models} models."
        )
    known = contrasts[np.isfinite(contrasts)]
    if known.size < _FEWEST:
        return BeyondDraws(float("nan"), float("nan"), int(known.size))
    from scipy.stats import t as student

    mean, spread = float(known.mean()), float(known.std(ddof=1))
    if spread <= _SAME * np.abs(known).max():  # one draw, repeated: only its side is known
        sides = {True: 0.0, False: 1.0}
        return BeyondDraws(sides[mean > 0], sides[mean < 0], int(known.size))
    size = mean / (spread * (1 / num_models + 1 / known.size) ** 0.5)
    freedom = known.size - 1
    return BeyondDraws(
        float(student.sf(size, freedom)), float(student.cdf(size, freedom)), int(known.size)
    )
