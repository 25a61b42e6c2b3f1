"""EXP-001: the Hessian eigenspectrum of the energy in y, level by level."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import xarray as xr

from ired_interp.devices import check_device
from ired_interp.errors import CheckpointError
from ired_interp.experiments.base import GROUP, FigureSpec, LazyFigures
from ired_interp.experiments.exp001_config import Exp001Config, complete
from ired_interp.experiments.exp001_findings import NEEDED, listing
from ired_interp.experiments.exp001_hypotheses import HYPOTHESES
from ired_interp.experiments.exp001_measures import MEASURES, Measure
from ired_interp.experiments.exp001_memory import fit_problems
from ired_interp.experiments.exp001_page import page
from ired_interp.experiments.exp001_summary import summary
from ired_interp.experiments.exp001_unit import DTYPES, measure_problems
from ired_interp.experiments.exp001_variables import DEFINITIONS, MAY_BE_MISSING
from ired_interp.experiments.page import Definition, Listing, Page
from ired_interp.experiments.skill import DIFFICULTY, skill_summary
from ired_interp.models.checkpoint import Checkpoint, check_task
from ired_interp.models.zoo import open_checkpoint, untrained_like

__all__ = ["MEASURES", "Exp001", "Exp001Config", "Measure"]

_CONTROL = "controls/untrained"


class Exp001:
    """The experiment; it has no state."""

    name = "exp001"
    title = "Curvature of the energy in the answer, level by level"
    Config = Exp001Config
    hypotheses: Sequence[Any] = HYPOTHESES
    figures: Sequence[FigureSpec] = LazyFigures("ired_interp.experiments.exp001_figures")
    definitions: Mapping[str, Definition] = DEFINITIONS
    needs: Sequence[str] = NEEDED
    may_be_missing: Sequence[str] = MAY_BE_MISSING

    def plan(self, config: Exp001Config) -> Exp001Config:
        """Check model, task and levels, and fix the model's file and hash."""
        checkpoint = _open(config)
        task = check_task(checkpoint, config.task, {})
        for level in config.levels:
            checkpoint.model.schedule.timestep(level)
        path = config.model if checkpoint.bundled else str(checkpoint.path.resolve())
        config = complete(config, task.dim_y)
        return replace(config, model=path, task=task.name, model_sha256=checkpoint.sha256)

    def fit(self, config: Exp001Config, max_memory: int) -> Exp001Config:
        """As many problems a unit as let a process grow by that many bytes at most."""
        model = _open(config).model
        return fit_problems(config, max_memory, dim_y=model.dim_y, width=model.width)

    def check_here(self, config: Exp001Config) -> None:
        """Check that this machine has the device."""
        check_device(config.device)

    def units(self, config: Exp001Config) -> int:
        """Problem chunks, times the model and its controls."""
        return _num_chunks(config) * (1 + config.controls)

    def run_unit(self, config: Exp001Config, index: int) -> xr.Dataset:
        """One chunk of problems at all levels, for the model or one draw of its control."""
        case, chunk = divmod(index, _num_chunks(config))
        checkpoint = _open(config)
        task = check_task(checkpoint, config.task, {})
        model = checkpoint.model.to(config.device, DTYPES[config.dtype])
        if case > 0:
            model = untrained_like(model, seed=_control_seed(config.seed, case - 1))
        first = chunk * config.unit_problems
        count = min(config.unit_problems, config.problems - first)
        asked = config.skill == "yes" and case == 0
        data = measure_problems(model, task, config, first, count, answers=asked)
        if case > 0:
            data = data.expand_dims(draw=[case - 1])
        return data.assign_attrs(
            {
                GROUP: _CONTROL if case > 0 else "/",
                "task": task.name,
                "task_size": task.size,
                "task_options": json.dumps(task.options()),
                **({DIFFICULTY: config.difficulty} if asked else {}),
            }
        )

    def summarise(self, results: xr.DataTree) -> dict[str, xr.Dataset]:
        """Means with bootstrap intervals and quantiles over problems, and the model's skill."""
        groups = {"model": results.to_dataset()}
        if "controls" in results:
            # The problem is the unit of replication: its draws of weights are averaged first.
            groups["untrained"] = results[_CONTROL].to_dataset()
        return {name: summary(data) for name, data in groups.items()} | skill_summary(results)

    def page(self, results: xr.DataTree) -> Page:
        """The words and tables of its report."""
        return page(results)

    def listing(self, results: xr.DataTree) -> Listing:
        """A row a level."""
        return listing(results)


def _open(config: Exp001Config) -> Checkpoint:
    checkpoint = open_checkpoint(config.model, weights=config.weights)
    if config.model_sha256 and checkpoint.sha256 != config.model_sha256:
        raise CheckpointError(
            f"{checkpoint.path}: expected the file of the run's plan (SHA-256 "
            f"{config.model_sha256[:12]}…), found another ({checkpoint.sha256[:12]}…): the model "
            "was changed. Put the old file back, or start a new run."
        )
    return checkpoint


def _control_seed(seed: int, draw: int) -> int:
    """A seed that no other run's control has, nor a training of the same seed."""
    digest = hashlib.blake2b(f"untrained/{seed}/{draw}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def _num_chunks(config: Exp001Config) -> int:
    return math.ceil(config.problems / config.unit_problems)
