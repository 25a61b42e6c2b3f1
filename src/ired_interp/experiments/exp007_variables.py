"""The variables of EXP-007: their units and definitions."""

from collections.abc import Mapping

from ired_interp.experiments.page import Definition
from ired_interp.experiments.skill import SKILL_DEFINITIONS

__all__ = ["DEFINITIONS", "MAY_BE_MISSING", "MEASURED", "SHARED", "UNITS"]

# One number a problem, of steps, levels or rules.
MEASURED: Mapping[str, str] = {
    "error": "y^2",
    "effective_rank": "1",
    "nuclear_norm": "y",
    "wrong_rank": "1",
    "wrong_nuclear": "y",
    "rule_distance": "1",
    "curvature": "1",
    "off_ideal": "1",
    "split_ratio": "1",
}
UNITS: Mapping[str, str] = {**MEASURED, "true_rank": "1", "true_nuclear": "y"}

# Of the problems alone: stored once, with the model.
SHARED = ("x", "answer", "true_rank", "true_nuclear")

# No ideal or no split is known, or a mean curvature is not positive; and the skill's own.
MAY_BE_MISSING = ("off_ideal", "split_ratio", "model_minimum")

_ROUND_OFF = "round-off of the dtype"

DEFINITIONS: Mapping[str, Definition] = {
    "x": Definition("The question, flat and row-major.", "none: given"),
    "answer": Definition("The true answer y*, flat and row-major.", "none: given"),
    "given": Definition("What each checkpoint answers, unscaled.", _ROUND_OFF),
    "error": Definition("Squared error an entry of the answer.", _ROUND_OFF),
    "effective_rank": Definition(
        "exp of the entropy of the answer's singular values over their sum.", _ROUND_OFF
    ),
    "nuclear_norm": Definition("Sum of the answer's singular values.", _ROUND_OFF),
    "wrong_rank": Definition(
        "Effective rank of an answer as wrong without a bias to low rank: the point between "
        "y* and the mean answer of the task that has the checkpoint's error.",
        _ROUND_OFF,
    ),
    "wrong_nuclear": Definition("Nuclear norm of that point.", _ROUND_OFF),
    "true_rank": Definition("Effective rank of y*.", _ROUND_OFF),
    "true_nuclear": Definition("Nuclear norm of y*.", _ROUND_OFF),
    "rule_distance": Definition(
        "rms distance of the answer from that of each trivial rule, over the rms of y*.",
        _ROUND_OFF,
    ),
    "curvature": Definition("Mean of σ_t·λ at typical points.", _ROUND_OFF),
    "off_ideal": Definition(
        "rms over eigenvalues of σ_t·λ − 1 at typical points, where the answer is determined and "
        "the ideal is 1; missing elsewhere.",
        _ROUND_OFF,
    ),
    "split_ratio": Definition(
        "log of the mean curvature over normal directions by that over tangent ones, each an "
        "entry, at typical points: symmetric and skew matrices for inverse, matrices of fixed rank "
        "for completion; missing where there is no split or a mean is not positive.",
        _ROUND_OFF,
    ),
    **SKILL_DEFINITIONS,
}
