"""What a browser draws is what the drawing holds: the same numbers, valid plotly, no surprises."""

import base64
import gzip
import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from ired_interp.experiments.exp001_interactive import interactive_spectra

import tiny_runs
from ired_interp.experiments.exp002.slices import PLANES
from ired_interp.experiments.interactive import PAGE
from ired_interp.report.colors import THEMES
from ired_interp.report.inline import theme_colors
from ired_interp.report.scripts import packed
from ired_interp.runs.run import Run

__all__ = ["check_interactive", "summed"]

# What is drawn as a browser would, by experiment.
SHOWN = {
    "exp001": "spectra",
    "exp002": "slices",
    "exp004": "clouds",
    "exp005": "curvatures",
    "exp006": "spectra",
    "exp007": "curvature",
    "exp011": "costs",
}


def summed(table: Mapping[str, Any]) -> Any:
    """As the page's script does it."""
    if table["differences"] is None:
        return None
    steps = np.cumsum(np.cumsum(table["differences"], axis=0), axis=1)
    return table["low"] + table["step"] * steps


def in_theme(value: Any, theme: int) -> Any:  # noqa: PLR0911 - a kind of value each
    """As the page's script does it."""
    match value:
        case str():
            colors = theme_colors(THEMES[theme]) | {"--rule": "#d9dde1"}
            found = re.fullmatch(r"var\((--[a-z-]+)\)", value)
            return colors[found[1]] if found else value
        case [*entries]:
            return [in_theme(one, theme) for one in entries]
        case {"light": light, "dark": dark}:
            return (light, dark)[theme]
        case {"differences": _}:
            return summed(value)
        case {"color": color, "alpha": alpha}:
            return f"{in_theme(color, theme)}{round(255 * alpha):02x}"
        case {**keyed}:
            return {key: in_theme(one, theme) for key, one in keyed.items()}
    return value


def check_interactive(run: Run, text: str) -> None:
    """The page holds the run's interactive figure, every picture of it is valid, none is another.

    Args:
        run: Of `tiny_runs`.
        text: Of its report.
    """
    (spec,) = [spec for spec in run.experiment.figures if spec.interactive_fn is not None]
    assert spec.name == SHOWN[run.experiment.name]
    (letters,) = re.findall(rf'id="numbers-{spec.name}">([^<]*)<', text)
    figure = json.loads(gzip.decompress(base64.b64decode(letters)))
    assert spec.interactive_fn is not None
    assert letters == packed(spec.interactive_fn(run.tree, PAGE))
    assert len(figure["positions"]) == len(tiny_runs.LEVELS)
    seen = set()
    for i in range(len(figure["choices"])):
        for j in range(len(figure["positions"])):
            values = figure["values"][i][j]
            traces = [a | b for a, b in zip(figure["traces"], values, strict=True)]
            layout = figure["layout"] | (figure["changes"][i][j] if figure["changes"] else {})
            for theme in (0, 1):
                go.Figure(in_theme(traces, theme), in_theme(layout, theme))  # raises
            seen.add(json.dumps(values))
        assert len(seen) == (i + 1) * len(figure["positions"]), "the slider changes nothing"
    hovers = [one.get("hovertemplate", "") for one in figure["traces"]]
    assert any("%{y" in hover for hover in hovers)
    if run.experiment.name == "exp001":
        _check_spectra(run, figure)
        _check_ends_of_spectra(run)
    if run.experiment.name == "exp007":
        _check_training(run, figure)
    if run.experiment.name == "exp011":
        _check_costs(run, figure)
    if run.experiment.name == "exp002":
        _check_slices(run, figure)
        _check_colours_of_heights(run, figure["traces"][0])


def _check_spectra(run: Run, figure: Mapping[str, Any]) -> None:
    medians = [
        i for i, trace in enumerate(figure["traces"]) if "customdata" in figure["values"][0][0][i]
    ]
    for name, i in zip(("model", "untrained"), medians, strict=True):
        data = run.tree[f"summary/{name}/scaled_eigenvalues"]
        for j, level in enumerate(tiny_runs.LEVELS):
            here = data.sel(level=level)
            shown = figure["values"][0][j][i]
            np.testing.assert_allclose(shown["y"], here.sel(quantile=0.5), rtol=1e-3)
            ends = here.sel(quantile=[0.05, 0.25, 0.75, 0.95]).transpose("eigen", "quantile")
            np.testing.assert_allclose(shown["customdata"], ends, rtol=1e-3)


