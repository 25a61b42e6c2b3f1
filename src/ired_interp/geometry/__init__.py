"""Geometry of subspaces, free of landscapes and models."""

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
    "orthonormalise",
    "overlap",
    "overlap_null",
    "overlap_p_value",
    "overlap_quantiles",
    "principal_angles",
    "random_angles",
]
