"""The tasks recomputed from their parts in NumPy, and the yardsticks that are known for them."""

import inspect
import math
from typing import Literal

import numpy as np
import numpy.typing as npt
import pytest
import torch

from ired_interp.draws import BatchDraws, RowDraws
from ired_interp.errors import DtypeError, ShapeError, UnknownNameError
from ired_interp.schedule import cosine_schedule
from ired_interp.tasks import Problems, Task, task, task_names
from ired_interp.tasks.completion import Completion
from ired_interp.tasks.gaussian import Gaussian

Array = npt.NDArray[np.float64]
Difficulty = Literal["same", "harder"]

# The precision of n products of numbers of size one in float64.
ROUND_OFF = 1e-13


def _numpy(problems: Problems) -> tuple[Array, Array, dict[str, Array]]:
    parts = {name: part.numpy() for name, part in problems.parts.items()}
    return problems.x.numpy(), problems.y.numpy(), parts


def _z(samples: Array, truth: float) -> float:
    return float((samples.mean() - truth) / (samples.std(ddof=1) / np.sqrt(samples.size)))


# Addition


@pytest.mark.parametrize(("difficulty", "half"), [("same", 1.0), ("harder", 2.5)])
def test_addition_is_the_sum_of_two_uniform_matrices(difficulty: Difficulty, half: float) -> None:
    x, y, parts = _numpy(task("addition", 3).sample(200, seed=1, difficulty=difficulty))
    a, b = parts["a"], parts["b"]
    assert np.array_equal(x, np.concatenate([a.reshape(200, 9), b.reshape(200, 9)], axis=1))
    assert np.array_equal(y, (a + b).reshape(200, 9))
    assert np.abs(x).max() < half
    # Uniform on ±h: variance h²/3, fourth moment h⁴/5.
    assert abs(_z(x.ravel(), 0)) < 5
    assert abs(_z(x.ravel() ** 2, half**2 / 3)) < 5
    assert abs(_z(x.ravel() ** 4, half**4 / 5)) < 5
    assert abs(_z((a * b).ravel(), 0)) < 5


# Completion


@pytest.mark.parametrize(("difficulty", "divisor"), [("same", 20.0), ("harder", 5.0)])
def test_completion_is_a_masked_noisy_low_rank_matrix(
    difficulty: Difficulty, divisor: float
) -> None:
    x, y, parts = _numpy(task("completion", 6).sample(150, seed=2, difficulty=difficulty))
    u, v, mask, noise = parts["u"], parts["v"], parts["mask"], parts["noise"]
    assert u.shape == v.shape == (150, 6, 10)
    assert mask.dtype == np.bool_
    target = np.einsum("nir,njr->nij", u, v) / divisor + noise
    assert np.abs(y.reshape(target.shape) - target).max() < ROUND_OFF
    assert np.array_equal(x.reshape(target.shape), np.where(mask, y.reshape(target.shape), 0.0))
    assert bool((x.reshape(target.shape)[~mask.astype(bool)] == 0).all())
    for factor in (u, v):
        assert abs(_z(factor.ravel(), 0)) < 5
        assert abs(_z(factor.ravel() ** 2, 1)) < 5
    assert abs(_z(noise.ravel(), 0)) < 5
    assert abs(_z(noise.ravel() ** 2, 0.01)) < 5


def test_the_mask_keeps_half_of_the_entries_independently() -> None:
    mask = _numpy(task("completion", 6).sample(400, seed=3))[2]["mask"].astype(np.float64)
    assert abs((mask.mean() - 0.5) / np.sqrt(0.25 / mask.size)) < 5
    centred = 2 * mask - 1
    assert abs(_z((centred[:, :, 1:] * centred[:, :, :-1]).ravel(), 0)) < 5
    assert abs(_z((centred[:, 1:] * centred[:, :-1]).ravel(), 0)) < 5
    counts = mask.sum(axis=(1, 2))
    assert abs(_z((counts - 18) ** 2, 36 / 4)) < 5  # binomial


def test_filling_gaps_with_zeros_costs_half_the_variance() -> None:
    # ½·(10/20² + 0.1²) and ½·(10/5² + 0.1²).
    costs: dict[Difficulty, float] = {"same": 0.0175, "harder": 0.205}
    for difficulty, expected in costs.items():
        x, y, _ = _numpy(task("completion", 5).sample(1500, seed=4, difficulty=difficulty))
        assert abs(_z(((x - y) ** 2).mean(axis=1), expected)) < 5


