"""The spectra of EXP-001 in a browser: a level at a time, every eigenvalue under the pointer."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from ired_interp.experiments.base import Theme
from ired_interp.experiments.exp001.measure import ALL
from ired_interp.experiments.exp001_cases import ORDERS, Case, cases_of, root_of, wanted_of
from ired_interp.experiments.interactive import Interactive, axis, label, rounded

__all__ = ["interactive_spectra"]

_BANDS = ((0.05, 0.95, 0.16), (0.25, 0.75, 0.3))
_MARGIN = 0.06


def interactive_spectra(results: xr.DataTree, theme: Theme) -> Interactive:
    """σλ of every eigenvalue at one level, with its quantiles over problems."""
    cases, root = cases_of(results, theme), root_of(results)
    levels, sigma = root["level"].values, root["sigma"].values
    wanted = wanted_of(root)
    known = bool(root["ideal_eigenvalues"].notnull().all())
    traces: list[dict[str, Any]] = []
    values: list[list[dict[str, Any]]] = [[] for _ in levels]
    for end, columns in wanted.items():
        places = _places(root, end, columns)
        ideal = (root["ideal_eigenvalues"] * root["sigma"]).isel(eigen=columns)
        drawn = [_ideal_trace(places, theme, known=known)]
        for case in cases:
            drawn += _case_traces(case, places)
        # The legend names what both ends have once.
        traces += [one | {"showlegend": False} for one in drawn] if traces else drawn
        for i, here in enumerate(values):
            limit = rounded(ideal.isel(level=i).values) if known else [1.0] * len(places)
            here.append({"y": limit})
            for case in cases:
                scaled = case.data["scaled_eigenvalues"].isel(level=i, eigen=columns)
                here.extend(_case_values(scaled))
    quantiles = np.concatenate([case.data["scaled_eigenvalues"].values.ravel() for case in cases])
    low, high = (float(end) for end in _ends(np.append(quantiles, 1.0)))
    return Interactive(
        caption=(
            "The same a level at a time, noisiest first; the axes stay, so that levels can be "
            "compared. Under the pointer: σλ, which has no unit, and its quantiles over problems."
        ),
        slider="level k",
        positions=[f"k = {k}, σ = {s:.2f}" for k, s in zip(levels, sigma, strict=True)],
        traces=traces,
        values=[values],
        layout={
            "xaxis": _number_axis(wanted),
            "yaxis": axis("σλ", range=rounded([low, high])),
            "hovermode": "x unified",
        },
    )


def _places(root: xr.Dataset, end: str, columns: slice) -> list[Any]:
    """The name of each eigenvalue: its number, from the end where only ends are there."""
    if end == ALL:
        return (root["eigen"].values[columns] + 1).tolist()  # type: ignore[no-any-return]
    return [f"{end} {number}" for number in range(1, columns.stop - columns.start + 1)]


def _number_axis(wanted: Mapping[str, slice]) -> dict[str, Any]:
    if ALL in wanted:
        return axis("eigenvalue, in ascending order")
    # The ends are no numbers on one scale: what lies between them was not computed.
    return axis(f"eigenvalue: {', then '.join(ORDERS[end] for end in wanted)}", type="category")


def _ideal_trace(places: list[Any], theme: Theme, *, known: bool) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers" if len(places) == 1 else "lines",
        "name": "ideal" if known else "upper limit of any posterior, 1",
        "legendgroup": "ideal",
        "x": places,
        "line": {"color": theme.ideal, "width": 1.6, "dash": "dot"},
        "hovertemplate": "σλ %{y:.4g}",
    }


def _case_traces(case: Case, places: list[Any]) -> list[dict[str, Any]]:
    name = label(case.label)
    traces: list[dict[str, Any]] = []
    for low, high, alpha in _BANDS:
        band = {
            "type": "scatter",
            "mode": "lines",
            "name": f"{name}, {100 * (high - low):.0f} %",
            "x": places,
            "line": {"color": case.color, "width": 0},
            "fillcolor": {"color": case.color, "alpha": alpha},
            "legendgroup": name,
            "showlegend": False,
            "hoverinfo": "skip",
        }
        traces += [band | {"fill": fill} for fill in ("none", "tonexty")]
    line = {"color": case.color, "width": 2, "dash": "dash" if case.line == "--" else "solid"}
    said = "median %{y:.4g}, half in %{customdata[1]:.4g} … %{customdata[2]:.4g}, "
    traces.append(
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": name,
            "x": places,
            "line": line,
            "marker": {"color": case.color, "size": 6, "symbol": _SYMBOLS[case.marker]},
            "legendgroup": name,
            "hovertemplate": f"{said}90 % in %{{customdata[0]:.4g}} … %{{customdata[3]:.4g}}",
        }
    )
    return traces


_SYMBOLS = {"o": "circle", "s": "square"}


def _case_values(here: xr.DataArray) -> list[dict[str, Any]]:
    ends = [here.sel(quantile=q).values for low, high, _ in _BANDS for q in (low, high)]
    in_order = np.stack([here.sel(quantile=q).values for q in (0.05, 0.25, 0.75, 0.95)], axis=1)
    middle = {"y": rounded(here.sel(quantile=0.5).values), "customdata": rounded(in_order)}
    return [*({"y": rounded(end)} for end in ends), middle]


def _ends(values: np.ndarray[Any, np.dtype[np.float64]]) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    margin = _MARGIN * (finite.max() - finite.min()) or _MARGIN
    return finite.min() - margin, finite.max() + margin
