"""Sign-flip tests, the prediction test over draws, Holm, Clopper-Pearson, effect sizes."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from ired_interp.errors import NonFiniteError, ShapeError
from ired_interp.stats import beyond_draws, holm, paired_effect, proportion, sign_flip


def test_three_differences_by_hand() -> None:
    # Sums of ±1 ±2 ±4: -7 -5 -3 -1 1 3 5 7. At least 1+2-4 = -1: five of eight; at most: four.
    found = sign_flip(np.array([1.0, 2.0, -4.0]), seed=0)
    assert (float(found.greater), float(found.less)) == (5 / 8, 4 / 8)
    assert found.exact
    assert int(found.count) == 3
    assert float(sign_flip(np.array([1.0, 2.0, 4.0]), seed=0).greater) == 1 / 8


@pytest.mark.parametrize("n", [2, 5, 8, 12])
def test_few_differences_have_the_exact_p_value_of_scipy(n: int) -> None:
    rng = np.random.default_rng(n)
    for values in (rng.normal(0.4, 1, size=n), rng.integers(-2, 4, size=n).astype(float)):
        found = sign_flip(values, seed=0)
        for side in ("greater", "less"):
            expected = stats.permutation_test(
                (values,),
                lambda x, axis: x.mean(axis=axis),
                permutation_type="samples",
                vectorized=True,
                alternative=side,
            )
            if abs(values.sum()) > 1e-9:  # SciPy's slack is relative to the sum itself
                assert float(getattr(found, side)) == expected.pvalue


def test_many_differences_are_drawn_and_agree_with_the_enumeration() -> None:
    values = np.random.default_rng(0).normal(0.35, 1.0, size=16)
    exact = sign_flip(values, seed=0, num_draws=2**16)
    drawn = sign_flip(values, seed=3)
    assert exact.exact
    assert not drawn.exact
    p = float(exact.greater)
    sums = [np.dot(signs, values) for signs in itertools.product((1, -1), repeat=16)]
    assert p == np.mean(np.array(sums) >= values.sum() - 1e-9)
    assert abs(float(drawn.greater) - p) < 5 * math.sqrt(p * (1 - p) / 9_999)
    assert float(sign_flip(np.full(40, 1.0), seed=0).greater) == 1 / 10_000  # never 0


def test_true_nulls_are_rejected_as_often_as_they_should_be() -> None:
    # Exact at n = 10; P(p ≤ .025) is at most .025 whatever the symmetric distribution.
    rng = np.random.default_rng(5)
    for values in (rng.normal(size=(4_000, 10)), rng.standard_cauchy(size=(4_000, 10))):
        share = float((sign_flip(values, seed=0).greater <= 0.025).mean())
        error = math.sqrt(0.025 * 0.975 / 4_000)
        assert abs((share - 25 / 1024) / error) < 5


def test_rows_are_tested_one_by_one_and_gaps_are_counted() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(0.5, 1, size=(3, 70, 9))
    values[0, 0, :4] = np.nan
    values[1, 1, :] = np.nan
    found = sign_flip(values, seed=0)
    assert found.greater.shape == found.less.shape == found.count.shape == (3, 70)
    assert found.count[0, 0] == 5
    assert found.count[1, 1] == 0
    assert np.isnan(found.greater[1, 1])
    assert found.greater[0, 0] == float(sign_flip(values[0, 0, 4:], seed=0).greater)
    assert found.less[2, 69] == float(sign_flip(values[2, 69], seed=0).less)


def test_no_difference_is_no_evidence() -> None:
    found = sign_flip(np.zeros(8), seed=0)
    assert (float(found.greater), float(found.less)) == (1.0, 1.0)
    # A zero is kept and changes nothing.
    assert float(sign_flip(np.array([1.0, 2.0, 0.0, 3.0]), seed=0).greater) == 1 / 8


def test_ties_by_rounding_are_ties() -> None:
    # 0.1 + 0.2 - 0.3 and its mirror image are 0 but for rounding: all signs that give 0 count.
    values = np.array([0.1, 0.2, -0.3])
    assert float(sign_flip(values, seed=0).greater) == 5 / 8
    assert float(sign_flip(-values, seed=0).greater) == 5 / 8


@pytest.mark.parametrize("values", [np.array(1.0), np.zeros((3, 0))])
def test_differences_need_an_axis(values: np.ndarray) -> None:
    with pytest.raises(ShapeError, match="differences"):
        sign_flip(values, seed=0)


def test_infinite_differences_are_refused() -> None:
    with pytest.raises(NonFiniteError, match="1 infinite"):
        sign_flip(np.array([1.0, np.inf]), seed=0)


def test_the_prediction_test_is_students() -> None:
    contrasts = np.array([1.0, 2.0, 4.0, np.nan])
    mean, spread = 7 / 3, math.sqrt(7 / 3)
    t = mean / (spread * math.sqrt(1 + 1 / 3))
    # Student's t with 2 degrees of freedom has the tail ½(1 - t/√(2 + t²)).
    tail = 0.5 * (1 - t / math.sqrt(2 + t * t))
    found = beyond_draws(contrasts, num_models=1)
    assert found.greater == pytest.approx(tail, rel=1e-12)
    assert found.less == pytest.approx(1 - tail, rel=1e-12)
    assert found.count == 3
    # One network against D others is the two-sample t test with one observation in a group.
    other = stats.ttest_ind([0.0], -contrasts[:3], alternative="greater")
    assert found.greater == pytest.approx(other.pvalue, rel=1e-12)


def test_the_prediction_test_is_right_for_one_more_draw() -> None:
    rng = np.random.default_rng(2)
    networks = rng.normal(size=(4_000, 6))
    rejected = [beyond_draws(row[0] - row[1:], num_models=1).greater <= 0.025 for row in networks]
    assert abs((np.mean(rejected) - 0.025) / math.sqrt(0.025 * 0.975 / 4_000)) < 5


def test_few_or_equal_draws() -> None:
    for contrasts in (np.array([1.0]), np.array([1.0, np.nan]), np.array([])):
        found = beyond_draws(contrasts, num_models=1)
        assert math.isnan(found.greater)
        assert math.isnan(found.less)
    same = beyond_draws(np.array([0.5, 0.5, 0.5]), num_models=1)
    assert (same.greater, same.less) == (0.0, 1.0)
    nothing = beyond_draws(np.zeros(3), num_models=1)
    assert (nothing.greater, nothing.less) == (1.0, 1.0)
    with pytest.raises(ShapeError, match="draw"):
        beyond_draws(np.zeros((2, 3)), num_models=1)


def test_holm_by_hand() -> None:
    # 4 x .01, 3 x .02, 2 x .04 (.08 > .06), .05 -> .08: the running maximum.
    found = holm(np.array([0.04, 0.01, 0.05, 0.02]))
    assert found == pytest.approx([0.08, 0.04, 0.08, 0.06], rel=1e-12)
    assert holm(np.array([0.03])).tolist() == [0.03]
    assert holm(np.array([])).size == 0
    assert holm(np.array([0.9, 0.8])).tolist() == [1.0, 1.0]
    for wrong in (np.array([0.1, np.nan]), np.array([1.2]), np.array([-0.1])):
        with pytest.raises(NonFiniteError, match="1 others"):
            holm(wrong)
    with pytest.raises(ShapeError, match="holm"):
        holm(np.zeros((2, 2)))


def test_clopper_pearson_is_the_quantile_of_a_beta() -> None:
    for successes, trials in ((16, 200), (184, 200), (1, 7)):
        found = proportion(successes, trials, confidence=0.9)
        assert found.mean == successes / trials
        assert found.low == pytest.approx(
            stats.beta.ppf(0.05, successes, trials - successes + 1), rel=1e-9
        )
        assert found.high == pytest.approx(
            stats.beta.ppf(0.95, successes + 1, trials - successes), rel=1e-9
        )
    none, all_of_them = proportion(0, 20), proportion(20, 20)
    assert none.low == 0
    assert none.high == pytest.approx(1 - 0.025 ** (1 / 20), rel=1e-9)
    assert all_of_them.high == 1
    for wrong in ((3, 2), (-1, 2), (0, 0)):
        with pytest.raises(ShapeError, match="successes"):
            proportion(*wrong)


def test_effect_sizes_by_hand() -> None:
    found = paired_effect(np.array([[1.0, 2.0, -3.0, 0.0, np.nan, 4.0], [2.0] * 6]))
    # Ranks of 1 2 3 4: (1 + 2 + 4 - 3)/10; the 0 has none.
    assert found.rank_biserial.tolist() == pytest.approx([0.4, 1.0])
    values = np.array([1.0, 2.0, -3.0, 0.0, 4.0])
    factor = math.gamma(2.0) / (math.sqrt(2.0) * math.gamma(1.5))  # m = 4
    expected = values.mean() / values.std(ddof=1) * factor
    assert found.standardised[0] == pytest.approx(expected, rel=1e-12)
    assert math.isnan(found.standardised[1])
    assert found.share_above.tolist() == [3 / 5, 1.0]
    assert found.count.tolist() == [5, 6]
    nothing = paired_effect(np.array([[0.0, 0.0], [np.nan, np.nan]]))
    assert np.isnan(nothing.rank_biserial).all()
    assert nothing.count.tolist() == [2, 0]
    # Γ(1)/Γ(½) of 3 differences; 1/s of 2 has no mean, and no factor makes them unbiased.
    few = paired_effect(np.array([[1.0, 2.0, 6.0], [1.0, 2.0, np.nan]]))
    assert few.standardised[0] == pytest.approx(3 / math.sqrt(7) / math.sqrt(math.pi), rel=1e-12)
    assert math.isnan(few.standardised[1])
    # The rank sum is the statistic of Wilcoxon's test.
    values = np.random.default_rng(0).normal(size=30)
    ranks = 30 * 31 / 2
    above = float(stats.wilcoxon(values, alternative="greater").statistic)
    assert float(paired_effect(values).rank_biserial) == pytest.approx((2 * above - ranks) / ranks)
