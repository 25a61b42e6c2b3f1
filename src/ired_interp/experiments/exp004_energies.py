"""EXP-004: energy against distance, at growing and at fixed length of the move."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import xarray as xr

from ired_interp.energy.mlp import EnergyMLP
from ired_interp.experiments.exp004_charts import CHARTS
from ired_interp.experiments.exp004_config import Exp004Config, fill_in
from ired_interp.experiments.exp004_hypotheses import HYPOTHESES
from ired_interp.experiments.exp004_moves import chosen_base, chosen_rank
from ired_interp.experiments.exp004_page import NEEDED, listing, page
from ired_interp.experiments.exp004_summary import summary
from ired_interp.experiments.exp004_unit import measure_problems
from ired_interp.experiments.exp004_variables import DEFINITIONS, MAY_BE_MISSING, SHARED
from ired_interp.experiments.hypothesis import Hypothesis
from ired_interp.experiments.of_models import OfModels, Part, one_problem, parts_of
from ired_interp.experiments.page import Definition
from ired_interp.tasks import Task

__all__ = ["Exp004", "Exp004Config"]


def _complete(config: Exp004Config, task: Task) -> Exp004Config:
    """With base and rank, and what the scale stands for."""
    base = chosen_base(task, config.base)
    return replace(fill_in(config), base=base, rank=chosen_rank(task, config.rank, base))


def _measure(model: EnergyMLP, task: Task, config: Exp004Config, part: Part) -> xr.Dataset:
    found = measure_problems(model, task, config, part.first, part.count, answers=part.of_model)
    return found if part.of_model else found.drop_vars(SHARED, errors="ignore")


_WORK = OfModels(_complete, parts_of, _measure, summary)


class Exp004:
    """The experiment; it has no state."""

    name = "exp004"
    title = "Energy against distance"
    Config = Exp004Config
    hypotheses: Sequence[Hypothesis] = HYPOTHESES
    figures = CHARTS
    definitions: Mapping[str, Definition] = DEFINITIONS
    needs: Sequence[str] = NEEDED
    may_be_missing: Sequence[str] = MAY_BE_MISSING

    plan, check_here = _WORK.plan, _WORK.check_here
    units, run_unit = _WORK.units, _WORK.run_unit
    summarise = _WORK.summarise
    page, listing = staticmethod(page), staticmethod(listing)

    def smallest(self, config: Exp004Config) -> Exp004Config:
        """One problem at one level, with one draw of the control."""
        return one_problem(fill_in(config))
