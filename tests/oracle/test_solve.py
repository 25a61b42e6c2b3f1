"""Annealed inference against a plain program, written from the reference's description."""

import inspect
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

import planted
from ired_interp.annealing import accept_no_rise, propose
from ired_interp.draws import RowDraws
from ired_interp.energy.base import Energy
from ired_interp.energy.exact import GaussianEnergy, exact_model
from ired_interp.energy.mlp import EnergyMLP
from ired_interp.errors import DtypeError, NonFiniteError, ShapeError, UnknownNameError
from ired_interp.landscape import Landscape
from ired_interp.schedule import cosine_schedule
from ired_interp.solve import Solution, _start, solve
from ired_interp.tasks import task

Array = npt.NDArray[np.float64]
Rule = Literal["released", "paper"]

ALPHA_BAR = cosine_schedule().alpha_bar.numpy()
S, O = np.sqrt(ALPHA_BAR), np.sqrt(1 - ALPHA_BAR)  # noqa: E741 - the reference's letters
BETA = 1 - ALPHA_BAR / np.concatenate([[1.0], ALPHA_BAR[:-1]])
LAMBDA = BETA / O


@dataclass
class Path:
    """What the plain program saw of one problem."""

    trajectory: list[Array] = field(default_factory=list)
    energy: list[float] = field(default_factory=list)
    gradient_norm: list[float] = field(default_factory=list)
    rejected: list[int] = field(default_factory=list)
    clamped: int = 0
    closest: float = np.inf  # the smallest |E₁ - E₀|/E₀ of a step that moves y


def _plain(
    model: EnergyMLP, x: Tensor, start: Array, rule: Rule, *, steps: int = 5, bound: float = 2.0
) -> Path:
    """One problem, one level after the other, nothing batched, derivatives by autograd."""
    path = Path()
    y = start.copy()

    def energy_and_slope(q: Array, t: int) -> tuple[float, Array]:
        leaf = torch.from_numpy(q)[None].clone().requires_grad_()
        value = model.energy(x[None], leaf, torch.tensor([t])).sum()
        (slope,) = torch.autograd.grad(value, leaf)
        return float(value.detach()), slope[0].numpy().copy()

    for t in range(9, -1, -1):
        if rule == "released":
            _, g = energy_and_slope(y, t)
            free = y / S[t] - O[t] / S[t] * g
            x0 = np.clip(free, -bound, bound)
            path.clamped += int((x0 != free).sum())
            y = S[t] * x0
        refused = 0
        for i in range(steps):
            e0, g = energy_and_slope(y, t)
            if rule == "released":
                c = 1.0 if i == 0 else 2.0
                trial = np.clip(y - LAMBDA[t] * g * c, -bound * S[t], bound * S[t])
            else:
                trial = y - LAMBDA[t] * g
            e1, _ = energy_and_slope(trial, t)
            if np.abs(trial - y).max() > 1e-12:
                path.closest = min(path.closest, abs(e1 - e0) / abs(e0))
            accept = not e1 > e0 if rule == "released" else e1 < e0
            if accept:
                y = trial
            else:
                refused += 1
        if rule == "released":
            y = np.clip(y, -bound * S[t], bound * S[t])
        e, g = energy_and_slope(y, t)
        path.trajectory.append(y / S[t])
        path.energy.append(e)
        path.gradient_norm.append(float(np.linalg.norm(g)))
        path.rejected.append(refused)
        if t > 0:
            y = S[t - 1] * (y / S[t])
    return path


def _steep_model(factor: float) -> EnergyMLP:
    return planted.steeper(planted.network(3, 4, width=16, seed=3, gain=1.5), factor)


