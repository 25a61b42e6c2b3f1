"""EXP-005: gradient and curvature in tangent and normal directions, level by level."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import xarray as xr

from ired_interp.energy.mlp import EnergyMLP
from ired_interp.experiments.base import FigureSpec, LazyFigures
from ired_interp.experiments.exp005_config import Exp005Config, fill_in
from ired_interp.experiments.exp005_hypotheses import HYPOTHESES, RANDOM
from ired_interp.experiments.exp005_page import NEEDED, listing, page
from ired_interp.experiments.exp005_spaces import chosen_rank
from ired_interp.experiments.exp005_summary import summary
from ired_interp.experiments.exp005_unit import measure_problems, measure_random
from ired_interp.experiments.exp005_variables import DEFINITIONS, MAY_BE_MISSING
from ired_interp.experiments.hypothesis import Hypothesis
from ired_interp.experiments.of_models import OfModels, Part, one_problem, parts_of
from ired_interp.experiments.page import Definition
from ired_interp.experiments.subjects import UNTRAINED
from ired_interp.tasks import Task

__all__ = ["Exp005", "Exp005Config"]


def _complete(config: Exp005Config, task: Task) -> Exp005Config:
    """With the rank, and what the scale stands for."""
    return replace(fill_in(config), rank=chosen_rank(task, config.rank))


def _parts(config: Exp005Config) -> list[Part]:
    """The model, then draws of its weights, then of random splits."""
    return parts_of(config, {UNTRAINED: config.controls or 0, RANDOM: config.random_draws or 0})


def _measure(model: EnergyMLP, task: Task, config: Exp005Config, part: Part) -> xr.Dataset:
    if part.group == RANDOM:
        draw = part.draw or 0
        return measure_random(model, task, config, part.first, part.count, draw=draw)
    return measure_problems(model, task, config, part.first, part.count, answers=part.of_model)


_WORK = OfModels(_complete, _parts, _measure, summary)


class Exp005:
    """The experiment; it has no state."""

    name = "exp005"
    title = "Gradient and curvature in tangent and normal directions"
    Config = Exp005Config
    hypotheses: Sequence[Hypothesis] = HYPOTHESES
    figures: Sequence[FigureSpec] = LazyFigures("ired_interp.experiments.exp005_figures")
    definitions: Mapping[str, Definition] = DEFINITIONS
    needs: Sequence[str] = NEEDED
    may_be_missing: Sequence[str] = MAY_BE_MISSING

    plan, check_here = _WORK.plan, _WORK.check_here
    units, run_unit = _WORK.units, _WORK.run_unit
    summarise = _WORK.summarise
    page, listing = staticmethod(page), staticmethod(listing)

    def smallest(self, config: Exp005Config) -> Exp005Config:
        """One problem at one level, with one draw of each control."""
        return one_problem(fill_in(config), random_draws=1)