@pytest.mark.parametrize("rank", [1, 2, 4])
def test_without_noise_the_target_has_exactly_the_rank(rank: int) -> None:
    y = task("completion", 5, rank=rank, noise=0.0).sample(20, seed=5).y.reshape(20, 5, 5)
    values = np.linalg.svd(y.numpy(), compute_uv=False)
    assert bool((values[:, rank:] < 1e-10 * values[:, :1]).all())
    assert bool((values[:, :rank] > 1e-8 * values[:, :1]).all())


def test_the_noise_option_scales_the_noise() -> None:
    small = task("completion", 4, noise=0.1).sample(5, seed=6)
    large = task("completion", 4, noise=0.3).sample(5, seed=6)
    assert torch.allclose(3 * small.parts["noise"], large.parts["noise"], rtol=1e-14)
    assert torch.equal(small.parts["u"], large.parts["u"])
    assert torch.equal(small.parts["mask"], large.parts["mask"])


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_a_scale_is_the_entries_standard_deviation_and_multiplies_all(noise: float) -> None:
    plain, chosen = (task("completion", 5, rank=2, noise=noise, **o) for o in ({}, {"scale": 1.5}))
    assert chosen.options() == {"rank": 2, "noise": noise, "scale": 1.5}
    assert "scale" not in plain.options()
    factor = 1.5 / math.sqrt(2 / 20**2 + noise**2)
    entries: dict[Difficulty, float] = {"same": 1.5**2, "harder": factor**2 * (2 / 25 + noise**2)}
    for difficulty, variance in entries.items():
        one, other = (t.sample(800, seed=7, difficulty=difficulty) for t in (plain, chosen))
        assert float((factor * one.x - other.x).abs().max()) < factor * ROUND_OFF
        assert float((factor * one.y - other.y).abs().max()) < factor * ROUND_OFF
        assert torch.allclose(factor * one.parts["noise"], other.parts["noise"], rtol=1e-13)
        assert torch.equal(one.parts["u"], other.parts["u"])
        assert isinstance(chosen.family, Completion)
        assert chosen.family.variance(difficulty) == pytest.approx(variance, rel=1e-13)
        assert abs(_z((other.y**2).mean(dim=1).numpy(), variance)) < 5


# Inverse


@pytest.mark.parametrize(("difficulty", "shift"), [("same", 0.5), ("harder", 0.1)])
def test_inverse_is_the_inverse_of_a_shifted_product(difficulty: Difficulty, shift: float) -> None:
    x, y, parts = _numpy(task("inverse", 4).sample(200, seed=7, difficulty=difficulty))
    factor = parts["factor"]
    assert np.abs(factor).max() < 1
    assert abs(_z(factor.ravel() ** 2, 1 / 3)) < 5
    assert abs(_z(factor.ravel(), 0)) < 5
    a = 2 * np.einsum("nik,njk->nij", factor, factor) + shift * np.eye(4)
    assert np.abs(x.reshape(a.shape) - a).max() < ROUND_OFF * np.abs(a).max()
    condition = np.linalg.cond(a)
    gap = np.abs(x.reshape(a.shape) @ y.reshape(a.shape) - np.eye(4)).max(axis=(1, 2))
    assert bool((gap < 50 * np.finfo(np.float64).eps * condition).all())
    assert np.abs(y).max() <= 1 / shift + 1e-12


@pytest.mark.parametrize("condition", [1.0, 1.5, 10.0, 1e4, 1e8])
@pytest.mark.parametrize("difficulty", ["same", "harder"])
def test_the_condition_option_gives_exactly_that_condition_number(
    condition: float, difficulty: Difficulty
) -> None:
    wanted = task("inverse", 4, condition=condition)
    x, y, parts = _numpy(wanted.sample(30, seed=8, difficulty=difficulty))
    a, inverse = x.reshape(30, 4, 4), y.reshape(30, 4, 4)
    values = np.linalg.eigvalsh(a)
    eps = np.finfo(np.float64).eps
    # An eigenvalue is known to ε·‖A‖, hence λ_min to a share ε·κ.
    assert np.abs(values[:, -1] / values[:, 0] / condition - 1).max() < 50 * eps * condition
    plain = _numpy(task("inverse", 4).sample(30, seed=8, difficulty=difficulty))
    before = plain[0].reshape(30, 4, 4)
    assert np.array_equal(parts["factor"], plain[2]["factor"])
    widest = max(condition, float(np.linalg.cond(before).max()))
    assert np.abs(values[:, 0] / np.linalg.eigvalsh(before)[:, 0] - 1).max() < 50 * eps * widest
    # The same eigenvectors: the matrices commute.
    size = np.linalg.norm(a, axis=(1, 2)) * np.linalg.norm(before, axis=(1, 2))
    commutator = np.linalg.norm(a @ before - before @ a, axis=(1, 2))
    assert bool((commutator < 1e-13 * size).all())
    assert np.abs(a @ inverse - np.eye(4)).max() < 50 * eps * condition
    # One power for all ratios: log-ratios are proportional.
    if condition > 1:
        ratios = np.log(values[:, 1:] / values[:, :1]) / np.log(condition)
        old = np.linalg.eigvalsh(before)
        old_ratios = np.log(old[:, 1:] / old[:, :1]) / np.log(old[:, -1:] / old[:, :1])
        assert np.abs(ratios - old_ratios).max() < 100 * eps * widest


