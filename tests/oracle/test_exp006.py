"""EXP-006 on planted landscapes whose scores have known directions, and from plan to page."""

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from torch import Tensor

import ired_interp as ii
import planted
import tiny
from as_tested import as_tested
from ired_interp.energy.base import Energy
from ired_interp.errors import ConfigError, NonFiniteError
from ired_interp.experiments.exp006 import EXPERIMENT, Exp006Config
from ired_interp.experiments.exp006.directions import own_frames, shares
from ired_interp.experiments.exp006.measure import chosen_components
from ired_interp.experiments.kit.options import filled
from ired_interp.experiments.verdicts import judge
from ired_interp.landscape import Landscape
from ired_interp.report.html import write_report
from ired_interp.runs.execution import execute
from ired_interp.runs.run import Run, plan_run
from ired_interp.schedule import cosine_schedule
from ired_interp.solve import solve
from ired_interp.tasks import Problems, Task

LEVELS = (10, 4)
SIDE, STRONG = 4, 9.0


class Planted:
    """E = ½(y - s·y*)ᵀM(y - s·y*)/σ with M = 1 + (ℓ - 1)·BBᵀ, B an orthonormal frame a problem.

    At typical points ∇E = M·ε: isotropic but for the directions B, which have ℓ² times the
    variance. A problem is recognised by its question.
    """

    def __init__(
        self, task: Task, problems: Problems, frames: Tensor, *, strength: float, pull: float = 0.0
    ) -> None:
        self.schedule = cosine_schedule()
        self.dim_x, self.dim_y = task.dim_x, task.dim_y
        self._x, self._y = problems.x, problems.y
        eye = torch.eye(task.dim_y, dtype=torch.float64)
        self._matrix = eye + (strength - 1) * frames @ frames.mT
        self._shared = pull * planted.orthogonal(task.dim_y, seed=99)[0]

    def energy(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """E at each row."""
        row = torch.cdist(x.to(self._x), self._x).argmin(dim=1)
        signal, sigma = (v.to(y)[t][:, None] for v in (self.schedule.signal, self.schedule.sigma))
        answer, matrix = self._y[row].to(y), self._matrix[row].to(y)
        off = y - signal * answer
        bent = torch.einsum("ni,nij,nj->n", off, matrix, off) / 2 / sigma[:, 0]
        # A pull along one direction of all problems, of a size that each has for itself.
        energy: Tensor = bent + answer.sum(1) * (y @ self._shared.to(y))
        return energy


def config(**changes: object) -> Exp006Config:
    fields = {"problems": 6, "noise": 48, "levels": LEVELS, "random_draws": 8, "controls": 1}
    return filled(Exp006Config(**(fields | {"seed": 3} | changes)))  # type: ignore[arg-type]


def found_of(model: Energy, task: Task, asked: Exp006Config) -> xr.Dataset:
    """What is measured of a planted energy, as the root of the results has it."""
    whole = EXPERIMENT.complete(asked, task)
    given = EXPERIMENT.prepared(whole, task, model.schedule, 0, whole.problems or 0)
    return EXPERIMENT.of_model(model, given, whole)


@pytest.fixture(scope="module")
def task() -> Task:
    return ii.task("inverse", size=SIDE)


def frames_of(task: Task, problems: Problems, r: int, *, own: bool) -> Tensor:
    """r directions a problem, in its own subspace but orthogonal to the identity; or anywhere."""
    n, d = problems.y.shape
    if not own:
        return torch.stack([planted.orthogonal(d, seed=i)[:, :r] for i in range(n)])
    of = torch.stack(own_frames(task, problems, "top"))
    # uᵢvᵢᵀ sum to the identity for these; the other directions of their span.
    turn = torch.linalg.qr(
        torch.cat([torch.ones(SIDE, 1), torch.eye(SIDE)[:, : SIDE - 1]], 1).double()
    ).Q
    chosen: Tensor = (of @ turn)[..., 1 : 1 + r]
    return chosen


def measured(
    task: Task, r: int, *, own: bool = False, strength: float = STRONG, **changes: object
) -> xr.Dataset:
    asked = config(**changes)
    n = asked.problems or 0
    problems = task.sample(n, seed=3)
    model = Planted(task, problems, frames_of(task, problems, r, own=own), strength=strength)
    return found_of(model, task, asked)


@pytest.mark.parametrize("r", [0, 1, 3, 6])
def test_exactly_the_strong_directions_are_found(task: Task, r: int) -> None:
    data = measured(task, r, components=max(r, 1)).sel(place="typical")
    assert bool((data["beyond_edge"] == r).all())
    if r == 0:  # the score is the noise, digit for digit
        noise = data["noise_concentration"].broadcast_like(data["concentration"])
        np.testing.assert_allclose(data["concentration"], noise, rtol=1e-9)
        np.testing.assert_allclose(data["eigenvalue"].isel(level=0), data["noise_eigenvalue"])
        np.testing.assert_allclose(data["energy_along"], 1.0, rtol=1e-6)
        np.testing.assert_allclose(data["error_along"], 0.0, atol=1e-9)
        return
    assert bool((data["concentration"] > 1.3 * data["noise_concentration"]).all())
    top = data.sel(end="top")
    # Of the sample's components 1 - O(1/ℓ²) lies in the planted directions.
    np.testing.assert_allclose(top["energy_along"], STRONG, rtol=0.05)
    draws = data["effective_draws"]
    assert bool(((draws > 10) & (draws <= 48)).all())
    np.testing.assert_allclose(top["error_along"], (STRONG - 1) ** 2, rtol=0.1)
    np.testing.assert_allclose(data["energy_along"].sel(end="bottom"), 1.0, rtol=0.05)
    mean = (r * STRONG + SIDE**2 - r) / SIDE**2
    assert float(data["energy_random"].mean()) == pytest.approx(mean, rel=0.15)
    assert bool((top["energy_place"] > 0.9).all())


def test_own_directions_are_told_from_others(task: Task) -> None:
    own = measured(task, 2, own=True, components=2).sel(place="typical", end="top")
    assert bool((own["own_share"] > 0.95).all())
    assert bool((own["other_share"] < 0.75).all())
    anywhere = measured(task, 2, components=2).sel(place="typical", end="top")
    difference = anywhere["own_share"] - anywhere["other_share"]
    assert abs(float(difference.mean())) < 0.2
    assert float((own["own_share"] - own["other_share"]).min()) > float(difference.max())


def test_shares_are_those_of_a_loop() -> None:
    frames = [planted.orthogonal(6, seed=i)[:, :2] for i in range(5)]
    components = torch.stack(
        [
            torch.stack([planted.orthogonal(6, seed=10 * i + j)[:, :3] for j in (3, 4)])
            for i in (1, 2)
        ]
    )
    own, others = shares(components, frames, 1)
    for i in range(2):
        for j in range(2):
            found = [float((components[i, j].T @ f).square().sum() / 3) for f in frames]
            assert float(own[i, j]) == pytest.approx(found.pop(i + 1))
            assert float(others[i, j]) == pytest.approx(np.mean(found))
    alone = shares(components[:1], frames[1:2], 0)
    np.testing.assert_allclose(alone[1], 1 / 3)
    nothing = shares(components[:1], [torch.zeros(6, 0, dtype=torch.float64)], 0)
    assert bool(nothing[0].isnan().all())
    assert bool(nothing[1].isnan().all())


def test_completion_has_observed_entries_on_top_and_missing_ones_below() -> None:
    completion = ii.task("completion", size=4, rank=1)
    problems = completion.sample(4, seed=3)
    seen = problems.parts["mask"].flatten(1)
    frames = [torch.eye(16, dtype=torch.float64)[:, row] for row in seen]
    wide = torch.stack([f @ f.T for f in frames])
    model = Planted(completion, problems, torch.zeros(4, 16, 1).double(), strength=1)
    model._matrix = torch.eye(16).double() + 4 * wide
    data = found_of(model, completion, config(problems=4))
    share = data["own_share"].sel(place="typical")
    assert bool((share > 0.9).all())
    assert bool((data["other_share"].sel(place="typical") < 0.9).all())


def results(model: xr.Dataset, beside: xr.Dataset) -> xr.DataTree:
    return xr.DataTree.from_dict({"/": model, "controls/untrained": beside.expand_dims(draw=[0])})


def test_verdicts_follow_the_planted_truth(task: Task) -> None:
    strong = measured(task, 2, own=True, problems=12, levels=(4,), components=2)
    plain = measured(task, 0, problems=12, levels=(4,), components=2)
    asked = ("concentrated", "beyond-the-edge", "own-directions", "steep-components")
    chosen = [one for one in as_tested(EXPERIMENT.hypotheses) if one.id in asked]
    there = judge(chosen, results(strong, plain))
    assert {one.id: one.outcome for one in there} == dict.fromkeys(asked, "supported")
    nothing = judge(as_tested(EXPERIMENT.hypotheses), results(plain, plain))
    assert "supported" not in {one.outcome for one in nothing}
    wrong = judge(chosen, results(plain, strong))
    assert {one.outcome for one in wrong} == {"refuted"}


def test_a_direction_that_all_problems_share(task: Task) -> None:
    asked = config(problems=16, levels=(4,))
    problems = task.sample(16, seed=3)
    frames = torch.zeros(16, 16, 1, dtype=torch.float64)
    found = []
    for pull in (5.0, 0.0):
        model = Planted(task, problems, frames, strength=1, pull=pull)
        found.append(found_of(model, task, asked))
    one = next(one for one in EXPERIMENT.hypotheses if one.id == "shared-directions")
    effect = one.statistic(results(*found))
    assert effect.control is not None
    assert np.isfinite(effect.effect).sum() == 8  # the others found the components
    assert float(np.nanmean(effect.effect)) > 3
    assert float(np.nanmean(effect.control)) < 2
    summaries = EXPERIMENT.summarise(results(*found))
    mean = summaries["model"]["problems_beyond_edge"].sel(place="typical").item()
    assert mean == 1
    assert summaries["untrained"]["problems_beyond_edge"].sel(place="typical").item() == 0


def run_of(folder: Path, **changes: object) -> Run:
    fields = {"problems": 5, "noise": 9, "levels": LEVELS, "controls": 1, "random_draws": 3}
    model = str(tiny.checkpoint(folder / "m.safetensors"))
    asked = Exp006Config(model=model, unit_problems=3, **(fields | changes))  # type: ignore[arg-type]
    return execute(plan_run(EXPERIMENT, asked, folder / "run"))


def test_a_run_from_plan_to_page(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    assert run.num_units == 2
    assert run.config.components == 2
    tree = run.tree
    root = tree.to_dataset()
    assert set(root.data_vars) == set(EXPERIMENT.definitions)
    assert root["score"].dtype == np.float32
    assert root["score"].shape == (5, 2, 2, 9, 4)
    assert "score" not in tree["controls/untrained"].to_dataset()
    # What is stored is the gradient at the points that are stored.
    model = ii.load_model(run.config.model)
    x = torch.from_numpy(root["x"].values).repeat_interleave(9, dim=0)
    noise = torch.from_numpy(root["noise"].values).double()
    path = solve(model, x, start=noise.reshape(-1, 4)).trajectory
    for level in LEVELS:
        here = root.sel(level=level)
        signal, sigma = float(here["signal"]), float(here["sigma"])
        typical = signal * torch.from_numpy(root["answer"].values)[:, None] + sigma * noise
        land = Landscape(model, x, level)
        for place, y in (("typical", typical), ("trajectory", here["path"].values)):
            points = torch.as_tensor(y).double().reshape(-1, 4)
            gradient = land.gradient(points).reshape(5, 9, 4)
            stored = here["score"].sel(place=place).transpose("problem", "sample", "y_dim")
            scale = float(gradient.abs().max())
            np.testing.assert_allclose(stored, gradient, atol=1e-4 * scale)
        solved = signal * path[level - 1].reshape(5, 9, 4)
        np.testing.assert_allclose(here["path"], solved, atol=1e-4)
    whole = EXPERIMENT.run_unit(replace(run.config, unit_problems=5), 0)
    for name in ("score", "concentration", "own_share", "other_share", "energy_along"):
        np.testing.assert_allclose(whole[name], root[name], rtol=1e-6, atol=1e-9)
    assert all(spec.missing(tree) == [] for spec in EXPERIMENT.figures)
    text = write_report(run).read_text(encoding="utf-8")
    assert all(f'id="figure-{spec.name}"' in text for spec in EXPERIMENT.figures)
    assert {h.figure for h in EXPERIMENT.hypotheses} <= {spec.name for spec in EXPERIMENT.figures}
    assert [row[0] for row in EXPERIMENT.listing(tree).rows] == ["4", "10"]


def test_half_the_bytes_on_disk_and_no_control(tmp_path: Path) -> None:
    run = run_of(tmp_path, storage="float16", controls=0, problems=1, levels=(10,))
    root = run.tree.to_dataset()
    assert {root[name].dtype for name in ("score", "path", "noise")} == {np.dtype("float16")}
    assert root["concentration"].dtype == np.float64
    assert write_report(run).exists()


def test_a_score_beyond_the_range_of_storage_is_refused(task: Task) -> None:
    problems = task.sample(2, seed=3)
    model = Planted(task, problems, frames_of(task, problems, 1, own=False), strength=1e6)
    with pytest.raises(NonFiniteError, match="Give --storage float32"):
        found_of(model, task, config(problems=2, storage="float16"))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scores_whose_spread_is_round_off_have_no_spectrum(task: Task, dtype: str) -> None:
    # All descents of a bowl end at its bottom, up to the round-off of their dtype.
    data = measured(task, 0, dtype=dtype)
    bottom = data.sel(place="trajectory")
    epsilon = np.finfo(dtype).eps
    assert bool((bottom["score_rms"] < 100 * epsilon).all())
    for name in ("concentration", "beyond_edge", "eigenvalue", "own_share", "effective_draws"):
        assert bool(bottom[name].isnull().all()), name
        assert bool(data[name].sel(place="typical").notnull().all()), name
    floor = 200 * epsilon * data["score_rms"].sel(place="typical")
    np.testing.assert_allclose(data["score_floor"], floor, rtol=1e-6)


def test_the_floor_is_above_the_round_off_of_a_network_s_gradients() -> None:
    asked = config(model="inverse-4", problems=2, noise=12, levels=(1, 4, 10), dtype="float32")
    model, task = ii.load_model("inverse-4"), ii.task("inverse", size=4)
    data = found_of(copy.deepcopy(model).float(), task, asked)
    x = torch.from_numpy(data["x"].values).double().repeat_interleave(12, dim=0)
    for level in (1, 4, 10):
        here = data.sel(level=level)
        land = Landscape(model.double(), x, level)
        points = torch.from_numpy(here["path"].values).double().reshape(-1, 16)
        found = here["score"].sel(place="trajectory").values.reshape(-1, 16)
        off = np.square(land.gradient(points).numpy() - found).mean(axis=1) ** 0.5
        assert off.max() < 0.1 * float(here["score_floor"].min())


def test_fewer_draws_than_entries_have_no_last_components(task: Task) -> None:
    data = measured(task, 1, noise=12)
    assert data.sizes["rank"] == 11
    ends = data["own_share"].sel(place="typical")
    assert bool(ends.sel(end="bottom").isnull().all())
    assert bool(ends.sel(end="top").notnull().all())


def test_scales_configs_and_memory() -> None:
    assert filled(Exp006Config()).noise == 48
    paper = filled(Exp006Config(scale="paper", controls=0))
    assert (paper.problems, paper.controls, paper.noise) == (100, 0, 100)
    assert chosen_components(paper, 16) == 3
    planned = EXPERIMENT.plan(Exp006Config())
    assert EXPERIMENT.fit(planned, 2**30).unit_problems == planned.unit_problems
    fitted = EXPERIMENT.fit(planned, 140 * 2**20).unit_problems
    assert 1 <= fitted < planned.unit_problems
    for call, match in (
        (lambda: EXPERIMENT.fit(planned, 2**20), "--max-memory: expected at least"),
        (lambda: chosen_components(replace(paper, components=9), 16), "expected 1 … 8"),
        (lambda: Exp006Config(noise=2), "noise: expected at least 3"),
        (lambda: Exp006Config(radius=0.0), "radius: expected a finite number > 0"),
        (lambda: Exp006Config(levels=(1, 1)), "different levels"),
    ):
        with pytest.raises(ConfigError, match=match):
            call()
