"""EXP-001 on quadratic landscapes that are planted, and on untrained networks.

20 problems of ``inverse`` at size 3, levels 6 and 10, beside 8 controls, as a run has by default
(a run has all ten levels). The statistics are those of the experiment, from the Hessian on.

Nulls:
- *Random Hessians*: symmetric, on a scale that differs by problem and level and is heavily skewed
  over problems (lognormal, σ = 1). The controls are as far as can be on the side that refutes
  (concave, all directions alike, ends that avoid the own subspace), so that the null has to hold.
  At the finest level; for ``few-directions`` another matrix at each of the levels 4, 6, 8 and 10.
- *Sharp as it must be*: λ falls as 1/σ; half of σλ is twice the ideal and half of it nothing, as
  far from the ideal as a flat landscape is. Controls as before.
- *Untrained*: a network with random weights beside such networks.
- *The control has it too*: the truth, as strongly as a network has it by chance, the controls too.

Truths, beside untrained networks:
- *Near the ideal*: σλ near 1 and growing as σ^-0.3, the flattest directions to 70 % in the own
  subspace (chance: a third). For ``definite`` the controls are random Hessians, as untrained
  networks of this size have few negative eigenvalues.
- *Few directions*: 2 of 9 directions have the curvature, to 70 % in the own subspace.
"""

from collections.abc import Callable
from functools import partial

import torch
import xarray as xr
from calibration_case import Case, first_half, second_half
from planted_energies import (
    aligned_bases,
    as_run,
    from_eigen,
    num_timesteps,
    own_and_rest,
    quadratic,
    random_symmetric,
    sigmas,
    untrained,
)
from torch import Tensor

import ired_interp as ii
from ired_interp.energy.base import Energy
from ired_interp.experiments.exp001 import EXPERIMENT, Exp001Config
from ired_interp.experiments.exp001.measure import completed
from ired_interp.experiments.hypothesis import Hypothesis
from ired_interp.experiments.kit.options import filled
from ired_interp.tasks import Problems, Task

_USUAL = filled(Exp001Config())
_PROBLEMS, _DRAWS, _SIZE, _VECTORS = _USUAL.problems or 0, _USUAL.controls or 0, 3, 2
_LEVELS, _FINEST, _SEVERAL = (6, 10), (10,), (4, 6, 8, 10)
_STEEPER, _NEAR, _SHARE = 0.3, 0.9, 0.7

Maker = Callable[[Task, Problems, torch.Generator], Energy]


def _normal(rng: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=rng, dtype=torch.float64)


def _run(
    seed: int, model: Maker, controls: Maker | None, levels: tuple[int, ...] = _LEVELS
) -> xr.DataTree:
    task = ii.task("inverse", size=_SIZE)
    config = completed(
        Exp001Config(
            problems=_PROBLEMS,
            levels=levels,
            seed=seed,
            parts="no",
            eigenvectors=_VECTORS,
            noise_draws=1,
        ),
        task.dim_y,
    )
    problems = task.sample(_PROBLEMS, seed=seed)
    rng = torch.Generator().manual_seed(seed)
    studied = model(task, problems, rng)
    if controls is None:
        beside = untrained(task, seed, _DRAWS)
    else:
        beside = [controls(task, problems, rng) for _ in range(_DRAWS)]

    def measure(one: Energy) -> xr.Dataset:
        given = EXPERIMENT.prepared(config, task, one.schedule, 0, _PROBLEMS)
        return EXPERIMENT.of_model(one, given, config)

    return as_run(
        measure,
        studied,
        beside,
        task=task.name,
    )


def _scales(rng: torch.Generator) -> Tensor:
    """Of each problem and timestep, heavily skewed over problems."""
    return torch.exp(_normal(rng, _PROBLEMS, 1) + 0.3 * _normal(rng, _PROBLEMS, num_timesteps()))


def _random(task: Task, problems: Problems, rng: torch.Generator) -> Energy:
    """A symmetric random Hessian at each problem, with a scale of its own at each level."""
    h = random_symmetric(_PROBLEMS, task.dim_y, rng)
    return quadratic(problems, (_scales(rng) / sigmas())[..., None, None] * h[:, None])


def _random_by_level(task: Task, problems: Problems, rng: torch.Generator) -> Energy:
    """Another one at each level."""
    d, num = task.dim_y, num_timesteps()
    h = random_symmetric(_PROBLEMS * num, d, rng).reshape(_PROBLEMS, num, d, d)
    return quadratic(problems, (_scales(rng) / sigmas())[..., None, None] * h)


def _opposite(task: Task, problems: Problems, rng: torch.Generator) -> Energy:
    """Concave, flattening as 1/σ would sharpen, its ends out of the own subspace."""
    own, rest = own_and_rest(task, problems)
    # The first columns have next to nothing of the own subspace, those behind their partners none.
    bases = aligned_bases(own, rest, torch.full((_PROBLEMS,), 0.02, dtype=torch.float64), rng)
    size = 1 + 0.01 * _normal(rng, _PROBLEMS, num_timesteps(), task.dim_y)
    size[..., 2 * own.shape[-1] :] += 0.1  # lowest, and by |λ| largest
    return quadratic(problems, from_eigen(bases[:, None], -size))


