"""Overlaps of the stored eigenvectors of EXP-001: between levels, and between problems."""

from typing import Any

import numpy as np
import torch
import xarray as xr

from ired_interp.curvature import Eigenspace, overlap_levels, overlap_problems
from ired_interp.geometry import overlap_null

__all__ = ["overlaps"]


def overlaps(data: xr.Dataset, found: xr.Dataset) -> dict[str, Any]:
    """Means over problems and draws, beside what a random subspace gives.

    Args:
        data: One case, with ``eigenvectors``.
        found: The same, NaN where no point was found.

    Returns:
        Variables of the summary, and ``overlap_with_others``: a number a problem, level and end.
    """
    if "draw" not in data.dims:
        data, found = data.expand_dims("draw"), found.expand_dims("draw")
    draws, ends = range(data.sizes["draw"]), range(data.sizes["end"])
    num, num_levels = data.sizes["problem"], data.sizes["level"]
    between, error = (
        np.full((len(draws), num, num_levels, num_levels, len(ends)), np.nan) for _ in range(2)
    )
    others = np.full((len(draws), num, num_levels, len(ends)), np.nan)
    null = overlap_null(data.sizes["y_dim"], data.sizes["vector"], data.sizes["vector"])
    for draw in draws:
        for end in ends:
            spaces = [_space(found, draw, level, end) for level in range(num_levels)]
            table = overlap_levels(spaces)
            between[draw, ..., end], error[draw, ..., end] = table.overlap, table.error
            for level, space in enumerate(spaces):
                across = overlap_problems(space).overlap.numpy().copy()
                np.fill_diagonal(across, np.nan)
                others[draw, :, level, end] = _mean(across, 1)
    one = {"units": "1"}
    unresolved = (found["subspace_angle_error"] >= found.sizes["vector"] ** 0.5).where(
        data["status"] == 0
    )
    dims = ("level", "other_level", "end")
    return {
        "level_overlap": (
            dims,
            _mean(between, (0, 1)),
            one | {"long_name": "overlap tr(PQ)/k between levels, mean over problems"},
        ),
        "level_overlap_error": (
            dims,
            _mean(error, (0, 1)),
            one | {"long_name": "bound on the error of each overlap, mean over problems"},
        ),
        "subspace_unresolved": (
            ("level", "end"),
            unresolved.mean(("draw", "problem")).values,
            one | {"long_name": "share of points where the cut goes through a cluster"},
        ),
        "overlap_null": (
            (),
            null.mean,
            one | {"long_name": "overlap with a random subspace, mean"},
        ),
        "overlap_null_deviation": (
            (),
            null.standard_deviation,
            one | {"long_name": "overlap of one pair with a random subspace, standard deviation"},
        ),
        "overlap_with_others": xr.DataArray(others, dims=("draw", "problem", "level", "end")),
    }


def _space(found: xr.Dataset, draw: int, level: int, end: int) -> Eigenspace:
    here = found.isel(draw=draw, level=level, end=end)
    frame = torch.from_numpy(here["eigenvectors"].transpose("problem", "y_dim", "vector").values)
    gap, angle = (
        torch.from_numpy(here[name].values) for name in ("subspace_gap", "subspace_angle_error")
    )
    return Eigenspace(
        frame=frame,
        eigenvalues=torch.full_like(frame[:, 0], torch.nan),
        gap=gap,
        gap_error=torch.full_like(gap, torch.nan),
        angle_error=angle,
        resolved=angle < frame.shape[2] ** 0.5,
    )


def _mean(values: Any, axis: int | tuple[int, ...]) -> Any:
    """Over what is finite; NaN where nothing is."""
    there = np.isfinite(values)
    count = there.sum(axis)
    return np.where(count, np.where(there, values, 0).sum(axis) / np.maximum(count, 1), np.nan)
