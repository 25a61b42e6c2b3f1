"""Angles and overlaps of subspaces against planted rotations, SciPy, mpmath and exact nulls."""

import inspect
import math

import mpmath  # type: ignore[import-untyped]
import numpy as np
import pytest
import scipy.linalg
import scipy.stats
import torch
from torch import Tensor

import planted
from ired_interp.errors import DtypeError, NonFiniteError, ShapeError
from ired_interp.geometry import (
    explained_share,
    orthonormalise,
    overlap,
    overlap_null,
    overlap_p_value,
    overlap_quantiles,
    principal_angles,
    random_angles,
)

HALF_PI = math.pi / 2
ANGLES = [
    [0.0, 0.0, 0.0],
    [1e-9, 1e-5, 0.3],
    [1e-12, math.pi / 4, HALF_PI],
    [0.2, HALF_PI - 1e-9, HALF_PI],
    [HALF_PI, HALF_PI, HALF_PI],
    [math.pi / 4 - 1e-12, math.pi / 4, math.pi / 4 + 1e-12],
]


def _rotated(angles: list[float], d: int, *, seed: int, extra: int = 0) -> tuple[Tensor, Tensor]:
    """Frames of dimension k + extra and k at the given angles, in general position."""
    k = len(angles)
    theta = torch.tensor(angles, dtype=torch.float64)
    q = planted.orthogonal(d, seed=seed)
    a = q[:, : k + extra]
    b = q[:, :k] * theta.cos() + q[:, k + extra : 2 * k + extra] * theta.sin()
    return a, b @ planted.orthogonal(k, seed=seed + 1)


@pytest.mark.parametrize("angles", ANGLES)
@pytest.mark.parametrize("extra", [0, 2])
@pytest.mark.parametrize("seed", [0, 1])
def test_angles_are_the_planted_ones_from_tiny_to_right(
    angles: list[float], extra: int, seed: int
) -> None:
    a, b = _rotated(angles, 11, seed=seed, extra=extra)
    expected = torch.tensor(angles, dtype=torch.float64)
    for found in (principal_angles(a, b), principal_angles(b, a)):
        assert found.shape == (3,)
        assert (found - expected).abs().max() < 1e-14
    cosines = expected.cos().square().mean()
    assert abs(float(overlap(a, b) - cosines)) < 1e-14


@pytest.mark.parametrize(("d", "k", "l"), [(20, 2, 2), (20, 10, 10), (30, 3, 12), (6, 5, 4)])
def test_angles_are_scipy_s(d: int, k: int, l: int) -> None:  # noqa: E741
    a = orthonormalise(planted.normal(4, d, k, seed=1))
    b = orthonormalise(planted.normal(4, d, l, seed=2))
    found = principal_angles(a, b)
    for i in range(4):
        reference = np.sort(scipy.linalg.subspace_angles(a[i].numpy(), b[i].numpy()))
        assert np.abs(found[i].numpy() - reference).max() < 1e-12


def test_angles_are_mpmath_s() -> None:
    a, b = _rotated([3e-9, 1e-4, 1.2], 8, seed=5)
    with mpmath.workdps(50):
        wide = mpmath.qr(mpmath.matrix(a.tolist()), mode="skinny")[0]
        narrow = mpmath.qr(mpmath.matrix(b.tolist()), mode="skinny")[0]
        cosines = mpmath.svd_r(wide.T * narrow, compute_uv=False)
        exact = sorted(float(mpmath.acos(c)) for c in cosines)
    found = principal_angles(a, b).tolist()
    assert found == pytest.approx(exact, abs=2e-15)
    # What the cosines alone would give is wrong by far more.
    assert abs(math.acos(min(1.0, float(torch.linalg.svdvals(a.T @ b)[0]))) - 3e-9) > 1e-9


