"""EXP-002: slices of the landscape, its minima, the barriers between them and the solver's path."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import xarray as xr

from ired_interp.devices import check_device
from ired_interp.errors import ConfigError
from ired_interp.experiments.base import GROUP, FigureSpec, LazyFigures
from ired_interp.experiments.exp002_config import Exp002Config
from ired_interp.experiments.exp002_hypotheses import CONTROL, HYPOTHESES
from ired_interp.experiments.exp002_page import NEEDED, listing, page
from ired_interp.experiments.exp002_planes import slice_problem
from ired_interp.experiments.exp002_summary import summary
from ired_interp.experiments.exp002_unit import measure_problems
from ired_interp.experiments.exp002_variables import DEFINITIONS, MAY_BE_MISSING, SLICES
from ired_interp.experiments.hypothesis import Hypothesis
from ired_interp.experiments.page import Definition, Listing, Page
from ired_interp.experiments.skill import DIFFICULTY, skill_summary
from ired_interp.experiments.subjects import DTYPES, open_planned, untrained_control
from ired_interp.models.checkpoint import check_task
from ired_interp.tasks import Task

__all__ = ["Exp002", "Exp002Config"]

_LEAST_SIDE = 2
_SMALL = {
    "slices": 1,
    "grid": 11,
    "starts": 4,
    "chords": 2,
    "images": 5,
    "walks": 20,
    "controls": 1,
}


class Exp002:
    """The experiment; it has no state."""

    name = "exp002"
    title = "Slices of the landscape, its minima, and the solver’s path through it"
    Config = Exp002Config
    hypotheses: Sequence[Hypothesis] = HYPOTHESES
    figures: Sequence[FigureSpec] = LazyFigures("ired_interp.experiments.exp002_figures")
    definitions: Mapping[str, Definition] = DEFINITIONS
    needs: Sequence[str] = NEEDED
    may_be_missing: Sequence[str] = MAY_BE_MISSING

    def plan(self, config: Exp002Config) -> Exp002Config:
        """Check model, task and levels, and fix the model's file, its hash and the rank."""
        checkpoint = open_planned(config)
        task = check_task(checkpoint, config.task, {})
        for level in config.levels:
            checkpoint.model.schedule.timestep(level)
        path = config.model if checkpoint.bundled else str(checkpoint.path.resolve())
        return replace(
            config,
            model=path,
            task=task.name,
            rank=_rank(config, task),
            model_sha256=checkpoint.sha256,
        )

    def check_here(self, config: Exp002Config) -> None:
        """Check that this machine has the device."""
        check_device(config.device)

    def smallest(self, config: Exp002Config) -> Exp002Config:
        """One problem at one level, with a small grid."""
        small = {name: min(most, getattr(config, name)) for name, most in _SMALL.items()}
        return replace(config, problems=1, levels=config.levels[:1], **small)

    def units(self, config: Exp002Config) -> int:
        """Problem chunks, times the model and its controls; and one a sliced problem."""
        return _num_chunks(config) * (1 + config.controls) + config.slices

    def run_unit(self, config: Exp002Config, index: int) -> xr.Dataset:
        """One chunk of problems of the model or a draw of its control, or one problem's slices."""
        checkpoint = open_planned(config)
        task = check_task(checkpoint, config.task, {})
        model = checkpoint.model.to(config.device, DTYPES[config.dtype])
        case, chunk = divmod(index, _num_chunks(config))
        if case > config.controls:
            number = index - _num_chunks(config) * (1 + config.controls)
            data = slice_problem(model, task, config, number)
            return data.assign_attrs({GROUP: f"{SLICES}/{number}"})
        if case > 0:
            model = untrained_control(model, seed=config.seed, draw=case - 1)
        first = chunk * config.unit_problems
        count = min(config.unit_problems, config.problems - first)
        data = measure_problems(model, task, config, first, count, answers=case == 0)
        if case > 0:
            data = data.expand_dims(draw=[case - 1])
        return data.assign_attrs(
            {
                GROUP: CONTROL if case > 0 else "/",
                "task": task.name,
                "task_size": task.size,
                "task_options": json.dumps(task.options()),
                **({DIFFICULTY: config.difficulty} if case == 0 else {}),
            }
        )

    def summarise(self, results: xr.DataTree) -> dict[str, xr.Dataset]:
        """Means over problems with bootstrap intervals, and the model's skill."""
        groups = {"model": results.to_dataset()}
        if "controls" in results:
            groups["untrained"] = results[CONTROL].to_dataset()
        return {name: summary(data) for name, data in groups.items()} | skill_summary(results)

    def page(self, results: xr.DataTree) -> Page:
        """The words and tables of its report."""
        return page(results)

    def listing(self, results: xr.DataTree) -> Listing:
        """A row a level."""
        return listing(results)


def _num_chunks(config: Exp002Config) -> int:
    return math.ceil(config.problems / config.unit_problems)


def _rank(config: Exp002Config, task: Task) -> int:
    """Where the answer is cut: asked for, or the task's inner rank, or half the side."""
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
    return rank
