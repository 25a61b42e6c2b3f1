"""EXP-007 on planted series of answers and of landscapes, beside planted or untrained ones.

24 problems of ``inverse`` at size 3, five checkpoints and the finest level, beside as many series
as a run has by default. Answers are planted on the sphere of their error around the truth: on the
straight way from the mean answer, turned by an amount e towards the truth with a penalty on its
nuclear norm, or by 1 - exp(-e) towards the trivial rule of that error; those of the first
checkpoint are three times as wrong as the mean answer, in a random direction. Landscapes are
quadratics: σH is I and g times a random symmetric matrix, or the identity with the skew directions
b times as steep.

Nulls:
- *As wrong*: e, or the slope of log g or log b over the steps, of each problem is as likely to be
  above 0 as below. The controls lie on the side that refutes.
- *One more draw* (answers): a network has an e of its own (0.1), to which its problems add theirs;
  the model's is drawn as the controls' are.
- *Untrained* (landscapes): networks with random weights, 16 wide, one a step, beside such series.

Truths: *turned*, e is 0.6 in the mean and differs by 0.2; *nearing* and *sharpening*, g falls and b
rises by half over the series. The controls have small amounts and slopes of their own.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial

import numpy as np
import torch
import xarray as xr
from calibration_case import Case, first_half, second_half
from planted_energies import (
    quadratic,
    random_symmetric,
    sigmas,
    untrained,
)
from torch import Tensor

import ired_interp as ii
from ired_interp.energy.base import Energy
from ired_interp.experiments.exp007 import EXPERIMENT, Exp007Config, with_series
from ired_interp.experiments.exp007.answers import (
    Beside,
    measure_answers,
    penalised,
    unbiased_of,
)
from ired_interp.experiments.exp007.measure import measure_curvature, split_of
from ired_interp.experiments.hypothesis import Hypothesis
from ired_interp.experiments.kit.options import filled
from ired_interp.experiments.kit.study import Prepared
from ired_interp.rules import Rule, ladder
from ired_interp.schedule import cosine_schedule
from ired_interp.tasks import Problems, Task

_USUAL = with_series(filled(Exp007Config()))
_PROBLEMS, _DRAWS = _USUAL.problems or 0, _USUAL.controls or 0
_SIZE, _FINEST, _WIDTH = 3, 10, 16
_STEPS = (1, 10, 100, 1_000, 10_000)
_SHARES = (0.8, 0.3, 0.1, 0.03)  # of the mean answer's error, where it is not a rule's
_WORSE = 3.0
_TURN, _OF_PROBLEM, _OF_NETWORK = 0.6, 0.2, 0.1

Amounts = Callable[[torch.Generator], Tensor]
"""e of each problem of one network, [n]."""


def _normal(rng: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=rng, dtype=torch.float64)


def _even(rng: torch.Generator, *, mean: float = 0.0, network: float = 0.0) -> Tensor:
    """Around a mean, and around that of its network."""
    return mean + network * _normal(rng, 1) + _OF_PROBLEM * _normal(rng, _PROBLEMS)


@cache
def _rules() -> tuple[Rule, ...]:
    return ladder(ii.task("inverse", size=_SIZE))


def _beside(task: Task, problems: Problems, seed: int) -> Beside:
    return Beside(
        tuple(rule.name for rule in _rules()),
        torch.stack([rule.answers(problems.x) for rule in _rules()], dim=1),
        unbiased_of(task, problems, seed=seed, first=0, trained_on=_USUAL.trained_on),
    )


def _config(seed: int) -> Exp007Config:
    return replace(_USUAL, levels=(_FINEST,), seed=seed, steps=_STEPS)


def _unit_noise(beside: Beside, rng: torch.Generator) -> Tensor:
    """A direction of rms 1 a problem that does not lead back to the truth, [n, 1, d]."""
    away = beside.unbiased.away[:, None]
    fresh = _normal(rng, *away.shape)
    noise = fresh / fresh.square().mean(dim=2, keepdim=True).sqrt()
    return torch.where((away * noise).mean(dim=2, keepdim=True) < 0, -noise, noise)


def _answers(
    beside: Beside, amount: Tensor, rng: torch.Generator, *, to_rules: bool
) -> list[Tensor]:
    """A series, [n, d] a step."""
    unbiased = beside.unbiased
    if to_rules:  # so that the log of the distance from the rule is as likely to fall as to rise
        amount = 1 - torch.exp(-amount)
    worse = replace(unbiased, noise=_unit_noise(beside, rng))
    found = [worse.of_error(_WORSE * unbiased.mean_error)[:, 0]]
    for number, share in enumerate(_SHARES):
        rule = beside.said[:, 1 + number]
        of_rule = (rule - unbiased.truth).square().mean(dim=1)
        error = of_rule if to_rules else share * unbiased.mean_error
        wrong = unbiased.of_error(error)[:, 0]
        target = rule if to_rules else penalised(unbiased.truth, error)
        target = torch.where(target.isnan(), wrong, target)  # worse than 0: no such penalty
        off = wrong - unbiased.truth + amount[:, None] * (target - wrong)
        size = (error / off.square().mean(dim=1)).sqrt()
        found.append(unbiased.truth + size[:, None] * off)
    return found


def _of_answers(
    seed: int, model: Amounts, controls: Amounts, *, to_rules: bool = False
) -> xr.DataTree:
    task = ii.task("inverse", size=_SIZE)
    problems = task.sample(_PROBLEMS, seed=seed)
    beside = _beside(task, problems, seed)
    rng = torch.Generator().manual_seed(seed)
    axes = dict.fromkeys(("rule_distance", "wrong_rule_distance"), ("rule",))

    def measured(amounts: Amounts) -> xr.Dataset:
        answers = _answers(beside, amounts(rng), rng, to_rules=to_rules)
        found = [measure_answers(answer, beside) for answer in answers]
        columns = {
            name: (
                ("problem", "step", *axes.get(name, ())),
                torch.stack([one[name] for one in found], dim=1).numpy(),
            )
            for name in found[0]
        }
        shared = {
            "mean_error": ("problem", beside.unbiased.mean_error.numpy()),
            "rule_error": (("problem", "rule"), beside.rule_error.numpy()),
        }
        return xr.Dataset(columns | shared, coords={"step": list(_STEPS)})

    return _tree([measured(one) for one in (model, *[controls] * _DRAWS)])


Landscapes = Callable[[Task, Problems, int, torch.Generator], Sequence[Energy]]
"""A series of one network, by step."""


def _planted(
    task: Task,
    problems: Problems,
    number: int,  # noqa: ARG001 - a planted series has no seed of its own
    rng: torch.Generator,
    *,
    what: str,
    slope: float = 0.0,
    spread: float = 0.0,
    network: float = 0.0,
) -> Sequence[Energy]:
    """log g or log b changes by slope ± spread of each problem from the first step to the last."""
    d = task.dim_y
    own = slope + network * _normal(rng, 1) + spread * _normal(rng, _PROBLEMS)
    shape = random_symmetric(_PROBLEMS, d, rng)
    eye = torch.eye(d, dtype=torch.float64)
    skew = (eye - eye.reshape(d, _SIZE, _SIZE).mT.flatten(1)) / 2
    found = []
    for place in torch.linspace(-0.5, 0.5, len(_STEPS)):
        factor = torch.exp(own * place + 0.02 * _normal(rng, _PROBLEMS))[:, None, None]
        scaled = eye + (0.1 * factor * shape if what == "g" else (factor - 1) * skew)
        found.append(quadratic(problems, scaled[:, None] / sigmas()[:, None, None]))
    return found


def _networks(
    task: Task,
    problems: Problems,  # noqa: ARG001 - as of a planted series
    number: int,
    rng: torch.Generator,  # noqa: ARG001 - likewise
) -> Sequence[Energy]:
    return untrained(task, number, len(_STEPS), width=_WIDTH)


def _of_landscapes(seed: int, model: Landscapes, controls: Landscapes) -> xr.DataTree:
    task = ii.task("inverse", size=_SIZE)
    problems = task.sample(_PROBLEMS, seed=seed)
    given = Prepared(task=task, problems=problems, first=0, schedule=cosine_schedule())
    split = split_of(task, problems)
    rng = torch.Generator().manual_seed(seed)

    def measured(number: int, series: Landscapes) -> xr.Dataset:
        found = [
            measure_curvature(one, given, split, _config(seed))
            for one in series(task, problems, seed * (1 + _DRAWS) + number, rng)
        ]
        columns = {
            name: (
                ("problem", "step", "level"),
                torch.stack([one[name] for one in found], dim=1).numpy(),
            )
            for name in found[0]
        }
        return xr.Dataset(columns, coords={"step": list(_STEPS), "level": [_FINEST]})

    return _tree([measured(i, one) for i, one in enumerate((model, *[controls] * _DRAWS))])


def _tree(each: Sequence[xr.Dataset]) -> xr.DataTree:
    beside = xr.concat([one.expand_dims(draw=[i]) for i, one in enumerate(each[1:])], "draw")
    return xr.DataTree.from_dict({"/": each[0], "controls/untrained": beside})


def _some(*names: str) -> tuple[Hypothesis, ...]:
    return tuple(one for one in EXPERIMENT.hypotheses if one.id in names)


_CASE = partial(Case, name=f"exp007, n = {_PROBLEMS}", family=5)


_turned = partial(_even, mean=_TURN, network=_OF_NETWORK)


def _cases_of_answers(*names: str, to_rules: bool) -> tuple[Case, ...]:
    run = partial(_of_answers, to_rules=to_rules)
    # The planted null of rules leaned to them at first: it is counted again on fresh seeds.
    of = partial(_CASE, hypotheses=_some(*names), round=int(to_rules))
    one_more = partial(_even, network=_OF_NETWORK)
    return (
        of(
            landscape="as wrong",
            null=partial(run, model=_even, controls=partial(one_more, mean=-_TURN)),
            places=first_half(),
        ),
        of(
            landscape="one more draw",
            null=partial(run, model=one_more, controls=one_more),
            places=second_half(),
        ),
        of(landscape="turned", truth=partial(run, model=_turned, controls=one_more)),
    )


def _cases_of_landscapes(name: str, what: str, *, sign: float, truth: str) -> tuple[Case, ...]:
    """``sign`` is that of a slope which supports the claim."""
    of, series = partial(_CASE, hypotheses=_some(name)), partial(_planted, what=what)
    steep = np.log(1.5) * sign
    return (
        of(
            landscape="as wrong",
            null=partial(
                _of_landscapes,
                model=partial(series, spread=_OF_PROBLEM),
                controls=partial(series, slope=-steep, spread=_OF_PROBLEM),
            ),
            places=first_half(),
        ),
        of(
            landscape="untrained",
            null=partial(_of_landscapes, model=_networks, controls=_networks),
            places=second_half(),
        ),
        of(
            landscape=truth,
            truth=partial(
                _of_landscapes,
                model=partial(series, slope=steep, spread=_OF_PROBLEM),
                controls=partial(series, spread=_OF_PROBLEM, network=_OF_NETWORK),
            ),
        ),
    )


CASES = (
    *_cases_of_answers("low-rank-before-right", "small-norm-before-right", to_rules=False),
    *_cases_of_answers("ladder-is-climbed", to_rules=True),
    *_cases_of_landscapes("landscape-becomes-ideal", "g", sign=-1, truth="nearing"),
    *_cases_of_landscapes("normal-sharpens", "b", sign=1, truth="sharpening"),
)
