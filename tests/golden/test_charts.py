"""A chart in both renderings: the same numbers in a browser and on paper, as plotly takes them."""

import functools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
import xarray as xr

import stored_runs
from ired_interp.errors import ExperimentError
from ired_interp.experiments import find_experiment
from ired_interp.experiments.evidence_charts import evidence_charts
from ired_interp.experiments.exp002.slices import PLANES
from ired_interp.experiments.kit.charts import Chart, by_level, custom
from ired_interp.experiments.kit.drawn import Axis, Drawing, Grid, Panel
from ired_interp.experiments.kit.expressions import pick
from ired_interp.experiments.kit.facets import quantity
from ired_interp.experiments.kit.traces import Arrows, Heat, Line
from ired_interp.report.axes_data import ends_of, on_axis, symlog_ticks
from ired_interp.report.browser import plotted
from ired_interp.report.colors import COLORS, LIGHT, SCALES, color_name
from ired_interp.report.paper import paper_figure
from ired_interp.report.scripts import packed
from read_charts import Numbers, filled_in, of_browser, of_paper

# A browser has four digits, and the ends of an interval from differences of such numbers.
DIGITS = 1e-3


@functools.cache
def results(name: str) -> xr.DataTree:
    return stored_runs.read(name)


def charts_of(name: str) -> list[Chart]:
    """All that the run's page draws."""
    tree = results(name)
    found = find_experiment(stored_runs.RUNS[name].experiment).figures
    charts = [one for one in found if isinstance(one, Chart)]
    assert len(charts) == len(found)
    return [one for one in (*charts, *evidence_charts(tree)) if not one.missing(tree)]


@pytest.mark.parametrize("name", stored_runs.RUNS)
def test_both_renderings_show_the_same_numbers(name: str) -> None:
    for chart in charts_of(name):
        drawing = chart.drawing_fn(results(name))
        shown = plotted(drawing)
        figure = paper_figure(drawing, LIGHT)
        panels = drawing.overview.panels
        assert len(shown["overview"]["panels"]) == len(panels)
        drawn = 0
        for panel, own, ax in zip(panels, shown["overview"]["panels"], figure.axes, strict=False):
            browser = of_browser(own, shown["tables"])
            paper = of_paper(ax, panel)
            same(browser, paper, f"{chart.name}, {panel.title}")
            drawn += len(browser.lines) + len(browser.maps) + len(browser.bars)
        assert drawn > 0, chart.name


def same(browser: Numbers, paper: Numbers, where: str) -> None:
    assert browser.title == paper.title, where
    assert len(browser.lines) == len(paper.lines), where
    pairs = [
        (a, b)
        for one, other in zip(browser.lines, paper.lines, strict=True)
        for a, b in zip(one, other, strict=True)
    ]
    for kind in ("intervals", "maps", "bars", "areas"):
        one, other = getattr(browser, kind), getattr(paper, kind)
        # An area, or a set of intervals, of no number is drawn by one and not by the other.
        one, other = ([n for n in side if n.size] for side in (one, other))
        assert len(one) == len(other), (where, kind)
        pairs += list(zip(one, other, strict=True))
    pairs.append((np.array(browser.rules), np.array(paper.rules)))
    for one, other in pairs:
        scale = float(np.nanmax(np.abs(other), initial=0)) if np.isfinite(other).any() else 1.0
        np.testing.assert_allclose(one, other, rtol=DIGITS, atol=DIGITS * scale, err_msg=where)


@pytest.mark.parametrize("name", stored_runs.RUNS)
def test_a_browser_is_given_what_plotly_draws(name: str) -> None:
    """Every picture of every chart: its traces and axes are valid, and no view is another's."""
    for chart in charts_of(name):
        drawing = chart.drawing_fn(results(name))
        assert packed(drawing)  # JSON has it
        shown = plotted(drawing)
        for grid in (shown["overview"], *(one for row in shown["views"] for one in row)):
            for panel in grid["panels"]:
                traces = [in_light(filled_in(one, shown["tables"])) for one in panel["traces"]]
                axes = {"xaxis": panel["x"], "yaxis": panel["y"]}
                go.Figure(traces, axes)  # raises
                assert panel["x"]["range"][0] != panel["x"]["range"][1]
                assert np.isfinite([*panel["x"]["range"], *panel["y"]["range"]]).all()
        assert len(shown["positions"]) == len(drawing.places)
        # In runs of completion what is chosen may have the same numbers, or none.
        rows = shown["views"][:1] if "completion" in name else shown["views"]
        seen = [json.dumps(view) for row in rows for view in row]
        assert len(set(seen)) == len(seen), f"{chart.name}: the slider changes nothing"


def in_light(value: Any) -> Any:
    """Colours as the page's script fills them in."""
    match value:
        case str():
            name = value.removeprefix("var(--fig-").removesuffix(")")
            return COLORS["light"][name] if value.startswith("var(--fig-") else value
        case {"light": light, "dark": _}:
            return in_light(light)
        case {"color": color, "alpha": alpha}:
            return f"{in_light(color)}{round(255 * alpha):02x}"
        case {**keyed}:
            return {key: in_light(one) for key, one in keyed.items()}
        case [*entries]:
            return [in_light(one) for one in entries]
    return value


