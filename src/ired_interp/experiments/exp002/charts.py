"""Charts of EXP-002: minima, convexity, barriers, and how flat the solver's path is."""

from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from ired_interp.experiments.exp002.declared import HALF
from ired_interp.experiments.exp002.slice_charts import PATH, SLICE_PLANES
from ired_interp.experiments.kit.charts import by_level, custom
from ired_interp.experiments.kit.drawn import Axis, Drawing, Grid, Panel
from ired_interp.experiments.kit.facets import quantity
from ired_interp.experiments.kit.traces import Color, Line, Marker, Note, Rule, Trace
from ired_interp.experiments.subjects import UNTRAINED

__all__ = ["CHARTS"]

_TINY = 1e-9
_DETERMINED = "ideal, where the answer is determined"

_MINIMA = by_level(
    "minima",
    "How many minima there are",
    "Left: the share of pairs of starts whose descents end at the same minimum, mean over "
    "problems with 95\u00a0% bootstrap interval; its inverse is the effective number of "
    "minima. Middle: how many distinct ones. Right: the distance of the most visited one from "
    "s_t·y*, over σ_t√d, the length of the level’s noise. Both counts say what these starts "
    "found, no more.",
    y=[
        quantity(
            "same_minimum",
            title="pairs of starts that end together",
            ideal=1.0,
            low=0.0,
            high=1.06,
        ),
        quantity("num_minima", title="distinct minima", ideal=1.0, low=0.0),
        quantity("minimum_offset", title="offset of the minimum, σ√d", scale="log"),
    ],
    columns="quantity",
    ideal_name=_DETERMINED,
    bands=True,
    height=2.5,
)


def minima(results: xr.DataTree) -> Drawing:
    """Pairs of starts that end together, how many minima, and how far the first is off."""
    drawing = _MINIMA.drawing_fn(results)
    pairs, *others = drawing.overview.panels
    half: list[Trace] = [
        Rule(at=HALF, color="muted"),
        Note(text="two equal minima", x=0.02, y=HALF - 0.05),
    ]
    panels = [replace(pairs, traces=[*half, *pairs.traces]), *others]
    return Drawing(overview=replace(drawing.overview, panels=panels))


def path_variance(results: xr.DataTree) -> Panel:
    """What planes lose of each problem's path, beside random walks."""
    root = results.to_dataset()
    groups: list[tuple[xr.Dataset, str, Color, Marker, float]] = [
        (root, "model", "model", "circle", 0.0)
    ]
    if "controls" in results.children:
        control = results[UNTRAINED].to_dataset()
        groups += [
            (control.isel(draw=i), "untrained weights", "control", "square", 0.25)
            for i in range(control.sizes["draw"])
        ]
    traces: list[Trace] = []
    for data, label, color, marker, shift in groups:
        at = np.arange(data.sizes["problem"]) + shift
        walk, deviation = data["walk_kept"].values, data["walk_deviation"].values
        low, high = (1 - np.minimum(walk + sign * 2 * deviation, 1 - _TINY) for sign in (1, -1))
        look: Any = {"x": at, "color": color, "dash": "none"}
        name = f"{label}, random walks"
        traces.append(
            Line(y=1 - walk, low=low, high=high, size=3.5, opacity=0.3, name=name, **look)
        )
        lost = 1 - np.minimum(data["path_kept"].values, 1 - _TINY)
        traces.append(Line(y=lost, marker=marker, name=label, **look))
    random = 1 - root["path_kept_random"].values
    here = np.arange(len(random))
    traces.append(
        Line(
            x=here,
            y=random,
            color="muted",
            dash="none",
            marker="x",
            name="model, random plane",
        )
    )
    names = {float(i): str(int(p)) for i, p in zip(here, root["problem"].values, strict=True)}
    up = Axis(label="share of the variance that is lost", scale="log")
    return Panel(traces=traces, x=Axis(label="problem", ticks=names), y=up)


def barriers(results: xr.DataTree) -> Grid:
    """Barriers between the two most visited minima: straight line against elastic band."""
    groups: list[tuple[xr.Dataset, str, Color, Marker]] = [
        (results.to_dataset(), "model", "model", "circle")
    ]
    if "controls" in results.children:
        control = results[UNTRAINED].to_dataset()
        groups.append((control, "untrained weights", "control", "square"))
    traces: list[Trace] = []
    seen = []
    for data, label, color, marker in groups:
        straight, band = (data[f"{way}_height"].values.ravel() for way in ("straight", "band"))
        good = data["band_status"].values.ravel() == 0
        there = np.isfinite(straight) & (straight > 0) & (band > 0)
        text = f"{label}, {int(there.sum())} pairs" if there.any() else f"{label}: single modes"
        for which, filled in ((there & good, True), (there & ~good, False)):
            look: Any = {"color": color, "marker": marker, "dash": "none", "filled": filled}
            traces.append(Line(x=straight[which], y=band[which], name=text, opacity=0.8, **look))
        seen += [straight[there], band[there]]
    flat = np.concatenate(seen)
    labels = [f"max E − max(E₀, E₁), {way}" for way in ("straight line", "elastic band")]
    if flat.size:
        ends = np.array([flat.min() / 2, flat.max() * 2])
        traces.insert(0, Line(x=ends, y=ends, color="ideal", dash="dot", hover=False))
        axes = [Axis(label=label, scale="log") for label in labels]
    else:
        words = "single modes only:\nno barrier to measure"
        traces.append(Note(text=words, x=0.5, y=0.5, align="center"))
        axes = [Axis(label=label, low=0.0, high=1.0, ticks={0.0: ""}) for label in labels]
    panel = Panel(traces=traces, x=axes[0], y=axes[1])
    return Grid(panels=[panel], height=3.6, width=5.2)


CHARTS = (
    SLICE_PLANES,
    replace(_MINIMA, drawing_fn=minima),
    PATH,
    custom(
        "path-variance",
        "How flat the solver’s path is",
        "What the plane of the path’s first two principal components loses of its variance, a mark "
        "a problem (lower is flatter). The bars span two standard deviations around what the same "
        "analysis loses of random walks with the same step lengths: a path within its bar is no "
        "flatter than chance. Crosses: what a random plane loses of the model’s path.",
        traces=path_variance,
    ),
    by_level(
        "convexity",
        "How convex the landscape is along straight lines",
        "Chords between two typical points of one problem. Left: ΣD/Σ|D| of the jumps of the "
        "slope, 1 where E is convex along the chord. Right: the barrier on it. Means over problems "
        "with 95\u00a0% bootstrap intervals. Where untrained weights score the same, convexity is "
        "the network’s, not training’s.",
        y=[
            quantity("convexity", title="convexity score of chords", ideal=1.0),
            quantity("chord_height", title="barrier on chords, energy", ideal=0.0),
        ],
        columns="quantity",
        ideal_name=_DETERMINED,
        bands=True,
        height=2.5,
    ),
    custom(
        "barriers",
        "Barriers between minima, by straight line and by elastic band",
        "A mark for each problem, level and draw with several minima: the barrier between the two "
        "most visited ones along the straight line, and along the nudged elastic band (hollow: it "
        "ran out of steps). On the dotted line both are equal; below it the straight line "
        "overestimates the barrier. A landscape of single modes has no mark.",
        traces=barriers,
    ),
)
