"""Curvature of a landscape with respect to the answer."""

from ired_interp.curvature.alignment import Alignment, alignment
from ired_interp.curvature.certificates import MorseIndex
from ired_interp.curvature.certified import Spectrum
from ired_interp.curvature.density import (
    EigenvalueCount,
    SpectralDensity,
    eigenvalues_below,
    spectral_density,
)
from ired_interp.curvature.eigenspaces import (
    Clusters,
    Eigenspace,
    clusters,
    eigenspace,
    take,
)
from ired_interp.curvature.estimates import Estimate
from ired_interp.curvature.following import Followed, follow
from ired_interp.curvature.logdet import LogDeterminant, log_abs_determinant, log_determinant
from ired_interp.curvature.measures import (
    Interval,
    condition_number,
    condition_number_interval,
    eigenvalue_errors,
    num_negative,
    num_undetermined,
    participation_ratio,
    participation_ratio_interval,
    positive_condition_number,
    positive_condition_number_interval,
    spectral_gap,
    spectral_gap_interval,
)
from ired_interp.curvature.meetings import Meeting
from ired_interp.curvature.overlap import (
    SharedDirections,
    SubspaceOverlap,
    overlap_angles,
    overlap_between,
    overlap_levels,
    overlap_problems,
    shared_directions,
)
from ired_interp.curvature.parts import PartSpectra, Split, part_spectra, part_traces, split
from ired_interp.curvature.slopes import (
    LevelChange,
    Slopes,
    exact_slopes,
    level_change,
    slopes,
)
from ired_interp.curvature.spectra import spectrum
from ired_interp.curvature.trace import frobenius_norm, trace
from ired_interp.curvature.warm import WarmSpectrum, warm_spectrum

__all__ = [
    "Alignment",
    "Clusters",
    "Eigenspace",
    "EigenvalueCount",
    "Estimate",
    "Followed",
    "Interval",
    "LevelChange",
    "LogDeterminant",
    "Meeting",
    "MorseIndex",
    "PartSpectra",
    "SharedDirections",
    "Slopes",
    "SpectralDensity",
    "Spectrum",
    "Split",
    "SubspaceOverlap",
    "WarmSpectrum",
    "alignment",
    "clusters",
    "condition_number",
    "condition_number_interval",
    "eigenspace",
    "eigenvalue_errors",
    "eigenvalues_below",
    "exact_slopes",
    "follow",
    "frobenius_norm",
    "level_change",
    "log_abs_determinant",
    "log_determinant",
    "num_negative",
    "num_undetermined",
    "overlap_angles",
    "overlap_between",
    "overlap_levels",
    "overlap_problems",
    "part_spectra",
    "part_traces",
    "participation_ratio",
    "participation_ratio_interval",
    "positive_condition_number",
    "positive_condition_number_interval",
    "shared_directions",
    "slopes",
    "spectral_density",
    "spectral_gap",
    "spectral_gap_interval",
    "spectrum",
    "split",
    "take",
    "trace",
    "warm_spectrum",
]
