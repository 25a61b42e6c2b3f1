"""From evidence to verdicts: the same rule for every hypothesis of every experiment.

*For* a statement speaks an effect beyond its null and beyond its control, so its p value is the
larger of the two (an intersection-union test: neither needs an adjustment for the other; Berger
1982, doi:10.1080/00401706.1982.10487790). *Against* it speaks an effect on the wrong side of
either, so that p value is twice the smaller. Both are adjusted by Holm over the hypotheses that
were tested. docs/statistics.md says how to read what comes out, and how often it is wrong.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from ired_interp.errors import ConfigError, ExperimentError
from ired_interp.experiments import verdict_reasons
from ired_interp.experiments.base import missing_variables
from ired_interp.experiments.hypothesis import Evidence, Hypothesis, Outcome, Verdict
from ired_interp.experiments.verdict_reasons import Comparison, Tested
from ired_interp.stats import (
    BeyondDraws,
    FloatArray,
    IntArray,
    Interval,
    beyond_draws,
    bootstrap_mean,
    holm,
    paired_effect,
    sign_flip,
    unit_means,
)

__all__ = ["ALPHA", "FEWEST_MODELS", "Weighed", "judge", "weigh"]

ALPHA = 0.025
FEWEST_MODELS = 6  # fewer cannot reach ALPHA by their signs: 2⁻⁵ is 0.031
_SEED = 20_240_817  # of the drawn signs and the bootstrap; the same for everyone
_NOT_MEASURED = 1.0  # the p value of what nothing is known about
# Of the larger of two numbers: a difference below that is round-off, whose signs are no evidence.
# Of numbers around 0 only the evidence itself can say what round-off is: `Evidence.resolution`.
_ROUND_OFF = 1e-9


@dataclass(frozen=True, slots=True)
class Weighed:
    """A verdict and the evidence for it; None where the results lack what it needs."""

    verdict: Verdict
    evidence: Evidence | None


def judge(
    hypotheses: Sequence[Hypothesis], results: xr.DataTree, *, alpha: float = ALPHA
) -> list[Verdict]:
    """The verdict on each hypothesis of an experiment, in their order.

    ``supported``: the adjusted p value for it is at most α; ``refuted``: that against it is;
    otherwise ``inconclusive``, and the reason says what is lacking. Without a control nothing is
    supported. An exploratory hypothesis is not tested: its numbers are there, ``inconclusive``.
    The unit of replication is the problem, or the trained model where there are 6 or more (then a
    problem's mean counts within its model only).

    Args:
        hypotheses: All of the experiment at once: how many are tested matters.
        results: Of a run; only the statistics read it.
        alpha: One-sided; intervals have coverage 1 - 2·α.

    Raises:
        ConfigError: α outside (0, ½).
        ExperimentError: Two hypotheses with one id, or a statistic that returns no `Evidence`.

    Cost: a second for ten hypotheses of 100 problems, without their statistics.
    """
    return [one.verdict for one in weigh(hypotheses, results, alpha=alpha)]


def weigh(
    hypotheses: Sequence[Hypothesis], results: xr.DataTree, *, alpha: float = ALPHA
) -> list[Weighed]:
    """As `judge`, with what each verdict is of."""
    if not 0 < alpha < 0.5:  # noqa: PLR2004 - half
        raise ConfigError(f"judge: alpha: expected a number in (0, 0.5), found {alpha}.")
    repeated = [name for name, count in Counter(h.id for h in hypotheses).items() if count > 1]
    if repeated:
        raise ExperimentError(
            f"judge: expected different ids of hypotheses, found {', '.join(repeated)} more than "
            "once."
        )
    gathered: dict[str, Evidence | None] = {}
    tested: dict[str, Tested] = {}
    untested: dict[str, Verdict] = {}
    for hypothesis in hypotheses:
        missing = missing_variables(results, hypothesis.needs)
        if missing:
            gathered[hypothesis.id] = None
            reason = f"Not measured: these results hold no {', '.join(missing)}."
            untested[hypothesis.id] = _without_data(hypothesis.id, reason)
            continue
        evidence = hypothesis.statistic(results)
        if not isinstance(evidence, Evidence):
            raise ExperimentError(
                f"{hypothesis.id}: statistic: expected an Evidence, returned "
                f"{type(evidence).__name__}."
            )
        gathered[hypothesis.id] = evidence
        found = _test(hypothesis, evidence, alpha)
        if found.num_problems == 0:
            reason = verdict_reasons.undefined(evidence)
            untested[hypothesis.id] = _without_data(hypothesis.id, reason)
        else:
            tested[hypothesis.id] = found
    explored = {h.id for h in hypotheses if h.role == "exploratory"}
    verdicts = untested | {
        name: _verdict(name, one, "inconclusive", float("nan"), verdict_reasons.explored(one))
        for name, one in tested.items()
        if name in explored
    }
    verdicts |= _decide({name: one for name, one in tested.items() if name not in explored}, alpha)
    return [Weighed(verdicts[one.id], gathered[one.id]) for one in hypotheses]


def _decide(tested: dict[str, Tested], alpha: float) -> dict[str, Verdict]:
    """Holm on each side, and what follows."""
    found = list(tested.values())
    adjusted_for = holm(np.array([one.p_for for one in found]))
    adjusted_against = holm(np.array([one.p_against for one in found]))
    verdicts = {}
    for (name, one), p_for, p_against in zip(
        tested.items(), adjusted_for, adjusted_against, strict=True
    ):
        outcome: Outcome = "inconclusive"
        if p_for <= alpha:  # 1 without a control
            outcome = "supported"
        elif p_against <= alpha:
            outcome = "refuted"
        adjusted = float(p_against if outcome == "refuted" else p_for)
        reason = verdict_reasons.reason(outcome, one, alpha=alpha, num_tested=len(found))
        verdicts[name] = _verdict(name, one, outcome, adjusted, reason)
    return verdicts


def _verdict(name: str, one: Tested, outcome: Outcome, adjusted_p: float, reason: str) -> Verdict:
    return Verdict(
        id=name,
        outcome=outcome,
        estimate=one.estimate,
        null=one.null,
        control=one.control,
        contrast=None if one.contrast is None else one.contrast.interval,
        p_for=one.p_for,
        p_against=one.p_against,
        adjusted_p=adjusted_p,
        num_problems=one.num_problems,
        num_models=one.num_models,
        reason=reason,
        hedges_g=float(one.size.standardised),
        rank_biserial=float(one.size.rank_biserial),
        share_above=float(one.size.share_above),
    )


def _test(hypothesis: Hypothesis, evidence: Evidence, alpha: float) -> Tested:
    """One hypothesis by itself."""
    null = np.broadcast_to(np.asarray(evidence.null, dtype=np.float64), evidence.effect.shape)
    from_null = _difference(evidence, null)
    known = np.isfinite(from_null)
    models = (
        np.zeros(evidence.effect.size, dtype=np.int64) if evidence.model is None else evidence.model
    )
    side = 1.0 if hypothesis.direction == "greater" else -1.0
    over_models = np.unique(models[known]).size >= FEWEST_MODELS

    def compared(differences: FloatArray, draws: FloatArray | None) -> Comparison:
        return _compare(differences, draws, models, side, over_models, alpha)

    control = contrast = None
    if evidence.control is not None:
        draws = np.atleast_2d(evidence.control)
        at = np.where(known, _mean_of_finite(draws), np.nan)
        apart = _difference(evidence, draws)
        each = np.where(known, apart, np.nan) if len(draws) > 1 else None
        control = _interval(at, models, over_models, alpha)
        contrast = compared(_difference(evidence, at), each)
    from_its_null = compared(from_null, None)
    p_control = (_NOT_MEASURED, _NOT_MEASURED) if contrast is None else contrast.p_values
    return Tested(
        direction=hypothesis.direction,
        evidence=evidence,
        estimate=_interval(np.where(known, evidence.effect, np.nan), models, over_models, alpha),
        null=float(null[known].mean()) if known.any() else float("nan"),
        control=control,
        against_null=from_its_null,
        contrast=contrast,
        p_for=max(from_its_null.p_values[0], p_control[0]),
        p_against=min(1.0, 2 * min(from_its_null.p_values[1], p_control[1])),
        num_problems=int(known.sum()),
        num_models=int(np.unique(models[known]).size),
        over_models=over_models,
        size=paired_effect(_units(from_null, models, over_models)),
    )


def _compare(
    differences: FloatArray,
    draws: FloatArray | None,
    models: IntArray,
    side: float,
    over_models: bool,  # noqa: FBT001 - private, and what the units are
    alpha: float,
) -> Comparison:
    """Differences by problem from a null, or from a control with its draws."""
    known = np.isfinite(differences)
    units = _units(differences, models, over_models)
    favourable = int((side * units > 0).sum())
    unfavourable = int((side * units < 0).sum())
    interval = _interval(differences, models, over_models, alpha)
    flips = sign_flip(side * units, seed=_SEED) if units.size else None
    among = _among_draws(side, draws, models, known) if draws is not None else None
    return Comparison(
        interval=interval,
        num_units=units.size,
        num_favourable=favourable,
        num_unfavourable=unfavourable,
        greater=_NOT_MEASURED if flips is None else float(flips.greater),
        less=_NOT_MEASURED if flips is None else float(flips.less),
        among_draws_greater=None if among is None else among.greater,
        among_draws_less=None if among is None else among.less,
        num_draws=0 if among is None else among.count,
    )


def _difference(evidence: Evidence, other: FloatArray) -> FloatArray:
    """Effect - other; 0 where nothing but round-off tells them apart."""
    apart = evidence.effect - other
    size = np.maximum(np.abs(evidence.effect), np.abs(other))
    same = np.abs(apart) <= np.maximum(_ROUND_OFF * size, evidence.resolution)
    return np.where(same, 0.0, apart)


def _among_draws(
    side: float, draws: FloatArray, models: IntArray, known: npt.NDArray[np.bool_]
) -> BeyondDraws | None:
    """Against the spread of the draws; None where fewer than two are defined anywhere."""
    means = [unit_means(draw, models).mean() for draw in draws if np.isfinite(draw).any()]
    if len(means) < 2:  # noqa: PLR2004 - one has no spread
        return None
    return beyond_draws(side * np.array(means), num_models=np.unique(models[known]).size)


def _interval(
    values: FloatArray,
    models: IntArray,
    over_models: bool,  # noqa: FBT001 - private, and what the units are
    alpha: float,
) -> Interval:
    """Over units in order of size: in which order the problems stand must not matter."""
    units = np.sort(_units(values, models, over_models))
    found = bootstrap_mean(units, seed=_SEED, confidence=1 - 2 * alpha)
    return Interval(found.mean, found.low, found.high, int(np.isfinite(values).sum()))


def _units(
    values: FloatArray,
    models: IntArray,
    over_models: bool,  # noqa: FBT001 - private, and what the units are
) -> FloatArray:
    """What is tested: the values that are defined, or the mean of each model that has any."""
    return unit_means(values, models) if over_models else values[np.isfinite(values)]


def _mean_of_finite(draws: FloatArray) -> FloatArray:
    """Over the draws that are defined at a problem; NaN where none is."""
    finite = np.isfinite(draws)
    count = finite.sum(axis=0)
    total = np.where(finite, draws, 0.0).sum(axis=0)
    mean: FloatArray = np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)
    return mean


def _without_data(name: str, reason: str) -> Verdict:
    nothing = Interval(float("nan"), float("nan"), float("nan"), 0)
    return Verdict(
        id=name,
        outcome="inconclusive",
        estimate=nothing,
        null=float("nan"),
        control=None,
        contrast=None,
        p_for=float("nan"),
        p_against=float("nan"),
        adjusted_p=float("nan"),
        num_problems=0,
        num_models=0,
        reason=reason,
    )
