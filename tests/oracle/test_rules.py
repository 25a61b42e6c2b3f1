"""Rules against least squares in other words, and the best error against an integral."""

import numpy as np
import pytest
import torch
from scipy import stats as scipy_stats
from torch import Tensor

import ired_interp as ii
from ired_interp.errors import ConfigError, ShapeError
from ired_interp.rules import best_error, ladder, ladders
from ired_interp.rules.bayes import _posterior_mean
from ired_interp.rules.low_rank import alternating_least_squares, soft_impute
from ired_interp.rules.polynomials import fit_polynomial
from ired_interp.stats import skill
from ired_interp.tasks.completion import Completion


@pytest.mark.parametrize("degree", [0, 1, 2, 5])
def test_a_polynomial_is_the_least_squares_fit_of_powers(degree: int) -> None:
    problems = ii.task("inverse", size=3).sample(300, seed=1)
    a = problems.x.reshape(-1, 3, 3) / 6
    powers = torch.stack([torch.linalg.matrix_power(a, p) for p in range(degree + 1)], dim=-1)
    design = powers.reshape(-1, degree + 1)
    solved = torch.linalg.lstsq(design, problems.y.reshape(-1, 1)).solution
    expected = (design @ solved).reshape(-1, 9)
    found = fit_polynomial(problems, 3, degree)
    assert found.num_fitted == degree + 1
    assert float((found.answers(problems.x) - expected).abs().max()) <= 1e-8


def test_a_polynomial_of_enough_degree_inverts_exactly() -> None:
    """Two eigenvalues in all problems: degree 1 interpolates 1/λ."""
    basis = torch.linalg.qr(torch.randn(50, 4, 4, generator=torch.Generator().manual_seed(0))).Q
    basis = basis.double()
    values = torch.tensor([0.5, 0.5, 2.0, 2.0], dtype=torch.float64)
    basis = torch.linalg.qr(basis).Q
    x = (basis * values) @ basis.mT
    y = (basis / values) @ basis.mT
    problems = ii.tasks.Problems(x.flatten(1), y.flatten(1), {})
    assert float(fit_polynomial(problems, 4, 1).errors(problems).max()) <= 1e-20


def _masked(rank: int, *, keep: float, seed: int) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(seed)
    u, v = rng.normal(size=(5, 12, rank)), rng.normal(size=(5, 10, rank))
    target = torch.from_numpy(u @ v.swapaxes(1, 2))
    return target, torch.from_numpy(rng.random((5, 12, 10)) < keep)


def test_least_squares_of_the_true_rank_fills_in_what_is_determined() -> None:
    target, mask = _masked(1, keep=0.7, seed=0)
    found = alternating_least_squares(torch.where(mask, target, 0), mask, 1, 1e-9)
    assert float((found - target).abs().max()) <= 1e-4
    for rank, ridge, said in ((0, 1.0, "rank"), (11, 1.0, "rank"), (1, 0.0, "ridge")):
        with pytest.raises(ShapeError, match=said):
            alternating_least_squares(target, mask, rank, ridge)


@pytest.mark.parametrize("threshold", [0.5, 2.0])
def test_soft_impute_satisfies_the_conditions_of_its_minimum(threshold: float) -> None:
    """P(x - Z) = threshold·(UVᵀ + W) with UᵀW = 0, WV = 0 and ‖W‖₂ ≤ 1."""
    target, mask = _masked(3, keep=0.6, seed=1)
    found = soft_impute(torch.where(mask, target, 0), mask, threshold)
    residual = torch.where(mask, target - found, 0) / threshold
    for z, subgradient in zip(found, residual, strict=True):
        u, s, vt = torch.linalg.svd(z)
        rank = int((s > 1e-6 * s[0]).sum())
        u, v = u[:, :rank], vt[:rank].mT
        rest = subgradient - u @ v.mT
        assert float((u.mT @ rest).abs().max()) <= 0.05
        assert float((rest @ v).abs().max()) <= 0.05
        assert float(torch.linalg.matrix_norm(rest, 2)) <= 1.02
    with pytest.raises(ShapeError, match="threshold"):
        soft_impute(target, mask, -1.0)


@pytest.mark.parametrize(
    ("name", "size", "expected"),
    [
        ("inverse", 20, {"c0*I + c1*A": 0.0096}),
        ("completion", 20, {"zero-fill": 0.0175}),
        ("addition", 4, {"zero": 2 / 3, "A alone": 1 / 3}),
    ],
)
def test_rules_have_the_errors_that_were_measured_elsewhere(
    name: str, size: int, expected: dict[str, float]
) -> None:
    """Addition in closed form; the others on the released generators, to three digits."""
    task = ii.task(name, size=size)
    problems = task.sample(400, seed=3)
    rules = {rule.name: rule for rule in ladder(task)}
    for rule, mse in expected.items():
        errors = rules[rule].errors(problems)
        spread = float(errors.std()) / 20
        assert abs(float(errors.mean()) - mse) <= 5 * spread + 5e-5


