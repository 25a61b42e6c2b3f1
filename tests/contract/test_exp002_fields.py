"""What EXP-002 stores, against the functions that it names; and its verdicts on planted results."""

import math
from dataclasses import replace
from functools import cache
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
from ired_interp.experiments.base import ROOT, groups_of
from ired_interp.experiments.exp002 import EXPERIMENT as STUDY
from ired_interp.experiments.exp002 import Exp002Config
from ired_interp.experiments.exp002.slices import PLANES
from ired_interp.experiments.kit.options import filled
from ired_interp.experiments.page import Marked, Points
from ired_interp.experiments.smallest import reduce_config
from ired_interp.experiments.verdicts import judge
from ired_interp.landscape import Landscape
from ired_interp.report.html import write_report
from ired_interp.runs.execution import execute
from ired_interp.runs.run import Run, open_run, plan_run
from ired_interp.schedule import cosine_schedule
from ired_interp.stats import FloatArray

EXPERIMENT = find_experiment("exp002")
HYPOTHESES = STUDY.hypotheses
LEVELS = (10, 1)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("exp002")
    config = Exp002Config(
        model=str(tiny.checkpoint(folder / "m.safetensors")),
        problems=3,
        levels=LEVELS,
        slices=1,
        grid=9,
        starts=4,
        chords=2,
        images=5,
        band_steps=10,
        walks=20,
        controls=1,
        unit_problems=2,
    )
    return execute(plan_run(EXPERIMENT, config, folder / "run"))


@cache
def tree_of(path: Path) -> xr.DataTree:
    return open_run(path).tree


def test_everything_that_is_stored_is_defined_and_finite_where_it_must_be(run: Run) -> None:
    tree = tree_of(run.path)
    root = tree.to_dataset()
    assert set(root.data_vars) == set(STUDY.definitions)
    control = tree["controls/untrained"].to_dataset()
    assert control.sizes["draw"] == 1
    for name, variable in STUDY.variables.items():
        assert root[name].dims == variable.dims
        assert root[name].attrs.get("units", "") == variable.unit
        assert control[name].dims == ("draw", *root[name].dims)
    single = root["num_minima"] == 1
    assert bool((root["mode_separation"].isnull() == (root["num_minima"] < 2)).all())
    assert bool((root["same_minimum"].where(single, 1) == 1).all())
    assert bool((root["band_status"].where(root["num_minima"] < 2, -1) == -1).all())
    several = control["num_minima"] > 1
    assert bool(several.any())
    for name in ("straight_height", "band_height"):
        assert bool((np.isfinite(control[name]) == several).all())
        assert bool((control[name].fillna(0) >= 0).all())
    for name in ("minimum", "convexity"):
        assert bool(np.isfinite(root[name]).all())


