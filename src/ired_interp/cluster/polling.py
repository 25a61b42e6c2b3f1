"""How the tasks of a run stand, asked with one squeue and one sacct for all of them.

A round asks about everything at once. Most mistakes show within seconds of a start, so the first
minute is watched closely; after that once a minute.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from ired_interp.cluster import slurm
from ired_interp.cluster.causes import recognise
from ired_interp.cluster.ledger import Attempt, EndedTask, read_ledger
from ired_interp.cluster.shell import Shell
from ired_interp.errors import CannotAskError, SessionGoneError

__all__ = ["EARLY_SECONDS", "Round", "ask_round", "log_tail", "pauses", "watch", "with_causes"]

EARLY_SECONDS = 60.0
_CLOSE_SECONDS = 30.0
_FIRST_PAUSE, _LONGEST_PAUSE = 2.0, 60.0
# A controller may be away for a while, but nobody waits for ever for one that never answers.
_SILENT_SECONDS = 1800.0
_TAIL_LINES = 30
# A cluster's clock and time zone need not be this machine's.
_BEFORE = timedelta(days=2)
# The only failures that come in any number worth showing in full.
_MOST_SHOWN = 3
# Reasons that waiting alone does not cure.
_FOR_EVER = {
    "PartitionTimeLimit": "the time limit is over the partition's: lower time_minutes",
    "PartitionNodeLimit": "no node of the partition has what is asked for",
    "BadConstraints": "no node has what is asked for",
    "DependencyNeverSatisfied": "the canary failed",
    "JobHeldUser": "held by you: scontrol release",
    "JobHeldAdmin": "held by the cluster's administrators",
    "PartitionDown": "the partition is down",
    "PartitionInactive": "the partition is closed",
}


@dataclass(frozen=True)
class Round:
    """What one round of questions found.

    Attributes:
        queued: In the queue now.
        ended: Tasks that are not, by their last run.
        silent: Why accounting did not answer; empty if it did. How tasks ended is not known then.
    """

    queued: tuple[slurm.QueuedTask, ...]
    ended: tuple[EndedTask, ...]
    silent: str = ""

    def summary(self) -> str:
        """A line for a person."""
        states = Counter(task.state.lower() for task in self.queued)
        states.update("done" if task.done else task.state.lower() for task in self.ended)
        reasons = Counter(task.reason for task in self.queued if task.state == "PENDING")
        words = [f"{number} {state}" for state, number in sorted(states.items())]
        waiting = [
            f"{number} wait for {reason}"
            + (f": {_FOR_EVER[reason]}" if reason in _FOR_EVER else "")
            for reason, number in sorted(reasons.items())
        ]
        none = "nothing in the queue" if self.silent else "nothing known yet"
        line = ", ".join(words) or none
        line = f"{line} ({'; '.join(waiting)})" if waiting else line
        return f"{line}; how tasks ended is not known: {self.silent}" if self.silent else line

    def failed(self) -> list[EndedTask]:
        """Tasks that ended without having done their units."""
        return [task for task in self.ended if not task.done]


def ask_round(shell: Shell, attempts: Sequence[Attempt]) -> Round:
    """Ask once for all tasks of these attempts.

    A task that is in the queue has not ended, whatever accounting says of its earlier runs; one
    that accounting does not know (yet) is in neither list. Where accounting is switched off or does
    not answer, the queue alone is known.

    Raises:
        CannotAskError, SessionGoneError: The queue is not known.
    """
    names = [name for attempt in attempts for name in attempt.names]
    if not names:
        return Round((), ())
    # Accounting first: a task that ends in between is in neither list, and in the next round's.
    since = min(datetime.fromisoformat(attempt.time) for attempt in attempts) - _BEFORE
    rows: list[slurm.AccountRow] = []
    silent = ""
    try:
        rows = slurm.account_rows(shell, names, f"{since:%Y-%m-%d}")
    except SessionGoneError:
        raise
    except CannotAskError as error:
        silent = str(error)
    queued = slurm.queue_state(shell, names)
    waiting = {(task.job_id, task.index) for task in queued}
    name_of = {
        job: array.name for attempt in attempts for array in attempt.arrays for job in array.jobs
    }
    runs: dict[tuple[int, int], list[slurm.AccountRow]] = {}
    for row in rows:
        if row.job_id in name_of and (row.job_id, row.index) not in waiting:
            runs.setdefault((row.job_id, row.index), []).append(row)
    ended = []
    for (job, index), all_runs in sorted(runs.items()):
        last = all_runs[-1]
        if last.state in ("PENDING", "RUNNING", "REQUEUED", "COMPLETING", "SUSPENDED"):
            continue
        ended.append(
            EndedTask(
                name=name_of[job],
                job=f"{job}_{index}",
                index=index,
                state=last.state,
                exit_code=last.exit_code,
                node=last.node,
                elapsed_seconds=last.elapsed_seconds,
                max_memory_bytes=last.max_memory_bytes,
                earlier=tuple(row.state for row in all_runs[:-1]),
            )
        )
    return Round(tuple(queued), tuple(ended), silent)


def log_tail(shell: Shell, run: str, job: str, lines: int = _TAIL_LINES) -> str | None:
    """The end of a task's log; None where there is none.

    Raises:
        CannotAskError, SessionGoneError: No answer.
    """
    path = f"{run}/logs/slurm-{job}.log"
    done = shell.run(["tail", "-n", str(lines), "--", path])
    return done.stdout if done.returncode == 0 else None


def pauses() -> Iterator[float]:
    """Seconds between rounds: close for half a minute, then twice as long each time to a minute."""
    spent, pause = 0.0, _FIRST_PAUSE
    while True:
        yield pause
        spent += pause
        if spent >= _CLOSE_SECONDS:
            pause = min(2 * pause, _LONGEST_PAUSE)


def watch(
    run: Path,
    shell: Shell,
    *,
    seconds: float | None = EARLY_SECONDS,
    say: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
) -> Round:
    """Follow a run's tasks; what fails is shown at once, with the end of its log.

    Args:
        run: The run folder here.
        shell: Where to ask.
        seconds: How long; None until all have ended.
        say: Gets a line whenever something changed.
        sleep: Waits.

    Raises:
        SessionGoneError: The session closed; the jobs go on without it.
        CannotAskError: The queue did not answer for half an hour.
    """
    attempts = [attempt for attempt in read_ledger(run) if attempt.cancelled is None]
    expected = sum(attempt.num_tasks for attempt in attempts)
    shown: set[str] = set()
    spent, heard, last, now, empty = 0.0, 0.0, "", Round((), ()), 0
    for pause in pauses():
        begin = time.monotonic()
        try:
            now = ask_round(shell, attempts)
        except SessionGoneError:
            raise
        except CannotAskError as error:
            line = f"cannot ask ({error}); the jobs are not touched by that"
            silence = spent - heard
            if silence > _SILENT_SECONDS:
                raise CannotAskError(
                    f"{error} So it has been for {silence / 60:.0f} minutes, and this no longer "
                    f"waits; the jobs go on. 'ired-interp fetch {run}' asks again."
                ) from error
        else:
            line = now.summary()
            empty = 0 if now.queued else empty + 1
            heard = spent
        if line != last:
            say(line)
            last = line
        fresh = [task for task in now.failed() if task.job not in shown]
        for task in fresh[: max(0, _MOST_SHOWN - len(shown))]:
            say(_failure(shell, attempts, task))
        shown |= {task.job for task in fresh}
        spent += time.monotonic() - begin  # an answer may take a minute, too
        over = empty > 0 and len(now.ended) >= expected
        # twice: accounting may be a moment behind the queue, or not know of what was refused
        if over or empty > 1 or (seconds is not None and spent + pause > seconds):
            return now
        sleep(pause)
        spent += pause
    raise AssertionError("pauses() does not end")


def with_causes(
    shell: Shell, attempts: Sequence[Attempt], tasks: Sequence[EndedTask]
) -> list[EndedTask]:
    """The tasks, each failed one with the cause that its log tells.

    Raises:
        CannotAskError, SessionGoneError: No answer.
    """
    place = {name: attempt.place.run for attempt in attempts for name in attempt.names}
    told = []
    for task in tasks:
        log = None if task.done else log_tail(shell, place[task.name], task.job)
        told.append(replace(task, cause=recognise(task.state, task.exit_code, log or "")))
    return told


def _failure(shell: Shell, attempts: Sequence[Attempt], task: EndedTask) -> str:
    (place,) = {a.place.run for a in attempts if task.name in a.names}
    try:
        log = log_tail(shell, place, task.job)
    except SessionGoneError:
        raise
    except CannotAskError as error:
        return f"task {task.job} ended as {task.state}; its log cannot be asked for: {error}"
    cause = recognise(task.state, task.exit_code, log or "")
    head = f"task {task.job} ended as {task.state} on {task.node or 'no node'}: {cause}"
    body = "".join(f"    {line}\n" for line in (log or "there is no log").splitlines())
    return f"{head}\n  {place}/logs/slurm-{task.job}.log\n{body}".rstrip("\n")