@pytest.mark.parametrize(
    ("rule", "factor", "refusals"),
    [
        ("released", 1.0, False),
        ("released", 10.0, True),
        ("paper", 1.0, False),
        ("paper", 7.0, True),
    ],
)
def test_the_solver_is_the_plain_program(rule: Rule, factor: float, *, refusals: bool) -> None:
    # With the last layer 10 times as large the steps overshoot, as they never do on the trained
    # networks, so that every branch of the rules is taken.
    model = _steep_model(factor)
    x, start = planted.normal(6, 3, seed=1), planted.normal(6, 4, seed=2)
    found = solve(model, x, start=start, rule=rule)
    paths = [_plain(model, x[i], start[i].numpy(), rule) for i in range(6)]
    rejected = np.array([p.rejected for p in paths]).T
    # No step that moves y hangs on a difference that round-off could have turned.
    assert min(p.closest for p in paths) > 1e-12
    assert np.array_equal(found.rejected.numpy(), rejected)
    trajectory = np.stack([p.trajectory for p in paths], axis=1)
    size = np.abs(trajectory).max()
    assert np.abs(found.trajectory.numpy() - trajectory).max() < 1e-8 * size
    energy = np.array([p.energy for p in paths]).T
    assert np.abs(found.energy.numpy() / energy - 1).max() < 1e-8
    norm = np.array([p.gradient_norm for p in paths]).T
    assert np.abs(found.gradient_norm.numpy() - norm).max() < 1e-7 * norm.max()
    assert torch.equal(found.y, found.trajectory[-1])
    assert bool(rejected.any()) == refusals
    assert rejected.min() == 0
    assert rule == "paper" or any(p.clamped for p in paths)


@pytest.mark.parametrize("rule", ["released", "paper"])
def test_other_counts_of_steps_and_bounds(rule: Rule) -> None:
    model = _steep_model(4.0)
    x, start = planted.normal(4, 3, seed=3), planted.normal(4, 4, seed=4)
    for steps, bound in ((0, 2.0), (2, 0.7), (3, 5.0)):
        found = solve(model, x, start=start, rule=rule, num_steps=steps, bound=bound)
        for i in range(4):
            path = _plain(model, x[i], start[i].numpy(), rule, steps=steps, bound=bound)
            gap = np.abs(found.trajectory[:, i].numpy() - np.stack(path.trajectory)).max()
            assert gap < 1e-8 * np.abs(path.trajectory).max()
            assert found.rejected[:, i].tolist() == path.rejected
        if rule == "released":
            assert found.trajectory.abs().max() <= bound * (1 + 1e-14)


def test_closed_forms_and_autograd_solve_alike() -> None:
    model = _steep_model(4.0)
    x, start = planted.normal(5, 3, seed=5), planted.normal(5, 4, seed=6)
    one = solve(model, x, start=start)
    two = solve(planted.EnergyOnly(model), x, start=start)
    assert (one.trajectory - two.trajectory).abs().max() < 1e-8
    assert torch.equal(one.rejected, two.rejected)


# What is in a solution


def _equal(one: Solution, two: Solution) -> bool:
    return (
        torch.equal(one.y, two.y)
        and torch.equal(one.trajectory, two.trajectory)
        and torch.equal(one.energy, two.energy)
        and torch.equal(one.gradient_norm, two.gradient_norm)
        and torch.equal(one.rejected, two.rejected)
    )


@pytest.mark.parametrize("rule", ["released", "paper"])
def test_the_record_is_of_the_level_it_says(rule: Rule) -> None:
    model = _steep_model(4.0)
    x = planted.normal(5, 3, seed=7)
    found = solve(model, x, seed=3, rule=rule)
    assert found.trajectory.shape == (10, 5, 4)
    for level in range(1, 11):
        t = 10 - level
        land = Landscape(model, x, level)
        here = float(S[t]) * found.trajectory[level - 1]
        energy, gradient = land.energy_and_gradient(here)
        assert torch.allclose(found.energy[level - 1], energy, rtol=1e-10)
        norm = gradient.norm(dim=1)
        assert torch.allclose(found.gradient_norm[level - 1], norm, rtol=1e-9)
    assert torch.equal(found.y, found.trajectory[-1])
    assert bool((found.rejected >= 0).all())
    assert bool((found.rejected <= 5).all())
    assert not found.y.requires_grad


