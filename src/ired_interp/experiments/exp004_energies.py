"""EXP-004: energy against distance, at growing and at fixed length of the move."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import xarray as xr

from ired_interp.devices import check_device
from ired_interp.experiments.base import GROUP, FigureSpec, LazyFigures
from ired_interp.experiments.exp004_config import Exp004Config, fill_in
from ired_interp.experiments.exp004_hypotheses import HYPOTHESES, UNTRAINED
from ired_interp.experiments.exp004_moves import chosen_base, chosen_rank
from ired_interp.experiments.exp004_page import NEEDED, listing, page
from ired_interp.experiments.exp004_summary import summary
from ired_interp.experiments.exp004_unit import measure_problems
from ired_interp.experiments.exp004_variables import DEFINITIONS, MAY_BE_MISSING, SHARED
from ired_interp.experiments.hypothesis import Hypothesis
from ired_interp.experiments.page import Definition, Listing, Page
from ired_interp.experiments.skill import DIFFICULTY, skill_summary
from ired_interp.experiments.subjects import DTYPES, open_planned, untrained_control
from ired_interp.models.checkpoint import check_task

__all__ = ["Exp004", "Exp004Config"]


class Exp004:
    """The experiment; it has no state."""

    name = "exp004"
    title = "Energy against distance"
    Config = Exp004Config
    hypotheses: Sequence[Hypothesis] = HYPOTHESES
    figures: Sequence[FigureSpec] = LazyFigures("ired_interp.experiments.exp004_figures")
    definitions: Mapping[str, Definition] = DEFINITIONS
    needs: Sequence[str] = NEEDED
    may_be_missing: Sequence[str] = MAY_BE_MISSING

    def plan(self, config: Exp004Config) -> Exp004Config:
        """Check model, task, levels, base and rank; fill in what the scale stands for."""
        checkpoint = open_planned(config)
        task = check_task(checkpoint, config.task, {})
        for level in config.levels:
            checkpoint.model.schedule.timestep(level)
        path = config.model if checkpoint.bundled else str(checkpoint.path.resolve())
        base = chosen_base(task, config.base)
        return replace(
            fill_in(config),
            model=path,
            task=task.name,
            base=base,
            rank=chosen_rank(task, config.rank, base),
            model_sha256=checkpoint.sha256,
        )

    def check_here(self, config: Exp004Config) -> None:
        """Check that this machine has the device."""
        check_device(config.device)

    def smallest(self, config: Exp004Config) -> Exp004Config:
        """One problem at one level, with one draw of the control."""
        full = fill_in(config)
        controls = min(1, full.controls or 0)
        return replace(full, problems=1, levels=config.levels[:1], controls=controls)

    def units(self, config: Exp004Config) -> int:
        """Problem chunks, times the model and its untrained controls."""
        return _num_chunks(config) * (1 + (config.controls or 0))

    def run_unit(self, config: Exp004Config, index: int) -> xr.Dataset:
        """One chunk of problems: the model, then draws of its weights."""
        case, chunk = divmod(index, _num_chunks(config))
        checkpoint = open_planned(config)
        task = check_task(checkpoint, config.task, {})
        model = checkpoint.model.to(config.device, DTYPES[config.dtype])
        first = chunk * config.unit_problems
        count = min(config.unit_problems, _num_problems(config) - first)
        if case > 0:
            model = untrained_control(model, seed=config.seed, draw=case - 1)
        data = measure_problems(model, task, config, first, count, answers=case == 0)
        if case > 0:
            data = data.drop_vars(SHARED, errors="ignore").expand_dims(draw=[case - 1])
        return data.assign_attrs(
            {
                GROUP: UNTRAINED if case > 0 else "/",
                "task": task.name,
                "task_size": task.size,
                "task_options": json.dumps(task.options()),
                **({DIFFICULTY: config.difficulty} if case == 0 else {}),
            }
        )

    def summarise(self, results: xr.DataTree) -> dict[str, xr.Dataset]:
        """Means over problems with bootstrap intervals, and the model's skill."""
        groups = {"model": summary(results.to_dataset())}
        if "controls" in results.children:
            groups["untrained"] = summary(results[UNTRAINED].to_dataset())
        return groups | skill_summary(results)

    def page(self, results: xr.DataTree) -> Page:
        """The words and tables of its report."""
        return page(results)

    def listing(self, results: xr.DataTree) -> Listing:
        """A row a level."""
        return listing(results)


def _num_problems(config: Exp004Config) -> int:
    return config.problems or 0


def _num_chunks(config: Exp004Config) -> int:
    return math.ceil(_num_problems(config) / config.unit_problems)
