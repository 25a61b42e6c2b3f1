"""No certificate is ever wrong: planted spectra of many kinds, asked for in many ways.

``python tests/planted_spectra.py --draws 10000`` is the long version.
"""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

import planted_spectra
from ired_interp.curvature import spectrum
from ired_interp.errors import ConvergenceError

LARGEST = 20


def _small(seeds: range) -> list[planted_spectra.Draw]:
    """The draws whose side, decided by their first numbers, makes them quick."""
    draws = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        if rng.random() < 0.9 and rng.uniform(0, math.log(60)) < math.log(LARGEST):
            draws.append(planted_spectra.draw(seed))
    return draws


@pytest.mark.parametrize("first", range(0, 300, 30))
def test_no_certificate_is_wrong_and_no_end_is_missed(first: int) -> None:
    draws = _small(range(first, first + 30))
    assert len(draws) > 12
    faults, refused = [], 0
    for request in draws:
        assert request.matrices.shape[1] <= LARGEST
        try:
            faults += planted_spectra.check(request)
        except ConvergenceError:
            # Float32 that loses its digits by cancellation, or a spectrum that a small space
            # cannot tell apart: an error is no wrong answer.
            refused += 1
    assert faults == []
    assert refused <= 0.2 * len(draws)


@pytest.mark.parametrize(
    "seed",
    [
        pytest.param(101949, id="a copy in neither the space nor its complement alone"),
        pytest.param(105253, id="all probes rounded alike"),
        pytest.param(109454, id="a short search in a complement of many values"),
    ],
)
def test_draws_that_were_wrong_once(seed: int) -> None:
    assert planted_spectra.check(planted_spectra.draw(seed)) == []


@pytest.mark.parametrize("seed", range(4))
def test_clusters_of_ten_near_zero_at_condition_1e12(seed: int) -> None:
    """All that the issue names in one spectrum, by each route."""
    rng = np.random.default_rng(1000 + seed)
    d = 40
    values = 10 ** rng.uniform(-12, 0, size=d) * np.where(rng.random(d) < 0.3, -1, 1)
    values[:10] = 1.5 + 1e-6 * np.arange(10) if seed % 2 else 1.5
    values[10:14] = [1e-9, -1e-9, 1e-9, -1e-9]
    matrix, truth, doubt = planted_spectra.plant(values, rng, torch.float64)
    dense = planted_spectra.Draw(
        matrix[None],
        truth[None],
        np.array([doubt]),
        shift=0.0,
        top=12,
        bottom=5,
        max_bytes=2**26,
    )
    everything = replace(dense, top=None, bottom=0)
    krylov = replace(dense, max_bytes=3 * d * d * 4 - 1)
    for request, route in ((dense, "dense"), (everything, "dense"), (krylov, "krylov")):
        land, y = planted_spectra.landscape(request)
        found = spectrum(land, y, request.top, request.bottom)
        assert found.routes == (route,)
        assert planted_spectra.check(request) == []
        negative = int((truth < 0).sum())
        assert int(found.index_low) <= negative <= int(found.index_high)
        if route == "dense":  # only what rounding hides is uncertain: ±1e-9 is not
            hidden = int((np.abs(truth) < 1e-11).sum())
            assert int(found.index_high) - int(found.index_low) <= hidden
        assert bool(found.ends_certain) == (route == "dense")


def test_the_check_itself_can_fail() -> None:
    """Each fault that it looks for, planted."""
    request = next(
        r
        for r in map(planted_spectra.draw, range(100))
        if r.top is None and r.shift == 0 and 5 < r.matrices.shape[1] < 30
    )
    assert planted_spectra.check(request) == []
    d = request.matrices.shape[1]
    scale = float(np.abs(request.truth).max())
    moved = replace(request, truth=request.truth + 0.3 * scale)
    faults = " ".join(planted_spectra.check(moved))
    assert "no eigenvalue within" in faults
    assert "an eigenvalue" in faults
    ends = replace(request, top=2, bottom=1, truth=request.truth * math.pi)
    faults = " ".join(planted_spectra.check(ends))
    assert "the top" in faults
    assert "the bottom" in faults
    other = replace(request, truth=np.sort(-np.abs(request.truth) - scale, axis=1))
    faults = " ".join(planted_spectra.check(other))
    assert f"truly {d}" in faults
