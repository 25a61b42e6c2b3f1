"""The variables of EXP-005: their units, dimensions and definitions."""

from collections.abc import Mapping
from typing import Final

from ired_interp.experiments.page import Definition
from ired_interp.experiments.skill import SKILL_DEFINITIONS

__all__ = [
    "BASE",
    "DEFINITIONS",
    "MAY_BE_MISSING",
    "MEASURED",
    "PLACES",
    "RIEMANNIAN",
    "TRAJECTORY",
    "TYPICAL",
    "UNITS",
]

# Where the derivatives are taken.
TYPICAL: Final = "typical"
TRAJECTORY: Final = "trajectory"
BASE: Final = "base"
PLACES = (TYPICAL, TRAJECTORY, BASE)

_SLOPE, _ONE = "(energy / y)^2", "1"

# Of problem, level, place and space.
MEASURED: Mapping[str, str] = {
    "tangent_gradient": _SLOPE,
    "normal_gradient": _SLOPE,
    "gradient_share": _ONE,
    "tangent_curvature": _ONE,
    "tangent_lowest": _ONE,
    "tangent_highest": _ONE,
    "normal_curvature": _ONE,
    "normal_lowest": _ONE,
    "normal_highest": _ONE,
    "curvature_share": _ONE,
    "curvature_contrast": _ONE,
    "bottom_overlap": _ONE,
}
RIEMANNIAN: Mapping[str, str] = {
    "riemannian_curvature": _ONE,
    "riemannian_lowest": _ONE,
    "riemannian_highest": _ONE,
}
UNITS = {**MEASURED, **RIEMANNIAN, "bayes_bound": _ONE}

# NaN where there is no such direction, no sign to divide by, or no manifold.
MAY_BE_MISSING = (*MEASURED, *RIEMANNIAN, "bayes_bound", "model_minimum")

_ROUND_OFF = "round-off of the dtype"
_GIVEN = "none: given"

DEFINITIONS: Mapping[str, Definition] = {
    "x": Definition("The question, flat and row-major.", _GIVEN),
    "answer": Definition("The true answer y*, flat and row-major.", _GIVEN),
    "y": Definition(
        "The points examined that all splits share, in the level's own coordinates. The base "
        "points are s_t times the point where a split is stated.",
        _GIVEN,
    ),
    "tangent_dimension": Definition("Dimension q of the tangent space.", "none: counted"),
    "normal_dimension": Definition("Dimension d − q of the normal space.", "none: counted"),
    "tangent_gradient": Definition("‖P_T∇E‖²/q, a dimension of the tangent space.", _ROUND_OFF),
    "normal_gradient": Definition("‖P_N∇E‖²/(d − q), a dimension of the normal space.", _ROUND_OFF),
    "gradient_share": Definition(
        "The normal gradient a dimension over that of the whole, ‖∇E‖²/d: 1 on average over random "
        "subspaces, whatever their dimension; at most d/(d − q).",
        _ROUND_OFF,
    ),
    "tangent_curvature": Definition(
        "σ_t·tr(P_T H)/q, the mean over tangent directions.", _ROUND_OFF
    ),
    "tangent_lowest": Definition(
        "σ_t times the lowest curvature of a tangent direction.", _ROUND_OFF
    ),
    "tangent_highest": Definition("σ_t times the highest.", _ROUND_OFF),
    "normal_curvature": Definition(
        "σ_t·tr(P_N H)/(d − q), the mean over normal directions.", _ROUND_OFF
    ),
    "normal_lowest": Definition(
        "σ_t times the lowest curvature of a normal direction.", _ROUND_OFF
    ),
    "normal_highest": Definition("σ_t times the highest.", _ROUND_OFF),
    "curvature_share": Definition(
        "The mean normal curvature over the mean of all directions, tr H/d: 1 on average over "
        "random subspaces. Missing where tr H ≤ 0, where a ratio means nothing.",
        _ROUND_OFF,
    ),
    "curvature_contrast": Definition(
        "Mean normal less mean tangent curvature, in units of the root mean square eigenvalue "
        "‖H‖_F/√d: 0 on average over random subspaces, and defined whatever the signs.",
        _ROUND_OFF,
    ),
    "bottom_overlap": Definition(
        "tr(P_T P_B)/q over its mean q/d for random subspaces, with B the q lowest eigenvectors of "
        "H: 1 by chance, d/q where the flattest directions are the tangent ones. Missing where the "
        "cut goes through eigenvalues that round-off does not tell apart.",
        _ROUND_OFF,
    ),
    "riemannian_curvature": Definition(
        "σ_t times the mean eigenvalue of the Riemannian Hessian of E on the matrices of rank r, "
        "at the base point; the projected one beside it is tangent_curvature.",
        _ROUND_OFF,
    ),
    "riemannian_lowest": Definition("σ_t times its lowest eigenvalue.", _ROUND_OFF),
    "riemannian_highest": Definition("σ_t times its highest.", _ROUND_OFF),
    "bayes_bound": Definition(
        "At typical points no posterior has a larger ratio of normal to tangent curvature, in the "
        "mean over problems: 1/(1 − (m/q)·ρv/(1 + ρv)) with m missing entries of prior variance v, "
        "ρ = s_t²/σ_t². 1 where the answer is determined, and then not stored.",
        "an upper bound",
    ),
    **SKILL_DEFINITIONS,
}
