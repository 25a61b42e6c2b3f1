"""The spectra of EXP-001 in a browser: a level at a time, every eigenvalue under the pointer."""

from typing import Any

import numpy as np
import xarray as xr

from ired_interp.experiments.base import Theme
from ired_interp.experiments.exp001_cases import Case, cases_of, root_of
from ired_interp.experiments.interactive import Interactive, axis, label, rounded

__all__ = ["interactive_spectra"]

_BANDS = ((0.05, 0.95, 0.16), (0.25, 0.75, 0.3))
_MARGIN = 0.06


def interactive_spectra(results: xr.DataTree, theme: Theme) -> Interactive:
    """σλ of every eigenvalue at one level, with its quantiles over problems."""
    cases, root = cases_of(results, theme), root_of(results)
    levels, sigma = root["level"].values, root["sigma"].values
    number = (root["eigen"].values + 1).tolist()
    known = bool(root["ideal_eigenvalues"].notnull().all())
    values = []
    for i in range(len(levels)):
        ideal = (root["ideal_eigenvalues"] * root["sigma"]).isel(level=i).values
        at = rounded(ideal) if known else [1.0] * len(number)
        here: list[dict[str, Any]] = [{"y": at}]
        for case in cases:
            here += _case_values(case, i)
        values.append(here)
    quantiles = np.concatenate([case.data["scaled_eigenvalues"].values.ravel() for case in cases])
    low, high = (float(end) for end in _ends(np.append(quantiles, 1.0)))
    ideal_trace = {
        "type": "scatter",
        "mode": "lines",
        "name": "ideal" if known else "upper limit of any posterior, 1",
        "x": number,
        "line": {"color": theme.ideal, "width": 1.6, "dash": "dot"},
        "hovertemplate": "σλ %{y:.4g}",
    }
    return Interactive(
        caption=(
            "The same a level at a time, noisiest first; the axes stay, so that levels can be "
            "compared. Under the pointer: σλ, which has no unit, and its quantiles over problems."
        ),
        slider="level k",
        positions=[f"k = {k}, σ = {s:.2f}" for k, s in zip(levels, sigma, strict=True)],
        traces=[ideal_trace, *(trace for case in cases for trace in _case_traces(case, number))],
        values=[values],
        layout={
            "xaxis": axis("eigenvalue, in ascending order"),
            "yaxis": axis("σλ", range=rounded([low, high])),
            "hovermode": "x unified",
        },
    )


def _case_traces(case: Case, number: list[int]) -> list[dict[str, Any]]:
    name = label(case.label)
    traces: list[dict[str, Any]] = []
    for low, high, alpha in _BANDS:
        band = {
            "type": "scatter",
            "mode": "lines",
            "name": f"{name}, {100 * (high - low):.0f} %",
            "x": number,
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
            "x": number,
            "line": line,
            "marker": {"color": case.color, "size": 6, "symbol": _SYMBOLS[case.marker]},
            "legendgroup": name,
            "hovertemplate": f"{said}90 % in %{{customdata[0]:.4g}} … %{{customdata[3]:.4g}}",
        }
    )
    return traces


_SYMBOLS = {"o": "circle", "s": "square"}


def _case_values(case: Case, i: int) -> list[dict[str, Any]]:
    here = case.data["scaled_eigenvalues"].isel(level=i)
    ends = [here.sel(quantile=q).values for low, high, _ in _BANDS for q in (low, high)]
    in_order = np.stack([here.sel(quantile=q).values for q in (0.05, 0.25, 0.75, 0.95)], axis=1)
    middle = {"y": rounded(here.sel(quantile=0.5).values), "customdata": rounded(in_order)}
    return [*({"y": rounded(end)} for end in ends), middle]


def _ends(values: np.ndarray[Any, np.dtype[np.float64]]) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    margin = _MARGIN * (finite.max() - finite.min()) or _MARGIN
    return finite.min() - margin, finite.max() + margin
