"""The bootstrap interval: coverage, constants, what is left out."""

import math

import numpy as np
import pytest
from scipy import stats

from ired_interp.errors import ShapeError
from ired_interp.stats import bootstrap_mean, bootstrap_means


@pytest.mark.parametrize("confidence", [0.95, 0.8])
def test_the_interval_covers_the_mean_as_often_as_it_says(confidence: float) -> None:
    rng = np.random.default_rng(0)
    repeats, covered, above = 400, 0, 0
    for i in range(repeats):
        found = bootstrap_mean(
            rng.normal(3.0, 2.0, size=80), seed=i, confidence=confidence, num_resamples=400
        )
        covered += found.low <= 3.0 <= found.high
        above += found.low > 3.0
    error = math.sqrt(confidence * (1 - confidence) / repeats)
    assert abs((covered / repeats - confidence) / error) < 5
    # What is missed is missed on both sides alike.
    missed = repeats - covered
    assert stats.binomtest(above, missed, 0.5).pvalue > 1e-6


def test_the_interval_is_the_normal_one_for_many_normal_values() -> None:
    values = np.random.default_rng(1).normal(size=4000)
    found = bootstrap_mean(values, seed=0, num_resamples=2000)
    error = values.std(ddof=1) / math.sqrt(values.size)
    assert found.mean == pytest.approx(values.mean(), rel=1e-14)
    # A 2.5 % quantile of 2,000 draws: standard error √(p(1-p)/N)/φ(z) = .06 of a standard error.
    assert abs((found.low - (found.mean - 1.96 * error)) / (0.06 * error)) < 5
    assert abs((found.high - (found.mean + 1.96 * error)) / (0.06 * error)) < 5
    assert found.count == 4000


def test_a_skewed_sample_has_a_skewed_interval() -> None:
    values = np.random.default_rng(2).exponential(size=60)
    found = bootstrap_mean(values, seed=0)
    assert found.high - found.mean > 1.02 * (found.mean - found.low)


def test_the_same_seed_gives_the_same_interval() -> None:
    values = np.random.default_rng(3).normal(size=20)
    assert bootstrap_mean(values, seed=7) == bootstrap_mean(values.copy(), seed=7)
    assert bootstrap_mean(values, seed=7).low != bootstrap_mean(values, seed=8).low
    before = values.copy()
    np.random.seed(0)  # noqa: NPY002 - the global generator has to be left alone
    expected = np.random.random()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    bootstrap_mean(values, seed=7)
    assert np.random.random() == expected  # noqa: NPY002
    assert np.array_equal(values, before)


@pytest.mark.parametrize("value", [0.0, 2.5, -1e-300, 1e300])
@pytest.mark.parametrize("count", [2, 5])
def test_constants_have_an_interval_of_no_width(value: float, count: int) -> None:
    found = bootstrap_mean(np.full(count, value), seed=0)
    assert (found.mean, found.low, found.high) == (value, value, value)
    assert found.count == count


def test_a_constant_up_to_round_off_is_a_constant() -> None:
    values = np.array([0.1 + 0.2, 0.3, 0.3, 0.3])
    found = bootstrap_mean(values, seed=0)
    assert found.low <= found.mean <= found.high
    assert found.high - found.low < 1e-15


@pytest.mark.parametrize("spread", [1e-15, 1e-14, 1e-12])
def test_nearly_constant_values_have_a_finite_interval(spread: float) -> None:
    values = np.array([1 + spread * i for i in range(6)])
    found = bootstrap_mean(values, seed=0)
    assert found.low <= found.mean <= found.high
    assert found.high - found.low <= 6 * spread


def test_values_that_are_not_finite_are_left_out_and_counted() -> None:
    values = np.array([1.0, np.nan, 2.0, np.inf, 3.0, -np.inf, 4.0])
    kept = bootstrap_mean(np.array([1.0, 2.0, 3.0, 4.0]), seed=5)
    assert bootstrap_mean(values, seed=5) == kept
    assert kept.count == 4
    assert kept.mean == 2.5


