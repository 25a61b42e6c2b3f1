"""Curvature of a landscape with respect to the answer."""

from ired_interp.curvature.exact import Spectrum, spectrum
from ired_interp.curvature.measures import (
    condition_number,
    eigenvalue_errors,
    num_negative,
    num_undetermined,
    participation_ratio,
    positive_condition_number,
    spectral_gap,
)

__all__ = [
    "Spectrum",
    "condition_number",
    "eigenvalue_errors",
    "num_negative",
    "num_undetermined",
    "participation_ratio",
    "positive_condition_number",
    "spectral_gap",
    "spectrum",
]
