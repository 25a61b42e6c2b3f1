"""What EXP-006 claims, as data: each claim with its null, its control and its statistic.

Levels are averaged within a problem first, as they are no replicates. At typical points the ideal
score of a determined task is the noise itself, so the null of a spectrum is that of the noise draws
at the same points, problem by problem.
"""

from collections.abc import Callable

import numpy as np
import torch
import xarray as xr

from ired_interp.experiments.exp006_variables import TOP, TRAJECTORY, TYPICAL
from ired_interp.experiments.hypothesis import Evidence, Hypothesis
from ired_interp.experiments.model_evidence import Reduced, beside_untrained, over_levels, rows
from ired_interp.score_field import held_out_share
from ired_interp.stats import FloatArray

__all__ = ["HYPOTHESES", "shared_shares"]

_CONTROL = "the same network with untrained weights, at the same problems and noise"


def _mean(variable: str, place: str, *, less: str | None = None) -> Reduced:
    """A variable of each problem, mean over the levels that have it; less another one."""

    def of(data: xr.Dataset) -> FloatArray:
        values = data[variable] if less is None else data[variable] - data[less]
        values = values.sel(place=place)
        if "end" in values.dims:
            values = values.sel(end=TOP)
        return rows(values.mean("level"))

    return of


def shared_shares(data: xr.Dataset, place: str) -> FloatArray:
    """`held_out_share` of each problem's mean score, [problem, level].

    NaN at the half of the problems that find the components, and everywhere with few problems.
    """
    scores = data["mean_score"].sel(place=place).transpose("level", "problem", "y_dim").values
    k = int(data.attrs["components"])
    n = scores.shape[1]
    if (n + 1) // 2 < k + 2:
        return np.full(scores.shape[1::-1], np.nan)
    found = [held_out_share(torch.from_numpy(level).double(), k).numpy() for level in scores]
    return np.stack(found, axis=1)


def _shared(data: xr.Dataset) -> FloatArray:
    out: FloatArray = shared_shares(data, TYPICAL).mean(axis=1)
    return out


def _statistic(of: Reduced, *, null: float | str, place: str) -> Callable[[xr.DataTree], Evidence]:
    def statistic(results: xr.DataTree) -> Evidence:
        beside = null if isinstance(null, float) else rows(results.to_dataset()[null])
        note = f"at {place} points, mean {over_levels(results)}"
        return beside_untrained(results, of, null=beside, note=note)

    return statistic


HYPOTHESES = (
    Hypothesis(
        id="concentrated",
        statement=(
            "At typical points the scores of a problem lie in fewer directions than the noise of "
            "those points, and in fewer than with untrained weights."
        ),
        statistic=_statistic(
            _mean("concentration", TYPICAL), null="noise_concentration", place=TYPICAL
        ),
        direction="greater",
        supports="a concentration above that of the noise and above that of untrained weights",
        refutes="one below that of the noise, or below that of untrained weights",
        control=_CONTROL,
        source="the plan's claim that the score field is low-dimensional; n isotropic scores have "
        "a participation ratio of (md + 2)/(m + d + 1), not d",
        figure="concentration",
        needs=("concentration", "noise_concentration"),
    ),
    Hypothesis(
        id="beyond-the-edge",
        role="exploratory",
        statement=(
            "At typical points more components of a problem's scores stand beyond the "
            "Marchenko-Pastur edge than of the noise, and more than with untrained weights."
        ),
        statistic=_statistic(
            _mean("beyond_edge", TYPICAL), null="noise_beyond_edge", place=TYPICAL
        ),
        direction="greater",
        supports="more components beyond the edge than the noise and untrained weights have",
        refutes="fewer than the noise or untrained weights have",
        control=_CONTROL,
        source="the plan's score SVD; Johnstone (2001) for what the largest of n scores exceeds",
        figure="spectra",
        needs=("beyond_edge", "noise_beyond_edge"),
    ),
    Hypothesis(
        id="own-directions",
        statement=(
            "At typical points the leading components of a problem's scores lie in its own "
            "subspace more than in those of other problems, and more than with untrained weights."
        ),
        statistic=_statistic(
            _mean("own_share", TYPICAL, less="other_share"), null=0.0, place=TYPICAL
        ),
        direction="greater",
        supports="a share in the own subspace above that in others', by more than untrained",
        refutes="a share below that in others', or a difference below that of untrained weights",
        control=_CONTROL,
        source="the plan's claim that singular vectors of the gradient field align with those of "
        "the problem; other problems' subspaces have whatever is common to all",
        figure="alignment",
        needs=("own_share", "other_share"),
    ),
    Hypothesis(
        id="own-directions-on-the-way",
        role="exploratory",
        statement=(
            "Along the solver's trajectories the leading components of a problem's scores lie in "
            "its own subspace more than in those of other problems, and more than with untrained "
            "weights."
        ),
        statistic=_statistic(
            _mean("own_share", TRAJECTORY, less="other_share"), null=0.0, place=TRAJECTORY
        ),
        direction="greater",
        supports="a share in the own subspace above that in others', by more than untrained",
        refutes="a share below that in others', or a difference below that of untrained weights",
        control=_CONTROL,
        source="as own-directions, over the solver's starts",
        figure="alignment",
        needs=("own_share", "other_share"),
    ),
    Hypothesis(
        id="shared-directions",
        statement=(
            "At typical points the leading components of other problems' mean scores explain more "
            "of a problem's mean score than random directions, and more than with untrained "
            "weights."
        ),
        statistic=_statistic(_shared, null=1.0, place=TYPICAL),
        direction="greater",
        supports="at problems that found no component, a share above k/d and above untrained",
        refutes="one below k/d, or below that of untrained weights",
        control=_CONTROL,
        source="the plan's SVD over problems; random networks share directions too, so a shared "
        "direction without this control says nothing",
        figure="problems",
        needs=("mean_score",),
    ),
    Hypothesis(
        id="steep-components",
        statement=(
            "At typical points the energy rises more along the leading components than along "
            "random directions of that length, and more than with untrained weights."
        ),
        statistic=_statistic(_mean("energy_place", TYPICAL), null=0.5, place=TYPICAL),
        direction="greater",
        supports="a component above more than half of the random directions, and above untrained",
        refutes="one below half of them, or below that of untrained weights",
        control=_CONTROL,
        source="to second order σ·vᵀHv; scores over noise are σHε, so in any bent landscape the "
        "leading components are steep: that the control has it too is the point",
        figure="moves",
        needs=("energy_place",),
    ),
    Hypothesis(
        id="components-carry-error",
        statement=(
            "At typical points a move along the leading components worsens the answer more than "
            "one along random directions of that length, and more than with untrained weights."
        ),
        statistic=_statistic(_mean("error_place", TYPICAL), null=0.5, place=TYPICAL),
        direction="greater",
        supports="an error above that of more than half of the random moves, and above untrained",
        refutes="one below half of them, or below that of untrained weights",
        control=_CONTROL,
        source="the plan's claim that components act on the answer; to second order "
        "‖(I − σH)v‖², which is 0 in the ideal of a determined task",
        figure="moves",
        needs=("error_place",),
    ),
)
