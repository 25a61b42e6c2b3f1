"""The variables of EXP-001: their units, dimensions and definitions."""

from collections.abc import Mapping
from typing import Final

import torch

from ired_interp.experiments.page import Definition
from ired_interp.experiments.skill import SKILL_DEFINITIONS

__all__ = [
    "ALL",
    "BOTTOM",
    "COUNTS",
    "DEFINITIONS",
    "MAY_BE_MISSING",
    "TOP",
    "UNITS",
    "dims_of",
    "measured_names",
]

# Why an eigenvalue is there (coordinate ``wanted``), and which end a vector is of (``end``).
ALL: Final = "all"
TOP: Final = "top"
BOTTOM: Final = "bottom"

_CURVATURE, _EIGEN, _VECTOR = "energy / y^2", ("eigen",), ("end", "vector")
_ALWAYS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "eigenvalues": (_CURVATURE, _EIGEN),
    "residuals": (_CURVATURE, _EIGEN),
    "radii": (_CURVATURE, _EIGEN),
    "clusters": ("1", _EIGEN),
    "cluster_radii": (_CURVATURE, _EIGEN),
    "scaled_eigenvalues": ("1", _EIGEN),
    "index_low": ("eigenvalues", ()),
    "index_high": ("eigenvalues", ()),
    "roundoff": (_CURVATURE, ()),
    "route": ("1", ()),
    "energy": ("energy", ()),
    "gradient_norm": ("energy / y", ()),
    "condition_number": ("1", ()),
    "positive_condition_number": ("1", ()),
    "participation_ratio": ("1", ()),
    "spectral_gap": (_CURVATURE, ()),
    "num_negative": ("eigenvalues", ()),
    "num_undetermined": ("eigenvalues", ()),
    "mean_scaled_eigenvalue": ("1", ()),
    "largest_scaled_eigenvalue": ("1", ()),
    "smallest_scaled_eigenvalue": ("1", ()),
}
_VECTORS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "eigenvectors": ("1", ("end", "vector", "y_dim")),
    "vector_eigen": ("1", _VECTOR),
    "vector_cluster_size": ("eigenvalues", _VECTOR),
    "vector_gap": (_CURVATURE, _VECTOR),
    "subspace_gap": (_CURVATURE, ("end",)),
    "subspace_angle_error": ("1", ("end",)),
}
_PARTS: Mapping[str, tuple[str, tuple[str, ...]]] = {"part_traces": (_CURVATURE, ("part",))}
_PARTS_OF_ALL: Mapping[str, tuple[str, tuple[str, ...]]] = {"part_shares": ("1", ("part",))}
_PARTS_OF_VECTORS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "contributions": (_CURVATURE, ("part", "end", "vector")),
    "contribution_defects": (_CURVATURE, _VECTOR),
}
_DRAWS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "draw_overlap": ("1", ("end",)),
    "draw_overlap_error": ("1", ("end",)),
}
_POSTERIOR: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "posterior_variance": ("y^2", ("y_dim",)),
    "squared_error": ("y^2", ("y_dim",)),
}
_MEASURED = {
    **_ALWAYS,
    **_VECTORS,
    **_PARTS,
    **_PARTS_OF_ALL,
    **_PARTS_OF_VECTORS,
    **_DRAWS,
    **_POSTERIOR,
}

UNITS = {name: unit for name, (unit, _) in _MEASURED.items()}

# Whole numbers, -1 where missing.
COUNTS = {
    "clusters": torch.int32,
    "index_low": torch.int64,
    "index_high": torch.int64,
    "route": torch.int8,
    "num_negative": torch.int64,
    "num_undetermined": torch.int64,
    "vector_eigen": torch.int32,
    "vector_cluster_size": torch.int32,
}


# NaN where only the ends were asked for, or where no ideal is known; infinite where an eigenvalue
# cannot be told from 0, or there is no other.
MAY_BE_MISSING = (
    "ideal_eigenvalues",
    "model_minimum",
    "condition_number",
    "positive_condition_number",
    "participation_ratio",
    "spectral_gap",
    "mean_scaled_eigenvalue",
    "largest_scaled_eigenvalue",
    "smallest_scaled_eigenvalue",
    "vector_gap",
    "subspace_gap",
)


def dims_of(name: str) -> tuple[str, ...]:
    """The dimensions of a measured variable after problem and level."""
    return _MEASURED[name][1]


