"""Charts of EXP-001: spectra, what sums them up, and how certain they are.

The statistics are in ``summary/model`` and, where the run has a control, ``summary/untrained``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from ired_interp.experiments.exp001.certainty_charts import (
    CERTIFICATES,
    DENSITY,
    INDEX,
    RESIDUALS,
)
from ired_interp.experiments.exp001.measure import ALL, BOTTOM, TOP
from ired_interp.experiments.exp001.structure_charts import (
    CONTRIBUTIONS,
    EIGENVECTORS,
    OVERLAP_LEVELS,
    OVERLAP_PROBLEMS,
    PARTS,
    POSTERIOR,
)
from ired_interp.experiments.exp001.summary import MEASURES, Measure
from ired_interp.experiments.kit.along import Along
from ired_interp.experiments.kit.chart_cases import (
    Case,
    cases_of,
    level_axis,
    margins,
    outlier_axis,
)
from ired_interp.experiments.kit.charts import custom
from ired_interp.experiments.kit.drawn import Axis, Drawing, Grid, Panel
from ired_interp.experiments.kit.facets import QUANTITY, Facet, quantity
from ired_interp.experiments.kit.level_charts import level_by_level
from ired_interp.experiments.kit.traces import Band, Line, Rule, Trace

__all__ = ["CHARTS"]

_COLUMNS = 5
# More eigenvalues than this are drawn as a line without markers.
_MARKED = 40
_ORDERS: Mapping[str, str] = {TOP: "top by falling |λ|", BOTTOM: "bottom by rising λ"}
_BANDS = ((0.05, 0.95, 0.18), (0.25, 0.75, 0.32))
_UNKNOWN = "upper limit of any posterior, 1 (ideal not known)"


def _wanted(root: xr.Dataset) -> dict[str, slice]:
    """Which eigenvalues are there for which reason; runs of version 1 have all."""
    if "wanted" not in root.coords:
        return {ALL: slice(0, root.sizes["eigen"])}
    names = root["wanted"].values.tolist()
    return {
        name: slice(names.index(name), names.index(name) + names.count(name))
        for name in dict.fromkeys(names)
    }


def _ideal_known(root: xr.Dataset) -> bool:
    return bool(root["ideal_eigenvalues"].notnull().all())


def spectra(results: xr.DataTree) -> Drawing:
    """σλ of every eigenvalue, ascending, a panel a level; and a level by itself."""
    cases, root = cases_of(results, "level"), results.to_dataset().sortby("level")
    quantiles = [case.data["scaled_eigenvalues"].values for case in cases]
    low, high = margins([*quantiles, 1.0])
    up = replace(outlier_axis("σλ", quantiles), low=low, high=high)
    wanted = _wanted(root)
    along = Axis(label="eigenvalue, in ascending order")
    if ALL not in wanted:
        along = Axis(
            label="eigenvalue: " + ", then ".join(_ORDERS[end] for end in wanted),
            ticks={
                float(i + 1): f"{end} {i + 1 - columns.start}"
                for end, columns in wanted.items()
                for i in dict.fromkeys((columns.start, columns.stop - 1))
            },
        )

    def panel(_: None, k: int) -> Panel:
        traces: list[Trace] = [Rule(at=0, color="muted", dash="solid")]
        for n, columns in enumerate(wanted.values()):
            for case in reversed(cases):
                here = case.data["scaled_eigenvalues"].isel(level=k, eigen=columns)
                traces += _quantiles(case, here, columns, listed=n == 0)
            traces.append(_ideal_spectrum(root.isel(level=k, eigen=columns), columns))
        return Panel(traces=traces, title=_level_title(root, cases[0], k), x=along, y=up)

    num = root.sizes["level"]
    grid = Grid(
        panels=[panel(None, k) for k in range(num)],
        columns=min(num, _COLUMNS),
        same_x=True,
        same_y="all",
    )
    return level_by_level(
        grid,
        results,
        panel,
        [("", None)],
        hint="The axes stay while the slider moves, so that levels can be compared.",
    )


def _quantiles(case: Case, here: xr.DataArray, columns: slice, *, listed: bool) -> list[Trace]:
    number = np.arange(columns.start, columns.stop) + 1
    traces: list[Trace] = []
    ends: dict[float, Any] = {}
    for low, high, opacity in _BANDS:
        ends |= {q: here.sel(quantile=q).values for q in (low, high)}
        band = {"low": ends[low], "high": ends[high], "color": case.color, "opacity": opacity}
        traces.append(Band(x=number, **band))
    words = [
        f"half in {ends[0.25][i]:.4g} … {ends[0.75][i]:.4g}, "
        f"90 % in {ends[0.05][i]:.4g} … {ends[0.95][i]:.4g}"
        for i in range(number.size)
    ]
    look: Any = {"name": case.label, "color": case.color, "words": words, "listed": listed}
    look |= {"marker": case.marker if number.size <= _MARKED else "", "size": 0.8}
    look |= {"dash": "solid" if case.group == "model" else "dash"}
    return [*traces, Line(x=number, y=here.sel(quantile=0.5).values, **look)]


def _ideal_spectrum(here: xr.Dataset, columns: slice) -> Trace:
    if not _ideal_known(here):
        return Rule(at=1, dash="dot", name=_UNKNOWN)
    number = np.arange(columns.start, columns.stop) + 1.0
    scaled = (here["ideal_eigenvalues"] * here["sigma"]).values
    x = np.concatenate([[number[0] - 0.5], number, [number[-1] + 0.5]])
    y = np.concatenate([scaled[:1], scaled, scaled[-1:]])
    return Line(x=x, y=y, color="ideal", dash="dot", name="ideal", hover=False)


def _level_title(root: xr.Dataset, case: Case, k: int) -> str:
    title = f"k = {int(root['level'][k])},  σ = {float(root['sigma'][k]):.2f}"
    count = int(case.data["gradient_norm"].sel(statistic="count")[k])
    return title if count == root.sizes["problem"] else f"{title}\n{count} points found"


def eigenvalues(results: xr.DataTree) -> Panel:
    """The range of the raw eigenvalues λ at each level."""
    cases, root = cases_of(results, "level"), results.to_dataset().sortby("level")
    levels, e = root["level"].values, root.sizes["eigen"]
    every = ALL in _wanted(root)
    traces: list[Trace] = [Rule(at=0, color="muted", dash="solid")]
    for case in cases:
        x = levels + case.shift
        of_case = case.data["scaled_eigenvalues"] / case.data["sigma"]
        median = of_case.sel(quantile=0.5)
        low, high = of_case.isel(quantile=0).min("eigen"), of_case.isel(quantile=-1).max("eigen")
        shown = [e // 2] if every else range(e)
        look: Any = {"name": case.label, "color": case.color, "dash": "none"}
        for column in shown:
            y = median.isel(eigen=column).values
            look |= {"low": low.values, "high": high.values}
            traces.append(Line(x=x, y=y, marker=case.marker, **look))
        if every:
            inner = [median.isel(eigen=at).values for at in (e // 4, e // 2, 3 * e // 4)]
            look |= {"low": inner[0], "high": inner[2], "size": 4.0, "opacity": 0.45}
            traces.append(Line(x=x, y=inner[1], hover=False, **look))
    if _ideal_known(root):
        of_ideal = root["ideal_eigenvalues"]
        curves = [of_ideal.min("eigen").values, of_ideal.max("eigen").values]
    else:
        curves = [1 / root["sigma"].values]
    name = "ideal" if _ideal_known(root) else "upper limit 1/σ (ideal not known)"
    for curve in curves:
        ideal: Any = {"color": "ideal", "dash": "dot", "marker": "bar", "size": 1.4, "name": name}
        traces.append(Line(x=levels, y=curve, **ideal))
    drawn = [case.data["scaled_eigenvalues"].values for case in cases]
    up = outlier_axis("λ  (energy / y²)", drawn)
    return Panel(traces=traces, x=level_axis(root), y=up)


def measures(results: xr.DataTree) -> Drawing:
    """Every measure against level, with its interval."""
    root = results.to_dataset().sortby("level")
    quantities = [
        quantity(
            measure.name,
            title=measure.label,
            label=_unit(root, measure),
            ideal=measure.ideal_of(root),
            scale="log" if measure.mean == "geometric" else "linear",
        )
        for measure in MEASURES
    ]
    every = 1 if root.sizes["level"] <= 6 else 3  # noqa: PLR2004 - as many names as fit
    along = Along(
        x="level",
        axis_fn=lambda _: level_axis(root, sigma_every=every),
        quantities=quantities,
        columns=Facet(QUANTITY),
        bands=True,
        names=("", _ideal_name(root)),
        wrap=3,
        height=2.15,
    )
    drawing = along(results)
    panels = [
        replace(panel, traces=[*_ideal_end(root, measure), *panel.traces])
        for panel, measure in zip(drawing.overview.panels, MEASURES, strict=True)
    ]
    return Drawing(overview=replace(drawing.overview, panels=panels))


def _ideal_name(root: xr.Dataset) -> str:
    if not _ideal_known(root):
        return _UNKNOWN
    determined = any(measure.ideal_of(root) is not None for measure in MEASURES)
    return "ideal" if determined else "ideal, or its upper limit 1"


def _unit(root: xr.Dataset, measure: Measure) -> str:
    unit = str(root[measure.name].attrs["units"])
    if unit == "eigenvalues":
        return f"of {root.sizes['y_dim']}"
    return "" if unit == "1" else unit.replace("^2", "²")


def _ideal_end(root: xr.Dataset, measure: Measure) -> Iterator[Trace]:
    """Of an end of the spectrum, where the ideal differs by level or has an upper limit alone."""
    if measure.ideal_of(root) is not None:
        return
    look: Any = {"color": "ideal", "dash": "dot"}
    ends = {"smallest_scaled_eigenvalue": "min", "largest_scaled_eigenvalue": "max"}
    if measure.name in ends and _ideal_known(root):
        at = root["ideal_eigenvalues"] * root["sigma"]
        end = getattr(at, ends[measure.name])("eigen").values
        yield Line(x=root["level"].values, y=end, name=_ideal_name(root), hover=False, **look)
    elif measure.name.endswith("scaled_eigenvalue"):
        yield Rule(at=1, name=_ideal_name(root), **look)


CHARTS = (
    custom(
        "spectra",
        "The spectrum of the Hessian, level by level",
        "One panel a level, from the noisiest (k = 1) to the sharpest. Each holds σλ of every "
        "eigenvalue, in ascending order: the line is the median over problems, the dark band "
        "their middle 50\u00a0%, the light band the middle 90\u00a0%; the control's are over "
        "problems and draws of weights. Where the answer is determined the ideal is a flat line "
        "at 1. Values between 0 and 1 read as uncertainty, below 0 the landscape bends the wrong "
        "way, and above 1 is always model error.",
        traces=spectra,
    ),
    EIGENVECTORS,
    custom(
        "eigenvalues",
        "The raw eigenvalues, and the curve they should follow",
        "λ itself, in energy / y². The thin bar reaches from the smallest eigenvalue (its 5\u00a0% "
        "quantile over problems) to the largest (its 95\u00a0% quantile), the thick bar spans the "
        "middle half of the spectrum and the mark is the middle eigenvalue (medians over "
        "problems). In the ideal landscape of a determined answer all of them are 1/σ: the "
        "sharper the level, the stronger the curvature.",
        traces=eigenvalues,
    ),
    DENSITY,
    custom(
        "measures",
        "What sums the spectrum up",
        "Means over problems with 95\u00a0% bootstrap intervals (bars and band). The problem "
        "is the unit of replication: its draws of untrained weights are averaged first. "
        "Condition numbers and the gradient's length span decades: their mean is geometric and "
        "their axis logarithmic. With one problem there is no interval.",
        traces=measures,
    ),
    INDEX,
    POSTERIOR,
    PARTS,
    CONTRIBUTIONS,
    OVERLAP_LEVELS,
    OVERLAP_PROBLEMS,
    RESIDUALS,
    CERTIFICATES,
)
