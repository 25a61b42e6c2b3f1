"""Intervals, clusters and indices where the right answer is known beforehand."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

import planted
from ired_interp.curvature import spectrum
from ired_interp.curvature.certificates import (
    Enclosure,
    MorseIndex,
    enclose,
    index_bounds,
    lapack_error,
    morse_index,
    probe_vectors,
    roundoff,
)
from ired_interp.landscape import Landscape

EPS = torch.finfo(torch.float64).eps


def _vector(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def _turned(d: int, angle: float, i: int = 0, j: int = 1) -> Tensor:
    """The identity with axes i and j turned by an angle."""
    q = torch.eye(d, dtype=torch.float64)
    c, s = np.cos(angle), np.sin(angle)
    q[i, i], q[i, j], q[j, i], q[j, j] = c, -s, s, c
    return q


def _enclose(
    h: Tensor,
    vectors: Tensor,
    *,
    error: float = 0.0,
    known: bool = True,
    spread: float = 0.0,
) -> tuple[Tensor, Enclosure]:
    """Rayleigh quotients of some columns and their enclosure."""
    images = h @ vectors
    values = (vectors * images).sum(dim=0)
    spectrum = torch.linalg.eigvalsh(h)[None] if known else None
    return values, enclose(
        values[None],
        vectors[None],
        (images - vectors * values)[None],
        _vector(error),
        spectrum=spectrum,
        spread=_vector(spread) if known else None,
    )


# Intervals


@pytest.mark.parametrize("angle", [1e-2, 1e-4, 1e-6])
def test_kato_and_temple_is_the_square_of_the_residual_over_the_gap(angle: float) -> None:
    # In two dimensions ‖r‖ = (b - a)·sin·cos, and the error is (b - a)·sin².
    a, b = 1.0, 4.0
    vectors = _turned(2, angle)[:, :1]
    values, found = _enclose(torch.diag(_vector(a, b)), vectors)
    residual = (b - a) * np.sin(angle) * np.cos(angle)
    error = (b - a) * np.sin(angle) ** 2
    assert float(values) - a == pytest.approx(error, rel=1e-3, abs=1e-15)
    radius = float(found.radii)
    assert radius == pytest.approx(residual**2 / (b - float(values)), rel=1e-3)
    assert radius >= error * (1 - 1e-3)
    assert radius < 2 * angle * residual
    assert float(found.cluster_radii) == radius


def test_without_the_gap_the_radius_is_the_residual() -> None:
    vectors = _turned(2, 1e-3)[:, :1]
    _, found = _enclose(torch.diag(_vector(1.0, 4.0)), vectors, known=False)
    residual = 3 * np.sin(1e-3) * np.cos(1e-3)
    assert float(found.radii) == pytest.approx(residual, rel=1e-12)


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("error", [1e-3, 1e-9])
def test_the_products_error_is_added_to_every_radius(error: float, known: bool) -> None:  # noqa: FBT001
    h, vectors = torch.diag(_vector(1.0, 4.0, 9.0)), torch.eye(3, dtype=torch.float64)[:, :2]
    _, found = _enclose(h, vectors, error=error, known=known)
    assert (found.radii - error).abs().max() <= 100 * EPS * 9
    assert bool((found.cluster_radii >= error).all())


@pytest.mark.parametrize("spread", [0.5, 2.0, 10.0])
def test_a_gap_that_is_not_certain_is_not_used(spread: float) -> None:
    # The next eigenvalue is known to ±spread only; from 3 on it may be this one.
    vectors = _turned(2, 1e-3)[:, :1]
    values, found = _enclose(torch.diag(_vector(1.0, 4.0)), vectors, spread=spread)
    residual = 3 * np.sin(1e-3) * np.cos(1e-3)
    certain = 4 - float(values) - spread
    expected = residual**2 / certain if certain > residual else residual
    assert float(found.radii) == pytest.approx(expected, rel=1e-2)


def test_a_near_eigenvalue_without_a_pair_spoils_the_quadratic_bound() -> None:
    # One vector of two eigenvalues that its interval holds: only the residual is certain.
    d, gap = 4, 1e-5
    vectors = _turned(d, 1e-3, 0, 2)[:, :1]
    _, found = _enclose(torch.diag(_vector(1.0, 1.0 + gap, 4.0, 5.0)), vectors)
    residual = 3 * np.sin(1e-3) * np.cos(1e-3)
    assert float(found.radii) == pytest.approx(residual, rel=1e-3)


def test_vectors_need_not_be_of_unit_length_to_the_last_digit() -> None:
    h = torch.diag(_vector(1.0, 4.0))
    vectors = _turned(2, 1e-3)[:, :1] * (1 + 1e-9)
    images = h @ vectors
    values = (vectors * images).sum(dim=0)
    found = enclose(values[None], vectors[None], (images - vectors * values)[None], _vector(0.0))
    assert float((values - 1).abs()) <= float(found.radii)


@pytest.mark.parametrize("seed", range(10))
def test_random_frames_enclose_as_many_eigenvalues_as_they_have_vectors(seed: int) -> None:
    rng = np.random.default_rng(seed)
    d, num = 12, int(rng.integers(1, 6))
    levels = rng.normal(size=d)
    levels[rng.permutation(d)[:4]] = levels[0] + 1e-7 * np.arange(4)
    h = planted.symmetric(levels.tolist(), seed=seed)
    truth = np.linalg.eigvalsh(h.numpy())
    frame = torch.linalg.eigh(h)[1][:, torch.from_numpy(rng.permutation(d)[:num])]
    noise = planted.normal(d, num, seed=seed + 100) * 10.0 ** rng.uniform(-9, -2)
    frame = torch.linalg.qr(frame + noise).Q
    for known in (False, True):
        values, found = _enclose(h, frame, error=1e-14, known=known, spread=1e-13)
        distance = np.abs(values.numpy()[:, None] - truth).min(axis=1)
        assert (distance <= found.radii[0].numpy()).all()
        for label in sorted(set(found.clusters[0].tolist())):
            members = (found.clusters[0] == label).numpy()
            reach = found.cluster_radii[0].numpy()[members][:, None]
            near = (np.abs(values.numpy()[members][:, None] - truth) <= reach).any(axis=0)
            assert near.sum() >= members.sum()


# Clusters


def test_overlapping_intervals_are_one_cluster_also_through_others() -> None:
    d = 6
    values = _vector(1.0, 5.0, 1.2, 1.1, 5.05, -3.0)
    defects = torch.zeros(d, d, dtype=torch.float64)
    defects.diagonal().copy_(_vector(0.06, 0.03, 0.06, 0.06, 0.01, 0.5))
    found = enclose(
        values[None], torch.eye(d, dtype=torch.float64)[None], defects[None], _vector(0.0)
    )
    assert found.clusters[0].tolist() == [1, 2, 1, 1, 3, 0]
    shared = found.cluster_radii[0]
    size = (3 * 0.06**2) ** 0.5
    assert shared[[0, 2, 3]].tolist() == pytest.approx([size] * 3, rel=1e-9)
    assert float(shared[5]) == pytest.approx(0.5, rel=1e-9)


def test_a_wide_interval_joins_what_lies_beyond_its_neighbour() -> None:
    values = _vector(1.0, 2.0, 3.0)
    defects = torch.diag(_vector(2.5, 0.1, 0.1))
    eye = torch.eye(3, dtype=torch.float64)
    found = enclose(values[None], eye[None], defects[None], _vector(0.0))
    assert found.clusters[0].tolist() == [0, 0, 0]


def test_a_multiple_eigenvalue_is_certified_as_a_space() -> None:
    # The vectors within a cluster are arbitrary, its space is not: a quadratic bound for all ten.
    levels = [3.0] * 10 + np.linspace(-1, 1, 10).tolist()
    h = planted.symmetric(levels, seed=0)
    frame = torch.linalg.eigh(h)[1][:, -10:] + 1e-6 * planted.normal(20, 10, seed=1)
    frame = torch.linalg.qr(frame).Q
    frame = frame @ torch.linalg.eigh(frame.mT @ h @ frame)[1]
    values, found = _enclose(h, frame, spread=1e-13)
    assert (values - 3).abs().max() <= float(found.cluster_radii.max())
    assert float(found.cluster_radii.max()) <= 1e-9
    assert sorted(set(found.clusters[0].tolist())) == [0]


def test_a_pair_that_stands_twice_counts_once() -> None:
    h = torch.diag(_vector(-2.0, 1.0, 3.0))
    vectors = torch.eye(3, dtype=torch.float64)[:, [2, 0, 0]]
    values, found = _enclose(h, vectors, known=False, error=1e-12)
    assert found.clusters[0, 1] == found.clusters[0, 2]
    bounds = index_bounds(values[None], vectors[None], found)
    assert (bounds.low.tolist(), bounds.high.tolist()) == ([1], [2])


# The index


@pytest.mark.parametrize(
    ("chosen", "error", "expected"),
    [
        ([0, 1, 2, 3, 4], 1e-12, (2, 2)),
        ([0, 4], 1e-12, (1, 4)),
        ([3, 4], 1e-12, (0, 3)),
        ([0, 1], 1e-12, (2, 5)),
        ([0, 1, 2, 3, 4], 0.2, (1, 3)),  # -0.1 and 0.1 may be on either side
        ([0, 1, 2, 3, 4], 10.0, (0, 5)),
    ],
)
def test_pairs_bound_the_index_by_what_lies_clear_of_zero(
    chosen: list[int], error: float, expected: tuple[int, int]
) -> None:
    h = torch.diag(_vector(-3.0, -0.1, 0.1, 2.0, 5.0))
    vectors = torch.eye(5, dtype=torch.float64)[:, chosen]
    values, found = _enclose(h, vectors, error=error, known=False)
    bounds = index_bounds(values[None], vectors[None], found)
    assert (int(bounds.low), int(bounds.high)) == expected
    assert bounds.certain.tolist() == [expected[0] == expected[1]]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("levels", "low", "high"),
    [
        ([-1e-9, 1e-9, 1.0], 1, 1),
        ([1e-9] * 5 + [1.0], 0, 0),
        ([-1e-9] * 5 + [1.0], 5, 5),
        ([-1e-9] * 3 + [1e-9] * 4 + [-1.0, 1.0], 4, 4),
        ([0.0, 0.0, 1.0, -1.0], 1, 3),
        ([1e-20, 1.0], 0, 1),
        ([2.0], 0, 0),
        ([-2.0], 1, 1),
        ([0.0], 0, 1),
        ([-1e-200, 1e-200], 1, 1),
        ([-1e160, 2e160, 3e160], 1, 1),
    ],
    ids=str,
)
def test_the_morse_index_is_certain_just_as_far_as_numbers_reach(
    levels: list[float], low: int, high: int, seed: int
) -> None:
    h = planted.symmetric(levels, seed=seed)
    index = morse_index(h[None], _vector(0.0))
    assert (int(index.low), int(index.high)) == (low, high)
    assert index.certain.tolist() == [low == high]


@pytest.mark.parametrize(("error", "low", "high"), [(1e-12, 2, 2), (1e-3, 1, 3), (2.0, 0, 4)])
def test_an_error_of_the_hessian_widens_the_index(error: float, low: int, high: int) -> None:
    h = planted.symmetric([-1.5, -1e-4, 1e-4, 1.5], seed=0)
    index = morse_index(h[None], _vector(error))
    assert (int(index.low), int(index.high)) == (low, high)


def test_the_index_of_many_points_at_once() -> None:
    spectra = [[1.0, 2.0, 3.0], [-1.0, 2.0, 3.0], [-3.0, -2.0, -1.0], [-1.0, 0.0, 1.0]]
    h = torch.stack([planted.symmetric(s, seed=i) for i, s in enumerate(spectra)])
    for dtype in (torch.float64, torch.float32):
        index = morse_index(h.to(dtype), torch.full((4,), 1e-5, dtype=dtype))
        assert index.low.tolist() == [0, 1, 3, 1]
        assert index.high.tolist() == [0, 1, 3, 2]
        assert index.certain.tolist() == [True, True, True, False]
    assert MorseIndex(torch.tensor([1]), torch.tensor([2])).certain.tolist() == [False]


# The error of products


def _cancelling(depth: float) -> tuple[Landscape, Tensor]:
    """A quadratic of (1 + depth)·y - depth·y: |H| is 1, digits are lost by the depth."""
    a = planted.symmetric(np.linspace(-1, 1, 12).tolist(), seed=0)

    def energy(y: Tensor) -> Tensor:
        z = (1 + depth) * y - depth * y
        return ((z @ a) * z).sum(-1) / 2

    return Landscape.of(energy, 12), a


def _measured(land: Landscape, y: Tensor) -> float:
    return float(roundoff(land, y, None, torch.ones(1, dtype=y.dtype)))


@pytest.mark.parametrize("depth", [1e3, 1e6, 1e9])
def test_roundoff_sees_digits_that_cancel(depth: float) -> None:
    land, a = _cancelling(depth)
    y = planted.normal(1, 12, seed=1)
    plain = _measured(_cancelling(0.0)[0], y)
    assert 4 * EPS <= plain <= 1e3 * EPS
    lost = float(torch.linalg.matrix_norm(land.hessian(y)[0] - a, 2))
    found = _measured(land, y)
    assert lost <= found <= 1e4 * EPS * depth
    assert found > 10 * plain


def test_what_cancels_widens_the_intervals_of_a_spectrum() -> None:
    y = planted.normal(2, 12, seed=2)
    widths = [float(spectrum(_cancelling(depth)[0], y).radii.max()) for depth in (0.0, 1e8)]
    assert widths[0] <= 1e3 * EPS
    assert widths[1] >= 1e6 * widths[0]
    land, a = _cancelling(1e8)
    found = spectrum(land, y)
    truth = torch.linalg.eigvalsh(a)
    assert bool(((found.eigenvalues - truth).abs() <= found.radii).all())


@pytest.mark.parametrize(
    "fn",
    [
        lambda y: torch.expm1(y).square().sum(-1),
        lambda y: (y[:, :1] * 1e4 + y).sin().sum(-1),
        lambda y: torch.logsumexp(3 * y, dim=-1),
    ],
    ids=["expm1", "a steep sine", "log-sum-exp"],
)
def test_roundoff_covers_what_float32_loses(fn: Callable[[Tensor], Tensor]) -> None:
    land = Landscape.of(fn, 6)
    for seed in range(5):
        y = planted.normal(1, 6, seed=seed).float()
        rough, exact = land.hessian(y).double(), land.hessian(y.double())
        lost = float(torch.linalg.matrix_norm(rough - exact, 2)[0])
        norm = torch.linalg.matrix_norm(exact, 2)
        assert lost <= float(roundoff(land, y, None, norm.float()))


def test_products_that_were_made_otherwise_are_compared_with_fresh_ones() -> None:
    land, a = _cancelling(0.0)
    y = planted.normal(1, 12, seed=3)
    probes, norm = probe_vectors(y), torch.ones(1, dtype=torch.float64)
    assert torch.equal(probes, probe_vectors(planted.normal(1, 12, seed=4)))
    assert (torch.linalg.vector_norm(probes, dim=2) - 1).abs().max() <= 10 * EPS
    good = roundoff(land, y, probes @ a, norm)
    off = planted.symmetric(np.linspace(-1, 1, 12).tolist(), seed=5) * 1e-5
    bad = roundoff(land, y, probes @ (a + off), norm)
    assert float(good) <= 1e3 * EPS
    assert float(bad) >= float(torch.linalg.matrix_norm(off, 2))


def test_lapack_s_error_grows_with_size_norm_and_precision() -> None:
    norm = _vector(2.0, 6.0)
    found = lapack_error(100, torch.float64, norm)
    assert (found / norm / (1000 * EPS) - 1).abs().max() <= 1e-12
    assert float(lapack_error(100, torch.float32, norm)[0]) == pytest.approx(
        2000 * torch.finfo(torch.float32).eps
    )
