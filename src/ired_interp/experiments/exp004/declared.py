"""What EXP-004 declares: its variables, its claims, and what of them is shown.

Levels are averaged within a problem first, as they are no replicates, and of these only the ones
that see the answer: where σ_t is more than 4 s_t (the two coarsest of ten) the move of an answer is
a small part of σ_t, and what correlates is the gradient there.
"""

from functools import partial
from typing import Final

import xarray as xr

from ired_interp.experiments.exp004.distances import AFFINE, FROBENIUS, GRASSMANN
from ired_interp.experiments.exp004.measure import FIXED, GROWING
from ired_interp.experiments.kit.claims import Claim
from ired_interp.experiments.kit.expressions import pick
from ired_interp.experiments.kit.tables import Lines, MeanTable, Said
from ired_interp.experiments.kit.variables import GIVEN, V, declare

__all__ = ["CLAIMS", "LEAST_SIGNAL", "LINES", "SAID", "TABLES", "VARIABLES"]

LEAST_SIGNAL: Final = 0.25
"""s_t/σ_t of a level that the claims are about."""

_SPREAD = "spread of the draws"
_MOVES = "problem level sweep move"
_BY_METRIC = "problem level metric"
# One number a problem; NaN where energies differ by round-off alone.
_number = partial(V, may_be_missing=True, mean=True)

VARIABLES = declare(
    V(
        "base",
        "problem y_dim",
        "",
        "The matrix B that is moved, flat and row-major: y*, or UVᵀ. The points examined are "
        "s_t·(B + δ), with the same δ at all levels.",
        GIVEN,
    ),
    V(
        "length",
        "problem sweep move",
        "y",
        "‖δ‖_F of each move, unscaled.",
        "round-off: curves end there",
    ),
    V(
        "distance",
        "problem sweep move metric",
        "y, radians or 1",
        "Of B + δ from B. grassmann: ‖θ‖₂ between the spaces of the leading left singular vectors, "
        "at the chosen rank or at the one in its name, 0 where it is within their error, missing "
        "where a matrix does not tell them from the rest; grassmann-rows: of the right ones; "
        "affine-invariant: ‖log eig(B⁻¹·sym(B + δ))‖₂, missing where that is not definite.",
        "round-off of float64; angles are rounded to 1e-12",
        may_be_missing=True,
    ),
    V(
        "spd_share",
        "problem sweep",
        "1",
        "Share of the moves whose symmetric part is positive definite.",
        "none: counted",
    ),
    V("energy", _MOVES, "energy", "E at s_t·(B + δ)."),
    V("base_energy", "problem level", "energy", "E at s_t·B."),
    V(
        "bowl_energy",
        _MOVES,
        "energy",
        "Of the isotropic bowl ‖y − s_t·B‖²/(2σ_t) at the same points.",
    ),
    V(
        "ideal_energy",
        _MOVES,
        "energy",
        "Of the ideal landscape at the same points, up to a constant: ‖y − s_t·y*‖²/(2σ_t) where "
        "the answer is determined; that of the gaussian task. Not stored where it is not known.",
    ),
    _number(
        "relative_energy",
        "problem level kind",
        "1",
        "Mean over the moves of a kind at fixed length of (E − E(s_t·B))/(s_t²·‖δ‖²/(2σ_t)): 1 in "
        "the ideal of a determined answer.",
    ),
    _number(
        "spearman",
        "problem level sweep metric",
        "1",
        "Spearman's correlation of energy and distance over the moves of a sweep.",
    ),
    _number(
        "bowl_spearman",
        "problem sweep metric",
        "1",
        "The same of the isotropic bowl, whose energy grows with ‖δ‖ alone. Missing at fixed "
        "length, where the bowl does not vary.",
    ),
    _number(
        "random_spearman",
        _BY_METRIC,
        "1",
        "Spearman's correlation of energy and distance over the random moves of the growing sweep "
        "alone: how the claim is usually put.",
    ),
    _number("random_bowl", "problem metric", "1", "The same of the isotropic bowl."),
    _number(
        "partial",
        _BY_METRIC,
        "1",
        "Spearman's correlation of energy and distance given ‖δ‖, growing sweep.",
    ),
    _number(
        "partial_null",
        _BY_METRIC,
        "1",
        "The same with distances exchanged among moves of nearly the same length, mean of draws.",
        _SPREAD,
    ),
    _number(
        "added",
        _BY_METRIC,
        "1",
        "What distance² adds to ‖δ‖² in R² of the energy, fitted on every other move of the "
        "growing sweep and tried on the rest.",
    ),
    _number(
        "added_null",
        _BY_METRIC,
        "1",
        "The same with distances exchanged among moves of nearly the same length, mean of draws.",
        _SPREAD,
    ),
)


