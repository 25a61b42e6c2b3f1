"""A proportion with an exact interval."""

from ired_interp.checks import Real, Whole, real, whole_numbers
from ired_interp.errors import ShapeError
from ired_interp.stats.intervals import Interval

__all__ = ["proportion"]


def proportion(successes: Whole, trials: Whole, *, confidence: Real = 0.95) -> Interval:
    """A proportion with its Clopper-Pearson interval, which covers at least as often as it says.

    Args:
        successes: Out of ``trials``.
        trials: Independent ones.
        confidence: Coverage that is guaranteed, each end at (1 - confidence)/2.

    Raises:
        ShapeError: Not 0 ≤ successes ≤ trials with at least 1 trial, or a confidence outside
            (0, 1).

    Source: Clopper & Pearson (1934), doi:10.1093/biomet/26.4.404, as scipy.stats.binomtest has it.
    """
    successes, trials = whole_numbers(successes=successes, trials=trials)
    confidence = real("confidence", confidence)
    if not 0 <= successes <= trials or trials < 1 or not 0 < confidence < 1:
        raise ShapeError(
            "proportion: expected 0 ≤ successes ≤ trials, trials ≥ 1 and a confidence in (0, 1), "
            f"found {successes} of {trials} at {confidence}."
        )
    # Imported here: it takes a second, which every start of the command line would pay.
    from scipy import stats

    found = stats.binomtest(successes, trials).proportion_ci(confidence, method="exact")
    return Interval(successes / trials, float(found.low), float(found.high), trials)
