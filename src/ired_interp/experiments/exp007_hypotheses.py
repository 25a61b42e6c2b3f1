"""What EXP-007 claims, as data: each claim with its null, its control and its statistic.

Steps and levels are no replicates: each problem gives one number, a mean or a rank correlation with
the step. The control is a series of untrained networks, one a step, which has no order.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import xarray as xr

from ired_interp.experiments.hypothesis import Evidence, Hypothesis
from ired_interp.experiments.model_evidence import Reduced, beside_untrained
from ired_interp.stats import FloatArray, spearman

__all__ = ["HYPOTHESES"]

_CONTROL = "a series of untrained networks at the same problems, one a step"


def _below(variable: str, beside: str) -> Reduced:
    """log of what an answer as wrong would have, by what the answer has; before the last step."""

    def of(data: xr.Dataset) -> FloatArray:
        early = data.isel(step=slice(None, -1))
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.log(early[beside].values / early[variable].values)
        return _mean(np.where(np.isfinite(ratio), ratio, np.nan), early[variable].dims)

    return of


def _trend(variable: str, sign: float) -> Reduced:
    """Rank correlation with the step, times a sign; levels are averaged first."""

    def of(data: xr.Dataset) -> FloatArray:
        values = data[variable].mean("level") if "level" in data[variable].dims else data[variable]
        table = values.transpose("problem", "step").values.astype(float)
        steps = np.broadcast_to(np.arange(table.shape[1], dtype=float), table.shape)
        found: FloatArray = sign * spearman(table, steps).coefficient
        return found

    return of


def _ladder(data: xr.Dataset) -> FloatArray:
    """How many steps of the series later the answer is nearest to the last rule than the first."""
    distance = data["rule_distance"].transpose("problem", "step", "rule").values
    first, last = distance[..., 0].argmin(axis=1), distance[..., -1].argmin(axis=1)
    between: FloatArray = (last - first).astype(np.float64)
    return between


def _mean(values: FloatArray, dims: tuple[object, ...]) -> FloatArray:
    axis = dims.index("step")
    known = np.isfinite(values)
    count = known.sum(axis=axis)
    total = np.where(known, values, 0.0).sum(axis=axis)
    mean: FloatArray = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return mean


def _statistic(of: Reduced, note: str, unit: str) -> Callable[[xr.DataTree], Evidence]:
    return lambda results: replace(beside_untrained(results, of, null=0.0, note=note), unit=unit)


HYPOTHESES = (
    Hypothesis(
        id="low-rank-before-right",
        statement=(
            "Before the end of training answers have a lower effective rank than answers that are "
            "as wrong without such a bias, by more than those of untrained weights."
        ),
        statistic=_statistic(
            _below("effective_rank", "wrong_rank"), "log ratio, mean over steps before the last", ""
        ),
        direction="greater",
        supports="an effective rank below that of the point between truth and mean of that error",
        refutes="one above it, or a difference below that of untrained weights",
        control=_CONTROL,
        source="the plan's claim of an implicit bias to low rank; an answer that is wrong for any "
        "reason has another rank than the truth, so one as wrong is the null",
        figure="ranks",
        needs=("effective_rank", "wrong_rank"),
    ),
    Hypothesis(
        id="small-norm-before-right",
        statement=(
            "Before the end of training answers have a smaller nuclear norm than answers that are "
            "as wrong without such a bias, by more than those of untrained weights."
        ),
        statistic=_statistic(
            _below("nuclear_norm", "wrong_nuclear"),
            "log ratio, mean over steps before the last",
            "",
        ),
        direction="greater",
        supports="a nuclear norm below that of the point between truth and mean of that error",
        refutes="one above it, or a difference below that of untrained weights",
        control=_CONTROL,
        source="as low-rank-before-right, for what nuclear-norm regularisation would do",
        figure="ranks",
        needs=("nuclear_norm", "wrong_nuclear"),
    ),
    Hypothesis(
        id="ladder-is-climbed",
        statement=(
            "The answer is nearest to the weakest trivial rule earlier in training than to the "
            "strongest, by more than in a series of untrained weights."
        ),
        statistic=_statistic(_ladder, "checkpoints between the two", "checkpoints"),
        direction="greater",
        supports="the weakest rule is passed before the strongest",
        refutes="the strongest is passed first, or sooner than with untrained weights",
        control=_CONTROL,
        source="simple functions first: Kalimeris et al. (2019), arXiv 1905.11604, for energies",
        figure="rules",
        needs=("rule_distance",),
    ),
    Hypothesis(
        id="landscape-becomes-ideal",
        statement=(
            "Along training the spectrum at typical points comes nearer to the ideal one, by more "
            "than in a series of untrained weights."
        ),
        statistic=_statistic(
            _trend("off_ideal", -1.0), "rank correlation with the step, mean over levels", "1"
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
            _trend("split_ratio", 1.0), "rank correlation with the step, mean over levels", "1"
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