def measured_names(
    *, every: bool, vectors: bool, parts: bool, draws: bool, posterior: bool
) -> list[str]:
    """What is measured at each point.

    Args:
        every: All eigenvalues were asked for.
        vectors: Eigenvectors are kept.
        parts: Curvature is split by layer.
        draws: Each problem has a second point.
        posterior: A posterior is read.
    """
    chosen = (
        (_ALWAYS, True),
        (_VECTORS, vectors),
        (_PARTS, parts),
        (_PARTS_OF_ALL, parts and every),
        (_PARTS_OF_VECTORS, parts and vectors),
        (_DRAWS, draws),
        (_POSTERIOR, posterior),
    )
    return [name for group, wanted in chosen if wanted for name in group]


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
    **SKILL_DEFINITIONS,
    "ideal_eigenvalues": Definition(
        "Spectrum of the ideal landscape at typical points, ascending; NaN where it is not known.",
        _ROUND_OFF,
    ),
    "eigenvalues": Definition(
        "Eigenvalues λ of H = ∇²_yE at fixed x and θ: all, ascending; or the largest by |λ|, "
        "falling, then the lowest, rising, if the coordinate wanted says so.",
        "radii and residuals, entry by entry",
    ),
    "residuals": Definition(
        "‖Hv − λv‖ of each pair: an eigenvalue of the computed H lies within that distance of λ.",
        "it is the error of eigenvalues",
    ),
    "radii": Definition(
        "Half-widths of the certified intervals: an eigenvalue of H lies within that distance of "
        "λ, round-off of the products included.",
        "it is the error of eigenvalues",
    ),
    "clusters": Definition(
        "Number of the cluster of each eigenvalue: those whose intervals overlap have the same.",
        "none: a mark",
    ),
    "cluster_radii": Definition(
        "As many eigenvalues of H, with multiplicity, as a cluster has members lie within that "
        "distance of them.",
        "it is the error of a cluster",
    ),
    "index_low": Definition("H has no fewer negative eigenvalues.", "a certified bound"),
    "index_high": Definition("H has no more negative eigenvalues.", "a certified bound"),
    "roundoff": Definition(
        "How far in the 2-norm the computed H may be from the true one, measured by computing "
        "products twice.",
        "a measurement with a margin of 8",
    ),
    "route": Definition("Which way the spectrum was computed.", "none: a mark"),
    "second_y": Definition(
        "A second point of the same problem, with noise of its own, in the level's coordinates.",
        _GIVEN,
    ),
    "eigenvectors": Definition(
        "The first eigenvectors of each end, of length 1, the largest entry positive: top by "
        "falling |λ|, bottom by rising λ.",
        "the angle is at most radii/vector_gap; arbitrary where vector_cluster_size is above 1",
    ),
    "vector_eigen": Definition("Number (eigen) of each vector's eigenvalue.", "none: a mark"),
    "vector_cluster_size": Definition(
        "How many eigenvalues the cluster of each vector has.", "none: a mark"
    ),
    "vector_gap": Definition(
        "Distance from each vector's eigenvalue, or its cluster, to all others that can exist.",
        "radii",
    ),
    "subspace_gap": Definition(
        "Distance from the eigenvalues of the vectors kept of an end to all others.", "radii"
    ),
    "subspace_angle_error": Definition(
        "Bound on ‖sin Θ‖_F between the span of the vectors kept of an end and the exact one "
        "(Davis & Kahan); √vectors, the largest there is, where the cut goes through a cluster.",
        "it is the error of overlaps",
    ),
    "part_traces": Definition(
        "Trace of each part of H (Gauss–Newton 2JᵀJ, and the bend of each layer); they add up to "
        "tr H.",
        _ROUND_OFF,
    ),
    "part_shares": Definition(
        "⟨P, H⟩/‖H‖² of each part P in the Frobenius product; they add up to 1.", _ROUND_OFF
    ),
    "contributions": Definition(
        "vᵀPv of each part P along each vector kept; they add up to its λ.", "contribution_defects"
    ),
    "contribution_defects": Definition(
        "|Σ contributions − vᵀHv| along each vector kept.", "it is the error of contributions"
    ),
    "draw_overlap": Definition(
        "Overlap tr(PQ)/k of the span of an end's k vectors with that at second_y.",
        "draw_overlap_error",
    ),
    "draw_overlap_error": Definition(
        "Bound on the error of draw_overlap; 1 where a cut goes through a cluster.",
        "it is the error of draw_overlap",
    ),
    "posterior_variance": Definition(
        "Diagonal of (σ_t²/s_t²)(I − σ_t·H): the variance of each entry of the answer that the "
        "landscape claims at a typical point. Below 0 where σ_t·H is above 1 there.",
        "σ_t²/s_t² times σ_t·roundoff; errors of the network are multiplied alike",
    ),
    "squared_error": Definition(
        "Squared error of each entry of the landscape's mean, (y − σ_t·∇E)/s_t − y*.", _ROUND_OFF
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
        "How many λ lie below 0 by more than their residual and round-off d·ε·‖H‖; index_low "
        "where only the ends were asked for.",
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
