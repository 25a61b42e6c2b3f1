"""What EXP-007 declares: its variables, its claims, and what of them is shown.

Steps and levels are no replicates: each problem gives one number, a mean over steps or a slope over
their logarithm. The control is a series of untrained networks, one a step, which has no order. The
slopes are not those of ranks: a handful of networks in a chance order rise or fall with their place
however little they differ.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np
import xarray as xr

from ired_interp.digits import number
from ired_interp.experiments import model_page
from ired_interp.experiments.kit.claims import Claim
from ired_interp.experiments.kit.expressions import Expression, pick
from ired_interp.experiments.kit.tables import Lines, MeanTable, Words
from ired_interp.experiments.kit.variables import V, declare
from ired_interp.experiments.model_evidence import rows
from ired_interp.stats import slope

__all__ = ["CLAIMS", "LINES", "SAID", "TABLES", "VARIABLES", "checkpoints"]

_OF_DRAWS = "spread over draws, where there is noise"
_number = partial(V, mean=True)
_may_miss = partial(V, mean=True, may_be_missing=True)

VARIABLES = declare(
    V("given", "problem step y_dim", "", "What each checkpoint answers, unscaled."),
    _number("error", "problem step", "y^2", "Squared error an entry of the answer."),
    _number(
        "effective_rank",
        "problem step",
        "1",
        "exp of the entropy of the answer's singular values over their sum.",
    ),
    _number("nuclear_norm", "problem step", "y", "Sum of the answer's singular values."),
    _number(
        "wrong_rank",
        "problem step",
        "1",
        "Effective rank of an answer as wrong without a bias: the point between y* and the mean "
        "answer of the task that has the checkpoint's error; where the answer is worse than the "
        "mean answer, that plus noise without a direction, geometric mean over 8 draws.",
        _OF_DRAWS,
    ),
    _number(
        "wrong_nuclear",
        "problem step",
        "y",
        "Nuclear norm of the same, likewise.",
        "likewise",
    ),
    _may_miss(
        "penalised_rank",
        "problem step",
        "1",
        "Effective rank of y* with its singular values cut by as much as makes the checkpoint's "
        "error, as a penalty on the nuclear norm does; missing where the answer is worse than 0.",
    ),
    _may_miss("penalised_nuclear", "problem step", "y", "Nuclear norm of the same."),
    _may_miss(
        "penalised_distance",
        "problem step",
        "1",
        "rms distance of the answer from the same, over the rms of y*.",
    ),
    _may_miss(
        "wrong_penalised_distance",
        "problem step",
        "1",
        "rms distance from the same of an answer as wrong, over the rms of y*.",
    ),
    _number(
        "rule_distance",
        "problem step rule",
        "1",
        "rms distance of the answer from that of each trivial rule, over the rms of y*.",
    ),
    _number(
        "wrong_rule_distance",
        "problem step rule",
        "1",
        "The same of an answer as wrong (`wrong_rank`), mean over draws where there is noise.",
        _OF_DRAWS,
    ),
    _number("curvature", "problem step level", "1", "Mean of σ_t·λ at typical points."),
    _may_miss(
        "off_ideal",
        "problem step level",
        "1",
        "rms over eigenvalues of σ_t·λ − 1 at typical points, where the answer is determined and "
        "the ideal is 1; missing elsewhere.",
    ),
    _may_miss(
        "split_ratio",
        "problem step level",
        "1",
        "log of the mean curvature over normal directions by that over tangent ones, each an "
        "entry, at typical points: symmetric and skew matrices for inverse, matrices of fixed rank "
        "for completion; missing where there is no split or a mean is not positive.",
    ),
    _number("true_rank", "problem", "1", "Effective rank of y*."),
    _number("true_nuclear", "problem", "y", "Nuclear norm of y*."),
    _number(
        "mean_error",
        "problem",
        "y^2",
        "Squared error an entry of the task's mean answer, over 2,000 draws.",
        "of those draws",
    ),
    _number("rule_error", "problem rule", "y^2", "Squared error an entry of each trivial rule."),
)

# Below that a distance from the ideal, or from a rule, is round-off.
_ROUND_OFF: Final = 1e-9
_TINY: Final = np.finfo(np.float64).tiny


def _before_the_last(data: xr.Dataset) -> xr.DataArray:
    return data["step"] < data["step"].max()


def _shortfall(variable: str, beside: str) -> Expression:
    """log of what an answer as wrong would have, by what the answer has; NaN where one is 0."""

    def of(data: xr.Dataset) -> xr.DataArray:
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio: xr.DataArray = xr.apply_ufunc(np.log, data[beside] / data[variable])
        return ratio.where(np.isfinite(ratio))

    return Expression((variable, beside), of).mean("step", where=_before_the_last)


def _nearness(values: xr.DataArray) -> xr.DataArray:
    found: xr.DataArray = xr.apply_ufunc(np.log, values.clip(min=_ROUND_OFF))
    return -found


def _per_tenfold(values: xr.DataArray) -> xr.DataArray:
    """Slope over log₁₀ of the training steps, at each level."""
    tenfold = np.log10(np.maximum(values["step"].values.astype(np.float64), 1.0))
    found = slope(rows(values, "level", "step"), tenfold).slope
    return xr.DataArray(found, dims=("problem", "level"))


def _ladder(data: xr.Dataset) -> xr.DataArray:
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
    gain = np.divide(wrong - own, total, out=np.zeros_like(total), where=total > _ROUND_OFF)
    return xr.DataArray(gain, dims=("problem", "rule")).mean("rule")


def _with_worse(words: str, steps: slice) -> Callable[[xr.Dataset], str]:
    """A note with the count of answers whose null has noise in it."""

    def note(data: xr.Dataset) -> str:
        error = rows(data.sortby("step")["error"], "step")[:, steps]
        worse = int((error > rows(data["mean_error"])[:, None]).sum())
        return f"{words}; {worse} of {error.size} answers are worse than the mean answer"

    return note


_claim = partial(Claim, control="a series of untrained networks at the same problems, one a step")
_EARLY = _with_worse("log ratio, mean over steps before the last", slice(-1))

CLAIMS = (
    _claim(
        id="low-rank-before-right",
        statement="Before the end of training answers have a lower effective rank than answers "
        "that are as wrong without such a bias, by more than those of untrained weights.",
        effect=_shortfall("effective_rank", "wrong_rank"),
        what="a log ratio of the effective ranks of an answer as wrong and of the answer",
        source="the plan's claim of an implicit bias to low rank; an answer that is wrong for any "
        "reason has another rank than the truth, so one as wrong is the null",
        chart="ranks",
        note=_EARLY,
        needs=("error", "mean_error"),
    ),
    _claim(
        id="small-norm-before-right",
        statement="Before the end of training answers have a smaller nuclear norm than answers "
        "that are as wrong without such a bias, by more than those of untrained weights.",
        effect=_shortfall("nuclear_norm", "wrong_nuclear"),
        what="a log ratio of the nuclear norms of an answer as wrong and of the answer",
        source="as low-rank-before-right, for what nuclear-norm regularisation would do",
        chart="ranks",
        note=_EARLY,
        needs=("error", "mean_error"),
    ),
    _claim(
        id="ladder-is-climbed",
        statement="When the answer is as wrong as a trivial rule above the weakest, it is nearer "
        "to that rule than the straight way from the mean answer to the truth is at that error, by "
        "more than in a series of untrained weights.",
        effect=Expression(("rule_distance", "wrong_rule_distance", "rule_error", "error"), _ladder),
        what="a relative excess of the straight way’s distance from the rules over the answers’",
        source="simple functions first: Kalimeris et al. (2019), arXiv 1905.11604, for energies; "
        "whatever goes straight from the mean answer to the truth passes by every rule in order, "
        "so how near it passes is the null",
        chart="rules",
        note=_with_worse(
            "(a − b)/(a + b) of distances, mean over rules above the weakest", slice(None)
        ),
        needs=("mean_error",),
    ),
    _claim(
        id="landscape-becomes-ideal",
        statement="Along training the spectrum at typical points comes nearer to the ideal one, by "
        "more than in a series of untrained weights.",
        effect=pick("off_ideal").map(_nearness).map(_per_tenfold).mean("level"),
        what="a fall of the distance from the ideal along training",
        source="the ideal of the denoising loss, σλ = 1 where the answer is determined",
        chart="curvature",
        note="fall of log rms(σλ − 1) a tenfold of steps, mean over levels",
    ),
    _claim(
        id="normal-sharpens",
        statement="Along training curvature over normal directions grows in proportion to that "
        "over tangent ones, by more than in a series of untrained weights.",
        effect=pick("split_ratio").map(_per_tenfold).mean("level"),
        what="a rise of the log ratio along training",
        source="the plan's claim that training sharpens the landscape across the manifold; in the "
        "ideal of a determined answer the ratio is 1 at every step",
        chart="curvature",
        note="rise of the log ratio a tenfold of steps, mean over levels",
    ),
)

TABLES = (
    MeanTable(
        "Answers and curvature along training",
        ("step",),
        (
            ("error", pick("error")),
            ("effective rank", pick("effective_rank")),
            ("rank if as wrong", pick("wrong_rank")),
            ("nuclear norm", pick("nuclear_norm")),
            ("norm if as wrong", pick("wrong_nuclear")),
            ("mean σλ", pick("curvature")),
            ("off the ideal", pick("off_ideal")),
            ("log normal/tangent", pick("split_ratio")),
        ),
        "The last three are means over levels too, and their intervals stand in the figures.",
    ),
)


def _mean(data: xr.Dataset, variable: str, digits: int = 3) -> str:
    """Over problems, and over what else there is."""
    return number(float(data[variable].sel(statistic="mean").mean()), digits)


def _nearest(here: xr.Dataset) -> str:
    distance = here["rule_distance"].sel(statistic="mean")
    place = int(distance.argmin("rule"))
    return f"{distance['rule'].values[place]} ({float(distance[place]):.2f})"


def _ends(model: xr.Dataset) -> tuple[xr.Dataset, xr.Dataset]:
    """At the first step, and at the last."""
    in_order = model.sortby("step")
    return in_order.isel(step=0), in_order.isel(step=-1)


def _of_errors(model: xr.Dataset) -> str:
    first, last = _ends(model)
    return (
        f"From step {int(first['step'])} to step {int(last['step'])} the error goes from "
        f"{_mean(first, 'error')} to {_mean(last, 'error')}, and the nearest trivial rule from "
        f"{_nearest(first)} to {_nearest(last)}; in parentheses its distance in units of the "
        "answers."
    )


def _of_ranks(model: xr.Dataset) -> str:
    first, last = _ends(model)
    return (
        f"The effective rank of the answers goes from {_mean(first, 'effective_rank')} to "
        f"{_mean(last, 'effective_rank')}; that of the truth is {_mean(model, 'true_rank')}."
    )


def _of_curvature(model: xr.Dataset) -> str:
    first, last = _ends(model)
    return (
        f"Mean σλ at typical points goes from {_mean(first, 'curvature')} to "
        f"{_mean(last, 'curvature')}, mean over levels."
    )


def _of_penalty(model: xr.Dataset) -> str:
    """Beside explicit regularisation, at the first step whose answers are better than 0."""
    if "penalised_distance" not in model:  # results of before it was measured
        return ""
    in_order = model.sortby("step")
    for place in range(in_order.sizes["step"] - 1):
        here = in_order.isel(step=place)
        if math.isfinite(float(here["penalised_distance"].sel(statistic="mean"))):
            return (
                "The truth with a penalty on the nuclear norm that makes the error of step "
                f"{int(here['step'])} has an effective rank of {_mean(here, 'penalised_rank')}; "
                f"answers of that step have {_mean(here, 'effective_rank')}, answers as wrong "
                f"{_mean(here, 'wrong_rank')}. From it answers are "
                f"{_mean(here, 'penalised_distance', 2)} away, answers as wrong "
                f"{_mean(here, 'wrong_penalised_distance', 2)}."
            )
    return "No answers before the last step are better than 0, as a penalty makes them."


SAID = (
    Words(("error", "rule_distance"), _of_errors),
    Words(("effective_rank", "true_rank"), _of_ranks),
    Words(("curvature",), _of_curvature),
    Words((), _of_penalty),
)
LINES = Lines(
    columns=(
        ("error", pick("error")),
        ("rank", pick("effective_rank")),
        ("if as wrong", pick("wrong_rank")),
        ("off ideal", pick("off_ideal")),
        ("nearest rule", Words(("rule_distance",), _nearest)),
    ),
    others=(),
    caption="rank: effective, of the answers; if as wrong: of the point between truth and mean\n"
    "answer that has this error; off ideal: rms of σλ − 1, mean over levels too;",
    rows="step",
    head="step",
)


def checkpoints(results: xr.DataTree) -> dict[str, str]:
    """Their steps, for the page, and how many other series were measured."""
    steps = sorted(results.coords["step"].values.tolist())
    draws = model_page.num_draws(results, "untrained")
    return {
        "first_step": str(steps[0]),
        "last_step": str(steps[-1]),
        "step_list": ", ".join(map(str, steps)),
        "beside_series": f", beside {draws} series of untrained weights" if draws else "",
    }
