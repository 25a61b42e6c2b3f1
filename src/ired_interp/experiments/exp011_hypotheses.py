"""What EXP-011 claims, as data: each claim with its null, its control and its statistic.

Errors are compared by (a - b)/(a + b), problem by problem: 0 where both ways are as good, 1 where
the second makes no error and the first does, and bounded, so that no problem outweighs the others.
"""

from collections.abc import Callable

import numpy as np
import xarray as xr

from ired_interp.anatomy import RELEASED
from ired_interp.experiments.hypothesis import Evidence, Hypothesis, Role
from ired_interp.experiments.model_evidence import Reduced, beside_untrained
from ired_interp.stats import FloatArray

__all__ = ["HYPOTHESES"]

_CONTROL = "the same network with untrained weights, at the same problems and starts"
# Answers of order 1 this many units in the last place off are as good as exact.
_ROUND_OFF = 1_000


def _gain(worse: str, better: str) -> Reduced:
    """By how much the error of one way exceeds that of another, in -1 … 1."""

    def of(data: xr.Dataset) -> FloatArray:
        a, b = (data["error"].sel(arm=name).values.astype(float) for name in (worse, better))
        total = a + b
        floor = (_ROUND_OFF * np.finfo(data["error"].dtype).eps) ** 2
        gain: FloatArray = np.divide(a - b, total, out=np.zeros_like(total), where=total > floor)
        return gain

    return of


def _apart(data: xr.Dataset) -> FloatArray:
    return np.asarray(data["apart"].sel(arm=RELEASED).values, dtype=np.float64)


def _statistic(of: Reduced, note: str) -> Callable[[xr.DataTree], Evidence]:
    return lambda results: beside_untrained(results, of, null=0.0, note=note)


def _claim(
    identity: str,
    statement: str,
    worse: str,
    better: str,
    source: str,
    *,
    role: Role = "confirmatory",
) -> Hypothesis:
    return Hypothesis(
        id=identity,
        statement=f"{statement}, by more than with untrained weights.",
        statistic=_statistic(_gain(worse, better), f"(a − b)/(a + b) of {worse} and {better}"),
        direction="greater",
        supports=f"an error of “{worse}” above that of “{better}”, and by more than untrained",
        refutes="an error below it, or a difference below that of untrained weights",
        control=_CONTROL,
        source=source,
        figure="errors",
        needs=("error",),
        role=role,
    )


_PAPER = "Du et al. (2024), table 3 and the released code"

HYPOTHESES = (
    _claim(
        "jumps-matter",
        "Without the denoising jump at each level answers are worse",
        "no-jump",
        RELEASED,
        f"{_PAPER}: the jump is in the code and not in algorithm 2",
    ),
    _claim(
        "steps-matter",
        "Without the inner steps answers are worse",
        "no-steps",
        RELEASED,
        f"{_PAPER}: gradient descent at each level is what the paper adds to denoising",
    ),
    _claim(
        "more-steps-matter",
        "Twenty inner steps a level answer better than five",
        RELEASED,
        "twenty-steps",
        "Du et al. (2024), table 2: more optimisation steps, better answers",
        role="exploratory",
    ),
    _claim(
        "doubling-matters",
        "Inner steps that are not doubled answer worse",
        "single-steps",
        RELEASED,
        "the released code doubles all but the first step; on the ideal quadratic that overshoots",
        role="exploratory",
    ),
    _claim(
        "levels-matter",
        "The last level alone answers worse than all of them",
        "last-level",
        RELEASED,
        "Du et al. (2024): annealing is what lets the descent find the answer",
    ),
    _claim(
        "newton-matters",
        "Newton steps with exact Hessians after the jumps answer better than the released rule",
        RELEASED,
        "jumps-newton",
        "if steps stop short of the minimum, and the minimum is nearer to the answer",
    ),
    Hypothesis(
        id="several-minima",
        statement=(
            "From different starts inference ends in the basins of different minima of one "
            "problem, more than with untrained weights."
        ),
        statistic=_statistic(_apart, "share of pairs of starts that end at different minima"),
        direction="greater",
        supports="pairs of starts that end at different minima, more than with untrained weights",
        refutes="fewer of them than with untrained weights",
        control=_CONTROL,
        source="a landscape that has to be searched would have more than one minimum",
        figure="minima",
        needs=("apart",),
    ),
)
