"""What EXP-005 claims, as data: each claim with its null, its control and its statistic.

All are about the first split of a task: matrices of fixed rank at UVᵀ for completion, symmetric
matrices for inverse. Levels are averaged within a problem first, as they are no replicates.
"""

from collections.abc import Callable
from typing import Final

import xarray as xr

from ired_interp.experiments.exp005_variables import BASE, TRAJECTORY, TYPICAL
from ired_interp.experiments.hypothesis import Evidence, Hypothesis
from ired_interp.experiments.model_evidence import (
    SAME_NETWORK,
    beside_untrained,
    left_out,
    over_levels,
    rows,
    untrained_data,
)

__all__ = ["HYPOTHESES", "RANDOM"]

RANDOM: Final = "controls/random"

_MASK: Final = "mask"

ByLevel = Callable[[xr.Dataset], xr.DataArray]
"""A number a problem and level, of one network or of all draws."""


def _of(variable: str, place: str, space: str | None = None) -> ByLevel:
    """A variable in one split."""

    def of(data: xr.Dataset) -> xr.DataArray:
        values = data[variable].sel(place=place)
        return values.isel(space=0) if space is None else values.sel(space=space)

    return of


def _excess(data: xr.Dataset) -> xr.DataArray:
    """σκ_N - bound·σκ_T at typical points."""
    here = data.sel(place=TYPICAL).isel(space=0)
    return here["normal_curvature"] - here["bayes_bound"] * here["tangent_curvature"]


def _statistic(
    of: ByLevel, *, null: float, place: str, space: str | None = None
) -> Callable[[xr.DataTree], Evidence]:
    """The mean over the levels of a problem that have a number, and how many have none."""

    def statistic(results: xr.DataTree) -> Evidence:
        root, untrained = results.to_dataset(), untrained_data(results)
        chosen = str(root["space"].values[0]) if space is None else space
        missing = left_out(of(root).isnull(), None if untrained is None else of(untrained).isnull())
        note = f"the split {chosen}, at {place} points, mean {over_levels(results)}{missing}"
        return beside_untrained(
            results, lambda data: rows(of(data).mean("level")), null=null, note=note
        )

    return statistic


HYPOTHESES = (
    Hypothesis(
        id="normal-gradient",
        statement=(
            "At typical points the gradient is larger a dimension in normal than in tangent "
            "directions, more than with untrained weights."
        ),
        statistic=_statistic(_of("gradient_share", TYPICAL), null=1.0, place=TYPICAL),
        direction="greater",
        supports="a normal share a dimension above 1 and above that of untrained weights",
        refutes="a share below 1, or below that of untrained weights",
        control=SAME_NETWORK,
        source="the plan's claim that normal over tangent gradient is ≫ 1; a random subspace has "
        "‖P∇E‖²/‖∇E‖² = dimension/d on average, so the share a dimension has null 1. At the "
        "optimum of training ∇E is the expected noise, whose share is 1 too",
        figure="gradients",
        needs=("gradient_share",),
    ),
    Hypothesis(
        id="normal-on-the-way",
        statement=(
            "Along the solver's trajectory the gradient is larger a dimension in normal than in "
            "tangent directions, more than with untrained weights."
        ),
        statistic=_statistic(_of("gradient_share", TRAJECTORY), null=1.0, place=TRAJECTORY),
        direction="greater",
        supports="a normal share a dimension above 1 and above that of untrained weights",
        refutes="a share below 1, or below that of untrained weights",
        control=SAME_NETWORK,
        source="as normal-gradient; a solver that is pulled to the manifold has its gradient there",
        figure="gradients",
        needs=("gradient_share",),
    ),
    Hypothesis(
        id="normal-curvature",
        statement=(
            "At typical points the landscape curves more in normal than in tangent directions, "
            "more than with untrained weights."
        ),
        statistic=_statistic(_of("curvature_share", TYPICAL), null=1.0, place=TYPICAL),
        direction="greater",
        supports="a mean normal curvature above tr H/d, by more than with untrained weights",
        refutes="one below tr H/d, or below that of untrained weights",
        control=SAME_NETWORK,
        source="the plan's claim on normal over tangent curvature; its undivided ratio has null "
        "codimension/dimension, divided by dimension it has null 1. The ideal of a determined task "
        "is H = I/σ_t, where it is 1 as well",
        figure="curvatures",
        needs=("curvature_share",),
    ),
    Hypothesis(
        id="normal-at-the-answer",
        statement=(
            "At the point where the tangent space is stated the landscape curves more in normal "
            "than in tangent directions, more than with untrained weights."
        ),
        statistic=_statistic(_of("curvature_contrast", BASE), null=0.0, place=BASE),
        direction="greater",
        supports="a contrast of normal and tangent curvature above 0 and above untrained weights",
        refutes="one below 0, or below that of untrained weights",
        control=SAME_NETWORK,
        source="as normal-curvature, in units of ‖H‖_F/√d, as curvature may have either sign there",
        figure="curvatures",
        needs=("curvature_contrast",),
    ),
    Hypothesis(
        id="flat-is-tangent",
        statement=(
            "At typical points the directions of lowest curvature lie in the tangent space more "
            "than random ones, and more than with untrained weights."
        ),
        statistic=_statistic(_of("bottom_overlap", TYPICAL), null=1.0, place=TYPICAL),
        direction="greater",
        supports="an overlap of the q lowest eigenvectors with the tangent space above chance",
        refutes="an overlap below chance, or below that of untrained weights",
        control=SAME_NETWORK,
        source="the plan's claim that small eigenvalues are the tangent directions; a random "
        "subspace of dimension q overlaps by q/d, so the ratio has null 1",
        figure="overlaps",
        needs=("bottom_overlap",),
    ),
    Hypothesis(
        id="beyond-bayes",
        role="exploratory",
        statement=(
            "At typical points normal exceeds tangent curvature by more than any posterior "
            "allows: the landscape is not that of the denoising optimum."
        ),
        statistic=_statistic(_excess, null=0.0, place=TYPICAL),
        direction="greater",
        supports="σκ_N − B·σκ_T above 0 and above untrained weights, B the Bayes bound",
        refutes="one below 0, or below that of untrained weights",
        control=SAME_NETWORK,
        source="σ_t·H = I − (s_t²/σ_t²)·Cov[y* | y, x]: κ_N ≤ 1/σ_t, and tr Cov is at most that of "
        "the best linear estimate of the missing entries",
        figure="curvatures",
        needs=("bayes_bound",),
    ),
    Hypothesis(
        id="missing-is-flat",
        role="exploratory",
        statement=(
            "At typical points the landscape curves more along observed than along missing "
            "entries, more than with untrained weights."
        ),
        statistic=_statistic(
            _of("curvature_share", TYPICAL, _MASK), null=1.0, place=TYPICAL, space=_MASK
        ),
        direction="greater",
        supports="a mean curvature of observed entries above tr H/d and above untrained weights",
        refutes="one below tr H/d, or below that of untrained weights",
        control=SAME_NETWORK,
        source="an observed entry has no posterior variance, so σλ = 1; a missing one at least "
        "1/(1 + ρv)",
        figure="curvatures",
        needs=("bayes_bound", "curvature_share"),
    ),
)
