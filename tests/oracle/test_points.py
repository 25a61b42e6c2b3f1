"""Where to look: the formula of each kind of point, chunks, minima, what is not found."""

import inspect

import pytest
import torch
from torch import Tensor

import planted
from ired_interp.draws import RowDraws
from ired_interp.energy.exact import exact_model
from ired_interp.energy.mlp import EnergyMLP
from ired_interp.errors import LevelError, UnknownNameError
from ired_interp.landscape import Landscape
from ired_interp.points import PointKind, locate
from ired_interp.schedule import cosine_schedule
from ired_interp.solve import solve
from ired_interp.tasks import task

SCHEDULE = cosine_schedule()
LEVELS = (1, 4, 10)
KINDS: tuple[PointKind, ...] = (
    "typical",
    "scaled_solution",
    "solution",
    "trajectory",
    "minimum",
)
TIMES = [10 - level for level in LEVELS]
SIGNAL = SCHEDULE.signal[TIMES][:, None]
SIGMA = SCHEDULE.sigma[TIMES][:, None]


def _case(n: int = 5) -> tuple[EnergyMLP, Tensor, Tensor]:
    model = planted.steeper(planted.network(3, 4, width=12, seed=4, gain=2.0), 2.0)
    return model, planted.normal(n, 3, seed=1), planted.normal(n, 4, seed=2)


def test_solutions_are_the_answer_with_and_without_the_level_s_scale() -> None:
    model, x, answer = _case()
    plain = locate("solution", model, x, answer, LEVELS, seed=0)
    scaled = locate("scaled_solution", model, x, answer, LEVELS, seed=0)
    for points in (plain, scaled):
        assert points.y.shape == (5, 3, 4)
        assert points.found.tolist() == [[True] * 3] * 5
    for i in range(3):
        assert torch.equal(plain.y[:, i], answer)
        assert torch.allclose(scaled.y[:, i], SIGNAL[i] * answer, rtol=1e-15)


def test_typical_points_share_their_noise_between_levels() -> None:
    model, x, answer = _case()
    points = locate("typical", model, x, answer, LEVELS, seed=3)
    noise = (points.y - SIGNAL * answer[:, None, :]) / SIGMA
    for i in range(1, 3):
        assert (noise[:, i] - noise[:, 0]).abs().max() < 1e-13
    draws = RowDraws(5, seed=3, purpose="points/noise").normal(4)
    assert (noise[:, 0] - draws).abs().max() < 1e-13
    other = locate("typical", model, x, answer, LEVELS, seed=4)
    assert not torch.equal(points.y, other.y)
    one = locate("typical", model, x, answer, (10,), seed=3)
    assert torch.equal(one.y[:, 0], points.y[:, 2])


def test_typical_noise_is_standard_normal() -> None:
    model, x, _ = _case()
    many = planted.normal(600, 4, seed=5)
    points = locate("typical", model, x[:1].expand(600, -1), many, (5,), seed=0)
    noise = (points.y[:, 0] - SCHEDULE.signal[5] * many) / SCHEDULE.sigma[5]
    n = noise.numel()
    assert abs(float(noise.mean())) * n**0.5 < 5
    assert abs(float(noise.square().mean()) - 1) / (2 / n) ** 0.5 < 5
    product = noise * many  # independent of the answers
    assert abs(float(product.mean() / (product.std() / n**0.5))) < 5


def test_trajectory_points_are_the_released_solver_s_in_the_level_s_coordinates() -> None:
    model, x, answer = _case()
    points = locate("trajectory", model, x, answer, LEVELS, seed=6)
    path = solve(model, x, seed=6, rule="released")
    for i, level in enumerate(LEVELS):
        expected = SCHEDULE.signal[10 - level] * path.trajectory[level - 1]
        assert torch.allclose(points.y[:, i], expected, rtol=1e-14)
        land = Landscape(model, x, level)
        assert torch.allclose(land.energy(points.y[:, i]), path.energy[level - 1], rtol=1e-10)
    wide = locate("trajectory", model, x, answer, LEVELS, seed=6, bound=0.1)
    assert bool((wide.y.abs() <= 0.1 * SIGNAL * (1 + 1e-12)).all())


