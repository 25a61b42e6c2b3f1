"""Statistics of EXP-002 over problems, which the figures and tables show."""

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from ired_interp.experiments.exp002_variables import MEASURED
from ired_interp.stats import bootstrap_mean

__all__ = ["STATISTICS", "summary"]

STATISTICS = ("mean", "low", "high", "count")


def summary(data: xr.Dataset) -> xr.Dataset:
    """Means over problems with BCa bootstrap intervals, of every number that was measured.

    The problem is the unit of replication: draws of weights are averaged first.
    """
    variables: dict[str, Any] = {}
    for name, variable in MEASURED.items():
        values = data[name].astype(float)
        if variable.count:
            values = values.where(values >= 0)
        dims = ("level",) if variable.levels else ()
        variables[name] = (
            (*dims, "statistic"),
            _statistics(values, dims),
            {"units": variable.unit, "long_name": f"mean over problems: {name}"},
        )
    coords = {name: data[name] for name in ("level", "timestep", "sigma")}
    return xr.Dataset(
        variables,
        coords=coords | {"statistic": list(STATISTICS)},
        attrs={"confidence": 0.95, "unit_of_replication": "problem"},
    )


def _statistics(values: xr.DataArray, dims: tuple[str, ...]) -> npt.NDArray[np.float64]:
    if "draw" in values.dims:
        values = values.mean("draw")
    table = values.transpose(*dims, "problem").values
    out = np.empty((*table.shape[:-1], len(STATISTICS)))
    for place in np.ndindex(table.shape[:-1]):
        interval = bootstrap_mean(table[place], seed=0)
        out[place] = interval.mean, interval.low, interval.high, interval.count
    return out
