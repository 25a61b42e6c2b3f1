"""The subspaces that belong to a problem itself, and how much of a Hessian's ends lies in them.

- ``completion``: the missing entries for the bottom end, the observed ones for the top end; both
  are spanned by coordinates.
- other tasks: span{uᵢvᵢᵀ}, of the singular vectors of the answer as a matrix. For ``inverse`` these
  are the eigenvectors of A, as A⁻¹ has the same.

The **null** is the share in the subspaces of the *other* problems. A random subspace of dimension l
explains l/d of a direction; but the identity matrix lies in every span{uᵢvᵢᵀ} of a symmetric
positive answer, and a symmetric matrix lies in it by more than chance. What every problem shares
says nothing of this one, and the subspaces of other problems have it too. Vectors that know nothing
of their problem are as likely above as below that null, whatever l/d is: it is no second null.
"""

import numpy as np
import xarray as xr

from ired_interp.experiments.exp001_variables import BOTTOM
from ired_interp.stats import FloatArray

__all__ = ["end_shares", "own_subspace_name"]

_COMPLETION = "completion"


def own_subspace_name(task: str, end: str) -> str:
    """The subspace in words."""
    if task == _COMPLETION:
        return "the missing entries" if end == BOTTOM else "the observed entries"
    if task == "inverse":
        return "the matrices with A’s eigenvectors"
    return "the matrices with the answer’s singular vectors"


def end_shares(data: xr.Dataset, task: str, end: str) -> tuple[FloatArray, FloatArray, float]:
    """How much of an end's eigenvectors lies in the problem's own subspace.

    tr(P_V·P_S)/k for the k vectors V of the end and the subspace S, mean over the levels where the
    cut behind the k-th vector goes through no cluster of eigenvalues.

    Args:
        data: One case, with ``eigenvectors``.
        task: Its name.
        end: ``top`` or ``bottom``.

    Returns:
        The share a problem; that in the subspaces of the other problems, or of a random subspace
        where there is no other; and the mean of the random share over problems. NaN where no level
        is left, and where the subspace is nothing or everything.
    """
    vectors = data["eigenvectors"].sel(end=end).transpose("problem", "level", "vector", "y_dim")
    resolved = data["subspace_angle_error"].sel(end=end) < data.sizes["vector"] ** 0.5
    v = vectors.where(resolved & (data["status"] == 0)).values.astype(np.float64)
    frames = _frames(data, task, end)
    d = v.shape[-1]
    chance = np.array([frame.shape[1] for frame in frames]) / d
    table = np.stack([np.square(v @ frame).sum(axis=-1).mean(axis=-1) for frame in frames], axis=1)
    table[:, (chance == 0) | (chance == 1)] = np.nan
    shares = _mean(table, 2)  # [problem whose vectors, problem whose subspace]
    own = np.diagonal(shares).copy()
    elsewhere = np.where(np.eye(len(frames), dtype=bool), np.nan, shares)
    others = _mean(elsewhere, 1)
    return own, np.where(np.isnan(others), chance, others), float(chance.mean())


def _frames(data: xr.Dataset, task: str, end: str) -> list[FloatArray]:
    """An orthonormal frame [d, l] of each problem's own subspace."""
    d = data.sizes["y_dim"]
    if task == _COMPLETION:
        # A missing entry is exactly 0 in x, which an observed one is with probability 0.
        missing = data["x"].values == 0
        kept = missing if end == BOTTOM else ~missing
        return [np.eye(d)[:, row] for row in kept]
    answer = data["answer"].transpose("problem", "y_dim").values.astype(np.float64)
    size = round(d**0.5)
    u, _, vt = np.linalg.svd(answer.reshape(-1, size, size))
    outer = np.einsum("nri,nic->nrci", u, vt).reshape(len(answer), d, size)
    return list(outer)


def _mean(values: FloatArray, axis: int) -> FloatArray:
    """Over what is finite; NaN where nothing is."""
    there = np.isfinite(values)
    count = there.sum(axis=axis)
    total = np.where(there, values, 0.0).sum(axis=axis)
    out: FloatArray = np.where(count, total / np.maximum(count, 1), np.nan)
    return out