def shown_in(name: str, chart: str) -> tuple[Drawing, dict[str, Any]]:
    (found,) = [one for one in charts_of(name) if one.name == chart]
    drawing = found.drawing_fn(results(name))
    return drawing, plotted(drawing)


def trace_of(panel: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [
        one for one in panel["traces"] if one["name"] == name and one.get("fill") != "toself"
    ]
    return dict(found)


def test_a_spectrum_is_that_of_the_summary() -> None:
    drawing, shown = shown_in("exp001", "spectra")
    levels = results("exp001").coords["level"].values
    for group, label in (("model", "model"), ("untrained", "untrained weights")):
        data = results("exp001")[f"summary/{group}/scaled_eigenvalues"]
        for k, level in enumerate(levels):
            panel = shown["views"][0][k]["panels"][0]
            here = data.sel(level=level)
            line = trace_of(panel, label)
            np.testing.assert_allclose(line["y"], here.sel(quantile=0.5), rtol=DIGITS)
            for i, said in enumerate(row[-1] for row in line["customdata"]):
                ends = [float(here.isel(eigen=i).sel(quantile=q)) for q in (0.25, 0.75, 0.05, 0.95)]
                numbers = [f"{end:.4g}" for end in ends]
                half, whole = (f"{a} … {b}" for a, b in (numbers[:2], numbers[2:]))
                assert said == f"half in {half}, 90 % in {whole}"
    assert drawing.places[0].startswith(f"k = {levels[0]}")


def test_ends_of_a_spectrum_are_no_eigenvalues_in_ascending_order() -> None:
    """Nothing joins them, and the axis says so."""
    _, shown = shown_in("exp001-ends", "spectra")
    panel = shown["overview"]["panels"][0]
    assert "top by falling |λ|, then bottom by rising λ" in panel["x"]["title"]["text"]
    assert panel["x"]["ticktext"] == ["top 1", "top 3", "bottom 1", "bottom 2"]
    lines = [one for one in panel["traces"] if one["name"] == "model" and "customdata" in one]
    assert [len(one["x"]) for one in lines] == [3, 2]
    data = results("exp001-ends")["summary/model/scaled_eigenvalues"].isel(level=0)
    for line, columns in zip(lines, (slice(0, 3), slice(3, 5)), strict=True):
        expected = data.sel(quantile=0.5).isel(eigen=columns)
        np.testing.assert_allclose(np.array(line["y"], float), expected, rtol=DIGITS)


def test_training_at_one_level_is_that_of_the_summary() -> None:
    tree = results("exp007")
    _, shown = shown_in("exp007", "curvature")
    names = ("curvature", "off_ideal", "split_ratio")
    for group, label in (("model", "model"), ("untrained", "untrained weights")):
        for of_choice, name in zip(shown["views"], names, strict=True):
            for view, level in zip(of_choice, sorted(tree.coords["level"].values), strict=True):
                here = tree[f"summary/{group}/{name}"].sel(level=level).sortby("step")
                line = trace_of(view["panels"][0], label)
                assert line["x"] == here["step"].values.tolist()
                kept = here.sel(statistic=["low", "high"]).transpose("step", "statistic").values
                told = [row[2:] for row in line["customdata"]]
                np.testing.assert_allclose(np.array(told, float), kept, rtol=DIGITS, atol=DIGITS)


def test_costs_after_one_level_are_those_of_the_summary() -> None:
    tree = results("exp011")
    _, shown = shown_in("exp011", "costs")
    for of_choice, group in zip(shown["views"], ("model", "untrained"), strict=True):
        summary = tree[f"summary/{group}"].to_dataset()
        for view, level in zip(of_choice, sorted(tree.coords["level"].values), strict=True):
            for way in summary["arm"].values:
                error = summary["path_error"].sel(arm=way, level=level)
                cost = summary["path_cost"].sel(arm=way, level=level, statistic="mean")
                mark = trace_of(view["panels"][0], way)
                if not np.isfinite(error.sel(statistic="mean")):
                    assert mark["y"] == [None]  # it leaves this level out
                    continue
                ends = error.sel(statistic=["mean", "low", "high"]).values
                told = np.array(mark["customdata"][0], float)
                np.testing.assert_allclose(told, [float(cost), *ends], rtol=DIGITS)


@pytest.mark.parametrize("name", ["exp002", "exp002-completion"])
def test_slices_are_those_of_the_results(name: str) -> None:
    data = results(name)["slices/0"].to_dataset()
    drawing, shown = shown_in(name, "slices")
    for of_choice, plane in zip(shown["views"], PLANES, strict=True):
        for view, level in zip(of_choice, sorted(data["level"].values), strict=True):
            here = data.sel(plane=plane, level=level)
            expected = (here["energy_above"] / here["sigma"]).transpose("v", "u").values
            (panel,) = view["panels"]
            traces = [filled_in(one, shown["tables"]) for one in panel["traces"]]
            (height,) = [one for one in traces if one["type"] == "heatmap"]
            step = 0.51 * float(np.ptp(expected)) / 4000
            shown_z = np.array(height["z"], float)
            np.testing.assert_allclose(shown_z, expected, rtol=DIGITS, atol=step)
            assert height["zmin"] == -height["zmax"] < 0  # below the point has its colours too
            path = next(one for one in traces if one["name"] == "solver’s path")
            np.testing.assert_allclose(
                np.array(path["y"], float), here["path_at"].isel(axis=1), rtol=DIGITS, atol=DIGITS
            )
    assert "yellow below it" in next(c.caption for c in charts_of(name) if c.name == "slices")
    assert all(len(set(scale)) > 4 for scale in SCALES["heights"].values())
    assert drawing.choices == [plane.label for plane in PLANES.values()]


def test_a_page_of_charts_needs_no_matplotlib() -> None:
    script = (
        "import sys; import ired_interp.report.html, ired_interp.report.side_by_side; "
        "from ired_interp.experiments import find_experiment as find; "
        "[find(name).figures for name in sys.argv[1:]]; "
        "from ired_interp.report.pictures import picture_of; import stored_runs; "
        "tree = stored_runs.read('exp004'); "
        "[picture_of(one, tree) for one in find('exp004').figures]; "
        "assert 'matplotlib' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *stored_runs.NAMES],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(stored_runs.__file__).parent,
    )
    assert done.returncode == 0, done.stderr


def test_an_axis_that_is_linear_around_0_and_logarithmic_beyond() -> None:
    axis = Axis(scale="symlog", linear_to=0.01)
    numbers = np.array([-1.0, -0.01, 0.0, 0.005, 0.01, 1.0, np.nan])
    np.testing.assert_allclose(on_axis(numbers, axis), [-3, -1, 0, 0.5, 1, 3, np.nan], atol=1e-12)
    assert list(symlog_ticks(numbers, axis)) == [0.0, -0.01, -0.1, -1.0, 0.01, 0.1, 1.0]
    low, high = ends_of(Axis(scale="log"), np.array([-1.0, 0.0, 1.0, 100.0]))
    assert low < 0  # in powers of ten; what is not above 0 has no place there
    assert high > 2
    assert ends_of(Axis(scale="log", low=1.0, high=1000.0), np.array([5.0])) == (0.0, 3.0)


def test_every_role_and_scale_has_colours_for_light_and_dark() -> None:
    assert set(COLORS["light"]) == set(COLORS["dark"])
    for theme in COLORS.values():
        assert len(set(theme.values())) == len(theme)
    assert all(set(scale) == {"light", "dark"} for scale in SCALES.values())
    assert color_name(8) == color_name(0) == "c0"


def test_a_declared_chart_says_what_it_needs() -> None:
    chart = by_level(
        "n",
        "t",
        "c",
        y=[
            quantity("partial", null=pick("partial_null"), beside=[(pick("added"), "added")]),
            pick("spearman", sweep="fixed"),
        ],
    )
    names = ("partial", "added", "partial_null", "spearman")
    assert chart.needs == tuple(f"summary/model/{name}" for name in names)


def test_a_drawing_that_does_not_fit_together_is_refused_in_words() -> None:
    three, two = np.arange(3.0), np.arange(2.0)
    with pytest.raises(ExperimentError, match=r"trace 'n': expected 3 numbers as in x, found .*2"):
        Line(x=three, y=two, name="n")
    with pytest.raises(ExperimentError, match=r"expected a table of \(2, 3\).*found \(3, 2\)"):
        Heat(x=three, y=two, z=np.zeros((3, 2)), low=0.0, high=1.0, scale="shares")
    with pytest.raises(ExperimentError, match="expected a panel and a column at least, found 0"):
        Grid(panels=[])
    whole = Grid(panels=[Panel(traces=[])])
    with pytest.raises(ExperimentError, match="views for each of 0 choices and 2 places"):
        Drawing(overview=whole, slider="k", places=["a", "b"], views=[[whole]])


def test_words_of_a_chart_are_escaped() -> None:
    evil = "<b onclick='x'>&"
    line = Line(x=np.arange(2.0), y=np.arange(2.0), name=evil, words=(evil, ""))
    axis = Axis(label=evil, ticks={0.0: evil})
    panel = Panel(traces=[line], title=evil, x=axis, y=Axis(label=evil))
    chart = custom("n", "t", "c", traces=lambda _: panel)
    shown = plotted(chart.drawing_fn(xr.DataTree()))
    del shown["overview"]["legend"]  # its names are set as text, by the script
    assert "<b onclick" not in json.dumps(shown)
    assert "&lt;b onclick='x'&gt;&amp;" in json.dumps(shown)


def test_an_arrow_ends_in_its_tip() -> None:
    arrow = Arrows(x=np.array([1.0]), y=np.array([2.0]), dx=np.array([2.0]), dy=np.array([0.0]))
    x, y = arrow.strokes()
    np.testing.assert_allclose(x, [1, 3, 2.4, 3, 2.4, np.nan])
    np.testing.assert_allclose(y, [2, 2, 2.3, 2, 1.7, np.nan])