def test_minima_are_converged_and_flat() -> None:
    model, x, answer = _case()
    points = locate("minimum", model, x, answer, LEVELS, seed=7)
    assert bool(points.found.any())
    for i, level in enumerate(LEVELS):
        rows = points.found[:, i].nonzero().flatten()
        land = Landscape(model, x, level).select(rows)
        y = points.y[rows, i]
        h = land.hessian(y)
        norm = torch.linalg.matrix_norm(h, ord=2)
        assert bool(
            (land.gradient(y).norm(dim=1) <= 1e-10 * norm * y.norm(dim=1).clamp_min(1)).all()
        )
        assert bool((torch.linalg.eigvalsh(h)[:, 0] >= -1e-10 * norm).all())
        start = locate("trajectory", model, x, answer, (level,), seed=7).y[rows, 0]
        assert bool((land.energy(y) <= land.energy(start)).all())


def test_the_minimum_of_the_exact_model_is_known() -> None:
    problem = task("gaussian", 2)
    model, sample = exact_model(problem), problem.sample(6, seed=0)
    points = locate("minimum", model, sample.x, sample.y, LEVELS, seed=0)
    assert bool(points.found.all())
    for i, level in enumerate(LEVELS):
        expected = model.minimum(sample.x, torch.full((6,), 10 - level))
        assert (points.y[:, i] - expected).abs().max() < 1e-8


class _Slope:
    """E falls for ever where x > 0, and is a bowl around 1 elsewhere."""

    schedule = SCHEDULE
    dim_x = 1
    dim_y = 2

    def energy(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        return self.energy_and_gradient(x, y, t)[0]

    def energy_and_gradient(self, x: Tensor, y: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        slope = x > 0
        energy = torch.where(slope[:, 0], y.sum(-1), (y - 1).square().sum(-1) / 2)
        return energy, torch.where(slope, torch.ones_like(y), y - 1)

    def hvp(self, x: Tensor, y: Tensor, t: Tensor, v: Tensor) -> Tensor:  # noqa: ARG002
        return torch.where(x[:, :, None] > 0, torch.zeros_like(v), v)

    def hessian(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        return self.hvp(x, y, t, torch.eye(2, dtype=y.dtype).expand(y.shape[0], 2, 2))

    def working_bytes(self, num_vectors: int) -> int:
        return 100 * (num_vectors + 1)


def test_what_has_no_minimum_is_marked_by_nan() -> None:
    x = torch.tensor([[1.0], [-1.0], [2.0]], dtype=torch.float64)
    answer = planted.normal(3, 2, seed=0)
    points = locate("minimum", _Slope(), x, answer, (10,), seed=0)
    assert points.found.tolist() == [[False], [True], [False]]
    assert bool(points.y[[0, 2]].isnan().all())
    assert (points.y[1] - 1).abs().max() < 1e-9
    other = locate("trajectory", _Slope(), x, answer, (3, 10), seed=0)
    assert bool(other.y.isfinite().all())


@pytest.mark.parametrize("kind", KINDS)
def test_chunks_of_problems_have_the_same_points(kind: PointKind) -> None:
    model, x, answer = _case(4)
    whole = locate(kind, model, x, answer, LEVELS, seed=8)
    parts = [
        locate(kind, model, x[rows], answer[rows], LEVELS, seed=8, first=first)
        for rows, first in ((slice(0, 3), 0), (slice(3, 4), 3))
    ]
    joined = torch.cat([p.y for p in parts])
    assert torch.equal(whole.found, torch.cat([p.found for p in parts]))
    assert (whole.y - joined)[whole.found].abs().max() < 1e-7


@pytest.mark.parametrize("kind", KINDS)
def test_levels_come_in_the_order_asked_for(kind: PointKind) -> None:
    model, x, answer = _case()
    forth = locate(kind, model, x[:2], answer[:2], (2, 8), seed=9)
    back = locate(kind, model, x[:2], answer[:2], (8, 2), seed=9)
    assert torch.equal(forth.found, back.found.flip(1))
    assert torch.equal(forth.y.nan_to_num(7), back.y.flip(1).nan_to_num(7))


@pytest.mark.parametrize("kind", KINDS)
def test_inputs_stay_as_they_were(kind: PointKind) -> None:
    model, x, answer = _case()
    before = x.clone(), answer.clone()
    points = locate(kind, model, x, answer, (7,), seed=0)
    points.y.add_(1)  # a result is the caller's own
    assert torch.equal(x, before[0])
    assert torch.equal(answer, before[1])


def test_wrong_requests_are_refused() -> None:
    model, x, answer = _case()
    with pytest.raises(UnknownNameError, match="typical"):
        inspect.unwrap(locate)("nowhere", model, x, answer, LEVELS, seed=0)
    for level in (0, 11):
        with pytest.raises(LevelError, match=r"1 … 10"):
            locate("typical", model, x, answer, (1, level), seed=0)
