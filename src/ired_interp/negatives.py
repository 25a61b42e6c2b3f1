"""Where the wrong answers of the contrastive term come from: a recipe of training.

Source: Du, Mao & Tenenbaum (ICML 2024), section 3, for the mined ones, in the form of the released
code; the others are comparisons of ours.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ired_interp.annealing import accept_no_rise, propose
from ired_interp.energy.base import AnalyticEnergy, ConditionableEnergy, ConditionedEnergy
from ired_interp.errors import ShapeError

__all__ = ["NEGATIVES", "Batch", "NegativeFn", "mined_hard", "mined_negatives", "other_answers"]

_SPREAD = 3.0
_FIRST_SCALE, _LATER_SCALE = 1.0, 2.0
_NUM_STEPS = 2
# As many as `ired_interp.solve` takes at each level.
_NUM_STEPS_HARD = 5
_LEAST_ROWS = 2


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

    def at(self, model: AnalyticEnergy | ConditionableEnergy, name: str) -> Float[Tensor, "n 1"]:
        """A table of the model's schedule (``signal``, ``sigma`` …) at each row's timestep."""
        table: Tensor = getattr(model.schedule, name)
        return table.to(self.y)[self.t][:, None]


NegativeFn = Callable[
    [ConditionedEnergy, AnalyticEnergy | ConditionableEnergy, Batch, float], Tensor
]
"""(energy at the batch's questions, model, batch, bound) → m [n, d], in each row's coordinates."""


@torch.no_grad()
def mined_negatives(
    there: ConditionedEnergy,
    model: AnalyticEnergy | ConditionableEnergy,
    batch: Batch,
    bound: float,
) -> Float[Tensor, "n d"]:
    """m: two inner steps of the released rule from s_t·y* + 3σ_t·n₂, unscaled, clamped, re-noised.

    The noise n₂ is the positive's own, so that p - m = s_t·(y* - c) for the clamped answer c.
    """
    return _mined(there, model, batch, bound, _NUM_STEPS)


@torch.no_grad()
def mined_hard(
    there: ConditionedEnergy,
    model: AnalyticEnergy | ConditionableEnergy,
    batch: Batch,
    bound: float,
) -> Float[Tensor, "n d"]:
    """As `mined_negatives` with five inner steps, as inference takes: nearer to the model's own."""
    return _mined(there, model, batch, bound, _NUM_STEPS_HARD)


def other_answers(
    there: ConditionedEnergy,  # noqa: ARG001 - every recipe takes it
    model: AnalyticEnergy | ConditionableEnergy,
    batch: Batch,
    bound: float,
) -> Float[Tensor, "n d"]:
    """m: the true answer to the batch's row before, clamped, with the positive's noise.

    Raises:
        ShapeError: One row alone, whose other answer would be its own.
    """
    if batch.y.shape[0] < _LEAST_ROWS:
        raise ShapeError(
            f"other_answers: expected at least {_LEAST_ROWS} problems a batch, found "
            f"{batch.y.shape[0]}: its negative would be its own answer."
        )
    signal, sigma = batch.at(model, "signal"), batch.at(model, "sigma")
    return signal * batch.y.roll(1, 0).clamp(-bound, bound) + sigma * batch.landscape_noise


NEGATIVES: Mapping[str, NegativeFn | None] = {
    "mined": mined_negatives,
    "hard": mined_hard,
    "random": other_answers,
    "none": None,
}
"""Recipes by name: the released code's, harder ones, other problems' answers, and no contrast."""


def _mined(
    there: ConditionedEnergy,
    model: AnalyticEnergy | ConditionableEnergy,
    batch: Batch,
    bound: float,
    num_steps: int,
) -> Float[Tensor, "n d"]:
    signal, sigma = batch.at(model, "signal"), batch.at(model, "sigma")
    step = batch.at(model, "step_size")
    y = signal * batch.y + _SPREAD * sigma * batch.landscape_noise
    energy, gradient = there.energy_and_gradient(y)
    for number in range(num_steps):
        scale = _FIRST_SCALE if number == 0 else _LATER_SCALE
        trial = propose(y, gradient, scale * step, bound * signal)
        if number < num_steps - 1:
            trial_energy, trial_gradient = there.energy_and_gradient(trial)
        else:
            trial_energy, trial_gradient = there.energy(trial), gradient
        keep = accept_no_rise(trial_energy, energy)
        y = torch.where(keep[:, None], trial, y)
        gradient = torch.where(keep[:, None], trial_gradient, gradient)
        energy = torch.where(keep, trial_energy, energy)
    answer = (y / signal).clamp(-bound, bound)
    return signal * answer + sigma * batch.landscape_noise
