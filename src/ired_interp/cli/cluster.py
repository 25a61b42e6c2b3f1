"""``submit``, ``fetch`` and ``cancel``: a run on a cluster."""

import argparse
import dataclasses
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from ired_interp import api
from ired_interp.choices import ClusterOverride, Watch
from ired_interp.cli.checked import (
    check_before_submission,
    skipped_checks,
    words_of_run,
)
from ired_interp.cli.codes import FAILED
from ired_interp.cli.config_options import config_of, words_of
from ired_interp.cluster.config import ClusterConfig, load_cluster
from ired_interp.cluster.fetching import cancel, fetch, last_attempt, update_ledger
from ired_interp.cluster.polling import EARLY_SECONDS, watch
from ired_interp.cluster.shell import Shell, open_shell
from ired_interp.cluster.submission import (
    Submission,
    place_of,
    planned_commit,
    preview,
    submit,
    units_to_submit,
)
from ired_interp.console import console, terminal
from ired_interp.errors import CannotAskError, ConfigError, UnknownNameError
from ired_interp.experiments import load, locate
from ired_interp.runs.failures import ranges
from ired_interp.runs.memory import read_size
from ired_interp.runs.run import Run, is_run_folder, open_run, plan_run

__all__ = ["cancel_run", "cluster_lines", "fetch_run", "submit_run"]

_WATCH: Mapping[Watch, float | None] = {"none": 0.0, "early": EARLY_SECONDS, "end": None}


def cluster_lines(run: Path, clusters: Path | None) -> list[str]:
    """How the tasks of a run stand, for ``status``.

    What cannot be asked is said to be unknown: the folder's own state is shown all the same.

    Args:
        run: The run folder, of a run that was submitted.
        clusters: Another clusters file than the user's.
    """
    name = last_attempt(run).place.cluster
    try:
        state = update_ledger(run, open_shell(load_cluster(name, clusters)))
    except (CannotAskError, ConfigError, UnknownNameError) as error:
        return [f"on {name}: not known, {error}"]
    return [f"on {name}: {state.summary()}", f"'ired-interp fetch {run}' brings what is done there"]


def submit_run(options: argparse.Namespace) -> int:
    """Check, plan where needed, send."""
    config = _overridden(load_cluster(options.cluster, options.clusters), options)
    shell = open_shell(config)
    if options.dry_run:
        sys.stdout.write(_preview(options, shell, config))
        return 0
    skip = skipped_checks(options)
    run = _checked_run(options, shell, config, skip)
    done = submit(
        run,
        shell,
        config,
        canary=not options.no_canary,
        allow_unpushed=options.allow_unpushed,
        skipped=skip,
        say=_say,
    )
    if done.id is None:
        _say(
            f"nothing to submit: {len(done.queued)} units are in the queue, the others are done; "
            f"'ired-interp fetch {run.path}' brings them."
        )
        return 0
    _say_submitted(done, config)
    seconds = _WATCH[options.watch]
    if seconds != 0.0:
        state = watch(run.path, shell, seconds=seconds, say=_say)
        if options.watch == "end":
            return _fetch_run(run, options.clusters)
        if state.failed():
            return FAILED
    _say(f"'ired-interp status {run.path}' asks again, 'ired-interp fetch {run.path}' fetches.")
    return 0


def _checked_run(
    options: argparse.Namespace, shell: Shell, config: ClusterConfig, skip: Sequence[str]
) -> Run:
    """The run folder that was named, or that is made from the experiment; after the preflight.

    Where nothing is to be submitted, nothing is checked.

    Raises:
        ConfigError: A check failed, and nothing was planned or sent.
    """
    chosen: dict[str, Any] = {
        "skip": skip,
        "fresh_env": options.fresh_env,
        "allow_unpushed": options.allow_unpushed,
    }
    folder = Path(options.target)
    if is_run_folder(folder):
        for name in ("out", "max_memory"):
            if getattr(options, name) is not None:
                raise ConfigError(f"--{name.replace('_', '-')}: {folder} is planned already.")
        run = open_run(folder)
        todo, _ = units_to_submit(run, shell, place_of(run, shell, config))
        if todo:
            check_before_submission(
                run.source.reference,
                words_of_run(run),
                config,
                shell,
                out=folder,
                project=run.source.project,
                commit=planned_commit(run),
                **chosen,
            )
        return run
    out = _out(options)
    check_before_submission(options.target, words_of(options), config, shell, out=out, **chosen)
    run = _planned(options, out)
    _say(f"planned {run.path}: {run.num_units} units")
    return run