def test_the_matrix_polynomial_yardsticks_of_size_4() -> None:
    # c₀·I and c₀·I + c₁·A, fitted by least squares on other problems: .0968 and .0397.
    draws = [task("inverse", 4).sample(4000, seed=seed) for seed in (9, 10)]
    (x_fit, y_fit, _), (x, y, _) = (_numpy(problems) for problems in draws)
    eye = np.eye(4).ravel()
    scores = []
    for degree in (0, 1):
        fit_columns = [np.tile(eye, (4000, 1)), x_fit][: degree + 1]
        columns = [np.tile(eye, (4000, 1)), x][: degree + 1]
        design = np.stack([c.ravel() for c in fit_columns], axis=1)
        weights = np.linalg.lstsq(design, y_fit.ravel())[0]
        guess = sum(w * c for w, c in zip(weights, columns, strict=True))
        scores.append(((guess - y) ** 2).mean(axis=1))
    for score, published in zip(scores, (0.0968, 0.0397), strict=True):
        # The published figure is an estimate too: its error adds to ours as if from as many draws.
        error = score.std(ddof=1) / np.sqrt(score.size) * np.sqrt(2) + 0.00005
        assert abs(score.mean() - published) / error < 5
        assert abs(score.mean() / published - 1) < 0.06  # and the test can tell 6 % apart
        assert 5 * error < 0.1 * published


# The planted task


def test_gaussian_has_the_mean_and_covariance_it_claims() -> None:
    problem = task("gaussian", 2, map_seed=3)
    family = problem.family
    assert isinstance(family, Gaussian)
    m, vectors = family.mean_map().numpy(), family.eigenvectors().numpy()
    v = family.eigenvalues().numpy()
    assert np.allclose(v, np.geomspace(1, 0.01, 4), rtol=1e-14)
    assert np.abs(vectors.T @ vectors - np.eye(4)).max() < 1e-14
    sigma = vectors @ np.diag(v) @ vectors.T
    n = 4000
    scales: dict[Difficulty, float] = {"same": 1.0, "harder": 2.5}
    for difficulty, scale in scales.items():
        x, y, parts = _numpy(problem.sample(n, seed=11, difficulty=difficulty))
        assert np.abs(parts["mean"] - x @ m.T).max() < ROUND_OFF
        assert np.abs(parts["mean"] + parts["noise"] - y).max() == 0
        e = y - x @ m.T
        assert np.abs(e.mean(axis=0) / np.sqrt(np.diag(sigma) / n)).max() < 5
        spread = np.sqrt((np.outer(np.diag(sigma), np.diag(sigma)) + sigma**2) / n)
        assert np.abs((e.T @ e / n - sigma) / spread).max() < 5
        # The noise does not depend on x.
        assert np.abs(e.T @ x / n / np.sqrt(np.diag(sigma)[:, None] * scale**2 / n)).max() < 5
        assert np.abs((x.T @ x / n - scale**2 * np.eye(4)) / (scale**2 * np.sqrt(2 / n))).max() < 5


def test_a_chosen_spectrum_is_the_covariance_s() -> None:
    chosen = (4.0, 1.0, 0.25, 1e-6)
    family = task("gaussian", 2, spectrum=chosen).family
    assert isinstance(family, Gaussian)
    assert tuple(family.eigenvalues().tolist()) == chosen
    noise = task("gaussian", 2, spectrum=chosen).sample(2000, seed=12).parts["noise"]
    turned = (noise @ family.eigenvectors()).numpy()
    for i, v in enumerate(chosen):
        assert abs(_z(turned[:, i] ** 2, v)) < 5


