"""EXP-002 on landscapes with a known number of minima, known bends and known paths.

10 problems beside 8 controls, as a run has by default, of ``inverse`` at size 2 (at size 3 for the
path), at one level or, where a claim compares levels, at the first and the last. What a claim does
not read is cut down: to 2 descents where it is not about minima, 1 chord of 5 points where it is
not about bends, 2 walks where it is not about the path.

Nulls:
- *Two wells*: two minima, each with half of the space. The controls have sixteen.
- *Waves*: cosines of random frequency and phase, bent up as often as down. The controls are hills.
- *Walks*: a slope of random direction at each level, so that the path is a random walk. The
  controls turn by a right angle at each level, which no walk does.
- *Levels alike*: as many wells at the first level as at the last by chance. The controls have
  sixteen minima at the first and one at the last.
- *The control has it too*: the truths, as strongly as a network has it by chance, the controls too.

Truths: *one well* for nine of ten problems and two for the others; *a wavy bowl*; *a plane* in
which the slopes lie but for a third of their length; *wells that split*: one at the first level for
nine of ten problems, two or four at the last. The controls are the nulls above.
"""

from collections.abc import Callable
from functools import partial

import torch
import xarray as xr
from calibration_case import Case, first_half, second_half
from planted_energies import (
    Quadratic,
    Waves,
    Wells,
    as_run,
    haar,
    num_timesteps,
    sigmas,
    signals,
)
from torch import Tensor

import ired_interp as ii
from ired_interp.energy.base import Energy
from ired_interp.experiments.exp002 import EXPERIMENT, Exp002Config
from ired_interp.experiments.hypothesis import Hypothesis
from ired_interp.experiments.kit.options import filled
from ired_interp.schedule import cosine_schedule
from ired_interp.tasks import Problems, Task

_USUAL = filled(Exp002Config())
_PROBLEMS, _DRAWS = _USUAL.problems or 0, _USUAL.controls or 0
_STARTS = _USUAL.starts or 0
_COARSE, _FINE = 1, 10
_APART = 3.0  # half the distance of two wells; starts have a spread of 5
_NUM_WAVES, _FREQUENCY = 12, 1.5
_BOWL = 3.0
_OFF_PLANE = 1 / 3
_MOST_OF_PROBLEMS = 0.9
_ROUND = 2  # earlier ones were seen with six controls, and with walks that problems shared

Maker = Callable[[Task, Problems, torch.Generator], Energy]


def _normal(rng: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=rng, dtype=torch.float64)


def _uniform(rng: torch.Generator, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=rng, dtype=torch.float64)


def _run(
    seed: int,
    model: Maker,
    controls: Maker,
    *,
    levels: tuple[int, ...] = (_FINE,),
    starts: int = _STARTS,
    chords: int = 1,
    images: int = 5,
    walks: int = 2,
    size: int = 2,
) -> xr.DataTree:
    task = ii.task("inverse", size=size)
    config = Exp002Config(
        problems=_PROBLEMS,
        levels=levels,
        seed=seed,
        starts=starts,
        chords=chords,
        images=images,
        walks=walks,
        band_steps=1,  # no claim is about the bands
        bound=1e6,  # walks leave the box
    )
    problems = task.sample(_PROBLEMS, seed=seed)
    rng = torch.Generator().manual_seed(seed)
    studied = model(task, problems, rng)

    given = EXPERIMENT.prepared(config, task, studied.schedule, 0, _PROBLEMS)

    def measure(one: Energy) -> xr.Dataset:
        return EXPERIMENT.of_model(one, given, config)

    return as_run(
        measure,
        studied,
        [controls(task, problems, rng) for _ in range(_DRAWS)],
    )


def _wells(problems: Problems, doubled: Tensor, rng: torch.Generator) -> Energy:
    """``doubled`` [n, T] of the coordinates are double wells, the others bowls."""
    n, d = problems.y.shape
    among = torch.arange(d) < doubled[..., None]
    flat = (~among).double() * (1 + _uniform(rng, n, 1, d))
    return Wells(problems, haar(n, d, rng), among.double(), flat, length=_APART)


def _all_levels(count: Tensor) -> Tensor:
    return count[:, None].expand(-1, num_timesteps())


def _two_wells(task: Task, problems: Problems, rng: torch.Generator) -> Energy:  # noqa: ARG001
    return _wells(problems, _all_levels(torch.ones(_PROBLEMS)), rng)


def _many_wells(task: Task, problems: Problems, rng: torch.Generator) -> Energy:
    return _wells(problems, _all_levels(torch.full((_PROBLEMS,), float(task.dim_y))), rng)


def _one_well(
    task: Task,  # noqa: ARG001
    problems: Problems,
    rng: torch.Generator,
    *,
    sway: float = 0.0,
) -> Energy:
    """One for so many of the problems, two for the others."""
    most = _MOST_OF_PROBLEMS - sway * float(_uniform(rng, 1))
    return _wells(problems, _all_levels((_uniform(rng, _PROBLEMS) > most).double()), rng)


def _alike(task: Task, problems: Problems, rng: torch.Generator) -> Energy:  # noqa: ARG001
    """0, 1 or 2 doubled coordinates at each level by itself."""
    return _wells(problems, (3 * _uniform(rng, _PROBLEMS, num_timesteps())).floor(), rng)


def _split(
    task: Task,  # noqa: ARG001
    problems: Problems,
    rng: torch.Generator,
    *,
    sway: float = 0.0,
) -> Energy:
    """One well at the first level for so many of the problems, two or four at the last."""
    most = _MOST_OF_PROBLEMS - sway * float(_uniform(rng, 1))
    doubled = 1 + (2 * _uniform(rng, _PROBLEMS, num_timesteps())).floor()
    coarse = cosine_schedule().timestep(_COARSE)
    doubled[:, coarse] = (_uniform(rng, _PROBLEMS) > most).double()
    return _wells(problems, doubled, rng)


