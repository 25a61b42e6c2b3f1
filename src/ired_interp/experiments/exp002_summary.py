"""Statistics of EXP-002 over problems, which the figures and tables show."""

import xarray as xr

from ired_interp.experiments.exp002_variables import MEASURED
from ired_interp.experiments.over_problems import mean_variable, summarised

__all__ = ["summary"]


def summary(data: xr.Dataset) -> xr.Dataset:
    """Means over problems with BCa bootstrap intervals, of every number that was measured."""
    variables = {}
    for name, variable in MEASURED.items():
        values = data[name].where(data[name] >= 0) if variable.count else data[name]
        variables[name] = mean_variable(values, ("level",), variable.unit, name)
    return summarised(data, variables, ("level", "timestep", "sigma"))