# All tasks


@pytest.mark.parametrize(
    ("name", "dim_x", "dim_y"),
    [("addition", 18, 9), ("completion", 9, 9), ("inverse", 9, 9), ("gaussian", 9, 9)],
)
def test_dimensions(name: str, dim_x: int, dim_y: int) -> None:
    problem = task(name, 3)
    sample = problem.sample(2, seed=0)
    assert (problem.dim_x, problem.dim_y) == (dim_x, dim_y)
    assert sample.x.shape == (2, dim_x)
    assert sample.y.shape == (2, dim_y)
    assert problem.name == name
    assert problem.size == 3


def test_the_tasks_are_the_known_ones() -> None:
    assert sorted(task_names()) == ["addition", "completion", "gaussian", "inverse"]


@pytest.mark.parametrize("name", ["addition", "completion", "inverse", "gaussian"])
def test_a_training_batch_obeys_the_definition_too(name: str) -> None:
    problem = task(name, 3)
    draws = BatchDraws(6, torch.Generator().manual_seed(0), torch.float64)
    difficulties: tuple[Difficulty, ...] = ("same", "harder")
    for difficulty in difficulties:
        batch = problem.draw(draws, difficulty=difficulty)
        _check_definition(problem, batch, harder=difficulty == "harder")


def _check_definition(problem: Task, batch: Problems, *, harder: bool) -> None:
    x, y, parts = _numpy(batch)
    n = x.shape[0]
    expected: Array
    if problem.name == "addition":
        expected = (parts["a"] + parts["b"]).reshape(n, -1)
    elif problem.name == "completion":
        low_rank = parts["u"] @ parts["v"].transpose(0, 2, 1) / (5 if harder else 20)
        expected = (low_rank + parts["noise"]).reshape(n, -1)
    elif problem.name == "inverse":
        r = parts["factor"]
        a = 2 * r @ r.transpose(0, 2, 1) + (0.1 if harder else 0.5) * np.eye(3)
        assert np.abs(a.reshape(n, -1) - x).max() < ROUND_OFF * 10
        expected = np.linalg.inv(a).reshape(n, -1).astype(np.float64)
    else:
        assert isinstance(problem.family, Gaussian)
        expected = x @ problem.family.mean_map().numpy().T + parts["noise"]
    assert np.abs(expected - y).max() < 1e-11 * max(1, np.abs(y).max())


# What is refused


def test_wrong_requests_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="inverse"):
        task("invrese", 4)
    with pytest.raises(UnknownNameError, match="rank"):
        task("inverse", 4, rank=2)
    with pytest.raises(ShapeError, match="size"):
        task("inverse", 0)
    with pytest.raises(ShapeError, match="rank"):
        task("completion", 4, rank=0)
    with pytest.raises(ShapeError, match="noise"):
        task("completion", 4, noise=-0.1)
    with pytest.raises(ShapeError, match="noise"):
        task("completion", 4, noise=math.nan)
    for wrong in (0.0, -1.0, math.nan, math.inf, True):
        with pytest.raises(ShapeError, match="scale: expected a"):
            task("completion", 4, scale=wrong)
    with pytest.raises(ShapeError, match="condition"):
        task("inverse", 4, condition=0.5)
    with pytest.raises(ShapeError, match="condition"):
        task("inverse", 4, condition=math.inf)
    with pytest.raises(ShapeError, match="condition"):
        task("inverse", 1, condition=2.0)
    with pytest.raises(ShapeError, match="spectrum"):
        task("gaussian", 2, spectrum=(1.0, 2.0))
    with pytest.raises(ShapeError, match="spectrum"):
        task("gaussian", 1, spectrum=(0.0,))
    with pytest.raises(ShapeError, match="n=0"):
        task("inverse", 4).sample(0, seed=0)
    with pytest.raises(DtypeError, match="floating"):
        task("inverse", 4).sample(1, seed=0, dtype=torch.int64)
    with pytest.raises(UnknownNameError, match="difficulty"):
        inspect.unwrap(Task._build)(task("inverse", 4), RowDraws(1, seed=0, purpose="p"), "hard")


def test_the_schedule_s_first_signal_is_the_reference_s_bias() -> None:
    # The reference returns s_0·ŷ: a floor of (1 - s_0)² of the answer's mean square.
    s = float(cosine_schedule().signal[0])
    assert (1 - s) ** 2 == pytest.approx(1.975e-4, rel=1e-3)
