"""Draws have the distribution they claim, and rows, seeds and purposes are unrelated."""

import numpy as np
import pytest
import torch
from scipy import stats

from ired_interp.draws import BatchDraws, Draws, RowDraws


def _row_draws(n: int) -> Draws:
    return RowDraws(n, seed=11, purpose="moments")


def _batch_draws(n: int) -> Draws:
    return BatchDraws(n, torch.Generator().manual_seed(11), torch.float64)


@pytest.mark.parametrize("make", [_row_draws, _batch_draws])
def test_normal_has_the_normal_distribution(make: object) -> None:
    assert callable(make)
    values = make(400).normal(5, 10).numpy().ravel()
    n = values.size
    # Standard errors of mean, variance and fourth moment of N(0, 1): 1, 2 and 96 over n.
    assert abs(values.mean()) / np.sqrt(1 / n) < 5
    assert abs(np.mean(values**2) - 1) / np.sqrt(2 / n) < 5
    assert abs(np.mean(values**4) - 3) / np.sqrt(96 / n) < 5
    assert stats.kstest(values, "norm").pvalue > 1e-6


@pytest.mark.parametrize("make", [_row_draws, _batch_draws])
def test_uniform_has_the_uniform_distribution(make: object) -> None:
    assert callable(make)
    values = make(400).uniform(-1.5, 2.5, 5, 10).numpy().ravel()
    n = values.size
    assert values.min() >= -1.5
    assert values.max() < 2.5
    assert abs(values.mean() - 0.5) / np.sqrt(16 / 12 / n) < 5
    assert stats.kstest(values, "uniform", args=(-1.5, 4)).pvalue > 1e-6


def test_entries_rows_seeds_and_purposes_are_uncorrelated() -> None:
    a = RowDraws(300, seed=0, purpose="a").normal(30).numpy()
    others = {
        "next row": np.roll(a, 1, axis=0),
        "next entry": np.roll(a, 1, axis=1),
        "seed": RowDraws(300, seed=1, purpose="a").normal(30).numpy(),
        "purpose": RowDraws(300, seed=0, purpose="b").normal(30).numpy(),
        "rows shifted": RowDraws(300, seed=0, purpose="a", first=300).normal(30).numpy(),
    }
    for name, b in others.items():
        products = (a * b).ravel()
        z = products.mean() / (products.std(ddof=1) / np.sqrt(products.size))
        assert abs(z) < 5, name


def test_a_row_is_its_own_philox_stream() -> None:
    # The same stream from NumPy itself: key (seed, hash of the purpose), counter at the row.
    import hashlib

    digest = hashlib.blake2b(b"name", digest_size=8).digest()
    key = np.array([7, int.from_bytes(digest, "little")], dtype=np.uint64)
    counter = np.array([0, 0, 0, 3], dtype=np.uint64)
    rng = np.random.Generator(np.random.Philox(key=key, counter=counter))
    draws = RowDraws(1, seed=7, purpose="name", first=3)
    assert np.array_equal(draws.normal(4)[0].numpy(), rng.standard_normal(4))
    assert np.array_equal(draws.uniform(-1.0, 2.0, 3)[0].numpy(), rng.uniform(-1, 2, 3))


def test_batch_draws_follow_the_generator_and_dtype() -> None:
    one = BatchDraws(3, torch.Generator().manual_seed(5), torch.float32)
    two = BatchDraws(3, torch.Generator().manual_seed(5), torch.float32)
    first = one.normal(4)
    assert first.dtype == torch.float32
    assert torch.equal(first, two.normal(4))
    assert not torch.equal(one.normal(4), first)