def test_leading_axes_broadcast() -> None:
    a = orthonormalise(planted.normal(3, 1, 7, 2, seed=0))
    b = orthonormalise(planted.normal(4, 7, 3, seed=1))
    angles, shares = principal_angles(a, b), overlap(a, b)
    assert angles.shape == (3, 4, 2)
    assert (angles[2, 1] - principal_angles(a[2, 0], b[1])).abs().max() < 1e-14
    assert (shares[2, 1] - overlap(a[2, 0], b[1])).abs() < 1e-14


def test_float32_angles_are_good_to_the_frames_own_round_off() -> None:
    a, b = _rotated([0.0, 1e-3, 1.0], 40, seed=3)
    found = principal_angles(a.float(), b.float())
    assert found.dtype == torch.float32
    # Cosines in float32 would give √ε = 3e-4 where the planted angle is 0.
    assert (found - torch.tensor([0.0, 1e-3, 1.0])).abs().max() < 2e-6


def test_a_frame_of_a_basis_spans_the_same_whatever_its_scales() -> None:
    scales = torch.tensor([1e-150, 1.0, 1e12, 1e150], dtype=torch.float64)
    basis = planted.normal(9, 4, seed=0) * scales
    frame = orthonormalise(basis)
    assert (frame.T @ frame - torch.eye(4, dtype=torch.float64)).abs().max() < 1e-14
    for j in range(1, 5):
        unit = basis[:, :j] / basis[:, :j].abs().amax(dim=0)
        assert (explained_share(frame[:, :j], unit) - 1).abs().max() < 1e-14


@pytest.mark.parametrize("near", [0.0, 1e-17])
def test_a_basis_that_is_rank_deficient_is_refused_with_its_rank(near: float) -> None:
    basis = planted.normal(2, 6, 3, seed=0)
    basis[1, :, 2] = basis[1, :, 0] - 2 * basis[1, :, 1] + near * basis[1, :, 2]
    with pytest.raises(ShapeError, match=r"expected 3 linearly independent .* found rank 2"):
        orthonormalise(basis)
    with pytest.raises(ShapeError, match="found rank 0"):
        orthonormalise(torch.zeros(4, 1))
    with pytest.raises(ShapeError, match="found rank 3"):
        orthonormalise(planted.normal(3, 4, seed=1))
    basis[1, :, 2] += 1e-12 * planted.normal(6, seed=2)  # far above round-off: a basis
    assert orthonormalise(basis).shape == basis.shape


def test_shares_of_vectors_are_pythagorean() -> None:
    q = planted.orthogonal(6, seed=0)
    vectors = torch.stack([3 * q[:, 0] + 4 * q[:, 5], q[:, 1], 1e-200 * q[:, 4]], dim=1)
    assert explained_share(q[:, :2], vectors).tolist() == pytest.approx([0.36, 1, 0], abs=1e-14)


def test_what_is_not_a_frame_is_refused() -> None:
    q = planted.orthogonal(5, seed=0)
    with pytest.raises(ShapeError, match="orthonormalise first"):
        principal_angles(2 * q[:, :2], q[:, :2])
    with pytest.raises(ShapeError, match="d = 5 and d = 4"):
        inspect.unwrap(overlap)(q[:, :2], planted.orthogonal(4, seed=0)[:, :2])
    with pytest.raises(DtypeError, match="one dtype"):
        overlap(q[:, :2], q[:, :2].float())
    with pytest.raises(NonFiniteError, match="basis"):
        orthonormalise(q * torch.nan)
    with pytest.raises(ShapeError, match="zero vector"):
        explained_share(q[:, :2], torch.zeros(5, 1, dtype=torch.float64))
    with pytest.raises(ShapeError, match=r"1 … d = 4, found 5 and 1"):
        overlap_null(4, 5, 1)


CASES = [(1, 1, 1), (2, 1, 1), (9, 1, 4), (12, 3, 3), (12, 5, 9), (20, 10, 10), (7, 7, 2)]


