"""Problems within models: coverage of the clustered interval and of a pooled one."""

import math

import numpy as np
import pytest

from ired_interp.errors import ShapeError
from ired_interp.stats import bootstrap_mean, clustered_mean, unit_means


def test_unit_means_by_hand() -> None:
    values = np.array([1.0, 3.0, np.nan, 10.0, np.inf, np.nan])
    model = np.array([4, 4, 4, 2, 2, 9])
    assert unit_means(values, model).tolist() == [10.0, 2.0]  # model 9 has none
    assert unit_means(np.array([]), np.array([], dtype=np.int64)).size == 0
    found = clustered_mean(values, model, seed=0)
    assert (found.mean, found.low, found.high, found.count) == (6.0, 2.0, 10.0, 3)
    with pytest.raises(ShapeError, match="one unit a problem"):
        unit_means(values, model[:3])


def test_every_model_counts_once() -> None:
    values = np.concatenate([np.zeros(100), np.ones(2)])
    model = np.repeat([0, 1], [100, 2])
    assert clustered_mean(values, model, seed=0).mean == 0.5
    alone = clustered_mean(values, np.zeros(102, dtype=np.int64), seed=0)
    assert math.isnan(alone.low)


def test_models_are_what_varies() -> None:
    # 20 models of 20 problems, half of the variance between models (intraclass correlation ½).
    rng = np.random.default_rng(0)
    model = np.repeat(np.arange(20), 20)
    repeats, covered, pooled = 300, 0, 0
    for seed in range(repeats):
        values = (rng.normal(size=(20, 1)) + rng.normal(size=(20, 20))).ravel()
        clustered = clustered_mean(values, model, seed=seed, num_resamples=400)
        plain = bootstrap_mean(values, seed=seed, num_resamples=400)
        covered += clustered.low <= 0 <= clustered.high
        pooled += plain.low <= 0 <= plain.high
    # The bootstrap of 20 means covers a little less than it says: 0.93 is expected of 0.95.
    assert abs((covered / repeats - 0.93) / math.sqrt(0.93 * 0.07 / repeats)) < 5
    # z = 1.96·√(variance as if independent, 2/400)/√(1/20 + 1/400) covers 0.45.
    assert abs((pooled / repeats - 0.45) / math.sqrt(0.45 * 0.55 / repeats)) < 5
