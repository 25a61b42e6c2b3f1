"""Statistics of EXP-004 over problems, which the figures and tables show."""

from typing import Any

import numpy as np
import xarray as xr

from ired_interp.experiments.exp004_variables import MEASURED, UNITS
from ired_interp.stats import bootstrap_mean

__all__ = ["STATISTICS", "summary"]

STATISTICS = ("mean", "low", "high", "count")
_AXES = ("level", "sweep", "metric", "kind")


def summary(data: xr.Dataset) -> xr.Dataset:
    """Means over problems with BCa bootstrap intervals, of every number that a problem has.

    The problem is the unit of replication: draws of weights are averaged first. Problems at which a
    number is not defined are left out and not counted.
    """
    variables: dict[str, Any] = {}
    for name in MEASURED:
        values = data[name].astype(float)
        if "draw" in values.dims:
            values = values.mean("draw")
        dims = tuple(dim for dim in _AXES if dim in values.dims)
        table = values.transpose(*dims, "problem").values
        out = np.empty((*table.shape[:-1], len(STATISTICS)))
        for place in np.ndindex(table.shape[:-1]):
            interval = bootstrap_mean(table[place], seed=0)
            out[place] = interval.mean, interval.low, interval.high, interval.count
        attrs = {"units": UNITS[name], "long_name": f"mean over problems: {name}"}
        variables[name] = ((*dims, "statistic"), out, attrs)
    coords = {
        name: data[name] for name in ("level", "timestep", "sigma", "sweep", "metric", "kind")
    }
    return xr.Dataset(
        variables,
        coords=coords | {"statistic": list(STATISTICS)},
        attrs={"confidence": 0.95, "unit_of_replication": "problem"},
    )
