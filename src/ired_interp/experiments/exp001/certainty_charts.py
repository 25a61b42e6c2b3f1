"""Charts of EXP-001 on what is certain: error bounds, the index, and the density by level."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from ired_interp.experiments.kit.chart_cases import Case, cases_of, level_axis
from ired_interp.experiments.kit.charts import custom
from ired_interp.experiments.kit.drawn import Axis, Grid, Panel
from ired_interp.experiments.kit.traces import Band, Line, Note, Rule, Trace

__all__ = ["CERTIFICATES", "DENSITY", "INDEX", "RESIDUALS"]

# The height of the tallest ridge of a density, in levels; and the inches of a level.
_TALLEST, _RIDGE = 1.3, 0.45
_BOUNDS = ("index_low", "index_high")


def _largest_and_median(case: Case, name: str) -> Iterator[Trace]:
    """Of a number an eigenvalue: the largest filled, the median hollow, a bar between them."""
    x = case.data["level"].values + case.shift
    largest, median = (case.data[f"{kind}_{name}"].values for kind in ("largest", "median"))
    look: Any = {"x": x, "color": case.color, "marker": case.marker, "dash": "none", "size": 1.2}
    yield Line(y=largest, low=median, high=largest, name=f"{case.label}, largest", **look)
    yield Line(y=median, filled=False, name=f"{case.label}, median", **look)


def _round_off(root: xr.Dataset) -> tuple[Rule, str]:
    dtype = root["eigenvalues"].dtype
    name = f"round-off of {dtype}, ε"
    return Rule(at=float(np.finfo(dtype).eps), dash="dot", name=name), name


def _errors(results: xr.DataTree, name: str, label: str, title: str) -> Panel:
    cases, root = cases_of(results, "level"), results.to_dataset().sortby("level")
    rule, _ = _round_off(root)
    traces: list[Trace] = [rule]
    for case in reversed(cases):
        traces += _largest_and_median(case, name)
    seen = [case.data[f"{kind}_{name}"].values for case in cases for kind in ("largest", "median")]
    there = np.concatenate([[rule.at], *(np.ravel(one) for one in seen)])
    there = there[np.isfinite(there) & (there > 0)]
    low, high = min(there.min(), rule.at / 10), max(2 * there.max(), rule.at * 100)
    up = Axis(label=label, scale="log", low=float(low), high=float(high))
    return Panel(traces=traces, title=title, x=level_axis(root), y=up)


def residuals(results: xr.DataTree) -> Grid:
    """The largest and the median residual at each level."""
    return Grid(panels=[_errors(results, "residual", "‖Hv − λv‖ / max|λ|", "")], height=3.0)


def certificates(results: xr.DataTree) -> Grid:
    """Certified radii of the eigenvalues, and the share that stands in clusters."""
    cases, root = cases_of(results, "level"), results.to_dataset().sortby("level")
    shares: list[Trace] = [
        Line(
            x=case.data["level"].values + case.shift,
            y=case.data["clustered_share"].values,
            name=case.label,
            color=case.color,
            marker=case.marker,
            listed=False,
        )
        for case in reversed(cases)
    ]
    up = Axis(label="share", low=-0.04, high=1.04)
    right = Panel(
        traces=shares, title="eigenvalues in clusters", x=level_axis(root, sigma_every=3), y=up
    )
    left = _errors(results, "radius", "radius / max|λ|", "certified radius")
    return Grid(panels=[left, right], columns=2, height=3.0)


def index(results: xr.DataTree) -> Grid:
    """The Morse index at each level: its range over points and the mean of its bounds."""
    cases, root = cases_of(results, "level"), results.to_dataset().sortby("level")
    levels, tallest = root["level"].values, 1.0
    traces: list[Trace] = [Rule(at=0, dash="dot", name="ideal of a determined answer, 0")]
    for case in reversed(cases):
        x, data = levels + case.shift, case.data
        least, most = data["index_least"].values, data["index_most"].values
        low, high = (data[name].sel(statistic="mean").values for name in _BOUNDS)
        look: Any = {"x": x, "color": case.color, "dash": "none", "name": case.label}
        traces.append(Line(y=low, low=low, high=high, size=4.0, opacity=0.45, hover=False, **look))
        certain = data["index_certain"].values
        for share, filled in ((certain == 1, True), (certain != 1, False)):
            for end in (low, high):
                y = np.where(share, end, np.nan)
                words = [f"least {a:g}, most {b:g}" for a, b in zip(least, most, strict=True)]
                more: Any = {"low": least, "high": most, "words": words, "filled": filled}
                traces.append(Line(y=y, marker=case.marker, **more, **look))
        traces += [
            Note(
                text=f"{share:.0%}", x=x[i], y=top, inside="axes", align="center", color=case.color
            )
            for i, (share, top) in enumerate(zip(certain, most, strict=True))
            if share < 1
        ]
        tallest = max(tallest, float(np.nanmax(most, initial=0)))
    up = Axis(label=f"negative eigenvalues, of {root.sizes['y_dim']}")
    up = replace(up, low=-0.05 * tallest, high=1.12 * tallest)
    return Grid(panels=[Panel(traces=traces, x=level_axis(root), y=up)], height=2.8)


def density(results: xr.DataTree) -> Grid:
    """The density of σλ: a ridge a level, the model beside its control."""
    cases, root = cases_of(results, "level"), results.to_dataset().sortby("level")
    num = root.sizes["level"]
    pairs = zip(root["level"].values, root["sigma"].values, strict=True)
    ticks = {float(-i): f"{level}   {sigma:.2f}" for i, (level, sigma) in enumerate(pairs)}
    up = Axis(label="level k,  σ", ticks=ticks, low=0.25 - num, high=1.1 * _TALLEST)
    panels = []
    for case in cases:
        scale = _TALLEST / (float(np.nanmax(case.data["density"].values, initial=0)) or 1.0)
        traces = [trace for i in range(num) for trace in _ridge(case, i, scale)]
        x = [trace.x for trace in traces if isinstance(trace, Band)]
        if case.group == "model" or (x and np.min(x) < 1 < np.max(x)):
            traces.append(Rule(at=1, across="x", dash="dot", name="σλ = 1"))
        along = Axis(label="σλ")
        panels.append(Panel(traces=traces, title=case.label, color=case.color, x=along, y=up))
    height = 0.4 + max(2.0, _RIDGE * num)
    return Grid(panels=panels, columns=len(panels), same_y="all", height=height)


def _ridge(case: Case, i: int, scale: float) -> list[Trace]:
    here = case.data.isel(level=i)
    grid, height, error = (
        here[name].values for name in ("density_grid", "density", "density_error")
    )
    if not np.isfinite(height).any():
        return []
    low, high = np.maximum(height - 2 * error, 0), height + 2 * error
    ground = np.full(grid.shape, float(-i))
    return [
        Band(x=grid, low=ground, high=scale * height - i, color=case.color, opacity=0.25),
        Band(x=grid, low=scale * low - i, high=scale * high - i, color=case.color, opacity=0.3),
        Line(x=grid, y=scale * height - i, color=case.color, hover=False, size=0.8),
    ]


DENSITY = custom(
    "density",
    "The density of σλ, level by level",
    "Where the eigenvalues lie: a Gaussian of area 1/d at each, averaged over problems; the band "
    "is two standard errors over problems to either side. Every ridge has the area 1. The "
    "Gaussians’ width is 1/51 of the range of the level’s eigenvalues, for each case by itself "
    "(density_width): no finer structure can be seen, and a single outlier widens it. Compare "
    "positions, not heights; the panels of model and control have scales of their own. Problems "
    "differ, so a wide ridge can be many narrow spectra: the figure of the sorted spectra tells.",
    traces=density,
    needs=("summary/model/density",),
)

INDEX = custom(
    "index",
    "The Morse index: in how many directions the landscape bends down",
    "How many eigenvalues are negative, with certainty. The thin bar reaches from the least that "
    "any point can have to the most, the thick bar joins the means of the two bounds over "
    "problems. A filled mark says that the index is certain at every point; a hollow one that it "
    "is not, with the share of points where it is. Away from a stationary point the count depends "
    "on the point; read it as the number of saddle directions at a minimum only. Small networks "
    "of random weights have eigenvalues near 0 of either sign: a count says nothing on size.",
    traces=index,
    needs=("summary/model/index_least", "summary/model/index_certain"),
)

RESIDUALS = custom(
    "residuals",
    "The error of every eigenvalue",
    "Each eigenpair comes with its residual ‖Hv − λv‖: an eigenvalue of the computed H lies "
    "within that distance of λ. Shown as a share of the largest |λ| at the same point: the "
    "largest over all eigenvalues of all problems (filled) and their median (hollow). A run "
    "stops if one exceeds 10⁻⁸ in float64 or 10⁻⁵ in float32.",
    traces=residuals,
)

CERTIFICATES = custom(
    "certificates",
    "What is certain about the eigenvalues",
    "Left: the certified radius of each eigenvalue, as a share of the largest |λ| at the same "
    "point. An eigenvalue of the true Hessian lies within that distance; unlike the residual it "
    "counts the round-off of the Hessian itself, which is measured. Shown are the largest over all "
    "eigenvalues of all problems (filled) and the median (hollow). Right: the share of eigenvalues "
    "whose intervals overlap a neighbour’s. Their values are as certain as the others, their "
    "eigenvectors are not: only the span of a cluster means anything. A radius says nothing on how "
    "the eigenvalue would move with another point, problem or training.",
    traces=certificates,
    needs=("summary/model/largest_radius", "summary/model/clustered_share"),
)
