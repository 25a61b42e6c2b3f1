"""Local minima that are known in closed form, from every kind of start."""

import numpy as np
import pytest
import torch
from scipy.optimize import rosen_der, rosen_hess
from torch import Tensor

import planted
from ired_interp.errors import NonFiniteError, ShapeError
from ired_interp.landscape import Landscape
from ired_interp.minimise import minimise


def _rosenbrock() -> Landscape:
    def energy(y: Tensor) -> Tensor:
        valley = (y[:, 1:] - y[:, :-1].square()).square()
        return (100 * valley + (1 - y[:, :-1]).square()).sum(-1)

    return Landscape.of(energy, 4)


@pytest.mark.parametrize("condition", [1.0, 1e3, 1e6])
@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_a_quadratic_ends_at_its_centre(condition: float, size: float) -> None:
    a = planted.symmetric([size, size * condition**0.5, size * condition], seed=0)
    centre = planted.normal(3, seed=1)
    start = 3 * planted.normal(6, 3, seed=2)
    found = minimise(planted.quadratic(a, centre), start)
    assert bool(found.converged.all())
    # ‖∇E‖ ≤ 1e-10·‖H‖·max(1, ‖y‖), so that ‖y - c‖ ≤ 1e-10·κ·max(1, ‖y‖).
    gap = (found.y - centre).norm(dim=1)
    assert bool((gap <= 1e-10 * condition * max(1, float(centre.norm()))).all())
    gradient = ((found.y - centre) @ a).norm(dim=1)
    assert torch.allclose(found.gradient_norm, gradient, rtol=1e-6, atol=1e-16 * size * condition)
    # At the bottom round-off of the step decides: (ε·‖y‖)²·‖H‖ and less.
    assert found.energy.abs().max() <= 1e-15 * size * condition


def test_a_quadratic_in_one_dimension_takes_few_hessians() -> None:
    found = minimise(
        planted.quadratic(torch.tensor([[2.0]], dtype=torch.float64)),
        torch.ones(1, 1, dtype=torch.float64),
    )
    assert bool(found.converged[0])
    assert found.y.abs().max() < 1e-10
    assert 2 <= int(found.num_steps[0]) < 10


def test_the_double_well_falls_to_the_side_it_starts_on() -> None:
    start = planted.normal(20, 3, seed=0)
    start[:, 0] = torch.linspace(0.05, 3, 10).repeat(2).double()
    start[10:, 0] *= -1
    found = minimise(planted.double_well(), start)
    assert bool(found.converged.all())
    expected = torch.zeros(20, 3, dtype=torch.float64)
    expected[:10, 0], expected[10:, 0] = 1, -1
    assert (found.y - expected).abs().max() < 1e-9
    assert found.energy.abs().max() < 1e-18


@pytest.mark.parametrize("off", [0.0, 1e-12, -1e-12])
def test_the_double_well_is_left_from_its_saddle(off: float) -> None:
    # At the saddle the gradient is exactly 0, in the hard case it does not see the descent.
    start = torch.tensor([[off, 0.0, 0.0], [off, 0.7, -0.2]], dtype=torch.float64)
    found = minimise(planted.double_well(stiffness=5.0), start)
    assert bool(found.converged.all())
    assert (found.y[:, 0].abs() - 1).abs().max() < 1e-9
    assert found.y[:, 1:].abs().max() < 1e-9
    if off:
        assert bool((found.y[:, 0].sign() == torch.tensor(off).sign()).all())


def test_the_top_of_a_hill_is_no_minimum() -> None:
    # E = cos y_0 + cos y_1: a maximum at 0, minima at odd multiples of π.
    land = Landscape.of(lambda y: y.cos().sum(-1), 2)
    found = minimise(land, torch.zeros(1, 2, dtype=torch.float64))
    assert bool(found.converged.all())
    assert (found.energy + 2).abs().max() < 1e-14
    turns = found.y / torch.pi
    assert (turns - turns.round()).abs().max() < 1e-9
    assert bool((turns.round().remainder(2) == 1).all())


