"""How far eigenvectors lie within a given subspace, without a cosine of an arbitrary vector.

Eigenvalues that cannot be told apart form one cluster, and a cluster is compared as one subspace:
by its principal angles with the basis, and by its explained share tr(P_C·P_B)/size, beside what a
random subspace of the cluster's size gives.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ired_interp.checks import Real, Whole, whole
from ired_interp.curvature.eigenspaces import Eigenpairs, cluster_members, clusters
from ired_interp.errors import ShapeError
from ired_interp.geometry.subspaces import (
    explained_share,
    orthonormalise,
    overlap_null,
    overlap_p_value,
    principal_angles,
)

__all__ = ["Alignment", "alignment"]


@dataclass(frozen=True, slots=True)
class Alignment:
    """Alignment of eigenpairs with a basis. Members of a cluster carry their cluster's numbers.

    Attributes:
        cluster: Number of the pair's cluster, by rising eigenvalue.
        size: Pairs in it.
        share: tr(P_C·P_B)/size, the share of the cluster that the basis explains, in 0 … 1.
        share_error: Bound on its distance from the exact eigenspace's, ‖sin Θ‖_F/√size.
        angles: Principal angles of cluster and basis, ascending; NaN beyond min(size, l) of them.
        null_mean: Share of a random subspace of that size: l/d.
        null_standard_deviation: Its standard deviation over random subspaces, exact.
        z_score: (share - null_mean)/null_standard_deviation; NaN where the null does not vary.
        p_value: P(share of a random subspace ≥ share): exact for a single pair or a single basis
            vector, else from draws, never below 1/(1 + draws). Of one cluster; d of them are d
            tests.
        resolved: False where the cluster is not separated from the rest by more than the errors, or
            could go on beyond the pairs that were computed.
    """

    cluster: Int[Tensor, "n e"]
    size: Int[Tensor, "n e"]
    share: Float[Tensor, "n e"]
    share_error: Float[Tensor, "n e"]
    angles: Float[Tensor, "n e j"]
    null_mean: Float[Tensor, "n e"]
    null_standard_deviation: Float[Tensor, "n e"]
    z_score: Float[Tensor, "n e"]
    p_value: Float[Tensor, "n e"]
    resolved: Bool[Tensor, "n e"]


def alignment(
    pairs: Eigenpairs,
    basis: Float[Tensor, "d l"] | Float[Tensor, "n d l"],
    *,
    tolerance: Real = 0.0,
    num_draws: Whole = 999,
    seed: Whole = 0,
) -> Alignment:
    """Compare eigenvectors, cluster by cluster, with the span of a basis.

    Args:
        pairs: All eigenpairs, or those of one end.
        basis: Any linearly independent vectors, one a column; one basis for all rows, or one each.
        tolerance: Eigenvalues within this share of ‖H‖ count as degenerate; 0 leaves it to the
            errors. Where the ideal spectrum is flat, what looks like distinct eigenvalues is the
            training's noise, and a tolerance of its size is the honest choice.
        num_draws: Random subspaces for the p-value of a cluster of several.
        seed: Of these.

    Raises:
        ShapeError: The basis does not fit or is rank-deficient, with its rank; pairs of both ends.
        DtypeError, NonFiniteError: The basis is not finite or of another dtype.

    Cost: no Hessian product; d·l·e a row, an SVD a cluster, ``num_draws`` QRs a size of cluster.
    Source: Björck & Golub (1973), doi:10.1090/S0025-5718-1973-0348991-3, for the angles; the null
    in `ired_interp.geometry`.
    """
    num_draws = whole("num_draws", num_draws)
    groups = clusters(pairs, tolerance)
    n, d, held = pairs.eigenvectors.shape
    if basis.shape[-2] != d or (basis.ndim > 2 and basis.shape[0] != n):  # noqa: PLR2004 - axes
        raise ShapeError(
            f"basis: expected shape ({d}, l) or ({n}, {d}, l), found {tuple(basis.shape)}."
        )
    frame = orthonormalise(basis).expand(n, -1, -1)
    num_basis = frame.shape[2]
    each = explained_share(frame, pairs.eigenvectors)
    total = torch.zeros_like(each).scatter_add(1, groups.labels, each)
    share = (total.gather(1, groups.labels) / groups.size).clamp(max=1)
    mean, spread, p_value = (torch.full_like(share, torch.nan) for _ in range(3))
    most = min(int(groups.size.max()), num_basis)
    angles = share.new_full((n, held, most), torch.nan)
    for size in sorted(set(groups.size.flatten().tolist())):
        members = groups.size == size
        null = overlap_null(d, size, num_basis)
        # The overlap is tr(PQ)/min(size, l), the share tr(PQ)/size.
        ratio = min(size, num_basis) / size
        mean[members] = null.mean * ratio
        spread[members] = null.standard_deviation * ratio
        p_value[members] = overlap_p_value(
            share[members] / ratio, d, size, num_basis, num_draws=num_draws, seed=seed
        )
        rows, columns = cluster_members(groups, size)
        frames = pairs.eigenvectors.mT[rows[:, None], columns].mT
        found = principal_angles(frames, frame[rows])
        angles[rows[:, None], columns, : found.shape[1]] = found[:, None, :]
    return Alignment(
        cluster=groups.labels,
        size=groups.size,
        share=share,
        share_error=(groups.angle_error / groups.size.to(share).sqrt()).clamp(max=1),
        angles=angles,
        null_mean=mean,
        null_standard_deviation=spread,
        z_score=(share - mean) / torch.where(spread > 0, spread, torch.nan),
        p_value=p_value,
        resolved=groups.resolved,
    )
