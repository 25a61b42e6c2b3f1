"""Energies known in closed form: what a perfectly trained model would be.

Training asks ∇_yE = E[ε | y, x], so the optimal energy at timestep t is -σ_t·log p_t(y | x) up to a
constant. For y* | x ~ N(Mx, Σ) that is E = (σ_t/2)·rᵀ(s_t²Σ + σ_t²I)⁻¹r with r = y - s_t·Mx.
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ired_interp.checks import Whole
from ired_interp.errors import UnknownNameError
from ired_interp.schedule import Schedule, cosine_schedule
from ired_interp.tasks import Task
from ired_interp.tasks.gaussian import Gaussian

__all__ = ["GaussianEnergy", "exact_model", "ideal_spectrum"]


class GaussianEnergy(nn.Module):
    """The optimal energy of the gaussian task, exact at every timestep.

    Args:
        mean_map: M.
        eigenvalues: Of Σ.
        eigenvectors: Of Σ, one a column.
        schedule: The levels; IRED's by default.
    """

    has_tested_derivatives: ClassVar[bool] = True
    mean_map: Tensor
    eigenvectors: Tensor
    eigenvalues: Tensor
    signal: Tensor
    sigma: Tensor

    def __init__(
        self,
        mean_map: Float[Tensor, "d dim_x"],
        eigenvalues: Float[Tensor, " d"],
        eigenvectors: Float[Tensor, "d d"],
        *,
        schedule: Schedule | None = None,
    ) -> None:
        super().__init__()
        self.dim_y, self.dim_x = (int(side) for side in mean_map.shape)
        self.schedule = cosine_schedule() if schedule is None else schedule
        self.register_buffer("mean_map", mean_map)
        self.register_buffer("eigenvectors", eigenvectors)
        self.register_buffer("eigenvalues", eigenvalues)
        self.register_buffer("signal", self.schedule.signal)
        self.register_buffer("sigma", self.schedule.sigma)

    def energy(
        self, x: Float[Tensor, "n dim_x"], y: Float[Tensor, "n d"], t: Int[Tensor, " n"]
    ) -> Float[Tensor, " n"]:
        """E at each row."""
        turned = (y - self.minimum(x, t)) @ self.eigenvectors
        return (self.spectrum(t) * turned.square()).sum(-1) / 2

    def energy_and_gradient(
        self, x: Float[Tensor, "n dim_x"], y: Float[Tensor, "n d"], t: Int[Tensor, " n"]
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, "n d"]]:
        """E and ∇_yE."""
        turned = (y - self.minimum(x, t)) @ self.eigenvectors
        scaled = self.spectrum(t) * turned
        return (scaled * turned).sum(-1) / 2, scaled @ self.eigenvectors.mT

    def hvp(
        self,
        x: Float[Tensor, "n dim_x"],  # noqa: ARG002 - the protocol's signature
        y: Float[Tensor, "n d"],  # noqa: ARG002
        t: Int[Tensor, " n"],
        v: Float[Tensor, "n m d"],
    ) -> Float[Tensor, "n m d"]:
        """∇²_yE·v; the Hessian does not depend on x and y."""
        turned = (v @ self.eigenvectors) * self.spectrum(t)[:, None]
        return turned @ self.eigenvectors.mT

    def hessian(
        self,
        x: Float[Tensor, "n dim_x"],  # noqa: ARG002 - the protocol's signature
        y: Float[Tensor, "n d"],  # noqa: ARG002
        t: Int[Tensor, " n"],
    ) -> Float[Tensor, "n d d"]:
        """∇²_yE = σ_t·(s_t²Σ + σ_t²I)⁻¹."""
        h = (self.eigenvectors * self.spectrum(t)[:, None]) @ self.eigenvectors.mT
        return (h + h.mT) / 2

    def minimum(self, x: Float[Tensor, "n dim_x"], t: Int[Tensor, " n"]) -> Float[Tensor, "n d"]:
        """Where E is smallest: s_t·Mx."""
        return self.schedule.at(self.signal, t)[:, None] * (x @ self.mean_map.mT)

    def spectrum(self, t: Int[Tensor, " n"]) -> Float[Tensor, "n d"]:
        """Eigenvalues of the Hessian, σ_t/(s_t²v + σ_t²) for each eigenvalue v of Σ."""
        sigma = self.schedule.at(self.sigma, t)[:, None]
        signal = self.schedule.at(self.signal, t)[:, None]
        return sigma / (signal.square() * self.eigenvalues + sigma.square())

    def working_bytes(self, num_vectors: int) -> int:
        """An upper bound for one row."""
        return 8 * (num_vectors + 2) * self.dim_y * self.eigenvalues.element_size()


def exact_model(
    task: Task, *, schedule: Schedule | None = None, dtype: torch.dtype = torch.float64
) -> GaussianEnergy:
    """The perfectly trained model of a task, where it is known.

    Args:
        task: The gaussian task.
        schedule: The levels; IRED's by default.
        dtype: Computed in float64, then cast.

    Raises:
        UnknownNameError: The task is not ``gaussian``.
    """
    family = task.family
    if not isinstance(family, Gaussian):
        raise UnknownNameError(
            f"exact_model: known for the task 'gaussian' alone, found {task.name!r}."
        )
    return GaussianEnergy(
        family.mean_map(), family.eigenvalues(), family.eigenvectors(), schedule=schedule
    ).to(dtype)


def ideal_spectrum(
    task: Task, schedule: Schedule, timesteps: Sequence[Whole]
) -> Float[Tensor, "L d"]:
    """Eigenvalues, ascending, of the ideal Hessian at typical points, float64.

    σ_t·H = I - (s_t²/σ_t²)·Cov[y* | y, x]: where x determines the answer, I/σ_t. NaN where the
    posterior covariance is not known in closed form (completion); there 1/σ_t is an upper limit.

    Raises:
        LevelError: A timestep outside the schedule.
    """
    levels = [schedule.level(timestep) for timestep in timesteps]
    t = schedule.timesteps(levels, len(levels))
    if isinstance(task.family, Gaussian):
        return exact_model(task, schedule=schedule).spectrum(t).sort(dim=1).values
    flat = (1 / schedule.sigma[t])[:, None].expand(-1, task.dim_y)
    return flat.clone() if task.family.determined else torch.full_like(flat, torch.nan)