def test_the_same_seed_gives_the_same_solution_and_is_a_start() -> None:
    model = _steep_model(2.0)
    x = planted.normal(5, 3, seed=8)
    found = solve(model, x, seed=4, bound=100.0)
    assert _equal(found, solve(model, x, seed=4, bound=100.0))
    start = RowDraws(5, seed=4, purpose="solve/start").normal(4)
    assert _equal(found, solve(model, x, start=start, bound=100.0))
    assert not torch.equal(found.y, solve(model, x, seed=5, bound=100.0).y)
    assert _equal(solve(model, x), solve(model, x, seed=0))
    torch.manual_seed(0)
    first = solve(model, x, seed=4)
    torch.manual_seed(1)
    assert _equal(first, solve(model, x, seed=4))


def test_a_seed_s_rows_do_not_depend_on_the_batch() -> None:
    model = _steep_model(2.0)
    x = planted.normal(7, 3, seed=9)
    whole = solve(model, x, seed=6)
    parts = [solve(model, x[:3], seed=6), solve(model, x[3:], seed=6, first=3)]
    joined = torch.cat([p.trajectory for p in parts], dim=1)
    assert (whole.trajectory - joined).abs().max() < 1e-9
    start = planted.normal(7, 4, seed=10)
    before = start.clone()
    solve(model, x, start=start)
    assert torch.equal(start, before)


# On landscapes whose way down is known


def _sharp_model() -> tuple[GaussianEnergy, Tensor, Tensor]:
    problem = task("gaussian", 2, spectrum=(1e-16, 1e-16, 1e-16, 1e-16), map_seed=1)
    model = exact_model(problem)
    x = planted.normal(5, 4, seed=11)
    return model, x, x @ model.mean_map.mT


def test_the_released_jump_is_a_newton_step_on_the_ideal_quadratic() -> None:
    # E = ‖y - s_t·y*‖²/(2σ_t): y/s_t - (σ_t/s_t)·∇E = y*, exactly, at every level.
    model, x, answer = _sharp_model()
    found = solve(model, x, seed=0, num_steps=0, bound=100.0)
    assert (found.trajectory - answer).abs().max() < 1e-11
    full = solve(model, x, seed=0, bound=100.0)
    assert (full.trajectory - answer).abs().max() < 1e-11
    # One jump from anywhere, at that level alone: ‖∇E‖ is 0 after it.
    assert found.gradient_norm.max() < 1e-11


def test_the_bound_clamps_the_released_answer() -> None:
    model, x, answer = _sharp_model()
    bound = float(answer.abs().median())
    found = solve(model, x, seed=0, bound=bound)
    assert (found.trajectory - answer.clamp(-bound, bound)).abs().max() < 1e-11


def test_the_paper_s_steps_contract_the_error_by_one_minus_r() -> None:
    # λ_t/σ_t = β_t/(1 - ᾱ_t) = r_t: y - s_t·y* shrinks by 1 - r_t, and rescaling keeps y/s_t.
    model, x, answer = _sharp_model()
    start = planted.normal(5, 4, seed=12)
    found = solve(model, x, start=start, rule="paper", num_steps=1)
    r = BETA / (1 - ALPHA_BAR)
    error = start / float(S[9]) - answer
    for level in range(1, 11):
        error = error * float(1 - r[10 - level])
        gap = (found.trajectory[level - 1] - answer - error).abs().max()
        # Round-off of numbers of size ‖start‖/s_9 at the first levels.
        assert gap < 1e-12 * float((start / float(S[9])).abs().max())
    assert int(found.rejected.sum()) == 0


def test_the_released_inner_steps_double_from_the_second_on() -> None:
    # Without rejections, from a start that the jump moves to c ≠ y*: a spectrum that is not 0
    # makes the jump inexact, and each inner step multiplies the error by 1 - c_i·λ_t·h.
    problem = task("gaussian", 1, spectrum=(2.0,), map_seed=1)
    model = exact_model(problem)
    x = torch.tensor([[0.3]], dtype=torch.float64)
    answer = float((x @ model.mean_map.mT)[0, 0])
    start = torch.tensor([[0.8]], dtype=torch.float64)
    found = solve(model, x, start=start, bound=1e6)
    error = float(start[0, 0]) / S[9] - answer
    for level in range(1, 11):
        t = 10 - level
        h = O[t] / (ALPHA_BAR[t] * 2.0 + O[t] ** 2)
        error *= 1 - O[t] * h
        refused = 0
        for i in range(5):
            factor = 1 - (1 if i == 0 else 2) * LAMBDA[t] * h
            if abs(factor) <= 1:
                error *= factor
            else:
                refused += 1
        got = float(found.trajectory[level - 1, 0, 0]) - answer
        assert got == pytest.approx(error, rel=1e-9, abs=1e-12)
        assert int(found.rejected[level - 1, 0]) == refused


