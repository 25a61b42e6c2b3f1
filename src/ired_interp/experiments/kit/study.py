"""An experiment as a value: what is prepared and measured, of which networks, and what is said.

A `Study` has everything that a run needs (`experiments.base.Experiment`). One work unit holds all
cases of some problems: what is of the problems alone is prepared once, and measured of the model,
of untrained draws and of any other case with it.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import xarray as xr
from jaxtyping import Float
from torch import Tensor

from ired_interp.devices import check_device
from ired_interp.draws import RowDraws
from ired_interp.energy.mlp import EnergyMLP
from ired_interp.errors import ConfigError
from ired_interp.experiments.base import GROUP
from ired_interp.experiments.kit.cases import THE_MODEL, Case, Networks
from ired_interp.experiments.kit.options import DTYPES, SubjectOptions, bound_of, filled
from ired_interp.experiments.kit.presented import Presented
from ired_interp.experiments.kit.variables import Values, Variables
from ired_interp.experiments.skill import (
    DIFFICULTY,
    TRAINED_ON,
    answer_variables,
    skill_summary,
)
from ired_interp.experiments.subjects import MODEL, open_planned, open_shuffled, shuffled_of
from ired_interp.experiments.unit_data import draw_problems, level_coords, scales_at
from ired_interp.models.checkpoint import Checkpoint, check_task
from ired_interp.models.trained import training_bound, training_difficulty
from ired_interp.schedule import Schedule
from ired_interp.tasks import Problems, Task

__all__ = ["Prepared", "SingleProblems", "Study"]

C = TypeVar("C", bound=SubjectOptions)
P = TypeVar("P", bound="Prepared")

_DRAW = "draw"


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What is of the problems of a unit alone; an experiment adds fields of its own.

    Attributes:
        task: What they come from.
        problems: In the config's dtype, on its device.
        first: Number of the first.
        schedule: Of the model's levels.
        coords: Of the dimensions that the experiment's variables have beside problem and level.
        variables: Numbers of the problems alone, by name.
    """

    task: Task
    problems: Problems
    first: int
    schedule: Schedule
    coords: Mapping[str, Any] = field(default_factory=dict)
    variables: Values = field(default_factory=dict)

    def scales(self, level: int) -> tuple[float, float]:
        """s_t and σ_t of a level."""
        return scales_at(self.schedule, level)

    def normal(self, seed: int, purpose: str) -> Float[Tensor, "n d"]:
        """A standard normal draw for each problem's y, of its own whatever the unit.

        Args:
            seed: Of the run.
            purpose: Other words give other draws.
        """
        n, d = self.problems.y.shape
        draws = RowDraws(n, seed=seed, purpose=purpose, first=self.first)
        return draws.normal(d).to(self.problems.y)


@dataclass(frozen=True, kw_only=True)
class SingleProblems(Generic[C, P]):
    """Problems of the model that are looked at more closely, each a unit and a group of its own.

    Attributes:
        folder: Of the groups in ``results.h5``; the first problem's is ``<folder>/0``.
        count: (config) → how many of the problems, from the first on.
        measure: (model, the problem as prepared, config) → the data of its group.
        variables: Of these groups.
        meaning: What one of them holds, in words.
    """

    folder: str
    count: Callable[[C], int]
    measure: Callable[[EnergyMLP, P, C], xr.Dataset]
    variables: Variables
    meaning: str


def _as_asked(config: Any, task: Task) -> Any:  # noqa: ARG001 - the signature of `complete`
    return config


def _of_problems(config: Any, prepared: Prepared) -> Prepared:  # noqa: ARG001 - likewise
    return prepared


