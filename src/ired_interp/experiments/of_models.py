"""The work of an experiment on one model and its controls: what all such experiments do alike.

A run's units are `Part`s: some problems of one case, which is the model itself or a draw of one of
its controls. `OfModels` plans a config, counts and computes the parts, and sums up their groups; an
experiment gives it the functions that differ.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import xarray as xr

from ired_interp.devices import check_device
from ired_interp.energy.mlp import EnergyMLP
from ired_interp.experiments.base import GROUP
from ired_interp.experiments.model_config import DTYPES, ModelConfig
from ired_interp.experiments.skill import DIFFICULTY, TRAINED_ON, skill_summary
from ired_interp.experiments.subjects import (
    MODEL,
    SHUFFLED,
    UNTRAINED,
    open_planned,
    open_shuffled,
    shuffled_of,
    untrained_control,
)
from ired_interp.models.checkpoint import Checkpoint, check_task
from ired_interp.models.trained import training_bound, training_difficulty
from ired_interp.tasks import Task

__all__ = ["OfModels", "Part", "one_problem", "parts_of"]

C = TypeVar("C", bound=ModelConfig)


@dataclass(frozen=True)
class Part:
    """What one work unit is of.

    Attributes:
        group: Where its data belong: `MODEL`, a control, or a group of the experiment's own.
        first: Number of the first problem.
        count: How many problems.
        draw: Of a control that has several.
    """

    group: str
    first: int
    count: int
    draw: int | None = None

    @property
    def of_model(self) -> bool:
        """Whether it is the model itself that is measured."""
        return self.group == MODEL


def parts_of(config: ModelConfig, controls: Mapping[str, int] | None = None) -> list[Part]:
    """The units of a planned config: chunks of problems of the model, then of each control.

    The last control is the network that was trained on shuffled answers, where there is one.

    Args:
        config: Planned.
        controls: How many draws each group of controls has; those of untrained weights if none.
    """
    draws = {UNTRAINED: config.controls or 0} if controls is None else controls
    cases = [(MODEL, None), *((group, i) for group, num in draws.items() for i in range(num))]
    if shuffled_of(config) is not None:
        cases.append((SHUFFLED, None))
    problems, each = config.problems or 0, config.unit_problems
    return [
        Part(group, first, min(each, problems - first), draw)
        for group, draw in cases
        for first in range(0, problems, each)
    ]


def one_problem(config: C, **changes: Any) -> C:
    """The config of one problem at one level, with at most one draw of untrained weights.

    Args:
        config: With everything filled in that its scale stands for.
        **changes: What else is made small.
    """
    few = {"problems": 1, "levels": config.levels[:1], "controls": min(1, config.controls or 0)}
    return dataclasses.replace(config, **few | changes)


@dataclass(frozen=True)
class OfModels(Generic[C]):
    """Plans, computes and sums up; its methods are those of `experiments.base.Experiment`.

    Attributes:
        complete_fn: The config with what must not be guessed later, for a task; a run's plan holds
            it. Model, task and levels are checked before.
        parts_fn: The units of a planned config.
        measure_fn: What one unit measures of a network that is on the config's device.
        summary_fn: Statistics over the problems of one group.
    """

    complete_fn: Callable[[C, Task], C]
    parts_fn: Callable[[C], Sequence[Part]]
    measure_fn: Callable[[EnergyMLP, Task, C, Part], xr.Dataset]
    summary_fn: Callable[[xr.Dataset], xr.Dataset]

    def plan(self, config: C) -> C:
        """Check model, task and levels, and fix the model's file, its hash and the clamp."""
        checkpoint = open_planned(config)
        task = check_task(checkpoint, config.task, {})
        for level in config.levels:
            checkpoint.model.schedule.timestep(level)
        planned: dict[str, Any] = {
            "model": _name(checkpoint, config.model),
            "model_sha256": checkpoint.sha256,
        }
        if config.bound is None:
            planned["bound"] = training_bound(checkpoint)
        with_twin = shuffled_of(config)
        if with_twin is not None:
            twin = open_shuffled(with_twin, checkpoint)
            planned["shuffled"] = _name(twin, with_twin.shuffled or "")
            planned["shuffled_sha256"] = twin.sha256
        return dataclasses.replace(self.complete_fn(config, task), task=task.name, **planned)

    def check_here(self, config: C) -> None:
        """Check that this machine has the device."""
        check_device(config.device)

    def units(self, config: C) -> int:
        """How many parts there are."""
        return len(self.parts_fn(config))

    def run_unit(self, config: C, index: int) -> xr.Dataset:
        """Measure one part."""
        part = self.parts_fn(config)[index]
        checkpoint = open_planned(config)
        task = check_task(checkpoint, config.task, {})
        with_twin = shuffled_of(config)
        if part.group == SHUFFLED and with_twin is not None:
            checkpoint = open_shuffled(with_twin, checkpoint)
        model = checkpoint.model.to(config.device, DTYPES[config.dtype])
        if part.group == UNTRAINED:
            model = untrained_control(model, seed=config.seed, draw=part.draw or 0)
        data = self.measure_fn(model, task, config, part)
        if part.draw is not None:
            data = data.expand_dims(draw=[part.draw])
        return data.assign_attrs(
            {
                GROUP: part.group,
                "task": task.name,
                "task_size": task.size,
                "task_options": json.dumps(task.options()),
                # What the model's skill is judged by.
                **(
                    {DIFFICULTY: config.difficulty, TRAINED_ON: training_difficulty(checkpoint)}
                    if "model_answer" in data
                    else {}
                ),
            }
        )

    def summarise(self, results: xr.DataTree) -> dict[str, xr.Dataset]:
        """Statistics over problems of the model and of each control, and the model's skill."""
        groups = {"model": results.to_dataset()}
        if "controls" in results.children:
            groups |= {name: one.to_dataset() for name, one in results["controls"].children.items()}
        found = {name: self.summary_fn(data) for name, data in groups.items()}
        return found | skill_summary(results)


def _name(checkpoint: Checkpoint, asked: str) -> str:
    """What the plan calls a file: a bundled name finds it anywhere, else only its place does."""
    return asked if checkpoint.bundled else str(checkpoint.path.resolve())
