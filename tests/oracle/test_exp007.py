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
from ired_interp.experiments.exp007 import EXPERIMENT as STUDY
from ired_interp.experiments.exp007 import Exp007Config, answers, with_series
from ired_interp.experiments.exp007.answers import effective_rank, penalised, unbiased_of
from ired_interp.experiments.exp007.measure import open_series
from ired_interp.experiments.kit.options import filled
from ired_interp.experiments.verdicts import judge
from ired_interp.models.checkpoint import write_checkpoint
from ired_interp.report.html import write_report
from ired_interp.rules import Rule, ladder
from ired_interp.rules.ladders import FITTING_SEED
from ired_interp.runs.execution import execute
from ired_interp.runs.run import plan_run
from ired_interp.schedule import cosine_schedule
from ired_interp.tasks import Difficulty, Problems, Task

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


@pytest.fixture
def task(monkeypatch: pytest.MonkeyPatch) -> Task:
    """A task whose rules are fitted on few problems, since each tree fits them anew."""
    monkeypatch.setattr("ired_interp.rules.ladders._NUM_POLYNOMIAL", 500)
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

    given = STUDY.prepared(config, task, cosine_schedule(), 0, PROBLEMS)

    def series(one: list[Tensor], a: tuple[float, ...], s: tuple[float, ...]) -> list[Planted]:
        return [Planted(problems, t, all_=x, skew=y) for t, x, y in zip(one, a, s, strict=True)]

    control = STUDY.measured(series(beside, beside_all, beside_skew), given, config)
    return xr.DataTree.from_dict(
        {
            "/": STUDY.of_model(series(targets, all_, skew), given, config),
            "controls/untrained": control.expand_dims(draw=[0]),
        }
    )


def cut(y: Tensor, rank: int) -> Tensor:
    u, s, vt = torch.linalg.svd(y.reshape(-1, 3, 3))
    out: Tensor = ((u[..., :rank] * s[:, None, :rank]) @ vt[:, :rank]).flatten(1)
    return out


def towards_the_mean(task: Task, y: Tensor, shares: tuple[float, ...]) -> list[Tensor]:
    mean = task.sample(2_000, seed=FITTING_SEED).y.mean(0)
    return [y + share * (mean - y) for share in shares]


def outcomes(results: xr.DataTree) -> dict[str, str]:
    return {one.id: one.outcome for one in judge(STUDY.hypotheses, results)}


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
    np.testing.assert_allclose(root["rule_distance"], root["wrong_rule_distance"], rtol=1e-8)
    # Bowls of the ideal shape at every step: nothing changes but the answers.
    np.testing.assert_allclose(root["curvature"], 1, rtol=1e-9)
    np.testing.assert_allclose(root["off_ideal"], 0, atol=1e-9)
    np.testing.assert_allclose(root["split_ratio"], 0, atol=1e-9)
    assert "supported" not in outcomes(results).values()


def test_a_straight_way_from_the_mean_to_the_truth_climbs_no_ladder(task: Task) -> None:
    problems = task.sample(PROBLEMS, seed=0)
    series = towards_the_mean(task, problems.y, (1.0, 0.4, 0.0))
    results = tree(task, series, beside=series[::-1])
    # It is nearest to the weakest rule at first and to the strongest at last, as one that climbs.
    distance = results["rule_distance"].mean("problem").transpose("step", "rule").values
    assert distance.argmin(axis=1)[[0, -1]].tolist() == [0, len(ladder(task)) - 1]
    assert outcomes(results)["ladder-is-climbed"] == "inconclusive"
    (claim,) = (one for one in STUDY.hypotheses if one.id == "ladder-is-climbed")
    np.testing.assert_allclose(claim.statistic(results).effect, 0, atol=1e-9)


def test_answers_as_wrong_exist_for_every_error(task: Task) -> None:
    problems = task.sample(PROBLEMS, seed=0)
    found = unbiased_of(task, problems, seed=0, first=0, trained_on="same")
    shares = torch.tensor([0, 1e-8, 0.3, 1 - 1e-9, 1, 1 + 1e-9, 2, 1e4], dtype=torch.float64)
    points = []
    for share in shares:
        error = share * found.mean_error
        wrong = found.of_error(error)
        errors = (wrong - problems.y[:, None]).square().mean(dim=2)
        torch.testing.assert_close(errors, error[:, None].expand_as(errors), rtol=1e-9, atol=0)
        points.append(wrong)
    size = float(problems.y.abs().max())
    assert float((points[3] - points[5]).abs().max()) < 1e-4 * size  # no jump at the mean answer
    mean = problems.y + found.away
    torch.testing.assert_close(points[4], mean[:, None].expand_as(points[4]))
    # Beyond it all draws differ, and none leads back to the truth.
    assert float((points[6] - mean[:, None]).std(dim=1).min()) > 0
    assert float(((points[6] - mean[:, None]) * found.away[:, None]).sum(dim=2).min()) >= 0