def test_each_rung_is_above_the_one_below_it() -> None:
    for name in ("inverse", "completion", "addition"):
        task = ii.task(name, size=8, **({"rank": 2} if name == "completion" else {}))
        problems = task.sample(1000, seed=4)
        errors = [float(rule.errors(problems).mean()) for rule in ladder(task)]
        assert errors == sorted(errors, reverse=True)
    assert [rule.name for rule in ladder(ii.task("gaussian", size=2))] == ["zero"]


def test_rules_and_the_best_error_of_a_scaled_task_are_the_scaled_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ladders, "_NUM_LOW_RANK", 5)
    plain, scaled = (
        ii.task("completion", size=3, rank=1, **options) for options in ({}, {"scale": 3.0})
    )
    assert isinstance(scaled.family, Completion)
    square = scaled.family.multiplier**2
    assert square == pytest.approx(9 / (1 / 400 + 0.01), rel=1e-13)
    problems = [task.sample(20, seed=3) for task in (plain, scaled)]
    for one, other in zip(ladder(plain), ladder(scaled), strict=True):
        assert torch.allclose(
            square * one.errors(problems[0]), other.errors(problems[1]), rtol=1e-9, atol=1e-12
        )
    found, times = (best_error(task, num_problems=3) for task in (plain, scaled))
    assert times.high == pytest.approx(square * found.high, rel=1e-9)
    assert times.low == pytest.approx(square * found.low, rel=1e-9)


def test_the_posterior_mean_is_the_integral() -> None:
    """A 2 × 2 problem of rank 1 with one entry missing, by importance sampling from the prior."""
    noise, divisor = 0.5, 1.0
    target = torch.tensor([[[1.2, -0.7], [0.9, 0.0]]], dtype=torch.float64)
    mask = torch.tensor([[[True, True], [True, False]]])
    rng = np.random.default_rng(0)
    u, v = rng.normal(size=(2, 400_000, 2))
    means = u[:, :, None] * v[:, None, :] / divisor
    density = scipy_stats.norm.logpdf(target.numpy(), means, noise)
    weights = np.exp((density * mask.numpy()).sum(axis=(1, 2)))
    expected = float((weights * means[:, 1, 1]).sum() / weights.sum())
    start = torch.randn(1, 2, 1, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    many = 400
    found = _posterior_mean(
        target.expand(many, -1, -1),
        mask.expand(many, -1, -1),
        start.expand(many, -1, -1),
        divisor,
        noise,
        torch.Generator().manual_seed(2),
    )[:, 1, 1]
    error = float(found.std()) / many**0.5
    assert abs(float(found.mean()) - expected) <= 5 * error + 0.005


def test_best_errors_that_are_known() -> None:
    for name in ("addition", "inverse"):
        assert best_error(ii.task(name, size=3)).high == 0
    family = ii.task("gaussian", size=2, spectrum=(1.0, 2.0, 3.0, 6.0))
    assert best_error(family).low == best_error(family).high == 3.0
    with pytest.raises(ConfigError, match="noise > 0"):
        best_error(ii.task("completion", size=4, rank=1, noise=0.0))


def test_the_best_error_of_completion_lies_below_every_rule() -> None:
    task = ii.task("completion", size=10, rank=2)
    best = best_error(task, difficulty="harder", num_problems=60)
    problems = task.sample(60, seed=0, difficulty="harder")
    errors = [float(rule.errors(problems).mean()) for rule in ladder(task, difficulty="harder")]
    assert best.high < min(errors)
    assert abs(best.low - best.high) <= 2 * best.standard_error


def test_skill_is_one_minus_the_ratio_and_its_interval_covers_it() -> None:
    rng = np.random.default_rng(0)
    inside = 0
    for seed in range(200):
        scale = rng.gamma(2.0, size=300)
        found = skill(0.6 * scale * rng.gamma(5.0, 0.2, 300), scale, seed=seed, num_resamples=500)
        inside += found.low <= 0.4 <= found.high
    assert 178 <= inside <= 199  # of 200 at 95 %; with 60 problems of such tails it is 89 %
    errors = np.array([1.0, 2.0, 3.0])
    assert skill(errors, 2 * errors, seed=0).mean == 0.5
    assert skill(errors, 0 * errors, seed=0).mean == -np.inf
    assert np.isnan(skill(0 * errors, 0 * errors, seed=0).mean)
    for wrong in (errors[:1], np.array([1.0, np.nan, 2.0]), -errors):
        with pytest.raises(ShapeError, match="skill"):
            skill(wrong, wrong, seed=0)
