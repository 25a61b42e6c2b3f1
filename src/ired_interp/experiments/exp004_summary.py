"""Statistics of EXP-004 over problems, which the figures and tables show."""

import xarray as xr

from ired_interp.experiments.exp004_variables import MEASURED, UNITS
from ired_interp.experiments.over_problems import mean_variable, summarised

__all__ = ["summary"]

_AXES = ("level", "sweep", "metric", "kind")


def summary(data: xr.Dataset) -> xr.Dataset:
    """Means over problems with BCa bootstrap intervals, of every number that a problem has."""
    variables = {name: mean_variable(data[name], _AXES, UNITS[name], name) for name in MEASURED}
    return summarised(data, variables, ("level", "timestep", "sigma", "sweep", "metric", "kind"))
