"""A training beside the same training as one would write it first."""

import dataclasses
import itertools
from collections.abc import Iterator

import pytest
import torch
from plain_training import PlainBatch, PlainEnergy, plain_steps
from precision import rounded_product

from ired_interp.energy.exact import exact_model
from ired_interp.errors import ConfigError, EnergyError
from ired_interp.models.stepping import Stepper, training_steps
from ired_interp.models.train_config import TrainConfig
from ired_interp.tasks import task
from ired_interp.training import bfloat16_product, losses

CONFIG = TrainConfig(task="inverse", size=4, width=64, batch_size=32, learning_rate=1e-3, seed=5)


def _plain(config: TrainConfig) -> Iterator[tuple[float, float]]:
    """The plain program from the same initial weights, on the same batches."""
    source = Stepper(config)
    model = PlainEnergy(source.task.dim_x, source.task.dim_y, config.width)
    model.load_state_dict(source.online.state_dict())

    def batch() -> PlainBatch:
        drawn = source.draw()
        return PlainBatch(drawn.x, drawn.y, drawn.t, drawn.noise, drawn.landscape_noise)

    return plain_steps(model, batch, learning_rate=config.learning_rate)


def test_the_first_hundred_losses_are_the_plain_program_s() -> None:
    """Round-off grows along a training: 6e-6 of the loss was the most, at the hundredth step."""
    pairs = zip(training_steps(CONFIG), _plain(CONFIG), strict=False)
    for number, (ours, theirs) in enumerate(itertools.islice(pairs, 100)):
        assert float(ours.denoising) == pytest.approx(theirs[0], rel=5e-5), number
        assert float(ours.contrastive) == pytest.approx(theirs[1], rel=5e-5), number
    assert number == 99


def test_bfloat16_rounds_factors_to_eight_bits_and_sums_in_more() -> None:
    a = torch.randn(30, 200, generator=torch.Generator().manual_seed(0))
    b = torch.randn(200, 20, generator=torch.Generator().manual_seed(1))
    found = bfloat16_product(a, b)
    rounded = a.bfloat16().double() @ b.bfloat16().double()
    assert found.dtype == torch.float32
    scale = a.abs().double() @ b.abs().double()
    assert float(((found - rounded) / scale).abs().max()) <= 2**-8
    assert float(((found - a @ b) / scale).abs().max()) > 2**-14  # it does round


def test_bfloat16_for_measurements_is_the_processor_s_own() -> None:
    generator = torch.Generator().manual_seed(2)
    a, b, weights = (
        torch.randn(*shape, generator=generator) for shape in ((20, 30), (30, 9), (20, 9))
    )
    found = []
    for product in (rounded_product, bfloat16_product):
        one, other = a.clone().requires_grad_(), b.clone().requires_grad_()
        total = product(one, other)
        found.append((total.detach(), *torch.autograd.grad((total * weights).sum(), (one, other))))
    for ours, own in zip(*found, strict=True):
        # Sums in another order may round another way: one unit in 2^8.
        assert float((ours - own).abs().max() / own.abs().max()) <= 2**-8
    assert not torch.equal(found[0][0], a @ b)


def test_a_step_in_bfloat16_has_nearly_the_same_losses_and_gradients() -> None:
    stepper = Stepper(CONFIG)
    batch, model = stepper.draw(), stepper.online
    weights = list(model.parameters())
    found = []
    for product in (torch.matmul, bfloat16_product):
        terms = losses(model, batch, product=product)
        gradient = torch.autograd.grad(terms.total, weights)
        found.append(
            (float(terms.total.detach()), torch.cat([part.flatten() for part in gradient]))
        )
    (exact, right), (rounded, near) = found
    assert rounded == pytest.approx(exact, rel=1e-3)
    assert rounded != exact
    assert float((near - right).norm() / right.norm()) < 0.02


def test_precision_is_one_that_there_is_and_an_energy_that_has_none_refuses() -> None:
    with pytest.raises(ConfigError, match=r"precision: expected one of float32, bfloat16"):
        dataclasses.replace(CONFIG, precision="float16")
    stepper = Stepper(TrainConfig(task="gaussian", size=2, width=8))
    with pytest.raises(EnergyError, match="cannot change how it multiplies"):
        losses(
            exact_model(task("gaussian", 2), dtype=torch.float32),
            stepper.draw(),
            product=bfloat16_product,
        )
