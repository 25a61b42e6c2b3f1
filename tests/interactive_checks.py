"""What a browser draws is what the drawing holds: the same numbers, valid plotly, no surprises."""

import base64
import gzip
import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go

import tiny_runs
from ired_interp.experiments.exp002_variables import PLANES
from ired_interp.experiments.interactive import PAGE
from ired_interp.report.figures import THEMES
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
    if run.experiment.name == "exp002":
        _check_slices(run, figure)


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
