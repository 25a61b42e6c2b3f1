"""What round-off alone would decide is refused, or counts as equal."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

import ired_interp as ii
import planted
from ired_interp.errors import ConfigError, ManifoldError, ShapeError
from ired_interp.geometry import fixed_rank, interop, spd
from ired_interp.paths import spd_path
from ired_interp.rules.bayes import best_error
from ired_interp.rules.low_rank import alternating_least_squares
from ired_interp.slices import path_components
from ired_interp.stats import page_trend, paired_effect, spearman

NEEDS_A_CONE: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "affine-invariant distance": spd.affine_invariant_distance,
    "log-Euclidean distance": spd.log_euclidean_distance,
    "affine-invariant geodesic": lambda a, b: spd.affine_invariant_geodesic(
        a, b, torch.tensor([0.5], dtype=a.dtype)
    ),
    "log-Euclidean geodesic": lambda a, b: spd.log_euclidean_geodesic(
        a, b, torch.tensor([0.5], dtype=a.dtype)
    ),
}


def average_referenced(n: int, dtype: torch.dtype, *, samples: int = 200) -> Tensor:
    """40 covariances of n channels whose mean was subtracted: rank n - 1."""
    x = torch.stack([planted.normal(n, samples, seed=seed) for seed in range(40)]).to(dtype)
    x = x - x.mean(dim=1, keepdim=True)
    return x @ x.mT / samples


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("n", [2, 3, 8, 32])
def test_singular_covariances_are_not_positive_definite(n: int, dtype: torch.dtype) -> None:
    a = average_referenced(n, dtype)
    assert not bool(spd.is_spd(a).any())
    assert not bool(spd.is_spd(average_referenced(n, dtype, samples=5_000)).any())
    assert not bool(spd.is_spd(torch.zeros(n, n, dtype=dtype)).any())
    eye = torch.eye(n, dtype=dtype)
    for function in NEEDS_A_CONE.values():
        for one in a[:5]:
            with pytest.raises(ManifoldError, match="a: expected symmetric positive definite"):
                function(one, eye)
            with pytest.raises(ManifoldError, match="b: expected symmetric positive definite"):
                function(eye, one)
        with pytest.raises(ManifoldError, match=r"found 40 of 40 .* is not known from 0"):
            function(a, eye)
    with pytest.raises(ManifoldError, match="positive definite"):
        spd_path(a.flatten(1), eye.flatten().expand(40, -1), 3, size=n)


@pytest.mark.parametrize("scale", [1e-300, 1e-150, 1e-12, 1.0, 1e12, 1e150, 1e308])
def test_ill_conditioned_matrices_of_any_scale_are_inside(scale: float) -> None:
    a = scale * torch.diag(torch.tensor([1e-12, 1.0], dtype=torch.float64))
    b = scale * torch.eye(2, dtype=torch.float64)
    exact = 12 * math.log(10)
    for name in ("affine-invariant distance", "log-Euclidean distance"):
        assert float(NEEDS_A_CONE[name](a, b)) == pytest.approx(exact, rel=1e-12)
        assert float(NEEDS_A_CONE[name](b, a)) == pytest.approx(exact, rel=1e-12)
    assert bool(spd.is_spd(torch.stack([a, b])).all())
    singular = scale * torch.full((2, 2), 1 - 2**-53, dtype=torch.float64)
    assert not bool(spd.is_spd(singular))


def test_the_skew_share_knows_no_scale() -> None:
    a = torch.tensor([[1.0, 2.0], [0.0, 1.0]], dtype=torch.float64)
    for scale in (1e-200, 1.0, 1e200):
        assert float(spd.skew_share(scale * a)) == pytest.approx(1 / math.sqrt(3), rel=1e-14)


def test_singular_values_that_are_round_off_have_no_bend() -> None:
    u, v = (planted.orthogonal(4, seed=seed)[:, :2] for seed in (0, 1))
    at = fixed_rank.FixedRank(u, torch.tensor([1.0, 1e-17], dtype=torch.float64), v)
    h = torch.eye(16, dtype=torch.float64)
    with pytest.raises(ManifoldError, match=r"riemannian_hessian: .* found 1e-17 beside 1"):
        fixed_rank.riemannian_hessian(at, planted.normal(16, seed=2), h)
    with pytest.raises(ManifoldError, match=r"s: expected singular values above 0"):
        interop.from_pymanopt(interop.to_pymanopt(at))
    sound = fixed_rank.FixedRank(u, at.s + torch.tensor([0.0, 1e-10], dtype=torch.float64), v)
    assert bool(
        fixed_rank.riemannian_hessian(sound, planted.normal(16, seed=2), h).isfinite().all()
    )


def test_a_condition_that_float64_cannot_hold_is_refused() -> None:
    assert ii.task("inverse", size=4, condition=1e13).sample(2, seed=0).y.isfinite().all()
    with pytest.raises(ShapeError, match=r"condition: expected at most 2\.8e\+14"):
        ii.task("inverse", size=4, condition=1e16)


def test_a_ridge_that_drowns_in_round_off_is_refused() -> None:
    x = planted.normal(3, 6, 1, seed=0) @ planted.normal(3, 1, 6, seed=1)
    everything = torch.ones_like(x, dtype=torch.bool)
    for ridge in (1e-18, 1e-30):
        with pytest.raises(ShapeError, match="ridge: expected one that round-off leaves"):
            alternating_least_squares(x, everything, 3, ridge)
    found = alternating_least_squares(x, everything, 3, 1e-6)
    assert float((found - x).abs().max()) < 1e-4


def test_noise_that_drowns_the_prior_is_refused() -> None:
    for noise in (1e-12, 1e-30):
        with pytest.raises(ConfigError, match="best_error: expected noise that the prior is seen"):
            best_error(ii.task("completion", size=3, rank=4, noise=noise), num_problems=3)


def test_a_path_that_stays_has_no_components() -> None:
    point = planted.normal(1, 1, 5, seed=0)
    still = point.expand(-1, 9, -1) * (1 + 1e-16 * planted.normal(1, 9, 5, seed=1).sign())
    assert bool(path_components(torch.cat([still, still + 2e-16])).shares.isnan().all())
    assert bool(
        path_components(still + 1e-9 * planted.normal(1, 9, 5, seed=2)).shares.isfinite().all()
    )


def test_values_that_differ_by_round_off_are_tied() -> None:
    tied = np.array([1.0, 1 + 2e-16, 1 - 1e-16, 1 + 4e-16])
    rising = np.arange(4.0)
    assert np.isnan(spearman(tied, rising).coefficient)
    half = np.array([0.1 + 0.2, 0.3, 1.0, 2.0])
    assert (
        spearman(half, rising).coefficient
        == spearman(np.array([0.3, 0.3, 1.0, 2.0]), rising).coefficient
    )
    tiny = np.array([1e-20, 2e-20, 1.0, 3.0])  # apart by more than their own round-off
    assert spearman(tiny, rising).coefficient == pytest.approx(1)
    levels = np.array([[0.3, 0.1 + 0.2, 1.0], [0.3, 0.1 + 0.2, 1.0]])
    same = np.array([[0.3, 0.3, 1.0], [0.3, 0.3, 1.0]])
    assert page_trend(levels).statistic == page_trend(same).statistic
    moved = np.array([0.3, -(0.1 + 0.2), 1.0])
    assert (
        paired_effect(moved).rank_biserial == paired_effect(np.array([0.3, -0.3, 1])).rank_biserial
    )
