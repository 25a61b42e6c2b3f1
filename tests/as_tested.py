"""Hypotheses as if all of them were tested: what an exploratory one would come to."""

from collections.abc import Iterable
from dataclasses import replace

from ired_interp.experiments.hypothesis import Hypothesis

__all__ = ["as_tested"]


def as_tested(hypotheses: Iterable[Hypothesis]) -> list[Hypothesis]:
    """The same, each of them confirmatory."""
    return [replace(one, role="confirmatory") for one in hypotheses]
