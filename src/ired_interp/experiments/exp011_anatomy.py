"""EXP-011: inference with one part changed at a time, and what each is worth."""

from collections.abc import Mapping, Sequence

import xarray as xr

from ired_interp.energy.mlp import EnergyMLP
from ired_interp.experiments.exp011_charts import CHARTS
from ired_interp.experiments.exp011_config import Exp011Config, fill_in
from ired_interp.experiments.exp011_hypotheses import HYPOTHESES
from ired_interp.experiments.exp011_page import NEEDED, listing, page
from ired_interp.experiments.exp011_summary import summary
from ired_interp.experiments.exp011_unit import measure_problems
from ired_interp.experiments.exp011_variables import DEFINITIONS, MAY_BE_MISSING
from ired_interp.experiments.hypothesis import Hypothesis
from ired_interp.experiments.of_models import OfModels, Part, one_problem, parts_of
from ired_interp.experiments.page import Definition
from ired_interp.tasks import Task

__all__ = ["Exp011", "Exp011Config"]


def _complete(config: Exp011Config, task: Task) -> Exp011Config:  # noqa: ARG001 - of any task
    return fill_in(config)


def _measure(model: EnergyMLP, task: Task, config: Exp011Config, part: Part) -> xr.Dataset:
    return measure_problems(model, task, config, part.first, part.count, answers=part.of_model)


_WORK = OfModels(_complete, parts_of, _measure, summary)


class Exp011:
    """The experiment; it has no state."""

    name = "exp011"
    title = "Anatomy of inference"
    Config = Exp011Config
    hypotheses: Sequence[Hypothesis] = HYPOTHESES
    figures = CHARTS
    definitions: Mapping[str, Definition] = DEFINITIONS
    needs: Sequence[str] = NEEDED
    may_be_missing: Sequence[str] = MAY_BE_MISSING

    plan, check_here = _WORK.plan, _WORK.check_here
    units, run_unit = _WORK.units, _WORK.run_unit
    summarise = _WORK.summarise
    page, listing = staticmethod(page), staticmethod(listing)

    def smallest(self, config: Exp011Config) -> Exp011Config:
        """One problem at one level from two starts, with one draw of the control."""
        return one_problem(fill_in(config), starts=2)
