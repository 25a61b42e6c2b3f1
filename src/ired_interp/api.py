"""What the command line does, as functions."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ired_interp.checks import Whole, whole
from ired_interp.errors import ConfigError
from ired_interp.experiments import load, locate
from ired_interp.experiments.config import config_from_mapping
from ired_interp.runs.execution import execute
from ired_interp.runs.run import Run, open_run, plan_run

__all__ = ["complete_report", "finish", "resume", "run"]

Track = Callable[[Iterable[int]], Iterable[int]]


def run(
    experiment: str,
    *,
    out: str | Path,
    workers: Whole = 1,
    max_memory: Whole | None = None,
    track: Track = iter,
    **config: Any,
) -> Run:
    """Plan an experiment, execute it, write its results and its report.

    Args:
        experiment: Its name, such as ``exp001``; ``path/to/file.py`` or ``package.module:name``.
        out: A new folder.
        workers: How many processes; 1 is this one.
        max_memory: Bytes by which a unit may let a process grow; read when the run is planned.
        track: Wraps the numbers of the work units, for a progress bar.
        config: Fields of the experiment's config; the others have its defaults.

    Returns:
        The finished run; ``.results`` holds the data.

    Raises:
        UnknownNameError: No such experiment.
        UnitsFailedError: Some units failed; all others are done and stay.
        ConfigError: An unknown field or a value of the wrong type.
        RunFolderError: ``out`` exists.
        StorageError: The file system refused.
        IredInterpError: What the experiment itself cannot do.
    """
    max_memory = None if max_memory is None else whole("max_memory", max_memory, error=ConfigError)
    source = locate(experiment)
    found = load(source)
    plain = {k: os.fspath(v) if isinstance(v, Path) else v for k, v in config.items()}
    chosen = config_from_mapping(found.Config, plain)
    found.check_here(chosen)
    planned = plan_run(found, chosen, Path(out), source=source, max_memory=max_memory)
    return finish(planned, workers=workers, track=track)


def resume(path: str | Path, *, workers: Whole = 1, track: Track = iter) -> Run:
    """Finish a run that was stopped; a finished one is left as it is.

    Raises:
        RunFolderError: Not a run folder, or a damaged one.
        StorageError: The file system refused.
    """
    return finish(open_run(path), workers=workers, track=track)


def finish(
    planned: Run,
    *,
    workers: Whole = 1,
    track: Track = iter,
    should_stop: Callable[[], bool] = lambda: False,
) -> Run:
    """Execute what is missing of a run and write what is missing of its report.

    Args:
        planned: The run.
        workers: How many processes; 1 is this one.
        track: Wraps the numbers of the work units.
        should_stop: Asked before each unit; once it says yes the run is left unfinished.

    Raises:
        RunFolderError, StorageError, IredInterpError: As `run`.
    """
    workers = whole("workers", workers, error=ConfigError)
    if workers < 1:
        raise ConfigError(f"workers: expected at least 1, found {workers}.")
    done = execute(planned, workers=workers, track=track, should_stop=should_stop)
    if done.finished:
        complete_report(done)
    return done


def complete_report(done: Run) -> None:
    """Write the report of a finished run, where it is missing.

    Raises:
        RunFolderError, StorageError, IredInterpError: As `run`.
    """
    if not done.report_path.is_file():
        # Templates and scripts are read by the process that ends a run alone.
        from ired_interp.report.html import write_report

        write_report(done)
