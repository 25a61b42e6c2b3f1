"""Numbers that sum up a spectrum. Each takes all d eigenvalues, ascending, one row a point."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = [
    "condition_number",
    "eigenvalue_errors",
    "num_negative",
    "num_undetermined",
    "participation_ratio",
    "positive_condition_number",
    "spectral_gap",
]


def condition_number(eigenvalues: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
    """max|λ| / min|λ| over the whole spectrum; infinite where an eigenvalue is 0."""
    size = eigenvalues.abs()
    smallest = size.amin(dim=1)
    return torch.where(smallest > 0, size.amax(dim=1) / smallest, torch.inf)


def positive_condition_number(eigenvalues: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
    """max λ / min λ over the positive eigenvalues; NaN where there is none."""
    smallest = torch.where(eigenvalues > 0, eigenvalues, torch.inf).amin(dim=1)
    largest = eigenvalues.amax(dim=1)
    return torch.where(largest > 0, largest / smallest, torch.nan)


def participation_ratio(eigenvalues: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
    """(Σ|λ|)² / Σλ²: how many directions share the curvature, from 1 to d; NaN where H = 0."""
    size = eigenvalues.abs()
    # Scaled first, so that neither sum can overflow or underflow.
    share = size / size.amax(dim=1, keepdim=True)
    return share.sum(dim=1).square() / share.square().sum(dim=1)


def spectral_gap(eigenvalues: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
    """λ_1 - λ_2, the distance of the two largest eigenvalues; NaN where d = 1."""
    if eigenvalues.shape[1] == 1:
        return torch.full_like(eigenvalues[:, 0], torch.nan)
    return eigenvalues[:, -1] - eigenvalues[:, -2]


def num_negative(
    eigenvalues: Float[Tensor, "n d"], residuals: Float[Tensor, "n d"]
) -> Int[Tensor, " n"]:
    """How many eigenvalues are below 0 by more than their error."""
    return (eigenvalues < -eigenvalue_errors(eigenvalues, residuals)).sum(dim=1)


def num_undetermined(
    eigenvalues: Float[Tensor, "n d"], residuals: Float[Tensor, "n d"]
) -> Int[Tensor, " n"]:
    """How many eigenvalues have a sign that their error leaves open."""
    return (eigenvalues.abs() <= eigenvalue_errors(eigenvalues, residuals)).sum(dim=1)


def eigenvalue_errors(
    eigenvalues: Float[Tensor, "n d"], residuals: Float[Tensor, "n d"]
) -> Float[Tensor, "n d"]:
    """The residual, plus the round-off with which it and H were computed: d·ε·‖H‖."""
    d = eigenvalues.shape[1]
    norm = eigenvalues.abs().amax(dim=1, keepdim=True)
    return residuals + d * torch.finfo(eigenvalues.dtype).eps * norm
