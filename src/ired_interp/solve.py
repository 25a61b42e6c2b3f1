"""Annealed inference: how IRED finds an answer by descending its landscapes, level by level.

Source: Algorithm 2 of Du, Mao & Tenenbaum (ICML 2024) for the rule ``paper``, the released code
(yilundu/ired_code_release at 3d74b85) for the rule ``released``.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ired_interp.checks import Real, Whole, check_matrix, real, whole
from ired_interp.choices import SolverRule
from ired_interp.draws import RowDraws, check_seed
from ired_interp.energy.base import Energy
from ired_interp.errors import ShapeError, UnknownNameError
from ired_interp.landscape import Landscape

__all__ = ["BOUND", "Rule", "Solution", "accept_no_rise", "propose", "solve"]

Rule = SolverRule
Track = Callable[[Iterable[int]], Iterable[int]]

_NUM_STEPS = 5
BOUND = 2.0
"""The clamp b where none is given."""
# The released code overwrites its step scale after the first inner step on the matrix tasks.
_FIRST_SCALE, _LATER_SCALE = 1.0, 2.0


@dataclass(frozen=True, slots=True)
class Solution:
    """What `solve` found, and the way there. Axis K is level 1 … K.

    Attributes:
        y: The answer, unscaled.
        trajectory: The unscaled prediction y/s_t after each level.
        energy: E there, at that level.
        gradient_norm: ‖∇_yE‖₂ there, in that level's coordinates.
        rejected: How many of the level's inner steps were refused.
    """

    y: Float[Tensor, "n d"]
    trajectory: Float[Tensor, "K n d"]
    energy: Float[Tensor, "K n"]
    gradient_norm: Float[Tensor, "K n"]
    rejected: Int[Tensor, "K n"]


def solve(
    model: Energy,
    x: Float[Tensor, "n dim_x"],
    *,
    seed: Whole | None = None,
    start: Float[Tensor, "n d"] | None = None,
    rule: Rule = "released",
    num_steps: Whole = _NUM_STEPS,
    bound: Real = BOUND,
    first: Whole = 0,
    track: Track = iter,
) -> Solution:
    """Answer each row of x by annealed inference.

    ``released``: at each level one full denoising jump y ← s_t·clamp(y/s_t - (σ_t/s_t)·∇E, ±b),
    then inner steps y ← clamp(y - c·λ_t·∇E, ±b·s_t), c = 1 and from the second on 2, undone where
    the energy rises; ties are kept. ``paper``: inner steps y ← y - λ_t·∇E alone, kept only where
    the energy falls. Between levels y ← (s_{t-1}/s_t)·y.

    Args:
        model: The energy; x must have its dtype and device.
        x: The questions.
        seed: Draws y at the first level from N(0, I), a stream a row; 0 if no start is given.
        start: y at the first level instead, in that level's coordinates.
        rule: ``released`` or ``paper``.
        num_steps: Inner steps a level.
        bound: b of the released rule, a bound on the entries of the answer: 2 fits the inverse task
            (whose answers stay within ±2); harder problems need more.
        first: Number of the first row in the seed's endless list.
        track: Wraps the levels, for a progress bar.

    Raises:
        UnknownNameError: No such rule.
        ShapeError: Both a seed and a start, fewer than 0 steps, or a bound that is not positive.
        NonFiniteError: The energy left the finite numbers.

    Cost: a gradient a level and one an inner step, plus one a level for ``released``.
    """
    first = whole("first", first)
    bound = real("bound", bound)
    check_matrix("x", x, columns=model.dim_x, of="the model's dim_x")
    if rule not in get_args(Rule):
        raise UnknownNameError(
            f"rule: expected one of {', '.join(get_args(Rule))}, found {rule!r}."
        )
    num_steps = whole("num_steps", num_steps)
    if num_steps < 0 or not bound > 0:
        raise ShapeError(
            f"solve: expected a whole num_steps ≥ 0 and bound > 0, found {num_steps}, {bound}."
        )
    y = _start(model, x, None if seed is None else check_seed(seed), start, first)
    schedule = model.schedule
    predictions, energies, norms, rejections = [], [], [], []
    for level in track(range(1, schedule.num_levels + 1)):
        t = schedule.timestep(level)
        signal, sigma, step = (
            float(v[t]) for v in (schedule.signal, schedule.sigma, schedule.step_size)
        )
        land = Landscape(model, x, level)
        rejected = torch.zeros(x.shape[0], dtype=torch.long, device=x.device)
        if rule == "released":
            jump = y / signal - sigma / signal * land.gradient(y)
            y = signal * jump.clamp(-bound, bound)
        energy, gradient = land.energy_and_gradient(y)
        for i in range(num_steps):
            if rule == "released":
                scale = _FIRST_SCALE if i == 0 else _LATER_SCALE
                trial = propose(y, gradient, scale * step, bound * signal)
            else:
                trial = y - step * gradient
            trial_energy, trial_gradient = land.energy_and_gradient(trial)
            keep = (
                trial_energy < energy if rule == "paper" else accept_no_rise(trial_energy, energy)
            )
            y = torch.where(keep[:, None], trial, y)
            gradient = torch.where(keep[:, None], trial_gradient, gradient)
            energy = torch.where(keep, trial_energy, energy)
            rejected += ~keep
        predictions.append(y / signal)
        energies.append(energy)
        norms.append(torch.linalg.vector_norm(gradient, dim=1))
        rejections.append(rejected)
        if t > 0:
            y = float(schedule.signal[t - 1]) * (y / signal)
    return Solution(
        y=predictions[-1],
        trajectory=torch.stack(predictions),
        energy=torch.stack(energies),
        gradient_norm=torch.stack(norms),
        rejected=torch.stack(rejections),
    )


def propose(
    y: Float[Tensor, "n d"],
    gradient: Float[Tensor, "n d"],
    step: Float[Tensor, "n 1"] | float,
    bound: Float[Tensor, "n 1"] | float,
) -> Float[Tensor, "n d"]:
    """One inner step of the released rule before it is judged: clamp(y - step·∇E, ±bound)."""
    moved = y - step * gradient
    if isinstance(bound, Tensor):
        return torch.minimum(torch.maximum(moved, -bound), bound)
    return moved.clamp(-bound, bound)


def accept_no_rise(trial: Float[Tensor, " n"], current: Float[Tensor, " n"]) -> Tensor:
    """Which trial energies the released rule accepts: those that do not rise, ties included."""
    return ~(trial > current)


def _start(
    model: Energy,
    x: Float[Tensor, "n dim_x"],
    seed: int | None,
    start: Float[Tensor, "n d"] | None,
    first: int,
) -> Float[Tensor, "n d"]:
    if start is None:
        draws = RowDraws(x.shape[0], seed=seed or 0, purpose="solve/start", first=first)
        return draws.normal(model.dim_y).to(x)
    if seed is not None:
        raise ShapeError("solve: give a seed or a start, not both.")
    check_matrix("start", start, columns=model.dim_y, of="the model's dim_y")
    if start.shape[0] != x.shape[0]:
        raise ShapeError(f"start: expected {x.shape[0]} rows as x has, found {start.shape[0]}.")
    return start
