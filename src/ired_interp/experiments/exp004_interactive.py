"""The moves of EXP-004 in a browser: energy against any distance, a level at a time."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from ired_interp.experiments.base import Theme
from ired_interp.experiments.exp004.distances import AFFINE, FROBENIUS, GRASSMANN
from ired_interp.experiments.exp004.measure import GROWING, SWEEPS
from ired_interp.experiments.interactive import Interactive, axis, label, rounded

__all__ = ["SWEEP_WORDS", "cloud_of", "interactive_clouds", "problem_of"]

SWEEP_WORDS = {sweep: "growing ‖δ‖" if sweep == GROWING else "one ‖δ‖" for sweep in SWEEPS}
"""What is said of each sweep."""

_UNITS = {GRASSMANN: "rad", FROBENIUS: "y", AFFINE: "1"}
_SYMBOLS = ("circle", "triangle-up", "square", "diamond", "triangle-down", "x")


def problem_of(results: xr.DataTree) -> xr.Dataset:
    """The first problem, whose moves are shown, from the noisiest level on."""
    return results.to_dataset().sortby("level").isel(problem=0)


def cloud_of(
    here: xr.Dataset, metric: str, kind: str
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Distances and rises of the energy of the moves of a kind, at one level in one sweep."""
    rise = here["energy"] - here["base_energy"]
    one = (here["kind_of_move"] == kind).values
    return here["distance"].sel(metric=metric).values[one], rise.values[one]


def interactive_clouds(results: xr.DataTree, theme: Theme) -> Interactive:
    """Energy above that of the base against a distance, every move of the first problem."""
    root = problem_of(results)
    known = [str(name) for name in root["metric"].values]
    metrics = [name for name in (GRASSMANN, FROBENIUS, AFFINE) if name in known]
    kinds = [str(kind) for kind in root["kind"].values]
    pairs = [(metric, sweep) for metric in metrics for sweep in SWEEPS]
    levels, sigma = root["level"].values, root["sigma"].values
    values = [
        [
            [
                dict(zip("xy", map(rounded, cloud_of(here, metric, kind)), strict=True))
                for kind in kinds
            ]
            for here in (root.isel(level=i).sel(sweep=sweep) for i in range(len(levels)))
        ]
        for metric, sweep in pairs
    ]
    changes = [
        [{"xaxis": axis(f"{metric} distance, {_UNITS[metric]}", rangemode="tozero")}] * len(levels)
        for metric, _ in pairs
    ]
    return Interactive(
        caption=(
            "Every move of the first problem at any level and by any of the distances. The axes "
            "follow the points. Under the pointer: the kind of move, its distance and by how much "
            "the energy rises."
        ),
        slider="level k",
        positions=[f"k = {k}, σ = {s:.2f}" for k, s in zip(levels, sigma, strict=True)],
        choice="distance, moves",
        choices=[f"{metric}, {SWEEP_WORDS[sweep]}" for metric, sweep in pairs],
        traces=_traces(kinds, theme),
        values=values,
        layout={"yaxis": axis("E − E(base), energy"), "hovermode": "closest"},
        changes=changes,
    )


def _traces(kinds: Sequence[str], theme: Theme) -> list[dict[str, Any]]:
    colors = (theme.model, theme.control, theme.ink)
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": label(kind),
            "marker": {"color": colors[i % 3], "size": 7, "symbol": _SYMBOLS[i], "opacity": 0.85},
            "hovertemplate": f"{label(kind)}<br>distance %{{x:.4g}}<br>rise %{{y:.4g}} energy"
            "<extra></extra>",
        }
        for i, kind in enumerate(kinds)
    ]
