"""What EXP-007 claims, as data: each claim with its null, its control and its statistic.

Steps and levels are no replicates: each problem gives one number, a mean over steps or a slope over
their logarithm. The control is a series of untrained networks, one a step, which has no order. The
slopes are not those of ranks: a handful of networks in a chance order rise or fall with their place
however little they differ.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import xarray as xr

from ired_interp.experiments.hypothesis import Evidence, Hypothesis
from ired_interp.experiments.model_evidence import Reduced, beside_untrained, rows
from ired_interp.stats import FloatArray, slope

__all__ = ["HYPOTHESES"]

# Below that a distance from the ideal, or from a rule, is round-off.
_ROUND_OFF = 1e-9
_TINY = np.finfo(np.float64).tiny
_CONTROL = "a series of untrained networks at the same problems, one a step"


def _below(variable: str, beside: str) -> Reduced:
    """log of what an answer as wrong would have, by what the answer has; before the last step."""

    def of(data: xr.Dataset) -> FloatArray:
        early = data.sortby("step").isel(step=slice(None, -1))
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.log(rows(early[beside], "step") / rows(early[variable], "step"))
        return _mean(np.where(np.isfinite(ratio), ratio, np.nan))

    return of


def _slope(variable: str, *, log: bool, sign: float) -> Reduced:
    """Change over a tenfold of training steps, times a sign; mean over levels."""

    def of(data: xr.Dataset) -> FloatArray:
        values = rows(data[variable], "level", "step")
        if log:
            values = np.log(np.maximum(values, _ROUND_OFF))
        tenfold = np.log10(np.maximum(data["step"].values.astype(np.float64), 1.0))
        return _mean(sign * slope(values, tenfold).slope)

    return of


def _ladder(data: xr.Dataset) -> FloatArray:
    """How much nearer to each rule above the weakest answers are than answers as wrong, in -1 … 1.

    Each rule is compared at the step whose answer is as wrong as the rule, or nearest to that.
    """
    error = np.log(np.maximum(rows(data["error"], "step"), _TINY))[:, :, None]
    of_rule = np.log(np.maximum(rows(data["rule_error"], "rule"), _TINY))[:, None, 1:]
    place = np.abs(error - of_rule).argmin(axis=1)[:, None]
    own, wrong = (
        np.take_along_axis(rows(data[name], "step", "rule")[:, :, 1:], place, axis=1)[:, 0]
        for name in ("rule_distance", "wrong_rule_distance")
    )
    total = own + wrong
    return _mean(np.divide(wrong - own, total, out=np.zeros_like(total), where=total > _ROUND_OFF))


def _mean(values: FloatArray) -> FloatArray:
    """Over the last axis, of what is defined; NaN where nothing is."""
    known = np.isfinite(values)
    count = known.sum(axis=-1)
    total = np.where(known, values, 0.0).sum(axis=-1)
    mean: FloatArray = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return mean


def _statistic(of: Reduced, note: str, unit: str = "1") -> Callable[[xr.DataTree], Evidence]:
    return lambda results: replace(beside_untrained(results, of, null=0.0, note=note), unit=unit)


def _of_wrong(of: Reduced, note: str, *, last: bool) -> Callable[[xr.DataTree], Evidence]:
    """With the count of answers whose null has noise in it."""

    def statistic(results: xr.DataTree) -> Evidence:
        data = results.to_dataset().sortby("step")
        error = rows(data["error"], "step")[:, : None if last else -1]
        worse = int((error > rows(data["mean_error"])[:, None]).sum())
        said = f"{note}; {worse} of {error.size} answers are worse than the mean answer"
        return beside_untrained(results, of, null=0.0, note=said)

    return statistic


HYPOTHESES = (
    Hypothesis(
        id="low-rank-before-right",
        statement=(
            "Before the end of training answers have a lower effective rank than answers that are "
            "as wrong without such a bias, by more than those of untrained weights."
        ),
        statistic=_of_wrong(
            _below("effective_rank", "wrong_rank"),
            "log ratio, mean over steps before the last",
            last=False,
        ),
        direction="greater",
        supports="an effective rank below that of an answer as wrong without a bias",
        refutes="one above it, or a difference below that of untrained weights",
        control=_CONTROL,
        source="the plan's claim of an implicit bias to low rank; an answer that is wrong for any "
        "reason has another rank than the truth, so one as wrong is the null",
        figure="ranks",
        needs=("effective_rank", "wrong_rank", "error", "mean_error"),
    ),
    Hypothesis(
        id="small-norm-before-right",
        statement=(
            "Before the end of training answers have a smaller nuclear norm than answers that are "
            "as wrong without such a bias, by more than those of untrained weights."
        ),
        statistic=_of_wrong(
            _below("nuclear_norm", "wrong_nuclear"),
            "log ratio, mean over steps before the last",
            last=False,
        ),
        direction="greater",
        supports="a nuclear norm below that of an answer as wrong without a bias",
        refutes="one above it, or a difference below that of untrained weights",
        control=_CONTROL,
        source="as low-rank-before-right, for what nuclear-norm regularisation would do",
        figure="ranks",
        needs=("nuclear_norm", "wrong_nuclear", "error", "mean_error"),
    ),
    Hypothesis(
        id="ladder-is-climbed",
        statement=(
            "When the answer is as wrong as a trivial rule above the weakest, it is nearer to that "
            "rule than the straight way from the mean answer to the truth is at that error, by "
            "more than in a series of untrained weights."
        ),
        statistic=_of_wrong(
            _ladder, "(a − b)/(a + b) of distances, mean over rules above the weakest", last=True
        ),
        direction="greater",
        supports="answers nearer to the rules than answers as wrong on the straight way",
        refutes="answers further from them, or no nearer than with untrained weights",
        control=_CONTROL,
        source="simple functions first: Kalimeris et al. (2019), arXiv 1905.11604, for energies; "
        "whatever goes straight from the mean answer to the truth passes by every rule in order, "
        "so how near it passes is the null",
        figure="rules",
        needs=("rule_distance", "wrong_rule_distance", "rule_error", "error", "mean_error"),
    ),
    Hypothesis(
        id="landscape-becomes-ideal",
        statement=(
            "Along training the spectrum at typical points comes nearer to the ideal one, by more "
            "than in a series of untrained weights."
        ),
        statistic=_statistic(
            _slope("off_ideal", log=True, sign=-1.0),
            "fall of log rms(σλ − 1) a tenfold of steps, mean over levels",
        ),
        direction="greater",
        supports="a distance from the ideal that falls along training",
        refutes="one that rises, or falls less than in a series of untrained weights",
        control=_CONTROL,
        source="the ideal of the denoising loss, σλ = 1 where the answer is determined",
        figure="curvature",
        needs=("off_ideal",),
    ),
    Hypothesis(
        id="normal-sharpens",
        statement=(
            "Along training curvature over normal directions grows in proportion to that over "
            "tangent ones, by more than in a series of untrained weights."
        ),
        statistic=_statistic(
            _slope("split_ratio", log=False, sign=1.0),
            "rise of the log ratio a tenfold of steps, mean over levels",
        ),
        direction="greater",
        supports="a ratio that rises along training",
        refutes="one that falls, or rises less than in a series of untrained weights",
        control=_CONTROL,
        source="the plan's claim that training sharpens the landscape across the manifold; in the "
        "ideal of a determined answer the ratio is 1 at every step",
        figure="curvature",
        needs=("split_ratio",),
    ),
)
