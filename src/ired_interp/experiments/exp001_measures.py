"""The vocabulary of EXP-001: its variables with their units, and the measures it averages."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr

__all__ = ["DEFINITIONS", "MEASURES", "UNITS", "Definition", "Measure", "constant_ideal"]

_ROUNDING = 1e-12


@dataclass(frozen=True)
class Measure:
    """A number a problem and level, and how it is averaged over problems.

    Attributes:
        name: The variable in the results.
        label: For axes and tables.
        mean: ``arithmetic``, or ``geometric`` for a number that spans decades.
        ideal: What the ideal landscape of a determined answer has at every level, if that is a
            constant.
        meaning: One sentence.
    """

    name: str
    label: str
    mean: Literal["arithmetic", "geometric"]
    ideal: float | None
    meaning: str


MEASURES = (
    Measure(
        "mean_scaled_eigenvalue",
        "mean σλ",
        "arithmetic",
        1.0,
        "Mean of σ_t·λ over the spectrum, σ_t·tr H/d.",
    ),
    Measure(
        "largest_scaled_eigenvalue",
        "largest σλ",
        "arithmetic",
        1.0,
        "Largest σ_t·λ; above 1 no posterior can produce it: model error.",
    ),
    Measure(
        "smallest_scaled_eigenvalue",
        "smallest σλ",
        "arithmetic",
        1.0,
        "Smallest σ_t·λ; below 0 the landscape bends the wrong way in some direction.",
    ),
    Measure(
        "num_negative",
        "negative eigenvalues",
        "arithmetic",
        0.0,
        "How many eigenvalues are negative by more than their error.",
    ),
    Measure(
        "participation_ratio",
        "participation ratio",
        "arithmetic",
        None,
        "(Σ|λ|)²/Σλ²: how many directions share the curvature, from 1 to d (the ideal).",
    ),
    Measure(
        "condition_number",
        "condition number",
        "geometric",
        1.0,
        "max|λ|/min|λ| over the whole spectrum.",
    ),
    Measure(
        "positive_condition_number",
        "condition number, λ > 0",
        "geometric",
        1.0,
        "max λ/min λ over the positive eigenvalues.",
    ),
    Measure(
        "spectral_gap",
        "gap λ₁ − λ₂",
        "arithmetic",
        0.0,
        "Distance of the two largest eigenvalues, in energy / y².",
    ),
    Measure(
        "gradient_norm",
        "‖∇E‖",
        "geometric",
        None,
        "Length of the energy's gradient at the point, in energy / y.",
    ),
)

UNITS = {
    "eigenvalues": "energy / y^2",
    "residuals": "energy / y^2",
    "scaled_eigenvalues": "1",
    "energy": "energy",
    "gradient_norm": "energy / y",
    "condition_number": "1",
    "positive_condition_number": "1",
    "participation_ratio": "1",
    "spectral_gap": "energy / y^2",
    "num_negative": "eigenvalues",
    "num_undetermined": "eigenvalues",
    "mean_scaled_eigenvalue": "1",
    "largest_scaled_eigenvalue": "1",
    "smallest_scaled_eigenvalue": "1",
}


@dataclass(frozen=True)
class Definition:
    """What a variable of the results is.

    Attributes:
        meaning: How it is measured.
        error: Where its error stands.
    """

    meaning: str
    error: str


_GIVEN = "none: given"
_ROUND_OFF = "round-off of the dtype"
_OF_EIGENVALUES = "follows from the residuals of the eigenvalues"

DEFINITIONS: Mapping[str, Definition] = {
    "x": Definition("The question, flat and row-major.", _GIVEN),
    "answer": Definition("The true answer y*, flat and row-major.", _GIVEN),
    "y": Definition("The point examined, in the level's own coordinates.", _GIVEN),
    "status": Definition(
        "0 where a point was found; 1 where the search for a minimum did not converge, and every "
        "number there is missing.",
        "none: a mark",
    ),
    "ideal_eigenvalues": Definition(
        "Spectrum of the ideal landscape at typical points, ascending; NaN where it is not known.",
        _ROUND_OFF,
    ),
    "eigenvalues": Definition(
        "All eigenvalues λ of H = ∇²_yE at fixed x and θ, ascending, from the dense Hessian.",
        "residuals, entry by entry",
    ),
    "residuals": Definition(
        "‖Hv − λv‖ of each pair: an eigenvalue of H lies within that distance of λ.",
        "it is the error of eigenvalues",
    ),
    "scaled_eigenvalues": Definition("σ_t·λ.", "σ_t·residuals, entry by entry"),
    "energy": Definition("E at the point; only differences have a meaning.", _ROUND_OFF),
    "gradient_norm": Definition("‖∇_yE‖ at the point.", _ROUND_OFF),
    "condition_number": Definition(
        "max|λ|/min|λ| over the whole spectrum; infinite where min|λ| is within its error.",
        _OF_EIGENVALUES,
    ),
    "positive_condition_number": Definition(
        "max λ/min λ over the positive eigenvalues; missing where there is none, "
        "infinite as above.",
        _OF_EIGENVALUES,
    ),
    "participation_ratio": Definition(
        "(Σ|λ|)²/Σλ²: how many directions share the curvature, from 1 to d.", _OF_EIGENVALUES
    ),
    "spectral_gap": Definition("λ₁ − λ₂, of the two largest eigenvalues.", _OF_EIGENVALUES),
    "num_negative": Definition(
        "How many λ lie below 0 by more than their residual and round-off d·ε·‖H‖.",
        "num_undetermined",
    ),
    "num_undetermined": Definition(
        "How many λ have a sign that their residual and round-off leave open.",
        "it is the error of num_negative",
    ),
    "mean_scaled_eigenvalue": Definition("Mean of σ_t·λ over the spectrum.", _OF_EIGENVALUES),
    "largest_scaled_eigenvalue": Definition("Largest σ_t·λ.", _OF_EIGENVALUES),
    "smallest_scaled_eigenvalue": Definition("Smallest σ_t·λ.", _OF_EIGENVALUES),
}


def constant_ideal(measure: Measure, results: xr.Dataset) -> float | None:
    """What a measure is in the ideal landscape, where that is the same at every level.

    None unless the answer is determined, so that every ideal σ_t·λ is 1.
    """
    scaled = (results["ideal_eigenvalues"] * results["sigma"]).values
    if not np.allclose(scaled, 1.0, rtol=0, atol=_ROUNDING):
        return None
    if measure.name == "participation_ratio":
        return float(results.sizes["eigen"])
    return measure.ideal
