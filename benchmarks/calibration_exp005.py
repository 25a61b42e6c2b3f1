"""EXP-005 on valleys whose tangent space is known, and on landscapes that know of none.

24 problems of ``inverse`` at size 3 and of ``completion`` at size 4 and rank 2, the finest level
(and all levels where the solver goes through them), beside as many controls as a run has by
default. All but the untrained networks are quadratics around s_t·y*.

Nulls:
- *An ellipsoid*: at each problem another one, turned at random. The controls are steep along the
  tangent space and shallow across it, so that the null alone has to hold.
- *At the bound* (completion): normal directions as sharp as can be, tangent ones as flat as the
  Bayes bound lets a posterior make them; the controls the other way round.
- *Untrained*: a network with random weights beside such networks.
- *The control has it too*: the truth, as strongly as a network has it by chance, the controls too.

Truths: *a steep valley*: across the tangent space σκ is 1.8, along it 0.95, both with a spread of a
fifth over directions and problems (beyond 1, as a posterior has none: below it the solver is done
first where the landscape is steep, and what gradient is left on the way is tangent); *a valley*
(completion): 1 and 0.3; *known entries* (completion): σκ is 1 where an entry is observed and that
of the best linear posterior where it is missing. The controls are ellipsoids as above.
"""

from collections.abc import Callable
from functools import partial

import torch
import xarray as xr
from calibration_case import Case, first_half, second_half
from planted_energies import (
    as_run,
    as_run_by_level,
    from_eigen,
    haar,
    num_timesteps,
    quadratic,
    sigmas,
    signals,
    untrained,
)
from torch import Tensor

import ired_interp as ii
from ired_interp.energy.base import Energy
from ired_interp.experiments.exp005 import EXPERIMENT, Exp005Config
from ired_interp.experiments.exp005.spaces import chosen_rank, splits
from ired_interp.experiments.hypothesis import Hypothesis
from ired_interp.experiments.kit.options import filled
from ired_interp.tasks import Problems, Task
from ired_interp.tasks.completion import Completion

_USUAL = filled(Exp005Config())
_PROBLEMS, _DRAWS = _USUAL.problems or 0, _USUAL.controls or 0
_FINEST = 10
_WIDE = 100.0  # a clamp that nothing reaches: it is a box, which turns with nothing
_SPREAD, _SWAY = 0.2, 0.3
_VALLEY, _PULL, _SLOPE = 0.3, (0.95, 1.8), (1.9, 0.5)

Maker = Callable[[Task, Problems, torch.Generator], Energy]
_INVERSE = ii.task("inverse", size=3)
_COMPLETION = ii.task("completion", size=4, rank=2)


def _normal(rng: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=rng, dtype=torch.float64)


def _run(
    seed: int, task: Task, model: Maker, controls: Maker, *, on_the_way: bool = False
) -> xr.DataTree:
    """A run at the finest level, with the solver's way there through all levels if asked."""
    problems = task.sample(_PROBLEMS, seed=seed)
    rng = torch.Generator().manual_seed(seed)
    studied = model(task, problems, rng)
    beside = [controls(task, problems, rng) for _ in range(_DRAWS)]

    def measure(one: Energy, levels: tuple[int, ...] = (_FINEST,)) -> xr.Dataset:
        config = filled(Exp005Config(problems=_PROBLEMS, levels=levels, seed=seed, bound=_WIDE))
        given = EXPERIMENT.prepared(config, task, one.schedule, 0, _PROBLEMS)
        return EXPERIMENT.of_model(one, given, config)

    if on_the_way:
        return as_run(measure, studied, beside)
    return as_run_by_level(measure, studied, beside)


def _of_spaces(problems: Problems, bases: Tensor, scaled: Tensor) -> Energy:
    """σκ [n, T, d] along the columns of bases [n, d, d]."""
    return quadratic(problems, from_eigen(bases[:, None], scaled / sigmas()[:, None]))


def _ellipsoid(task: Task, problems: Problems, rng: torch.Generator) -> Energy:
    d = task.dim_y
    scaled = torch.exp(0.4 * _normal(rng, _PROBLEMS, 1, d)) * torch.ones(num_timesteps(), 1)
    return _of_spaces(problems, haar(_PROBLEMS, d, rng), 0.8 * scaled.double())


def _network(task: Task, problems: Problems, rng: torch.Generator) -> Energy:  # noqa: ARG001
    return untrained(task, int(torch.randint(2**30, (1,), generator=rng)), 1)[0]


def _bases(task: Task, problems: Problems, rng: torch.Generator) -> tuple[Tensor, int]:
    """Columns of the first split, tangent ones first, turned within each part; how many are."""
    first = [next(iter(one.values())) for one in splits(task, problems, chosen_rank(task, None))]
    tangent, normal = (
        torch.stack([getattr(one, part) for one in first]) for part in ("tangent", "normal")
    )
    turned = [part @ haar(_PROBLEMS, part.shape[-1], rng) for part in (tangent, normal)]
    return torch.cat(turned, dim=-1), tangent.shape[-1]


