"""One step of IRED's training, as pure functions: losses, negatives, moving average.

Source: Du, Mao & Tenenbaum (ICML 2024), section 3, in the form of the released code. Two things
differ from that code: the clamp of a negative is its own row's (there the first row's level sets
it for the whole batch), and the means are over rows and entries as the loss is written.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from ired_interp.energy.base import AnalyticEnergy
from ired_interp.solve import accept_no_rise, propose

__all__ = ["Batch", "Losses", "average_decay", "losses", "negatives"]

_BOUND = 2.0
_NEGATIVE_SPREAD = 3.0
_STEP_SCALES = (1.0, 2.0)
_CONTRASTIVE_WEIGHT = 0.5


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step sees.

    Attributes:
        x: The questions.
        y: The true answers.
        t: A timestep a row.
        noise: n₁, what the gradient is to predict.
        landscape_noise: n₂, shared by the positive and the negative.
    """

    x: Float[Tensor, "n dim_x"]
    y: Float[Tensor, "n d"]
    t: Int[Tensor, " n"]
    noise: Float[Tensor, "n d"]
    landscape_noise: Float[Tensor, "n d"]


@dataclass(frozen=True, slots=True)
class Losses:
    """The terms of the loss, 0-d.

    Attributes:
        denoising: Mean over rows and entries of (∇_yE(x, a, t) - n₁)², a = s_t·y* + σ_t·n₁.
        contrastive: Mean over rows of softplus(E(p) - E(m)).
    """

    denoising: Tensor
    contrastive: Tensor

    @property
    def total(self) -> Tensor:
        """denoising + ½·contrastive."""
        return self.denoising + _CONTRASTIVE_WEIGHT * self.contrastive


def losses(model: AnalyticEnergy, batch: Batch, *, bound: float = _BOUND) -> Losses:
    """Both terms, differentiable in the weights by one backward pass.

    Args:
        model: The energy.
        batch: What the step sees.
        bound: The clamp of the negatives, 2 in the released code.
    """
    signal, sigma = _at(model, batch, "signal"), _at(model, batch, "sigma")
    noisy = signal * batch.y + sigma * batch.noise
    _, gradient = model.energy_and_gradient(batch.x, noisy, batch.t)
    positive = signal * batch.y + sigma * batch.landscape_noise
    negative = negatives(model, batch, bound=bound)
    pair = model.energy(
        torch.cat([batch.x, batch.x]), torch.cat([positive, negative]), torch.cat([batch.t] * 2)
    )
    low, high = pair.chunk(2)
    return Losses(
        denoising=(gradient - batch.noise).square().mean(),
        contrastive=functional.softplus(low - high).mean(),
    )


@torch.no_grad()
def negatives(
    model: AnalyticEnergy, batch: Batch, *, bound: float = _BOUND
) -> Float[Tensor, "n d"]:
    """m: two inner steps of the released rule from s_t·y* + 3σ_t·n₂, unscaled, clamped, re-noised.

    The noise n₂ is the positive's own, so that p - m = s_t·(y* - c) for the clamped answer c.
    """
    signal, sigma = _at(model, batch, "signal"), _at(model, batch, "sigma")
    step = _at(model, batch, "step_size")
    y = signal * batch.y + _NEGATIVE_SPREAD * sigma * batch.landscape_noise
    energy, gradient = model.energy_and_gradient(batch.x, y, batch.t)
    for number, scale in enumerate(_STEP_SCALES, start=1):
        trial = propose(y, gradient, scale * step, bound * signal)
        if number < len(_STEP_SCALES):
            trial_energy, trial_gradient = model.energy_and_gradient(batch.x, trial, batch.t)
        else:
            trial_energy, trial_gradient = model.energy(batch.x, trial, batch.t), gradient
        keep = accept_no_rise(trial_energy, energy)
        y = torch.where(keep[:, None], trial, y)
        gradient = torch.where(keep[:, None], trial_gradient, gradient)
        energy = torch.where(keep, trial_energy, energy)
    answer = (y / signal).clamp(-bound, bound)
    return signal * answer + sigma * batch.landscape_noise


def average_decay(step: int, *, decay: float = 0.995, every: int = 10, warm_up: int = 100) -> float:
    """How much of the moving average stays after optimiser step number ``step`` (from 1).

    1 means that this step leaves the average alone, 0 that it becomes a copy of the weights.

    Source: ema-pytorch's rule with power 2/3, as the released code sets it.
    """
    if (step - 1) % every:
        return 1.0
    if step - 1 <= warm_up:
        return 0.0
    return min(decay, 1 - math.pow(step - warm_up, -2 / 3))


def _at(model: AnalyticEnergy, batch: Batch, name: str) -> Float[Tensor, "n 1"]:
    table: Tensor = getattr(model.schedule, name)
    return table.to(batch.y)[batch.t][:, None]