def _preview(options: argparse.Namespace, shell: Shell, config: ClusterConfig) -> str:
    if is_run_folder(Path(options.target)):
        return preview(open_run(options.target), shell, config)
    out = _out(options)
    with tempfile.TemporaryDirectory() as draft:
        return preview(_planned(options, Path(draft) / out.name), shell, config, folder=out)


def _out(options: argparse.Namespace) -> Path:
    if options.out is None:
        raise ConfigError(
            f"submit: expected a run folder, or an experiment with --out, found "
            f"{options.target!r} alone."
        )
    return Path(options.out)


def _planned(options: argparse.Namespace, out: Path) -> Run:
    source = locate(options.target)
    experiment = load(source)
    return plan_run(
        experiment,
        config_of(options, experiment),
        out,
        source=source,
        max_memory=None if options.max_memory is None else read_size(options.max_memory),
    )


def _overridden(config: ClusterConfig, options: argparse.Namespace) -> ClusterConfig:
    changed: dict[str, Any] = {
        name: value
        for name in get_args(ClusterOverride)
        if (value := getattr(options, name)) is not None
    }
    if options.partitions is not None:
        changed["partitions"] = tuple(options.partitions.split(","))
    return dataclasses.replace(config, **changed)


def _say_submitted(done: Submission, config: ClusterConfig) -> None:
    jobs = ", ".join(str(number) for numbers in done.jobs.values() for number in numbers)
    _say(f"submitted units {ranges(done.units)} to {config.name}: jobs {jobs}")
    if done.no_room:
        _say(
            f"no room now for units {ranges(done.no_room)} ({done.why}). Submit again when some "
            "have ended, or put more units into a task (--units-per-task)."
        )


def fetch_run(options: argparse.Namespace) -> int:
    """Bring what is done."""
    return _fetch_run(open_run(options.folder), options.clusters)


def _fetch_run(run: Run, clusters: Path | None) -> int:
    shell = open_shell(_cluster_of(run.path, clusters))
    brought = fetch(run, shell, say=_say)
    faults = run.faults()
    done = run.num_units - len(faults)
    _say(f"{len(brought.files)} files are new; {done} of {run.num_units} units are done")
    if brought.state is not None:
        _say(f"on the cluster: {brought.state.summary()}")
    if not faults:
        finished = api.finish(run)
        out = terminal()
        out.print(f"results  {finished.results_path}", soft_wrap=True)
        out.print(f"report   {finished.report_path}", soft_wrap=True)
        return 0
    if brought.state is not None and not brought.state.queued:
        logs = f", as do the ends of {run.path}/logs/slurm-*.log" if brought.state.silent else ""
        _say(
            f"nothing is in the queue, and units {ranges(faults)} are missing: 'ired-interp status "
            f"{run.path}' says why{logs}; 'ired-interp submit {run.path} --cluster NAME' goes on."
        )
        return FAILED
    return 0


def cancel_run(options: argparse.Namespace) -> int:
    """Take its tasks out of the queue."""
    shell = open_shell(_cluster_of(options.folder, options.clusters))
    number = cancel(options.folder, shell)
    _say(f"cancelled {number} tasks; what is done stays, and 'ired-interp fetch' brings it.")
    return 0


def _cluster_of(run: Path, clusters: Path | None) -> ClusterConfig:
    return load_cluster(last_attempt(run).place.cluster, clusters)


def _say(line: str) -> None:
    console.print(line, soft_wrap=True)
