"""Rank correlations and slopes of each problem, beside SciPy and closed forms."""

import math

import numpy as np
import pytest
from scipy import stats

from ired_interp.errors import ShapeError
from ired_interp.stats import log_log_slope, page_trend, partial_spearman, slope, spearman


def test_spearman_is_scipys_row_by_row_with_ties_and_gaps() -> None:
    rng = np.random.default_rng(0)
    first = rng.integers(0, 6, size=(4, 5, 12)).astype(float)
    second = first + rng.normal(0, 3, size=first.shape)
    second[0, 0, :5] = np.nan
    first[1, 2, 3] = np.inf
    found = spearman(first, second)
    assert found.coefficient.shape == (4, 5)
    for i in range(4):
        for j in range(5):
            one, two = first[i, j], second[i, j]
            known = np.isfinite(one) & np.isfinite(two)
            expected = stats.spearmanr(one[known], two[known]).statistic
            assert found.coefficient[i, j] == pytest.approx(expected, abs=1e-13)
            assert found.count[i, j] == known.sum()


def test_what_does_not_vary_or_is_too_short_has_no_rank_correlation() -> None:
    tied = spearman(np.ones((1, 5)), np.arange(5.0)[None])
    assert math.isnan(tied.coefficient[0])
    assert tied.count[0] == 5
    assert math.isnan(float(spearman(np.array([1.0, 2.0]), np.array([1.0, 2.0])).coefficient))
    assert math.isnan(float(spearman(np.zeros(0), np.zeros(0)).coefficient))
    gaps = spearman(np.array([1.0, 2.0, 3.0, np.nan]), np.array([1.0, 2.0, np.nan, 3.0]))
    assert math.isnan(float(gaps.coefficient))
    assert int(gaps.count) == 2


def test_a_pooled_correlation_is_not_the_correlation_of_the_problems() -> None:
    # Within every problem energy falls with distance, across problems it rises.
    distance = np.arange(8.0)[None] + 100 * np.arange(6)[:, None]
    energy = 100 * np.arange(6)[:, None] - np.arange(8.0)[None]
    assert spearman(distance, energy).coefficient.tolist() == pytest.approx([-1.0] * 6)
    assert float(spearman(distance.ravel(), energy.ravel()).coefficient) > 0.9


def test_the_partial_correlation_is_the_formula() -> None:
    rng = np.random.default_rng(1)
    given = rng.normal(size=(7, 40))
    first, second = given + rng.normal(size=(7, 40)), 2 * given + rng.normal(size=(7, 40))
    given[3] = np.round(given[3])  # ties
    first[4, :9] = np.nan
    found = partial_spearman(first, second, given)
    for i in range(7):
        known = np.isfinite(first[i])
        rows = np.stack([first[i], second[i], given[i]])[:, known]
        r = stats.spearmanr(rows, axis=1).statistic
        expected = (r[0, 1] - r[0, 2] * r[1, 2]) / math.sqrt(
            (1 - r[0, 2] ** 2) * (1 - r[1, 2] ** 2)
        )
        assert found.coefficient[i] == pytest.approx(expected, abs=1e-12)
        assert found.count[i] == known.sum()


def test_an_isotropic_bowl_has_a_plain_correlation_and_nearly_no_partial_one() -> None:
    # Energy is ‖δy‖² and nothing else: the distance, which grows with it, adds nothing.
    rng = np.random.default_rng(2)
    size = rng.uniform(0.1, 1, size=(300, 60))
    distance = size * np.exp(0.4 * rng.normal(size=size.shape))
    energy = size**2 * np.exp(0.2 * rng.normal(size=size.shape))
    assert float(spearman(energy, distance).coefficient.mean()) > 0.7
    # Not 0: what is taken away is linear in the ranks, the dependence is not. So the null of a
    # partial rank correlation is the bowl's own, and docs/statistics.md says so.
    partial = partial_spearman(energy, distance, size).coefficient
    error = partial.std(ddof=1) / math.sqrt(partial.size)
    assert 5 * error < partial.mean() < 0.1
    # Where energy is a function of ‖δy‖, nothing is left to correlate.
    ties = np.round(size, 1)
    for given in (size, -size, np.exp(size)):
        assert np.isnan(partial_spearman(size**2, distance, given).coefficient).all()
        assert np.isnan(
            partial_spearman(ties**2, distance, np.sign(given) * ties).coefficient
        ).all()


