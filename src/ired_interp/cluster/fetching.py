"""Bring back what a run's tasks wrote, complete the ledger, and cancel."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ired_interp.cluster import ledger, slurm
from ired_interp.cluster.ledger import Attempt, read_ledger
from ired_interp.cluster.polling import Round, ask_round, with_causes
from ired_interp.cluster.shell import Shell
from ired_interp.errors import CannotAskError, ConfigError, SessionGoneError
from ired_interp.runs.run import Run
from ired_interp.storage import guard

__all__ = ["Fetched", "cancel", "fetch", "last_attempt"]

_LOG = logging.getLogger(__name__)

# The ledger and the plan stay those of this side; what is being computed is asked of the queue.
_BROUGHT = (
    "+ /shards/",
    "+ /shards/unit-*",
    "+ /failures/",
    "+ /failures/unit-*.json",
    "+ /logs/",
    "+ /logs/*.log",
    "- *",
)


@dataclass(frozen=True)
class Fetched:
    """What a ``fetch`` brought.

    Attributes:
        files: Paths in the run folder that are new or changed.
        state: How the tasks stand; None if the scheduler could not be asked.
    """

    files: tuple[str, ...]
    state: Round | None


def fetch(run: Run, shell: Shell, *, say: Callable[[str], None] = _LOG.info) -> Fetched:
    """Copy new shards, failures and logs here; write down how the tasks ended.

    Only what changed is sent. A shard that is damaged here is fetched again.

    Raises:
        ConfigError: The run was never submitted.
        ClusterError: rsync failed.
        SessionGoneError, CannotAskError: No answer.
        StorageError: The file system refused.
    """
    place = last_attempt(run.path).place
    files: list[str] = []
    if not shell.is_local:
        for index, fault in run.faults().items():
            if fault.kind == "damaged":
                path = run.path / "shards" / f"unit-{index:05d}.h5"
                with guard(path):
                    path.unlink(missing_ok=True)
        files = shell.copy_from(place.run, run.path, only=_BROUGHT)
        _forget_mended_failures(run)
    state = None
    try:
        state = update_ledger(run.path, shell)
    except SessionGoneError:
        raise
    except CannotAskError as error:
        say(f"the files are here; how the tasks stand is not known: {error}")
    return Fetched(tuple(files), state)


def update_ledger(run: Path, shell: Shell) -> Round:
    """Ask how the tasks stand, and write down what ended since it was asked last.

    Raises:
        CannotAskError, SessionGoneError: No answer.
        StorageError: The file system refused.
    """
    attempts = read_ledger(run)
    state = ask_round(shell, attempts)
    for attempt in attempts:
        known = {(task.job, task.state, len(task.earlier)) for task in attempt.ended}
        fresh = [
            task
            for task in state.ended
            if task.name in attempt.names and (task.job, task.state, len(task.earlier)) not in known
        ]
        if fresh:
            told = with_causes(shell, [attempt], fresh)
            ledger.append(run, "ended", submission=attempt.id, tasks=ledger.ended_event(told))
    return state


def cancel(run: Path, shell: Shell) -> int:
    """Cancel what is in the queue; what is done stays. Returns how many tasks that were.

    Raises:
        ConfigError: The run was never submitted.
        ClusterError, CannotAskError, SessionGoneError: It is not known whether they are cancelled.
    """
    last_attempt(run)
    attempts = read_ledger(run)
    names = [name for attempt in attempts for name in attempt.names]
    queued = {task.name for task in slurm.queue_state(shell, names)}
    number = len(slurm.queue_state(shell, sorted(queued)))
    slurm.cancel(shell, sorted(queued))
    for attempt in attempts:
        if queued & set(attempt.names):
            ledger.append(run, "cancelled", submission=attempt.id)
    return number


def last_attempt(run: Path) -> Attempt:
    """The newest submission.

    Raises:
        ConfigError: There is none.
    """
    attempts = read_ledger(run)
    if not attempts:
        raise ConfigError(
            f"{run} was never submitted: expected a run with a submissions.jsonl. Submit it with "
            f"'ired-interp submit {run} --cluster NAME'."
        )
    return attempts[-1]


def _forget_mended_failures(run: Run) -> None:
    """A failure that was fetched once and mended on the cluster since."""
    for path in sorted((run.path / "failures").glob("unit-*.json")):
        if (run.path / "shards" / path.with_suffix(".h5").name).exists():
            with guard(path):
                path.unlink(missing_ok=True)