def test_rosenbrock() -> None:
    start = torch.cat(
        [torch.tensor([[-1.2, 1.0, -1.2, 1.0]], dtype=torch.float64), planted.normal(5, 4, seed=3)]
    )
    land = _rosenbrock()
    found = minimise(land, start)
    assert bool(found.converged.all())
    # In four dimensions there is a second minimum.
    second = torch.tensor([-0.775659, 0.613093, 0.382063, 0.145972], dtype=torch.float64)
    ends = torch.stack([torch.ones(4, dtype=torch.float64), second])
    for y in found.y:
        assert (y - ends).norm(dim=1).min() < 1e-5
        assert np.linalg.norm(rosen_der(y.numpy())) < 1e-6
        assert np.linalg.eigvalsh(rosen_hess(y.numpy())).min() > 0
    assert bool(((found.y - 1).norm(dim=1) < 1e-7).any())


@pytest.mark.parametrize("radius", [0.5, 1.5])
def test_a_ring_of_minima_is_reached_and_counts_as_a_minimum(radius: float) -> None:
    # One eigenvalue is exactly 0 there: not below -tol·‖H‖, so it is a minimum.
    start = torch.cat([planted.normal(8, 3, seed=4), torch.zeros(1, 3, dtype=torch.float64)])
    land = planted.ring(radius=radius)
    found = minimise(land, start)
    assert bool(found.converged.all())
    assert (found.y[:, :2].norm(dim=1) - radius).abs().max() < 1e-9
    assert found.y[:, 2].abs().max() < 1e-9
    values = torch.linalg.eigvalsh(land.hessian(found.y))
    expected = torch.tensor(sorted([0.0, 1.0, 2 * radius**2]), dtype=torch.float64)
    assert (values - expected).abs().max() < 1e-7


def test_a_degenerate_minimum_is_reached() -> None:
    # E = y⁴ has no curvature at its minimum: Newton gains a factor 2/3 a step.
    found = minimise(
        Landscape.of(lambda y: y[:, 0] ** 4, 1), torch.tensor([[2.0], [-1.0]], dtype=torch.float64)
    )
    assert bool(found.converged.all())
    assert found.y.abs().max() < 1e-8


@pytest.mark.parametrize("offset", [1e3, 1e8, -1e8])
def test_an_offset_of_the_energy_does_not_stop_the_descent(offset: float) -> None:
    # Differences of E drown in round-off near the bottom: there the gradient decides.
    well = planted.double_well()
    land = Landscape.of(
        lambda y: offset + (y[:, 0].square() - 1).square() / 4 + y[:, 1:].square().sum(-1) / 2, 3
    )
    start = planted.normal(10, 3, seed=5)
    found = minimise(land, start)
    assert bool(found.converged.all())
    assert ((found.y[:, 0].abs() - 1).abs()).max() < 1e-9
    assert well.gradient(found.y).norm(dim=1).max() < 1e-9


@pytest.mark.parametrize("seed", range(3))
def test_cancellation_in_the_energy_does_not_stop_the_descent(seed: int) -> None:
    # E = ½yᵀAy - bᵀy + ½cᵀAc: its terms are 1e6 times its value near the minimum c.
    a = planted.symmetric([1.0, 3.0, 50.0], seed=seed)
    centre = 1000 * planted.normal(3, seed=seed + 1)
    b, offset = a @ centre, centre @ a @ centre / 2

    def energy(y: Tensor) -> Tensor:
        return ((y @ a) * y).sum(-1) / 2 - y @ b + offset

    found = minimise(Landscape.of(energy, 3), centre + planted.normal(20, 3, seed=seed + 2))
    assert bool(found.converged.all())
    assert (found.y - centre).norm(dim=1).max() <= 1e-10 * 50 * centre.norm()


def test_too_few_steps_are_marked_not_raised() -> None:
    start = torch.tensor([[0.3, 1.0, 1.0], [1.0, 0.0, 0.0]], dtype=torch.float64)
    found = minimise(planted.double_well(), start, max_steps=1)
    assert found.converged.tolist() == [False, True]  # the second starts at the minimum
    assert found.num_steps.tolist() == [1, 1]
    enough = minimise(planted.double_well(), start)
    assert enough.converged.tolist() == [True, True]
    assert enough.num_steps[0] > 1


