"""Spectra of scores beside Marchenko and Pastur, spikes of known size, and numpy."""

import numpy as np
import pytest
import torch
from torch import Tensor

import planted
from ired_interp.errors import DtypeError, NonFiniteError, ShapeError
from ired_interp.score_field import (
    bootstrap_error,
    centred_svd,
    concentration,
    held_out_share,
    isotropic_participation,
    largest_by_chance,
    marchenko_pastur_edge,
    num_beyond_edge,
    participation_ratio,
)


def spiked(n: int, d: int, sizes: list[float], *, seed: int) -> Tensor:
    """Normal rows of variance ``sizes`` along random directions and 1 elsewhere."""
    scale = torch.ones(d, dtype=torch.float64)
    scale[: len(sizes)] = torch.tensor(sizes, dtype=torch.float64).sqrt()
    turned: Tensor = (
        planted.normal(n, d, seed=seed) * scale @ planted.orthogonal(d, seed=seed + 1).T
    )
    return turned + 3.0


@pytest.mark.parametrize(("n", "d"), [(30, 7), (7, 30)])
def test_the_spectrum_is_that_of_the_covariance(n: int, d: int) -> None:
    rows = spiked(n, d, [9.0], seed=n)
    found = centred_svd(rows)
    covariance = np.cov(rows.numpy().T)
    e = min(n - 1, d)
    np.testing.assert_allclose(
        found.eigenvalues, np.linalg.eigvalsh(covariance)[::-1][:e], rtol=1e-10
    )
    back = found.components * found.eigenvalues @ found.components.T
    np.testing.assert_allclose(back, covariance, atol=1e-12 * np.trace(covariance))
    np.testing.assert_allclose(found.mean, rows.numpy().mean(0))
    alone = centred_svd(torch.stack([rows + 1, rows]))
    np.testing.assert_allclose(alone.eigenvalues[1], found.eigenvalues, rtol=1e-12)


def test_the_participation_ratio_counts_directions() -> None:
    for k in (1, 4, 9):
        equal = torch.tensor([2.5] * k + [0.0] * 3, dtype=torch.float64)
        assert float(participation_ratio(equal)) == pytest.approx(k, rel=1e-14)
    assert float(participation_ratio(torch.tensor([3.0, 1.0]))) == pytest.approx(1.6)
    # SCIENCE's isotropic scores in 400 dimensions: 81, 200 and 334 of N = 100, 400 and 2,000.
    for n, known in ((100, 81), (400, 200), (2000, 334)):
        assert isotropic_participation(n + 1, 400) == pytest.approx(known, rel=0.02)


@pytest.mark.parametrize(("n", "d"), [(12, 16), (48, 16), (9, 2)])
def test_the_concentration_of_isotropic_rows_is_one_on_average(n: int, d: int) -> None:
    found = concentration(centred_svd(7 * planted.normal(2000, n, d, seed=d)))
    error = float(found.std()) / len(found) ** 0.5
    assert abs(float(found.mean()) - 1) < 5 * error
    assert error < 0.01
    one = planted.normal(n, 1, seed=1) @ planted.normal(1, d, seed=2)
    most = isotropic_participation(n, d)
    assert float(concentration(centred_svd(one))) == pytest.approx(most, rel=1e-10)


@pytest.mark.parametrize(("n", "d"), [(48, 16), (201, 50), (33, 100)])
def test_the_largest_eigenvalue_of_noise_exceeds_its_bound_in_one_draw_of_a_hundred(
    n: int, d: int
) -> None:
    largest = centred_svd(planted.normal(1000, n, d, seed=3)).eigenvalues[:, 0]
    beyond = int((largest > largest_by_chance(n, d)).sum())
    assert 1 <= beyond <= 25  # Binomial(1000, 0.01): mean 10, 99.99 % within
    bare = float((largest > marchenko_pastur_edge(n, d)).double().mean())
    assert 0.05 < bare < 0.3  # which is why the bare edge is no test


def test_a_large_sample_fills_the_bulk_to_its_edge() -> None:
    values = centred_svd(planted.normal(1601, 400, seed=4)).eigenvalues
    assert marchenko_pastur_edge(1601, 400) == pytest.approx(2.25)
    assert float(values[0]) == pytest.approx(2.25, rel=0.03)
    assert float(values[-1]) == pytest.approx(0.25, rel=0.05)


