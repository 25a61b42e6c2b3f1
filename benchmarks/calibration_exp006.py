"""EXP-006 on bowls whose scores are the noise itself, untrained networks, and scores that lean.

32 problems of ``inverse`` at size 3 beside as many controls as a run has by default; 24 noise draws
in place of 48, 16 random directions in place of 32, and the finest level alone (the solver goes
through all of them). All but the untrained networks, which are 16 wide, are quadratics.

Nulls:
- *A bowl*: σH = κI with a κ of its own for each problem (lognormal, σ = 0.3), so that scores differ
  from noise by round-off alone. Controls: scores less concentrated than the noise, whose leading
  components are the flat ones.
- *Turned*: σκ is 1.8 in three directions and 0.9 in the others, turned at random at each problem.
  Controls: leading components that avoid the own subspace, and mean scores along other axes in the
  half of the problems that is tested than in the half that finds the components.
- *Untrained*: a network with random weights beside such networks, which concentrate their scores,
  share directions and are steep along their components.

Truth: *leaning*: σκ is 1.8 in the problem's own subspace and 0.9 elsewhere, and mean scores differ
along a direction that all problems share, by as much as the noise does. The controls are bowls, or
turned where the claim is of subspaces.

On the way to the answer nothing slopes, in truths or nulls: at the coarse levels a slope pushes all
starts into one corner of the solver's clamp, and there is no spread of descents left. Steep
directions grow beside the others from step to step there, so that *leaning on the way* has them in
the own subspace by a share of 0.7 only.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
import xarray as xr
from calibration_case import Case, first_half, second_half
from planted_energies import (
    aligned_bases,
    as_run,
    as_run_by_level,
    from_eigen,
    haar,
    num_timesteps,
    own_and_rest,
    quadratic,
    sigmas,
    untrained,
)
from torch import Tensor

import ired_interp as ii
from ired_interp.draws import RowDraws
from ired_interp.energy.base import Energy
from ired_interp.experiments.exp006 import EXPERIMENT, Exp006Config
from ired_interp.experiments.hypothesis import Hypothesis
from ired_interp.experiments.kit.options import filled
from ired_interp.tasks import Problems, Task

_USUAL = filled(Exp006Config())
_PROBLEMS, _DRAWS = _USUAL.problems or 0, _USUAL.controls or 0
_SIZE, _FINEST, _NOISE, _DIRECTIONS = 3, 10, 24, 16
_OWN, _ELSEWHERE, _COMMON = 1.8, 0.9, 1.0
_SHARE_ON_THE_WAY = 0.7
_NUMBER = torch.arange(_PROBLEMS)
_IN_TURN = _NUMBER % 8
# Every other problem finds the components that the rest are tested with.
_BY_HALVES = 4 * (_NUMBER % 2) + _NUMBER // 2 % 4

Maker = Callable[[Task, Problems, int, torch.Generator], Energy]


def _normal(rng: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=rng, dtype=torch.float64)


def _run(seed: int, model: Maker, controls: Maker, *, on_the_way: bool = False) -> xr.DataTree:
    """A run at the finest level, with the solver's way there through all levels if asked."""
    task = ii.task("inverse", size=_SIZE)
    problems = task.sample(_PROBLEMS, seed=seed)
    rng = torch.Generator().manual_seed(seed)
    studied = model(task, problems, seed, rng)
    beside = [controls(task, problems, seed, rng) for _ in range(_DRAWS)]

    usual = EXPERIMENT.complete(
        replace(_USUAL, seed=seed, noise=_NOISE, random_draws=_DIRECTIONS), task
    )

    def measure(one: Energy, levels: tuple[int, ...] = (_FINEST,)) -> xr.Dataset:
        config = replace(usual, levels=levels)
        given = EXPERIMENT.prepared(config, task, one.schedule, 0, _PROBLEMS)
        return EXPERIMENT.of_model(one, given, config)

    return (as_run if on_the_way else as_run_by_level)(measure, studied, beside)


def _of_all_levels(problems: Problems, scaled: Tensor, slope: Tensor | None = None) -> Energy:
    """σH [n, d, d] and a slope [n, d], the same at all levels."""
    h = scaled[:, None] / sigmas()[:, None, None]
    flat = None if slope is None else slope[:, None].expand(-1, num_timesteps(), -1)
    return quadratic(problems, h, slope=flat)


def _bowl(task: Task, problems: Problems, seed: int, rng: torch.Generator) -> Energy:  # noqa: ARG001
    scale = torch.exp(0.3 * _normal(rng, _PROBLEMS, 1, 1))
    return _of_all_levels(problems, scale * torch.eye(task.dim_y, dtype=torch.float64))


def _turned(task: Task, problems: Problems, seed: int, rng: torch.Generator) -> Energy:  # noqa: ARG001
    size = torch.full((_PROBLEMS, task.dim_y), _ELSEWHERE, dtype=torch.float64)
    size[:, :_SIZE] = _OWN
    size = size * torch.exp(0.1 * _normal(rng, _PROBLEMS, task.dim_y))
    return _of_all_levels(problems, from_eigen(haar(_PROBLEMS, task.dim_y, rng), size))


