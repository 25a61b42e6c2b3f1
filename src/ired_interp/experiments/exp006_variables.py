"""The variables of EXP-006: their units, dimensions and definitions."""

from collections.abc import Mapping
from typing import Final

from ired_interp.experiments.page import Definition
from ired_interp.experiments.skill import SKILL_DEFINITIONS

__all__ = [
    "AT_ENDS",
    "AT_NOISE",
    "AT_POINTS",
    "BOTTOM",
    "DEFINITIONS",
    "ENDS",
    "MAY_BE_MISSING",
    "PLACES",
    "TOP",
    "TRAJECTORY",
    "TYPICAL",
    "UNITS",
]

TYPICAL: Final = "typical"
TRAJECTORY: Final = "trajectory"
PLACES = (TYPICAL, TRAJECTORY)

TOP: Final = "top"
BOTTOM: Final = "bottom"
ENDS = (TOP, BOTTOM)

_ONE = "1"

# Of problem, level and place.
AT_POINTS: Mapping[str, str] = {
    "score_rms": "energy / y",
    "concentration": _ONE,
    "beyond_edge": "components",
    "top_eigenvalue": _ONE,
    "effective_draws": "draws",
    "energy_random": _ONE,
    "error_random": _ONE,
}
# Of problem, level, place and end.
AT_ENDS: Mapping[str, str] = {
    "own_share": _ONE,
    "other_share": _ONE,
    "energy_along": _ONE,
    "energy_place": _ONE,
    "error_along": _ONE,
    "error_place": _ONE,
}
# Of the problem alone: the noise's own spectrum.
AT_NOISE: Mapping[str, str] = {
    "noise_concentration": _ONE,
    "noise_beyond_edge": "components",
}
UNITS = {
    **AT_POINTS,
    **AT_ENDS,
    **AT_NOISE,
    "eigenvalue": _ONE,
    "noise_eigenvalue": _ONE,
    "score": "energy / y",
    "mean_score": "energy / y",
    "score_floor": "energy / y",
    "path": "y",
}

# NaN where a problem has no spectrum (no spread over noise), no own subspace, or no such end.
MAY_BE_MISSING = (*AT_POINTS, *AT_ENDS, "eigenvalue", "component", "model_minimum")

_ROUND_OFF = "round-off of the dtype"
_STORED = "round-off of config.storage"
_GIVEN = "none: given"
_SAMPLED = "sampling of n noise draws; noise_concentration has the same"

DEFINITIONS: Mapping[str, Definition] = {
    "x": Definition("The question, flat and row-major.", _GIVEN),
    "answer": Definition("The true answer y*, flat and row-major.", _GIVEN),
    "noise": Definition(
        "ε: the typical points are s_t·y* + σ_t·ε, and the solver starts at ε. The same at all "
        "levels.",
        _STORED,
    ),
    "path": Definition(
        "Where the solver was at the end of each level, in the level's own coordinates, from each "
        "of the starts.",
        _STORED,
    ),
    "score": Definition("∇_yE at the typical points and on the trajectory.", _STORED),
    "score_floor": Definition(
        "200·ε·the root mean square of typical scores, ε of the dtype that they were computed in. "
        "Spectra and components are missing where the scores of a place spread by less over the "
        "draws: they would be round-off.",
        "round-off of a gradient is below a tenth of it",
    ),
    "mean_score": Definition("Mean of ∇_yE over the noise draws.", _ROUND_OFF),
    "component": Definition(
        "The first (top) and last (bottom) principal components of a problem's scores over noise "
        "draws, unit vectors of arbitrary sign.",
        "arbitrary where the spectrum is that of noise",
    ),
    "score_rms": Definition(
        "Root mean square entry of ∇E; 1 at the typical points of the ideal of a determined task.",
        _ROUND_OFF,
    ),
    "eigenvalue": Definition(
        "Covariance spectrum of a problem's scores over noise draws, over its mean Σλ/d.", _SAMPLED
    ),
    "noise_eigenvalue": Definition("The same of the noise draws themselves.", _ROUND_OFF),
    "concentration": Definition(
        "Σλ²/(Σλ)² over its mean (m + d + 1)/(md + 2) for isotropic rows, m = n − 1: 1 by chance, "
        "and more the fewer directions the scores have.",
        _SAMPLED,
    ),
    "noise_concentration": Definition("The same of the noise draws themselves.", _ROUND_OFF),
    "beyond_edge": Definition(
        "Components whose eigenvalue exceeds what the largest of isotropic rows exceeds in 1 % of "
        "draws.",
        "wrong by chance in 1 % of isotropic spectra",
    ),
    "noise_beyond_edge": Definition("The same of the noise draws themselves.", _ROUND_OFF),
    "top_eigenvalue": Definition("The largest eigenvalue over the mean one.", _SAMPLED),
    "own_share": Definition(
        "Share of the components of an end in the problem's own subspace: completion: the observed "
        "entries (top) or the missing ones (bottom); else the matrices with the answer's singular "
        "vectors, which for inverse are A's eigenvectors.",
        _ROUND_OFF,
    ),
    "other_share": Definition(
        "The same in the subspaces of the other problems, or of a random one where there is none.",
        "over the problems of the run",
    ),
    "effective_draws": Definition(
        "(Σ‖g‖²)²/Σ‖g‖⁴ over the centred scores g: how many draws the spectrum stands on, about "
        "n·d/(d + 2) of isotropic ones, few where some draws are far longer than others.",
        _SAMPLED,
    ),
    "energy_along": Definition(
        "σ_t·(E(y + δ) + E(y − δ) − 2E(y))/‖δ‖² along the components of an end, at a point that "
        "the components have not seen; 1 in the ideal of a determined task.",
        _ROUND_OFF,
    ),
    "energy_random": Definition("The same along random directions.", "over random_draws"),
    "energy_place": Definition(
        "Share of the random directions along which E rises less; ties count half.",
        "1/√(4·random_draws) by chance",
    ),
    "error_along": Definition(
        "Mean rise of ‖ŷ − y*‖² under the same moves, ŷ = (y − σ_t∇E)/s_t, in units of ‖δ‖²/s_t²: "
        "0 in the ideal of a determined task, 1 on a flat landscape.",
        _ROUND_OFF,
    ),
    "error_random": Definition("The same along random directions.", "over random_draws"),
    "error_place": Definition(
        "Share of the random directions along which the error rises less; ties count half.",
        "1/√(4·random_draws) by chance",
    ),
    **SKILL_DEFINITIONS,
}