def _valley(
    task: Task,
    problems: Problems,
    rng: torch.Generator,
    *,
    along: float = _VALLEY,
    across: float = 1.0,
    sway: float = 0.0,
) -> Energy:
    """σκ of ``along`` in tangent and ``across`` in normal directions."""
    bases, q = _bases(task, problems, rng)
    d = task.dim_y
    size = torch.full((d,), across, dtype=torch.float64)
    size[:q] = along * float(torch.exp(sway * _normal(rng, 1)))
    spread = torch.exp(_SPREAD * _normal(rng, _PROBLEMS, 1, d))
    return _of_spaces(problems, bases, size * spread * torch.ones(num_timesteps(), 1).double())


def _variance(task: Task) -> Tensor:
    """ρ·v/(1 + ρ·v) of a missing entry, [T]: how far its σκ lies below 1."""
    family = task.family
    if not isinstance(family, Completion):
        raise TypeError(task.name)
    variance = family.variance("same")
    known = (signals() / sigmas()).square() * variance
    return known / (1 + known)


def _at_the_bound(task: Task, problems: Problems, rng: torch.Generator) -> Energy:
    """σκ of 1 across, of 1/bound along the tangent space, each with a spread around that."""
    bases, q = _bases(task, problems, rng)
    missing = (~problems.parts["mask"]).flatten(1).sum(1).double()
    along = 1 - _variance(task) * (missing / q)[:, None]
    size = torch.ones(_PROBLEMS, num_timesteps(), task.dim_y, dtype=torch.float64)
    size[..., :q] = along[..., None]
    return _of_spaces(
        problems, bases, size * (1 + _SPREAD * _normal(rng, _PROBLEMS, 1, task.dim_y))
    )


def _entries(
    task: Task, problems: Problems, rng: torch.Generator, *, turned: bool = False
) -> Energy:
    """σκ of the best linear posterior in the missing entries; or of the observed where turned."""
    seen = problems.parts["mask"].flatten(1)
    low = seen if turned else ~seen
    size = 1 - low[:, None].double() * _variance(task)[:, None]
    size = size * (1 + 0.1 * _normal(rng, _PROBLEMS, 1, task.dim_y))
    flat = torch.eye(task.dim_y, dtype=torch.float64).expand(_PROBLEMS, -1, -1)
    return _of_spaces(problems, flat, size)


_steep = partial(_valley, along=_SLOPE[0], across=_SLOPE[1])
_missing_steep = partial(_entries, turned=True)
_pulling = partial(_valley, along=_PULL[0], across=_PULL[1])
_swayed = partial(_valley, sway=_SWAY)
_OF_MASK = ("beyond-bayes", "missing-is-flat")


def _some(*names: str) -> tuple[Hypothesis, ...]:
    return tuple(one for one in EXPERIMENT.hypotheses if one.id in names)


_ON_THE_WAY = "normal-on-the-way"
# By whether the solver is needed.
_OF_INVERSE = {
    False: tuple(one for one in EXPERIMENT.hypotheses if one.id not in (*_OF_MASK, _ON_THE_WAY)),
    True: _some(_ON_THE_WAY),
}
_CASE = partial(Case, name=f"exp005, n = {_PROBLEMS}", family=5, round=2)

CASES = (
    *(
        case
        for on_the_way in (False, True)
        for case in (
            _CASE(
                landscape="an ellipsoid",
                hypotheses=_OF_INVERSE[on_the_way],
                null=partial(
                    _run,
                    task=_INVERSE,
                    model=_ellipsoid,
                    controls=_steep,
                    on_the_way=on_the_way,
                ),
                places=first_half(),
            ),
            _CASE(
                landscape="untrained",
                hypotheses=_OF_INVERSE[on_the_way],
                null=partial(
                    _run,
                    task=_INVERSE,
                    model=_network,
                    controls=_network,
                    on_the_way=on_the_way,
                ),
                places=second_half(),
            ),
            _CASE(
                landscape="a steep valley",
                hypotheses=_OF_INVERSE[on_the_way],
                truth=partial(
                    _run,
                    task=_INVERSE,
                    model=_pulling,
                    controls=_ellipsoid,
                    on_the_way=on_the_way,
                ),
            ),
        )
    ),
    _CASE(
        landscape="at the bound",
        hypotheses=_some(*_OF_MASK),
        null=partial(_run, task=_COMPLETION, model=_at_the_bound, controls=_missing_steep),
        places=first_half(),
    ),
    _CASE(
        landscape="untrained",
        hypotheses=_some("missing-is-flat"),
        null=partial(_run, task=_COMPLETION, model=_network, controls=_network),
        places=second_half(),
    ),
    _CASE(
        landscape="the control has it too",
        hypotheses=_some("beyond-bayes"),
        null=partial(_run, task=_COMPLETION, model=_swayed, controls=_swayed),
        places=second_half(),
    ),
    _CASE(
        landscape="a valley",
        hypotheses=_some("beyond-bayes"),
        truth=partial(_run, task=_COMPLETION, model=_valley, controls=_ellipsoid),
    ),
    _CASE(
        landscape="known entries",
        hypotheses=_some("missing-is-flat"),
        truth=partial(_run, task=_COMPLETION, model=_entries, controls=_ellipsoid),
    ),
)
