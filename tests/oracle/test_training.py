"""One training step against a plain program, the moving average, and a network that learns."""

import copy
import math

import pytest
import torch
from torch import Tensor

import planted
from ired_interp.draws import BatchDraws
from ired_interp.energy.exact import GaussianEnergy, exact_model
from ired_interp.energy.mlp import EnergyMLP
from ired_interp.schedule import cosine_schedule
from ired_interp.tasks import task
from ired_interp.tasks.gaussian import Gaussian
from ired_interp.training import Batch, Losses, average_decay, losses, negatives

SCHEDULE = cosine_schedule()
N, DIM_X, DIM_Y = 20, 3, 4


def _batch(seed: int = 0) -> Batch:
    return Batch(
        x=planted.normal(N, DIM_X, seed=seed),
        y=planted.normal(N, DIM_Y, seed=seed + 1),
        t=torch.arange(N) % 10,
        noise=planted.normal(N, DIM_Y, seed=seed + 2),
        landscape_noise=planted.normal(N, DIM_Y, seed=seed + 3),
    )


def _model(factor: float) -> EnergyMLP:
    return planted.steeper(planted.network(DIM_X, DIM_Y, width=16, seed=3, gain=1.5), factor)


# The plain program: one row at a time, derivatives by autograd.


def _slope(model: EnergyMLP, x: Tensor, y: Tensor, t: int, *, graph: bool) -> tuple[Tensor, Tensor]:
    leaf = y[None].clone().requires_grad_()
    energy = model.energy(x[None], leaf, torch.tensor([t])).sum()
    (slope,) = torch.autograd.grad(energy, leaf, create_graph=graph)
    return energy, slope[0]


def _plain_negative(model: EnergyMLP, batch: Batch, i: int) -> tuple[Tensor, list[bool]]:
    t = int(batch.t[i])
    s = math.sqrt(float(SCHEDULE.alpha_bar[t]))
    o = math.sqrt(1 - float(SCHEDULE.alpha_bar[t]))
    step = float(SCHEDULE.beta[t]) / o
    q = s * batch.y[i] + 3 * o * batch.landscape_noise[i]
    accepted = []
    for c in (1.0, 2.0):
        e0, g = _slope(model, batch.x[i], q, t, graph=False)
        trial = torch.clamp(q - step * g * c, -2 * s, 2 * s)
        e1, _ = _slope(model, batch.x[i], trial, t, graph=False)
        accepted.append(not bool(e1 > e0))
        q = trial if accepted[-1] else q
    return s * torch.clamp(q / s, -2, 2) + o * batch.landscape_noise[i], accepted


def _plain_losses(model: EnergyMLP, batch: Batch) -> tuple[Tensor, Tensor]:
    squares, contrasts = [], []
    for i in range(N):
        t = int(batch.t[i])
        s = math.sqrt(float(SCHEDULE.alpha_bar[t]))
        o = math.sqrt(1 - float(SCHEDULE.alpha_bar[t]))
        _, g = _slope(model, batch.x[i], s * batch.y[i] + o * batch.noise[i], t, graph=True)
        squares.append((g - batch.noise[i]) ** 2)
        p = s * batch.y[i] + o * batch.landscape_noise[i]
        m, _ = _plain_negative(model, batch, i)
        level = torch.tensor([t])
        low = model.energy(batch.x[i : i + 1], p[None], level)
        high = model.energy(batch.x[i : i + 1], m[None], level)
        # 2-way cross entropy of (-low, -high) with the positive first.
        logits = -torch.cat([low, high])
        contrasts.append(torch.logsumexp(logits, 0) - logits[0])
    return torch.stack(squares).mean(), torch.stack(contrasts).mean()


@pytest.mark.parametrize("factor", [0.3, 1.0, 9.0])
@pytest.mark.parametrize("seed", [0, 10])
def test_losses_and_their_weight_gradients_are_the_plain_program_s(
    factor: float, seed: int
) -> None:
    model, batch = _model(factor), _batch(seed)
    found = losses(model, batch)
    denoising, contrastive = _plain_losses(model, batch)
    assert float(found.denoising.detach()) == pytest.approx(float(denoising.detach()), rel=1e-11)
    assert float(found.contrastive.detach()) == pytest.approx(
        float(contrastive.detach()), rel=1e-10 if factor <= 1 else 1e-8
    )
    # Where ∇²E is 81 times as large, the two overshooting steps to a negative amplify round-off.
    tolerance = 1e-10 if factor <= 1 else 1e-8
    weights = dict(model.named_parameters())
    pairs = {
        "denoising": (found.denoising, denoising),
        "contrastive": (found.contrastive, contrastive),
        "total": (found.total, denoising + contrastive / 2),
    }
    for term, (ours, theirs) in pairs.items():
        got = torch.autograd.grad(ours, list(weights.values()), retain_graph=True)
        expected = torch.autograd.grad(theirs, list(weights.values()), retain_graph=True)
        # fc4's bias shifts f alike at p and m, so that its own share may be small: one scale.
        scale = max(float(e.norm()) for e in expected)
        assert scale > 0
        for name, a, b in zip(weights, got, expected, strict=True):
            size = max(float(b.norm()), 1e-3 * scale)
            assert (a - b).norm() < tolerance * size, (term, name)


