"""How fast eigenvalues change: dλ/ds along a path y(s), and from one level to the next.

For a unit eigenvector v of H(s) with a simple eigenvalue, dλ/ds = vᵀ(dH/ds)v (Hellmann 1937,
Feynman 1939, doi:10.1103/PhysRev.56.340). Where an eigenvalue is multiple, the derivatives are the
eigenvalues of V_cᵀ(dH/ds)V_c for a frame V_c of its eigenspace (Lancaster 1964,
doi:10.1007/BF01386087); they belong to the cluster, not to any one of its computed vectors.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ired_interp.checks import Real, check_matrix, real
from ired_interp.curvature.eigenspaces import (
    Clusters,
    Eigenpairs,
    cluster_members,
    clusters,
)
from ired_interp.curvature.following import follow
from ired_interp.errors import DtypeError, EnergyError, ShapeError
from ired_interp.landscape import Landscape

__all__ = ["LevelChange", "Slopes", "exact_slopes", "level_change", "slopes"]


@dataclass(frozen=True, slots=True)
class Slopes:
    """dλ/ds of eigenpairs along a direction.

    Attributes:
        slopes: Of each pair. The members of a cluster hold its slopes, ascending in column order;
            which member has which slope is not defined.
        errors: Differences, round-off, and to first order the error of the eigenvectors,
            2·‖(I - P)(dH/ds)V‖_F·‖sin Θ‖_F.
        cluster: Number of the pair's cluster.
        size: Pairs in it.
        resolved: False where the cluster is not separated from the rest by more than the errors:
            then the slope is that of an arbitrary direction.
        step: h of the differences, in units of s; 0 where the derivative is exact.
        num_products: Hessian products taken a row (third-order products where exact).
    """

    slopes: Float[Tensor, "n e"]
    errors: Float[Tensor, "n e"]
    cluster: Int[Tensor, "n e"]
    size: Int[Tensor, "n e"]
    resolved: Bool[Tensor, "n e"]
    step: Float[Tensor, " n"]
    num_products: int


@dataclass(frozen=True, slots=True)
class LevelChange:
    """How eigenvalues change from one Hessian H to the next one H⁺, to first order.

    Attributes:
        change: vᵀ(H⁺ - H)v; of a cluster, the eigenvalues of V_cᵀH⁺V_c less those of H, both
            ascending in column order.
        predicted: λ + change, the first-order prediction of the next eigenvalue.
        residuals: ‖H⁺u - predicted·u‖₂ of the old vector u: H⁺ has an eigenvalue within that
            distance of ``predicted``, for certain.
        prediction_error: The next eigenvalue, as `follow` matches it, less ``predicted``; None
            where the next eigenpairs were not given.
        certain: Whether that match leaves no choice; None likewise.
        num_products: Hessian products taken a row.
    """

    change: Float[Tensor, "n e"]
    predicted: Float[Tensor, "n e"]
    residuals: Float[Tensor, "n e"]
    prediction_error: Float[Tensor, "n e"] | None
    certain: Bool[Tensor, "n e"] | None
    num_products: int


def slopes(
    land: Landscape,
    y: Float[Tensor, "n d"],
    pairs: Eigenpairs,
    direction: Float[Tensor, "n d"],
    *,
    tolerance: Real = 0.0,
    step: Real | None = None,
) -> Slopes:
    """dλ/ds at y along y + s·direction, by central differences of Hessian products.

    (dH/ds)V ≈ (4·D(h/2) - D(h))/3 with D(h) = [H(y + h·ẏ)V - H(y - h·ẏ)V]/(2h), of fourth order;
    ‖that - D(h/2)‖ is taken as its error, which overstates it where h is small. For an energy that
    autograd can differentiate three times, `exact_slopes` has no such error.

    Args:
        land: Only ``land.hvp`` is called.
        y: The points of the eigenpairs.
        pairs: The eigenpairs there, all or those of one end.
        direction: ẏ. Where it is zero the slopes are 0.
        tolerance: Eigenvalues within this share of ‖H‖ count as one cluster.
        step: h, in units of s; None: h·‖ẏ‖ = ε^(1/5)·max(√d, ‖y‖), which balances truncation and
            round-off for entries of order 1.

    Raises:
        ShapeError, DtypeError, NonFiniteError: Something does not fit, or the step is not positive.

    Cost: 4 Hessian products a pair.
    """
    step = None if step is None else real("step", step)
    _check_pairs(y, pairs)
    check_matrix("direction", direction, columns=y.shape[1], of="dim_y")
    if direction.shape != y.shape or direction.dtype != y.dtype:
        raise ShapeError(
            f"direction: expected {tuple(y.shape)} in {y.dtype}, found {tuple(direction.shape)} in "
            f"{direction.dtype}."
        )
    if step is not None and not 0 < step < float("inf"):
        raise ShapeError(f"step: expected a positive number, found {step}.")
    eps, d = torch.finfo(y.dtype).eps, y.shape[1]
    speed = torch.linalg.vector_norm(direction, dim=1)
    if step is None:
        reach = eps**0.2 * torch.linalg.vector_norm(y, dim=1).clamp_min(d**0.5)
        h = torch.where(speed > 0, reach / speed.clamp_min(torch.finfo(y.dtype).tiny), 1)
    else:
        h = torch.full_like(speed, step)
    vectors = pairs.eigenvectors
    wide, narrow = (_difference(land, y, direction, size, vectors) for size in (h, h / 2))
    derivative = (4 * narrow - wide) / 3
    noise = torch.where(speed > 0, 5 * d**0.5 * eps * pairs.norm / h, 0)
    doubt = (derivative - narrow).square().sum(dim=1).sqrt() + noise[:, None]
    groups = clusters(pairs, tolerance)
    return _slopes(pairs, groups, derivative, doubt, h, 4 * vectors.shape[2])


def exact_slopes(
    energy_fn: Callable[[Tensor], Tensor],
    y: Float[Tensor, "n d"],
    pairs: Eigenpairs,
    direction: Float[Tensor, "n d"],
    *,
    tolerance: Real = 0.0,
) -> Slopes:
    """dλ/ds at y along y + s·direction, with dH/ds by differentiating the energy three times.

    Args:
        energy_fn: y [n, d] → [n], three times differentiable by autograd, rows independent: the
            function of `Landscape.of`, or ``lambda y: model.energy(x, y, t)``.
        y: The points of the eigenpairs.
        pairs: The eigenpairs there, all or those of one end.
        direction: ẏ.
        tolerance: Eigenvalues within this share of ‖H‖ count as one cluster.

    Raises:
        EnergyError: Not a differentiable energy of shape [n].
        ShapeError, DtypeError, NonFiniteError: Something does not fit.

    Cost: one energy, gradient and Hessian product, and a third-order product a pair; the graph of
    the Hessian product is held.
    """
    _check_pairs(y, pairs)
    check_matrix("direction", direction, columns=y.shape[1], of="dim_y")
    vectors = pairs.eigenvectors.detach()
    with torch.inference_mode(mode=False), torch.enable_grad():
        leaf = y.detach().clone().requires_grad_()
        energy = energy_fn(leaf)
        if not isinstance(energy, Tensor) or energy.shape != y.shape[:1]:
            raise EnergyError(f"energy_fn: expected one energy a row, [{y.shape[0]}].")
        gradient = _derivative(energy, leaf, torch.ones_like(energy))
        if gradient is None:
            raise EnergyError("energy_fn: expected an energy of y that autograd can differentiate.")
        product = _derivative(gradient, leaf, direction.detach())
        derivative = torch.zeros_like(vectors)
        if product is not None and product.requires_grad:  # else quadratic: H does not change
            (third,) = torch.autograd.grad(
                product,
                leaf,
                grad_outputs=vectors.permute(2, 0, 1),
                is_grads_batched=True,
                allow_unused=True,
            )
            if third is not None:
                derivative = third.permute(1, 2, 0)
    groups = clusters(pairs, tolerance)
    eps, d = torch.finfo(y.dtype).eps, y.shape[1]
    doubt = d * eps * torch.linalg.vector_norm(derivative, dim=1)
    none = torch.zeros_like(pairs.norm)
    return _slopes(pairs, groups, derivative, doubt, none, vectors.shape[2])


def level_change(
    pairs: Eigenpairs,
    next_land: Landscape,
    next_y: Float[Tensor, "n d"],
    *,
    next_pairs: Eigenpairs | None = None,
    tolerance: Real = 0.0,
) -> LevelChange:
    """From a level's eigenpairs to the next level's Hessian H⁺, taken at the next level's points.

    Both the level and the point may change; the change is that of the Hessian in all. Nothing of
    the next spectrum is needed for the prediction and its certificate.

    Args:
        pairs: The eigenpairs of H, all or those of one end.
        next_land: The landscape of H⁺; only its ``hvp`` is called.
        next_y: The points of H⁺.
        next_pairs: The eigenpairs of H⁺, as many, if the prediction is to be compared with them.
        tolerance: Eigenvalues within this share of ‖H‖ count as one cluster.

    Raises:
        ShapeError, DtypeError, NonFiniteError: Something does not fit.

    Cost: one Hessian product a pair.
    """
    _check_pairs(next_y, pairs)
    groups = clusters(pairs, tolerance)
    vectors = pairs.eigenvectors
    product = next_land.hvp(next_y, vectors)
    predicted, turned, turned_product = _within_clusters(groups, vectors, product)
    off = turned_product - turned * predicted[:, None, :]
    now = _sorted_within_clusters(groups, pairs.eigenvalues)
    error = certain = None
    if next_pairs is not None:
        found = follow([pairs, next_pairs], tolerance=tolerance)
        error = _sorted_within_clusters(groups, found.eigenvalues[:, 1]) - predicted
        certain = found.certain[:, 0]
    return LevelChange(
        change=predicted - now,
        predicted=predicted,
        residuals=torch.linalg.vector_norm(off, dim=1),
        prediction_error=error,
        certain=certain,
        num_products=vectors.shape[2],
    )


def _derivative(value: Tensor, leaf: Tensor, weight: Tensor) -> Tensor | None:
    """(∂value/∂leaf)ᵀ·weight with its graph; None where there is no dependence."""
    if not value.requires_grad:
        return None
    found: tuple[Tensor | None, ...] = torch.autograd.grad(
        value, leaf, grad_outputs=weight, create_graph=True, allow_unused=True
    )
    return found[0]


def _difference(
    land: Landscape, y: Tensor, direction: Tensor, h: Tensor, vectors: Tensor
) -> Float[Tensor, "n d e"]:
    move = h[:, None] * direction
    ahead, behind = land.hvp(y + move, vectors), land.hvp(y - move, vectors)
    return (ahead - behind) / (2 * h[:, None, None])


def _slopes(
    pairs: Eigenpairs,
    groups: Clusters,
    derivative: Float[Tensor, "n d e"],
    doubt: Float[Tensor, "n e"],
    step: Tensor,
    num_products: int,
) -> Slopes:
    vectors = pairs.eigenvectors
    values, turned, turned_derivative = _within_clusters(groups, vectors, derivative)
    off = (turned_derivative - turned * values[:, None, :]).square().sum(dim=1)
    mixed = 2 * _cluster_norm(groups, off) * groups.angle_error
    return Slopes(
        slopes=values,
        errors=_cluster_norm(groups, doubt.square()) + mixed,
        cluster=groups.labels,
        size=groups.size,
        resolved=groups.resolved,
        step=step,
        num_products=num_products,
    )


def _within_clusters(
    groups: Clusters, vectors: Float[Tensor, "n d e"], product: Float[Tensor, "n d e"]
) -> tuple[Tensor, Tensor, Tensor]:
    """Eigenvalues of V_cᵀ(MV_c) cluster by cluster, with V and MV turned to their eigenvectors."""
    values = torch.zeros_like(vectors[:, 0])
    turned, turned_product = torch.zeros_like(vectors), torch.zeros_like(product)
    for size in sorted(set(groups.size.flatten().tolist())):
        rows, columns = cluster_members(groups, size)
        at = (rows[:, None], slice(None), columns)
        frame, image = vectors[at].mT, product[at].mT  # indexing puts d last
        block = frame.mT @ image
        found, turn = torch.linalg.eigh((block + block.mT) / 2)
        values[rows[:, None], columns] = found
        turned[at] = (frame @ turn).mT
        turned_product[at] = (image @ turn).mT
    return values, turned, turned_product


def _sorted_within_clusters(groups: Clusters, values: Float[Tensor, "n e"]) -> Float[Tensor, "n e"]:
    out = torch.zeros_like(values)
    for size in sorted(set(groups.size.flatten().tolist())):
        rows, columns = cluster_members(groups, size)
        out[rows[:, None], columns] = values[rows[:, None], columns].sort(dim=1).values
    return out


def _cluster_norm(groups: Clusters, squares: Float[Tensor, "n e"]) -> Float[Tensor, "n e"]:
    total = torch.zeros_like(squares).scatter_add(1, groups.labels, squares)
    return total.gather(1, groups.labels).sqrt()


def _check_pairs(y: Tensor, pairs: Eigenpairs) -> None:
    check_matrix("y", y)
    if pairs.eigenvectors.shape[:2] != y.shape:
        raise ShapeError(
            f"pairs: expected eigenvectors of {tuple(y.shape)} points and entries, found "
            f"{tuple(pairs.eigenvectors.shape)}."
        )
    if pairs.eigenvectors.dtype != y.dtype or pairs.eigenvectors.device != y.device:
        raise DtypeError(
            f"pairs: expected {y.dtype} on {y.device} as y is, found {pairs.eigenvectors.dtype} on "
            f"{pairs.eigenvectors.device}."
        )
