"""EXP-002: slices of the landscape, its minima, the barriers between them and the solver's path."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import xarray as xr

from ired_interp.energy.mlp import EnergyMLP
from ired_interp.errors import ConfigError
from ired_interp.experiments.exp002_charts import CHARTS
from ired_interp.experiments.exp002_config import Exp002Config, fill_in
from ired_interp.experiments.exp002_hypotheses import HYPOTHESES
from ired_interp.experiments.exp002_page import NEEDED, listing, page
from ired_interp.experiments.exp002_planes import slice_problem
from ired_interp.experiments.exp002_summary import summary
from ired_interp.experiments.exp002_unit import measure_problems
from ired_interp.experiments.exp002_variables import DEFINITIONS, MAY_BE_MISSING, SLICES
from ired_interp.experiments.hypothesis import Hypothesis
from ired_interp.experiments.of_models import OfModels, Part, one_problem, parts_of
from ired_interp.experiments.page import Definition
from ired_interp.tasks import Task

__all__ = ["Exp002", "Exp002Config"]

_LEAST_SIDE = 2
_SMALL = {"slices": 1, "grid": 11, "starts": 4, "chords": 2, "images": 5, "walks": 20}


def _complete(config: Exp002Config, task: Task) -> Exp002Config:
    """With what the scale stands for, and the rank where the answer is cut.

    That is the rank that was asked for, or the task's inner rank, or half the side.
    """
    if task.size < _LEAST_SIDE or task.size**2 != task.dim_y:
        raise ConfigError(
            f"task: expected answers that are matrices of side ≥ {_LEAST_SIDE}, found "
            f"{task.name!r} with {task.dim_y} entries at size {task.size}."
        )
    inner = task.options().get("rank")
    usual = inner if isinstance(inner, int) and inner < task.size else task.size // 2
    rank = usual if config.rank is None else config.rank
    if not 1 <= rank < task.size:
        raise ConfigError(
            f"rank: expected 1 … {task.size - 1}, below the side of the answer, found {rank}."
        )
    return replace(fill_in(config), rank=rank)


def _parts(config: Exp002Config) -> list[Part]:
    """Problems of the model and its controls, and one part a sliced problem."""
    return parts_of(config) + [Part(f"{SLICES}/{i}", i, 1) for i in range(config.slices or 0)]


def _measure(model: EnergyMLP, task: Task, config: Exp002Config, part: Part) -> xr.Dataset:
    if part.group.startswith(SLICES):
        return slice_problem(model, task, config, part.first)
    return measure_problems(model, task, config, part.first, part.count, answers=part.of_model)


_WORK = OfModels(_complete, _parts, _measure, summary)


class Exp002:
    """The experiment; it has no state."""

    name = "exp002"
    title = "Slices of the landscape, its minima, and the solver’s path through it"
    Config = Exp002Config
    hypotheses: Sequence[Hypothesis] = HYPOTHESES
    figures = CHARTS
    definitions: Mapping[str, Definition] = DEFINITIONS
    needs: Sequence[str] = NEEDED
    may_be_missing: Sequence[str] = MAY_BE_MISSING

    plan, check_here = _WORK.plan, _WORK.check_here
    units, run_unit = _WORK.units, _WORK.run_unit
    summarise = _WORK.summarise
    page, listing = staticmethod(page), staticmethod(listing)

    def smallest(self, config: Exp002Config) -> Exp002Config:
        """One problem at one level, with a small grid."""
        full = fill_in(config)
        small = {name: min(most, getattr(full, name)) for name, most in _SMALL.items()}
        return one_problem(full, **small)
