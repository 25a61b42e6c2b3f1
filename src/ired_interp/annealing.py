"""Annealed descent: through levels by jumps and inner steps, each part a value of its own.

Sources as of `ired_interp.solve`, whose two rules are made of these parts.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ired_interp.checks import Real, Whole, real, whole
from ired_interp.energy.base import Energy
from ired_interp.landscape import Landscape

__all__ = [
    "InnerFn",
    "LevelEnd",
    "Passed",
    "accept_no_rise",
    "anneal",
    "fixed_steps",
    "plain_steps",
    "propose",
    "take_steps",
]

# The released code overwrites its step scale after the first inner step on the matrix tasks.
_FIRST_SCALE, _LATER_SCALE = 1.0, 2.0


@dataclass(frozen=True, slots=True)
class LevelEnd:
    """Where the inner steps at one level ended, in its coordinates.

    Attributes:
        y: The point.
        energy: E there.
        gradient_norm: ‖∇_yE‖₂ there.
        rejected: How many steps were refused.
        cost: Gradients a row; a Hessian counts as 2·d.
    """

    y: Float[Tensor, "n d"]
    energy: Float[Tensor, " n"]
    gradient_norm: Float[Tensor, " n"]
    rejected: Int[Tensor, " n"]
    cost: Float[Tensor, " n"]


InnerFn = Callable[[Landscape, Tensor, float, float], LevelEnd]
"""(landscape, y, λ_t, ±b·s_t) → where the steps at this level end."""
End = TypeVar("End", LevelEnd, LevelEnd | None)


@dataclass(frozen=True, slots=True)
class Passed(Generic[End]):
    """A level that was gone through.

    Attributes:
        level: Its number.
        answer: The unscaled prediction y/s_t after it.
        end: Where its inner steps ended; None if none were taken.
    """

    level: int
    answer: Float[Tensor, "n d"]
    end: End


def anneal(
    model: Energy,
    x: Float[Tensor, "n dim_x"],
    start: Float[Tensor, "n d"],
    levels: Iterable[int],
    *,
    jump: bool,
    inner_fn: Callable[[Landscape, Tensor, float, float], End],
    bound: float,
) -> Iterator[Passed[End]]:
    """Go through levels, coarsest first: y ← s_t·(prediction of the level before), jump, steps.

    Args:
        model: The energy.
        x: The questions.
        start: y at the first level, in its coordinates.
        levels: Those that are gone through.
        jump: Whether each begins with y ← s_t·clamp(y/s_t - (σ_t/s_t)·∇E, ±b).
        inner_fn: The steps at each level.
        bound: b.

    Cost: a gradient a jump, beside what the steps take.
    """
    answer: Tensor | None = None
    schedule = model.schedule
    for level in levels:
        t = schedule.timestep(level)
        signal, sigma, step = (
            float(table[t]) for table in (schedule.signal, schedule.sigma, schedule.step_size)
        )
        y = start if answer is None else signal * answer
        land = Landscape(model, x, level)
        if jump:
            y = signal * propose(y / signal, land.gradient(y), sigma / signal, bound)
        end = inner_fn(land, y, step, bound * signal)
        answer = (y if end is None else end.y) / signal
        yield Passed(level, answer, end)


def fixed_steps(num_steps: Whole, *, later_scale: Real = _LATER_SCALE) -> InnerFn:
    """Inner steps of the released rule: clamped, undone where the energy rises, ties kept."""
    num_steps = whole("num_steps", num_steps)
    later_scale = real("later_scale", later_scale)

    def steps(land: Landscape, y: Tensor, step: float, bound: float) -> LevelEnd:
        return take_steps(
            land,
            y,
            _FIRST_SCALE * step,
            num_steps,
            propose_fn=lambda y, gradient, length: propose(y, gradient, length, bound),
            accept_fn=accept_no_rise,
            next_fn=lambda *_: later_scale * step,
        )

    return steps


def plain_steps(num_steps: Whole) -> InnerFn:
    """Inner steps of the paper's rule: not clamped, kept only where the energy falls."""
    num_steps = whole("num_steps", num_steps)

    def steps(land: Landscape, y: Tensor, step: float, bound: float) -> LevelEnd:  # noqa: ARG001
        return take_steps(
            land,
            y,
            step,
            num_steps,
            propose_fn=lambda y, gradient, length: y - length * gradient,
            accept_fn=torch.lt,
            next_fn=lambda length, _: length,
        )

    return steps


Length = TypeVar("Length", float, Tensor)


def take_steps(
    land: Landscape,
    y: Float[Tensor, "n d"],
    length: Length,
    num_steps: int,
    *,
    propose_fn: Callable[[Tensor, Tensor, Length], Tensor],
    accept_fn: Callable[[Tensor, Tensor], Tensor],
    next_fn: Callable[[Length, Tensor], Length],
) -> LevelEnd:
    """Gradient steps at one level, each kept or undone.

    Args:
        land: The landscape.
        y: Where they begin.
        length: Of the first step, one for all rows or [n, 1].
        num_steps: How many.
        propose_fn: (y, ∇E, length) → where the step leads.
        accept_fn: (E there, E) → whether it is kept.
        next_fn: (length, whether it was kept) → the length of the next.

    Cost: ``num_steps`` + 1 gradients.
    """
    energy, gradient = land.energy_and_gradient(y)
    rejected = torch.zeros(y.shape[0], dtype=torch.long, device=y.device)
    for _ in range(num_steps):
        trial = propose_fn(y, gradient, length)
        trial_energy, trial_gradient = land.energy_and_gradient(trial)
        keep = accept_fn(trial_energy, energy)
        y = torch.where(keep[:, None], trial, y)
        gradient = torch.where(keep[:, None], trial_gradient, gradient)
        energy = torch.where(keep, trial_energy, energy)
        rejected += ~keep
        length = next_fn(length, keep)
    cost = torch.full((y.shape[0],), 1.0 + num_steps, dtype=torch.float64, device=y.device)
    return LevelEnd(y, energy, torch.linalg.vector_norm(gradient, dim=1), rejected, cost)


def propose(
    y: Float[Tensor, "n d"],
    gradient: Float[Tensor, "n d"],
    step: Float[Tensor, "n 1"] | float,
    bound: Float[Tensor, "n 1"] | float,
) -> Float[Tensor, "n d"]:
    """A step of the released rule before it is judged: clamp(y - step·∇E, ±bound)."""
    moved = y - step * gradient
    if isinstance(bound, Tensor):
        return torch.minimum(torch.maximum(moved, -bound), bound)
    return moved.clamp(-bound, bound)


def accept_no_rise(trial: Float[Tensor, " n"], current: Float[Tensor, " n"]) -> Tensor:
    """Which trial energies the released rule accepts: those that do not rise, ties included."""
    return ~(trial > current)