def test_one_value_has_no_interval() -> None:
    found = bootstrap_mean(np.array([2.0, np.nan]), seed=0)
    assert (found.mean, found.count) == (2.0, 1)
    assert math.isnan(found.low)
    assert math.isnan(found.high)


@pytest.mark.parametrize("values", [[], [np.nan, np.nan]])
def test_no_value_has_no_mean(values: list[float]) -> None:
    found = bootstrap_mean(np.array(values, dtype=np.float64), seed=0)
    assert found.count == 0
    assert math.isnan(found.mean)
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_two_values_span_the_interval() -> None:
    found = bootstrap_mean(np.array([1.0, 2.0]), seed=0)
    assert (found.mean, found.low, found.high) == (1.5, 1.0, 2.0)


@pytest.mark.parametrize("seed", range(4))
def test_few_distinct_values_have_a_finite_interval_around_the_mean(seed: int) -> None:
    # Counts, such as of negative eigenvalues: nearly all alike.
    for values in ([0, 0, 0, 1], [0] * 19 + [1], [3, 3, 4], [0, 0, 0, 0, 0, 0, 0, 12]):
        found = bootstrap_mean(np.array(values, dtype=np.float64), seed=seed)
        assert found.low <= found.mean <= found.high
        assert found.low < found.high


def test_more_than_one_axis_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"\(2, 2\)"):
        bootstrap_mean(np.ones((2, 2)), seed=0)


@pytest.mark.parametrize("n", [3, 10, 200])
@pytest.mark.parametrize("ulps", [1, 3, 8])
def test_values_that_differ_by_rounding_alone_have_an_interval_of_one_point(
    n: int, ulps: int
) -> None:
    """The jackknife's means are then equal, and the bootstrap's acceleration 0/0, a warning."""
    values = np.full(n, 0.3)
    values[::2] += ulps * np.spacing(0.3)
    found = bootstrap_mean(values, seed=0)
    assert found.low <= found.mean <= found.high
    assert found.high - found.low <= ulps * np.spacing(0.3)


@pytest.mark.parametrize("n", [1, 2, 5, 20, 300])
def test_rows_at_once_have_the_numbers_of_each_alone(n: int) -> None:
    """Also of rows with numbers that are missing or infinite, or all the same."""
    rng = np.random.default_rng(n)
    rows = rng.normal(size=(4, 5, n)) ** 3
    rows[rng.random(rows.shape) < 0.1] = np.nan
    rows[0, 0], rows[0, 1, 1:], rows[0, 2], rows[0, 3, 0] = 1.25, np.nan, np.nan, np.inf
    found = bootstrap_means(rows, seed=3, confidence=0.9, num_resamples=500)
    for place in np.ndindex(4, 5):
        alone = bootstrap_mean(rows[place], seed=3, confidence=0.9, num_resamples=500)
        same = (found.mean[place], found.low[place], found.high[place], found.count[place])
        # Powers of several numbers at once may differ in the last bit.
        assert same == pytest.approx(
            (alone.mean, alone.low, alone.high, alone.count), rel=1e-14, abs=0, nan_ok=True
        )
        assert np.array_equal(same[0], alone.mean, equal_nan=True)


def test_rows_are_resampled_by_one_call_of_the_bootstrap(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    bootstrap = stats.bootstrap

    def counted(samples: tuple[np.ndarray, ...], *args: object, **kwargs: object) -> object:
        calls.append(len(samples[0]))
        return bootstrap(samples, *args, **kwargs)

    monkeypatch.setattr(stats, "bootstrap", counted)
    bootstrap_means(np.random.default_rng(0).normal(size=(3, 7, 10)), seed=0)
    assert calls == [21]


def test_rows_need_an_axis_of_problems() -> None:
    with pytest.raises(ShapeError, match="expected one number a problem, found a single number"):
        bootstrap_means(np.array(1.0), seed=0)
    assert bootstrap_means(np.zeros((0, 3)), seed=0).count.shape == (0,)
