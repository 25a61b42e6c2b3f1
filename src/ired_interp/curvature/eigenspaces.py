"""Which eigenvectors belong together, and how well the space that they span is known.

An eigenvector is defined only up to the gap to its neighbours: where two eigenvalues are closer
than their errors any rotation within their plane is as good. What is defined is the invariant
subspace of a whole cluster. With Ritz values Λ and residuals R = HV - VΛ of a frame V, and every
other eigenvalue of H at least δ > 0 from Λ, the angles Θ between span(V) and the exact invariant
subspace obey

    ‖sin Θ‖_F ≤ ‖R‖_F / δ

for any arrangement of the two sets. Source: Davis & Kahan (1970), doi:10.1137/0707001, in the
Frobenius norm (Bhatia, Matrix Analysis, theorem VII.3.1 with VII.2.15).
"""

from dataclasses import dataclass
from typing import Literal, Protocol, get_args, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ired_interp.checks import Real, Whole, real, whole
from ired_interp.errors import NonFiniteError, ShapeError, UnknownNameError

__all__ = [
    "Clusters",
    "Eigenpairs",
    "Eigenspace",
    "End",
    "Pairs",
    "clusters",
    "eigenspace",
    "pair_errors",
    "take",
]

End = Literal["top", "bottom"]


@runtime_checkable
class Eigenpairs(Protocol):
    """Eigenpairs at n points with their residuals, as `spectrum` and `warm_spectrum` return them.

    All d of them, or the first e of one end: by falling |λ| (top) or by rising λ (bottom).
    """

    @property
    def eigenvalues(self) -> Float[Tensor, "n e"]:
        """λ."""
        ...

    @property
    def eigenvectors(self) -> Float[Tensor, "n d e"]:
        """Orthonormal, one a column."""
        ...

    @property
    def residuals(self) -> Float[Tensor, "n e"]:
        """‖Hv - λv‖₂."""
        ...

    @property
    def norm(self) -> Float[Tensor, " n"]:
        """‖H‖₂."""
        ...


@dataclass(frozen=True, slots=True)
class Pairs:
    """Some of the eigenpairs that were found. Attributes as in `Eigenpairs`."""

    eigenvalues: Float[Tensor, "n e"]
    eigenvectors: Float[Tensor, "n d e"]
    residuals: Float[Tensor, "n e"]
    norm: Float[Tensor, " n"]


@dataclass(frozen=True, slots=True)
class Clusters:
    """To each eigenpair, the cluster that it belongs to. All in the pairs' own order.

    Attributes:
        labels: Number of the pair's cluster, from 0, by rising eigenvalue.
        size: How many of the given pairs the cluster has.
        gap: Distance from the cluster to all other eigenvalues that can exist, as computed.
        angle_error: Bound on ‖sin Θ‖_F between the cluster's computed and exact subspace; √size,
            the largest value there is, where the gap is within the errors.
        resolved: False where the gap is within the errors, as at the last pair of an end: the next
            one, which was not computed, may belong to the same cluster.
    """

    labels: Int[Tensor, "n e"]
    size: Int[Tensor, "n e"]
    gap: Float[Tensor, "n e"]
    angle_error: Float[Tensor, "n e"]
    resolved: Bool[Tensor, "n e"]


@dataclass(frozen=True, slots=True)
class Eigenspace:
    """The span of the first k eigenvectors of one end, and how well it is defined.

    Attributes:
        frame: The eigenvectors.
        eigenvalues: Theirs.
        gap: Distance at the cut: from the eigenvalues inside to all those outside.
        gap_error: What residuals and round-off leave open of it.
        angle_error: Bound on ‖sin Θ‖_F between this subspace and the exact one; √k, the largest
            value there is, where the gap is within its error.
        resolved: False where the gap is within its error. The cut then goes through a cluster, and
            "the first k eigenvectors" is not a subspace of H but an accident of the arithmetic.
    """

    frame: Float[Tensor, "n d k"]
    eigenvalues: Float[Tensor, "n k"]
    gap: Float[Tensor, " n"]
    gap_error: Float[Tensor, " n"]
    angle_error: Float[Tensor, " n"]
    resolved: Bool[Tensor, " n"]


def take(pairs: Eigenpairs, columns: slice | Int[Tensor, " k"]) -> Pairs:
    """Some columns: ``slice(0, 20)`` takes the top end of ``spectrum(…, top=20, bottom=5)``."""
    return Pairs(
        eigenvalues=pairs.eigenvalues[:, columns],
        eigenvectors=pairs.eigenvectors[:, :, columns],
        residuals=pairs.residuals[:, columns],
        norm=pairs.norm,
    )