def _sees_the_answer(data: xr.Dataset) -> xr.DataArray:
    return data["signal"] >= LEAST_SIGNAL * data["sigma"]


def _where(words: str, data: xr.Dataset) -> str:
    levels = int(_sees_the_answer(data).sum())
    return f"{words}, mean over {levels} level{'s' * (levels != 1)} with s ≥ σ/4"


def _growing(data: xr.Dataset) -> str:
    return _where("moves of growing length", data)


def _fixed(data: xr.Dataset) -> str:
    return _where("moves of one length", data)


_RHO = pick("spearman")
_PLAN = "the plan's claim that energy correlates with Grassmann distance, r > 0.8"

CLAIMS = (
    Claim(
        id="grassmann-over-the-bowl",
        statement="As moves grow, energy correlates with Grassmann distance more than that of an "
        "isotropic bowl does, and more than with untrained weights.",
        effect=_RHO(sweep=GROWING, metric=GRASSMANN).mean("level", where=_sees_the_answer),
        what="a rank correlation",
        null=pick("bowl_spearman", sweep=GROWING, metric=GRASSMANN),
        null_words="the bowl's at the same moves",
        source=f"{_PLAN}; E = ‖δy‖² reaches that by itself, so its own correlation is the null",
        chart="growing",
        note=_growing,
    ),
    Claim(
        id="grassmann-over-length",
        statement="As moves grow, energy correlates with Grassmann distance more than with ‖δy‖, "
        "and by more than with untrained weights.",
        effect=(_RHO(sweep=GROWING, metric=GRASSMANN) - _RHO(sweep=GROWING, metric=FROBENIUS)).mean(
            "level", where=_sees_the_answer
        ),
        what="a difference of the rank correlations with Grassmann and with Frobenius distance",
        source=f"{_PLAN}: a predictor that the length of the move beats says nothing of subspaces",
        chart="growing",
        note=_growing,
    ),
    Claim(
        id="grassmann-given-length",
        statement="With ‖δy‖ held fixed in the ranks, energy still rises with Grassmann distance, "
        "more than with untrained weights.",
        effect=pick("partial", metric=GRASSMANN).mean("level", where=_sees_the_answer),
        what="a partial rank correlation",
        null=pick("partial_null", metric=GRASSMANN).mean("level", where=_sees_the_answer),
        null_words="that of exchanged distances",
        source=f"{_PLAN}, given ‖δy‖ (Kendall 1942); the null exchanges distances among moves of "
        "nearly the same length",
        chart="beyond",
        note=_growing,
    ),
    Claim(
        id="grassmann-at-fixed-length",
        statement="Among moves of one length energy rises with Grassmann distance, more than with "
        "untrained weights.",
        effect=_RHO(sweep=FIXED, metric=GRASSMANN).mean("level", where=_sees_the_answer),
        what="a rank correlation",
        source=f"{_PLAN}, at fixed ‖δy‖, where the bowl is flat and its correlation has mean 0",
        chart="fixed",
        note=_fixed,
    ),
    Claim(
        id="grassmann-adds",
        statement="Grassmann distance adds to ‖δy‖² in predicting the energy of moves that were "
        "not fitted, more than with untrained weights.",
        effect=pick("added", metric=GRASSMANN).mean("level", where=_sees_the_answer),
        what="a gain of R² out of sample",
        null=pick("added_null", metric=GRASSMANN).mean("level", where=_sees_the_answer),
        null_words="that of exchanged distances",
        source="incremental R² over ‖δy‖², which a bowl leaves nothing of; fitted on every other "
        "move, tried on the rest",
        chart="beyond",
        note=_growing,
    ),
    Claim(
        id="affine-at-fixed-length",
        role="exploratory",
        statement="Among moves of one length energy rises with affine-invariant distance, more "
        "than with untrained weights.",
        effect=_RHO(sweep=FIXED, metric=AFFINE).mean("level", where=_sees_the_answer),
        what="a rank correlation",
        source="inverse only: the metric of the cone of positive definite matrices as the one that "
        "the landscape could follow; moves that leave the cone are left out",
        chart="fixed",
        note=_fixed,
        needs=("spd_share",),
    ),
)

