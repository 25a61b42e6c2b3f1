"""What the experiment itself says would fit into memory, and the command that runs it."""

import dataclasses
import shlex
from pathlib import Path
from typing import Any

from ired_interp.doctor.memory import Fitting
from ired_interp.errors import IredInterpError
from ired_interp.experiments.config import config_to_mapping
from ired_interp.experiments.locating import SUFFIX, split_reference
from ired_interp.runs.run import Run

__all__ = ["what_fits"]


def what_fits(run: Run, budget: int) -> Fitting:
    """Ask the experiment for units that let a process grow by that many bytes at most."""
    try:
        fitted = run.experiment.fit(run.config, budget)
    except (IredInterpError, MemoryError, ArithmeticError) as error:
        return Fitting(budget, {}, "", str(error))
    before, after = config_to_mapping(run.config), config_to_mapping(fitted)
    changes = {name: (before[name], after[name]) for name in after if before[name] != after[name]}
    return Fitting(budget, changes, _command(run, fitted))


def _command(run: Run, config: Any) -> str:
    words = ["ired-interp", "run", _reference(run)]
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if not field.metadata.get("planned") and value != field.default:
            words += [f"--{field.name.replace('_', '-')}", _word(value)]
    return shlex.join([*words, "--out", _free(run.path)])


def _reference(run: Run) -> str:
    place, _ = split_reference(run.source.reference)
    if run.source.project is not None and place.endswith(SUFFIX):
        return str(run.source.project / run.source.reference)
    return run.source.reference


def _free(path: Path) -> str:
    """A name beside the run that nothing has."""
    names = (path.with_name(f"{path.name}-smaller{n or ''}") for n in range(1000))
    return str(next(name for name in names if not name.exists()))


def _word(value: Any) -> str:
    """As `experiments.config` reads it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ",".join(map(_word, value))
    return str(value)
