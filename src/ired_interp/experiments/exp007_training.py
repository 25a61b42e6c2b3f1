"""EXP-007: what training does to answers and landscape, over checkpoints of one training."""

from collections.abc import Mapping, Sequence

import xarray as xr

from ired_interp.energy.mlp import EnergyMLP
from ired_interp.experiments.exp007_charts import CHARTS
from ired_interp.experiments.exp007_config import Exp007Config, fill_in, open_series
from ired_interp.experiments.exp007_hypotheses import HYPOTHESES
from ired_interp.experiments.exp007_page import NEEDED, listing, page
from ired_interp.experiments.exp007_summary import summary
from ired_interp.experiments.exp007_unit import measure_problems
from ired_interp.experiments.exp007_variables import DEFINITIONS, MAY_BE_MISSING
from ired_interp.experiments.hypothesis import Hypothesis
from ired_interp.experiments.model_config import DTYPES
from ired_interp.experiments.of_models import OfModels, Part, one_problem, parts_of
from ired_interp.experiments.page import Definition
from ired_interp.experiments.subjects import untrained_control
from ired_interp.tasks import Task

__all__ = ["Exp007", "Exp007Config"]


def _complete(config: Exp007Config, task: Task) -> Exp007Config:  # noqa: ARG001 - of any task
    return fill_in(config)


def _measure(model: EnergyMLP, task: Task, config: Exp007Config, part: Part) -> xr.Dataset:
    if part.of_model:
        dtype = DTYPES[config.dtype]
        before = [one.model.to(config.device, dtype) for one in open_series(config)]
        models = [*before, model]
    else:
        # Draws that no other series has.
        draws = range(len(config.steps))
        offset = (part.draw or 0) * len(draws)
        models = [untrained_control(model, seed=config.seed, draw=offset + i) for i in draws]
    return measure_problems(models, task, config, part.first, part.count, answers=part.of_model)


_WORK = OfModels(_complete, parts_of, _measure, summary)


class Exp007:
    """The experiment; it has no state."""

    name = "exp007"
    title = "What training does to answers and landscape"
    Config = Exp007Config
    hypotheses: Sequence[Hypothesis] = HYPOTHESES
    figures = CHARTS
    definitions: Mapping[str, Definition] = DEFINITIONS
    needs: Sequence[str] = NEEDED
    may_be_missing: Sequence[str] = MAY_BE_MISSING

    plan, check_here = _WORK.plan, _WORK.check_here
    units, run_unit = _WORK.units, _WORK.run_unit
    summarise = _WORK.summarise
    page, listing = staticmethod(page), staticmethod(listing)

    def smallest(self, config: Exp007Config) -> Exp007Config:
        """One problem at one level, with one series of untrained weights."""
        return one_problem(fill_in(config))