def test_holding_a_constant_fixed_holds_nothing() -> None:
    rng = np.random.default_rng(3)
    first, second = rng.normal(size=(2, 15)), rng.normal(size=(2, 15))
    plain = spearman(first, second).coefficient
    assert partial_spearman(first, second, np.ones(15)).coefficient == pytest.approx(plain)


def test_axes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"\(3,\), \(4,\)"):
        spearman(np.zeros(3), np.zeros(4))
    with pytest.raises(ShapeError, match="slope"):
        slope(np.zeros((2, 3)), np.zeros(4))
    with pytest.raises(ShapeError, match="page_trend"):
        page_trend(np.zeros((4, 2)))


def test_pages_test_is_scipys_and_leaves_out_what_is_not_whole() -> None:
    rng = np.random.default_rng(4)
    values = rng.normal(size=(8, 4)) + 0.6 * np.arange(4)
    expected = stats.page_trend_test(values)
    gap = np.concatenate([values, [[1.0, np.nan, 2.0, 3.0]]])
    found = page_trend(gap)
    assert found.statistic == expected.statistic
    assert found.p_value == expected.pvalue
    assert found.count == 8
    # L is linear in the mean of the problems' rank correlations with the level.
    mean = float(spearman(values, np.arange(4.0)).coefficient.mean())
    n, k = values.shape
    middle, spread = n * k * (k + 1) ** 2 / 4, n * k * (k**2 - 1) / 12
    assert found.statistic == pytest.approx(middle + spread * mean, rel=1e-12)
    alone = page_trend(values[:1])
    assert math.isnan(alone.p_value)
    assert alone.count == 1
    assert page_trend(np.ones((5, 4))).p_value > 0.5  # all tied


def test_slopes_are_linregress_row_by_row() -> None:
    rng = np.random.default_rng(5)
    values, positions = rng.normal(size=(6, 9)), rng.normal(3.0, 1.0, size=9)
    values[2, :4] = np.nan
    values[3, 1:] = np.nan
    found = slope(values, positions)
    for i in (0, 1, 2, 4, 5):
        known = np.isfinite(values[i])
        expected = stats.linregress(positions[known], values[i][known]).slope
        assert found.slope[i] == pytest.approx(expected, rel=1e-11)
        assert found.count[i] == known.sum()
    assert math.isnan(found.slope[3])  # one point
    assert found.count[3] == 1
    one_position = np.where(np.arange(9) < 4, 0.1 + 0.2, 0.3)  # but for rounding
    assert np.isnan(slope(values, one_position).slope).all()
    assert float(slope(np.full(9, 7.0), positions).slope) == 0.0
    assert float(slope(2 * positions + 1e6, positions).slope) == pytest.approx(2, rel=1e-8)


def test_sharpening_beyond_the_ideal_is_a_slope_below_zero() -> None:
    sigma = np.geomspace(1.0, 0.17, 10)
    ideal = 1 / sigma
    steeper = sigma**-1.4
    scaled = np.stack([sigma * ideal, sigma * steeper, 3 * sigma * steeper])
    found = log_log_slope(scaled, sigma)
    assert found.slope == pytest.approx([0, -0.4, -0.4], abs=1e-12)
    scaled[1, :3] = [0.0, -1.0, np.nan]
    again = log_log_slope(scaled, sigma)
    assert again.count.tolist() == [10, 7, 10]
    assert again.slope[1] == pytest.approx(-0.4, abs=1e-12)
