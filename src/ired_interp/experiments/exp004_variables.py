"""The variables of EXP-004: their units, dimensions and definitions."""

from collections.abc import Mapping
from typing import Final

from ired_interp.experiments.page import Definition
from ired_interp.experiments.skill import SKILL_DEFINITIONS

__all__ = [
    "DEFINITIONS",
    "FIXED",
    "GROWING",
    "MAY_BE_MISSING",
    "MEASURED",
    "SHARED",
    "SWEEPS",
    "UNITS",
]

GROWING: Final = "growing"
FIXED: Final = "fixed"
SWEEPS = (GROWING, FIXED)

_ONE, _ENERGY, _Y = "1", "energy", "y"

# One number a problem, of levels, sweeps, metrics or kinds.
MEASURED: Mapping[str, str] = {
    "spearman": _ONE,
    "bowl_spearman": _ONE,
    "random_spearman": _ONE,
    "random_bowl": _ONE,
    "partial": _ONE,
    "partial_null": _ONE,
    "added": _ONE,
    "added_null": _ONE,
    "relative_energy": _ONE,
}
UNITS: Mapping[str, str] = {
    **MEASURED,
    "energy": _ENERGY,
    "base_energy": _ENERGY,
    "bowl_energy": _ENERGY,
    "ideal_energy": _ENERGY,
    "length": _Y,
    "distance": "y, radians or 1",
    "spd_share": _ONE,
}

# NaN where energies differ by round-off alone, where a distance is not defined, and of Frobenius
# distance beyond itself.
MAY_BE_MISSING = (*MEASURED, "distance", "model_minimum")

# Of the problems alone: stored once, with the model.
SHARED = (
    "x",
    "answer",
    "base",
    "length",
    "distance",
    "spd_share",
    "bowl_energy",
    "ideal_energy",
)

_ROUND_OFF = "round-off of the dtype"
_GIVEN = "none: given"

DEFINITIONS: Mapping[str, Definition] = {
    "x": Definition("The question, flat and row-major.", _GIVEN),
    "answer": Definition("The true answer y*, flat and row-major.", _GIVEN),
    "base": Definition(
        "The matrix B that is moved, flat and row-major: y*, or UVᵀ. The points examined are "
        "s_t·(B + δ), with the same δ at all levels.",
        _GIVEN,
    ),
    "length": Definition("‖δ‖_F of each move, unscaled.", "round-off: curves end there"),
    "distance": Definition(
        "Of B + δ from B. grassmann: ‖θ‖₂ between the spaces of the leading left singular vectors, "
        "at the chosen rank or at the one in its name, 0 where it is within their error, missing "
        "where a matrix does not tell them from the rest; grassmann-rows: of the right ones; "
        "affine-invariant: ‖log eig(B⁻¹·sym(B + δ))‖₂, missing where that is not definite.",
        "round-off of float64; angles are rounded to 1e-12",
    ),
    "spd_share": Definition(
        "Share of the moves whose symmetric part is positive definite.", "none: counted"
    ),
    "energy": Definition("E at s_t·(B + δ).", _ROUND_OFF),
    "base_energy": Definition("E at s_t·B.", _ROUND_OFF),
    "bowl_energy": Definition(
        "Of the isotropic bowl ‖y − s_t·B‖²/(2σ_t) at the same points.", _ROUND_OFF
    ),
    "ideal_energy": Definition(
        "Of the ideal landscape at the same points, up to a constant: ‖y − s_t·y*‖²/(2σ_t) where "
        "the answer is determined; that of the gaussian task. Not stored where it is not known.",
        _ROUND_OFF,
    ),
    "relative_energy": Definition(
        "Mean over the moves of a kind at fixed length of (E − E(s_t·B))/(s_t²·‖δ‖²/(2σ_t)): 1 in "
        "the ideal of a determined answer.",
        _ROUND_OFF,
    ),
    "spearman": Definition(
        "Spearman's correlation of energy and distance over the moves of a sweep.", _ROUND_OFF
    ),
    "bowl_spearman": Definition(
        "The same of the isotropic bowl, whose energy grows with ‖δ‖ alone. Missing at fixed "
        "length, where the bowl does not vary.",
        _ROUND_OFF,
    ),
    "random_spearman": Definition(
        "Spearman's correlation of energy and distance over the random moves of the growing sweep "
        "alone: how the claim is usually put.",
        _ROUND_OFF,
    ),
    "random_bowl": Definition("The same of the isotropic bowl.", _ROUND_OFF),
    "partial": Definition(
        "Spearman's correlation of energy and distance given ‖δ‖, growing sweep.", _ROUND_OFF
    ),
    "partial_null": Definition(
        "The same with distances exchanged among moves of nearly the same length, mean of draws.",
        "spread of the draws",
    ),
    "added": Definition(
        "What distance² adds to ‖δ‖² in R² of the energy, fitted on every other move of the "
        "growing sweep and tried on the rest.",
        _ROUND_OFF,
    ),
    "added_null": Definition(
        "The same with distances exchanged among moves of nearly the same length, mean of draws.",
        "spread of the draws",
    ),
    **SKILL_DEFINITIONS,
}
