"""A problem depends on the seed and its number alone: not on n, chunks, dtype."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ired_interp.tasks import Problems, task

NAMES = ["addition", "completion", "inverse", "gaussian"]


def _equal(one: Problems, two: Problems) -> bool:
    return (
        torch.equal(one.x, two.x)
        and torch.equal(one.y, two.y)
        and one.parts.keys() == two.parts.keys()
        and all(torch.equal(one.parts[k], two.parts[k]) for k in one.parts)
    )


def _rows(problems: Problems, rows: slice) -> Problems:
    parts = {k: part[rows] for k, part in problems.parts.items()}
    return Problems(problems.x[rows], problems.y[rows], parts)


@pytest.mark.parametrize("name", NAMES)
@given(
    seed=st.integers(0, 2**64 - 1),
    n=st.integers(1, 6),
    more=st.integers(0, 5),
    size=st.integers(1, 4),
    first=st.integers(0, 1000),
)
def test_the_first_n_of_a_larger_sample_are_the_smaller_one(
    name: str, *, seed: int, n: int, more: int, size: int, first: int
) -> None:
    problem = task(name, size)
    large = problem.sample(n + more, seed=seed, first=first)
    assert _equal(_rows(large, slice(0, n)), problem.sample(n, seed=seed, first=first))
    if more:
        rest = problem.sample(more, seed=seed, first=first + n)
        assert _equal(_rows(large, slice(n, None)), rest)


@pytest.mark.parametrize("name", NAMES)
def test_problems_do_not_depend_on_the_batch_size_at_size_20(name: str) -> None:
    # Batched linear algebra may choose other routes for other batch sizes.
    problem = task(name, 20) if name != "gaussian" else task(name, 6)
    large = problem.sample(33, seed=4)
    for i in (0, 17, 32):
        assert _equal(_rows(large, slice(i, i + 1)), problem.sample(1, seed=4, first=i))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_another_dtype_is_the_float64_problem_cast(name: str, dtype: torch.dtype) -> None:
    problem = task(name, 3)
    exact = problem.sample(7, seed=1)
    assert exact.x.dtype == torch.float64
    cast = problem.sample(7, seed=1, dtype=dtype)
    assert torch.equal(cast.x, exact.x.to(dtype))
    assert torch.equal(cast.y, exact.y.to(dtype))
    for key, part in exact.parts.items():
        expected = part.to(dtype) if part.is_floating_point() else part
        assert torch.equal(cast.parts[key], expected)


@pytest.mark.parametrize("name", NAMES)
def test_seeds_tasks_and_difficulties_differ(name: str) -> None:
    problem = task(name, 3)
    base = problem.sample(3, seed=0)
    assert not torch.equal(base.x, problem.sample(3, seed=1).x)
    assert not torch.equal(base.y, problem.sample(3, seed=0, difficulty="harder").y)
    assert not torch.equal(base.x[0], base.x[1])


@pytest.mark.parametrize("condition", [None, 50.0])
def test_the_inverse_is_symmetric_to_round_off(condition: float | None) -> None:
    problem = task("inverse", 5) if condition is None else task("inverse", 5, condition=condition)
    sample = problem.sample(40, seed=2)
    for flat in (sample.x, sample.y):
        m = flat.reshape(40, 5, 5)
        # y = A⁻¹ by LU: asymmetric by ε·cond(A)·‖y‖.
        assert (m - m.mT).abs().max() < 1e-11 * m.abs().max()


def test_sampling_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    for name in NAMES:
        task(name, 2).sample(2, seed=0)
    assert torch.equal(torch.rand(3), expected)
