"""The exact energy of the gaussian task against numpy.linalg and scipy's normal density."""

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy.stats import multivariate_normal
from torch import Tensor

import planted
from ired_interp.curvature import spectrum
from ired_interp.energy.base import AnalyticEnergy
from ired_interp.energy.exact import GaussianEnergy, exact_model, ideal_spectrum
from ired_interp.errors import LevelError, UnknownNameError
from ired_interp.landscape import Landscape
from ired_interp.minimise import minimise
from ired_interp.schedule import cosine_schedule
from ired_interp.tasks import Task, task
from ired_interp.tasks.gaussian import Gaussian

Array = npt.NDArray[np.float64]
SCHEDULE = cosine_schedule()
N = 20


def _case(map_seed: int = 0) -> tuple[Task, GaussianEnergy, Tensor, Tensor, Tensor]:
    problem = task("gaussian", 2, map_seed=map_seed)
    x = planted.normal(N, 4, seed=1)
    y = planted.normal(N, 4, seed=2)
    return problem, exact_model(problem), x, y, torch.arange(N) % 10


def _sigma_and_map(problem: Task) -> tuple[Array, Array]:
    family = problem.family
    assert isinstance(family, Gaussian)
    vectors = family.eigenvectors().numpy()
    return vectors @ np.diag(family.eigenvalues().numpy()) @ vectors.T, family.mean_map().numpy()


@pytest.mark.parametrize("map_seed", [0, 5])
def test_energy_gradient_hessian_and_minimum(map_seed: int) -> None:
    problem, model, x, y, t = _case(map_seed)
    sigma, m = _sigma_and_map(problem)
    energy, gradient = model.energy_and_gradient(x, y, t)
    hessian, minimum = model.hessian(x, y, t), model.minimum(x, t)
    v = planted.normal(N, 3, 4, seed=3)
    product = model.hvp(x, y, t, v)
    assert isinstance(model, AnalyticEnergy)
    for i in range(N):
        ab = float(SCHEDULE.alpha_bar[t[i]])
        o = np.sqrt(1 - ab)
        c = ab * sigma + o**2 * np.eye(4)
        r = y[i].numpy() - np.sqrt(ab) * m @ x[i].numpy()
        solved = np.linalg.solve(c, r)
        h = o * np.linalg.inv(c)
        assert float(energy[i]) == pytest.approx(o / 2 * r @ solved, rel=1e-11)
        assert float(model.energy(x, y, t)[i]) == pytest.approx(o / 2 * r @ solved, rel=1e-11)
        assert np.abs(gradient[i].numpy() - o * solved).max() < 1e-10 * np.abs(o * solved).max()
        assert np.abs(hessian[i].numpy() - h).max() < 1e-10 * np.abs(h).max()
        assert np.abs(product[i].numpy() - v[i].numpy() @ h).max() < 1e-10 * np.abs(h).max() * 10
        assert np.abs(minimum[i].numpy() - np.sqrt(ab) * m @ x[i].numpy()).max() < 1e-12
    assert torch.equal(hessian, hessian.mT)


def test_the_energy_is_the_scaled_negative_log_density_of_the_noisy_answer() -> None:
    problem, model, x, _, _ = _case()
    sigma, m = _sigma_and_map(problem)
    for t in range(10):
        ab = float(SCHEDULE.alpha_bar[t])
        o = np.sqrt(1 - ab)
        y = planted.normal(6, 4, seed=20 + t)
        here = x[:1].expand(6, -1)
        density = multivariate_normal(np.sqrt(ab) * m @ x[0].numpy(), ab * sigma + o**2 * np.eye(4))
        offset = model.energy(here, y, torch.full((6,), t)).numpy() + o * density.logpdf(y.numpy())
        # A constant: the same at six points.
        assert np.ptp(offset) < 1e-10 * max(1.0, np.abs(offset).max())


def test_the_closed_forms_equal_autograd_through_a_landscape() -> None:
    _, model, x, y, t = _case()
    land = Landscape(model, x, 10 - t)
    auto = Landscape.of(lambda x, y: model.energy(x, y, torch.full((y.shape[0],), 3)), 4, x)
    assert (land.energy(y) - model.energy(x, y, t)).abs().max() == 0
    here = Landscape(model, x, 7)
    assert (here.gradient(y) - auto.gradient(y)).abs().max() < 1e-10
    assert (here.hessian(y) - auto.hessian(y)).abs().max() < 1e-10
    found = minimise(here, y)
    assert bool(found.converged.all())
    assert (found.y - model.minimum(x, torch.full((N,), 3))).abs().max() < 1e-10
    assert found.energy.abs().max() < 1e-18


