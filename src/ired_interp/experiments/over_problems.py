"""Means over problems with their intervals, as summaries of experiments hold them."""

from collections.abc import Iterable, Mapping, Sequence
from types import EllipsisType
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from ired_interp.stats import bootstrap_means

__all__ = ["STATISTICS", "mean_variable", "statistics", "summarised"]

STATISTICS = ("mean", "low", "high", "count")
"""The last axis of every mean: with its BCa interval, and over how many problems it is."""


def statistics(
    values: xr.DataArray, dims: Sequence[str | EllipsisType] = (...,)
) -> npt.NDArray[np.float64]:
    """Mean over problems with its interval and count, as a last axis after ``dims``.

    The problem is the unit of replication: draws of a control are averaged first. Problems at which
    a number is not defined are left out and not counted.
    """
    if "draw" in values.dims:
        values = values.mean("draw")
    found = bootstrap_means(values.transpose(*dims, "problem").values, seed=0)
    return np.stack([found.mean, found.low, found.high, found.count], axis=-1)


def mean_variable(values: xr.DataArray, axes: Sequence[str], units: str, what: str) -> Any:
    """A variable of a summary: the means, on those of the axes that the values have.

    Args:
        values: With a dimension ``problem``.
        axes: In the order in which they are stored.
        units: Of the values.
        what: The number in words.
    """
    dims = tuple(dim for dim in axes if dim in values.dims)
    table = statistics(values.astype(float), dims)
    return (*dims, "statistic"), table, {"units": units, "long_name": f"mean over problems: {what}"}


def summarised(
    data: xr.Dataset,
    variables: Mapping[str, Any],
    coords: Iterable[str],
    attrs: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """A summary of those variables, with the coordinates that it shares with the data."""
    return xr.Dataset(
        dict(variables),
        coords={name: data[name] for name in coords} | {"statistic": list(STATISTICS)},
        attrs={"confidence": 0.95, "unit_of_replication": "problem"} | dict(attrs or {}),
    )
