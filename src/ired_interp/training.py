"""One step of IRED's training, as pure functions: losses, negatives, moving average.

Source: Du, Mao & Tenenbaum (ICML 2024), section 3, in the form of the released code. Two things
differ from that code: the clamp of a negative is its own row's (there the first row's level sets
it for the whole batch), and the means are over rows and entries as the loss is written.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ired_interp.energy.base import AnalyticEnergy, ConditionableEnergy, ConditionedEnergy
from ired_interp.energy.fields import AnalyticField
from ired_interp.energy.mlp_conditioned import Product
from ired_interp.errors import EnergyError
from ired_interp.negatives import Batch, NegativeFn, mined_negatives

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
_CONTRASTIVE_WEIGHT = 0.5


def bfloat16_product(a: Tensor, b: Tensor) -> Tensor:
    """A product of factors rounded to bfloat16 (8 significant bits), in the dtype of ``a``.

    Everything between the products keeps its dtype; the backward pass rounds in the same way.
    """
    return (a.to(torch.bfloat16) @ b.to(torch.bfloat16)).to(a.dtype)


PRODUCTS: Mapping[str, Product] = {"float32": torch.matmul, "bfloat16": bfloat16_product}
"""How a training step multiplies its matrices, by the precision that was asked for."""


@dataclass(frozen=True, slots=True)
class Losses:
    """The terms of the loss, 0-d.

    Attributes:
        denoising: Mean over rows and entries of (∇_yE(x, a, t) - n₁)², a = s_t·y* + σ_t·n₁.
        contrastive: Mean over rows of softplus(E(p) - E(m)); 0 without negatives.
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
    negative_fn: NegativeFn | None = mined_negatives,
) -> Losses:
    """Both terms, differentiable in the weights by one backward pass.

    Args:
        model: The energy.
        batch: What the step sees.
        bound: The clamp of the negatives, 2 in the released code.
        product: How the model multiplies its matrices.
        negative_fn: Makes the wrong answers, one of `ired_interp.negatives`; None leaves the
            contrastive term out, which is then 0.

    Raises:
        EnergyError: Another product than `torch.matmul` for a model that cannot change it.
    """
    there = _at_questions(model, batch, product)
    signal, sigma = batch.at(model, "signal"), batch.at(model, "sigma")
    _, gradient = there.energy_and_gradient(signal * batch.y + sigma * batch.noise)
    denoising = (gradient - batch.noise).square().mean()
    if negative_fn is None:
        return Losses(denoising, torch.zeros_like(denoising))
    positive = signal * batch.y + sigma * batch.landscape_noise
    negative = negative_fn(there, model, batch, bound)
    gap = there.energy(positive) - there.energy(negative)
    return Losses(denoising, functional.softplus(gap).mean())


def negatives(
    model: AnalyticEnergy | ConditionableEnergy, batch: Batch, *, bound: float = _BOUND
) -> Float[Tensor, "n d"]:
    """`ired_interp.negatives.mined_negatives`, with the questions fixed first."""
    return mined_negatives(_at_questions(model, batch, torch.matmul), model, batch, bound)


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
