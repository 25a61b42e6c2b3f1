"""Charts of EXP-005: shares, curvatures and extremes of tangent and normal directions."""

from dataclasses import replace

import numpy as np
import xarray as xr

from ired_interp.experiments.exp005.measure import BASE, PLACES, TYPICAL
from ired_interp.experiments.kit.chart_cases import margins, raw_cases_of
from ired_interp.experiments.kit.charts import Chart, by_level, custom
from ired_interp.experiments.kit.drawn import Axis, Drawing, Panel
from ired_interp.experiments.kit.expressions import pick
from ired_interp.experiments.kit.facets import facet, quantity
from ired_interp.experiments.kit.level_charts import cloud, level_by_level
from ired_interp.experiments.kit.traces import Line

__all__ = ["CHARTS"]

_PLACE_WORDS = {
    "typical": "typical points",
    "trajectory": "on the trajectory",
    "base": "where the split is stated",
}
_BARS = "Means over problems, bars are 95 % bootstrap intervals. "
_BY_PLACE = facet("place", only=PLACES, words=_PLACE_WORDS)
_RANDOM = {"random": "random splits"}


def _share(name: str, title: str, caption: str, variable: str, null: float, label: str) -> Chart:
    """One variable at all places in all splits, beside its controls."""
    return by_level(
        name,
        title,
        caption,
        y=quantity(variable, label=label, null=null, scale="outliers"),
        rows="space",
        columns=_BY_PLACE,
        null_name="by chance",
        called=_RANDOM,
        height=2.1,
    )


_MEANS = by_level(
    "",
    "",
    "",
    y=quantity(
        "normal_curvature",
        label="mean σκ",
        word="normal",
        beside=[(pick("tangent_curvature"), "tangent")],
        if_there=[(pick("riemannian_curvature"), "Riemannian")],
        ideal=1.0,
        scale="outliers",
    ),
    rows="space",
    columns=_BY_PLACE,
    groups=("model", "untrained", "shuffled"),
    ideal_name="limit 1",
    height=2.1,
)

_EXTREMES = by_level(
    "",
    "",
    "",
    y=[
        quantity(
            pick(f"{part}_highest", place=TYPICAL),
            title=part,
            label="σκ, extremes",
            word="highest",
            beside=[(pick(f"{part}_lowest", place=TYPICAL), "lowest")],
            ideal=1.0,
            scale="outliers",
        )
        for part in ("tangent", "normal")
    ],
    rows="space",
    columns="quantity",
    groups=("model", "random"),
    called=_RANDOM,
    ideal_name="limit 1",
    height=2.1,
)


def curvatures(results: xr.DataTree) -> Drawing:
    """Means by level; and normal against tangent curvature, a mark a problem, at one level."""
    means = _MEANS.drawing_fn(results).overview
    panels = [
        # Only where the split is stated is there a second Hessian.
        panel
        if _PLACE_WORDS[BASE] in panel.title
        else replace(panel, traces=[one for one in panel.traces if not _is_riemannian(one)])
        for panel in means.panels
    ]
    spaces = results.coords["space"].values.tolist()
    pairs = [(space, place) for space in spaces for place in PLACES]

    def one(where: tuple[str, str], k: int) -> Panel:
        space, place = where
        x, y = (pick(f"{part}_curvature", space=space, place=place) for part in _PARTS)
        drawn = [
            n.select(case.data.isel(level=k)).values
            for case in raw_cases_of(results)
            for n in (x, y)
        ]
        low, high = margins([1.0, *drawn], 0.08)
        axes = [Axis(label=f"mean {part} σκ", low=low, high=high) for part in _PARTS]
        found = cloud(results, x, y, k, (axes[0], axes[1]))
        ends, middle = np.array([low, high]), np.array([1.0])
        same = Line(x=ends, y=ends, color="muted", dash="dash", name="both alike", hover=False)
        ideal = Line(
            x=middle,
            y=middle,
            color="ideal",
            dash="none",
            marker="plus",
            size=1.6,
            name="ideal of a determined answer",
        )
        return replace(found, traces=[same, *found.traces, ideal])

    return level_by_level(
        replace(means, panels=panels),
        results,
        one,
        [(f"{space}, {_PLACE_WORDS[place]}", (space, place)) for space, place in pairs],
        choice="split, points",
        hint="A level by itself has a mark a problem: above the dashed line it has more curvature "
        "in normal than in tangent directions.",
    )


_PARTS = ("tangent", "normal")


def _is_riemannian(one: object) -> bool:
    return isinstance(one, Line) and one.name == "Riemannian"


def extremes(results: xr.DataTree) -> Drawing:
    """The ends of the curvature of each space, with its dimension in the title."""
    drawing = _EXTREMES.drawing_fn(results)
    spaces = results.coords["space"].values.tolist()
    where = [(space, part) for space in spaces for part in _PARTS]
    panels = [
        replace(panel, title=f"{space}, {part}, {_range(results, space, part)} dimensions")
        for panel, (space, part) in zip(drawing.overview.panels, where, strict=True)
    ]
    return Drawing(overview=replace(drawing.overview, panels=panels, same_y="row"))


def _range(results: xr.DataTree, space: str, part: str) -> str:
    sizes = results.to_dataset()[f"{part}_dimension"].sel(space=space)
    low, high = int(sizes.min()), int(sizes.max())
    return str(low) if low == high else f"{low} … {high}"


CHARTS = (
    _share(
        "gradients",
        "The gradient in normal directions",
        f"The squared gradient a normal dimension, over that of all dimensions. {_BARS}The dotted "
        "line, 1, is what random splits have on average (grey: as measured at these gradients). "
        "Above it the gradient points away from the tangent space more than by chance. At typical "
        "points the ideal gradient is the noise of that point, whose share scatters around 1 too, "
        "with the same noise at all levels.",
        "gradient_share",
        1.0,
        "normal share / dim.",
    ),
    custom(
        "curvatures",
        "Mean curvature of tangent and normal directions",
        f"σ_t times the mean of vᵀHv over normal (filled) and tangent (open) directions. {_BARS}No "
        "posterior has σκ above 1 at typical points, where a determined answer has exactly 1 in "
        "both. Away from them there is no such limit. Where the split is stated at a matrix of "
        "fixed rank, crosses show the Riemannian Hessian beside the projected one.",
        traces=curvatures,
        needs=_MEANS.needs,
    ),
    _share(
        "contrasts",
        "Normal less tangent curvature",
        "Mean normal less mean tangent curvature, in units of the root mean square eigenvalue, so "
        f"that it is defined whatever the signs. {_BARS}Random splits have 0 on average.",
        "curvature_contrast",
        0.0,
        "contrast",
    ),
    _share(
        "overlaps",
        "Are the flattest directions the tangent ones?",
        "Overlap of the q lowest eigenvectors with the q-dimensional tangent space, over its mean "
        f"for random subspaces. {_BARS}1 is chance; the largest possible value is d/q. Nothing is "
        "drawn where the cut goes through equal eigenvalues.",
        "bottom_overlap",
        1.0,
        "overlap / chance",
    ),
    custom(
        "extremes",
        "The sharpest and the flattest direction of each space",
        "σ_t times the highest (filled) and the lowest (open) vᵀHv over unit vectors of each "
        f"space, at typical points. {_BARS}A larger space reaches further by chance: compare with "
        "random spaces of the same dimension (grey), not tangent with normal.",
        traces=extremes,
        needs=("summary/random/tangent_highest",),
    ),
)
