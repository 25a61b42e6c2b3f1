"""What the fields of EXP-001's config add to its results, against the functions that they name."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from matplotlib.figure import Figure

import ired_interp as ii
import tiny
from ired_interp.curvature import (
    eigenspace,
    overlap_between,
    overlap_levels,
    overlap_problems,
    part_spectra,
    take,
)
from ired_interp.errors import ConfigError
from ired_interp.experiments import find_experiment
from ired_interp.experiments.exp001 import Exp001Config
from ired_interp.experiments.exp001.shown import level_rows
from ired_interp.experiments.exp001.summary import overlaps, summary
from ired_interp.experiments.kit.charts import Chart
from ired_interp.report.colors import LIGHT
from ired_interp.report.html import write_report
from ired_interp.report.paper import paper_figure
from ired_interp.report.scripts import packed
from ired_interp.runs.execution import execute
from ired_interp.runs.run import Run, open_run, plan_run

EXPERIMENT = find_experiment("exp001")
LEVELS = (10, 1)


@cache
def tree_of(path: Path) -> xr.DataTree:
    """The results, read once; a test that changes them copies them first."""
    return open_run(path).tree


def results_of(path: Path) -> xr.Dataset:
    return tree_of(path).to_dataset()


def run_of(folder: Path, **changes: object) -> Run:
    folder.mkdir(exist_ok=True)
    model = tiny.checkpoint(folder / "m.safetensors")
    fields = {"model": str(model), "problems": 3, "levels": LEVELS, "controls": 1} | changes
    config = Exp001Config(**fields)  # type: ignore[arg-type]
    return execute(plan_run(EXPERIMENT, config, folder / "run"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_of(tmp_path_factory.mktemp("fields"), eigenvectors=2)


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_of(tmp_path_factory.mktemp("ends"), top=3, bottom=2)


def landscape(run: Run, level: int, point: str = "y") -> tuple[ii.Landscape, torch.Tensor]:
    results = results_of(run.path)
    x = torch.from_numpy(results["x"].values)
    y = torch.from_numpy(results[point].sel(level=level).values)
    return ii.Landscape(ii.load_model(run.config.model), x, level), y


def same(stored: xr.DataArray, expected: torch.Tensor) -> None:
    scale = float(expected.abs().max())
    np.testing.assert_allclose(stored.values, expected.numpy(), rtol=0, atol=1e-11 * scale)


@pytest.mark.parametrize("level", LEVELS)
def test_certificates_stand_beside_the_eigenvalues(run: Run, level: int) -> None:
    here = results_of(run.path).sel(level=level)
    spec = ii.curvature.spectrum(*landscape(run, level))
    same(here["eigenvalues"], spec.eigenvalues)
    assert here["radii"].attrs["units"] == here["eigenvalues"].attrs["units"] == "energy / y^2"
    assert bool((here["radii"] > 0).all())
    assert bool((here["radii"] <= here["cluster_radii"]).all())
    np.testing.assert_allclose(here["radii"], spec.radii, rtol=0.5)
    assert here["clusters"].values.tolist() == spec.clusters.tolist()
    assert here["index_low"].values.tolist() == spec.index_low.tolist()
    assert here["index_high"].values.tolist() == spec.index_high.tolist()
    assert here["route"].values.tolist() == [0, 0, 0]
    assert "0: dense;" in here["route"].attrs["flag_meanings"]


@pytest.mark.parametrize("level", LEVELS)
def test_eigenvectors_are_those_of_their_eigenvalues(run: Run, level: int) -> None:
    here = results_of(run.path).sel(level=level)
    assert here["end"].values.tolist() == ["top", "bottom"]
    land, y = landscape(run, level)
    h = land.hessian(y)
    for end, order in (("top", -abs(here["eigenvalues"])), ("bottom", here["eigenvalues"])):
        of = here.sel(end=end)
        expected = np.argsort(order.values, axis=1)[:, :2]
        assert of["vector_eigen"].values.tolist() == expected.tolist()
        v = torch.from_numpy(of["eigenvectors"].values).mT
        values = torch.from_numpy(np.take_along_axis(here["eigenvalues"].values, expected, 1))
        assert float((h @ v - v * values[:, None]).abs().max()) < 1e-12 * float(h.abs().max())
        largest = v.gather(1, v.abs().argmax(dim=1, keepdim=True))
        assert bool((largest > 0).all())
    assert bool((here["vector_cluster_size"] == 1).all())
    assert bool((here["vector_gap"] > here["radii"].max()).all())


@pytest.mark.parametrize("name", ["run", "ends"])
def test_the_parts_add_up(name: str, request: pytest.FixtureRequest) -> None:
    run: Run = request.getfixturevalue(name)
    for level in LEVELS:
        here = results_of(run.path).sel(level=level)
        spectra = part_spectra(*landscape(run, level))
        assert tuple(here["part"].values) == spectra.names
        same(here["part_traces"].transpose("problem", "part"), spectra.traces)
        if name == "run":
            same(here["part_shares"].transpose("problem", "part"), spectra.shares)
            np.testing.assert_allclose(here["part_shares"].sum("part"), 1, atol=1e-12)
        for problem in range(3):
            one = here.isel(problem=problem)
            values = one["eigenvalues"].values[one["vector_eigen"].values]
            total = one["contributions"].sum("part").transpose("end", "vector").values
            np.testing.assert_allclose(total, values, rtol=0, atol=1e-12 * np.abs(values).max())
    mean = (
        tree_of(run.path)["summary/model"]["scaled_part_traces"].sel(statistic="mean").sum("part")
    )
    if name == "run":
        expected = results_of(run.path)["mean_scaled_eigenvalue"].mean("problem")
        np.testing.assert_allclose(mean, expected, rtol=1e-12)


def test_two_draws_of_the_noise_are_compared(run: Run) -> None:
    results = results_of(run.path)
    noise, second = (
        (results[name] - results["signal"] * results["answer"]) / results["sigma"]
        for name in ("y", "second_y")
    )
    np.testing.assert_allclose(second.sel(level=1), second.sel(level=10), atol=1e-12)
    assert float(abs(noise - second).min()) > 1e-3
    for level in LEVELS:
        spaces = [
            eigenspace(ii.curvature.spectrum(*landscape(run, level, point)), 2, "bottom")
            for point in ("y", "second_y")
        ]
        stored = results["draw_overlap"].sel(level=level, end="bottom")
        same(stored, overlap_between(*spaces).overlap)


def test_overlaps_of_the_summary(run: Run) -> None:
    table = tree_of(run.path)["summary/model"].to_dataset()
    specs = [ii.curvature.spectrum(*landscape(run, level)) for level in LEVELS]
    spaces = [eigenspace(spec, 2, "top") for spec in specs]
    expected = overlap_levels(spaces)
    stored = table["level_overlap"].sel(end="top")
    same(stored.transpose("level", "other_level"), expected.overlap.mean(dim=0))
    assert table["other_level"].values.tolist() == list(LEVELS)
    assert float(table["overlap_null"]) == pytest.approx(expected.null.mean)
    assert float(table["overlap_null_deviation"]) == expected.null.standard_deviation
    across = overlap_problems(spaces[0]).overlap
    others = (across.sum() - across.trace()) / 6
    mean = table["problem_overlap"].sel(level=LEVELS[0], end="top", statistic="mean")
    assert float(mean) == pytest.approx(float(others), rel=1e-11)


def test_a_problem_without_a_point_is_left_out_of_overlaps(run: Run) -> None:
    data = results_of(run.path).copy(deep=True)
    data["status"][0, 0] = 1
    found = data.where(data["status"] == 0)
    some = overlaps(data, found)["overlap_with_others"].isel(draw=0, level=0, end=0)
    assert np.isnan(some.values[0])
    spec = ii.curvature.spectrum(*landscape(run, LEVELS[0]))
    across = overlap_problems(eigenspace(spec, 2, "top")).overlap
    np.testing.assert_allclose(some.values[1:], float(across[1, 2]), rtol=1e-11)


def test_the_density_has_area_one_and_its_mean(run: Run) -> None:
    for name in ("model", "untrained"):
        table = tree_of(run.path)[f"summary/{name}"].to_dataset()
        for level in LEVELS:
            here = table.sel(level=level)
            grid, density = here["density_grid"].values, here["density"].values
            assert np.trapezoid(density, grid) == pytest.approx(1, abs=1e-6)
            mean = float(here["mean_scaled_eigenvalue"].sel(statistic="mean"))
            spread = float(here["density_width"])
            assert abs(np.trapezoid(grid * density, grid) - mean) < 1e-6 * spread
            assert (here["density_error"].values >= 0).all()


def test_the_index_of_the_summary(run: Run) -> None:
    data = results_of(run.path).copy(deep=True)
    data["index_low"][:, 0], data["index_high"][:, 0] = [0, 1, 2], [0, 1, 4]
    table = summary(data).isel(level=0)
    assert float(table["index_certain"]) == pytest.approx(2 / 3)
    assert (float(table["index_least"]), float(table["index_most"])) == (0, 4)
    means = [float(table[f"index_{end}"].sel(statistic="mean")) for end in ("low", "high")]
    assert means == pytest.approx([1, 5 / 3])


def test_clusters_are_counted(run: Run) -> None:
    data = results_of(run.path).copy(deep=True)
    data["clusters"][:, 0] = [0, 0, 1, 2]
    assert float(summary(data)["clustered_share"][0]) == 0.5
    data = data.assign_coords(wanted=("eigen", ["top", "top", "top", "bottom"]))
    data["clusters"][:, 0] = [2, 1, 0, 0]
    assert float(summary(data)["clustered_share"][0]) == 0


@pytest.mark.parametrize("level", LEVELS)
def test_only_the_ends(ends: Run, level: int) -> None:
    here = results_of(ends.path).sel(level=level)
    assert here["wanted"].values.tolist() == ["top"] * 3 + ["bottom"] * 2
    assert here.sizes["vector"] == 1  # one less than the pairs of the smaller end
    spec = ii.curvature.spectrum(*landscape(ends, level))
    values = spec.eigenvalues
    order = (-values.abs()).argsort(dim=1)[:, :3]
    expected = torch.cat([values.gather(1, order), values[:, :2]], dim=1)
    same(here["eigenvalues"], expected)
    np.testing.assert_allclose(here["ideal_eigenvalues"] * here["sigma"], 1)
    assert bool((here["index_low"] <= here["index_high"]).all())
    sigma = float(here["sigma"])
    np.testing.assert_allclose(here["smallest_scaled_eigenvalue"], sigma * values[:, 0])
    np.testing.assert_allclose(here["mean_scaled_eigenvalue"], sigma * values.mean(dim=1))
    assert bool(here["condition_number"].isnull().all())
    space = eigenspace(take(spec, slice(None)), 1, "bottom")
    overlap = np.einsum(
        "nd,nd->n", here["eigenvectors"].sel(end="bottom").values[:, 0], space.frame[:, :, 0]
    )
    np.testing.assert_allclose(np.abs(overlap), 1, rtol=1e-9)


def test_the_page_of_the_ends(ends: Run) -> None:
    text = write_report(ends).read_text(encoding="utf-8")
    assert "the 3 largest by |λ| and the 2 lowest of the 4 eigenvalues" in text
    assert "The density of σλ, level by level" in text[text.index("Not drawn") :]
    assert 'id="figure-eigenvectors"' in text
    assert "--top 3" in text
    assert [row.count for level in level_rows(tree_of(ends.path)) for row in level.rows] == [3] * 4


@pytest.mark.parametrize("changes", [{"point": "minimum"}, {"parts": "no", "eigenvectors": 0}])
def test_what_is_not_asked_for_is_not_there(changes: dict[str, object], tmp_path: Path) -> None:
    run = run_of(tmp_path / "less", problems=2, **changes)
    assert "second_y" not in results_of(run.path)
    assert ("part_traces" in results_of(run.path)) == ("parts" not in changes)
    assert ("eigenvectors" in results_of(run.path)) == ("eigenvectors" not in changes)
    drawn = [spec.name for spec in EXPERIMENT.figures if not spec.missing(tree_of(run.path))]
    assert ("parts" in drawn) == ("parts" not in changes)
    assert ("overlap-levels" in drawn) == ("eigenvectors" not in changes)
    assert open_run(run.path).config == run.config


def test_units_give_the_same_bits_in_any_order(run: Run) -> None:
    config = replace(run.config, unit_problems=2)
    forwards = [EXPERIMENT.run_unit(config, i) for i in (0, 1)]
    backwards = [EXPERIMENT.run_unit(config, i) for i in (1, 0)]
    for first, second in zip(forwards, reversed(backwards), strict=True):
        xr.testing.assert_identical(first, second)


def test_a_vector_of_a_cluster_is_called_arbitrary(run: Run) -> None:
    tree = tree_of(run.path)
    plain = draw_text(tree)
    assert "arbitrary" not in plain
    assert "next λ at" in plain
    data = tree.to_dataset().copy(deep=True)
    data["vector_cluster_size"][:] = 2
    assert "cluster of 2: arbitrary" in draw_text(xr.DataTree(data))


def test_the_heat_map_has_row_1_on_top_and_zero_in_the_middle(run: Run) -> None:
    figure = drawn(tree_of(run.path))
    panels = [ax for ax in figure.axes if ax.get_title(loc="left").count("\n") == 2]
    question = panels[0]
    mesh = question.collections[0]
    np.testing.assert_array_equal(
        np.asarray(mesh.get_array()).flatten(), results_of(run.path)["x"].values[0]
    )
    low, high = question.get_ylim()
    assert low > high
    for ax in panels:
        least, most = ax.collections[0].get_clim()
        assert least == -most < 0


def drawn(tree: xr.DataTree) -> Figure:
    (chart,) = [chart for chart in EXPERIMENT.figures if chart.name == "eigenvectors"]
    assert isinstance(chart, Chart)
    return paper_figure(chart.drawing_fn(tree), LIGHT)


def draw_text(tree: xr.DataTree) -> str:
    return " ".join(ax.get_title(loc="left") for ax in drawn(tree).axes)


def test_every_figure_is_drawn_from_what_it_needs_alone(run: Run) -> None:
    for spec in EXPERIMENT.figures:
        assert spec.missing(tree_of(run.path)) == []
        for path in spec.needs:
            group, _, name = path.rpartition("/")
            tree = tree_of(run.path).copy()
            less = tree[group or "/"].to_dataset().drop_vars(name)
            if group:
                tree[group] = xr.DataTree(less)
            else:
                tree.dataset = less
            assert spec.missing(tree) == [path]
        assert isinstance(spec, Chart)
        assert packed(spec.drawing_fn(tree_of(run.path)))
        assert paper_figure(spec.drawing_fn(tree_of(run.path)), LIGHT).axes


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"bottom": 2}, "bottom: expected 0 where top is none"),
        ({"top": 0}, "expected one of them above 0"),
        ({"top": -1}, "top: expected at least 0"),
        ({"eigenvectors": -1}, "eigenvectors: expected at least 0"),
        ({"noise_draws": 3}, "noise_draws: expected 1 or 2"),
        ({"noise_draws": 2, "point": "solution"}, "Only typical points have it"),
        ({"noise_draws": 2, "eigenvectors": 0}, "nothing to compare"),
    ],
)
def test_configs_that_say_nothing_sensible(changes: dict[str, object], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        Exp001Config(**changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"eigenvectors": 5}, "expected 0 … d = 4|expected 0 … 4"),
        ({"top": 5}, "top: expected 0 … d = 4 eigenvalues"),
        ({"top": 2, "eigenvectors": 2}, "one less than the eigenvalues of each end"),
    ],
)
def test_plans_that_ask_for_too_much(run: Run, changes: dict[str, object], match: str) -> None:
    config = replace(run.config, noise_draws=None, eigenvectors=None, model_sha256="")
    with pytest.raises(ConfigError, match=match):
        EXPERIMENT.plan(replace(config, **changes))
