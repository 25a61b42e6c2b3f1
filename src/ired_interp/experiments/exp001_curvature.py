"""EXP-001: the Hessian eigenspectrum of the energy in y, level by level."""

from collections.abc import Mapping, Sequence
from typing import Any

import xarray as xr

from ired_interp.energy.mlp import EnergyMLP
from ired_interp.experiments.exp001_charts import CHARTS
from ired_interp.experiments.exp001_config import Exp001Config, complete
from ired_interp.experiments.exp001_findings import NEEDED, listing
from ired_interp.experiments.exp001_hypotheses import HYPOTHESES
from ired_interp.experiments.exp001_measures import MEASURES, Measure
from ired_interp.experiments.exp001_memory import fit_problems
from ired_interp.experiments.exp001_page import page
from ired_interp.experiments.exp001_summary import summary
from ired_interp.experiments.exp001_unit import measure_problems
from ired_interp.experiments.exp001_variables import DEFINITIONS, MAY_BE_MISSING
from ired_interp.experiments.of_models import OfModels, Part, parts_of
from ired_interp.experiments.page import Definition
from ired_interp.experiments.subjects import open_planned
from ired_interp.tasks import Task

__all__ = ["MEASURES", "Exp001", "Exp001Config", "Measure"]


def _complete(config: Exp001Config, task: Task) -> Exp001Config:
    return complete(config, task.dim_y)


def _measure(model: EnergyMLP, task: Task, config: Exp001Config, part: Part) -> xr.Dataset:
    asked = config.skill == "yes" and part.of_model
    return measure_problems(model, task, config, part.first, part.count, answers=asked)


_WORK = OfModels(_complete, parts_of, _measure, summary)


class Exp001:
    """The experiment; it has no state."""

    name = "exp001"
    title = "Curvature of the energy in the answer, level by level"
    Config = Exp001Config
    hypotheses: Sequence[Any] = HYPOTHESES
    figures = CHARTS
    definitions: Mapping[str, Definition] = DEFINITIONS
    needs: Sequence[str] = NEEDED
    may_be_missing: Sequence[str] = MAY_BE_MISSING

    plan, check_here = _WORK.plan, _WORK.check_here
    units, run_unit = _WORK.units, _WORK.run_unit
    summarise = _WORK.summarise
    page, listing = staticmethod(page), staticmethod(listing)

    def fit(self, config: Exp001Config, max_memory: int) -> Exp001Config:
        """As many problems a unit as let a process grow by that many bytes at most."""
        model = open_planned(config).model
        return fit_problems(config, max_memory, dim_y=model.dim_y, width=model.width)
