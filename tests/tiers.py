"""Which tests are made at every change, and which by ``make test-rest``: CONTRIBUTING.md says why.

A test is slow for what it does and not for what it proves: where all cases of a kind are slow, one
of them is still made at every change.
"""

from collections.abc import Collection, Iterable
from typing import TypeVar

import pytest
from _pytest.mark import ParameterSet

__all__ = ["slow", "slow_but"]

T = TypeVar("T")

slow: pytest.MarkDecorator = pytest.mark.slow


def slow_but(first: Collection[T], values: Iterable[T]) -> list[T | ParameterSet]:
    """Cases of a test of which all but the first named are slow."""
    missing = set(first) - set(values := list(values))
    assert not missing, missing
    return [value if value in first else pytest.param(value, marks=slow) for value in values]
