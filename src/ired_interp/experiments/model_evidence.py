"""Evidence from runs of a model beside untrained ones: one statistic, of the model and each draw.

What the statistic is belongs to an experiment. That it is taken of the model and of every draw of
untrained weights in the same way, and that draws stay draws, belongs here: averaged first, they
would say nothing of how much such networks differ (docs/statistics.md).
"""

from collections.abc import Callable
from typing import Final

import numpy as np
import xarray as xr

from ired_interp.experiments.hypothesis import Evidence
from ired_interp.experiments.subjects import UNTRAINED
from ired_interp.stats import FloatArray

__all__ = [
    "SAME_NETWORK",
    "Reduced",
    "beside_untrained",
    "left_out",
    "over_levels",
    "resolution_of",
    "rows",
    "untrained_data",
]

SAME_NETWORK: Final = "the same network with untrained weights, at the same problems"
"""What the control is, in words."""

Reduced = Callable[[xr.Dataset], FloatArray]
"""A statistic: the data of one network → one number a problem, [n]."""


def beside_untrained(
    results: xr.DataTree, of: Reduced, *, null: float | FloatArray, note: str
) -> Evidence:
    """The statistic of the model, and of each draw of untrained weights where the run has any.

    Args:
        results: Of a run, the model's at its root.
        of: The statistic; dimensionless and of order 1 where there is an effect: what is closer
            than the square root of the dtype's eps is the same.
        null: As `Evidence` has it.
        note: Likewise.
    """
    root = results.to_dataset()
    return Evidence(
        effect=of(root),
        null=null,
        control=_of_draws(results, of),
        resolution=resolution_of(root),
        unit="1",
        note=note,
    )


def resolution_of(data: xr.Dataset) -> float:
    """√eps of the dtype of what was asked, in which a run computes; of float64 without that."""
    dtype = data["x"].dtype if "x" in data else np.dtype(np.float64)
    return float(np.finfo(dtype).eps ** 0.5)


def over_levels(results: xr.DataTree | xr.Dataset) -> str:
    """Over how many levels a number of a problem is taken, in words."""
    num = results.sizes["level"]
    return f"over {num} level{'s' * (num != 1)}"


def left_out(missing: xr.DataArray, of_untrained: xr.DataArray | None) -> str:
    """How many levels of problems have no number and are left out of the means; empty if none.

    Args:
        missing: True where the model has none, (problem, level).
        of_untrained: Likewise of all draws of untrained weights; None without any.
    """
    cases = [("", missing)]
    if of_untrained is not None:
        cases.append((" with untrained weights", of_untrained))
    said = [
        f"{int(one.sum())} of {one.size} levels of problems{where}"
        for where, one in cases
        if bool(one.any())
    ]
    return f"; without a number, and left out: {' and '.join(said)}" if said else ""


def untrained_data(results: xr.DataTree) -> xr.Dataset | None:
    """All draws of untrained weights; None without any."""
    group, name = UNTRAINED.split("/")
    if group not in results.children or name not in results[group].children:
        return None
    return results[UNTRAINED].to_dataset()


def rows(values: xr.DataArray, *last: str) -> FloatArray:
    """As numbers, the problem as the first axis."""
    return np.asarray(values.transpose("problem", *last).values, dtype=np.float64)


def _of_draws(results: xr.DataTree, of: Reduced) -> FloatArray | None:
    """[draws, n]; None without draws."""
    untrained = untrained_data(results)
    if untrained is None:
        return None
    return np.stack([of(untrained.isel(draw=i)) for i in range(untrained.sizes["draw"])])
