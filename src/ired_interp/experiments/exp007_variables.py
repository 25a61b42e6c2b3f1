"""The variables of EXP-007: their units and definitions."""

from collections.abc import Mapping

from ired_interp.experiments.page import Definition
from ired_interp.experiments.skill import SKILL_DEFINITIONS

__all__ = ["DEFINITIONS", "MAY_BE_MISSING", "MEASURED", "OF_PROBLEMS", "SHARED", "UNITS"]

# One number a problem and step, of levels or rules.
MEASURED: Mapping[str, str] = {
    "error": "y^2",
    "effective_rank": "1",
    "nuclear_norm": "y",
    "wrong_rank": "1",
    "wrong_nuclear": "y",
    "penalised_rank": "1",
    "penalised_nuclear": "y",
    "penalised_distance": "1",
    "wrong_penalised_distance": "1",
    "rule_distance": "1",
    "wrong_rule_distance": "1",
    "curvature": "1",
    "off_ideal": "1",
    "split_ratio": "1",
}
# One number a problem, of rules.
OF_PROBLEMS: Mapping[str, str] = {
    "true_rank": "1",
    "true_nuclear": "y",
    "mean_error": "y^2",
    "rule_error": "y^2",
}
UNITS: Mapping[str, str] = {**MEASURED, **OF_PROBLEMS}

# Of the model's series alone: no claim needs them of untrained networks.
SHARED = (
    "x",
    "answer",
    "given",
    "true_rank",
    "true_nuclear",
    "penalised_rank",
    "penalised_nuclear",
    "penalised_distance",
    "wrong_penalised_distance",
)

# No ideal or no split is known, a mean curvature is not positive, or an answer is worse than 0; and
# the skill's own.
MAY_BE_MISSING = (
    "off_ideal",
    "split_ratio",
    "penalised_rank",
    "penalised_nuclear",
    "penalised_distance",
    "wrong_penalised_distance",
    "model_minimum",
)

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
        "Effective rank of an answer as wrong without a bias: the point between y* and the mean "
        "answer of the task that has the checkpoint's error; where the answer is worse than the "
        "mean answer, that plus noise without a direction, geometric mean over 8 draws.",
        "spread over draws, where there is noise",
    ),
    "wrong_nuclear": Definition("Nuclear norm of the same, likewise.", "likewise"),
    "penalised_rank": Definition(
        "Effective rank of y* with its singular values cut by as much as makes the checkpoint's "
        "error, as a penalty on the nuclear norm does; missing where the answer is worse than 0.",
        _ROUND_OFF,
    ),
    "penalised_nuclear": Definition("Nuclear norm of the same.", _ROUND_OFF),
    "penalised_distance": Definition(
        "rms distance of the answer from the same, over the rms of y*.", _ROUND_OFF
    ),
    "wrong_penalised_distance": Definition(
        "rms distance from the same of an answer as wrong, over the rms of y*.", _ROUND_OFF
    ),
    "mean_error": Definition(
        "Squared error an entry of the task's mean answer, over 2,000 draws.", "of those draws"
    ),
    "rule_error": Definition("Squared error an entry of each trivial rule.", _ROUND_OFF),
    "true_rank": Definition("Effective rank of y*.", _ROUND_OFF),
    "true_nuclear": Definition("Nuclear norm of y*.", _ROUND_OFF),
    "rule_distance": Definition(
        "rms distance of the answer from that of each trivial rule, over the rms of y*.",
        _ROUND_OFF,
    ),
    "wrong_rule_distance": Definition(
        "The same of an answer as wrong (`wrong_rank`), mean over draws where there is noise.",
        "spread over draws, where there is noise",
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
