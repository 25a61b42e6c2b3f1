"""The curvature of EXP-007 in a browser: a level at a time, every checkpoint under the pointer."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from ired_interp.experiments.base import Theme
from ired_interp.experiments.interactive import Interactive, axis, label, rounded

__all__ = ["QUANTITIES", "interactive_training"]

QUANTITIES: Mapping[str, tuple[str, float]] = {
    "curvature": ("mean σλ", 1.0),
    "off_ideal": ("rms of σλ − 1", 0.0),
    "split_ratio": ("log normal/tangent", 0.0),
}
"""What is measured at each level, with its label and its ideal where the answer is determined."""

_LOOKS = (("model", "model"), ("untrained", "untrained weights"))
_MARGIN = 0.06


def interactive_training(results: xr.DataTree, theme: Theme) -> Interactive:
    """Each quantity along training at one level, of the model and of untrained weights."""
    groups = results["summary"].children
    cases = [
        (name, groups[group].to_dataset().sortby("level").sortby("step"))
        for group, name in _LOOKS
        if group in groups
    ]
    model = cases[0][1]
    levels, sigma = model["level"].values, results.to_dataset().sortby("level")["sigma"].values
    steps = model["step"].values.tolist()
    traces = [_ideal(steps, theme)] + [
        _trace(name, steps, color, symbol)
        for (name, _), color, symbol in zip(
            cases, (theme.model, theme.control), ("circle", "square"), strict=False
        )
    ]
    return Interactive(
        caption=(
            "Every level by itself, with each checkpoint; the axes stay while the slider moves. "
            "Dashed: the ideal where the answer is determined. Bars are 95 % bootstrap intervals "
            "over problems; under the pointer: the step, the mean and its interval, none of which "
            "has a unit."
        ),
        slider="level k",
        positions=[f"k = {k}, σ = {s:.2f}" for k, s in zip(levels, sigma, strict=True)],
        choice="quantity",
        choices=[text for text, _ in QUANTITIES.values()],
        traces=traces,
        values=[
            [
                [{"y": [ideal] * len(steps)}]
                + [_values(data[name].isel(level=i)) for _, data in cases]
                for i in range(len(levels))
            ]
            for name, (_, ideal) in QUANTITIES.items()
        ],
        layout={
            "xaxis": axis("training step", type="log", dtick=1),
            "hovermode": "closest",
        },
        changes=[
            [{"yaxis": axis(text, range=_range([d[name] for _, d in cases], ideal))}] * len(levels)
            for name, (text, ideal) in QUANTITIES.items()
        ],
    )


def _ideal(steps: list[int], theme: Theme) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "ideal if determined",
        "x": steps,
        "line": {"color": theme.ideal, "width": 1.4, "dash": "dash"},
        "hoverinfo": "skip",
    }


def _trace(name: str, steps: list[int], color: str, symbol: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": label(name),
        "x": steps,
        "line": {"color": color, "width": 1.6},
        "marker": {"color": color, "size": 8, "symbol": symbol},
        "hovertemplate": (
            f"{label(name)}, step %{{x}}<br>%{{y:.4g}} [%{{customdata[0]:.4g}}, "
            "%{customdata[1]:.4g}]<extra></extra>"
        ),
    }


def _values(statistics: xr.DataArray) -> dict[str, Any]:
    mean, low, high = (statistics.sel(statistic=name).values for name in ("mean", "low", "high"))
    return {
        "y": rounded(mean),
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": rounded(high - mean),
            "arrayminus": rounded(mean - low),
            "thickness": 1,
            "width": 3,
        },
        "customdata": rounded(np.stack([low, high], axis=-1)),
    }


def _range(drawn: list[xr.DataArray], ideal: float) -> list[float]:
    """Of all levels, so that they can be compared."""
    ends = [one.sel(statistic=["mean", "low", "high"]).values.ravel() for one in drawn]
    values = np.concatenate([*ends, [ideal]])
    there = values[np.isfinite(values)]
    margin = _MARGIN * float(there.max() - there.min()) or _MARGIN
    found: list[float] = rounded([there.min() - margin, there.max() + margin])
    return found