def _evened(task: Task, problems: Problems, seed: int, rng: torch.Generator) -> Energy:
    """σH = C^-0.3 for the covariance C of the problem's own noise: scores have C^0.4."""
    draws = RowDraws(_PROBLEMS, seed=seed, purpose="exp006/noise", first=0)
    noise = draws.normal(1 + _NOISE, task.dim_y)[:, 1:].double()
    off = noise - noise.mean(dim=1, keepdim=True)
    values, vectors = torch.linalg.eigh(off.mT @ off / (_NOISE - 1))
    scale = torch.exp(0.3 * _normal(rng, _PROBLEMS, 1))
    return _of_all_levels(problems, from_eigen(vectors, scale * values**-0.3))


def _others(
    task: Task,
    problems: Problems,
    seed: int,  # noqa: ARG001
    rng: torch.Generator,
    *,
    axis: Tensor | None,
) -> Energy:
    """Steep where the own subspace is not; a slope along one axis for each problem, or none."""
    own, rest = own_and_rest(task, problems)
    bases = torch.cat([own, rest], dim=-1)
    size = torch.full((_PROBLEMS, task.dim_y), _OWN, dtype=torch.float64)
    size[:, : own.shape[-1]] = _ELSEWHERE
    size = size * torch.exp(0.1 * _normal(rng, _PROBLEMS, task.dim_y))
    slope = None if axis is None else 2.0 * torch.eye(task.dim_y, dtype=torch.float64)[axis]
    return _of_all_levels(problems, from_eigen(bases, size), slope)


def _leaning(task: Task, problems: Problems, seed: int, rng: torch.Generator) -> Energy:  # noqa: ARG001
    own, rest = own_and_rest(task, problems)
    size = torch.full((_PROBLEMS, task.dim_y), _ELSEWHERE, dtype=torch.float64)
    size[:, : own.shape[-1]] = _OWN
    size = size * torch.exp(0.1 * _normal(rng, _PROBLEMS, task.dim_y))
    shared = torch.nn.functional.normalize(_normal(rng, task.dim_y), dim=0)
    common = _COMMON * _normal(rng, _PROBLEMS, 1) * shared
    return _of_all_levels(problems, from_eigen(torch.cat([own, rest], dim=-1), size), common)


def _leaning_on_the_way(
    task: Task,
    problems: Problems,
    seed: int,  # noqa: ARG001
    rng: torch.Generator,
) -> Energy:
    own, rest = own_and_rest(task, problems)
    share = torch.full((_PROBLEMS,), _SHARE_ON_THE_WAY, dtype=torch.float64)
    size = torch.full((_PROBLEMS, task.dim_y), _ELSEWHERE, dtype=torch.float64)
    size[:, : own.shape[-1]] = _OWN
    size = size * torch.exp(0.1 * _normal(rng, _PROBLEMS, task.dim_y))
    return _of_all_levels(problems, from_eigen(aligned_bases(own, rest, share, rng), size))


def _network(task: Task, problems: Problems, seed: int, rng: torch.Generator) -> Energy:  # noqa: ARG001
    return untrained(task, int(torch.randint(2**30, (1,), generator=rng)), 1, width=16)[0]


_OWN_SHARES, _SHARED, _ON_THE_WAY = (
    "own-directions",
    "shared-directions",
    "own-directions-on-the-way",
)


def _some(name: str) -> tuple[Hypothesis, ...]:
    return tuple(one for one in EXPERIMENT.hypotheses if one.id == name)


_OF_SPECTRA = tuple(
    one for one in EXPERIMENT.hypotheses if one.id not in (_OWN_SHARES, _SHARED, _ON_THE_WAY)
)
_CASE = partial(Case, name=f"exp006, n = {_PROBLEMS}", family=5, round=2)


def _of_subspaces(
    name: str,
    *,
    axis: Tensor | None = _IN_TURN,
    leaning: Maker = _leaning,
    landscape: str = "leaning",
    on_the_way: bool = False,
    round: int = 2,  # noqa: A002 - as a case calls it
) -> tuple[Case, ...]:
    run = partial(_run, on_the_way=on_the_way)
    of = partial(_CASE, hypotheses=_some(name), round=round)
    return (
        of(
            landscape="turned",
            null=partial(run, model=_turned, controls=partial(_others, axis=axis)),
            places=first_half(),
        ),
        of(
            landscape="untrained",
            null=partial(run, model=_network, controls=_network),
            places=second_half(),
        ),
        of(landscape=landscape, truth=partial(run, model=leaning, controls=_turned)),
    )


CASES = (
    _CASE(
        landscape="a bowl",
        hypotheses=_OF_SPECTRA,
        null=partial(_run, model=_bowl, controls=_evened),
        places=first_half(),
    ),
    _CASE(
        landscape="untrained",
        hypotheses=_OF_SPECTRA,
        null=partial(_run, model=_network, controls=_network),
        places=second_half(),
    ),
    _CASE(
        landscape="leaning",
        hypotheses=_OF_SPECTRA,
        truth=partial(_run, model=_leaning, controls=_bowl),
    ),
    *_of_subspaces(_OWN_SHARES),
    # Its problems had vouched for each other: it is tested on half of them now.
    *_of_subspaces(_SHARED, axis=_BY_HALVES, round=3),
    # All descents of its truths had ended at one point: nothing slopes in them now.
    *_of_subspaces(
        _ON_THE_WAY,
        axis=None,
        leaning=_leaning_on_the_way,
        landscape="leaning on the way",
        on_the_way=True,
    ),
)
