"""Intervals of the numbers that sum up a spectrum: the truth of planted spectra lies inside."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

import planted
from ired_interp.curvature import (
    Spectrum,
    condition_number,
    participation_ratio,
    positive_condition_number,
    spectral_gap,
    spectrum,
)
from ired_interp.curvature.measures import (
    Interval,
    condition_number_interval,
    participation_ratio_interval,
    positive_condition_number_interval,
    spectral_gap_interval,
)
from ired_interp.errors import ShapeError

SPECTRA = {
    "apart": [-3.0, -1.0, 0.5, 2.0, 7.0],
    "positive": [0.25, 1.0, 2.0, 4.0],
    "negative": [-4.0, -2.0, -0.5],
    "a cluster of ten": [1.0] * 10 + [5.0],
    "the identity": [1.0] * 12,
    "gaps of 1e-6": [1 + 1e-6 * i for i in range(8)] + [-2.0],
    "condition 1e12": [1e-12, 1e-3, 1.0],
    "one": [-2.5],
    "sixty": [math.sin(3 * i) + 0.2 for i in range(60)],
}
MEASURES = {
    "condition number": (condition_number, condition_number_interval),
    "positive condition number": (
        positive_condition_number,
        positive_condition_number_interval,
    ),
    "participation ratio": (participation_ratio, participation_ratio_interval),
    "spectral gap": (spectral_gap, spectral_gap_interval),
}


def _spectrum(values: list[float], *, seed: int = 0) -> Spectrum:
    a = planted.symmetric(values, seed=seed)
    y = planted.normal(2, len(values), seed=seed)
    return spectrum(planted.quadratic(a), y)


def _holds(interval: Interval, truth: Tensor) -> bool:
    inside = (interval.low <= truth) & (truth <= interval.high)
    neither = interval.low.isnan() & interval.high.isnan() & truth.isnan()
    return bool((inside | neither).all())


def _with_values(spec: Spectrum, values: Tensor, radius: float) -> Spectrum:
    """Pairs that claim other eigenvalues and errors."""
    radii = torch.full_like(values, radius)
    return replace(
        spec,
        eigenvalues=values,
        residuals=radii,
        radii=radii,
        cluster_radii=radii,
        clusters=torch.arange(values.shape[1]).expand_as(values),
        norm=values.abs().amax(dim=1),
    )


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("name", SPECTRA)
@pytest.mark.parametrize("seed", [0, 1])
def test_the_truth_of_a_planted_spectrum_is_inside(name: str, measure: str, seed: int) -> None:
    plain, bounds = MEASURES[measure]
    truth = plain(torch.tensor([sorted(SPECTRA[name])], dtype=torch.float64))
    spec = _spectrum(SPECTRA[name], seed=seed)
    assert _holds(bounds(spec), truth)
    assert _holds(bounds(spec), plain(spec.eigenvalues))


@pytest.mark.parametrize("measure", MEASURES)
def test_the_intervals_are_narrow_where_the_eigenvalues_are_known(measure: str) -> None:
    _, bounds = MEASURES[measure]
    interval = bounds(_spectrum(SPECTRA["sixty"]))
    assert float(((interval.high - interval.low) / interval.high).max()) < 1e-9


@pytest.mark.parametrize("measure", MEASURES)
def test_an_interval_from_wrong_certificates_misses_the_truth(measure: str) -> None:
    # The check itself can fail: the same pairs with one eigenvalue moved beyond its interval.
    plain, bounds = MEASURES[measure]
    truth = plain(torch.tensor([SPECTRA["positive"]], dtype=torch.float64))
    moved = torch.tensor([[0.25 + 1e-3, 1.0, 2.0, 4.0 + 1e-3]] * 2, dtype=torch.float64)
    spec = _spectrum(SPECTRA["positive"])
    assert not _holds(bounds(_with_values(spec, moved, 1e-6)), truth)
    assert _holds(bounds(_with_values(spec, moved, 1e-2)), truth)


@pytest.mark.parametrize("measure", MEASURES)
def test_every_spectrum_within_the_errors_is_inside(measure: str) -> None:
    # The intervals are bounds over a box of eigenvalues: no corner or draw of it escapes.
    plain, bounds = MEASURES[measure]
    centre = torch.tensor([[-1.5, -0.4, 0.7, 1.1, 3.0]] * 2, dtype=torch.float64)
    spec = _with_values(_spectrum([-1.0, 0.0, 1.0, 2.0, 3.0]), centre, 0.15)
    shifts = 2 * torch.rand(4000, 5, generator=torch.Generator().manual_seed(0)).double() - 1
    shifts = torch.cat([shifts, shifts.sign()])
    values = (centre[:1] + 0.15 * shifts).sort(dim=1).values
    interval = bounds(spec)
    truth = plain(values)
    assert bool(((truth >= interval.low[0]) & (truth <= interval.high[0])).all())
    # And they are bounds of this box, not of a much larger one.
    assert float(interval.high[0] - interval.low[0]) < 4 * float(truth.max() - truth.min())


def test_an_eigenvalue_that_may_be_zero_leaves_no_upper_bound() -> None:
    spec = _spectrum([0.0, 1.0, 3.0])
    whole, positive = condition_number_interval(spec), positive_condition_number_interval(spec)
    assert whole.high.tolist() == [math.inf, math.inf]
    assert bool(((whole.low > 1e12) & whole.low.isfinite()).all())
    assert positive.high.tolist() == [math.inf, math.inf]
    assert bool(((positive.low > 2.99) & (positive.low <= 3)).all())


def test_a_hessian_of_zeros() -> None:
    a = torch.zeros(3, 3, dtype=torch.float64)
    spec = spectrum(planted.quadratic(a), planted.normal(1, 3, seed=0))
    whole = condition_number_interval(spec)
    assert (whole.low.tolist(), whole.high.tolist()) == ([1.0], [math.inf])
    ratio = participation_ratio_interval(spec)
    assert ratio.low.tolist() == [1.0]
    assert ratio.high.tolist() == pytest.approx([3.0], rel=1e-12)


def test_clusters_whose_own_intervals_meet_fall_back_on_the_bound_of_all() -> None:
    # Two clusters that may both count one eigenvalue: [0.8, 1.2] and [1.1, 1.5] by their radii.
    centre = torch.tensor([[1.0, 1.3]] * 2, dtype=torch.float64)
    spec = _with_values(_spectrum([1.0, 1.3]), centre, 0.2)
    gap = spectral_gap_interval(spec)
    together = 2**0.5 * 0.2
    assert float(gap.high[0]) == pytest.approx(0.3 + 2 * together, rel=1e-9)
    apart = spectral_gap_interval(_with_values(spec, centre, 0.1))
    assert float(apart.high[0]) == pytest.approx(0.3 + 2 * 0.1, rel=1e-9)


def test_cluster_radii_are_used_and_not_radii() -> None:
    # A double eigenvalue: each pair's own interval may hold the same one of two.
    spec = _spectrum([1.0, 1.0, 4.0])
    wide = replace(spec, cluster_radii=spec.cluster_radii + 0.5, radii=0 * spec.radii)
    assert float(condition_number_interval(wide).high[0]) == pytest.approx(4.5 / 0.5)


@pytest.mark.parametrize("measure", MEASURES)
def test_missing_pairs_are_refused(measure: str) -> None:
    _, bounds = MEASURES[measure]
    values = SPECTRA["apart"]
    a, y = planted.symmetric(values, seed=0), planted.normal(1, 5, seed=0)
    for top, bottom in ((3, 1), (5, 0)):
        chosen = spectrum(planted.quadratic(a), y, top=top, bottom=bottom)
        with pytest.raises(ShapeError, match="expected all d = 5 eigenpairs, ascending"):
            bounds(chosen)
    twice = spectrum(planted.quadratic(planted.symmetric([-5.0, 3.0], seed=0)), y[:, :2], 1, 1)
    with pytest.raises(ShapeError, match="top=None"):
        bounds(twice)
