"""The summary of an experiment that has none of its own: means over problems, with their errors."""

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

__all__ = ["STATISTICS", "summarise"]

STATISTICS = ("mean", "standard_error", "count")
_OVER = "problem"


def summarise(results: xr.DataTree) -> dict[str, xr.Dataset]:
    """Mean over ``problem``, its standard error and the count, of every numeric variable.

    What is not finite is left out and not counted. Draws of a control are averaged first, as the
    problem is the unit of replication. Groups without a ``problem`` dimension have no summary.

    Returns:
        By group: ``model`` for the root, and the name of each control.
    """
    groups = {"model": results.to_dataset()}
    if "controls" in results.children:
        groups |= {name: node.to_dataset() for name, node in results["controls"].children.items()}
    return {name: _summary(data) for name, data in groups.items() if _OVER in data.dims}


def _summary(data: xr.Dataset) -> xr.Dataset:
    variables: dict[str, Any] = {}
    for name, values in data.data_vars.items():
        if _OVER not in values.dims or values.dtype.kind not in "biuf":
            continue
        rows = values.astype(float)
        if "draw" in rows.dims:
            rows = rows.mean("draw")
        rows = rows.transpose(..., _OVER)
        attrs = {
            "units": values.attrs.get("units", ""),
            "long_name": f"{values.attrs.get('long_name', name)}: mean over problems",
        }
        variables[str(name)] = ((*rows.dims[:-1], "statistic"), _statistics(rows.values), attrs)
    coords = {
        name: coord
        for name, coord in data.coords.items()
        if _OVER not in coord.dims and "draw" not in coord.dims
    }
    return xr.Dataset(
        variables,
        coords=coords | {"statistic": list(STATISTICS)},
        attrs={"unit_of_replication": _OVER},
    )


def _statistics(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Over the last axis, as a new last axis."""
    there = np.isfinite(rows)
    count = there.sum(axis=-1)
    filled = np.where(there, rows, 0.0)
    mean = np.divide(filled.sum(axis=-1), count, where=count > 0, out=np.full(count.shape, np.nan))
    squares = (np.where(there, rows - mean[..., None], 0.0) ** 2).sum(axis=-1)
    pairs = count * (count - 1)
    variance = np.divide(squares, pairs, where=pairs > 0, out=np.full(count.shape, np.nan))
    return np.stack([mean, np.sqrt(variance), count], axis=-1)
