"""The variables of EXP-001."""

from typing import Final

from ired_interp.experiments.exp001.measure import ROUTES
from ired_interp.experiments.kit.variables import GIVEN, V, declare

__all__ = ["VARIABLES"]

_A_MARK: Final = "none: a mark"
_OF_EIGENVALUES: Final = "follows from the residuals of the eigenvalues"
_CURVATURE: Final = "energy / y^2"
_POINT, _EIGEN = "problem level", "problem level eigen"
_END, _VECTOR = "problem level end", "problem level end vector"

# NaN where only the ends were asked for, or where no ideal is known; infinite where an eigenvalue
# cannot be told from 0, or there is no other; -1 for counts where no point was found.
VARIABLES = declare(
    V(
        "y",
        "problem level y_dim",
        "",
        "The point examined, in the level's own coordinates.",
        GIVEN,
    ),
    V(
        "status",
        _POINT,
        "",
        "0 where a point was found; 1 where the search for a minimum did not converge, "
        "and every number there is missing.",
        _A_MARK,
    ),
    V(
        "ideal_eigenvalues",
        "level eigen",
        _CURVATURE,
        "Spectrum of the ideal landscape at typical points, ascending; NaN where it is not known.",
        may_be_missing=True,
    ),
    V(
        "eigenvalues",
        _EIGEN,
        _CURVATURE,
        "Eigenvalues λ of H = ∇²_yE at fixed x and θ: all, ascending; or the largest by "
        "|λ|, falling, then the lowest, rising, if the coordinate wanted says so.",
        "radii and residuals, entry by entry",
    ),
    V(
        "residuals",
        _EIGEN,
        _CURVATURE,
        "‖Hv − λv‖ of each pair: an eigenvalue of the computed H lies within that distance of λ.",
        "it is the error of eigenvalues",
    ),
    V(
        "radii",
        _EIGEN,
        _CURVATURE,
        "Half-widths of the certified intervals: an eigenvalue of H lies within that "
        "distance of λ, round-off of the products included.",
        "it is the error of eigenvalues",
    ),
    V(
        "clusters",
        _EIGEN,
        "1",
        "Number of the cluster of each eigenvalue: those whose intervals overlap have the same.",
        _A_MARK,
    ),
    V(
        "cluster_radii",
        _EIGEN,
        _CURVATURE,
        "As many eigenvalues of H, with multiplicity, as a cluster has members lie within "
        "that distance of them.",
        "it is the error of a cluster",
    ),
    V(
        "index_low",
        _POINT,
        "eigenvalues",
        "H has no fewer negative eigenvalues.",
        "a certified bound",
    ),
    V(
        "index_high",
        _POINT,
        "eigenvalues",
        "H has no more negative eigenvalues.",
        "a certified bound",
    ),
    V(
        "roundoff",
        _POINT,
        _CURVATURE,
        "How far in the 2-norm the computed H may be from the true one, measured by "
        "computing products twice.",
        "a measurement with a margin of 8",
    ),
    V(
        "route",
        _POINT,
        "1",
        "Which way the spectrum was computed.",
        _A_MARK,
        flags="; ".join(f"{i}: {route}" for i, route in enumerate(ROUTES)),
    ),
    V(
        "second_y",
        "problem level y_dim",
        "",
        "A second point of the same problem, with noise of its own, in the level's coordinates.",
        GIVEN,
    ),
    V(
        "eigenvectors",
        "problem level end vector y_dim",
        "1",
        "The first eigenvectors of each end, of length 1, the largest entry positive: top "
        "by falling |λ|, bottom by rising λ.",
        "the angle is at most radii/vector_gap; arbitrary where vector_cluster_size is above 1",
    ),
    V(
        "vector_eigen",
        _VECTOR,
        "1",
        "Number (eigen) of each vector's eigenvalue.",
        _A_MARK,
    ),
    V(
        "vector_cluster_size",
        _VECTOR,
        "eigenvalues",
        "How many eigenvalues the cluster of each vector has.",
        _A_MARK,
    ),
    V(
        "vector_gap",
        _VECTOR,
        _CURVATURE,
        "Distance from each vector's eigenvalue, or its cluster, to all others that can exist.",
        "radii",
        may_be_missing=True,
    ),
    V(
        "subspace_gap",
        _END,
        _CURVATURE,
        "Distance from the eigenvalues of the vectors kept of an end to all others.",
        "radii",
        may_be_missing=True,
    ),
    V(
        "subspace_angle_error",
        _END,
        "1",
        "Bound on ‖sin Θ‖_F between the span of the vectors kept of an end and the exact "
        "one (Davis & Kahan); √vectors, the largest there is, where the cut goes through "
        "a cluster.",
        "it is the error of overlaps",
    ),
    V(
        "part_traces",
        "problem level part",
        _CURVATURE,
        "Trace of each part of H (Gauss–Newton 2JᵀJ, and the bend of each layer); they "
        "add up to tr H.",
    ),
    V(
        "part_shares",
        "problem level part",
        "1",
        "⟨P, H⟩/‖H‖² of each part P in the Frobenius product; they add up to 1.",
    ),
    V(
        "contributions",
        "problem level part end vector",
        _CURVATURE,
        "vᵀPv of each part P along each vector kept; they add up to its λ.",
        "contribution_defects",
    ),
    V(
        "contribution_defects",
        _VECTOR,
        _CURVATURE,
        "|Σ contributions − vᵀHv| along each vector kept.",
        "it is the error of contributions",
    ),
    V(
        "draw_overlap",
        _END,
        "1",
        "Overlap tr(PQ)/k of the span of an end's k vectors with that at second_y.",
        "draw_overlap_error",
    ),
    V(
        "draw_overlap_error",
        _END,
        "1",
        "Bound on the error of draw_overlap; 1 where a cut goes through a cluster.",
        "it is the error of draw_overlap",
    ),
    V(
        "posterior_variance",
        "problem level y_dim",
        "y^2",
        "Diagonal of (σ_t²/s_t²)(I − σ_t·H): the variance of each entry of the answer "
        "that the landscape claims at a typical point. Below 0 where σ_t·H is above 1 "
        "there.",
        "σ_t²/s_t² times σ_t·roundoff; errors of the network are multiplied alike",
    ),
    V(
        "squared_error",
        "problem level y_dim",
        "y^2",
        "Squared error of each entry of the landscape's mean, (y − σ_t·∇E)/s_t − y*.",
    ),
    V(
        "scaled_eigenvalues",
        _EIGEN,
        "1",
        "σ_t·λ.",
        "σ_t·residuals, entry by entry",
    ),
    V(
        "energy",
        _POINT,
        "energy",
        "E at the point; only differences have a meaning.",
    ),
    V(
        "gradient_norm",
        _POINT,
        "energy / y",
        "‖∇_yE‖ at the point.",
    ),
    V(
        "condition_number",
        _POINT,
        "1",
        "max|λ|/min|λ| over the whole spectrum; infinite where min|λ| is within its error.",
        _OF_EIGENVALUES,
        may_be_missing=True,
    ),
    V(
        "positive_condition_number",
        _POINT,
        "1",
        "max λ/min λ over the positive eigenvalues; missing where there is none, infinite "
        "as above.",
        _OF_EIGENVALUES,
        may_be_missing=True,
    ),
    V(
        "participation_ratio",
        _POINT,
        "1",
        "(Σ|λ|)²/Σλ²: how many directions share the curvature, from 1 to d.",
        _OF_EIGENVALUES,
        may_be_missing=True,
    ),
    V(
        "spectral_gap",
        _POINT,
        _CURVATURE,
        "λ₁ − λ₂, of the two largest eigenvalues.",
        _OF_EIGENVALUES,
        may_be_missing=True,
    ),
    V(
        "num_negative",
        _POINT,
        "eigenvalues",
        "How many λ lie below 0 by more than their residual and round-off d·ε·‖H‖; "
        "index_low where only the ends were asked for.",
        "num_undetermined",
    ),
    V(
        "num_undetermined",
        _POINT,
        "eigenvalues",
        "How many λ have a sign that their residual and round-off leave open.",
        "it is the error of num_negative",
    ),
    V(
        "mean_scaled_eigenvalue",
        _POINT,
        "1",
        "Mean of σ_t·λ over the spectrum.",
        _OF_EIGENVALUES,
        may_be_missing=True,
    ),
    V(
        "largest_scaled_eigenvalue",
        _POINT,
        "1",
        "Largest σ_t·λ.",
        _OF_EIGENVALUES,
        may_be_missing=True,
    ),
    V(
        "smallest_scaled_eigenvalue",
        _POINT,
        "1",
        "Smallest σ_t·λ.",
        _OF_EIGENVALUES,
        may_be_missing=True,
    ),
)
