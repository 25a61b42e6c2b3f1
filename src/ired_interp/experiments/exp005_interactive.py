"""The curvatures of EXP-005 in a browser: normal against tangent, a mark a problem."""

from collections.abc import Mapping, Sequence
from typing import Any

import xarray as xr

from ired_interp.experiments.base import Theme
from ired_interp.experiments.exp005.measure import PLACES
from ired_interp.experiments.interactive import Interactive, axis, label, rounded

__all__ = ["PLACE_WORDS", "interactive_curvatures"]

PLACE_WORDS = {
    "typical": "typical points",
    "trajectory": "on the trajectory",
    "base": "where the split is stated",
}
"""What is said of each place."""


def interactive_curvatures(results: xr.DataTree, theme: Theme) -> Interactive:
    """Mean normal against mean tangent curvature of each problem, at one level."""
    root = results.to_dataset().sortby("level")
    looks = [("model", root, theme.model, "circle")]
    if "controls" in results.children and "untrained" in results["controls"].children:
        first = results["controls/untrained"].to_dataset().sortby("level").isel(draw=0)
        looks.append(("untrained weights, first draw", first, theme.control, "square"))
    spaces = [str(name) for name in root["space"].values]
    pairs = [(space, place) for space in spaces for place in PLACES]
    levels, sigma = root["level"].values, root["sigma"].values
    values = [
        [
            [
                *(
                    _values(data.isel(level=i).sel(space=space, place=place))
                    for _, data, *_ in looks
                ),
                {},
            ]
            for i in range(len(levels))
        ]
        for space, place in pairs
    ]
    return Interactive(
        caption=(
            "The same of each problem by itself: a mark above the dashed line has more curvature "
            "in normal than in tangent directions. The axes follow the marks. Under the pointer: "
            "both mean curvatures, σκ, which have no unit."
        ),
        slider="level k",
        positions=[f"k = {k}, σ = {s:.2f}" for k, s in zip(levels, sigma, strict=True)],
        choice="split, points",
        choices=[f"{space}, {PLACE_WORDS[place]}" for space, place in pairs],
        traces=[
            *(_trace(name, root, color, symbol) for name, _, color, symbol in looks),
            {
                "type": "scatter",
                "mode": "markers",
                "name": "ideal of a determined answer",
                "x": [1],
                "y": [1],
                "marker": {"color": theme.ideal, "size": 12, "symbol": "cross-thin", "line": _THIN},
                "hovertemplate": "ideal: 1, 1<extra></extra>",
            },
        ],
        values=values,
        layout={"hovermode": "closest"},
        changes=[[_change(place) for place in choice] for choice in values],
    )


_THIN = {"color": "var(--fig-ideal)", "width": 2}
_MARGIN = 0.08


def _change(values: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Both axes alike, as far as the marks go, and the line on which both curvatures are equal."""
    drawn = [number for one in values for key in ("x", "y") for number in one.get(key, [])]
    there = [1.0, *(number for number in drawn if number is not None)]
    margin = _MARGIN * (max(there) - min(there)) or _MARGIN
    low, high = min(there) - margin, max(there) + margin
    line = {"color": "var(--fig-muted)", "width": 1, "dash": "dash"}
    return {
        "xaxis": axis("mean tangent σκ", range=[low, high]),
        "yaxis": axis("mean normal σκ", range=[low, high]),
        "shapes": [{"type": "line", "x0": low, "y0": low, "x1": high, "y1": high, "line": line}],
    }


def _trace(name: str, root: xr.Dataset, color: str, symbol: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": label(name),
        "marker": {"color": color, "size": 9, "symbol": symbol, "opacity": 0.85},
        "text": [str(int(number)) for number in root["problem"].values],
        "hovertemplate": "problem %{text}<br>tangent %{x:.4g}<br>normal %{y:.4g}<extra></extra>",
    }


def _values(here: xr.Dataset) -> dict[str, Any]:
    return {
        "x": rounded(here["tangent_curvature"].values),
        "y": rounded(here["normal_curvature"].values),
    }
