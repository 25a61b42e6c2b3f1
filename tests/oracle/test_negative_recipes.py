"""Recipes of the contrastive term against what their names say."""

import dataclasses

import pytest
import torch

import planted
from ired_interp.annealing import propose
from ired_interp.energy.fields import AnalyticField
from ired_interp.energy.mlp import EnergyMLP
from ired_interp.errors import ConfigError, ShapeError
from ired_interp.landscape import Landscape
from ired_interp.models.train_config import Answers, TrainConfig
from ired_interp.negatives import NEGATIVES, Batch, mined_hard, mined_negatives, other_answers
from ired_interp.schedule import cosine_schedule
from ired_interp.training import losses

SCHEDULE = cosine_schedule()
N, DIM_X, DIM_Y = 20, 3, 4


def _batch() -> Batch:
    return Batch(
        x=planted.normal(N, DIM_X, seed=0),
        y=planted.normal(N, DIM_Y, seed=1),
        t=torch.arange(N) % 10,
        noise=planted.normal(N, DIM_Y, seed=2),
        landscape_noise=planted.normal(N, DIM_Y, seed=3),
    )


def _model() -> EnergyMLP:
    model = planted.network(DIM_X, DIM_Y, width=16, seed=3, gain=1.5)
    model.requires_grad_(requires_grad=False)
    return model


def _there(model: EnergyMLP, batch: Batch) -> AnalyticField:
    return AnalyticField(model, batch.x, batch.t)


def test_random_negatives_are_another_row_s_answer_with_the_positive_s_noise() -> None:
    model, batch = _model(), _batch()
    found = other_answers(_there(model, batch), model, batch, 2.0)
    for row in range(N):
        t = int(batch.t[row])
        answer = batch.y[(row - 1) % N].clamp(-2, 2)
        expected = SCHEDULE.signal[t] * answer + SCHEDULE.sigma[t] * batch.landscape_noise[row]
        assert (found[row] - expected).abs().max() < 1e-14


@pytest.mark.parametrize(
    ("answers", "negatives", "least"),
    [
        ("true", "mined", 1),
        ("true", "random", 2),
        ("shuffled", "none", 2),
        ("shuffled", "random", 3),
    ],
)
def test_no_row_of_a_batch_lends_itself_an_answer(
    answers: Answers, negatives: str, least: int
) -> None:
    def config(batch_size: int) -> TrainConfig:
        return TrainConfig(
            task="inverse", size=2, answers=answers, negatives=negatives, batch_size=batch_size
        )

    config(least)
    if least > 1:
        with pytest.raises(ConfigError, match=f"batch_size: expected at least {least} where other"):
            config(least - 1)


def test_one_row_has_no_other_answer() -> None:
    whole = _batch()
    one = Batch(*(getattr(whole, f.name)[:1] for f in dataclasses.fields(Batch)))
    with pytest.raises(ShapeError, match="its negative would be its own answer"):
        losses(_model(), one, negative_fn=other_answers)


def test_hard_negatives_take_five_inner_steps_written_out() -> None:
    model, batch = planted.steeper(_model(), 9.0), _batch()
    found = mined_hard(_there(model, batch), model, batch, 2.0)
    refused = 0
    for row in range(N):
        t = int(batch.t[row])
        signal, sigma = float(SCHEDULE.signal[t]), float(SCHEDULE.sigma[t])
        land = Landscape(model, batch.x[row : row + 1], SCHEDULE.level(t))
        noise = batch.landscape_noise[row : row + 1]
        y = signal * batch.y[row : row + 1] + 3 * sigma * noise
        for scale in (1.0, 2.0, 2.0, 2.0, 2.0):
            step = scale * float(SCHEDULE.step_size[t])
            trial = propose(y, land.gradient(y), step, 2 * signal)
            rises = bool(land.energy(trial) > land.energy(y))
            refused += rises
            y = y if rises else trial
        expected = signal * (y / signal).clamp(-2, 2) + sigma * noise
        assert (found[row : row + 1] - expected).abs().max() < 1e-8
    assert 0 < refused < 5 * N
    assert (found - mined_negatives(_there(model, batch), model, batch, 2.0)).abs().max() > 0.01


def test_without_negatives_the_loss_is_the_denoising_term() -> None:
    model, batch = _model(), _batch()
    with_them = losses(model, batch)
    without = losses(model, batch, negative_fn=None)
    assert float(without.denoising) == float(with_them.denoising)
    assert float(without.contrastive) == 0
    assert float(without.total) == float(without.denoising)
    assert float(with_them.contrastive) > 0


@pytest.mark.parametrize("name", ["mined", "hard", "random"])
def test_the_contrast_is_that_of_the_recipe_s_negatives(name: str) -> None:
    model, batch = _model(), _batch()
    recipe = NEGATIVES[name]
    assert recipe is not None
    negative = recipe(_there(model, batch), model, batch, 2.0)
    signal, sigma = SCHEDULE.signal[batch.t][:, None], SCHEDULE.sigma[batch.t][:, None]
    positive = signal * batch.y + sigma * batch.landscape_noise
    gap = model.energy(batch.x, positive, batch.t) - model.energy(batch.x, negative, batch.t)
    expected = float(torch.log1p(gap.exp()).mean())
    found = float(losses(model, batch, negative_fn=recipe).contrastive)
    assert found == pytest.approx(expected, rel=1e-12)