def _check_ends_of_spectra(run: Run) -> None:
    """They are no eigenvalues 1 … d in ascending order, and nothing joins them."""
    tree = run.tree
    root = tree.to_dataset().assign_coords(wanted=("eigen", ["top", "top", "top", "bottom"]))
    kept = xr.DataTree.from_dict({"/": root, "/summary": tree["summary"]})
    found = interactive_spectra(kept, PAGE)
    assert found.layout["xaxis"]["type"] == "category"
    assert "top by falling |λ|, then bottom by rising λ" in found.layout["xaxis"]["title"]["text"]
    half = len(found.traces) // 2
    for i, (first, second) in enumerate(zip(found.traces[:half], found.traces[half:], strict=True)):
        assert first["x"] == ["top 1", "top 2", "top 3"]
        assert second["x"] == ["bottom 1"]
        assert second["showlegend"] is False
        for here in found.values[0]:
            assert [len(here[i]["y"]), len(here[half + i]["y"])] == [3, 1]
    shown = found.values[0][0][half + half // 2]["y"]  # the model's median
    expected = tree["summary/model"].to_dataset()["scaled_eigenvalues"].sel(quantile=0.5)[0, 3:]
    np.testing.assert_allclose(shown, expected, rtol=1e-3)
    go.Figure(in_theme(found.traces, 0), in_theme(found.layout, 0))  # raises


def _check_colours_of_heights(run: Run, height: Mapping[str, Any]) -> None:
    """Below the point too, in the drawings and in the browser."""
    assert height["zmin"] == -height["zmax"] < 0
    assert height["contours"]["start"] < height["zmin"]
    for scale in height["colorscale"].values():
        assert len({color for _, color in scale}) > 20
    for spec in run.experiment.figures:
        if spec.name in ("slices", "path"):
            bar = spec.draw_fn(run.tree, LIGHT).axes[-1]
            assert bar.get_ylim() == (height["zmin"], height["zmax"])
            assert "yellow below it" in spec.caption


def _check_training(run: Run, figure: Mapping[str, Any]) -> None:
    names = ("curvature", "off_ideal", "split_ratio")
    for case, trace in (("model", 1), ("untrained", 2)):
        for choice, name in zip(figure["values"], names, strict=True):
            for place, level in zip(choice, tiny_runs.LEVELS, strict=True):
                here = run.tree[f"summary/{case}/{name}"].sel(level=level).sortby("step")
                assert figure["traces"][trace]["x"] == here["step"].values.tolist()
                shown = place[trace]
                ends = [
                    np.array(shown["y"], float) - np.array(shown["error_y"]["arrayminus"], float),
                    np.array(shown["y"], float) + np.array(shown["error_y"]["array"], float),
                ]
                kept = here.sel(statistic=["low", "high"]).transpose("step", "statistic")
                np.testing.assert_allclose(
                    np.array(shown["y"], float), here.sel(statistic="mean"), rtol=2e-3, atol=2e-3
                )
                np.testing.assert_allclose(np.stack(ends, axis=1), kept, rtol=2e-3, atol=2e-3)
                np.testing.assert_allclose(
                    np.array(shown["customdata"], float), kept, rtol=2e-3, atol=2e-3
                )


def _check_costs(run: Run, figure: Mapping[str, Any]) -> None:
    for case, choice in zip(("model", "untrained"), figure["values"], strict=True):
        summary = run.tree[f"summary/{case}"].to_dataset()
        for trace, way in enumerate(summary["arm"].values, start=1):
            assert figure["traces"][trace]["name"] == way
            for place, level in zip(choice, tiny_runs.LEVELS, strict=True):
                error = summary["path_error"].sel(arm=way, level=level)
                cost = float(summary["path_cost"].sel(arm=way, level=level, statistic="mean"))
                shown = place[trace]
                if not np.isfinite(error.sel(statistic="mean")):
                    assert shown["y"] == [None]  # it leaves this level out
                    continue
                drawn = [*shown["x"], *shown["y"], *shown["customdata"][0]]
                ends = error.sel(statistic=["mean", "low", "high"]).values
                np.testing.assert_allclose(np.array(drawn, float), [cost, *ends], rtol=1e-3)


def _check_slices(run: Run, figure: Mapping[str, Any]) -> None:
    data = run.tree["slices/0"].to_dataset()
    for i, plane in enumerate(PLANES):
        for j, level in enumerate(tiny_runs.LEVELS):
            here = data.sel(plane=plane, level=level)
            expected = (here["energy_above"] / here["sigma"]).transpose("v", "u").values
            height, _, answer, path = figure["values"][i][j]
            if not np.isfinite(expected).all():
                assert summed(height["z"]) is None
                continue
            error = np.abs(summed(height["z"]) - expected).max()
            assert error <= 0.51 * np.ptp(expected) / 4000
            np.testing.assert_allclose(
                [answer["x"][0], answer["y"][0]], here["answer_at"], rtol=1e-3
            )
            np.testing.assert_allclose(path["y"], here["path_at"].isel(axis=1), rtol=1e-3)
