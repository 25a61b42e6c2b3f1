"""Inference taken apart: annealed descent with one of its parts changed at a time.

Each `Arm` is a way to an answer. ``released`` and ``paper`` are those of `ired_interp.solve`; the
others change one part of ``released``, and the last ones put a trust-region Newton method with
exact Hessians in the place of gradient steps.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ired_interp.checks import Real, Whole, check_matrix, real, whole
from ired_interp.energy.base import Energy
from ired_interp.errors import ShapeError
from ired_interp.landscape import Landscape
from ired_interp.minimise import minimise
from ired_interp.solve import BOUND, accept_no_rise, propose

__all__ = ["ARMS", "RELEASED", "Arm", "Descended", "Inferred", "infer"]

_GROW, _SHRINK = 1.5, 0.5
# A Hessian product by forward-over-reverse costs about two gradients.
_GRADIENTS_A_PRODUCT = 2


@dataclass(frozen=True, slots=True)
class Descended:
    """Where the steps at one level ended.

    Attributes:
        y: In the level's coordinates.
        cost: Gradients a row; a Hessian counts as 2·d.
    """

    y: Float[Tensor, "n d"]
    cost: Float[Tensor, " n"]


InnerFn = Callable[[Landscape, Tensor, float, float], Descended]
"""(landscape, y, λ_t, ±b·s_t) → where the steps at this level end."""


@dataclass(frozen=True, slots=True)
class Arm:
    """A way to an answer.

    Attributes:
        name: Letters, digits and hyphens.
        meaning: What it changes, in words.
        inner_fn: The steps at each level; None for none.
        choose_fn: Which of the levels, coarsest first, it goes through.
        jump: Whether each level begins with the denoising jump.
        start_scale: Of the start: 1 for the noise, 0 for zeros.
        inner_at_last: Whether the steps are taken at its last level alone.
    """

    name: str
    meaning: str
    inner_fn: InnerFn | None
    choose_fn: Callable[[Sequence[int]], Sequence[int]] = tuple
    jump: bool = True
    start_scale: float = 1.0
    inner_at_last: bool = False


@dataclass(frozen=True, slots=True)
class Inferred:
    """What an arm answers, and the way there; L are the levels that it was offered.

    Attributes:
        y: The answer, unscaled.
        path: The unscaled prediction after each level; NaN at those that it left out.
        cost: Gradients a row up to the end of that level; a Hessian counts as 2·d.
    """

    y: Float[Tensor, "n d"]
    path: Float[Tensor, "L n d"]
    cost: Float[Tensor, "L n"]


def infer(
    model: Energy,
    x: Float[Tensor, "n dim_x"],
    start: Float[Tensor, "n d"],
    arm: Arm,
    *,
    levels: Sequence[Whole],
    bound: Real = BOUND,
) -> Inferred:
    """Answer each row of x by an arm.

    Args:
        model: The energy; x must have its dtype and device.
        x: The questions.
        start: y at the first level that the arm uses, in its coordinates: noise of variance 1.
        arm: One of `ARMS`, or another.
        levels: Those that are offered, coarsest first.
        bound: b of the released rule.

    Raises:
        ShapeError: The start does not fit, or no level is left.
        NonFiniteError: The energy left the finite numbers.

    Cost: as ``cost`` says.
    """
    bound = real("bound", bound)
    check_matrix("x", x, columns=model.dim_x, of="the model's dim_x")
    check_matrix("start", start, columns=model.dim_y, of="the model's dim_y")
    chosen = tuple(arm.choose_fn([whole("level", level) for level in levels]))
    if start.shape[0] != x.shape[0] or not chosen:
        raise ShapeError(
            f"infer: expected a start a row and a level, found {start.shape[0]} starts for "
            f"{x.shape[0]} rows and {len(chosen)} levels."
        )
    schedule = model.schedule
    path = torch.full((len(levels), *start.shape), torch.nan, dtype=x.dtype, device=x.device)
    costs = torch.zeros(len(levels), x.shape[0], dtype=torch.float64, device=x.device)
    spent = torch.zeros(x.shape[0], dtype=torch.float64, device=x.device)
    answer, unscaled = start, False
    for place, level in enumerate(levels):
        if level in chosen:
            t = schedule.timestep(level)
            signal, sigma, step = (
                float(table[t]) for table in (schedule.signal, schedule.sigma, schedule.step_size)
            )
            y = signal * answer if unscaled else arm.start_scale * start
            land = Landscape(model, x, level)
            if arm.jump:
                jumped = y / signal - sigma / signal * land.gradient(y)
                y, spent = signal * jumped.clamp(-bound, bound), spent + 1
            if arm.inner_fn is not None and (level == chosen[-1] or not arm.inner_at_last):
                found = arm.inner_fn(land, y, step, bound * signal)
                y, spent = found.y, spent + found.cost
            answer, unscaled = y / signal, True
            path[place] = answer
        costs[place] = spent
    return Inferred(answer, path, costs)


def fixed_steps(num_steps: Whole, *, later_scale: Real = 2.0) -> InnerFn:
    """Inner steps of the released rule: clamped, undone where the energy rises, ties kept."""
    num_steps = whole("num_steps", num_steps)
    later_scale = real("later_scale", later_scale)

    def descend(land: Landscape, y: Tensor, step: float, bound: float) -> Descended:
        energy, gradient = land.energy_and_gradient(y)
        for number in range(num_steps):
            scale = 1.0 if number == 0 else later_scale
            trial = propose(y, gradient, scale * step, bound)
            trial_energy, trial_gradient = land.energy_and_gradient(trial)
            keep = accept_no_rise(trial_energy, energy)
            y, energy, gradient = _kept(
                keep, (trial, trial_energy, trial_gradient), (y, energy, gradient)
            )
        return Descended(y, _same_cost(y, 1 + num_steps))

    return descend


def plain_steps(num_steps: Whole) -> InnerFn:
    """Inner steps of the paper's rule: not clamped, kept only where the energy falls."""
    num_steps = whole("num_steps", num_steps)

    def descend(land: Landscape, y: Tensor, step: float, bound: float) -> Descended:  # noqa: ARG001
        energy, gradient = land.energy_and_gradient(y)
        for _ in range(num_steps):
            trial = y - step * gradient
            trial_energy, trial_gradient = land.energy_and_gradient(trial)
            keep = trial_energy < energy
            y, energy, gradient = _kept(
                keep, (trial, trial_energy, trial_gradient), (y, energy, gradient)
            )
        return Descended(y, _same_cost(y, 1 + num_steps))

    return descend


