"""Statistics of EXP-005 over problems, which the figures and tables show."""

import xarray as xr

from ired_interp.experiments.exp005_variables import MEASURED, RIEMANNIAN, UNITS
from ired_interp.experiments.over_problems import mean_variable, summarised

__all__ = ["summary"]

_AXES = ("level", "place", "space")


def summary(data: xr.Dataset) -> xr.Dataset:
    """Means over problems with BCa bootstrap intervals, of every number that was measured."""
    names = [name for name in (*MEASURED, *RIEMANNIAN, "bayes_bound") if name in data]
    variables = {name: mean_variable(data[name], _AXES, UNITS[name], name) for name in names}
    return summarised(data, variables, ("level", "timestep", "sigma", "place", "space"))
