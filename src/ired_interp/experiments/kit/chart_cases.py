"""The cases of a run as every chart shows them, and the axes that charts share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import xarray as xr

from ired_interp.experiments.kit.drawn import Axis
from ired_interp.experiments.kit.traces import Color, Marker, Numbers

__all__ = [
    "Case",
    "cases_of",
    "interval_of",
    "level_axis",
    "level_places",
    "margins",
    "outlier_axis",
    "raw_cases_of",
    "spread",
]

# Values beyond this make an axis of numbers of order 1 logarithmic.
_FAR = 5.0
_UNTRAINED = "controls/untrained"


@dataclass(frozen=True)
class Case:
    """One network at the same problems, and its look in every chart.

    Attributes:
        group: Its name in the results.
        label: In words.
        color: Its role.
        marker: Of its points.
        data: Its numbers.
        shift: By how much its points stand beside their place, in steps of the axis.
    """

    group: str
    label: str
    color: Color
    marker: Marker
    data: xr.Dataset
    shift: float = 0.0


_LOOKS: Sequence[tuple[str, str, Color, Marker]] = (
    ("model", "model", "model", "circle"),
    ("untrained", "untrained weights", "control", "square"),
    ("shuffled", "shuffled answers", "shuffled", "diamond"),
    ("random", "random directions", "muted", "triangle-up"),
)
_APART = 0.12


def cases_of(
    results: xr.DataTree,
    by: str,
    *groups: str,
    called: Mapping[str, str] = MappingProxyType({}),
) -> list[Case]:
    """The summaries that the run has, the model's first.

    Args:
        results: Of a run.
        by: A dimension, by which they are put in order where they have it.
        groups: Their names, if not all that there are.
        called: What is said of some of them, by name, instead of the usual.
    """
    there = results["summary"].children
    looks = [one for one in _LOOKS if one[0] in there and (not groups or one[0] in groups)]
    return [
        Case(
            name,
            called.get(name, label),
            color,
            marker,
            _sorted(there[name].to_dataset(), by),
            _APART * (i - (len(looks) - 1) / 2),
        )
        for i, (name, label, color, marker) in enumerate(looks)
    ]


def raw_cases_of(results: xr.DataTree) -> list[Case]:
    """Numbers problem by problem: the model's, and those of the first untrained draw."""
    found = [Case("/", "model", "model", "circle", _sorted(results.to_dataset(), "level"))]
    groups = results["controls"].children if "controls" in results.children else {}
    if "untrained" in groups:
        first = _sorted(groups["untrained"].to_dataset(), "level").isel(draw=0)
        label = "untrained weights, first draw"
        found.append(Case(_UNTRAINED, label, "control", "square", first))
    return found


def interval_of(statistics: xr.DataArray) -> tuple[Numbers, Numbers, Numbers]:
    """Means, lower and upper ends."""
    mean, low, high = (statistics.sel(statistic=s).values for s in ("mean", "low", "high"))
    return mean, low, high


def level_axis(root: xr.Dataset, *, sigma_every: int = 1) -> Axis:
    """The levels, with σ under every so many of them."""
    levels, sigma = root["level"].values, root["sigma"].values
    order = np.argsort(levels)
    ticks = {
        float(levels[i]): f"{levels[i]}\n{sigma[i]:.2f}" if n % sigma_every == 0 else f"{levels[i]}"
        for n, i in enumerate(order)
    }
    low, high = float(levels.min()) - 0.6, float(levels.max()) + 0.6
    return Axis(label="level k, σ below it", low=low, high=high, ticks=ticks)


def level_places(root: xr.Dataset) -> list[str]:
    """What a slider over levels says at each, from the noisiest on."""
    root = root.sortby("level")
    pairs = zip(root["level"].values, root["sigma"].values, strict=True)
    return [f"k = {level}, σ = {sigma:.2f}" for level, sigma in pairs]


def outlier_axis(label: str, drawn: Sequence[Numbers]) -> Axis:
    """An axis up that is logarithmic beyond ±1 if numbers of order 1 have outliers."""
    if not any(bool(np.any(np.abs(values) > _FAR)) for values in drawn):
        return Axis(label=label)
    words = f"{label},  linear up to ±1, then logarithmic"
    return Axis(label=words, scale="symlog", linear_to=1.0)


def margins(drawn: Sequence[Numbers | float], share: float = 0.06) -> tuple[float, float]:
    """A range that holds all numbers that there are, with room at both ends."""
    flat = np.concatenate([np.ravel(np.asarray(one, dtype=np.float64)) for one in drawn])
    finite = flat[np.isfinite(flat)]
    if not finite.size:
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    room = share * (high - low) or max(abs(high), 1.0) * share
    return low - room, high + room


def spread(num: int, most: int) -> list[int]:
    """So many places of ``num`` at most, the first and the last among them."""
    return sorted({round(i) for i in np.linspace(0, num - 1, min(num, most))})


def _sorted(data: xr.Dataset, by: str) -> xr.Dataset:
    return data.sortby(by) if by in data.dims else data
