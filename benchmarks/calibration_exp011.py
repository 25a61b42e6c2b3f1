"""EXP-011 on planted results: errors of each way and the basins that starts end in.

32 problems from four starts, beside as many controls as a run has by default. Errors are planted
and not inferred, since a landscape of twelve ways takes tens of seconds. So what is counted is the
statistics and the verdicts; that ways measure what they say is tested on landscapes in closed form
(``tests/oracle/test_exp011.py``).

The log of each way's error is that of the problem, which differs by 1, and noise of 0.2. The worse
way of a claim has g more. A start ends in the second of two basins with probability q.

Nulls:
- *As good*: g of each problem is as likely to be above 0 as below (0.3); all starts end in one
  basin. The controls lie on the side that refutes, g = -0.5.
- *One more draw*: a network has a g of its own (0.2), and a q from 0 to 1/2; the model's is drawn
  as the controls' are.

Truth: *worse*: g is 1.2 in the mean, and every start has both basins before it; networks of the
controls have a g of their own, and a q below 1/20.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import xarray as xr
from calibration_case import Case, first_half, second_half

from ired_interp.anatomy import ARMS, RELEASED
from ired_interp.experiments.exp011 import EXPERIMENT, Exp011Config
from ired_interp.experiments.kit.options import filled
from ired_interp.stats import FloatArray

_USUAL = filled(Exp011Config())
_PROBLEMS, _DRAWS, _STARTS = (_USUAL.problems or 0), (_USUAL.controls or 0), (_USUAL.starts or 0)
_OF_PROBLEM, _OF_WAY, _SPREAD, _OF_NETWORK = 1.0, 0.2, 0.3, 0.2
# By how much of g a way is worse than the released rule; the others are as good.
_WORSE = {"no-jump": 1, "no-steps": 1, "single-steps": 1, "last-level": 1}
_BETTER = {"twenty-steps": -1, "jumps-newton": -1}

Network = Callable[[np.random.Generator], tuple[FloatArray, float]]
"""g of each problem, [n], and q."""


def _as_good(rng: np.random.Generator) -> tuple[FloatArray, float]:
    return _SPREAD * rng.normal(size=_PROBLEMS), 0.0


def _refuting(rng: np.random.Generator) -> tuple[FloatArray, float]:
    return -0.5 + _SPREAD * rng.normal(size=_PROBLEMS), 0.0


def _one_more(rng: np.random.Generator, *, most: float = 0.5) -> tuple[FloatArray, float]:
    own = _OF_NETWORK * rng.normal() + _SPREAD * rng.normal(size=_PROBLEMS)
    return own, float(rng.uniform(0, most))


def _worse(rng: np.random.Generator) -> tuple[FloatArray, float]:
    return 1.2 + _one_more(rng)[0], 0.5


def _results(seed: int, model: Network, controls: Network) -> xr.DataTree:
    rng = np.random.default_rng(seed)
    of_problem = _OF_PROBLEM * rng.normal(size=_PROBLEMS)

    def measured(network: Network) -> xr.Dataset:
        worse, second = network(rng)
        logs = [
            of_problem
            + (_WORSE | _BETTER).get(arm.name, 0) * worse
            + _OF_WAY * rng.normal(size=_PROBLEMS)
            for arm in ARMS
        ]
        there = rng.binomial(_STARTS, second, size=_PROBLEMS)
        apart = there * (_STARTS - there) / (_STARTS * (_STARTS - 1) / 2)
        rows = np.full((_PROBLEMS, len(ARMS)), np.nan)
        names = [arm.name for arm in ARMS]
        rows[:, names.index(RELEASED)] = apart
        axes = ("problem", "arm")
        return xr.Dataset(
            {"error": (axes, np.exp(np.stack(logs, axis=1))), "apart": (axes, rows)},
            coords={"arm": names},
        )

    each = [measured(one).expand_dims(draw=[i]) for i, one in enumerate([controls] * _DRAWS)]
    return xr.DataTree.from_dict(
        {"/": measured(model), "controls/untrained": xr.concat(each, "draw")}
    )


_CASE = partial(Case, name=f"exp011, n = {_PROBLEMS}", hypotheses=EXPERIMENT.hypotheses, family=5)

CASES = (
    _CASE(
        landscape="as good",
        null=partial(_results, model=_as_good, controls=_refuting),
        places=first_half(),
    ),
    _CASE(
        landscape="one more draw",
        null=partial(_results, model=_one_more, controls=_one_more),
        places=second_half(),
    ),
    _CASE(
        landscape="worse",
        truth=partial(_results, model=_worse, controls=partial(_one_more, most=0.05)),
    ),
)
