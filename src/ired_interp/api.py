"""What the command line does, as functions."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ired_interp.experiments import find_experiment
from ired_interp.experiments.config import config_from_mapping
from ired_interp.report.html import write_report
from ired_interp.runs.run import Run, execute, open_run, plan_run

__all__ = ["finish", "resume", "run"]

Track = Callable[[Iterable[int]], Iterable[int]]


def run(experiment: str, *, out: str | Path, track: Track = iter, **config: Any) -> Run:
    """Plan an experiment, execute it, write its results and its report.

    Args:
        experiment: Its name, such as ``exp001``.
        out: A new folder.
        track: Wraps the numbers of the work units, for a progress bar.
        config: Fields of the experiment's config; the others have its defaults.

    Returns:
        The finished run; ``.results`` holds the data.

    Raises:
        UnknownNameError: No such experiment.
        ConfigError: An unknown field or a value of the wrong type.
        RunFolderError: ``out`` exists.
        StorageError: The file system refused.
        IredInterpError: What the experiment itself cannot do.
    """
    found = find_experiment(experiment)
    plain = {k: os.fspath(v) if isinstance(v, Path) else v for k, v in config.items()}
    planned = plan_run(found, config_from_mapping(found.Config, plain), Path(out))
    return finish(planned, track=track)


def resume(path: str | Path, *, track: Track = iter) -> Run:
    """Finish a run that was stopped; a finished one is left as it is.

    Raises:
        RunFolderError: Not a run folder, or a damaged one.
        StorageError: The file system refused.
    """
    return finish(open_run(path), track=track)


def finish(planned: Run, *, track: Track = iter) -> Run:
    """Execute what is missing of a run and write what is missing of its report.

    Raises:
        RunFolderError, StorageError, IredInterpError: As `run`.
    """
    done = execute(planned, track=track)
    if not done.report_path.is_file():
        write_report(done)
    return done