def pair_errors(pairs: Eigenpairs) -> Float[Tensor, "n e"]:
    """Each pair's residual, plus d·ε·‖H‖ for the round-off with which it was computed."""
    d = pairs.eigenvectors.shape[1]
    return pairs.residuals + d * torch.finfo(pairs.norm.dtype).eps * pairs.norm[:, None]


def clusters(pairs: Eigenpairs, tolerance: Real = 0.0) -> Clusters:
    """Group eigenvalues that their errors, or a tolerance, do not tell apart.

    Neighbours on the line join where their distance is at most the sum of their errors, or at most
    ``tolerance``·‖H‖. A chain of close neighbours is one cluster, however long.

    Args:
        pairs: All eigenpairs, or those of one end.
        tolerance: What counts as degenerate, as a share of ‖H‖; 0 leaves it to the errors.

    Raises:
        ShapeError: The tolerance is negative, the pairs are of both ends, or not orthonormal.
    """
    tolerance = real("tolerance", tolerance)
    if not tolerance >= 0:
        raise ShapeError(f"tolerance: expected a share of ‖H‖ ≥ 0, found {tolerance}.")
    _check_pairs(pairs)
    values, errors = pairs.eigenvalues, pair_errors(pairs)
    order = values.argsort(dim=1, stable=True)
    line, spread = values.gather(1, order), errors.gather(1, order)
    steps = line.diff(dim=1)
    allowed = torch.maximum(spread[:, 1:] + spread[:, :-1], tolerance * pairs.norm[:, None])
    first = torch.zeros_like(order[:, :1])
    sorted_labels = torch.cat([first, (steps > allowed).long().cumsum(dim=1)], dim=1)
    infinite = torch.full_like(line[:, :1], torch.inf)
    below, above = torch.cat([infinite, steps], dim=1), torch.cat([steps, infinite], dim=1)
    apart = torch.cat([first, sorted_labels.diff(dim=1)], dim=1) > 0
    ends = torch.cat([sorted_labels.diff(dim=1), first], dim=1) > 0
    near = torch.minimum(
        torch.where(apart, below, torch.inf), torch.where(ends, above, torch.inf)
    ).minimum(_distance_to_unknown(pairs).gather(1, order))
    zeros = torch.zeros_like(line)
    size = _of_cluster(zeros + 1, sorted_labels, "sum").long()
    gap = _of_cluster(near, sorted_labels, "amin")
    residual = _of_cluster(spread.square(), sorted_labels, "sum").sqrt()
    delta = gap - torch.linalg.vector_norm(errors, dim=1)[:, None]
    back = order.argsort(dim=1)
    return Clusters(
        labels=sorted_labels.gather(1, back),
        size=size.gather(1, back),
        gap=gap.gather(1, back),
        angle_error=_angle_error(residual, delta, size).gather(1, back),
        resolved=(delta > 0).gather(1, back),
    )


def cluster_members(groups: Clusters, size: int) -> tuple[Int[Tensor, " c"], Int[Tensor, "c size"]]:
    """Row and columns of each cluster of one size, by row and then by rising eigenvalue."""
    beyond = groups.labels.shape[1]
    key = torch.where(groups.size == size, groups.labels, beyond)
    order = key.argsort(dim=1, stable=True)
    rows, places = (key.gather(1, order) < beyond).nonzero(as_tuple=True)
    return rows.reshape(-1, size)[:, 0], order[rows, places].reshape(-1, size)


