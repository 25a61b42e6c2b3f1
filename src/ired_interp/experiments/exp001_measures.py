"""The measures of EXP-001: numbers a problem and level, and how they are averaged."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr

__all__ = ["MEASURES", "Measure", "constant_ideal"]

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


def constant_ideal(measure: Measure, results: xr.Dataset) -> float | None:
    """What a measure is in the ideal landscape, where that is the same at every level.

    None unless the answer is determined, so that every ideal σ_t·λ is 1.
    """
    scaled = (results["ideal_eigenvalues"] * results["sigma"]).values
    if not np.allclose(scaled, 1.0, rtol=0, atol=_ROUNDING):
        return None
    if measure.name == "participation_ratio":
        return float(results.sizes["y_dim"])
    return measure.ideal