@pytest.mark.parametrize("map_seed", [0, 5])
def test_the_ideal_spectrum_is_the_exact_model_s(map_seed: int) -> None:
    problem, model, x, y, t = _case(map_seed)
    ideal = ideal_spectrum(problem, SCHEDULE, range(10))
    sigma, _ = _sigma_and_map(problem)
    found = spectrum(Landscape(model, x, 10 - t), y).eigenvalues
    assert (found - ideal[t]).abs().max() < 1e-10 * ideal.max()
    for k in range(10):
        ab = float(SCHEDULE.alpha_bar[k])
        o = np.sqrt(1 - ab)
        covariance = ab * sigma + o**2 * np.eye(4)
        # σ_t·H = I - (s²/σ²)·Cov[y* | y, x], the design's form, by the Gaussian posterior.
        posterior = sigma - ab * sigma @ np.linalg.solve(covariance, sigma)
        form = (np.eye(4) - ab / o**2 * posterior) / o
        assert np.abs(np.linalg.eigvalsh(form) - ideal[k].numpy()).max() < 1e-10 * float(
            ideal.max()
        )
        scaled = o * ideal[k].numpy()
        assert scaled.min() > 0
        assert scaled.max() <= 1
    assert bool((ideal.diff(dim=1) >= 0).all())


def test_the_ideal_spectrum_of_the_other_tasks() -> None:
    times = [0, 4, 9]
    for name in ("addition", "inverse"):
        ideal = ideal_spectrum(task(name, 3), SCHEDULE, times)
        expected = 1 / SCHEDULE.sigma[times]
        assert torch.allclose(ideal, expected[:, None].expand(3, 9), rtol=1e-14)
    assert bool(ideal_spectrum(task("completion", 3), SCHEDULE, times).isnan().all())


def test_the_ideal_spectrum_obeys_the_schedule_that_is_given() -> None:
    other = cosine_schedule(20)
    problem = task("gaussian", 2)
    assert isinstance(problem.family, Gaussian)
    v = problem.family.eigenvalues()
    for t in (0, 7, 15):
        o2, ab = 1 - other.alpha_bar[t], other.alpha_bar[t]
        expected = (o2.sqrt() / (ab * v + o2)).sort().values
        found = ideal_spectrum(problem, other, [t])[0]
        assert (found - expected).abs().max() < 1e-12 * expected.max()


def test_the_ideal_spectrum_refuses_timesteps_out_of_range() -> None:
    for name in ("gaussian", "inverse"):
        for t in (-1, 10):
            with pytest.raises(LevelError):
                ideal_spectrum(task(name, 2), SCHEDULE, [t])


@pytest.mark.parametrize("timestep", [-1, 10])
def test_timesteps_out_of_range_are_refused(timestep: int) -> None:
    # An index of -1 would quietly be the noisiest level.
    _, model, x, y, t = _case()
    wrong = t.clone()
    wrong[0] = timestep
    with pytest.raises(LevelError):
        model.energy(x, y, wrong)
    with pytest.raises(LevelError):
        model.energy_and_gradient(x, y, wrong)
    with pytest.raises(LevelError):
        model.hessian(x, y, wrong)


def test_only_the_gaussian_task_has_an_exact_model() -> None:
    with pytest.raises(UnknownNameError, match="gaussian"):
        exact_model(task("inverse", 2))


def test_the_exact_model_in_float32() -> None:
    problem, model, x, y, t = _case()
    single = exact_model(problem, dtype=torch.float32)
    energy = single.energy(x.float(), y.float(), t)
    assert energy.dtype == torch.float32
    assert torch.allclose(energy.double(), model.energy(x, y, t), rtol=1e-5)


@pytest.mark.parametrize("t", range(10))
def test_the_gradient_is_the_expected_noise(t: int) -> None:
    # ∇E = E[ε | y]: the residual ε - ∇E is uncorrelated with every function of y, here y itself,
    # and the error left is 1 - mean_i σ²/(s²v_i + σ²) an entry:
    # r = s·e + σ·ε with e ~ N(0, Σ), so E[ε | r] = σ·(s²Σ + σ²)⁻¹r and
    # Var[ε | r] = I - σ²·(s²Σ + σ²)⁻¹, whose trace over d is that.
    problem, model, _, _, _ = _case()
    sample = problem.sample(3000, seed=30)
    noise = planted.normal(3000, 4, seed=31)
    signal, sigma = float(SCHEDULE.signal[t]), float(SCHEDULE.sigma[t])
    noisy = signal * sample.y + sigma * noise
    _, gradient = model.energy_and_gradient(sample.x, noisy, torch.full((3000,), t))
    rest = noise - gradient
    assert isinstance(problem.family, Gaussian)
    v = problem.family.eigenvalues()
    optimum = 1 - float((sigma**2 / (signal**2 * v + sigma**2)).mean())
    loss = rest.square().mean(dim=1)
    z = (float(loss.mean()) - optimum) / (float(loss.std()) / 3000**0.5)
    assert abs(z) < 5
    cross = (rest[:, :, None] * noisy[:, None, :]).flatten(1)
    scores = cross.mean(0) / (cross.std(0) / 3000**0.5)
    assert float(scores.abs().max()) < 5