@pytest.mark.parametrize("factor", [0.3, 1.0, 9.0])
def test_negatives_are_the_plain_program_s(factor: float) -> None:
    model, batch = _model(factor), _batch()
    found = negatives(model, batch)
    assert not found.requires_grad
    steps = []
    for i in range(N):
        expected, accepted = _plain_negative(model, batch, i)
        assert (found[i] - expected).abs().max() < 1e-10
        steps.append(tuple(accepted))
    if factor == 9.0:  # steep enough that steps are refused, and not all of them
        assert (True, True) in steps
        assert any(not all(pair) for pair in steps)


@pytest.mark.parametrize("seed", range(4))
def test_each_negative_is_clamped_by_its_own_level(seed: int) -> None:
    # The reference clamps the whole batch by its first row's level; here that is row 9, t = 9,
    # with a bound of .0098.
    batch = _batch(seed)
    wide = Batch(batch.x, 4 * batch.y, 9 - batch.t, batch.noise, batch.landscape_noise)
    assert int(wide.t[0]) == 9
    found = negatives(_model(1.0), wide)
    signal = SCHEDULE.signal[wide.t][:, None]
    answer = (found - SCHEDULE.sigma[wide.t][:, None] * wide.landscape_noise) / signal
    assert bool((answer.abs() <= 2 + 1e-9).all())
    for t in range(10):
        rows = wide.t == t
        assert answer[rows].abs().max() > 1  # and not by a smaller bound


def test_a_row_s_negative_does_not_depend_on_the_batch() -> None:
    model, batch = _model(9.0), _batch()
    whole = negatives(model, batch)
    for rows in (slice(0, 1), slice(9, 14)):
        part = Batch(
            *(getattr(batch, f)[rows] for f in ("x", "y", "t", "noise", "landscape_noise"))
        )
        assert (negatives(model, part) - whole[rows]).abs().max() < 1e-12


def test_the_shared_noise_cancels_between_positive_and_negative() -> None:
    # p - m = s_t·(y* - c): with the answer inside the box and steps of size 0, c is the clamped
    # start s_t·y* + 3σ_t·n₂, unscaled.
    model, batch = _model(1e-9), _batch()
    signal, sigma = SCHEDULE.signal[batch.t][:, None], SCHEDULE.sigma[batch.t][:, None]
    start = (signal * batch.y + 3 * sigma * batch.landscape_noise).clamp(-2 * signal, 2 * signal)
    expected = start + sigma * batch.landscape_noise
    assert (negatives(model, batch) - expected).abs().max() < 1e-12


def test_losses_on_the_exact_model_are_known() -> None:
    problem = task("gaussian", 2)
    model = exact_model(problem)
    sample = problem.sample(3000, seed=1)
    batch = Batch(
        x=sample.x,
        y=sample.y,
        t=torch.arange(3000) % 10,
        noise=planted.normal(3000, 4, seed=2),
        landscape_noise=planted.normal(3000, 4, seed=3),
    )
    found = losses(model, batch)
    signal, sigma = SCHEDULE.signal[batch.t][:, None], SCHEDULE.sigma[batch.t][:, None]
    _, gradient = model.energy_and_gradient(
        batch.x, signal * batch.y + sigma * batch.noise, batch.t
    )
    each = (gradient - batch.noise).square().mean(1)
    assert float(found.denoising) == pytest.approx(float(each.mean()), rel=1e-12)
    optimum = float(_optimum().mean())
    assert abs(float(each.mean()) - optimum) / (float(each.std()) / 3000**0.5) < 5
    assert isinstance(found, Losses)
    assert float(found.total) == pytest.approx(
        float(found.denoising) + 0.5 * float(found.contrastive), rel=1e-15
    )


# The moving average