class _TwoMatrices:
    """Minima at 3·I + S ± diag(a, -a), S antisymmetric; a barrier of 1/4 on the straight line."""

    schedule = cosine_schedule()
    dim_x = dim_y = 4
    a = 2**0.5
    skew = 0.2

    def energy(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:  # noqa: ARG002
        """E at each row."""
        off = y - torch.tensor([3.0, self.skew, -self.skew, 3.0]).to(y)
        along = (off[:, 0] - off[:, 3]) / 2 / self.a
        rest = off.square().sum(1) - (off[:, 0] - off[:, 3]).square() / 2
        energies: Tensor = (along.square() - 1).square() / 4 + rest / 2
        return energies


def test_a_geodesic_barrier_is_measured_where_minima_are_not_quite_symmetric() -> None:
    config = Exp002Config(
        problems=1, levels=(10,), starts=6, chords=1, images=21, band_steps=1, walks=2
    )
    planted = _TwoMatrices()
    given = STUDY.prepared(config, ii.task("inverse", size=2), planted.schedule, 0, 1)
    data = STUDY.of_model(planted, given, config).isel(problem=0, level=0)
    assert int(data["num_minima"]) == 2
    # Its middle is the geometric mean √(9 - a²)·I + S, off 3·I + S by that much on the diagonal.
    off = 3 - math.sqrt(9 - _TwoMatrices.a**2)
    assert float(data["straight_height"]) == pytest.approx(0.25, rel=1e-9)
    assert float(data["geodesic_height"]) == pytest.approx(0.25 + off**2, rel=1e-9)
    whole = math.sqrt(2 * 9 + 2 * _TwoMatrices.a**2 + 2 * _TwoMatrices.skew**2)
    assert float(data["geodesic_skew"]) == pytest.approx(2**0.5 * _TwoMatrices.skew / whole)


def test_a_stored_minimum_is_one(run: Run) -> None:
    root = tree_of(run.path).to_dataset()
    model = ii.load_model(run.config.model)
    x = torch.from_numpy(root["x"].values)
    for level in LEVELS:
        y = torch.from_numpy(root["minimum"].sel(level=level).values)
        land = Landscape(model, x, level)
        norm = torch.linalg.matrix_norm(land.hessian(y), ord=2)
        small = 1e-9 * norm * y.norm(dim=1).clamp_min(1)
        assert bool((land.gradient(y).norm(dim=1) <= small).all())


def test_a_stored_slice_is_the_energy_at_its_points(run: Run) -> None:
    tree = tree_of(run.path)
    model = ii.load_model(run.config.model)
    for number in range(run.config.slices):
        data = tree[f"slices/{number}"].to_dataset()
        assert data["energy_above"].dtype == np.float32
        assert data["sliced"].values.tolist() == [i == number for i in range(3)]
        x = torch.from_numpy(tree.to_dataset()["x"].values[number : number + 1])
        for level in LEVELS:
            for plane in PLANES:
                here = data.sel(level=level, plane=plane)
                axes = torch.from_numpy(here["axes"].values).double()
                assert (axes @ axes.T - torch.eye(2)).abs().max() < 1e-6
                step = float(here["sigma"]) * (
                    float(here["u"][6]) * axes[0] + float(here["v"][1]) * axes[1]
                )
                y = torch.from_numpy(here["origin"].values)[None] + step
                energy = float(Landscape(model, x, level).energy(y)) - float(here["origin_energy"])
                stored = float(here["energy_above"].isel(u=6, v=1))
                assert abs(stored - energy) < 1e-5 * max(1.0, abs(energy))
                assert not float(here["path_kept"]) > 1  # missing where the solver stands still
    # The path's own plane keeps at least as much of it as any other.
    for number in range(run.config.slices):
        kept = tree[f"slices/{number}"]["path_kept"]
        assert not bool((kept.sel(plane="path") < kept.max("plane") - 1e-6).any())
        own = float(tree.to_dataset()["path_kept"][number])
        np.testing.assert_allclose(kept.sel(plane="path"), own, atol=1e-6)


def test_numbers_do_not_depend_on_the_size_of_a_unit(run: Run) -> None:
    whole = replace(run.config, unit_problems=3, controls=0, slices=0)
    data = groups_of(EXPERIMENT.run_unit(whole, 0))[ROOT]
    root = tree_of(run.path).to_dataset()
    for name in ("minimum", "convexity", "path_flatness", "same_minimum", "straight_height"):
        np.testing.assert_allclose(data[name], root[name], rtol=0, atol=1e-7)


def test_the_report_and_every_figure_are_drawn(run: Run) -> None:
    tree = tree_of(run.path)
    write_report(run)
    text = run.report_path.read_text(encoding="utf-8")
    for hypothesis in HYPOTHESES:
        assert hypothesis.id in text
    for spec in EXPERIMENT.figures:
        assert not spec.missing(tree)
        assert spec.title in text
    assert {h.figure for h in HYPOTHESES} <= {spec.name for spec in EXPERIMENT.figures}


def test_the_page_says_what_was_asked_and_found(run: Run) -> None:
    page = STUDY.page(tree_of(run.path))

    def words(text: object) -> str:
        parts = text if isinstance(text, tuple) else (text,)
        return "".join(one.text if isinstance(one, Marked) else str(one) for one in parts)

    lead = words(page.lead)
    assert "the landscapes of 1 of 3 problems along named planes" in lead
    assert lead.endswith("random walks, beside 1 draw of untrained weights as a control.")
    facts = {term: words(said) for term, said in page.facts}
    assert facts["Slices"] == "9 × 9 points, ±3 σ_t, kept in float32; rank moves at rank 1"
    assert "deviation 5 around 0; two ends within 0.0001·max(1, ‖y‖)" in facts["Starts"]
    said = page.findings[0]
    assert isinstance(said, Points)
    assert len(said.items) == 3
    assert "controls/untrained/num_minima" in said.variables
    assert "slices/…" in words(page.layout)
    assert {f"summary/model/{name}" for name in ("path_kept", "band_height")} <= set(STUDY.needs)
    # Without a control there is nothing to say of it.
    alone = tree_of(run.path).copy()
    del alone["controls"]
    without = STUDY.page(alone)
    assert words(without.lead).endswith("random walks, without a control.")
    assert isinstance(without.findings[0], Points)
    assert len(without.findings[0].items) == 2
    assert "controls/untrained/num_minima" not in without.findings[0].variables


def test_the_smallest_config_is_small(run: Run) -> None:
    small = reduce_config(EXPERIMENT, run.config).config
    assert (small.problems, small.levels, small.slices) == (1, LEVELS[:1], 1)
    # The model and its control, and the slices.
    assert EXPERIMENT.units(small) == 2
    few = replace(small, grid=5)
    assert reduce_config(EXPERIMENT, few).config.grid == 5


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"grid": 100}, "odd number"),
        ({"slices": 11}, "at most the 10 problems"),
        ({"same": 1.0}, "share in"),
        ({"dtype": "float32"}, "same: expected at least 0.001 in float32"),
        ({"levels": (1, 1)}, "different levels"),
        ({"spread": float("inf")}, "finite number"),
        ({"starts": 1}, "at least 2"),
    ],
)
def test_a_config_that_makes_no_sense_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Exp002Config(**changes)  # type: ignore[arg-type]


