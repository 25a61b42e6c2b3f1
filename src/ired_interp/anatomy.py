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

from ired_interp.annealing import (
    InnerFn,
    LevelEnd,
    Passed,
    accept_no_rise,
    anneal,
    fixed_steps,
    plain_steps,
    propose,
    take_steps,
)
from ired_interp.checks import Real, Whole, check_matrix, real, whole
from ired_interp.energy.base import Energy
from ired_interp.errors import ShapeError
from ired_interp.landscape import Landscape
from ired_interp.minimise import minimise
from ired_interp.solve import BOUND

__all__ = ["ARMS", "RELEASED", "Arm", "Inferred", "adaptive_steps", "infer", "newton_steps"]

_GROW, _SHRINK = 1.5, 0.5
# A Hessian product by forward-over-reverse costs about two gradients.
_GRADIENTS_A_PRODUCT = 2


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
    offered = [whole("level", level) for level in levels]
    chosen = tuple(arm.choose_fn(offered))
    if start.shape[0] != x.shape[0] or not chosen:
        raise ShapeError(
            f"infer: expected a start a row and a level, found {start.shape[0]} starts for "
            f"{x.shape[0]} rows and {len(chosen)} levels."
        )
    places = {level: place for place, level in enumerate(offered)}
    path = torch.full((len(levels), *start.shape), torch.nan, dtype=x.dtype, device=x.device)
    costs = torch.zeros(len(levels), x.shape[0], dtype=torch.float64, device=x.device)

    def inner_fn(land: Landscape, y: Tensor, step: float, bound: float) -> LevelEnd | None:
        last = len(passed) == len(chosen) - 1
        steps_fn = arm.inner_fn if last or not arm.inner_at_last else None
        return None if steps_fn is None else steps_fn(land, y, step, bound)

    passed: list[Passed[LevelEnd | None]] = []
    begin = arm.start_scale * start
    for one in anneal(model, x, begin, chosen, jump=arm.jump, inner_fn=inner_fn, bound=bound):
        passed.append(one)
        path[places[one.level]] = one.answer
        costs[places[one.level] :] += float(arm.jump) + (0.0 if one.end is None else one.end.cost)
    return Inferred(passed[-1].answer, path, costs)


def adaptive_steps(num_steps: Whole) -> InnerFn:
    """As the released rule, with a step of each row's own: half of it where refused, else 1.5 ×."""
    num_steps = whole("num_steps", num_steps)

    def steps(land: Landscape, y: Tensor, step: float, bound: float) -> LevelEnd:
        return take_steps(
            land,
            y,
            torch.full_like(y[:, :1], step),
            num_steps,
            propose_fn=lambda y, gradient, length: propose(y, gradient, length, bound),
            accept_fn=accept_no_rise,
            next_fn=lambda length, keep: length * torch.where(keep, _GROW, _SHRINK)[:, None],
        )

    return steps


def newton_steps(max_steps: Whole) -> InnerFn:
    """A trust-region Newton descent with exact Hessians (`ired_interp.minimise`), not clamped."""

    def steps(land: Landscape, y: Tensor, step: float, bound: float) -> LevelEnd:  # noqa: ARG001
        found = minimise(land, y, max_steps=max_steps)
        each = _GRADIENTS_A_PRODUCT * y.shape[1] + 1
        cost = 1.0 + each * found.num_steps.to(torch.float64)
        none = torch.zeros_like(found.num_steps)
        return LevelEnd(found.y, found.energy, found.gradient_norm, none, cost)

    return steps


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
