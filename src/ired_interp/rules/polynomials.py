"""Rules for inversion: A⁻¹ ≈ c₀·I + c₁·A + … + c_p·A^p."""

import torch
from jaxtyping import Float
from torch import Tensor

from ired_interp.checks import Whole, whole_numbers
from ired_interp.rules.base import Rule
from ired_interp.tasks import Problems

__all__ = ["DEGREES", "fit_polynomial"]

DEGREES = (0, 1, 3, 5, 7)
_NAMES = {0: "c0*I", 1: "c0*I + c1*A"}


def fit_polynomial(problems: Problems, size: Whole, degree: Whole) -> Rule:
    """The polynomial in A with the least mean squared error on the given problems.

    A and A⁻¹ have the same eigenvectors, so ‖p(A) - A⁻¹‖_F² is the sum of (p(λ) - 1/λ)² over the
    eigenvalues, and the fit is one of numbers. Chebyshev polynomials on [0, λ_max] keep it
    well-posed at any degree.

    Args:
        problems: Of the inverse task.
        size: The matrix's side.
        degree: p ≥ 0.
    """
    size, degree = whole_numbers(size=size, degree=degree)
    matrices = problems.x.reshape(-1, size, size)
    values, vectors = torch.linalg.eigh(matrices)
    targets = torch.einsum(
        "nij,nik,nkj->nj", vectors, problems.y.reshape(-1, size, size), vectors
    ).flatten()
    longest = float(values.max())
    design = _chebyshev(2 * values.flatten() / longest - 1, degree)
    # torch's default driver reads pivots that it never set, so that the bits differ by call.
    found = torch.linalg.lstsq(design, targets[:, None], driver="gelsd")
    coefficients = found.solution[:, 0]

    def answer(x: Float[Tensor, "n dim_x"]) -> Float[Tensor, "n d"]:
        eye = torch.eye(size, dtype=x.dtype, device=x.device)
        scaled = 2 * x.reshape(-1, size, size) / longest - eye
        return _clenshaw(coefficients.to(x), scaled, eye).flatten(1)

    return Rule(_NAMES.get(degree, f"polynomial of degree {degree}"), degree + 1, answer)


def _chebyshev(values: Float[Tensor, " k"], degree: int) -> Float[Tensor, "k c"]:
    """T_0 … T_p at numbers in [-1, 1], as columns."""
    orders = torch.arange(degree + 1, dtype=values.dtype, device=values.device)
    return torch.cos(orders * torch.arccos(values.clamp(-1, 1))[:, None])


def _clenshaw(
    coefficients: Float[Tensor, " c"],
    matrices: Float[Tensor, "n size size"],
    eye: Float[Tensor, "size size"],
) -> Float[Tensor, "n size size"]:
    """Σ_j c_j·T_j(M) by Clenshaw's recurrence (1955), doi:10.1090/S0025-5718-1955-0071856-0."""
    last = before = torch.zeros_like(matrices)
    for coefficient in reversed(coefficients[1:].tolist()):
        last, before = coefficient * eye + 2 * matrices @ last - before, last
    return coefficients[0] * eye + matrices @ last - before
