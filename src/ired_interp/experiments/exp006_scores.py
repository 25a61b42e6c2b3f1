"""EXP-006: the score field, collected over noise and problems, and its spectrum beside chance."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import xarray as xr

from ired_interp.energy.mlp import EnergyMLP
from ired_interp.errors import ConfigError
from ired_interp.experiments.exp006_charts import CHARTS
from ired_interp.experiments.exp006_config import Exp006Config, chosen_components, fill_in
from ired_interp.experiments.exp006_hypotheses import HYPOTHESES
from ired_interp.experiments.exp006_page import NEEDED, listing, page
from ired_interp.experiments.exp006_summary import summary
from ired_interp.experiments.exp006_unit import bytes_a_problem, measure_problems
from ired_interp.experiments.exp006_variables import DEFINITIONS, MAY_BE_MISSING
from ired_interp.experiments.hypothesis import Hypothesis
from ired_interp.experiments.of_models import OfModels, Part, one_problem, parts_of
from ired_interp.experiments.page import Definition
from ired_interp.experiments.subjects import open_planned
from ired_interp.landscape import DEFAULT_MAX_BYTES
from ired_interp.tasks import Task

__all__ = ["Exp006", "Exp006Config"]


def _complete(config: Exp006Config, task: Task) -> Exp006Config:
    """With the number of components, and what the scale stands for."""
    full = fill_in(config)
    return replace(full, components=chosen_components(full, task.dim_y))


def _measure(model: EnergyMLP, task: Task, config: Exp006Config, part: Part) -> xr.Dataset:
    found = measure_problems(model, task, config, part.first, part.count, answers=part.of_model)
    components = chosen_components(config, task.dim_y)
    return found.assign_attrs(components=components, noise_draws=config.noise or 0)


_WORK = OfModels(_complete, parts_of, _measure, summary)


class Exp006:
    """The experiment; it has no state."""

    name = "exp006"
    title = "The score field: its spectrum, its directions and what they do"
    Config = Exp006Config
    hypotheses: Sequence[Hypothesis] = HYPOTHESES
    figures = CHARTS
    definitions: Mapping[str, Definition] = DEFINITIONS
    needs: Sequence[str] = NEEDED
    may_be_missing: Sequence[str] = MAY_BE_MISSING

    plan, check_here = _WORK.plan, _WORK.check_here
    units, run_unit = _WORK.units, _WORK.run_unit
    summarise = _WORK.summarise
    page, listing = staticmethod(page), staticmethod(listing)

    def fit(self, config: Exp006Config, max_memory: int) -> Exp006Config:
        """As many problems a unit as let a process grow by that many bytes at most."""
        dim_y = open_planned(config).model.dim_y
        each = bytes_a_problem(config, dim_y)
        work = 2 * DEFAULT_MAX_BYTES
        most = (max_memory - work) // each
        if most < 1:
            raise ConfigError(
                f"--max-memory: expected at least {(work + each) / 2**20:.0f}M, which a unit of "
                f"one problem may take at d = {dim_y} and {config.noise} noise draws, found "
                f"{max_memory / 2**20:.0f}M."
            )
        return replace(config, unit_problems=min(config.unit_problems, most))

    def smallest(self, config: Exp006Config) -> Exp006Config:
        """One problem at one level, with one draw of each control."""
        return one_problem(fill_in(config), random_draws=1)