def adaptive_steps(num_steps: Whole) -> InnerFn:
    """As the released rule, with a step of each row's own: half of it where refused, else 1.5 ×."""
    num_steps = whole("num_steps", num_steps)

    def descend(land: Landscape, y: Tensor, step: float, bound: float) -> Descended:
        energy, gradient = land.energy_and_gradient(y)
        own = torch.full_like(energy, step)[:, None]
        for _ in range(num_steps):
            trial = propose(y, gradient, own, torch.full_like(own, bound))
            trial_energy, trial_gradient = land.energy_and_gradient(trial)
            keep = accept_no_rise(trial_energy, energy)
            y, energy, gradient = _kept(
                keep, (trial, trial_energy, trial_gradient), (y, energy, gradient)
            )
            own = own * torch.where(keep, _GROW, _SHRINK)[:, None]
        return Descended(y, _same_cost(y, 1 + num_steps))

    return descend


def newton_steps(max_steps: Whole) -> InnerFn:
    """A trust-region Newton descent with exact Hessians (`ired_interp.minimise`), not clamped."""

    def descend(land: Landscape, y: Tensor, step: float, bound: float) -> Descended:  # noqa: ARG001
        found = minimise(land, y, max_steps=max_steps)
        each = _GRADIENTS_A_PRODUCT * y.shape[1] + 1
        return Descended(found.y, 1.0 + each * found.num_steps.to(torch.float64))

    return descend


RELEASED = "released"
"""The arm that the others are compared with."""

_STEPS = 5

ARMS: tuple[Arm, ...] = (
    Arm(RELEASED, "the released code: a jump and 5 steps a level", fixed_steps(_STEPS)),
    Arm("no-steps", "jumps alone", None),
    Arm("twenty-steps", "20 steps a level in place of 5", fixed_steps(4 * _STEPS)),
    Arm("single-steps", "steps that are not doubled", fixed_steps(_STEPS, later_scale=1.0)),
    Arm("no-jump", "steps without jumps", fixed_steps(_STEPS), jump=False),
    Arm("paper", "the rule of the paper: no jumps, no clamps", plain_steps(_STEPS), jump=False),
    Arm("adaptive", "steps whose length each row adapts", adaptive_steps(_STEPS)),
    Arm(
        "every-second",
        "every second level, the last one among them",
        fixed_steps(_STEPS),
        choose_fn=lambda levels: tuple(levels[::-1][::2][::-1]),
    ),
    Arm(
        "last-level",
        "the last level alone",
        fixed_steps(_STEPS),
        choose_fn=lambda levels: tuple(levels[-1:]),
    ),
    Arm("zero-start", "a start at 0 in place of noise", fixed_steps(_STEPS), start_scale=0.0),
    Arm(
        "jumps-newton",
        "jumps alone, then Newton steps with exact Hessians at the last level",
        newton_steps(4 * _STEPS),
        inner_at_last=True,
    ),
    Arm(
        "newton",
        "Newton steps with exact Hessians at the last level alone, from the noise",
        newton_steps(4 * _STEPS),
        choose_fn=lambda levels: tuple(levels[-1:]),
        jump=False,
    ),
)
"""The ways that are compared; the first is `RELEASED`."""


def _kept(
    keep: Tensor, new: tuple[Tensor, Tensor, Tensor], old: tuple[Tensor, Tensor, Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """Point, energy and gradient of each row: the new ones where they are kept."""
    (y, energy, gradient), (old_y, old_energy, old_gradient) = new, old
    rows = keep[:, None]
    return (
        torch.where(rows, y, old_y),
        torch.where(keep, energy, old_energy),
        torch.where(rows, gradient, old_gradient),
    )


def _same_cost(y: Tensor, gradients: int) -> Tensor:
    return torch.full((y.shape[0],), float(gradients), dtype=torch.float64, device=y.device)