@pytest.mark.parametrize(("d", "k", "l"), CASES)
def test_the_null_has_the_mean_and_spread_of_random_subspaces(
    d: int,
    k: int,
    l: int,  # noqa: E741
) -> None:
    num = 4_000
    null = overlap_null(d, k, l)
    # Independent of the module's own draws: two Haar frames by QR of another generator.
    a = torch.linalg.qr(planted.normal(num, d, k, seed=1)).Q
    b = torch.linalg.qr(planted.normal(num, d, l, seed=2)).Q
    for draws in (
        overlap(a, b),
        random_angles(d, k, l, num_draws=num, seed=3).cos().square().mean(dim=1),
    ):
        if null.standard_deviation == 0:
            assert (draws - 1).abs().max() < 1e-12
            assert null.mean == 1
            continue
        assert abs(float(draws.mean()) - null.mean) < 5 * null.standard_deviation / num**0.5
        squares = (draws - null.mean).square()
        error = float(squares.std()) / num**0.5
        assert abs(float(squares.mean()) - null.standard_deviation**2) < 5 * error


def test_the_null_is_that_of_the_papers() -> None:
    assert overlap_null(400, 10, 10).mean == pytest.approx(0.025, rel=1e-15)
    # Two lines: the squared cosine is Beta(1/2, (d - 1)/2).
    law = scipy.stats.beta(0.5, 8.5)
    null = overlap_null(18, 1, 1)
    assert (null.mean, null.standard_deviation) == pytest.approx((law.mean(), law.std()), rel=1e-12)


def test_draws_do_not_depend_on_how_many_are_asked_for() -> None:
    many = random_angles(9, 2, 3, num_draws=50, seed=7)
    assert torch.equal(many[:20], random_angles(9, 2, 3, num_draws=20, seed=7))
    assert not torch.equal(many, random_angles(9, 2, 3, num_draws=50, seed=8))
    assert bool((many.diff(dim=1) >= 0).all())
    # 4 + 3 > 5: two directions are always shared.
    assert random_angles(5, 4, 3, num_draws=5, seed=0)[:, :2].abs().max() < 1e-7


def test_quantiles_bracket_those_of_the_beta_law() -> None:
    law = scipy.stats.beta(2.0, 4.5)  # a line in a random subspace of dimension 4 in 13
    found = overlap_quantiles(13, 1, 4, [0.05, 0.5, 0.95], num_draws=2_000, seed=4)
    for p, value, low, high in zip(
        found.probabilities, found.values, found.low, found.high, strict=True
    ):
        assert low < value < high
        assert low <= law.ppf(p) <= high
        assert high - low < 0.1
    few = overlap_quantiles(13, 1, 4, [0.001], num_draws=10, seed=4)
    assert few.low == (0.0,)
    with pytest.raises(ShapeError, match="probabilities"):
        overlap_quantiles(13, 1, 4, [1.0])


def test_p_values_are_exact_for_lines_and_valid_for_the_rest() -> None:
    shares = torch.tensor([0.0, 0.1, 0.4, 0.9, 1.0], dtype=torch.float64)
    exact = scipy.stats.beta(2.0, 4.5).sf(shares.numpy())
    found = overlap_p_value(shares, 13, 4, 1)
    assert np.abs(found.numpy() - exact).max() < 1e-14
    high = overlap_p_value(torch.tensor([1.0, 0.0]), 12, 3, 3, num_draws=99, seed=0)
    assert high.tolist() == pytest.approx([0.01, 1.0])
    # Uniform under the null: mean 1/2, variance 1/12, whatever the draws are.
    a = torch.linalg.qr(planted.normal(2_000, 12, 3, seed=5)).Q
    b = torch.linalg.qr(planted.normal(2_000, 12, 3, seed=6)).Q
    p = overlap_p_value(overlap(a, b), 12, 3, 3, num_draws=20_000, seed=1)
    assert abs(float(p.mean()) - 0.5) < 5 * (1 / 12 / 2_000) ** 0.5
    assert overlap_p_value(shares, 5, 5, 2).tolist() == [1.0] * 5
    for first, second in ((4, 1), (3, 3), (13, 2)):
        with pytest.raises(NonFiniteError, match="1 of 2 that are NaN"):
            overlap_p_value(torch.tensor([0.5, torch.nan]), 13, first, second, num_draws=9)
