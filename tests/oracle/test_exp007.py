"""EXP-007: effective rank, planted series whose answer is known, and a training to its page."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from torch import Tensor

import ired_interp as ii
import planted
import tiny
from ired_interp.cli import main
from ired_interp.errors import CheckpointError, ConfigError
from ired_interp.experiments import find_experiment
from ired_interp.experiments.exp007_config import Exp007Config, fill_in, open_series
from ired_interp.experiments.exp007_hypotheses import HYPOTHESES
from ired_interp.experiments.exp007_unit import effective_rank, measure_problems
from ired_interp.experiments.exp007_variables import DEFINITIONS, SHARED
from ired_interp.experiments.verdicts import judge
from ired_interp.report.html import write_report
from ired_interp.rules import ladder
from ired_interp.rules.ladders import FITTING_SEED
from ired_interp.runs.execution import execute
from ired_interp.runs.run import plan_run
from ired_interp.schedule import cosine_schedule
from ired_interp.tasks import Problems, Task

EXPERIMENT = find_experiment("exp007")
PROBLEMS = 12
STEPS = (10, 100, 1000)


class Planted:
    """A bowl around a target of each problem, steeper by factors in skew directions."""

    def __init__(self, problems: Problems, target: Tensor, *, all_: float, skew: float) -> None:
        self.schedule = cosine_schedule()
        self.dim_x = self.dim_y = problems.x.shape[1]
        self._x, self._target, self._all, self._skew = problems.x, target, all_, skew

    def energy(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """E at each row."""
        return self.energy_and_gradient(x, y, t)[0]

    def energy_and_gradient(self, x: Tensor, y: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """E = off·M·off/(2σ), off = y - s·target."""
        target = self._target[torch.cdist(x, self._x).argmin(dim=1)]
        off = y - self.schedule.signal[t][:, None] * target
        sigma, pulled = self.schedule.sigma[t], off @ self._form()
        return (off * pulled).sum(1) / (2 * sigma), pulled / sigma[:, None]

    def hessian(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """M/σ."""
        return self._form().expand(len(x), *y.shape[1:], -1) / self.schedule.sigma[t][:, None, None]

    def hvp(self, x: Tensor, y: Tensor, t: Tensor, v: Tensor) -> Tensor:
        """The Hessian times m vectors a row."""
        return v @ self.hessian(x, y, t)

    def working_bytes(self, num_vectors: int) -> int:
        """Of a row."""
        return 64 * self.dim_y * (self.dim_y + num_vectors)

    def _form(self) -> Tensor:
        side = round(self.dim_y**0.5)
        eye = torch.eye(self.dim_y, dtype=torch.float64)
        turned = eye.reshape(-1, side, side).mT.flatten(1)
        return self._all * (eye + (self._skew - 1) * (eye - turned) / 2)


@pytest.fixture(scope="module")
def task() -> Task:
    return ii.task("inverse", size=3)


def tree(
    task: Task,
    targets: list[Tensor],
    *,
    beside: list[Tensor],
    all_: tuple[float, ...] = (1, 1, 1),
    skew: tuple[float, ...] = (1, 1, 1),
    beside_all: tuple[float, ...] = (1, 1, 1),
    beside_skew: tuple[float, ...] = (1, 1, 1),
) -> xr.DataTree:
    """The results of a planted series, with another one as its control."""
    problems = task.sample(PROBLEMS, seed=0)
    config = Exp007Config(problems=PROBLEMS, levels=(10, 6), steps=STEPS)

    def measured(one: list[Tensor], a: tuple[float, ...], s: tuple[float, ...]) -> xr.Dataset:
        models = [Planted(problems, t, all_=x, skew=y) for t, x, y in zip(one, a, s, strict=True)]
        return measure_problems(models, task, config, 0, PROBLEMS, answers=False)

    control = measured(beside, beside_all, beside_skew).expand_dims(draw=[0])
    return xr.DataTree.from_dict(
        {"/": measured(targets, all_, skew), "controls/untrained": control}
    )


def cut(y: Tensor, rank: int) -> Tensor:
    u, s, vt = torch.linalg.svd(y.reshape(-1, 3, 3))
    out: Tensor = ((u[..., :rank] * s[:, None, :rank]) @ vt[:, :rank]).flatten(1)
    return out


def towards_the_mean(task: Task, y: Tensor, shares: tuple[float, ...]) -> list[Tensor]:
    mean = task.sample(2_000, seed=FITTING_SEED).y.mean(0)
    return [y + share * (mean - y) for share in shares]


def outcomes(results: xr.DataTree) -> dict[str, str]:
    return {one.id: one.outcome for one in judge(HYPOTHESES, results)}


def test_effective_rank_is_that_of_equal_and_of_unequal_values() -> None:
    equal = torch.diag_embed(torch.tensor([[2.0, 2.0, 0.0], [5.0, 0.0, 0.0], [0.0, 0.0, 0.0]]))
    torch.testing.assert_close(effective_rank(equal), torch.tensor([2.0, 1.0, 0.0]))
    matrices = planted.normal(4, 9, seed=0).reshape(4, 3, 3)
    for matrix, found in zip(matrices.numpy(), effective_rank(matrices).tolist(), strict=True):
        values = np.linalg.svd(matrix, compute_uv=False)
        p = values / values.sum()
        assert found == pytest.approx(float(np.exp(-(p * np.log(p)).sum())), rel=1e-12)


def test_answers_between_truth_and_mean_have_no_bias(task: Task) -> None:
    y = task.sample(PROBLEMS, seed=0).y
    series = towards_the_mean(task, y, (0.9, 0.5, 0.1))
    results = tree(task, series, beside=series)
    root = results.to_dataset()
    np.testing.assert_allclose(root["effective_rank"], root["wrong_rank"], rtol=1e-8)
    np.testing.assert_allclose(root["nuclear_norm"], root["wrong_nuclear"], rtol=1e-8)
    # Bowls of the ideal shape at every step: nothing changes but the answers.
    np.testing.assert_allclose(root["curvature"], 1, rtol=1e-9)
    np.testing.assert_allclose(root["off_ideal"], 0, atol=1e-9)
    np.testing.assert_allclose(root["split_ratio"], 0, atol=1e-9)
    assert "supported" not in outcomes(results).values()


def test_answers_cut_to_low_rank_are_found_out(task: Task) -> None:
    y = task.sample(PROBLEMS, seed=0).y
    results = tree(
        task,
        [cut(y, 1), cut(y, 2), y],
        beside=towards_the_mean(task, y, (0.9, 0.5, 0.0)),
    )
    found = outcomes(results)
    assert found["low-rank-before-right"] == "supported"
    assert found["small-norm-before-right"] == "supported"
    np.testing.assert_allclose(results["effective_rank"].isel(step=0), 1, rtol=1e-6)
    np.testing.assert_allclose(results["error"].isel(step=2), 0, atol=1e-20)


def test_answers_of_the_rules_in_order_climb_the_ladder(task: Task) -> None:
    problems = task.sample(PROBLEMS, seed=0)
    rules = ladder(task)
    said = [rules[i].answers(problems.x) for i in (0, 2, -1)]
    results = tree(task, said, beside=[said[2], said[1], said[0]])
    assert outcomes(results)["ladder-is-climbed"] == "supported"
    distance = results["rule_distance"].isel(step=0, rule=0)
    np.testing.assert_allclose(distance, 0, atol=1e-9)


def test_curvature_that_moves_along_the_series_is_seen(task: Task) -> None:
    y = task.sample(PROBLEMS, seed=0).y
    results = tree(
        task,
        [y, y, y],
        beside=[y, y, y],
        all_=(0.25, 0.5, 1),
        skew=(1, 1.5, 1.6),
        beside_all=(0.5, 1, 0.25),  # in no order
        beside_skew=(1.6, 1, 1.3),
    )
    root = results.to_dataset()
    np.testing.assert_allclose(
        root["split_ratio"].transpose("step", "problem", "level"),
        np.log([1, 1.5, 1.6])[:, None, None] * np.ones((3, PROBLEMS, 2)),
        atol=1e-9,
    )
    # 6 symmetric directions and 3 skew ones.
    off = [
        np.sqrt((6 * (a - 1) ** 2 + 3 * (a * b - 1) ** 2) / 9)
        for a, b in zip((0.25, 0.5, 1), (1, 1.5, 1.6), strict=True)
    ]
    np.testing.assert_allclose(root["off_ideal"].isel(problem=0, level=0), off, rtol=1e-9)
    found = outcomes(results)
    assert found["normal-sharpens"] == "supported"
    assert found["landscape-becomes-ideal"] == "supported"


TRAIN = (
    "train inverse --size 2 --width 16 --batch-size 8 --steps 20 --validate-every 20 "
    "--validation-problems 8 --keep 5,10 --threads 1 --out"
)


def test_a_training_from_its_folder_to_a_page(tmp_path: Path) -> None:
    folder = tmp_path / "t"
    assert main([*TRAIN.split(), str(folder)]) == 0
    asked = Exp007Config(
        model=str(folder / "model.safetensors"),
        problems=3,
        controls=2,
        unit_problems=2,
        levels=(10, 4),
    )
    run = execute(plan_run(EXPERIMENT, asked, tmp_path / "run"))
    assert run.num_units == 6
    assert run.config.steps == (5, 10, 20)
    results = run.tree
    assert set(results.to_dataset().data_vars) == set(DEFINITIONS)
    control = results["controls/untrained"].to_dataset()
    assert control.sizes["draw"] == 2
    assert not {*SHARED, "given"} & set(control.data_vars)
    # Untrained networks are different at every step and draw.
    errors = control["error"].isel(problem=0).values
    assert len(set(errors.ravel().tolist())) == errors.size
    last = ii.solve(
        ii.load_model(folder / "model.safetensors"), torch.from_numpy(results["x"].values), seed=0
    )
    np.testing.assert_allclose(results["given"].sel(step=20), last.y, rtol=1e-9)
    assert all(spec.missing(results) == [] for spec in EXPERIMENT.figures)
    text = write_report(run).read_text(encoding="utf-8")
    assert "What being wrong does by itself" in text
    assert all(f'id="figure-{spec.name}"' in text for spec in EXPERIMENT.figures)
    assert [row[0] for row in EXPERIMENT.listing(results).rows] == ["5", "10", "20"]

    config = run.config
    shutil.copy(folder / "step-0000005.safetensors", folder / "step-0000010.safetensors")
    with pytest.raises(CheckpointError, match="expected the file of the run's plan"):
        open_series(config)


def test_a_series_is_of_one_task_and_of_several_steps(tmp_path: Path) -> None:
    alone = str(tiny.checkpoint(tmp_path / "m.safetensors"))
    with pytest.raises(ConfigError, match=r"at least 3 checkpoints of different steps.*--keep"):
        fill_in(Exp007Config(model=alone))
    with pytest.raises(ConfigError, match="at least 2 checkpoints before the last one, found 1"):
        Exp007Config(series=("a", "a"))
    with pytest.raises(CheckpointError, match="with dim_x = 4"):
        fill_in(Exp007Config(model=alone, series=("inverse-4", "inverse-4-small-0")))
    bundled = fill_in(Exp007Config())
    assert bundled.steps == (10, 30, 100, 300, 1000, 3000, 8000)
    assert bundled.series[0] == "inverse-4-small-0-step-10"
