"""Landscapes whose answer is known in closed form, and the draws that tests need."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ired_interp.energy.mlp import EnergyMLP
from ired_interp.landscape import DEFAULT_MAX_BYTES, Landscape
from ired_interp.schedule import Schedule

__all__ = [
    "EnergyOnly",
    "derivative",
    "double_well",
    "hessian",
    "network",
    "normal",
    "orthogonal",
    "quadratic",
    "ring",
    "steeper",
    "symmetric",
]


def normal(*shape: int, seed: int) -> Tensor:
    """Standard normal, float64."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def orthogonal(d: int, *, seed: int) -> Tensor:
    """A random orthogonal matrix."""
    q: Tensor = torch.linalg.qr(normal(d, d, seed=seed)).Q
    return q


def symmetric(eigenvalues: Sequence[float], *, seed: int) -> Tensor:
    """A symmetric matrix with the given eigenvalues and random eigenvectors."""
    q = orthogonal(len(eigenvalues), seed=seed)
    a = q @ torch.diag(torch.tensor(eigenvalues, dtype=torch.float64)) @ q.T
    return (a + a.T) / 2


def quadratic(
    a: Tensor, centre: Tensor | None = None, *, max_bytes: int = DEFAULT_MAX_BYTES
) -> Landscape:
    """E = ½(y - c)ᵀA(y - c): Hessian A everywhere, gradient A(y - c)."""
    c = torch.zeros(a.shape[0], dtype=a.dtype) if centre is None else centre

    def energy(y: Tensor) -> Tensor:
        return (((y - c) @ a) * (y - c)).sum(-1) / 2

    return Landscape.of(energy, a.shape[0], max_bytes=max_bytes)


def double_well(d: int = 3, *, stiffness: float = 1.0) -> Landscape:
    """E = ¼(y_0² - 1)² + ½·stiffness·Σ_{i>0} y_i².

    Minima at y_0 = ±1 with curvatures 2 and stiffness, a saddle at 0 with -1 and stiffness.
    """

    def energy(y: Tensor) -> Tensor:
        return (y[:, 0].square() - 1).square() / 4 + stiffness * y[:, 1:].square().sum(-1) / 2

    return Landscape.of(energy, d)


def ring(d: int = 3, *, radius: float = 1.5) -> Landscape:
    """E = ¼(y_0² + y_1² - r²)² + ½Σ_{i>1} y_i².

    The minima are the circle of that radius: there the Hessian has eigenvalue 2r² along the
    radius, 0 along the circle, 1 elsewhere.
    """

    def energy(y: Tensor) -> Tensor:
        off = y[:, :2].square().sum(-1) - radius**2
        return off.square() / 4 + y[:, 2:].square().sum(-1) / 2

    return Landscape.of(energy, d)


def derivative(fn: Callable[[Tensor], Tensor], y: Tensor) -> Tensor:
    """The Jacobian of fn at one point, by torch's own dense autograd."""
    jacobian: Tensor = torch.autograd.functional.jacobian(fn, y)  # type: ignore[no-untyped-call]
    return jacobian


def hessian(fn: Callable[[Tensor], Tensor], y: Tensor) -> Tensor:
    """The dense Hessian of a number at one point, by torch's own dense autograd."""
    h: Tensor = torch.autograd.functional.hessian(fn, y)  # type: ignore[no-untyped-call]
    return h


def network(
    dim_x: int, dim_y: int, *, width: int = 16, seed: int = 0, gain: float = 1.0
) -> EnergyMLP:
    """A small IRED network with random weights, float64."""
    generator = torch.Generator().manual_seed(seed)
    return EnergyMLP(dim_x, dim_y, width=width).initialise(generator, gain=gain).double()


def steeper(model: EnergyMLP, factor: float) -> EnergyMLP:
    """The same network with its last layer scaled: E, ∇E and ∇²E grow by factor²."""
    with torch.no_grad():
        model.fc4.weight.mul_(factor)
        model.fc4.bias.mul_(factor)
    return model


class EnergyOnly:
    """A model without closed forms: only its energy is passed on, so that autograd is used."""

    def __init__(self, model: EnergyMLP) -> None:
        self._model = model
        self.schedule: Schedule = model.schedule
        self.dim_x: int = model.dim_x
        self.dim_y: int = model.dim_y

    def energy(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """E at each row."""
        return self._model.energy(x, y, t)
