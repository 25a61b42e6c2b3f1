"""EXP-004 on landscapes that know of no subspaces, and on some that measure their angle.

Problems of ``inverse`` at size 3. Every problem has an ellipsoid of its own around its answer,
with a skew; the truth adds the squared Grassmann or affine-invariant distance, some times as large,
as claims that a distance predicts better than ‖δ‖ are true only then. The control, drawn six times
as in a run, is another ellipsoid with no minimum at the answer.
"""

from dataclasses import replace

import torch
import xarray as xr
from calibration_case import Case
from torch import Tensor

import ired_interp as ii
from ired_interp.experiments.exp004_config import Exp004Config, fill_in
from ired_interp.experiments.exp004_distances import AFFINE, GRASSMANN, distances
from ired_interp.experiments.exp004_hypotheses import HYPOTHESES
from ired_interp.experiments.exp004_unit import measure_problems
from ired_interp.experiments.exp004_variables import SHARED
from ired_interp.schedule import cosine_schedule
from ired_interp.tasks import Problems, Task

_PROBLEMS, _LEVELS, _DRAWS = 24, (10,), 6
_WEIGHT = {GRASSMANN: 10.0, AFFINE: 1.0}
_ALL = 1000.0  # where the angle is all there is, and so predicts better than the length
_OVER = "grassmann-over-length"
_USUAL = Exp004Config()
# Within the cone, so that the planted distance is known everywhere.
_SHORT = Exp004Config(length=0.02, longest=0.05)


class _Landscape:
    def __init__(
        self, task: Task, problems: Problems, seed: int, metric: str | None, weight: float
    ) -> None:
        self.schedule = cosine_schedule()
        self.dim_x, self.dim_y = task.dim_x, task.dim_y
        rng = torch.Generator().manual_seed(seed)
        n, d = problems.y.shape
        factor = torch.randn(n, d, d, generator=rng, dtype=torch.float64)
        self._matrix = factor @ factor.mT / d
        self._slope = 0.1 * torch.randn(n, d, generator=rng, dtype=torch.float64)
        self._x, self._answer, self._metric = problems.x, problems.y, metric
        self._weight = weight

    def energy(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        row = torch.cdist(x, self._x).argmin(dim=1)
        answer = self._answer[row]
        off = y / self.schedule.signal[t][:, None] - answer
        out: Tensor = torch.einsum("ni,nij,nj->n", off, self._matrix[row], off)
        out = out + (self._slope[row] * off).sum(1) * off.detach().norm(dim=1)
        if self._metric is None:
            return out
        side = round(answer.shape[1] ** 0.5)
        base = answer.reshape(-1, side, side)
        end = base + off.detach().reshape(base.shape)
        apart = distances(base, end[:, None], (self._metric,), rank=1)[:, 0, 0]
        return out + self._weight * apart.square()


class _Tilted(_Landscape):
    def energy(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        row = torch.cdist(x, self._x).argmin(dim=1)
        bent = super().energy(x, y, t)
        tilt: Tensor = (self._slope[row] * y).sum(1)
        return bent + 10 * tilt


def _results(seed: int, metric: str | None, weight: float, lengths: Exp004Config) -> xr.DataTree:
    task = ii.task("inverse", size=3)
    config = fill_in(replace(lengths, problems=_PROBLEMS, levels=_LEVELS, moves=8, seed=seed))
    problems = task.sample(_PROBLEMS, seed=seed)
    model = _Landscape(task, problems, seed, metric, weight)
    groups = {"/": measure_problems(model, task, config, 0, _PROBLEMS, answers=False)}
    draws = []
    for draw in range(_DRAWS):
        beside = _Tilted(task, problems, seed + 1_000_000 * (draw + 1), None, 0.0)
        data = measure_problems(beside, task, config, 0, _PROBLEMS, answers=False)
        draws.append(data.drop_vars(SHARED, errors="ignore").expand_dims(draw=[draw]))
    groups["controls/untrained"] = xr.concat(draws, "draw")
    return xr.DataTree.from_dict(groups)


def _null(seed: int) -> xr.DataTree:
    return _results(seed, None, 0.0, _USUAL)


def _angles(seed: int) -> xr.DataTree:
    return _results(seed, GRASSMANN, _WEIGHT[GRASSMANN], _USUAL)


def _angles_alone(seed: int) -> xr.DataTree:
    return _results(seed, GRASSMANN, _ALL, _USUAL)


def _cone(seed: int) -> xr.DataTree:
    return _results(seed, AFFINE, _WEIGHT[AFFINE], _SHORT)


CASES = (
    Case(
        name=f"exp004, n = {_PROBLEMS}",
        hypotheses=tuple(
            one for one in HYPOTHESES if one.id.startswith("grassmann-") and one.id != _OVER
        ),
        null=_null,
        truth=_angles,
        family=len(HYPOTHESES),
    ),
    Case(
        name=f"exp004, n = {_PROBLEMS}, angle alone",
        hypotheses=tuple(one for one in HYPOTHESES if one.id == _OVER),
        null=_null,
        truth=_angles_alone,
        family=len(HYPOTHESES),
    ),
    Case(
        name=f"exp004, n = {_PROBLEMS}, affine",
        hypotheses=tuple(one for one in HYPOTHESES if one.id.startswith("affine")),
        null=_null,
        truth=_cone,
        family=len(HYPOTHESES),
    ),
)