def test_a_rank_that_cannot_be_is_refused_when_planned(tmp_path: Path) -> None:
    model = str(tiny.checkpoint(tmp_path / "m.safetensors"))
    with pytest.raises(ConfigError, match=r"rank: expected 1 … 1, below the side"):
        EXPERIMENT.plan(Exp002Config(model=model, rank=2))
    assert EXPERIMENT.plan(Exp002Config(model=model)).rank == 1


def test_no_more_problems_are_sliced_than_there_are() -> None:
    assert filled(Exp002Config(scale="paper")).slices == 10
    assert filled(Exp002Config(scale="paper", problems=4)).slices == 4
    assert filled(Exp002Config(scale="paper", problems=4, slices=0)).slices == 0


def planted_results(**own: FloatArray) -> xr.DataTree:
    """12 problems at two levels, 6 draws of the control; all at chance unless ``own`` says."""
    rng = np.random.default_rng(0)
    n = 12

    def group(prefix: str, *lead: int) -> xr.Dataset:
        dims = ("draw", "problem", "level")[-2 - len(lead) :]

        def of(name: str, usual: FloatArray) -> FloatArray:
            return np.broadcast_to(own.get(f"{prefix}{name}", usual), (*lead, n, 2))

        noise = rng.normal(size=(*lead, n, 2))
        by_level = {
            "same_minimum": of("same_minimum", 0.5 + 0.1 * noise),
            "convexity": of("convexity", 0.1 * noise),
            "num_converged": np.full((*lead, n, 2), 16),
        }
        by_problem = {
            "path_flatness": of("path_flatness", noise)[..., 0],
            "path_kept": np.full((*lead, n), 0.9),
            "walk_kept": np.full((*lead, n), 0.9),
            "path_kept_random": np.full((*lead, n), 0.1),
        }
        return xr.Dataset(
            {name: (dims, values) for name, values in by_level.items()}
            | {name: (dims[:-1], values) for name, values in by_problem.items()},
            coords={"problem": np.arange(n), "level": [1, 10]},
        )

    return xr.DataTree.from_dict({"/": group(""), "controls/untrained": group("control_", 6)})


def outcomes(results: xr.DataTree) -> dict[str, str]:
    return {verdict.id: verdict.outcome for verdict in judge(HYPOTHESES, results)}


def test_chance_supports_nothing() -> None:
    assert "supported" not in outcomes(planted_results()).values()


def test_planted_effects_are_found() -> None:
    rng = np.random.default_rng(1)
    found = outcomes(
        planted_results(
            same_minimum=np.array([0.95, 0.7]) + 0.02 * rng.normal(size=(12, 2)),
            convexity=0.8 + 0.1 * rng.normal(size=(12, 2)),
            path_flatness=2 + 0.3 * rng.normal(size=(12, 2)),
        )
    )
    assert found == dict.fromkeys(
        ("one-minimum", "path-plane", "convex", "coarse-first"), "supported"
    )


def test_what_the_control_does_too_is_not_supported() -> None:
    one = np.ones((12, 2))
    found = outcomes(
        planted_results(
            same_minimum=one,
            control_same_minimum=one,
            convexity=one,
            control_convexity=one,
            path_flatness=3 * one,
            control_path_flatness=5 * one,
        )
    )
    assert found["convex"] == found["one-minimum"] == found["coarse-first"] == "inconclusive"
    assert found["path-plane"] == "refuted"  # untrained paths are flatter


def test_one_level_has_no_trend() -> None:
    verdicts = {v.id: v for v in judge(HYPOTHESES, planted_results().isel(level=[0]))}
    assert verdicts["coarse-first"].outcome == "inconclusive"
    assert verdicts["coarse-first"].num_problems == 0
