"""Eigenpairs followed along a path: which is which from step to step, and where two of them meet.

Eigenvalues have no names. Sorted, they hide every crossing; followed by their vectors, they show
it. Pairs of neighbouring steps are matched so that the sum of their overlaps |vᵀw|² is largest (the
assignment problem); a cluster of eigenvalues that cannot be told apart is matched as one subspace.
Overlaps above 1/2 leave no choice: Σ_j |v_iᵀw_j|² ≤ 1, so no other pair can be as near.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ired_interp.checks import Real, real
from ired_interp.curvature.eigenspaces import Clusters, Eigenpairs, clusters, pair_errors
from ired_interp.curvature.meetings import Curves, Meeting, meetings
from ired_interp.errors import ShapeError

__all__ = ["Followed", "follow"]

_ENOUGH = 0.5
# Within a cluster every assignment is as good; prefer the one that turns vectors least.
_TIE = 1e-6
Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Followed:
    """Curves of eigenvalues along S steps, numbered as the columns of the first step.

    Attributes:
        columns: Column of the step's own eigenpairs that each curve passes through.
        eigenvalues: Along the curves.
        errors: Their residuals and round-off.
        overlap: From each step to the next, |vᵀw|²; where either side is a cluster,
            tr(P_C·P_D)/min(size) of the two clusters.
        overlap_error: Bound on its distance from the exact eigenspaces' (Davis & Kahan), at most 1.
        certain: overlap - overlap_error > 1/2: no other match is possible. Elsewhere the match is
            only the best one there is: take smaller steps, or more pairs where one may have come
            from outside. The last pair of an end is never certain: ask for one more than needed.
        meetings: Crossings and avoided crossings, by row and step.
    """

    columns: Int[Tensor, "n S e"]
    eigenvalues: Float[Tensor, "n S e"]
    errors: Float[Tensor, "n S e"]
    overlap: Float[Tensor, "n transitions e"]
    overlap_error: Float[Tensor, "n transitions e"]
    certain: Bool[Tensor, "n transitions e"]
    meetings: tuple[Meeting, ...]


def follow(
    path: Sequence[Eigenpairs],
    *,
    positions: Sequence[float] | None = None,
    tolerance: Real = 0.0,
) -> Followed:
    """Follow the eigenpairs of n problems along a path: levels, or the solver's trajectory.

    Args:
        path: The eigenpairs at each of S ≥ 2 steps, of the same problems; as many at every step,
            all of them or those of one end.
        positions: Where the steps are along the path, rising; 0, 1, … if None. Only the error of
            a meeting's gap depends on it.
        tolerance: Eigenvalues within this share of ‖H‖ count as one cluster, as in `clusters`.

    Raises:
        ShapeError: Fewer than 2 steps, steps that do not fit one another, positions that do not
            rise, a negative tolerance, or pairs of both ends.

    Cost: no Hessian product; an assignment of e pairs (e³ at worst) and d·e² a row and step.
    Source: the assignment by Crouse (2016), doi:10.1109/TAES.2016.140952, as in SciPy.
    """
    tolerance = real("tolerance", tolerance)
    at = _positions(path, positions)
    groups = [clusters(pairs, tolerance) for pairs in path]
    rows = [_follow_row(path, groups, i) for i in range(path[0].eigenvalues.shape[0])]
    like = path[0].eigenvalues
    columns = torch.as_tensor(np.stack([row.columns for row in rows]), device="cpu").to(like.device)
    overlap = torch.as_tensor(np.stack([row.overlap for row in rows]), device="cpu").to(like)
    values = torch.stack([pairs.eigenvalues for pairs in path], dim=1).gather(2, columns)
    errors = torch.stack([pair_errors(pairs) for pairs in path], dim=1).gather(2, columns)
    angle = torch.stack([g.angle_error for g in groups], dim=1).gather(2, columns)
    size = torch.stack([g.size for g in groups], dim=1).gather(2, columns)
    least = torch.minimum(size[:, 1:], size[:, :-1]).to(like)
    overlap_error = ((angle[:, 1:] + angle[:, :-1]) / least.sqrt()).clamp(max=1)
    labels = torch.stack([g.labels for g in groups], dim=1).gather(2, columns)
    certain = overlap - overlap_error > _ENOUGH
    found: list[Meeting] = []
    for i, row in enumerate(rows):
        curves = Curves(
            values=_numpy(values[i]),
            errors=_numpy(errors[i]),
            labels=labels[i].cpu().numpy(),
            vectors=row.vectors,
            matched=(overlap[i] > _ENOUGH).cpu().numpy(),
            positions=at,
        )
        found += meetings(curves, row=i)
    return Followed(columns, values, errors, overlap, overlap_error, certain, tuple(found))


@dataclass(frozen=True, slots=True)
class _Row:
    columns: npt.NDArray[np.int64]  # [S, e]
    overlap: Array  # [S - 1, e]
    vectors: Array  # [S, d, e], by curve; within a cluster turned as little as possible


def _follow_row(path: Sequence[Eigenpairs], groups: Sequence[Clusters], i: int) -> _Row:
    from scipy.optimize import linear_sum_assignment  # a quarter of a second, for curves alone

    carried = _numpy(path[0].eigenvectors[i])
    column = np.arange(carried.shape[1])
    columns, overlaps, vectors = [column], [], [carried]
    for pairs, before, after in zip(path[1:], groups[:-1], groups[1:], strict=True):
        fresh = _numpy(pairs.eigenvectors[i])
        new = after.labels[i].cpu().numpy()
        old = before.labels[i].cpu().numpy()[column]
        single = (carried.T @ fresh) ** 2
        share = single @ np.eye(new.max() + 1)[new]  # of each curve, in each new cluster
        _, chosen = linear_sum_assignment(-share[:, new] - _TIE * single)
        traces = np.eye(old.max() + 1)[old].T @ share
        least = np.minimum(np.bincount(old)[old], np.bincount(new)[new[chosen]])
        overlaps.append(np.minimum(traces[old, new[chosen]] / least, 1.0))
        carried, column = _carry(carried, fresh, chosen, new), chosen
        columns.append(column)
        vectors.append(carried)
    return _Row(np.stack(columns), np.stack(overlaps), np.stack(vectors))


def _carry(
    carried: Array, fresh: Array, chosen: npt.NDArray[np.int64], labels: npt.NDArray[np.int64]
) -> Array:
    """The new vectors by curve; a cluster's are turned towards those that it continues."""
    out: Array = fresh[:, chosen].copy()
    of_curve = labels[chosen]
    for label in np.unique(of_curve):
        members = np.flatnonzero(of_curve == label)
        frame = out[:, members]
        left, _, right = np.linalg.svd(frame.T @ carried[:, members])
        out[:, members] = frame @ (left @ right)
    return out


def _numpy(tensor: Tensor) -> Array:
    array: Array = tensor.detach().to("cpu", torch.float64).numpy()
    return array


def _positions(path: Sequence[Eigenpairs], positions: Sequence[float] | None) -> Array:
    if len(path) < 2:  # noqa: PLR2004 - a path has two ends
        raise ShapeError(f"follow: expected at least 2 steps, found {len(path)}.")
    for step, pairs in enumerate(path):
        if pairs.eigenvectors.shape != path[0].eigenvectors.shape:
            raise ShapeError(
                f"follow: expected eigenvectors {tuple(path[0].eigenvectors.shape)} at every step, "
                f"found {tuple(pairs.eigenvectors.shape)} at step {step}."
            )
    at = np.arange(len(path), dtype=np.float64) if positions is None else np.asarray(positions)
    if at.shape != (len(path),) or not bool((np.diff(at) > 0).all()):
        raise ShapeError(
            f"positions: expected {len(path)} rising numbers, one a step, found {positions}."
        )
    return at.astype(np.float64)
