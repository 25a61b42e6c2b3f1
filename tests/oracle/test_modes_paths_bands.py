"""Minima, barriers and bands on landscapes whose minima and saddles are known."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from torch import Tensor

import ired_interp as ii
import planted
from ired_interp.bands import Band, find_saddle, nudged_elastic_band
from ired_interp.draws import RowDraws
from ired_interp.errors import ManifoldError, ShapeError
from ired_interp.geometry import fixed_rank, spd
from ired_interp.landscape import Landscape
from ired_interp.modes import (
    NoMode,
    SeveralModes,
    SingleMode,
    find_modes,
    num_minima,
    same_minimum,
)
from ired_interp.paths import (
    barrier,
    convexity,
    energy_along,
    low_rank_path,
    spd_path,
    straight_path,
)

# Müller & Brown (1979), doi:10.1007/BF00547608: stationary points by mpmath.findroot in 40 digits.
MINIMA = torch.tensor(
    [
        [-0.558223634633024277, 1.44172584180466866],
        [0.62349940493087651, 0.0280377585286856657],
        [-0.0500108229982060578, 0.466694104871972088],
    ],
    dtype=torch.float64,
)
MINIMUM_ENERGY = torch.tensor(
    [-146.699517209954013, -108.166724116852355, -80.7678181296590282], dtype=torch.float64
)
HIGH_SADDLE, LOW_SADDLE = -40.6648435086574043, -72.2489401123252115


def mueller_brown() -> Landscape:
    """The potential, with its published parameters."""
    size = torch.tensor([-200.0, -100.0, -170.0, 15.0], dtype=torch.float64)
    a = torch.tensor([-1.0, -1.0, -6.5, 0.7], dtype=torch.float64)
    b = torch.tensor([0.0, 0.0, 11.0, 0.6], dtype=torch.float64)
    c = torch.tensor([-10.0, -10.0, -6.5, 0.7], dtype=torch.float64)
    x0 = torch.tensor([1.0, 0.0, -0.5, -1.0], dtype=torch.float64)
    y0 = torch.tensor([0.0, 0.5, 1.5, 1.0], dtype=torch.float64)

    def energy(z: Tensor) -> Tensor:
        x, y = z[:, :1] - x0, z[:, 1:] - y0
        energies: Tensor = (size * (a * x * x + b * x * y + c * y * y).exp()).sum(-1)
        return energies

    return Landscape.of(energy, 2)


def bent_valley() -> Landscape:
    """E = 50(r - 2)² + sin²θ, rounded off at r = 0: minima at (±2, 0), saddles near (0, ±2), E ≈ 1.

    The straight line between the minima goes through the origin, where E is about 200.
    """

    def energy(y: Tensor) -> Tensor:
        squared = y.square().sum(-1) + 1e-6
        turned: Tensor = y[:, 1].square() / squared
        return 50 * (squared.sqrt() - math.sqrt(4 + 1e-6)).square() + turned

    return Landscape.of(energy, 2)


def relaxed(land: Landscape, a: Tensor, b: Tensor, num: int, **how: float) -> Band:
    return nudged_elastic_band(land, straight_path(a, b, num), **how)  # type: ignore[arg-type]


# --- minima ---------------------------------------------------------------------------------


def test_a_quadratic_is_a_single_mode() -> None:
    a, centre = planted.symmetric([0.5, 2.0, 9.0], seed=0), planted.normal(3, seed=1)
    (found,) = find_modes(planted.quadratic(a, centre), 5 * planted.normal(1, 20, 3, seed=2))
    assert isinstance(found, SingleMode)
    assert (found.y - centre).norm() < 1e-8
    assert found.num_converged == found.num_starts == 20
    assert found.spread < 1e-8
    assert math.isclose(found.softness, 0.5 / 9.0, rel_tol=1e-10)
    assert (num_minima(found), same_minimum(found)) == (1, 1.0)


def test_a_double_well_has_two_minima_and_their_shares() -> None:
    starts = planted.normal(1, 30, 3, seed=0)
    starts[0, :, 0] = starts[0, :, 0].abs()
    starts[0, :12, 0] *= -1
    (found,) = find_modes(planted.double_well(), starts)
    assert isinstance(found, SeveralModes)
    assert found.counts.tolist() == [18, 12]  # the most visited first
    assert torch.allclose(found.y[:, 0], torch.tensor([1.0, -1.0]).double(), atol=1e-9)
    assert math.isclose(found.separation, 2.0, rel_tol=1e-9)
    assert found.spread < 1e-9
    assert num_minima(found) == 2
    expected = (18 * 17 + 12 * 11) / (30 * 29)
    assert math.isclose(same_minimum(found), expected, rel_tol=1e-14)


def test_pairs_that_end_together_are_estimated_without_bias() -> None:
    # Starts fall to either side with probability 1/2: the truth is 1/2 for any number of starts.
    starts = planted.normal(50, 4, 1, seed=3)
    found = find_modes(planted.double_well(1), starts)
    shares = torch.tensor([same_minimum(modes) for modes in found])
    assert abs(float((shares.mean() - 0.5) / (shares.std() / 50**0.5))) < 5


@pytest.mark.parametrize(("tol", "expected"), [(1e-4, 2), (0.3, 2), (0.7, 1)])
def test_the_tolerance_decides_what_is_one_minimum(tol: float, expected: int) -> None:
    # Wells at ±¼ in units where max(1, ‖y‖) = 1: they are ½ apart.
    land = Landscape.of(lambda y: ((4 * y[:, 0]) ** 2 - 1).square() + y[:, 1].square(), 2)
    (found,) = find_modes(land, 0.3 * planted.normal(1, 20, 2, seed=1), tol=tol)
    assert num_minima(found) == expected
    if isinstance(found, SingleMode):
        assert math.isclose(found.spread, 0.5, rel_tol=1e-6)  # and it says that it was lenient


def test_distance_is_measured_by_the_size_of_y() -> None:
    # The same wells a thousand away: ½ is 5e-4 of ‖y‖.
    far = Landscape.of(lambda y: ((4 * (y[:, 0] - 1e3)) ** 2 - 1).square(), 1)
    starts = 1e3 + 0.3 * planted.normal(1, 20, 1, seed=1)
    (told,) = find_modes(far, starts, tol=1e-4)
    (one,) = find_modes(far, starts, tol=1e-3)
    assert isinstance(told, SeveralModes)
    assert math.isclose(told.separation, 5e-4, rel_tol=1e-3)
    assert isinstance(one, SingleMode)


def test_a_valley_shows_in_its_softness() -> None:
    # A circle of minima: the count means nothing there, and softness says so.
    (found,) = find_modes(planted.ring(), planted.normal(1, 6, 3, seed=0))
    assert isinstance(found, SeveralModes)
    assert float(found.softness.abs().max()) < 1e-9


def test_an_energy_without_a_minimum_is_a_typed_answer() -> None:
    (found,) = find_modes(
        Landscape.of(lambda y: y.sum(-1), 2), planted.normal(1, 3, 2, seed=0), max_steps=20
    )
    assert found == NoMode(3)
    assert num_minima(found) == 0
    assert math.isnan(same_minimum(found))


def test_descents_in_float32_to_one_minimum_are_one() -> None:
    # Their ends are up to 2e-4 apart: at the tolerance of float64 they were counted as two.
    problems = ii.task("inverse", size=4).sample(3, seed=0)
    draws = RowDraws(3, seed=0, purpose="exp002/starts")
    starts = (5 * draws.normal(8, 16)).float()
    land = Landscape(ii.load_model("inverse-4").float(), problems.x.float(), 1)
    assert all(isinstance(modes, SingleMode) for modes in find_modes(land, starts))
    assert any(isinstance(modes, SeveralModes) for modes in find_modes(land, starts, tol=1e-4))


def test_rows_are_searched_apart() -> None:
    x = torch.tensor([[1.0], [-1.0]], dtype=torch.float64)
    # x > 0: two wells; x < 0: one.
    land = Landscape.of(lambda x, y: (y[:, 0] ** 2 - x[:, 0]) ** 2, 1, x=x)
    two, one = find_modes(land, planted.normal(2, 12, 1, seed=0))
    assert isinstance(two, SeveralModes)
    assert isinstance(one, SingleMode)
    with pytest.raises(ShapeError, match="share in"):
        find_modes(land, planted.normal(2, 12, 1, seed=0), tol=0.0)


def test_the_minima_of_mueller_and_brown() -> None:
    starts = torch.rand(1, 60, 2, generator=torch.Generator().manual_seed(0)).double()
    starts = starts * torch.tensor([1.8, 1.6]) + torch.tensor([-1.1, -0.1])
    (found,) = find_modes(mueller_brown(), starts)
    assert isinstance(found, SeveralModes)
    assert len(found.y) == 3
    order = found.energy.argsort()
    assert torch.allclose(found.y[order], MINIMA, atol=1e-9)
    assert torch.allclose(found.energy[order], MINIMUM_ENERGY, rtol=1e-12)


# --- barriers -------------------------------------------------------------------------------


def test_both_definitions_of_a_barrier() -> None:
    # E = s(1 - s) + s along a line of length 3: ends 0 and 1, chord s, peak 1 at s = 1.
    images = straight_path(torch.zeros(1, 2).double(), torch.tensor([[0.0, 3.0]]).double(), 101)
    s = torch.linspace(0, 1, 101).double()
    found = barrier((s * (1 - s) + s)[None], images)
    assert float(found.height) == 0.0
    assert math.isclose(float(found.excess), 0.25, rel_tol=1e-14)
    assert float(found.place) == 1.0
    assert math.isclose(float(found.length), 3.0, rel_tol=1e-14)
    bumped = barrier((10 * s * (1 - s) + s)[None], images)
    fine = minimize_scalar(lambda t: -(10 * t * (1 - t) + t), bounds=(0, 1), method="bounded")
    assert math.isclose(float(bumped.height), -fine.fun - 1, rel_tol=1e-3)
    assert math.isclose(float(bumped.excess), 2.5, rel_tol=1e-14)
    assert math.isclose(float(bumped.place), 0.55, rel_tol=1e-12)


def test_the_arc_length_is_what_counts_and_not_the_number_of_images() -> None:
    # Images crowd near the start; E is linear along the line, so nothing stands above the chord.
    places = torch.tensor([0.0, 0.01, 0.02, 0.5, 1.0]).double()
    images = places[None, :, None] * torch.tensor([3.0, 4.0]).double()
    found = barrier(7 * places[None], images)
    assert float(found.excess) < 1e-14
    assert math.isclose(float(found.length), 5.0)
    assert bool(convexity(7 * places[None], images).isnan())


@pytest.mark.parametrize("num", [11, 21, 41])
def test_the_barrier_of_a_double_well_at_three_resolutions(num: int) -> None:
    land = planted.double_well()
    a = torch.tensor([[-1.0, 0.0, 0.0]], dtype=torch.float64)
    line = straight_path(a, -a, num)
    found = barrier(energy_along(land, line), line)
    assert math.isclose(float(found.height), 0.25, rel_tol=1e-14)
    assert math.isclose(float(found.excess), 0.25, rel_tol=1e-14)
    # Every second image of 11 or 21 skips the middle, of 41 not.
    missed = {11: 0.25 - (0.04 - 1) ** 2 / 4, 21: 0.0, 41: 0.0}[num]
    assert math.isclose(float(found.resolution), missed, abs_tol=1e-15)


def test_convexity_scores_in_closed_form() -> None:
    def score(energy_fn: object, low: float, high: float) -> float:
        ends = torch.tensor([[low]]).double(), torch.tensor([[high]]).double()
        line = straight_path(*ends, 2001)
        return float(convexity(energy_fn(line[..., 0]), line))  # type: ignore[operator]

    assert score(lambda y: 3 * y * y - y, -2, 5) == 1.0
    assert score(lambda y: -y * y, -2, 5) == -1.0
    # E' = y³ - y rises, falls and rises again between the wells: it nets 0, but for the half steps
    # of 1/2000 by which the first and the last slope lie inside.
    assert abs(score(lambda y: (y * y - 1) ** 2 / 4, -1, 1)) < 2e-3
    # From -a to a: net 2(a³ - a), total variation that plus twice the fall 4/√27 in the middle.
    a, fall = 2.0, 4 / math.sqrt(27)
    net = 2 * (a**3 - a)
    assert math.isclose(
        score(lambda y: (y * y - 1) ** 2 / 4, -a, a), net / (net + 2 * fall), rel_tol=1e-3
    )
    # An offset of 1e6 drowns nothing but round-off.
    assert score(lambda y: 1e6 + y * y, -2, 5) == 1.0


def test_a_score_of_noise_is_zero_on_average() -> None:
    energy = planted.normal(2_000, 30, seed=0)
    line = straight_path(torch.zeros(2_000, 1).double(), torch.ones(2_000, 1).double(), 30)
    scores = convexity(energy, line)
    assert abs(float(scores.mean() / (scores.std() / 2_000**0.5))) < 5


# --- geodesics ------------------------------------------------------------------------------


def test_a_low_rank_path_keeps_its_rank_and_its_ends() -> None:
    shape, rank = (5, 6), 2
    a, b = (
        (planted.normal(3, 5, 2, seed=s) @ planted.normal(3, 2, 6, seed=s + 1)).flatten(1)
        for s in (0, 5)
    )
    path = low_rank_path(a, b, 9, shape=shape, rank=rank)
    assert torch.equal(path[:, 0], a)
    assert torch.equal(path[:, -1], b)
    sizes = torch.linalg.svdvals(path.reshape(3, 9, *shape))
    assert float(sizes[..., 2:].amax() / sizes.amax()) < 1e-13
    # The straight line between them has rank 4.
    line = straight_path(a, b, 9).reshape(3, 9, *shape)
    assert float(torch.linalg.svdvals(line)[:, 4, 3].min()) > 1e-2
    # Column spaces move along a geodesic: equal angles from image to image.
    u = fixed_rank.closest(path.reshape(3, 9, *shape), rank).u
    from scipy.linalg import subspace_angles

    for row in range(3):
        angles = np.array([subspace_angles(u[row, i], u[row, i + 1]) for i in range(8)])
        assert np.abs(angles - angles[0]).max() < 1e-7
    # Reversed ends, reversed path.
    back = low_rank_path(b, a, 9, shape=shape, rank=rank).flip(1)
    assert (back - path).abs().max() < 1e-11


def test_at_full_rank_the_low_rank_path_is_the_straight_line() -> None:
    a, b = planted.normal(2, 9, seed=0), planted.normal(2, 9, seed=1)
    path = low_rank_path(a, b, 5, shape=(3, 3), rank=3)
    assert (path - straight_path(a, b, 5)).abs().max() < 1e-12


def test_a_geodesic_of_positive_definite_matrices() -> None:
    # Commuting matrices: eigenvalues move geometrically.
    q = planted.orthogonal(3, seed=0)

    def made(*values: float) -> Tensor:
        return (q @ torch.diag(torch.tensor(values).double()) @ q.T).reshape(1, 9)

    path = spd_path(made(1.0, 2.0, 3.0), made(4.0, 2.0, 12.0), 3, size=3)
    assert torch.allclose(path[:, 1], made(2.0, 2.0, 6.0), atol=1e-13)
    with pytest.raises(ManifoldError, match="positive definite"):
        spd_path(made(1.0, 2.0, 3.0), made(-1.0, 2.0, 3.0), 3, size=3)
    # What is antisymmetric goes straight, beside the same geodesic.
    skew = planted.normal(2, 3, 3, seed=1)
    skew = (0.1 * (skew - skew.mT)).reshape(2, 9)
    ends = made(1.0, 2.0, 3.0) + skew[:1], made(4.0, 2.0, 12.0) + skew[1:]
    beside = spd_path(*ends, 3, size=3)
    assert torch.allclose(beside[:, 1], made(2.0, 2.0, 6.0) + skew.mean(dim=0), atol=1e-13)
    assert torch.equal(beside[:, 0], ends[0])
    whole = ends[0].reshape(1, 3, 3)
    assert float(spd.skew_share(whole)) == pytest.approx(float(skew[0].norm() / ends[0].norm()))
    assert float((spd.symmetric_part(whole).flatten(1) - made(1.0, 2.0, 3.0)).abs().max()) < 1e-15


def test_paths_that_cannot_begin_are_refused() -> None:
    a, b = planted.normal(1, 9, seed=0), planted.normal(1, 9, seed=1)
    with pytest.raises(ShapeError, match="rank ≤ 2, found 1 of 1 of higher rank"):
        low_rank_path(a, b, 5, shape=(3, 3), rank=2)
    with pytest.raises(ShapeError, match="at least 3 images"):
        straight_path(a, b, 2)
    with pytest.raises(ShapeError, match="rank"):
        low_rank_path(a, b, 5, shape=(3, 3), rank=4)
    with pytest.raises(ShapeError, match="two in one place"):
        convexity(torch.zeros(1, 3).double(), torch.zeros(1, 3, 2).double())


# --- bands ----------------------------------------------------------------------------------


@pytest.mark.parametrize("num", [5, 10, 15])
def test_a_band_finds_the_barrier_of_a_double_well(num: int) -> None:
    # From a path that bends away; an even number of images has none in the middle to begin with.
    a = torch.tensor([[-1.0, 0.0, 0.0]], dtype=torch.float64)
    first = straight_path(a, -a, num)
    first[:, 1:-1, 1] += 0.4 * torch.linspace(0, math.pi, num).sin()[1:-1]
    band = nudged_elastic_band(planted.double_well(stiffness=3.0), first)
    assert bool(band.converged.all())
    assert abs(float(band.energy.max()) - 0.25) < 1e-6
    saddle = band.images[0, int(band.peak[0])]
    assert float(saddle.norm()) < 1e-4
    # Equal arc length on either side of the climbing image.
    steps = band.images.diff(dim=1).norm(dim=2)[0]
    peak = int(band.peak[0])
    for part in (steps[:peak], steps[peak:]):
        assert float((part / part.mean() - 1).abs().max()) < 1e-3


@pytest.mark.parametrize("num", [9, 15])
def test_a_band_finds_the_saddle_of_mueller_and_brown(num: int) -> None:
    land = mueller_brown()
    band = relaxed(land, MINIMA[:1], MINIMA[1:2], num)
    assert bool(band.converged.all())
    assert abs(float(band.energy.max()) - HIGH_SADDLE) < 1e-6
    within = band.images.diff(dim=1).norm(dim=2).amax(dim=1)
    found = find_saddle(land, band.images[[0], band.peak], within=within)
    assert bool(found.found[0])
    assert int(found.num_negative[0]) == 1
    assert abs(float(found.energy[0]) - HIGH_SADDLE) < 1e-10
    line = straight_path(MINIMA[:1], MINIMA[1:2], num)
    straight = barrier(energy_along(land, line), line)
    true = HIGH_SADDLE - float(MINIMUM_ENERGY[1])
    assert float(straight.height) > true + 40  # the straight line overestimates it
    assert abs(float(barrier(band.energy, band.images).height) - true) < 1e-6


def test_a_band_over_the_lower_pass() -> None:
    band = relaxed(mueller_brown(), MINIMA[2:], MINIMA[1:2], 11)
    assert bool(band.converged.all())
    assert abs(float(band.energy.max()) - LOW_SADDLE) < 1e-6


def test_bands_of_several_rows_are_relaxed_apart() -> None:
    land = mueller_brown()
    a, b = MINIMA[[0, 2]], MINIMA[[1, 1]]
    together = relaxed(land, a, b, 7, tol=1e-4)
    alone = relaxed(land, a[1:], b[1:], 7, tol=1e-4)
    assert torch.allclose(together.energy[1], alone.energy[0], rtol=1e-9)
    assert torch.equal(together.num_steps[1:], alone.num_steps)


def test_a_bent_valley_where_the_straight_line_overestimates_the_barrier() -> None:
    land = bent_valley()
    a = torch.tensor([[2.0, 0.0]], dtype=torch.float64)
    first = straight_path(a, -a, 15)
    over = barrier(energy_along(land, first), first)
    assert float(over.height) > 150
    first[:, 1:-1, 1] += 0.3  # off the line of symmetry, where neither side is nearer
    band = nudged_elastic_band(land, first, max_steps=20_000)
    assert bool(band.converged.all())
    top = find_saddle(land, band.images[[0], band.peak], within=torch.full((1,), 0.3).double())
    assert bool(top.found[0])
    assert abs(float(band.energy.max()) - float(top.energy[0])) < 1e-6
    assert math.isclose(float(top.energy[0]), 1.0, abs_tol=1e-3)
    assert math.isclose(float(top.y.norm()), 2.0, abs_tol=1e-2)


def test_a_saddle_is_found_in_float32() -> None:
    # A double well, turned and moved: no number in float32 has a gradient of 1e-10·‖H‖ there.
    turn, offset = planted.orthogonal(3, seed=0).float(), 2 * planted.normal(3, seed=1).float()
    centre = turn @ offset

    def energy(y: Tensor) -> Tensor:
        z = y @ turn - offset
        energies: Tensor = (z[:, 0].square() - 1).square() / 4 + 1.5 * z[:, 1:].square().sum(1)
        return energies

    land, a = Landscape.of(energy, 3), turn[:, :1].T
    first = straight_path(centre - a, centre + a, 8)
    bow = 0.4 * torch.linspace(0, math.pi, 8).sin()[1:-1]
    first[:, 1:-1] += bow[:, None] * turn[:, 1]
    band = nudged_elastic_band(land, first)
    assert band.images.dtype == torch.float32
    assert bool(band.converged[0])
    found = find_saddle(land, band.images[[0], band.peak], within=torch.full((1,), 0.3))
    assert bool(found.found[0])
    assert int(found.num_negative[0]) == 1
    assert abs(float(found.energy[0]) - 0.25) < 1e-6
    assert float((found.y - centre).norm()) < 1e-4


def test_a_band_downhill_has_no_saddle_to_climb() -> None:
    # One bowl: the band lies along the way down, and nothing stands above its higher end.
    a = torch.tensor([[2.0, 1.0]], dtype=torch.float64)
    land = planted.quadratic(torch.eye(2, dtype=torch.float64))
    band = relaxed(land, a, 0 * a, 7)
    assert bool(band.converged.all())
    assert int(band.peak[0]) == 0
    found = barrier(band.energy, band.images)
    assert float(found.height) == 0.0
    saddle = find_saddle(land, band.images[[0], band.peak], within=torch.ones(1).double())
    assert not bool(saddle.found[0])
    assert bool(saddle.energy.isnan())


def test_too_few_steps_are_marked() -> None:
    band = relaxed(mueller_brown(), MINIMA[:1], MINIMA[1:2], 9, max_steps=3)
    assert not bool(band.converged[0])
    assert int(band.num_steps[0]) == 3
    assert bool(torch.equal(band.images[0, 0], MINIMA[0]))


def test_a_minimum_is_no_saddle() -> None:
    land = mueller_brown()
    found = find_saddle(land, MINIMA + 1e-3, within=torch.full((3,), 0.1).double())
    assert not bool(found.found.any())
    assert found.num_negative.tolist() == [0, 0, 0]


def test_wrong_bands_are_refused() -> None:
    land, a = planted.double_well(), torch.ones(1, 3, dtype=torch.float64)
    with pytest.raises(ShapeError, match="two in one place"):
        relaxed(land, a, a, 5)
    with pytest.raises(ShapeError, match="m ≥ 3"):
        nudged_elastic_band(land, planted.normal(1, 2, 3, seed=0))
    with pytest.raises(ShapeError, match="tol > 0"):
        relaxed(land, a, -a, 5, tol=0.0)
