"""The numbers that sum up a spectrum: closed forms, invariances, edge cases."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import planted
from ired_interp.curvature import (
    condition_number,
    num_negative,
    num_undetermined,
    participation_ratio,
    positive_condition_number,
    spectral_gap,
    spectrum,
)
from ired_interp.experiments.exp001.measure import Request, of_spectrum


def _rows(*rows: list[float]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def test_condition_numbers() -> None:
    values = _rows([-8.0, 0.5, 2.0], [1.0, 2.0, 4.0], [-4.0, -2.0, -1.0], [0.0, 1.0, 2.0])
    assert condition_number(values).tolist() == [16.0, 4.0, 4.0, math.inf]
    positive = positive_condition_number(values)
    assert positive[:2].tolist() == [4.0, 4.0]
    assert math.isnan(positive[2])
    assert positive[3] == 2.0
    assert condition_number(_rows([1e-12, 1.0]))[0] == pytest.approx(1e12)


@pytest.mark.parametrize(
    ("top", "bottom", "largest", "smallest"),
    [
        (1, 3, math.nan, -5.0),  # of -5, -5, 1, 2 nobody knows that 4.5 is the largest
        (0, 3, math.nan, -5.0),
        (2, 0, 4.5, -5.0),
        (0, 6, 4.5, -5.0),
        (6, 0, 4.5, -5.0),
    ],
)
def test_the_ends_of_a_spectrum_are_told_by_their_own_pairs(
    top: int, bottom: int, largest: float, smallest: float
) -> None:
    land = planted.quadratic(planted.symmetric([-5.0, 1.0, 2.0, 3.0, 4.0, 4.5], seed=3))
    found = spectrum(land, torch.zeros(1, 6, dtype=torch.float64), top, bottom)
    request = Request(top, bottom, 0, parts=False, posterior=False)
    told = of_spectrum(found, 2.0, request)
    for name, expected in (("largest", largest), ("smallest", smallest)):
        here = float(told[f"{name}_scaled_eigenvalue"])
        assert here == pytest.approx(2 * expected, rel=1e-9, nan_ok=True)


def test_the_condition_number_of_a_zero_spectrum_is_infinite() -> None:
    # The docstring: infinite where an eigenvalue is 0.
    assert condition_number(_rows([0.0, 0.0, 0.0])).tolist() == [math.inf]
    assert bool(positive_condition_number(_rows([0.0, 0.0])).isnan().all())


def test_the_participation_ratio_counts_equal_directions() -> None:
    for d in (1, 2, 7):
        for k in range(1, d + 1):
            values = torch.zeros(1, d, dtype=torch.float64)
            values[0, d - k :] = 3.0
            assert participation_ratio(values)[0] == pytest.approx(k, rel=1e-14)
    # (Σ|λ|)²/Σλ² for 1, 2, 3 and a sign.
    assert participation_ratio(_rows([-1.0, 2.0, 3.0]))[0] == pytest.approx(36 / 14, rel=1e-14)
    assert bool(participation_ratio(_rows([0.0, 0.0])).isnan().all())
    for size in (1e-300, 1e300):
        assert participation_ratio(_rows([size, size]))[0] == pytest.approx(2, rel=1e-14)


def test_the_spectral_gap_is_that_of_the_two_largest() -> None:
    assert spectral_gap(_rows([-9.0, 1.0, 2.5])).tolist() == [1.5]
    assert spectral_gap(_rows([2.0, 2.0])).tolist() == [0.0]
    assert bool(spectral_gap(_rows([2.0])).isnan().all())


def test_signs_are_counted_beyond_their_errors() -> None:
    values = _rows([-2.0, -0.1, -0.01, 0.05, 3.0])
    none = torch.zeros_like(values)
    assert num_negative(values, none).tolist() == [3]
    assert num_undetermined(values, none).tolist() == [0]
    errors = _rows([0.0, 0.2, 0.005, 0.06, 0.1])
    assert num_negative(values, errors).tolist() == [2]
    assert num_undetermined(values, errors).tolist() == [2]
    # Round-off is an error too: d·ε·‖H‖.
    tiny = _rows([-1e-16, 1e-16, 1.0])
    assert num_negative(tiny, torch.zeros_like(tiny)).tolist() == [0]
    assert num_undetermined(tiny, torch.zeros_like(tiny)).tolist() == [2]
    zero = _rows([0.0, 0.0])
    assert num_undetermined(zero, zero).tolist() == [2]


def test_signs_of_a_planted_spectrum_survive_the_arithmetic() -> None:
    a = planted.symmetric([-3.0, -1e-6, 0.0, 0.0, 1e-6, 5.0], seed=3)
    found = spectrum(planted.quadratic(a), planted.normal(4, 6, seed=0))
    assert num_negative(found.eigenvalues, found.residuals).tolist() == [2] * 4
    assert num_undetermined(found.eigenvalues, found.residuals).tolist() == [2] * 4


def test_one_eigenvalue() -> None:
    for value in (3.0, -3.0):
        one = _rows([value])
        assert condition_number(one).tolist() == [1.0]
        assert participation_ratio(one).tolist() == [1.0]
        assert num_negative(one, torch.zeros_like(one)).tolist() == [int(value < 0)]
    assert positive_condition_number(_rows([3.0])).tolist() == [1.0]
    assert bool(positive_condition_number(_rows([-3.0])).isnan().all())


finite = st.floats(-100, 100).filter(lambda v: abs(v) > 1e-3)


@given(values=st.lists(finite, min_size=2, max_size=8), power=st.integers(-40, 40))
def test_ratios_do_not_depend_on_the_scale_and_the_gap_is_proportional_to_it(
    values: list[float], power: int
) -> None:
    base = _rows(sorted(values))
    scaled = base * 2.0**power  # exact in binary
    for measure in (condition_number, participation_ratio, positive_condition_number):
        assert torch.equal(measure(base).nan_to_num(-1), measure(scaled).nan_to_num(-1))
    assert torch.equal(spectral_gap(base) * 2.0**power, spectral_gap(scaled))
    none = torch.zeros_like(base)
    assert torch.equal(num_negative(base, none), num_negative(scaled, none))
    assert 1 - 1e-12 <= float(participation_ratio(base)[0]) <= len(values) * (1 + 1e-12)
    assert float(condition_number(base)[0]) >= 1


@given(values=st.lists(finite, min_size=1, max_size=6), errors=st.floats(0, 10))
def test_every_eigenvalue_is_negative_undetermined_or_positive(
    values: list[float], errors: float
) -> None:
    base = _rows(sorted(values))
    residuals = torch.full_like(base, errors)
    negative = int(num_negative(base, residuals)[0])
    open_sign = int(num_undetermined(base, residuals)[0])
    positive = int(num_negative(-base.flip(1), residuals)[0])
    assert negative + open_sign + positive == len(values)


def test_rows_are_summed_up_one_by_one() -> None:
    values = planted.normal(6, 5, seed=0).sort(dim=1).values
    errors = planted.normal(6, 5, seed=1).abs() / 10
    for measure in (
        condition_number,
        positive_condition_number,
        participation_ratio,
        spectral_gap,
    ):
        together = measure(values)
        assert torch.equal(together, torch.cat([measure(row[None]) for row in values]))
    for count in (num_negative, num_undetermined):
        together = count(values, errors)
        alone = [count(v[None], e[None]) for v, e in zip(values, errors, strict=True)]
        assert torch.equal(together, torch.cat(alone))
