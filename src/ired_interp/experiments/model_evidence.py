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

__all__ = ["SAME_NETWORK", "Reduced", "beside_untrained", "over_levels", "rows"]

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
        of: The statistic; dimensionless.
        null: As `Evidence` has it.
        note: Likewise.
    """
    return Evidence(
        effect=of(results.to_dataset()),
        null=null,
        control=_of_draws(results, of),
        unit="1",
        note=note,
    )


def over_levels(results: xr.DataTree | xr.Dataset) -> str:
    """Over how many levels a number of a problem is taken, in words."""
    num = results.sizes["level"]
    return f"over {num} level{'s' * (num != 1)}"


def rows(values: xr.DataArray, *last: str) -> FloatArray:
    """As numbers, the problem as the first axis."""
    return np.asarray(values.transpose("problem", *last).values, dtype=np.float64)


def _of_draws(results: xr.DataTree, of: Reduced) -> FloatArray | None:
    """[draws, n]; None without draws."""
    group, name = UNTRAINED.split("/")
    if group not in results.children or name not in results[group].children:
        return None
    untrained = results[UNTRAINED].to_dataset()
    return np.stack([of(untrained.isel(draw=i)) for i in range(untrained.sizes["draw"])])