@pytest.mark.parametrize("name", ["slope and valley", "slope", "saddle"])
def test_an_energy_without_a_minimum_is_marked(name: str) -> None:
    energies = {
        "slope and valley": lambda y: y[:, 0] + y[:, 1].square(),
        "slope": lambda y: y.sum(-1),
        "saddle": lambda y: y[:, 0].square() - y[:, 1].square(),
    }
    land = Landscape.of(energies[name], 2)
    found = minimise(land, planted.normal(3, 2, seed=6), max_steps=45)
    assert not bool(found.converged.any())


def test_steps_out_of_the_energy_s_domain_are_taken_back() -> None:
    # A barrier: E is not a number beyond |y_i| = 1, and a first step of .1 crosses it.
    def energy(y: Tensor) -> Tensor:
        return -(1 - y.square()).log().sum(-1) + (y[:, 0] - 2).square() * 5

    start = torch.tensor([[0.5, 0.999], [0.0, 0.0]], dtype=torch.float64)
    found = minimise(Landscape.of(energy, 2), start, tol=1e-14)
    assert bool(found.converged.all())
    # 2a/(1 - a²) = 10·(2 - a), and the bowl of the other entry.
    first = found.y[:, 0]
    assert (2 * first / (1 - first.square()) - 10 * (2 - first)).abs().max() < 1e-8
    assert float(found.y[:, 1].abs().max()) < 1e-10


def test_a_start_out_of_the_domain_is_an_error_that_says_so() -> None:
    start = torch.tensor([[2.0], [0.5]], dtype=torch.float64)
    with pytest.raises(
        NonFiniteError, match=r"energy is NaN or infinite at 1 of 2 rows \(first: row 0"
    ):
        minimise(Landscape.of(lambda y: -(1 - y.square()).log().sum(-1), 1), start)


def test_steps_to_where_the_energy_refuses_are_taken_back() -> None:
    # -log det of a matrix by its Cholesky factor, which torch refuses beyond the cone: an error
    # and no NaN, of the whole batch.
    def energy(y: Tensor) -> Tensor:
        rows = torch.stack([y[:, 0], y[:, 1], y[:, 1], y[:, 2]], dim=1).view(-1, 2, 2)
        factor = torch.linalg.cholesky(rows)
        trace = y[:, 0] + y[:, 2]
        determined: Tensor = trace - 2 * factor.diagonal(dim1=1, dim2=2).log().sum(-1)
        return determined

    start = torch.tensor([[60.0, 0.3, 0.1], [1.5, 0.2, 0.9]], dtype=torch.float64)
    found = minimise(Landscape.of(energy, 3), start)
    assert bool(found.converged.all())
    assert (found.y - torch.tensor([1.0, 0.0, 1.0])).abs().max() < 1e-8


def test_a_row_whose_hessian_is_not_finite_does_not_stop_the_others() -> None:
    # |y|^(3/2) has a slope of 0 at 0, and no second derivative there.
    start = torch.tensor([[0.0], [1.5]], dtype=torch.float64)
    found = minimise(
        Landscape.of(lambda y: (y.abs() ** 1.5 + y.square() ** 2).sum(-1) - y[:, 0], 1), start
    )
    assert found.converged.tolist() == [False, True]


def test_converged_rows_are_minima_by_the_stated_rule() -> None:
    model = planted.steeper(planted.network(3, 4, width=12, seed=4, gain=2.0), 2.0)
    x, start = planted.normal(12, 3, seed=7), planted.normal(12, 4, seed=8)
    land = Landscape(model, x, 6)
    found = minimise(land, start)
    h = land.hessian(found.y)
    norm = torch.linalg.matrix_norm(h, ord=2)
    values = torch.linalg.eigvalsh(h)
    size = found.y.norm(dim=1).clamp_min(1)
    gradient = land.gradient(found.y).norm(dim=1)
    good = (gradient <= 1e-10 * norm * size) & (values[:, 0] >= -1e-10 * norm)
    assert bool(found.converged.any())
    assert torch.equal(found.converged, good)
    assert torch.allclose(found.energy, land.energy(found.y), rtol=1e-12)
    assert torch.allclose(found.gradient_norm, gradient, rtol=1e-3, atol=1e-12)
    assert bool((found.energy <= land.energy(start) * (1 + 1e-14)).all())


