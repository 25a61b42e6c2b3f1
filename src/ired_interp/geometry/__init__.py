"""Geometry of subspaces and matrices, free of landscapes and models.

`subspaces` has angles, overlaps and their null; the modules `grassmann`, `fixed_rank` and `spd` a
manifold each, `restriction` the curvature within a subspace, `interop` the points of other
libraries. Each is used by its name: ``geometry.grassmann.distance(a, b)``.
"""

from ired_interp.geometry import fixed_rank, grassmann, interop, restriction, spd
from ired_interp.geometry.subspaces import (
    OverlapNull,
    OverlapQuantiles,
    explained_share,
    orthonormalise,
    overlap,
    overlap_null,
    overlap_p_value,
    overlap_quantiles,
    principal_angles,
    random_angles,
)

__all__ = [
    "OverlapNull",
    "OverlapQuantiles",
    "explained_share",
    "fixed_rank",
    "grassmann",
    "interop",
    "orthonormalise",
    "overlap",
    "overlap_null",
    "overlap_p_value",
    "overlap_quantiles",
    "principal_angles",
    "random_angles",
    "restriction",
    "spd",
]
