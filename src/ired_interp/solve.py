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

from ired_interp.annealing import anneal, fixed_steps, plain_steps
from ired_interp.checks import Real, Whole, check_matrix, real, whole
from ired_interp.choices import SolverRule
from ired_interp.draws import RowDraws, check_seed
from ired_interp.energy.base import Energy
from ired_interp.errors import ShapeError, UnknownNameError

__all__ = ["BOUND", "Rule", "Solution", "solve"]

Rule = SolverRule
Track = Callable[[Iterable[int]], Iterable[int]]

_NUM_STEPS = 5
BOUND = 2.0
"""The clamp b where none is given."""


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
    released = rule == "released"
    inner_fn = fixed_steps(num_steps) if released else plain_steps(num_steps)
    levels = range(1, model.schedule.num_levels + 1)
    passed = list(anneal(model, x, y, track(levels), jump=released, inner_fn=inner_fn, bound=bound))
    return Solution(
        y=passed[-1].answer,
        trajectory=torch.stack([level.answer for level in passed]),
        energy=torch.stack([level.end.energy for level in passed]),
        gradient_norm=torch.stack([level.end.gradient_norm for level in passed]),
        rejected=torch.stack([level.end.rejected for level in passed]),
    )


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