def test_a_row_alone_ends_where_it_ends_in_the_batch() -> None:
    model = planted.steeper(planted.network(3, 4, width=12, seed=4, gain=2.0), 2.0)
    x, start = planted.normal(6, 3, seed=7), planted.normal(6, 4, seed=8)
    together = minimise(Landscape(model, x, [1, 3, 5, 7, 9, 10]), start)
    for i, level in enumerate([1, 3, 5, 7, 9, 10]):
        alone = minimise(Landscape(model, x[i : i + 1], level), start[i : i + 1])
        assert bool(alone.converged[0]) == bool(together.converged[i])
        if alone.converged[0]:
            assert (alone.y[0] - together.y[i]).norm() < 1e-7


def test_the_start_is_not_moved() -> None:
    start = planted.normal(4, 3, seed=0)
    before = start.clone()
    leaf = start.clone().requires_grad_()
    found = minimise(planted.double_well(), start)
    minimise(planted.double_well(), leaf)
    assert torch.equal(start, before)
    assert not found.y.requires_grad


def test_float32_has_a_tolerance_of_its_own() -> None:
    found = minimise(
        Landscape.of(lambda y: (y[:, 0].square() - 1).square() / 4 + y[:, 1].square(), 2),
        planted.normal(6, 2, seed=9).float(),
    )
    assert found.y.dtype == torch.float32
    assert bool(found.converged.all())
    assert (found.y[:, 0].abs() - 1).abs().max() < 1e-4


def test_wrong_requests_are_refused() -> None:
    land = planted.double_well()
    y = planted.normal(2, 3, seed=0)
    for tol in (0.0, -1.0, float("nan")):
        with pytest.raises(ShapeError, match="tol > 0"):
            minimise(land, y, tol=tol)
    with pytest.raises(ShapeError, match="max_steps ≥ 1"):
        minimise(land, y, max_steps=0)
    with pytest.raises(NonFiniteError, match="y"):
        minimise(land, y * torch.nan)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("blind", [0.0, 1e-12, 1.0])
@pytest.mark.parametrize("lowest", [-2.0, 0.0, 0.5])
def test_the_first_step_solves_the_trust_region_problem(
    lowest: float, blind: float, seed: int
) -> None:
    # On a quadratic the model is the energy and its step is taken. ``blind``: how far the starts
    # lie along the lowest eigenvector; at 0 the gradient does not see it.
    n, d, radius = 16, 5, 0.7
    values = torch.cat([torch.tensor([lowest]).double(), 1 + planted.normal(d - 1, seed=seed) ** 2])
    basis = torch.linalg.qr(planted.normal(d, d, seed=seed + 100)).Q
    a = (basis * values) @ basis.T
    start = planted.normal(n, d, seed=seed + 200)
    start[:, 0] *= blind
    start = start @ basis.T
    found = minimise(planted.quadratic((a + a.T) / 2), start, max_steps=2, first_radius=radius)
    step = found.y - start
    # Conn, Gould & Toint (2000), theorem 7.2.1: (H + λ)p = -g, λ ≥ 0, H + λ positive
    # semi-definite, and λ = 0 or ‖p‖ is the radius.
    length = step.norm(dim=1)
    pull = -found.y @ a
    multiplier = (pull * step).sum(dim=1) / length.square()
    assert bool((length <= radius * (1 + 1e-12)).all())
    assert bool((multiplier >= max(0.0, -lowest) - 1e-9).all())
    assert (pull - multiplier[:, None] * step).norm(dim=1).max() < 1e-9
    assert bool(((multiplier.abs() < 1e-9) | (length > radius * (1 - 1e-9))).all())