def _merged(task: Task, problems: Problems, rng: torch.Generator) -> Energy:
    """Every coordinate doubled at the first level, none at the last."""
    doubled = torch.zeros(_PROBLEMS, num_timesteps())
    doubled[:, cosine_schedule().timestep(_COARSE)] = task.dim_y
    return _wells(problems, doubled, rng)


def _hills(task: Task, problems: Problems, rng: torch.Generator) -> Energy:
    n, d = _PROBLEMS, task.dim_y
    far = torch.ones(n, num_timesteps(), d, dtype=torch.float64)
    return Wells(problems, haar(n, d, rng), far, torch.zeros_like(far), length=4 * _APART)


def _waves(
    task: Task, problems: Problems, rng: torch.Generator, *, bowl: float = 0.0, sway: float = 0.0
) -> Energy:
    n, d = _PROBLEMS, task.dim_y
    return Waves(
        problems,
        _FREQUENCY * _normal(rng, n, _NUM_WAVES, d),
        2 * torch.pi * _uniform(rng, n, _NUM_WAVES),
        _normal(rng, n, _NUM_WAVES).abs() / _NUM_WAVES**0.5,
        torch.full((n,), bowl * (1 + sway * float(_normal(rng, 1))), dtype=torch.float64),
    )


def _slopes(problems: Problems, directions: Tensor) -> Energy:
    """Linear at all levels but the first, where it is a bowl: [n, T, d] of length 1.

    Every level moves the prediction by the same length.
    """
    n, d = problems.y.shape
    schedule = cosine_schedule()
    moved = (sigmas() + 9 * schedule.step_size.double()) / signals()  # a jump, a step, 4 doubled
    coarse = schedule.timestep(_COARSE)
    slope = directions / moved[:, None]
    slope[:, coarse] = 0
    hessian = torch.zeros(n, num_timesteps(), d, d, dtype=torch.float64)
    hessian[:, coarse] = torch.eye(d, dtype=torch.float64)
    return Quadratic(problems, hessian, torch.zeros_like(slope), slope)


def _walk(task: Task, problems: Problems, rng: torch.Generator) -> Energy:
    turns = _normal(rng, _PROBLEMS, num_timesteps(), task.dim_y)
    return _slopes(problems, torch.nn.functional.normalize(turns, dim=-1))


def _turning(task: Task, problems: Problems, rng: torch.Generator) -> Energy:
    d = task.dim_y
    axes = haar(_PROBLEMS, d, rng)
    return _slopes(problems, axes[:, torch.arange(num_timesteps()) % d])


def _plane(task: Task, problems: Problems, rng: torch.Generator, *, sway: float = 0.0) -> Energy:
    off = _OFF_PLANE * float(torch.exp(sway * _normal(rng, 1)))
    plane = haar(_PROBLEMS, task.dim_y, rng)[:, :2]
    unit = torch.nn.functional.normalize
    within = unit(_normal(rng, _PROBLEMS, num_timesteps(), 2), dim=-1) @ plane
    beside = unit(_normal(rng, _PROBLEMS, num_timesteps(), task.dim_y), dim=-1)
    return _slopes(problems, unit(within + off * beside, dim=-1))


def _some(name: str) -> tuple[Hypothesis, ...]:
    return tuple(one for one in EXPERIMENT.hypotheses if one.id == name)


_MINIMA = partial(_run)
_LEVELS = partial(_run, levels=(_COARSE, _FINE))
_BENDS = partial(_run, levels=(_COARSE,), starts=2, chords=_USUAL.chords, images=_USUAL.images)
_PATHS = partial(_run, levels=(_COARSE,), starts=2, walks=_USUAL.walks, size=3)


def _cases(
    name: str,
    run: Callable[..., xr.DataTree],
    *,
    null: tuple[str, Maker, Maker],
    shared: Maker,
    truth: tuple[str, Maker],
) -> list[Case]:
    """Half of the nulls without the effect, half with controls that have it; truths."""
    words, without, opposite = null
    meaning, planted = truth
    of = partial(
        Case,
        name=f"exp002, n = {_PROBLEMS}",
        hypotheses=_some(name),
        family=len(EXPERIMENT.hypotheses),
        round=_ROUND,
    )
    return [
        of(
            landscape=words,
            null=partial(run, model=without, controls=opposite),
            places=first_half(),
        ),
        of(
            landscape="the control has it too",
            null=partial(run, model=shared, controls=shared),
            places=second_half(),
        ),
        of(landscape=meaning, truth=partial(run, model=planted, controls=without)),
    ]


CASES = (
    *_cases(
        "one-minimum",
        _MINIMA,
        null=("two wells", _two_wells, _many_wells),
        shared=partial(_one_well, sway=0.4),
        truth=("one well", _one_well),
    ),
    *_cases(
        "path-plane",
        _PATHS,
        null=("walks", _walk, _turning),
        shared=partial(_plane, sway=0.3),
        truth=("a plane", _plane),
    ),
    *_cases(
        "convex",
        _BENDS,
        null=("waves", _waves, _hills),
        shared=partial(_waves, bowl=_BOWL, sway=0.3),
        truth=("a wavy bowl", partial(_waves, bowl=_BOWL)),
    ),
    *_cases(
        "coarse-first",
        _LEVELS,
        null=("levels alike", _alike, _merged),
        shared=partial(_split, sway=0.4),
        truth=("wells that split", _split),
    ),
)
