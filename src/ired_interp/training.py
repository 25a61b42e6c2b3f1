"""One step of IRED's training, as pure functions: losses, negatives, moving average.

Source: Du, Mao & Tenenbaum (ICML 2024), section 3, in the form of the released code. Two things
differ from that code: the clamp of a negative is its own row's (there the first row's level sets
it for the whole batch), and the means are over rows and entries as the loss is written.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from ired_interp.energy.base import AnalyticEnergy, ConditionableEnergy, ConditionedEnergy
from ired_interp.energy.fields import AnalyticField
from ired_interp.energy.mlp_conditioned import Product
from ired_interp.errors import EnergyError
from ired_interp.solve import accept_no_rise, propose

__all__ = [
    "PRODUCTS",
    "Batch",
    "Losses",
    "average_decay",
    "bfloat16_product",
    "losses",
    "negatives",
]

_BOUND = 2.0
_NEGATIVE_SPREAD = 3.0
_STEP_SCALES = (1.0, 2.0)
_CONTRASTIVE_WEIGHT = 0.5


def bfloat16_product(a: Tensor, b: Tensor) -> Tensor:
    """A product of factors rounded to bfloat16 (8 significant bits), in the dtype of ``a``.

    Everything between the products keeps its dtype; the backward pass rounds in the same way.
    """
    return (a.to(torch.bfloat16) @ b.to(torch.bfloat16)).to(a.dtype)


PRODUCTS: Mapping[str, Product] = {"float32": torch.matmul, "bfloat16": bfloat16_product}
"""How a training step multiplies its matrices, by the precision that was asked for."""


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


def losses(
    model: AnalyticEnergy | ConditionableEnergy,
    batch: Batch,
    *,
    bound: float = _BOUND,
    product: Product = torch.matmul,
) -> Losses:
    """Both terms, differentiable in the weights by one backward pass.

    Args:
        model: The energy.
        batch: What the step sees.
        bound: The clamp of the negatives, 2 in the released code.
        product: How the model multiplies its matrices.

    Raises:
        EnergyError: Another product than `torch.matmul` for a model that cannot change it.
    """
    there = _at_questions(model, batch, product)
    signal, sigma = _at(model, batch, "signal"), _at(model, batch, "sigma")
    _, gradient = there.energy_and_gradient(signal * batch.y + sigma * batch.noise)
    positive = signal * batch.y + sigma * batch.landscape_noise
    negative = _negatives(there, model, batch, bound)
    gap = there.energy(positive) - there.energy(negative)
    return Losses(
        denoising=(gradient - batch.noise).square().mean(),
        contrastive=functional.softplus(gap).mean(),
    )


def negatives(
    model: AnalyticEnergy | ConditionableEnergy, batch: Batch, *, bound: float = _BOUND
) -> Float[Tensor, "n d"]:
    """m: two inner steps of the released rule from s_t·y* + 3σ_t·n₂, unscaled, clamped, re-noised.

    The noise n₂ is the positive's own, so that p - m = s_t·(y* - c) for the clamped answer c.
    """
    return _negatives(_at_questions(model, batch, torch.matmul), model, batch, bound)


def _at_questions(
    model: AnalyticEnergy | ConditionableEnergy, batch: Batch, product: Product
) -> ConditionedEnergy:
    if isinstance(model, ConditionableEnergy):
        return model.condition(batch.x, batch.t, product=product)
    if product is not torch.matmul:
        raise EnergyError(
            f"losses: {type(model).__name__} cannot change how it multiplies matrices; train it "
            "with product=torch.matmul."
        )
    return AnalyticField(model, batch.x, batch.t)


@torch.no_grad()
def _negatives(
    there: ConditionedEnergy,
    model: AnalyticEnergy | ConditionableEnergy,
    batch: Batch,
    bound: float,
) -> Float[Tensor, "n d"]:
    signal, sigma = _at(model, batch, "signal"), _at(model, batch, "sigma")
    step = _at(model, batch, "step_size")
    y = signal * batch.y + _NEGATIVE_SPREAD * sigma * batch.landscape_noise
    energy, gradient = there.energy_and_gradient(y)
    for number, scale in enumerate(_STEP_SCALES, start=1):
        trial = propose(y, gradient, scale * step, bound * signal)
        if number < len(_STEP_SCALES):
            trial_energy, trial_gradient = there.energy_and_gradient(trial)
        else:
            trial_energy, trial_gradient = there.energy(trial), gradient
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


def _at(
    model: AnalyticEnergy | ConditionableEnergy, batch: Batch, name: str
) -> Float[Tensor, "n 1"]:
    table: Tensor = getattr(model.schedule, name)
    return table.to(batch.y)[batch.t][:, None]
