"""The variables of EXP-011: their units and definitions."""

from collections.abc import Mapping

from ired_interp.experiments.page import Definition
from ired_interp.experiments.skill import SKILL_DEFINITIONS

__all__ = ["DEFINITIONS", "MAY_BE_MISSING", "MEASURED", "UNITS"]

# One number a problem and way to an answer.
MEASURED: Mapping[str, str] = {
    "error": "y^2",
    "energy": "energy",
    "change": "1",
    "to_minimum": "y",
    "num_minima": "1",
    "apart": "1",
    "cost": "gradients",
}
UNITS: Mapping[str, str] = {**MEASURED, "path_error": "y^2", "path_cost": "gradients"}

# No minimum was reached or looked for, or a level was left out; and the skill's own.
MAY_BE_MISSING = ("to_minimum", "num_minima", "apart", "path_error", "model_minimum")

_ROUND_OFF = "round-off of the dtype"

DEFINITIONS: Mapping[str, Definition] = {
    "x": Definition("The question, flat and row-major.", "none: given"),
    "answer": Definition("The true answer y*, flat and row-major.", "none: given"),
    "given": Definition("What each way answers from the first start, unscaled.", _ROUND_OFF),
    "error": Definition(
        "Squared error an entry of the answer, mean over starts.", "spread over starts"
    ),
    "energy": Definition(
        "E at s_t times the answer, at the finest level of the run, mean over starts.",
        _ROUND_OFF,
    ),
    "change": Definition(
        "rms distance of the answer from that of the released rule from the same start, over the "
        "rms error of the latter; mean of squares over starts, then the root.",
        _ROUND_OFF,
    ),
    "to_minimum": Definition(
        "rms distance an entry, unscaled, from the answer of the first start to the minimum of the "
        "finest level that a Newton descent reaches from it; missing where that does not converge, "
        "and for untrained weights but with the released rule.",
        "gradient below 1e-10·‖H‖ (1e-5 in float32)",
    ),
    "num_minima": Definition(
        "Distinct minima of the finest level that Newton descents from the answers of all starts "
        "reach: a lower bound of how many there are; for untrained weights with the released rule "
        "alone.",
        "none: counted, ends within 1e-4 are one",
    ),
    "apart": Definition(
        "Share of pairs of starts whose descents end at different minima: 0 for a single "
        "one; likewise.",
        "none: counted",
    ),
    "cost": Definition(
        "Gradients that the answer took, mean over starts; a Hessian counts as 2·d of them.",
        "none: counted",
    ),
    "path_error": Definition(
        "Squared error an entry of the prediction after each level, mean over starts; missing at "
        "levels that the way leaves out.",
        "spread over starts",
    ),
    "path_cost": Definition("`cost` up to the end of each level.", "none: counted"),
    **SKILL_DEFINITIONS,
}
