"""Numbers with their errors as a terminal shows them."""

import math

import pytest

from ired_interp.digits import concise


@pytest.mark.parametrize(
    ("mean", "half", "text"),
    [
        (0.9534, 0.018, "0.95(2)"),
        (0.9814, 0.0096, "0.98(1)"),
        (1.03444, 0.0024, "1.034(2)"),
        (9.8e-4, 2e-4, "1.0(2)e-3"),
        (4.06e-4, 2e-5, "4.1(2)e-4"),
        (-1.97e-4, 3e-6, "-1.97(3)e-4"),
        (108.2, 46.0, "108(46)"),
        (3.63, 0.2, "3.6(2)"),
        (0.0, 0.5, "0.0(5)"),
        (0.001, 0.02, "0.00(2)"),
        (5.0, 0.0, "5"),
        (5.0, math.nan, "5"),
    ],
)
def test_concise(mean: float, half: float, text: str) -> None:
    assert concise(mean, half) == text
