"""EXP-006: the score field, collected over noise and problems, and its spectrum beside chance."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import xarray as xr

from ired_interp.devices import check_device
from ired_interp.errors import ConfigError
from ired_interp.experiments.base import GROUP, FigureSpec, LazyFigures
from ired_interp.experiments.exp006_config import Exp006Config, chosen_components, fill_in
from ired_interp.experiments.exp006_hypotheses import HYPOTHESES, UNTRAINED
from ired_interp.experiments.exp006_page import NEEDED, listing, page
from ired_interp.experiments.exp006_summary import summary
from ired_interp.experiments.exp006_unit import bytes_a_problem, measure_problems
from ired_interp.experiments.exp006_variables import DEFINITIONS, MAY_BE_MISSING
from ired_interp.experiments.hypothesis import Hypothesis
from ired_interp.experiments.page import Definition, Listing, Page
from ired_interp.experiments.skill import DIFFICULTY, skill_summary
from ired_interp.experiments.subjects import DTYPES, open_planned, untrained_control
from ired_interp.landscape import DEFAULT_MAX_BYTES
from ired_interp.models.checkpoint import check_task

__all__ = ["Exp006", "Exp006Config"]


class Exp006:
    """The experiment; it has no state."""

    name = "exp006"
    title = "The score field: its spectrum, its directions and what they do"
    Config = Exp006Config
    hypotheses: Sequence[Hypothesis] = HYPOTHESES
    figures: Sequence[FigureSpec] = LazyFigures("ired_interp.experiments.exp006_figures")
    definitions: Mapping[str, Definition] = DEFINITIONS
    needs: Sequence[str] = NEEDED
    may_be_missing: Sequence[str] = MAY_BE_MISSING

    def plan(self, config: Exp006Config) -> Exp006Config:
        """Check model, task and levels; fill in what the scale stands for."""
        checkpoint = open_planned(config)
        task = check_task(checkpoint, config.task, {})
        for level in config.levels:
            checkpoint.model.schedule.timestep(level)
        path = config.model if checkpoint.bundled else str(checkpoint.path.resolve())
        full = fill_in(config)
        return replace(
            full,
            components=chosen_components(full, task.dim_y),
            model=path,
            task=task.name,
            model_sha256=checkpoint.sha256,
        )

    def check_here(self, config: Exp006Config) -> None:
        """Check that this machine has the device."""
        check_device(config.device)

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
        full = fill_in(config)
        controls = min(1, full.controls or 0)
        return replace(
            full, problems=1, levels=config.levels[:1], controls=controls, random_draws=1
        )

    def units(self, config: Exp006Config) -> int:
        """Problem chunks, times the model and its untrained controls."""
        return _num_chunks(config) * (1 + (config.controls or 0))

    def run_unit(self, config: Exp006Config, index: int) -> xr.Dataset:
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
            data = data.expand_dims(draw=[case - 1])
        return data.assign_attrs(
            {
                GROUP: UNTRAINED if case else "/",
                "components": chosen_components(config, task.dim_y),
                "noise_draws": config.noise or 0,
                "task": task.name,
                "task_size": task.size,
                "task_options": json.dumps(task.options()),
                **({DIFFICULTY: config.difficulty} if case == 0 else {}),
            }
        )

    def summarise(self, results: xr.DataTree) -> dict[str, xr.Dataset]:
        """Means over problems with bootstrap intervals, and the model's skill."""
        groups = {"model": results.to_dataset()}
        if "controls" in results.children:
            for name, node in results["controls"].children.items():
                groups[name] = node.to_dataset()
        return {name: summary(data) for name, data in groups.items()} | skill_summary(results)

    def page(self, results: xr.DataTree) -> Page:
        """The words and tables of its report."""
        return page(results)

    def listing(self, results: xr.DataTree) -> Listing:
        """A row a level."""
        return listing(results)


def _num_problems(config: Exp006Config) -> int:
    return config.problems or 0


def _num_chunks(config: Exp006Config) -> int:
    return math.ceil(_num_problems(config) / config.unit_problems)
