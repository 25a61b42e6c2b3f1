"""Where to look at a landscape. The choice can flip the sign of the curvature, so it has a name."""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ired_interp.checks import Real, Whole, check_matrix
from ired_interp.draws import RowDraws
from ired_interp.energy.base import Energy
from ired_interp.errors import ShapeError, UnknownNameError
from ired_interp.landscape import Landscape
from ired_interp.minimise import minimise
from ired_interp.solve import solve

__all__ = ["PointKind", "Points", "locate"]

PointKind = Literal["typical", "scaled_solution", "solution", "trajectory", "minimum"]


@dataclass(frozen=True, slots=True)
class Points:
    """One point a problem and level, in the level's own coordinates.

    Attributes:
        y: The points; NaN where none was found.
        found: False where a minimum was sought and the search did not converge.
    """

    y: Float[Tensor, "n L d"]
    found: Bool[Tensor, "n L"]


def locate(
    kind: PointKind,
    model: Energy,
    x: Float[Tensor, "n dim_x"],
    answer: Float[Tensor, "n d"],
    levels: tuple[Whole, ...],
    *,
    seed: Whole,
    first: Whole = 0,
    bound: Real = 2.0,
) -> Points:
    """The points at which to examine n problems at L levels.

    - ``typical``: s_t·y* + σ_t·ε, where the level was trained and the ideal holds. A problem has
      one ε for all of its levels, so that levels differ by the level alone.
    - ``scaled_solution``: s_t·y*, the ideal minimum.
    - ``solution``: y*, meaningful at the last levels only.
    - ``trajectory``: where the solver (rule ``released``) was at the end of that level.
    - ``minimum``: the local minimum that a Newton descent reaches from there.

    Args:
        kind: One of the above.
        model: The energy.
        x: The questions.
        answer: The true answers y*.
        levels: Levels in 1 … K.
        seed: Of ε and of the solver's start.
        first: Number of the first problem in the seed's endless list.
        bound: The solver's b.

    Raises:
        UnknownNameError: No such kind of point.
        LevelError: A level out of range.
        ShapeError, DtypeError, NonFiniteError: x or the answers do not fit the model.
    """
    if kind not in get_args(PointKind):
        raise UnknownNameError(
            f"point: expected one of {', '.join(get_args(PointKind))}, found {kind!r}."
        )
    check_matrix("answer", answer, columns=model.dim_y, of="the model's dim_y")
    if answer.shape[0] != x.shape[0]:
        raise ShapeError(f"answer: expected {x.shape[0]} rows as x has, found {answer.shape[0]}.")
    timesteps = [model.schedule.timestep(level) for level in levels]
    numbers = [model.schedule.level(t) for t in timesteps]
    signal = model.schedule.signal[timesteps].to(answer)[:, None]
    sigma = model.schedule.sigma[timesteps].to(answer)[:, None]
    n, d = answer.shape
    scaled = signal * answer[:, None, :]
    found = torch.ones(n, len(levels), dtype=torch.bool, device=answer.device)
    if kind == "scaled_solution":
        return Points(scaled, found)
    if kind == "solution":
        return Points(answer[:, None, :].expand_as(scaled).clone(), found)
    if kind == "typical":
        noise = RowDraws(n, seed=seed, purpose="points/noise", first=first).normal(d).to(answer)
        return Points(scaled + sigma * noise[:, None, :], found)
    path = solve(model, x, seed=seed, first=first, bound=bound).trajectory
    ends = torch.stack([path[level - 1] for level in numbers], dim=1) * signal
    if kind == "trajectory":
        return Points(ends, found)
    minima = [minimise(Landscape(model, x, level), ends[:, i]) for i, level in enumerate(numbers)]
    found = torch.stack([m.converged for m in minima], dim=1)
    y = torch.stack([m.y for m in minima], dim=1)
    return Points(torch.where(found[..., None], y, torch.nan), found)