def test_the_average_follows_the_reference_s_schedule() -> None:
    # Every 10th step; a copy for the first 100 steps; then 1 - (1 + step - 101)^(-2/3), at most
    # .995. The counter starts at 0 on the first step, so the 1st, 11th, … act.
    for step in range(1, 4001):
        kept = average_decay(step)
        if (step - 1) % 10:
            assert kept == 1.0
        elif step <= 101:
            assert kept == 0.0
        else:
            expected = min(0.995, 1 - (1 + step - 101) ** (-2 / 3))
            assert kept == pytest.approx(expected, rel=1e-14)
    acting = [step for step in range(1, 4001) if average_decay(step) < 1]
    assert acting[:3] == [1, 11, 21]
    first_full = next(step for step in acting if average_decay(step) == 0.995)
    assert first_full == 2931
    assert average_decay(2921) < 0.995


def test_the_average_of_constant_weights_is_constant_and_of_a_ramp_lags() -> None:
    average = 0.0
    for step in range(1, 6001):
        kept = average_decay(step)
        average = kept * average + (1 - kept) * step
        if step <= 101:
            assert average == 10 * ((step - 1) // 10) + 1
    # In the end the lag of an exponential average over every 10th step: 10·.995/.005.
    assert average == pytest.approx(5991 - 10 * 0.995 / 0.005, abs=250)


# A network that learns


def _optimum() -> Tensor:
    """Least (∇E - n₁)² an entry at each t: 1 - mean_i σ²/(s²v_i + σ²), see the exact energy."""
    family = task("gaussian", 2).family
    assert isinstance(family, Gaussian)
    v = family.eigenvalues()
    s2, o2 = SCHEDULE.alpha_bar[:, None], 1 - SCHEDULE.alpha_bar[:, None]
    return 1 - (o2 / (s2 * v + o2)).mean(1)


def test_a_small_network_falls_towards_the_known_optimum() -> None:
    problem = task("gaussian", 2)
    generator = torch.Generator().manual_seed(0)
    model = EnergyMLP(4, 4, width=64).initialise(generator).double()
    initial = copy.deepcopy(model)
    exact = exact_model(problem)
    draws = BatchDraws(128, generator, torch.float64)
    adam = torch.optim.Adam(model.parameters(), lr=2e-3, betas=(0.9, 0.99))
    for _ in range(250):  # on the denoising term, written out
        sample = problem.draw(draws)
        t = torch.randint(10, (128,), generator=generator)
        noise = draws.normal(4)
        noisy = SCHEDULE.signal[t, None] * sample.y + SCHEDULE.sigma[t, None] * noise
        _, gradient = model.energy_and_gradient(sample.x, noisy, t)
        adam.zero_grad()
        (gradient - noise).square().mean().backward()  # type: ignore[no-untyped-call]
        adam.step()
    # Predicting 0 costs 1 an entry at every t, 1 - optimum of it in excess: .32 at t = 0, 1 at 9.
    before, after = _excess(initial, exact), _excess(model, exact)
    assert bool((before > 0.9 * (1 - _optimum())).all())
    # 250 steps of 128 problems leave .036 of .311 at t = 0 and at most .043 of it elsewhere.
    assert bool((after < 0.25 * before).all())
    assert bool((after[1:] < 0.1 * before[1:]).all())
    assert float(after.max()) < 0.08
    # And the loss itself is what the excess says.
    fresh = problem.sample(2000, seed=60)
    batch = Batch(
        x=fresh.x,
        y=fresh.y,
        t=torch.arange(2000) % 10,
        noise=planted.normal(2000, 4, seed=61),
        landscape_noise=planted.normal(2000, 4, seed=62),
    )
    with torch.no_grad():
        found = float(losses(model, batch).denoising)
    expected = float((_optimum() + after).mean())
    # The squares of 8,000 entries of order one: a standard error of about √2/√8000 = .016 at most.
    assert abs(found - expected) / 0.016 < 5
    assert found < 0.5 * float((_optimum() + before).mean())


def _excess(model: EnergyMLP, exact: GaussianEnergy) -> Tensor:
    """E (∇E - n₁)² - optimum at each t. As E[n₁ | y] = ∇E_exact, it is E (∇E - ∇E_exact)²."""
    problem = task("gaussian", 2)
    sample = problem.sample(400, seed=50)
    noise = planted.normal(400, 4, seed=51)
    out = []
    for t in range(10):
        level = torch.full((400,), t)
        noisy = SCHEDULE.signal[t] * sample.y + SCHEDULE.sigma[t] * noise
        with torch.no_grad():
            _, ours = model.energy_and_gradient(sample.x, noisy, level)
            _, best = exact.energy_and_gradient(sample.x, noisy, level)
        out.append((ours - best).square().mean())
    return torch.stack(out)
