"""Statistics of EXP-007 over problems, which the figures and tables show."""

import xarray as xr

from ired_interp.experiments.exp007_variables import UNITS
from ired_interp.experiments.over_problems import mean_variable, summarised

__all__ = ["summary"]

_AXES = ("step", "rule", "level")


def summary(data: xr.Dataset) -> xr.Dataset:
    """Means over problems with BCa bootstrap intervals, of every number that a problem has."""
    names = [name for name in UNITS if name in data]
    variables = {name: mean_variable(data[name], _AXES, UNITS[name], name) for name in names}
    return summarised(data, variables, ("level", "timestep", "sigma", "step", "rule"))
