"""EXP-005: gradient and curvature in tangent and normal directions, level by level."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import xarray as xr

from ired_interp.devices import check_device
from ired_interp.experiments.base import GROUP, FigureSpec, LazyFigures
from ired_interp.experiments.exp005_config import Exp005Config, fill_in
from ired_interp.experiments.exp005_hypotheses import HYPOTHESES, RANDOM, UNTRAINED
from ired_interp.experiments.exp005_page import NEEDED, listing, page
from ired_interp.experiments.exp005_spaces import chosen_rank
from ired_interp.experiments.exp005_summary import summary
from ired_interp.experiments.exp005_unit import measure_problems, measure_random
from ired_interp.experiments.exp005_variables import DEFINITIONS, MAY_BE_MISSING
from ired_interp.experiments.hypothesis import Hypothesis
from ired_interp.experiments.page import Definition, Listing, Page
from ired_interp.experiments.skill import DIFFICULTY, skill_summary
from ired_interp.experiments.subjects import DTYPES, open_planned, untrained_control
from ired_interp.models.checkpoint import check_task

__all__ = ["Exp005", "Exp005Config"]


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

    def plan(self, config: Exp005Config) -> Exp005Config:
        """Check model, task, levels and rank; fill in what the scale stands for."""
        checkpoint = open_planned(config)
        task = check_task(checkpoint, config.task, {})
        for level in config.levels:
            checkpoint.model.schedule.timestep(level)
        path = config.model if checkpoint.bundled else str(checkpoint.path.resolve())
        return replace(
            fill_in(config),
            model=path,
            task=task.name,
            rank=chosen_rank(task, config.rank),
            model_sha256=checkpoint.sha256,
        )

    def check_here(self, config: Exp005Config) -> None:
        """Check that this machine has the device."""
        check_device(config.device)

    def smallest(self, config: Exp005Config) -> Exp005Config:
        """One problem at one level, with one draw of each control."""
        full = fill_in(config)
        controls = min(1, full.controls or 0)
        return replace(
            full, problems=1, levels=config.levels[:1], controls=controls, random_draws=1
        )

    def units(self, config: Exp005Config) -> int:
        """Problem chunks, times the model, its untrained controls and its random splits."""
        return _num_chunks(config) * (1 + (config.controls or 0) + (config.random_draws or 0))

    def run_unit(self, config: Exp005Config, index: int) -> xr.Dataset:
        """One chunk of problems: the model, then draws of its weights, then of random splits."""
        case, chunk = divmod(index, _num_chunks(config))
        checkpoint = open_planned(config)
        task = check_task(checkpoint, config.task, {})
        model = checkpoint.model.to(config.device, DTYPES[config.dtype])
        first = chunk * config.unit_problems
        count = min(config.unit_problems, _num_problems(config) - first)
        num_untrained = config.controls or 0
        group = "/" if case == 0 else UNTRAINED if case <= num_untrained else RANDOM
        draw = case - 1 if group == UNTRAINED else case - 1 - num_untrained
        if group == RANDOM:
            data = measure_random(model, task, config, first, count, draw=draw)
        else:
            if group == UNTRAINED:
                model = untrained_control(model, seed=config.seed, draw=draw)
            data = measure_problems(model, task, config, first, count, answers=case == 0)
        if case > 0:
            data = data.expand_dims(draw=[draw])
        return data.assign_attrs(
            {
                GROUP: group,
                "task": task.name,
                "task_size": task.size,
                "task_options": json.dumps(task.options()),
                **({DIFFICULTY: config.difficulty} if case == 0 else {}),
            }
        )

    def summarise(self, results: xr.DataTree) -> dict[str, xr.Dataset]:
        """Means over problems with bootstrap intervals, and the model's skill."""
        groups = {"model": results.to_dataset()}
        for name, node in results["controls"].children.items():
            groups[name] = node.to_dataset()
        return {name: summary(data) for name, data in groups.items()} | skill_summary(results)

    def page(self, results: xr.DataTree) -> Page:
        """The words and tables of its report."""
        return page(results)

    def listing(self, results: xr.DataTree) -> Listing:
        """A row a level."""
        return listing(results)


def _num_problems(config: Exp005Config) -> int:
    return config.problems or 0


def _num_chunks(config: Exp005Config) -> int:
    return math.ceil(_num_problems(config) / config.unit_problems)