@pytest.mark.parametrize("size", [3.0, 10.0])
def test_a_spike_beyond_the_transition_lands_where_it_must(size: float) -> None:
    n, d = 1601, 400
    ratio = d / (n - 1)
    rows = torch.stack([spiked(n, d, [size], seed=10 * i) for i in range(4)])
    found = centred_svd(rows).eigenvalues[:, 0]
    expected = size * (1 + ratio / (size - 1))
    spread = size * (2 / n * (1 - ratio / (size - 1) ** 2)) ** 0.5 / len(found) ** 0.5
    assert abs(float(found.mean()) - expected) < 5 * spread + 0.01 * expected
    assert num_beyond_edge(centred_svd(rows)).tolist() == [1.0] * 4


def test_a_spike_below_the_transition_does_not_show() -> None:
    found = centred_svd(torch.stack([spiked(1601, 400, [1.2], seed=i) for i in range(3)]))
    assert num_beyond_edge(found).tolist() == [0.0] * 3


@pytest.mark.parametrize("r", [0, 1, 3, 7])
def test_strong_directions_are_counted_and_do_not_hide_one_another(r: int) -> None:
    rows = torch.stack([spiked(48, 16, [100.0] * r, seed=20 * i) for i in range(200)])
    count = num_beyond_edge(centred_svd(rows))
    assert int((count == r).sum()) >= 190
    assert bool((count >= r).all())


def test_rows_without_spread_have_no_spectrum() -> None:
    rows = torch.stack([torch.full((6, 4), 2.0), planted.normal(6, 4, seed=1)]).double()
    rows[0] *= 1 + 1e-14 * planted.normal(6, 4, seed=0)
    found = centred_svd(rows)
    assert bool(found.eigenvalues[0].isnan().all())
    assert num_beyond_edge(found).isnan().tolist() == [True, False]
    assert concentration(found).isnan().tolist() == [True, False]


def test_what_others_explain_of_a_row() -> None:
    isotropic = torch.stack([held_out_share(planted.normal(24, 8, seed=i), 2) for i in range(200)])
    assert bool(isotropic[:, ::2].isnan().all())  # these found the components
    means = isotropic[:, 1::2].mean(dim=1)
    assert abs(float(means.mean()) - 1) < 5 * float(means.std()) / 200**0.5
    line = planted.normal(24, 1, seed=1) @ planted.normal(1, 8, seed=2) + 5
    np.testing.assert_allclose(held_out_share(line, 2)[1::2], 4.0)
    rows = spiked(11, 8, [50.0], seed=5)
    other = rows[::2].numpy()
    first = np.linalg.svd(other - other.mean(0))[2][0]
    off = rows[7].numpy() - other.mean(0)
    got = held_out_share(rows, 1)
    assert float(got[7]) == pytest.approx((off @ first) ** 2 / (off @ off) * 8, rel=1e-10)


def test_rows_that_are_tested_do_not_vouch_for_each_other() -> None:
    """Their mean spreads as that of independent numbers with their spread, given the components."""
    found = torch.stack([held_out_share(planted.normal(32, 9, seed=i), 3) for i in range(400)])
    tested = found[:, 1::2]
    size = (tested.mean(dim=1) - 1) / (tested.std(dim=1) / tested.shape[1] ** 0.5)
    assert float((size > 2.13).double().mean()) < 0.04  # Student's t beyond 0.025


def test_the_bootstrap_error_of_a_mean() -> None:
    rows = planted.normal(60, 3, seed=6)
    got = bootstrap_error(rows, lambda some: some[:, 0].mean(), seed=0, num_resamples=2000)
    expected = float(rows[:, 0].std(correction=0)) / 60**0.5
    assert got == pytest.approx(expected, rel=5 * (1 / 4000) ** 0.5)


@pytest.mark.parametrize(
    ("rows", "error", "match"),
    [
        (torch.zeros(2, 4, dtype=torch.float64), ShapeError, "n ≥ 3"),
        (torch.zeros(5, 4, dtype=torch.float32), DtypeError, "float64"),
        (torch.full((5, 4), torch.nan, dtype=torch.float64), NonFiniteError, "found 20"),
    ],
)
def test_other_rows_are_refused(rows: Tensor, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        centred_svd(rows)


def test_halves_and_components_that_cannot_be_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"k \+ 2 rows"):
        held_out_share(torch.zeros(4, 6, dtype=torch.float64), 3)
    with pytest.raises(ShapeError, match="at least 3 rows"):
        marchenko_pastur_edge(2, 4)
