"""Verdicts over trained models: the same problems asked of several, each of which counts once.

With one model a verdict holds of that model (docs/statistics.md). Here the evidence of runs that
differ in nothing but the model is joined, problems within models, and judged by the same rule.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import xarray as xr

from ired_interp.errors import ExperimentError
from ired_interp.experiments.base import missing_variables
from ired_interp.experiments.hypothesis import Evidence, Hypothesis, Verdict
from ired_interp.experiments.verdicts import ALPHA, FEWEST_MODELS, judge

__all__ = ["joined", "judge_models"]

# What a problem is, where results hold it.
_QUESTIONS = ("x", "answer")


def judge_models(
    hypotheses: Sequence[Hypothesis], results: Sequence[xr.DataTree], *, alpha: float = ALPHA
) -> list[Verdict]:
    """The verdict on each hypothesis over the models of several runs, in their order.

    Models are what is tested and resampled: the mean over the problems of each counts once. The
    draws of a control are of the same networks in all runs and stay draws.

    Args:
        hypotheses: All of the experiment.
        results: Of each run, one a model, at the same problems.
        alpha: As `judge` has it.

    Raises:
        ExperimentError: Fewer models than can decide anything, or other problems.
        ConfigError: As `judge`.
    """
    if len(results) < FEWEST_MODELS:
        raise ExperimentError(
            f"over models: expected runs of {FEWEST_MODELS} models or more, found "
            f"{len(results)}: by the signs of fewer nothing can be told from chance."
        )
    _check_problems(results)
    return judge([_over(one, results) for one in hypotheses], xr.DataTree(), alpha=alpha)


def joined(evidence: Sequence[Evidence]) -> Evidence:
    """The evidence of several models as one: problem by problem, model after model.

    Raises:
        ExperimentError: Controls of some only, or of other numbers of draws.
    """
    controls = [None if one.control is None else np.atleast_2d(one.control) for one in evidence]
    there = [control for control in controls if control is not None]
    draws = {len(control) for control in there}
    if (there and len(there) < len(controls)) or len(draws) > 1:
        found = ", ".join("none" if one is None else str(len(one)) for one in controls)
        raise ExperimentError(
            f"over models: expected a control of the same draws beside each, found {found} draws."
        )
    first, sizes = evidence[0], [one.effect.size for one in evidence]
    same = all(one.note == first.note for one in evidence)
    return Evidence(
        effect=np.concatenate([one.effect for one in evidence]),
        null=np.concatenate(
            [np.broadcast_to(one.null, one.effect.shape).astype(np.float64) for one in evidence]
        ),
        control=np.concatenate(there, axis=1) if there else None,
        model=np.repeat(np.arange(len(evidence)), sizes),
        resolution=max(one.resolution for one in evidence),
        unit=first.unit,
        note=first.note if same else f"of the first model: {first.note}",
    )


def _over(hypothesis: Hypothesis, results: Sequence[xr.DataTree]) -> Hypothesis:
    """The same claim with the evidence of all runs; what one of them lacks is not judged."""
    for one in results:
        if missing := missing_variables(one, hypothesis.needs):
            return replace(hypothesis, needs=missing)
    return replace(
        hypothesis,
        needs=(),
        statistic=lambda _: joined([hypothesis.statistic(one) for one in results]),
    )


def _check_problems(results: Sequence[xr.DataTree]) -> None:
    first = results[0].to_dataset()
    for place, one in enumerate(results[1:], start=2):
        data = one.to_dataset()
        for name in _QUESTIONS:
            if name in first and (name not in data or not first[name].identical(data[name])):
                raise ExperimentError(
                    f"over models: expected the same problems in all runs, found another {name} "
                    f"in run {place} than in run 1. Give them the same seed, problems and dtype."
                )
