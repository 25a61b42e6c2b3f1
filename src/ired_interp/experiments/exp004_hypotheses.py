"""What EXP-004 claims, as data: each claim with its null, its control and its statistic.

Levels are averaged within a problem first, as they are no replicates, and of these only the ones
that see the answer: where σ_t is more than 4 s_t (the two coarsest of ten) the move of an answer is
a small part of σ_t, and what correlates is the gradient there.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
import xarray as xr

from ired_interp.experiments.exp004_distances import AFFINE, FROBENIUS, GRASSMANN
from ired_interp.experiments.exp004_variables import FIXED, GROWING
from ired_interp.experiments.hypothesis import Evidence, Hypothesis
from ired_interp.experiments.model_evidence import Reduced, beside_untrained, rows
from ired_interp.stats import FloatArray, IntArray

__all__ = ["HYPOTHESES", "LEAST_SIGNAL"]

LEAST_SIGNAL: Final = 0.25
"""s_t/σ_t of a level that the claims are about."""

_CONTROL = "the same network with untrained weights, at the same points"
_PLAN = "the plan's claim that energy correlates with Grassmann distance, r > 0.8"


def _correlation(sweep: str, metric: str) -> Reduced:
    return lambda data: _rows(data["spearman"].sel(sweep=sweep, metric=metric))


def _beyond(variable: str) -> Reduced:
    return lambda data: _rows(data[variable].sel(metric=GRASSMANN))


def _better(data: xr.Dataset) -> FloatArray:
    """By how much Grassmann distance correlates more than the length does."""
    here = data["spearman"].sel(sweep=GROWING)
    return _rows(here.sel(metric=GRASSMANN) - here.sel(metric=FROBENIUS))


def _affine_at_fixed(data: xr.Dataset) -> FloatArray:
    # A results file of another task has no such metric; the claim is not about it.
    if AFFINE not in data["metric"].values:
        return np.full(data.sizes["problem"], np.nan)
    return _correlation(FIXED, AFFINE)(data)


def _bowl(data: xr.Dataset) -> FloatArray:
    return _rows(data["bowl_spearman"].sel(sweep=GROWING, metric=GRASSMANN))


def _statistic(
    of: Reduced, *, null: float | Reduced, where: str
) -> Callable[[xr.DataTree], Evidence]:
    def statistic(results: xr.DataTree) -> Evidence:
        root = results.to_dataset()
        beside: float | FloatArray = null(root) if callable(null) else null
        # Where the effect is not defined neither is its null, but a null must be a number.
        if isinstance(beside, np.ndarray) and np.isnan(beside).all():
            beside = 0.0
        levels = len(_seeing(root))
        note = f"{where}, mean over {levels} level{'s' * (levels != 1)} with s ≥ σ/4"
        return beside_untrained(results, of, null=beside, note=note)

    return statistic


def _seeing(data: xr.Dataset | xr.DataArray) -> IntArray:
    signal, sigma = (np.asarray(data[name].values) for name in ("signal", "sigma"))
    return np.flatnonzero(signal >= LEAST_SIGNAL * sigma)


def _rows(values: xr.DataArray) -> FloatArray:
    """One number a problem: the mean over the levels that see the answer and have a value."""
    if "level" in values.dims:
        values = values.isel(level=_seeing(values)).mean("level")
    return rows(values)


HYPOTHESES = (
    Hypothesis(
        id="grassmann-over-the-bowl",
        statement=(
            "As moves grow, energy correlates with Grassmann distance more than that of an "
            "isotropic bowl does, and more than with untrained weights."
        ),
        statistic=_statistic(
            _correlation(GROWING, GRASSMANN), null=_bowl, where="moves of growing length"
        ),
        direction="greater",
        supports="a rank correlation above the bowl's at the same moves, and above untrained",
        refutes="one below the bowl's, or below that of untrained weights",
        control=_CONTROL,
        source=f"{_PLAN}; E = ‖δy‖² reaches that by itself, so its own correlation is the null",
        figure="growing",
        needs=("spearman", "bowl_spearman"),
    ),
    Hypothesis(
        id="grassmann-over-length",
        statement=(
            "As moves grow, energy correlates with Grassmann distance more than with ‖δy‖, and by "
            "more than with untrained weights."
        ),
        statistic=_statistic(_better, null=0.0, where="moves of growing length"),
        direction="greater",
        supports="a larger rank correlation with Grassmann than with Frobenius distance",
        refutes="a smaller one, or a difference below that of untrained weights",
        control=_CONTROL,
        source=f"{_PLAN}: a predictor that the length of the move beats says nothing of subspaces",
        figure="growing",
        needs=("spearman",),
    ),
    Hypothesis(
        id="grassmann-given-length",
        statement=(
            "With ‖δy‖ held fixed in the ranks, energy still rises with Grassmann distance, more "
            "than with untrained weights."
        ),
        statistic=_statistic(
            _beyond("partial"), null=_beyond("partial_null"), where="moves of growing length"
        ),
        direction="greater",
        supports="a partial rank correlation above that of exchanged distances and of untrained",
        refutes="one below that of exchanged distances, or of untrained weights",
        control=_CONTROL,
        source=f"{_PLAN}, given ‖δy‖ (Kendall 1942); the null exchanges distances among moves of "
        "nearly the same length",
        figure="beyond",
        needs=("partial", "partial_null"),
    ),
    Hypothesis(
        id="grassmann-at-fixed-length",
        statement=(
            "Among moves of one length energy rises with Grassmann distance, more than with "
            "untrained weights."
        ),
        statistic=_statistic(_correlation(FIXED, GRASSMANN), null=0.0, where="moves of one length"),
        direction="greater",
        supports="a rank correlation above 0 and above that of untrained weights",
        refutes="one below 0, or below that of untrained weights",
        control=_CONTROL,
        source=f"{_PLAN}, at fixed ‖δy‖, where the bowl is flat and its correlation has mean 0",
        figure="fixed",
        needs=("spearman",),
    ),
    Hypothesis(
        id="grassmann-adds",
        statement=(
            "Grassmann distance adds to ‖δy‖² in predicting the energy of moves that were not "
            "fitted, more than with untrained weights."
        ),
        statistic=_statistic(
            _beyond("added"), null=_beyond("added_null"), where="moves of growing length"
        ),
        direction="greater",
        supports="a gain of R² out of sample above that of exchanged distances and of untrained",
        refutes="a gain below that of exchanged distances, or of untrained weights",
        control=_CONTROL,
        source="incremental R² over ‖δy‖², which a bowl leaves nothing of; fitted on every other "
        "move, tried on the rest",
        figure="beyond",
        needs=("added", "added_null"),
    ),
    Hypothesis(
        id="affine-at-fixed-length",
        role="exploratory",
        statement=(
            "Among moves of one length energy rises with affine-invariant distance, more than "
            "with untrained weights."
        ),
        statistic=_statistic(_affine_at_fixed, null=0.0, where="moves of one length"),
        direction="greater",
        supports="a rank correlation above 0 and above that of untrained weights",
        refutes="one below 0, or below that of untrained weights",
        control=_CONTROL,
        source="inverse only: the metric of the cone of positive definite matrices as the one that "
        "the landscape could follow; moves that leave the cone are left out",
        figure="fixed",
        needs=("spearman", "spd_share"),
    ),
)