def eigenspace(pairs: Eigenpairs, num: Whole, end: End = "top") -> Eigenspace:
    """The invariant subspace of the ``num`` first eigenpairs of an end.

    Args:
        pairs: All d eigenpairs, or at least ``num + 1`` of that end: without the next eigenvalue
            nobody knows whether the cut goes through a cluster.
        num: Dimension of the subspace.
        end: ``top``, the largest |λ|, or ``bottom``, the lowest λ.

    Raises:
        UnknownNameError: No such end.
        ShapeError: ``num`` not in 1 … d, too few pairs, pairs of another end or of both.
    """
    num = whole("num", num)
    if end not in get_args(End):
        raise UnknownNameError(f"end: expected one of {', '.join(get_args(End))}, found {end!r}.")
    _check_pairs(pairs)
    values, d = pairs.eigenvalues, pairs.eigenvectors.shape[1]
    held = values.shape[1]
    if not 1 <= num <= d:
        raise ShapeError(f"num: expected 1 … d = {d} eigenvectors, found {num}.")
    if held < min(num + 1, d):
        raise ShapeError(
            f"eigenspace: expected at least {num + 1} eigenpairs, to see the gap at the cut, found "
            f"{held}. Ask the spectrum for one more."
        )
    if held < d and not _is_end(values, end):
        raise ShapeError(
            f"eigenspace: expected the pairs of the {end} end alone, in its order. Take them with "
            f"spectrum(land, y, {'top=…' if end == 'top' else 'top=0, bottom=…'})."
        )
    key = -values.abs() if end == "top" else values
    order = key.argsort(dim=1, stable=True)
    inside, outside = order[:, :num], order[:, num:]
    apart = (values.gather(1, inside)[:, :, None] - values.gather(1, outside)[:, None, :]).abs()
    gap = torch.full_like(pairs.norm, torch.inf)
    if num < d:
        gap = apart.flatten(1).amin(dim=1)
    gap = gap.minimum(_distance_to_unknown(pairs).gather(1, inside).amin(dim=1))
    errors = pair_errors(pairs)
    gap_error = torch.linalg.vector_norm(errors, dim=1)
    residual = torch.linalg.vector_norm(errors.gather(1, inside), dim=1)
    where = inside[:, None, :].expand(-1, d, -1)
    return Eigenspace(
        frame=pairs.eigenvectors.gather(2, where),
        eigenvalues=values.gather(1, inside),
        gap=gap,
        gap_error=gap_error,
        angle_error=_angle_error(residual, gap - gap_error, torch.full_like(gap, num)),
        resolved=gap > gap_error,
    )


def _angle_error(residual: Tensor, delta: Tensor, size: Tensor) -> Tensor:
    bound = torch.where(delta > 0, residual / delta, torch.inf)
    return bound.minimum(size.to(bound).sqrt())


def _of_cluster(values: Tensor, labels: Tensor, reduce: str) -> Tensor:
    """A sum or minimum over each cluster, handed back to its members."""
    out = torch.zeros_like(values)
    out = out.scatter_reduce(1, labels, values, reduce=reduce, include_self=False)
    return out.gather(1, labels)


def _distance_to_unknown(pairs: Eigenpairs) -> Float[Tensor, "n e"]:
    """From each eigenvalue to where those that were not computed can lie."""
    values, d = pairs.eigenvalues, pairs.eigenvectors.shape[1]
    if values.shape[1] == d:
        return torch.full_like(values, torch.inf)
    last = values[:, -1:]
    if _is_end(values, "top"):
        top = values.abs() - last.abs()
        return top.minimum(last - values) if _is_end(values, "bottom") else top
    return last - values


def _is_end(values: Float[Tensor, "n e"], end: End) -> bool:
    steps = -values.abs().diff(dim=1) if end == "top" else values.diff(dim=1)
    return bool((steps >= 0).all())


def _check_pairs(pairs: Eigenpairs) -> None:
    values, vectors = pairs.eigenvalues, pairs.eigenvectors
    n, d, held = vectors.shape
    if values.shape != (n, held) or pairs.residuals.shape != (n, held) or not held:
        raise ShapeError(
            f"eigenpairs: expected eigenvalues and residuals [n, e] for eigenvectors "
            f"{tuple(vectors.shape)}, found {tuple(values.shape)}, {tuple(pairs.residuals.shape)}. "
            "Were the eigenvectors kept?"
        )
    for name in ("eigenvalues", "eigenvectors", "residuals", "norm"):
        if not bool(torch.isfinite(getattr(pairs, name)).all()):
            raise NonFiniteError(f"eigenpairs: expected finite {name}, found NaN or infinity.")
    eye = torch.eye(held, dtype=vectors.dtype, device=vectors.device)
    defect = float((vectors.mT @ vectors - eye).abs().max())
    if defect > torch.finfo(vectors.dtype).eps ** 0.5:
        raise ShapeError(
            f"eigenpairs: expected orthonormal eigenvectors, found products off by {defect:.1e}. "
            "Were both ends asked for at once? Take one, as in take(spec, slice(0, top))."
        )
    if held < d and not (_is_end(values, "top") or _is_end(values, "bottom")):
        raise ShapeError(
            "eigenpairs: expected all of them, or one end by falling |λ| (top) or rising λ "
            "(bottom), found another order. Take one end, as in take(spec, slice(0, top))."
        )
