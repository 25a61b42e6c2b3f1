"""What EXP-011 measures: problems answered in every way, each from the same starts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from ired_interp.anatomy import ARMS, RELEASED, infer
from ired_interp.draws import RowDraws
from ired_interp.energy.base import Energy
from ired_interp.experiments.kit.options import SubjectOptions, bound_of, option
from ired_interp.experiments.kit.study import Prepared
from ired_interp.experiments.kit.variables import Values
from ired_interp.experiments.unit_data import scales_at
from ired_interp.landscape import Landscape
from ired_interp.minimise import minimise
from ired_interp.modes import NoMode, find_modes, num_minima, same_minimum
from ired_interp.tasks import Problems

__all__ = [
    "Exp011Config",
    "Started",
    "answer_in_every_way",
    "answers_and_all_minima",
    "draw_starts",
]

# Hessians that the search for the minimum behind an answer may use.
_MOST_STEPS = 50
_OF_MINIMA = ("to_minimum", "num_minima", "apart")


@dataclass(frozen=True, kw_only=True)
class Exp011Config(SubjectOptions):
    """What EXP-011 is asked."""

    problems: int | None = option("How many problems", laptop=32, paper=200, least=1)
    starts: int | None = option("Starts of the solver a problem", laptop=4, paper=8, least=2)
    levels: tuple[int, ...] = option(
        "The levels that inference may go through, each in 1 … K",
        default=(1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
    )
    controls: int | None = option(
        "Draws of untrained weights beside the model", laptop=8, paper=10, least=0
    )
    bound: float | None = option(
        "The clamp of all ways that clamp; that of the model's training if none. With difficulty "
        "harder give one that the answers fit into",
        above=0,
    )
    unit_problems: int = option("Problems a work unit", default=16, least=1)


@dataclass(frozen=True, kw_only=True)
class Started(Prepared):
    """The starts of a unit's problems.

    Attributes:
        x: The question of each start, [n · starts, dim_x].
        start: y there, in the coordinates of the first level, [n · starts, d].
    """

    x: Tensor
    start: Tensor


def draw_starts(config: Exp011Config, given: Prepared) -> Started:
    """The starts, which all ways and all networks have in common."""
    problems, starts = given.problems, config.starts or 0
    n, d = problems.y.shape
    noise = RowDraws(n, seed=config.seed, purpose="exp011/start", first=given.first)
    return Started(
        task=given.task,
        problems=problems,
        first=given.first,
        schedule=given.schedule,
        coords={"arm": [arm.name for arm in ARMS]},
        x=problems.x.repeat_interleave(starts, dim=0),
        start=noise.normal(starts, d).to(problems.y).reshape(-1, d),
    )


def _answered(
    model: Energy, given: Started, config: Exp011Config, *, minima_of: Sequence[str]
) -> Values:
    """Every variable by way, [n, arm, …]; the minima are looked for behind some ways' answers."""
    problems, levels = given.problems, tuple(sorted(config.levels))
    n, d = problems.y.shape
    order, finest = [levels.index(level) for level in config.levels], levels[-1]
    inferred = {
        arm.name: infer(model, given.x, given.start, arm, levels=levels, bound=bound_of(config))
        for arm in ARMS
    }
    reference = inferred[RELEASED].y.reshape(n, -1, d)
    not_looked_for = torch.full((n,), torch.nan, dtype=torch.float64, device="cpu")
    ways = []
    for arm, found in inferred.items():
        answer = found.y.reshape(n, -1, d)
        off = found.path.reshape(-1, *answer.shape) - problems.y[:, None]
        path_cost = found.cost.reshape(len(levels), n, -1).mean(dim=2)
        ways.append(
            {
                "given": answer[:, 0],
                **_errors(model, problems, answer, reference, finest),
                **(
                    _minima(model, problems, answer, finest)
                    if arm in minima_of
                    else dict.fromkeys(_OF_MINIMA, not_looked_for)
                ),
                "cost": path_cost[-1],
                "path_error": off.square().mean(dim=3).mean(dim=2)[order].T,
                "path_cost": path_cost[order].T,
            }
        )
    return {name: torch.stack([way[name] for way in ways], dim=1) for name in ways[0]}


def answer_in_every_way(model: Energy, given: Started, config: Exp011Config) -> Values:
    """The numbers of one network.

    Minima are looked for behind the answers of the released rule alone, which is all that a claim
    is about and a third of the work.

    Raises:
        NonFiniteError: An answer left the finite numbers.
    """
    found = dict(_answered(model, given, config, minima_of=(RELEASED,)))
    del found["given"]
    return found


answers_and_all_minima = partial(_answered, minima_of=tuple(arm.name for arm in ARMS))
"""The same of the model: with its answers, and the minima behind those of every way."""


def _errors(
    model: Energy, problems: Problems, answer: Tensor, reference: Tensor, finest: int
) -> Mapping[str, Tensor]:
    """Error, energy and change of the answers of one way, [n] each."""
    n, starts, d = answer.shape
    signal, _ = scales_at(model.schedule, finest)
    errors = (answer - problems.y[:, None]).square().mean(dim=2)
    own = (reference - problems.y[:, None]).square().mean(dim=(1, 2))
    moved = (answer - reference).square().mean(dim=(1, 2))
    # Two exact answers differ by round-off, or not at all.
    change = torch.where(moved == 0, 0.0, moved / own.clamp_min(torch.finfo(own.dtype).tiny))
    everywhere = Landscape(model, problems.x.repeat_interleave(starts, dim=0), finest)
    energy = everywhere.energy((signal * answer).reshape(-1, d)).reshape(n, starts)
    return {"error": errors.mean(dim=1), "energy": energy.mean(dim=1), "change": change.sqrt()}


def _minima(model: Energy, problems: Problems, answer: Tensor, finest: int) -> Mapping[str, Tensor]:
    """`_OF_MINIMA` behind the answers of one way, [n] each, on the CPU."""
    signal, _ = scales_at(model.schedule, finest)
    scaled = signal * answer
    land = Landscape(model, problems.x, finest)
    ends = minimise(land, scaled[:, 0], max_steps=_MOST_STEPS)
    gap = ((ends.y - scaled[:, 0]) / signal).square().mean(dim=1).sqrt()
    modes = find_modes(land, scaled, max_steps=_MOST_STEPS)
    counts = [np.nan if isinstance(one, NoMode) else float(num_minima(one)) for one in modes]
    apart = [1 - same_minimum(one) for one in modes]
    return {
        "to_minimum": torch.where(ends.converged, gap, torch.nan).to("cpu", torch.float64),
        "num_minima": torch.tensor(counts, dtype=torch.float64, device="cpu"),
        "apart": torch.tensor(apart, dtype=torch.float64, device="cpu"),
    }
