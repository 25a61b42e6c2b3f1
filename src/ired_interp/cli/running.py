"""``run``, ``resume`` and ``work``: plan, execute, collate, report."""

import argparse
import os
import platform
import sys
import webbrowser
from pathlib import Path
from typing import Any

import torch

from ired_interp import api
from ired_interp.cli.codes import FAILED, INTERRUPTED, STOPPED
from ired_interp.cli.config_options import config_of
from ired_interp.cli.training import resume_folder
from ired_interp.cli.verdicts import print_verdicts
from ired_interp.console import console, no_lost_interrupt, stop_on_term, terminal, tracker
from ired_interp.errors import ConfigError, RunFolderError
from ired_interp.experiments import load, locate
from ired_interp.experiments.config import config_to_mapping
from ired_interp.models.trainer import is_training_folder
from ired_interp.report.terminal import results_table
from ired_interp.runs.computing import compute_units
from ired_interp.runs.execution import execute
from ired_interp.runs.failures import summary_of
from ired_interp.runs.folder import worker_log
from ired_interp.runs.memory import read_size
from ired_interp.runs.run import Run, is_run_folder, open_run, plan_run
from ired_interp.runs.units import parse_units
from ired_interp.storage import guard

__all__ = ["resume", "run", "work"]


def run(options: argparse.Namespace) -> int:
    """Plan, execute, report."""
    _check_count("--workers", options.workers)
    if options.threads is not None:
        _check_count("--threads", options.threads)
        torch.set_num_threads(options.threads)
    source = locate(options.experiment)
    experiment = load(source)
    config = config_of(options, experiment)
    experiment.check_here(config)
    name = f"{experiment.name}-{model}" if (model := _model_of(config)) else experiment.name
    run = plan_run(
        experiment,
        config,
        options.out or Path("runs") / name,
        source=source,
        max_memory=None if options.max_memory is None else read_size(options.max_memory),
    )
    return _finish(run, workers=options.workers, show=options.open)


def _check_count(name: str, value: int) -> None:
    if value < 1:
        raise ConfigError(f"{name}: expected at least 1, found {value}.")


def _model_of(config: Any) -> str | None:
    """The model's name, of an experiment that is about one."""
    model = config_to_mapping(config).get("model")
    return Path(model).stem if isinstance(model, str) else None


def resume(options: argparse.Namespace) -> int:
    """Finish what was stopped."""
    if is_training_folder(options.folder):
        return resume_folder(options.folder, options.steps)
    _check_count("--workers", options.workers)
    if options.steps is not None:
        raise ConfigError(f"--steps: {options.folder} is no training folder.")
    if not is_run_folder(options.folder):
        raise RunFolderError(
            f"{options.folder}: expected a run folder (with run.json) or a training folder (with "
            "train.json), found neither."
        )
    run = open_run(options.folder)
    if run.finished and run.report_path.is_file():
        console.print(f"{run.path} is finished: {run.report_path}", soft_wrap=True)
        return 0
    return _finish(run, workers=options.workers, show=False)


def work(options: argparse.Namespace) -> int:
    """Compute some units."""
    run = open_run(options.folder, project=options.project, files=options.files)
    units = (
        list(range(run.num_units))
        if options.units is None
        else parse_units(options.units, run.num_units)
    )
    with guard(run.path / "logs"):
        (run.path / "logs").mkdir(exist_ok=True)
    count = tracker("units", len(units))
    try:
        with stop_on_term() as should_stop, no_lost_interrupt(count) as track:
            outcome = compute_units(
                run,
                units,
                track=track,
                should_stop=should_stop,
                log=worker_log(run.path, platform.node(), os.getpid()),
            )
    except KeyboardInterrupt:
        _say_stopped(run)
        return INTERRUPTED
    if outcome.failed:
        console.print(summary_of(outcome.failed, run.num_units, run.path), soft_wrap=True)
    if outcome.stopped:
        _say_stopped(run)
        return STOPPED
    return FAILED if outcome.failed else 0


def _finish(run: Run, *, workers: int, show: bool) -> int:
    left = len(run.undone())
    _warn_of_threads(run, min(workers, left))
    track = tracker("units", run.num_units, done=run.num_units - left)
    try:
        with stop_on_term() as should_stop, no_lost_interrupt(track) as safe:
            execute(run, workers=workers, track=safe, should_stop=should_stop)
            if run.finished:
                run = run.loaded()
                api.complete_report(run)
    except KeyboardInterrupt:
        _say_stopped(run)
        return INTERRUPTED
    if not run.finished:
        _say_stopped(run)
        return STOPPED
    model = _model_of(run.config)
    title = f"{run.experiment.name} · {model}" if model else run.experiment.name
    out = terminal()
    out.print(results_table(run, title))
    print_verdicts(run, out)
    out.print(f"results  {run.results_path}\nreport   {run.report_path}", soft_wrap=True)
    if show and sys.stdout.isatty():
        webbrowser.open(run.report_path.resolve().as_uri())
    return 0


def _warn_of_threads(run: Run, workers: int) -> None:
    threads, cores = int(run.provenance["threads"]), os.cpu_count() or 1
    if workers > 1 and workers * threads > cores:
        console.print(
            f"{workers} workers of {threads} threads each on {cores} cores wait for one another; a "
            "run planned with --threads 1 would be faster.",
            soft_wrap=True,
        )


def _say_stopped(run: Run) -> None:
    if run.finished:
        console.print(
            f"stopped: {run.results_path} is complete; 'ired-interp resume {run.path}' writes the "
            "report.",
            soft_wrap=True,
        )
        return
    done = run.num_units - len(run.undone())
    console.print(
        f"stopped: {done} of {run.num_units} units are done and kept; "
        f"'ired-interp resume {run.path}' goes on.",
        soft_wrap=True,
    )
