"""A row of draws depends on the seed, the purpose and its own number, and on nothing else."""

import inspect

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ired_interp.draws import RowDraws, check_seed
from ired_interp.errors import ConfigError, ShapeError

seeds = st.integers(0, 2**64 - 1)


@given(seed=seeds, n=st.integers(1, 12), more=st.integers(0, 9), d=st.integers(1, 7))
def test_the_first_rows_of_a_larger_draw_are_the_smaller_draw(
    seed: int, n: int, more: int, d: int
) -> None:
    small = RowDraws(n, seed=seed, purpose="p")
    large = RowDraws(n + more, seed=seed, purpose="p")
    assert torch.equal(small.normal(d), large.normal(d)[:n])
    assert torch.equal(small.uniform(-1.0, 1.0, d, 2), large.uniform(-1.0, 1.0, d, 2)[:n])


@given(seed=seeds, first=st.integers(0, 2**40), cut=st.integers(1, 7))
def test_chunks_joined_are_the_whole(seed: int, first: int, cut: int) -> None:
    whole = RowDraws(8, seed=seed, purpose="p", first=first)
    parts = [
        RowDraws(cut, seed=seed, purpose="p", first=first),
        RowDraws(8 - cut, seed=seed, purpose="p", first=first + cut),
    ]
    for _ in range(2):  # and the streams go on alike
        assert torch.equal(whole.normal(3), torch.cat([p.normal(3) for p in parts]))
        assert torch.equal(whole.uniform(0.0, 1.0), torch.cat([p.uniform(0.0, 1.0) for p in parts]))


@given(seed=seeds, other=seeds)
def test_other_seeds_rows_and_purposes_give_other_draws(seed: int, other: int) -> None:
    base = RowDraws(4, seed=seed, purpose="p").normal(6)
    assert torch.equal(base, RowDraws(4, seed=seed, purpose="p").normal(6))
    assert not torch.equal(base, RowDraws(4, seed=seed, purpose="q").normal(6))
    assert not torch.equal(base[0], base[1])
    if seed != other:
        assert not torch.equal(base, RowDraws(4, seed=other, purpose="p").normal(6))


def test_all_64_bits_of_the_seed_count() -> None:
    draws = [RowDraws(1, seed=s, purpose="p").normal(2) for s in (0, 1, 2**32, 2**63, 2**64 - 1)]
    assert len({tuple(d.flatten().tolist()) for d in draws}) == 5


def test_draws_leave_the_global_generators_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    RowDraws(2, seed=0, purpose="p").normal(5)
    assert torch.equal(torch.rand(2), expected)


@pytest.mark.parametrize("seed", [-1, 2**64, 1.0, True, None, "0"])
def test_seeds_out_of_range_are_refused(seed: object) -> None:
    with pytest.raises(ConfigError, match="seed"):
        inspect.unwrap(check_seed)(seed)


def test_negative_counts_are_refused() -> None:
    with pytest.raises(ShapeError, match="n=-1"):
        RowDraws(-1, seed=0, purpose="p")
    with pytest.raises(ShapeError, match="first=-1"):
        RowDraws(1, seed=0, purpose="p", first=-1)
