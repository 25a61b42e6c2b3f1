"""Statistics of EXP-011 over problems, which the figures and tables show."""

import xarray as xr

from ired_interp.experiments.exp011_variables import UNITS
from ired_interp.experiments.over_problems import mean_variable, summarised

__all__ = ["summary"]

_AXES = ("arm", "level")


def summary(data: xr.Dataset) -> xr.Dataset:
    """Means over problems with BCa bootstrap intervals, of every number that a problem has."""
    variables = {name: mean_variable(data[name], _AXES, UNITS[name], name) for name in UNITS}
    return summarised(data, variables, ("level", "timestep", "sigma", "arm"))