@dataclass(frozen=True, kw_only=True)
class Study(Presented, Generic[C, P]):
    """An experiment on a model, with what is said of its results.

    Attributes:
        Config: Its options, a frozen dataclass that inherits `SubjectOptions`.
        measure: (energy, prepared, config) → numbers of one network, by variable; the energy is in
            the config's dtype and on its device. A series of energies where cases are series.
        measure_groups: The same of the model, where groups of their own come with its numbers:
            (energy, prepared, config) → numbers by group, the root among them, draw by draw. What
            all of them need is computed once.
        attributes: (config) → what stands beside the numbers of every network.
        prepare: (config, prepared) → the same with what else is of the problems alone.
        complete: (config, task) → the config with what must not be guessed later; numbers that its
            scale stands for are filled in.
        measure_model: What is measured of the model in its place, where that is more.
        model: What is studied, where it is not one network.
        cases: Networks that are measured beside the model.
        single: Problems that are looked at more closely.
        summary: (data of a case) → further statistics of its summary.
        skill: (config) → whether the model is asked for its answers.
        memory: (config, problems, model) → bytes by which a unit of so many problems lets a process
            grow; without it ``--max-memory`` is refused.
        small: Options that make it as small as it goes, beside one problem at one level; a whole
            number that is smaller already stays.
    """

    Config: type[C]
    measure: Callable[[Any, P, C], Values]
    prepare: Callable[[C, Any], P] = _of_problems  # type: ignore[assignment]
    complete: Callable[[C, Task], C] = _as_asked
    measure_groups: Callable[[Any, P, C], Mapping[str, Sequence[Values]]] | None = None
    measure_model: Callable[[Any, P, C], Values] | None = None
    model: Case = THE_MODEL
    attributes: Callable[[C], Mapping[str, Any]] = lambda _: {}
    cases: Sequence[Case] = ()
    single: SingleProblems[C, P] | None = None
    summary: Callable[[xr.Dataset], xr.Dataset] | None = None
    skill: Callable[[C], bool] = lambda _: True
    memory: Callable[[C, int, EnergyMLP], int] | None = None
    small: Mapping[str, Any] = field(default_factory=dict)

    @property
    def may_be_missing(self) -> tuple[str, ...]:
        """Variables where NaN is a possible answer."""
        closer = () if self.single is None else self.single.variables.may_be_missing
        return (*self.variables.may_be_missing, "model_minimum", *closer)

    def plan(self, config: C) -> C:
        """Check model, task and levels, and fix the model's file, its hash and the clamp."""
        checkpoint = open_planned(config)
        task = check_task(checkpoint, config.task, {})
        for level in config.levels:
            checkpoint.model.schedule.timestep(level)
        planned: dict[str, Any] = {
            "task": task.name,
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
        return dataclasses.replace(self.complete(filled(config), task), **planned)

    def check_here(self, config: C) -> None:
        """Check that this machine has the device."""
        check_device(config.device)

    def fit(self, config: C, max_memory: int) -> C:
        """The planned config with as many problems a unit as fit into the budget.

        Raises:
            ConfigError: Not one problem fits, or it is not known what a unit takes.
        """
        if self.memory is None or config.device != "cpu":
            raise ConfigError(
                f"--max-memory: expected an experiment and a device of which it is known what a "
                f"unit takes, found {self.name} on {config.device}. Give --unit-problems instead."
            )
        model = open_planned(config).model
        most = min(config.unit_problems, config.problems or config.unit_problems)
        while self.memory(config, most, model) > max_memory:
            most -= 1
            if most < 1:
                least = self.memory(config, 1, model)
                raise ConfigError(
                    f"--max-memory: expected at least {least / 2**20:.0f}M, which a unit of one "
                    f"problem may take at d = {model.dim_y}, found {max_memory / 2**20:.0f}M."
                )
        return dataclasses.replace(config, unit_problems=most)

    def smallest(self, config: C) -> C:
        """One problem at one level, with one draw of the control."""
        full = filled(config)
        few: dict[str, Any] = {
            "problems": 1,
            "levels": full.levels[:1],
            "controls": min(1, full.controls or 0),
        }
        for name, value in self.small.items():
            few[name] = min(value, getattr(full, name)) if isinstance(value, int) else value
        return dataclasses.replace(full, **few)

    def units(self, config: C) -> int:
        """Chunks of problems, then each problem that is looked at more closely."""
        return self._chunks(config) + (0 if self.single is None else self.single.count(config))

    def chunk(self, config: C, index: int) -> tuple[int, int]:
        """Number of the first problem of a chunk, and how many it has."""
        first = index * config.unit_problems
        return first, min(config.unit_problems, (config.problems or 0) - first)

    def run_unit(self, config: C, index: int) -> xr.Dataset | xr.DataTree:
        """Some problems, measured of every case; or one, looked at more closely."""
        checkpoint = open_planned(config)
        task = check_task(checkpoint, config.task, {})
        attributes = {
            "task": task.name,
            "task_size": task.size,
            "task_options": json.dumps(task.options()),
        }
        number = index - self._chunks(config)
        if self.single is not None and number >= 0:
            model = _placed(checkpoint.model, config)
            given = self.prepared(config, task, model.schedule, number, 1)
            data = self.single.measure(model, given, config)
            return data.assign_attrs({GROUP: f"{self.single.folder}/{number}", **attributes})
        first, count = self.chunk(config, index)
        given = self.prepared(config, task, checkpoint.model.schedule, first, count)
        groups: dict[str, xr.Dataset] = {}
        for case in (self.model, *self.cases):
            networks = (
                (draw, _all_placed(case.network(checkpoint, config, draw), config))
                for draw in case.draws(config)
            )
            if case is self.model:
                for _, network in networks:
                    groups |= self.groups_of_model(network, given, config)
                continue
            draws = [
                _drawn(self.measured(network, given, config), draw) for draw, network in networks
            ]
            if draws:
                groups[case.group] = _joined(draws)
        groups = {name: one.assign_attrs(attributes) for name, one in groups.items()}
        if self.skill(config):
            # What the model's skill is judged by.
            answers = answer_variables(
                _placed(checkpoint.model, config),
                given.problems,
                seed=config.seed,
                first=first,
                bound=bound_of(config),
            )
            groups[MODEL] = (
                groups[MODEL]
                .assign(answers)
                .assign_attrs(
                    {DIFFICULTY: config.difficulty, TRAINED_ON: training_difficulty(checkpoint)}
                )
            )
        return xr.DataTree.from_dict(groups)

    def _chunks(self, config: C) -> int:
        return -(-(config.problems or 0) // config.unit_problems)

    def prepared(self, config: C, task: Task, schedule: Schedule, first: int, count: int) -> P:
        """What is of some problems alone."""
        problems = draw_problems(task, config, first, count)
        return self.prepare(
            config, Prepared(task=task, problems=problems, first=first, schedule=schedule)
        )

    def measured(self, network: Any, given: P, config: C) -> xr.Dataset:
        """What depends on the network, of one that is in the config's dtype."""
        return self._dataset(self.measure(network, given, config), given, config)

    def of_model(self, network: Any, given: P, config: C) -> xr.Dataset:
        """The same with what is of the problems alone, as the root of the results has it."""
        values = (self.measure_model or self.measure)(network, given, config)
        return self._root(values, given, config)

    def groups_of_model(self, network: Any, given: P, config: C) -> dict[str, xr.Dataset]:
        """The root of the results, and the groups that are measured with it."""
        if self.measure_groups is None:
            return {MODEL: self.of_model(network, given, config)}
        of_groups = dict(self.measure_groups(network, given, config))
        (of_root,) = of_groups.pop(MODEL)
        found = {MODEL: self._root(of_root, given, config)}
        for group, draws in of_groups.items():
            made = [self._dataset(values, given, config) for values in draws]
            found[group] = _joined([_drawn(one, i) for i, one in enumerate(made)])
        return found

    def _root(self, values: Values, given: P, config: C) -> xr.Dataset:
        problems = {"x": given.problems.x, "answer": given.problems.y}
        return self._dataset({**problems, **given.variables, **values}, given, config)

    def _dataset(self, values: Values, given: P, config: C) -> xr.Dataset:
        count = given.problems.x.shape[0]
        coords = level_coords(given.schedule, config, given.first, count)
        data = self.variables.dataset(values, {**coords, **given.coords})
        return data.assign_attrs(self.attributes(config))

    def summarise(self, results: xr.DataTree) -> dict[str, xr.Dataset]:
        """Statistics over problems of the model and of each control, and the model's skill."""
        groups = {"model": results.to_dataset()}
        if "controls" in results.children:
            groups |= {name: one.to_dataset() for name, one in results["controls"].children.items()}
        found = {}
        for name, data in groups.items():
            found[name] = self.variables.summary(data)
            if self.summary is not None:
                found[name] = found[name].merge(self.summary(data), combine_attrs="no_conflicts")
        return found | skill_summary(results)

    def _groups(self, results: xr.DataTree) -> list[tuple[str, str]]:
        found = super()._groups(results)
        if self.single is not None and self.single.folder in results.children:
            found.append((f"{self.single.folder}/…", f"{self.single.meaning};"))
        return found


def _name(checkpoint: Checkpoint, asked: str) -> str:
    """What the plan calls a file: a bundled name finds it anywhere, else only its place does."""
    return asked if checkpoint.bundled else str(checkpoint.path.resolve())


def _joined(draws: Sequence[xr.Dataset]) -> xr.Dataset:
    return xr.concat(draws, _DRAW) if _DRAW in draws[0].dims else draws[0]


def _drawn(data: xr.Dataset, draw: int | None) -> xr.Dataset:
    return data if draw is None else data.expand_dims({_DRAW: [draw]})


def _placed(model: EnergyMLP, config: SubjectOptions) -> EnergyMLP:
    return model.to(config.device, DTYPES[config.dtype])


def _all_placed(networks: Networks, config: SubjectOptions) -> Networks:
    if isinstance(networks, Sequence):
        return [_placed(one, config) for one in networks]
    return _placed(networks, config)
