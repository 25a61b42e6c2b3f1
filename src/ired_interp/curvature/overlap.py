"""How far eigenspaces of the Hessian agree: between levels, problems, and draws of the noise.

The overlap of two subspaces of dimension k and l is tr(PQ)/min(k, l), the mean squared cosine of
their principal angles. Every overlap here comes with three things without which it says nothing:
what a random subspace gives (`ired_interp.geometry.overlap_null`), what the errors of the two
eigenspaces leave open (Davis & Kahan), and whether the cut goes through a cluster.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ired_interp.curvature.eigenspaces import Eigenspace
from ired_interp.errors import DtypeError, ShapeError
from ired_interp.geometry.subspaces import OverlapNull, overlap_null, principal_angles

__all__ = [
    "SharedDirections",
    "SubspaceOverlap",
    "overlap_angles",
    "overlap_between",
    "overlap_levels",
    "overlap_problems",
    "shared_directions",
]


@dataclass(frozen=True, slots=True)
class SubspaceOverlap:
    """Overlaps of pairs of eigenspaces, in 0 … 1.

    Attributes:
        overlap: tr(PQ)/min(k, l).
        error: Bound on its distance from the overlap of the exact eigenspaces:
            (‖sin Θ_P‖_F + ‖sin Θ_Q‖_F)/√min(k, l), at most 1.
        z_score: (overlap - null mean)/null standard deviation of this one pair; NaN where a
            subspace is the whole space. Overlaps that share a subspace or a model are not
            independent, so their z-scores must not be pooled.
        resolved: False where the cut of either subspace goes through a cluster; the overlap is then
            that of arbitrary directions.
        null: The overlap with a uniformly random subspace.
    """

    overlap: Float[Tensor, "..."]
    error: Float[Tensor, "..."]
    z_score: Float[Tensor, "..."]
    resolved: Bool[Tensor, "..."]
    null: OverlapNull


@dataclass(frozen=True, slots=True)
class SharedDirections:
    """Whether problems share an eigenspace, beside whether a problem has one at all.

    Attributes:
        across: Between problems i and j, of the first draw; [n, n].
        draws: Between the two draws of the same problem; [n].
    """

    across: SubspaceOverlap
    draws: SubspaceOverlap


def overlap_between(first: Eigenspace, second: Eigenspace) -> SubspaceOverlap:
    """Row by row: two levels, or two draws of the noise, of the same problems; fields [n].

    Args:
        first: Eigenspaces of n problems.
        second: Of the same n problems; its dimension may differ.

    Raises:
        ShapeError, DtypeError: They do not fit one another.

    Cost: no Hessian product; d·k·l a row.
    """
    _check_fit(first, second)
    if first.frame.shape[0] != second.frame.shape[0]:
        raise ShapeError(
            f"overlap: expected the same problems, found {first.frame.shape[0]} and "
            f"{second.frame.shape[0]} rows."
        )
    product = first.frame.mT.to(torch.float64) @ second.frame.to(torch.float64)
    return _overlap(
        product.square().sum(dim=(1, 2)),
        first,
        second,
        first.angle_error + second.angle_error,
        first.resolved & second.resolved,
    )


def overlap_angles(first: Eigenspace, second: Eigenspace) -> Float[Tensor, "n j"]:
    """The principal angles behind `overlap_between`, ascending.

    A small overlap can be one shared direction or many slightly tilted ones; the angles tell.
    """
    _check_fit(first, second)
    return principal_angles(first.frame, second.frame)


def overlap_levels(spaces: Sequence[Eigenspace]) -> SubspaceOverlap:
    """Between every two of L levels (or steps of a path), problem by problem; fields [n, L, L].

    Args:
        spaces: One a level, of the same problems and dimension.

    Raises:
        ShapeError, DtypeError: None given, or they do not fit one another.

    Cost: no Hessian product; d·(k·L)² a row.
    """
    if not spaces:
        raise ShapeError("overlap_levels: expected at least one level, found none.")
    for space in spaces[1:]:
        _check_fit(spaces[0], space)
        if space.frame.shape != spaces[0].frame.shape:
            raise ShapeError(
                f"overlap_levels: expected eigenspaces {tuple(spaces[0].frame.shape)} at every "
                f"level, found {tuple(space.frame.shape)}."
            )
    frames = torch.stack([space.frame for space in spaces], dim=1)
    errors = torch.stack([space.angle_error for space in spaces], dim=1)
    resolved = torch.stack([space.resolved for space in spaces], dim=1)
    return _overlap(
        _traces(frames),
        spaces[0],
        spaces[0],
        errors[:, :, None] + errors[:, None, :],
        resolved[:, :, None] & resolved[:, None, :],
    )


def overlap_problems(space: Eigenspace) -> SubspaceOverlap:
    """Between every two of n problems; fields [n, n], with 1 on the diagonal.

    High values are no finding by themselves: a network of random weights can give higher ones than
    a trained one. Compare with `ired_interp.untrained_model`, and use `shared_directions`.

    Cost: no Hessian product; d·(k·n)².
    """
    errors, resolved = space.angle_error, space.resolved
    return _overlap(
        _traces(space.frame[None])[0],
        space,
        space,
        errors[:, None] + errors,
        resolved[:, None] & resolved,
    )


def shared_directions(first: Eigenspace, second: Eigenspace) -> SharedDirections:
    """Overlap between problems beside that between two noise draws of one problem.

    If two draws of the *same* problem do not agree, a problem has no eigenspace that another could
    share, and ``across`` has nothing to be compared with.

    Args:
        first: Eigenspaces at the first draw's points.
        second: The same problems at another draw's points.

    Raises:
        ShapeError, DtypeError: They do not fit one another.

    Cost: as `overlap_problems` and `overlap_between`.
    """
    return SharedDirections(overlap_problems(first), overlap_between(first, second))


def _traces(frames: Float[Tensor, "n L d k"]) -> Float[Tensor, "n L L"]:
    """tr(P_i·P_j), by one product of all frames side by side."""
    n, num, d, k = frames.shape
    wide = frames.to(torch.float64).transpose(1, 2).reshape(n, d, num * k)
    squares = (wide.mT @ wide).square()
    return squares.reshape(n, num, k, num, k).sum(dim=(2, 4))


def _overlap(
    trace: Tensor, first: Eigenspace, second: Eigenspace, errors: Tensor, resolved: Tensor
) -> SubspaceOverlap:
    d, k = first.frame.shape[1:]
    other = second.frame.shape[2]
    null = overlap_null(d, k, other)
    share = (trace / min(k, other)).clamp(max=1).to(errors)
    spread = null.standard_deviation or torch.nan
    return SubspaceOverlap(
        overlap=share,
        error=(errors / min(k, other) ** 0.5).clamp(max=1),
        z_score=(share - null.mean) / spread,
        resolved=resolved,
        null=null,
    )


def _check_fit(first: Eigenspace, second: Eigenspace) -> None:
    if first.frame.shape[1] != second.frame.shape[1]:
        raise ShapeError(
            f"overlap: expected eigenspaces of one space, found d = {first.frame.shape[1]} and "
            f"{second.frame.shape[1]}."
        )
    if first.frame.dtype != second.frame.dtype or first.frame.device != second.frame.device:
        raise DtypeError(
            f"overlap: expected one dtype and device, found {first.frame.dtype} on "
            f"{first.frame.device} and {second.frame.dtype} on {second.frame.device}."
        )
