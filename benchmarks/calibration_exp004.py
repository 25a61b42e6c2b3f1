"""EXP-004 on landscapes that know of no subspaces, and on some that measure their angle.

24 problems of ``inverse`` at size 3 beside 6 controls, as a run has by default; 8 moves a kind in
place of 16 and the finest level alone. The networks of a landscape stand as the levels of one
model, so that moves and distances are computed once for all of them.

Nulls:
- *An ellipsoid*: every problem has an ellipsoid of its own around its answer, with a skew. The
  controls have ellipsoids too, and no minimum at the answer.
- *Untrained*: a network with random weights beside such networks.
- *The control has it too*: the truths below, as strongly as a network has it by chance (the weight
  of the distance is lognormal, σ = ½), the controls too.

Truths: the ellipsoid with the squared Grassmann or affine-invariant distance added. *Alone*, where
the claim is that a distance predicts better than ‖δ‖, it is all there is.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import torch
import xarray as xr
from calibration_case import Case, first_half, second_half
from planted_energies import as_run_by_level, untrained
from torch import Tensor

import ired_interp as ii
from ired_interp.energy.base import Energy
from ired_interp.experiments.exp004 import EXPERIMENT, Exp004Config
from ired_interp.experiments.exp004.distances import AFFINE, GRASSMANN, distances
from ired_interp.experiments.hypothesis import Hypothesis
from ired_interp.experiments.kit.options import filled
from ired_interp.schedule import cosine_schedule
from ired_interp.tasks import Problems, Task

_USUAL = filled(Exp004Config())
_PROBLEMS, _DRAWS = _USUAL.problems or 0, _USUAL.controls or 0
_SIZE, _MOVES = 3, 8
_WEIGHT = {GRASSMANN: 10.0, AFFINE: 1.0}
_ALONE = 1000.0
_SWAY = 0.5
# Within the cone but for a few moves.
_SHORT = Exp004Config(length=0.02, longest=0.05)


class _Landscape:
    """(y - s·y*)ᵀA(y - s·y*) with a skew, and some times a squared distance.

    Every problem has an A of its own.
    """

    def __init__(
        self,
        task: Task,
        problems: Problems,
        rng: torch.Generator,
        *,
        metric: str | None = None,
        weight: float = 0.0,
        tilt: float = 0.0,
        sway: float = 0.0,
    ) -> None:
        self.schedule = cosine_schedule()
        self.dim_x, self.dim_y = task.dim_x, task.dim_y
        n, d = problems.y.shape
        factor = torch.randn(n, d, d, generator=rng, dtype=torch.float64)
        self._matrix = factor @ factor.mT / d
        self._slope = 0.1 * torch.randn(n, d, generator=rng, dtype=torch.float64)
        self._x, self._answer, self._metric = problems.x, problems.y, metric
        one = torch.randn(1, generator=rng, dtype=torch.float64)
        self._weight = weight * float(torch.exp(sway * one))
        self._tilt = tilt

    def energy(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """E at each row."""
        row = torch.cdist(x, self._x).argmin(dim=1)
        answer = self._answer[row]
        off = y / self.schedule.signal[t][:, None] - answer
        out: Tensor = torch.einsum("ni,nij,nj->n", off, self._matrix[row], off)
        out = out + (self._slope[row] * off).sum(1) * off.detach().norm(dim=1)
        out = out + self._tilt * (self._slope[row] * y).sum(1)
        if self._metric is None:
            return out
        side = round(answer.shape[1] ** 0.5)
        base = answer.reshape(-1, side, side)
        end = base + off.detach().reshape(base.shape)
        apart = distances(base, end[:, None], (self._metric,), rank=1)[:, 0, 0]
        # Out of the cone there is no affine-invariant distance, and no claim is about such a move.
        return out + self._weight * apart.square().nan_to_num(0.0)


def _results(
    seed: int, networks: Sequence[Energy], task: Task, lengths: Exp004Config
) -> xr.DataTree:
    def measure(side: Energy, levels: tuple[int, ...]) -> xr.Dataset:
        config = filled(
            replace(lengths, problems=_PROBLEMS, levels=levels, moves=_MOVES, seed=seed)
        )
        given = EXPERIMENT.prepared(config, task, side.schedule, 0, _PROBLEMS)
        return EXPERIMENT.of_model(side, given, config)

    return as_run_by_level(measure, networks[0], networks[1:])


def _planted(
    seed: int,
    *,
    metric: str | None = None,
    weight: float = 0.0,
    sway: float = 0.0,
    shared: bool = False,
    lengths: Exp004Config = _USUAL,
) -> xr.DataTree:
    """The control has the distance too where ``shared``; else it is tilted ellipsoids."""
    task = ii.task("inverse", size=_SIZE)
    problems = task.sample(_PROBLEMS, seed=seed)
    rng = torch.Generator().manual_seed(seed)
    knows = partial(_Landscape, task, problems, rng, metric=metric, weight=weight, sway=sway)
    tilted = partial(_Landscape, task, problems, rng, tilt=10.0)
    other = knows if shared else tilted
    return _results(seed, [knows(), *(other() for _ in range(_DRAWS))], task, lengths)


def _untrained(seed: int) -> xr.DataTree:
    task = ii.task("inverse", size=_SIZE)
    return _results(seed, untrained(task, seed, 1 + _DRAWS), task, _USUAL)


_ANGLE = partial(_planted, metric=GRASSMANN, weight=_WEIGHT[GRASSMANN])
_ANGLE_ALONE = partial(_planted, metric=GRASSMANN, weight=_ALONE)
_CONE = partial(_planted, metric=AFFINE, weight=_WEIGHT[AFFINE], lengths=_SHORT)
_OVER = ("grassmann-over-the-bowl", "grassmann-over-length")
_BESIDE = ("grassmann-given-length", "grassmann-at-fixed-length", "grassmann-adds")
_CASE = partial(Case, name=f"exp004, n = {_PROBLEMS}", family=5, round=2)


def _some(*names: str) -> tuple[Hypothesis, ...]:
    return tuple(one for one in EXPERIMENT.hypotheses if one.id in names)


CASES = (
    _CASE(
        landscape="an ellipsoid",
        hypotheses=EXPERIMENT.hypotheses,
        null=_planted,
        places=first_half(),
    ),
    _CASE(
        landscape="untrained",
        hypotheses=_some(*_BESIDE, "affine-at-fixed-length"),
        null=_untrained,
        places=second_half(),
    ),
    _CASE(
        landscape="the control has it too",
        hypotheses=_some(*_OVER),
        null=partial(_ANGLE_ALONE, sway=_SWAY, shared=True),
        places=second_half(),
    ),
    _CASE(landscape="the angle", hypotheses=_some(_OVER[0], *_BESIDE), truth=_ANGLE),
    _CASE(landscape="the angle alone", hypotheses=_some(_OVER[1]), truth=_ANGLE_ALONE),
    _CASE(
        landscape="the cone's distance",
        hypotheses=_some("affine-at-fixed-length"),
        truth=_CONE,
    ),
)
