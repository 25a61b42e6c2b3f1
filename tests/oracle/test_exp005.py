"""EXP-005 on planted valleys whose tangent space is known, and as a run from plan to page."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from torch import Tensor

import ired_interp as ii
import tiny
from ired_interp.errors import ConfigError
from ired_interp.experiments import find_experiment
from ired_interp.experiments.exp005 import EXPERIMENT as STUDY
from ired_interp.experiments.exp005 import Exp005Config
from ired_interp.experiments.exp005.measure import RANDOM
from ired_interp.experiments.exp005.spaces import chosen_rank, splits
from ired_interp.experiments.kit.charts import Chart
from ired_interp.experiments.kit.options import filled
from ired_interp.experiments.verdicts import judge
from ired_interp.geometry import fixed_rank
from ired_interp.landscape import Landscape
from ired_interp.models.checkpoint import write_checkpoint
from ired_interp.report.browser import plotted
from ired_interp.report.html import write_report
from ired_interp.runs.execution import execute
from ired_interp.runs.run import Run, plan_run
from ired_interp.schedule import cosine_schedule
from ired_interp.tasks import Problems, Task

EXPERIMENT = find_experiment("exp005")
LEVELS = (10, 4)


class Valley:
    """E = ½(y - s·b)ᵀ(β·P_T + α·P_N)(y - s·b) + γ·nᵀy, a valley along a split of each problem.

    n is a fixed normal direction of length 1; α grows by ``spread`` from problem to problem. A
    problem is recognised by its question.
    """

    def __init__(
        self,
        task: Task,
        problems: Problems,
        space: str,
        *,
        tangent: float,
        normal: float,
        pull: float = 0.0,
        spread: float = 0.0,
    ) -> None:
        self.schedule = cosine_schedule()
        self.dim_x, self.dim_y = task.dim_x, task.dim_y
        own = [one[space] for one in splits(task, problems, chosen_rank(task, None))]
        self._x = problems.x
        self._base = torch.stack([one.base for one in own])
        self._matrix = torch.stack(
            [
                tangent * one.tangent @ one.tangent.T
                + (1 + spread * i) * normal * one.normal @ one.normal.T
                for i, one in enumerate(own)
            ]
        )
        self._slope = pull * torch.stack([one.normal[:, 0] for one in own])

    def energy(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """E at each row."""
        row = torch.cdist(x, self._x).argmin(dim=1)
        off = y - self.schedule.signal[t][:, None] * self._base[row]
        bent = torch.einsum("ni,nij,nj->n", off, self._matrix[row], off) / 2
        return bent + (self._slope[row] * y).sum(1)


def config(**changes: object) -> Exp005Config:
    fields = {"problems": 6, "levels": LEVELS, "random_draws": 2, "controls": 1, "seed": 3}
    return filled(Exp005Config(**(fields | changes)))  # type: ignore[arg-type]


def sampled(task: Task) -> Problems:
    return task.sample(6, seed=3)


@pytest.fixture(scope="module")
def completion() -> Task:
    return ii.task("completion", size=4, rank=1)


def measured(task: Task, model: Valley, asked: Exp005Config | None = None) -> xr.Dataset:
    asked = asked or config()
    given = STUDY.prepared(asked, task, model.schedule, 0, asked.problems or 0)
    return STUDY.of_model(model, given, asked)


@pytest.mark.parametrize("space", ["product", "answer", "mask"])
def test_a_valley_has_its_curvatures_in_its_own_split(completion: Task, space: str) -> None:
    problems = sampled(completion)
    data = measured(completion, Valley(completion, problems, space, tangent=0.5, normal=3.0))
    here, sigma = data.sel(space=space), data["sigma"]
    d = completion.dim_y
    for name, value in (("tangent", 0.5), ("normal", 3.0)):
        for what in ("curvature", "lowest", "highest"):
            found = here[f"{name}_{what}"] / sigma
            np.testing.assert_allclose(found, value, rtol=1e-10)
    q, p = here["tangent_dimension"], here["normal_dimension"]
    assert bool((q + p == d).all())
    np.testing.assert_allclose(
        here["bottom_overlap"], (d / q).broadcast_like(here["bottom_overlap"])
    )
    mean = (0.5 * q + 3 * p) / d
    rms = ((0.25 * q + 9 * p) / d) ** 0.5
    for name, expected in (("curvature_share", 3 / mean), ("curvature_contrast", 2.5 / rms)):
        np.testing.assert_allclose(here[name], expected.broadcast_like(here[name]), rtol=1e-10)
    off = data["y"].isel(shared_place=0) - data["signal"] * xr.DataArray(
        torch.stack([one[space].base for one in splits(completion, problems, 1)]).numpy(),
        dims=("problem", "y_dim"),
    )
    whole = here["gradient_share"].sel(place="typical")
    squares = 0.25 * here["tangent_gradient"].sel(place="typical") / 0.25
    total = (squares * q + here["normal_gradient"].sel(place="typical") * p) / d
    np.testing.assert_allclose(whole, here["normal_gradient"].sel(place="typical") / total)
    assert float(off.std()) > 0
    assert bool(here["gradient_share"].sel(place="base").isnull().all())  # no gradient there
    claim = {one.id: one for one in STUDY.hypotheses}["normal-curvature"]
    assert "left out" not in claim.statistic(xr.DataTree(data)).note
    data["curvature_share"][2, 1] = np.nan
    note = claim.statistic(xr.DataTree(data)).note
    assert note.endswith(
        "mean over 2 levels; without a number, and left out: 1 of 12 levels of problems"
    )


def test_the_dimensions_and_the_bases_differ_between_splits(completion: Task) -> None:
    data = measured(
        completion, Valley(completion, sampled(completion), "mask", tangent=1, normal=2)
    )
    assert data["space"].values.tolist() == ["product", "answer", "mask"]
    assert data["tangent_dimension"].sel(space="product").values.tolist() == [7] * 6
    assert data["normal_dimension"].sel(space="answer").values.tolist() == [9] * 6
    masks = sampled(completion).parts["mask"].flatten(1)
    assert data["normal_dimension"].sel(space="mask").values.tolist() == masks.sum(1).tolist()
    product, answer = (
        data["normal_curvature"].sel(space=name, place="typical") for name in ("product", "answer")
    )
    assert float(abs(product - answer).max()) > 1e-3  # noise turns the tangent space


def test_the_riemannian_hessian_stands_beside_the_projected_one(completion: Task) -> None:
    problems = sampled(completion)
    flat = measured(completion, Valley(completion, problems, "product", tangent=1.0, normal=2.0))
    here = flat.sel(space="product", place="base")
    np.testing.assert_allclose(here["riemannian_curvature"], here["tangent_curvature"], rtol=1e-9)
    valley = Valley(completion, problems, "product", tangent=1.0, normal=2.0, pull=0.3)
    bent = measured(completion, valley).sel(space="product", place="base")
    np.testing.assert_allclose(bent["tangent_lowest"] / bent["sigma"], 1.0, rtol=1e-10)
    # The bend couples u⊥vᵀ and uv⊥ᵀ by ±γ/σ_1, with n one of u⊥v⊥ᵀ.
    at = fixed_rank.closest((problems.y.reshape(-1, 4, 4) - problems.parts["noise"]), 1)
    bend = 0.3 / at.s[:, :1].numpy() / bent["signal"].values
    for name, expected in (("riemannian_lowest", 1 - bend), ("riemannian_highest", 1 + bend)):
        found = (bent[name] / bent["sigma"]).transpose("problem", "level")
        np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert bool(flat["riemannian_curvature"].sel(place="typical").isnull().all())
    assert bool(flat["riemannian_curvature"].sel(space="mask").isnull().all())


def test_the_splits_of_inverse_are_symmetric_matrices_and_shared_eigenvectors() -> None:
    task = ii.task("inverse", size=3)
    problems = sampled(task)
    data = measured(task, Valley(task, problems, "symmetric", tangent=1.0, normal=4.0))
    assert data["space"].values.tolist() == ["symmetric", "commuting"]
    assert "riemannian_curvature" not in data
    assert "bayes_bound" not in data
    sigma = data["sigma"]
    here = data.sel(space="commuting")
    np.testing.assert_allclose(here["tangent_curvature"] / sigma, 1.0, rtol=1e-10)
    np.testing.assert_allclose(here["normal_curvature"] / sigma, (3 + 3 * 4) / 6, rtol=1e-10)
    for i, row in enumerate(splits(task, problems, None)):
        a = problems.x[i].reshape(3, 3)
        for column in row["commuting"].tangent.T:
            other = column.reshape(3, 3)
            assert float((a @ other - other @ a).abs().max()) < 1e-12
        skew = row["symmetric"].normal.T.reshape(-1, 3, 3)
        assert float((skew + skew.mT).abs().max()) == 0


def test_random_splits_are_one_on_average(completion: Task) -> None:
    model = Valley(completion, sampled(completion), "product", tangent=0.5, normal=3.0)
    asked = config(levels=(4,), random_draws=4)
    given = STUDY.prepared(asked, completion, model.schedule, 0, 6)
    found = STUDY.groups_of_model(model, given, asked)
    xr.testing.assert_identical(found["/"], STUDY.of_model(model, given, asked))
    data = found[RANDOM].sel(place="typical", space="product")
    assert data["draw"].values.tolist() == [0, 1, 2, 3]
    for name in ("gradient_share", "bottom_overlap"):
        values = data[name].mean(["problem", "level"]).values
        error = np.std(values, ddof=1) / len(values) ** 0.5
        assert abs(np.mean(values) - 1) < 5 * error
        assert error < 0.2


def test_the_bayes_bound_holds_for_the_ideal_of_a_gaussian_prior(completion: Task) -> None:
    """With σ_t·H = 1 at observed and 1/(1 + ρv) at missing entries the mask meets its bound."""
    data = measured(
        completion, Valley(completion, sampled(completion), "mask", tangent=1, normal=2)
    )
    variance = 1 / 20**2 + 0.1**2
    ratio = (data["signal"] / data["sigma"]) ** 2 * variance
    bound = data["bayes_bound"].sel(space="mask")
    np.testing.assert_allclose(bound, (1 + ratio).broadcast_like(bound))
    assert bool((data["bayes_bound"].sel(space="product") > 1).all())


def tree(task: Task, model: Valley, beside: Valley, **changes: object) -> xr.DataTree:
    asked = config(**changes)
    control = measured(task, beside, asked).expand_dims(draw=[0])
    return xr.DataTree.from_dict({"/": measured(task, model, asked), "controls/untrained": control})


@pytest.mark.parametrize(("normal", "outcome"), [(3.0, "supported"), (0.3, "refuted")])
def test_verdicts_follow_the_planted_truth(normal: float, outcome: str, completion: Task) -> None:
    problems = completion.sample(16, seed=3)
    model, beside = (
        Valley(completion, problems, "product", tangent=1.0, normal=value, spread=0.01)
        for value in (normal, 1.0)
    )
    results = tree(completion, model, beside, problems=16, levels=(4,))
    asked = ["normal-curvature", "normal-at-the-answer", "normal-gradient"]
    found = judge([one for one in STUDY.hypotheses if one.id in asked], results)
    assert {one.id: one.outcome for one in found} == dict.fromkeys(asked, outcome)
    if outcome == "supported":
        flat = next(one for one in STUDY.hypotheses if one.id == "flat-is-tangent").statistic(
            results
        )
        np.testing.assert_allclose(flat.effect, 16 / 7)
        beyond = next(one for one in STUDY.hypotheses if one.id == "beyond-bayes").statistic(
            results
        )
        assert bool((beyond.effect > 0).all())


def test_claims_of_completion_are_not_judged_elsewhere() -> None:
    task = ii.task("inverse", size=3)
    model = Valley(task, sampled(task), "symmetric", tangent=1.0, normal=1.5)
    asked = [one for one in STUDY.hypotheses if one.id in ("beyond-bayes", "missing-is-flat")]
    for found in judge(asked, tree(task, model, model, levels=(4,))):
        assert found.outcome == "inconclusive"
        assert "bayes_bound" in found.reason


@pytest.mark.parametrize(
    ("name", "options", "rank", "match"),
    [
        ("completion", {"rank": 10}, None, r"one below the side 3 .* inner rank is 10"),
        ("addition", {}, None, "fill the space"),
        ("inverse", {}, 3, "every direction is tangent"),
    ],
)
def test_where_no_direction_is_normal(
    name: str, options: dict[str, int], rank: int | None, match: str
) -> None:
    with pytest.raises(ConfigError, match=match):
        chosen_rank(ii.task(name, size=3, **options), rank)


def test_scales_and_configs() -> None:
    assert filled(Exp005Config()).problems == 24
    paper = filled(Exp005Config(scale="paper", controls=0))
    assert (paper.problems, paper.controls, paper.random_draws) == (100, 0, 50)
    for changes, match in (
        ({"problems": 0}, "problems: expected at least 1"),
        ({"levels": (1, 1)}, "different levels"),
        ({"bound": 0.0}, "bound: expected a finite number > 0"),
    ):
        with pytest.raises(ConfigError, match=match):
            Exp005Config(**changes)


def inverse_checkpoint(path: Path) -> Path:
    return tiny.checkpoint(path)


def completion_checkpoint(path: Path) -> Path:
    task = ii.task("completion", size=4, rank=2)
    model = ii.untrained_model(task, width=tiny.WIDTH, dtype=torch.float32)
    changes = {"task": "completion", "size": 4, "dim_x": 16, "dim_y": 16, "options": {"rank": 2}}
    write_checkpoint(path, dict(model.state_dict()), tiny.card(**changes))
    return path


def run_of(made: Callable[[Path], Path], folder: Path, **changes: object) -> Run:
    fields = {"problems": 3, "controls": 1, "random_draws": 1, "unit_problems": 3} | changes
    model = str(made(folder / "m.safetensors"))
    asked = Exp005Config(model=model, **fields)  # type: ignore[arg-type]
    return execute(plan_run(EXPERIMENT, asked, folder / "run"))


def test_a_run_from_plan_to_page(tmp_path: Path) -> None:
    run = run_of(inverse_checkpoint, tmp_path, levels=LEVELS)
    assert run.num_units == 1  # all cases of its problems
    results = run.tree
    assert results["controls/random"].sizes["draw"] == 1
    assert results["controls/untrained"].sizes["draw"] == 1
    one = EXPERIMENT.run_unit(run.config, 0)
    xr.testing.assert_identical(one, EXPERIMENT.run_unit(run.config, 0))
    assert all(spec.missing(results) == [] for spec in EXPERIMENT.figures)
    text = write_report(run).read_text(encoding="utf-8")
    assert "What tangent means here" in text
    assert all(f'id="figure-{spec.name}"' in text for spec in EXPERIMENT.figures)
    assert [row[0] for row in EXPERIMENT.listing(results).rows] == ["4", "10"]


def test_random_splits_cost_no_further_hessian(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, of_landscape = [], Landscape.hessian

    def counted(land: Landscape, y: Tensor, **options: bool) -> Tensor:
        rows.append(len(y))
        return of_landscape(land, y, **options)

    monkeypatch.setattr(Landscape, "hessian", counted)
    model = str(inverse_checkpoint(tmp_path / "m.safetensors"))

    def spent(draws: int) -> int:
        rows.clear()
        asked = Exp005Config(model=model, problems=2, levels=(10,), controls=1, random_draws=draws)
        planned = EXPERIMENT.plan(asked)
        for i in range(EXPERIMENT.units(planned)):
            EXPERIMENT.run_unit(planned, i)
        return sum(rows)

    assert spent(1) == spent(4)


def test_a_run_of_completion_has_the_bend(tmp_path: Path) -> None:
    run = run_of(completion_checkpoint, tmp_path, levels=(10,), problems=2, random_draws=2)
    assert run.num_units == 1
    assert run.tree["controls/random"].sizes["draw"] == 2
    means = run.tree["summary/model"]["riemannian_curvature"].sel(statistic="mean")
    assert means.sel(place="base", space="product").notnull().all()
    spec = next(spec for spec in EXPERIMENT.figures if spec.name == "curvatures")
    assert isinstance(spec, Chart)
    legend = plotted(spec.drawing_fn(run.tree))["overview"]["legend"]
    assert "Riemannian" in [one["name"] for one in legend]