def test_noise_around_the_mean_answer_has_no_bias(task: Task) -> None:
    y = task.sample(PROBLEMS, seed=0).y
    mean = y.mean(dim=0)
    series = [mean + size * planted.normal(PROBLEMS, 9, seed=i) for i, size in enumerate((9, 3, 1))]
    results = tree(task, series, beside=series)
    error, of_mean = (results[name] for name in ("error", "mean_error"))
    assert bool((error > of_mean).all())
    for name in ("low-rank-before-right", "small-norm-before-right", "ladder-is-climbed"):
        (claim,) = (one for one in STUDY.hypotheses if one.id == name)
        found = claim.statistic(results)
        assert abs(found.effect.mean()) < 5 * found.effect.std(ddof=1) / PROBLEMS**0.5
        num = 36 if name == "ladder-is-climbed" else 24
        assert f"{num} of {num} answers are worse than the mean answer" in found.note


@pytest.mark.parametrize("threshold", [0.0, 1e-3, 0.2, 0.7])
def test_penalised_answers_are_those_of_the_nuclear_norm(task: Task, threshold: float) -> None:
    y = task.sample(PROBLEMS, seed=0).y
    u, values, vt = torch.linalg.svd(y.reshape(-1, 3, 3))
    expected = ((u * (values - threshold).clamp_min(0)[:, None]) @ vt).flatten(1)
    error = (expected - y).square().mean(dim=1)
    torch.testing.assert_close(penalised(y, error), expected, rtol=1e-9, atol=1e-9)
    beyond = penalised(y, 1.01 * y.square().mean(dim=1))
    assert bool(beyond.isnan().all())


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
    results = tree(task, said, beside=towards_the_mean(task, problems.y, (0.9, 0.4, 0.1)))
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


def test_a_training_from_its_folder_to_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ired_interp.rules.ladders._NUM_POLYNOMIAL", 500)
    folder = tmp_path / "t"
    assert main([*TRAIN.split(), str(folder)]) == 0
    asked = Exp007Config(
        model=str(folder / "model.safetensors"),
        problems=3,
        controls=2,
        unit_problems=2,
        levels=(10, 4),
    )
    fitted = []

    def counted(task: Task, *, difficulty: Difficulty) -> tuple[Rule, ...]:
        fitted.append(task)
        return ladder(task, difficulty=difficulty)

    monkeypatch.setattr(answers, "ladder", counted)
    run = execute(plan_run(EXPERIMENT, asked, tmp_path / "run"))
    assert run.num_units == 2  # the cases of some problems are one unit
    assert len(fitted) == 2  # the rules, once for all cases of a unit
    assert run.config.steps == (5, 10, 20)
    results = run.tree
    assert set(results.to_dataset().data_vars) == set(STUDY.definitions)
    control = results["controls/untrained"].to_dataset()
    assert control.sizes["draw"] == 2
    of_problems = {"x", "answer", "true_rank", "true_nuclear"}
    no_claim_needs = {one for one in STUDY.definitions if "penalised" in one}
    assert not {*of_problems, *no_claim_needs, "given"} & set(control.data_vars)
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


def test_a_series_has_several_steps(tmp_path: Path) -> None:
    alone = str(tiny.checkpoint(tmp_path / "m.safetensors"))
    with pytest.raises(ConfigError, match=r"at least 3 checkpoints of different steps.*--keep"):
        with_series(filled(Exp007Config(model=alone)))
    with pytest.raises(ConfigError, match="at least 2 checkpoints before the last one, found 1"):
        Exp007Config(series=("a", "a"))
    bundled = with_series(filled(Exp007Config()))
    assert bundled.steps == (10, 30, 100, 300, 1000, 3000, 8000)
    assert bundled.series[0] == "inverse-4-small-0-step-10"
    assert (bundled.controls, bundled.trained_on) == (8, "same")


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"seed": 1}, "seed 1 in place of 0"),
        ({"difficulty": "same", "bound": 9.0}, "difficulty same in place of harder; bound 9.0"),
        ({"task": "addition"}, "task addition in place of inverse; dim_x 8 in place of 4"),
        ({"size": 3}, "size 3 in place of 2; dim_x 9 in place of 4; dim_y 9 in place of 4"),
        ({"width": 8}, "one: width 8 in place of 16"),
        ({"steps": 4, "keep": [1], "device": "cuda"}, None),
    ],
)
def test_a_series_is_of_one_training(
    other: dict[str, object], message: str | None, tmp_path: Path
) -> None:
    usual: dict[str, object] = {"seed": 0, "difficulty": "harder", "bound": 2.0}
    paths = []
    for step, config in ((1, usual), (2, usual | other), (3, usual)):
        task = ii.task(str(config.get("task", "inverse")), size=config.get("size", 2))  # type: ignore[arg-type]
        width = int(str(config.get("width", 16)))
        model = ii.untrained_model(task, seed=step, width=width, dtype=torch.float32)
        shapes = {"dim_x": task.dim_x, "dim_y": task.dim_y, "width": width}
        training = {"steps_done": step, "curve": [], "config": config}
        card = tiny.card(task=task.name, size=task.size, training=training, **shapes)
        paths.append(tmp_path / f"{step}.safetensors")
        write_checkpoint(paths[-1], model.state_dict(), card)
    asked = Exp007Config(model=str(paths[2]), series=(str(paths[0]), str(paths[1])))
    if message is None:
        planned = with_series(filled(asked))
        assert (planned.steps, planned.trained_on) == ((1, 2, 3), "harder")
        return
    where = r"2\.safetensors: expected a checkpoint of the training of .*found another .*"
    with pytest.raises(CheckpointError, match=where + message):
        with_series(filled(asked))