def _must(task: Task, problems: Problems, rng: torch.Generator) -> Energy:
    """σλ of 2 and of 0 in turn, 1 off the ideal at all levels, its ends common to all problems."""
    d, side = task.dim_y, _SIZE
    common = torch.eye(side, dtype=torch.float64).flatten().expand(_PROBLEMS, d)
    first = torch.stack([common + 0.5 * _normal(rng, _PROBLEMS, d) for _ in range(4)], dim=-1)
    bases = torch.linalg.qr(
        torch.cat([first, _normal(rng, _PROBLEMS, d, d - 4)], dim=-1), mode="complete"
    ).Q
    scale = torch.exp(0.2 * _normal(rng, _PROBLEMS, num_timesteps(), 1))
    wobble = 0.1 * _normal(rng, _PROBLEMS, num_timesteps(), d)
    # Columns 0 and 1 are the flattest, 2 and 3 the sharpest.
    level = torch.tensor([-1.02, -1.01, 1.02, 1.01, -1.0, 1.0, -1.0, 1.0, 0.0], dtype=torch.float64)
    size = (d / (d - 1)) ** 0.5  # of nine one is 0
    values = (1 + size * scale * (level + wobble * level.abs())) / sigmas()[:, None]
    return quadratic(problems, from_eigen(bases[:, None], values))


def _near_ideal(
    task: Task, problems: Problems, rng: torch.Generator, *, sway: float = 0.0
) -> Energy:
    """σλ near 1, sharpening beyond 1/σ, flattest where the problem's own subspace is."""
    d = task.dim_y
    steeper, size = _STEEPER + sway * float(_normal(rng, 1)), 1 + sway * float(_normal(rng, 1))
    share = (_SHARE + sway * float(_normal(rng, 1)) + 0.1 * _normal(rng, _PROBLEMS)).clamp(0, 1)
    bases = aligned_bases(*own_and_rest(task, problems), share, rng)
    level = torch.exp(0.2 * _normal(rng, _PROBLEMS, num_timesteps(), 1))
    values = torch.exp(0.3 * _normal(rng, _PROBLEMS, num_timesteps(), d)).sort(dim=-1).values
    values = _NEAR * size * level * values
    values[..., 0] -= 0.5  # often below 0
    values = values * sigmas()[:, None] ** -(1 + steeper)
    return quadratic(problems, from_eigen(bases[:, None], values))


def _few(task: Task, problems: Problems, rng: torch.Generator, *, sway: float = 0.0) -> Energy:
    """Two sharp directions, in the problem's own subspace, and seven flat ones."""
    d = task.dim_y
    flat = 0.05 * (1 + sway * float(_normal(rng, 1)))
    share = (_SHARE + sway * float(_normal(rng, 1)) + 0.1 * _normal(rng, _PROBLEMS)).clamp(0, 1)
    bases = aligned_bases(*own_and_rest(task, problems), share, rng)
    size = torch.full((d,), flat, dtype=torch.float64)
    size[:_VECTORS] = 1.0
    values = size * torch.exp(0.3 * _normal(rng, _PROBLEMS, num_timesteps(), d))
    return quadratic(problems, from_eigen(bases[:, None], values / sigmas()[:, None]))


def _network(task: Task, problems: Problems, rng: torch.Generator) -> Energy:  # noqa: ARG001
    return untrained(task, int(torch.randint(2**30, (1,), generator=rng)), 1)[0]


_ALL = {one.id: one for one in EXPERIMENT.hypotheses}


def _some(*names: str) -> tuple[Hypothesis, ...]:
    return tuple(_ALL[name] for name in names)


_OF_NEAR = ("sharpening", "near-ideal", "bottom-aligned")
_OF_RANDOM = ("definite", "bottom-aligned", "top-aligned")
_SWAY = 0.1  # of a network as a whole
_CASE = partial(Case, name=f"exp001, n = {_PROBLEMS}", family=5, round=1)
_SWAYED = partial(_near_ideal, sway=_SWAY)

CASES = (
    _CASE(
        landscape="random Hessians",
        hypotheses=_some(*_OF_RANDOM),
        null=partial(_run, model=_random, controls=_opposite, levels=_FINEST),
        places=first_half(),
    ),
    _CASE(
        landscape="untrained",
        hypotheses=_some(*_OF_RANDOM),
        null=partial(_run, model=_network, controls=None, levels=_FINEST),
        places=second_half(),
    ),
    _CASE(
        landscape="sharp as it must be",
        hypotheses=_some("sharpening", "near-ideal"),
        null=partial(_run, model=_must, controls=_opposite),
        places=first_half(),
    ),
    _CASE(
        landscape="the control has it too",
        hypotheses=_some("sharpening", "near-ideal"),
        null=partial(_run, model=_SWAYED, controls=_SWAYED),
        places=second_half(),
    ),
    _CASE(
        landscape="near the ideal",
        hypotheses=_some(*_OF_NEAR),
        truth=partial(_run, model=_near_ideal, controls=None),
    ),
    _CASE(
        landscape="near the ideal",
        hypotheses=_some("definite"),
        truth=partial(_run, model=_near_ideal, controls=_random, levels=_FINEST),
    ),
    _CASE(
        landscape="few directions",
        hypotheses=_some("top-aligned"),
        truth=partial(_run, model=_few, controls=None, levels=_FINEST),
    ),
    # Its null was that of a matrix without end, and got a correction for d.
    _CASE(
        landscape="random Hessians by level",
        hypotheses=_some("few-directions"),
        null=partial(_run, model=_random_by_level, controls=_opposite, levels=_SEVERAL),
        places=first_half(),
        round=2,
    ),
    _CASE(
        landscape="untrained",
        hypotheses=_some("few-directions"),
        null=partial(_run, model=_network, controls=None, levels=_FINEST),
        places=second_half(),
        round=2,
    ),
    _CASE(
        landscape="few directions",
        hypotheses=_some("few-directions"),
        truth=partial(_run, model=_few, controls=None, levels=_FINEST),
        round=2,
    ),
)