_COLUMNS = (
    ("ρ, random moves, growing", pick("random_spearman")),
    ("ρ, all moves, growing", _RHO(sweep=GROWING)),
    ("ρ given ‖δ‖", pick("partial")),
    ("ρ at fixed ‖δ‖", _RHO(sweep=FIXED)),
    ("added R²", pick("added")),
)
_COMPARED = (GRASSMANN, FROBENIUS, AFFINE)
TABLES = (
    MeanTable(
        "Distance as a predictor of energy, by level",
        ("metric", "level"),
        _COLUMNS,
        "ρ: Spearman’s correlation with energy, of each problem by itself. The bowl’s own ρ stand "
        "in the figure on growing moves.",
        only={"metric": _COMPARED},
    ),
    MeanTable(
        "Other distances as predictors of energy, by level",
        ("metric", "level"),
        _COLUMNS,
        without={"metric": _COMPARED},
        name="other-distances",
        title="Subspaces of other sides and dimensions",
    ),
)
SAID = (
    Said(
        "Over random moves of growing length energy and Grassmann distance correlate by {cases}, "
        "mean over levels; an isotropic bowl by {model}.",
        pick("random_spearman", metric=GRASSMANN),
        pick("random_bowl", metric=GRASSMANN),
    ),
    Said(
        "Over growing moves of all kinds they correlate by {cases}, mean over levels; the bowl by "
        "{model}.",
        _RHO(sweep=GROWING, metric=GRASSMANN),
        pick("bowl_spearman", sweep=GROWING, metric=GRASSMANN),
    ),
    Said(
        "Over moves of one length they correlate by {cases}, mean over levels; chance gives 0.",
        _RHO(sweep=FIXED, metric=GRASSMANN),
    ),
    Said(
        "To ‖δ‖² Grassmann distance adds, in R² out of sample, {cases}, mean over levels; "
        "exchanged distances add {model}.",
        pick("added", metric=GRASSMANN),
        pick("added_null", metric=GRASSMANN),
    ),
)
LINES = Lines(
    columns=(
        ("growing", _RHO(sweep=GROWING, metric=GRASSMANN)),
        ("given ‖δ‖", pick("partial", metric=GRASSMANN)),
        ("fixed ‖δ‖", _RHO(sweep=FIXED, metric=GRASSMANN)),
        ("added R²", pick("added", metric=GRASSMANN)),
    ),
    others=(
        ("growing", _RHO(sweep=GROWING, metric=GRASSMANN)),
        ("fixed", _RHO(sweep=FIXED, metric=GRASSMANN)),
    ),
    caption="rank correlation of energy and Grassmann distance; added R²: what distance² adds to "
    "‖δ‖² out of sample;",
)