def test_ties_are_kept_by_the_released_rule_and_refused_by_the_paper_s() -> None:
    now = torch.ones(3, dtype=torch.float64)
    after = torch.tensor([0.5, 1.0, 1.5], dtype=torch.float64)
    assert accept_no_rise(after, now).tolist() == [True, True, False]

    class Flat:
        """An energy whose value never changes, with a slope that is not 0 in the graph."""

        schedule = cosine_schedule()
        dim_x = 1
        dim_y = 2

        def energy(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:  # noqa: ARG002
            return 1 + (y - y.detach()).sum(-1) * 0.01

    flat: Energy = Flat()
    x, start = planted.normal(3, 1, seed=0), planted.normal(3, 2, seed=1)
    kept = solve(flat, x, start=start, rule="released")
    refused = solve(flat, x, start=start, rule="paper")
    assert int(kept.rejected.sum()) == 0
    assert refused.rejected.tolist() == [[5] * 3] * 10
    # Nothing moved but the scale: the prediction is the start's.
    assert torch.allclose(refused.trajectory, (start / float(S[9])).expand(10, 3, 2), rtol=1e-12)


def test_propose_clamps_a_step() -> None:
    y = torch.tensor([[0.0, 1.0], [2.0, -1.0]], dtype=torch.float64)
    g = torch.tensor([[1.0, -4.0], [0.5, 3.0]], dtype=torch.float64)
    steps = torch.tensor([[0.5], [1.0]], dtype=torch.float64)
    bounds = torch.tensor([[10.0], [1.0]], dtype=torch.float64)
    assert propose(y, g, 0.5, 1.2).tolist() == [[-0.5, 1.2], [1.2, -1.2]]
    each = propose(y, g, steps, bounds)
    assert each.tolist() == [[-0.5, 3.0], [1.0, -1.0]]


# What is refused


def test_wrong_requests_are_refused() -> None:
    model = _steep_model(1.0)
    x, start = planted.normal(2, 3, seed=0), planted.normal(2, 4, seed=1)
    with pytest.raises(UnknownNameError, match="released, paper"):
        inspect.unwrap(solve)(model, x, rule="best")
    with pytest.raises(ShapeError, match="seed or a start"):
        solve(model, x, seed=0, start=start)
    with pytest.raises(ShapeError, match="num_steps"):
        solve(model, x, num_steps=-1)
    for bound in (0.0, -1.0, float("nan")):
        with pytest.raises(ShapeError, match="bound"):
            solve(model, x, bound=bound)
    with pytest.raises(ShapeError, match="dim_y"):
        solve(model, x, start=planted.normal(2, 3, seed=1))
    with pytest.raises(ShapeError, match="dim_x"):
        solve(model, planted.normal(2, 4, seed=1))
    with pytest.raises(NonFiniteError, match="start"):
        solve(model, x, start=start * torch.nan)
    with pytest.raises(DtypeError, match="y: expected"):
        solve(model, x, start=start.float())
    with pytest.raises(ShapeError, match="expected 2 rows"):
        inspect.unwrap(_start)(model, x, None, planted.normal(3, 4, seed=1), 0)


def test_progress_sees_every_level() -> None:
    seen: list[int] = []

    def track(levels: object) -> object:
        assert isinstance(levels, range)
        for level in levels:
            seen.append(level)
            yield level

    solve(_steep_model(1.0), planted.normal(1, 3, seed=0), track=track)  # type: ignore[arg-type]
    assert seen == list(range(1, 11))
