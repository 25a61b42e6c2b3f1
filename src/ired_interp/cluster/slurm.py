"""SLURM's commands: submit, try, ask, cancel. One question serves all jobs of a run.

Jobs are asked for by name, which is unique to a submission: a question by number fails as soon as
the controller has forgotten the job, and a number is lost if the connection breaks after sbatch.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ired_interp.cluster.limits import (
    Limits,
    Partition,
    ask_limits,
    head_room,
    max_array_size,
    partitions,
)
from ired_interp.cluster.shell import Completed, Shell, ask
from ired_interp.errors import CannotAskError, ClusterError

__all__ = [
    "AccountRow",
    "Limits",
    "Partition",
    "QueuedTask",
    "account_rows",
    "ask_limits",
    "cancel",
    "head_room",
    "max_array_size",
    "newest",
    "partitions",
    "queue_state",
    "submit_script",
    "test_only",
]

_NOT_ASKED = (
    "unable to contact slurm controller",
    "socket timed out",
    "connection refused",
    "zero bytes were transmitted",
    "configuration source",
    "unable to process configuration file",
    "communication connection failure",
    "command not found",
)
_PREFIX = re.compile(r"^(sbatch: )?(error: |fatal: )?")
_TASK = re.compile(r"(\d+)_(\d+)(?:\.(\w+))?")
_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
_COLUMNS = "JobID,State,ExitCode,ElapsedRaw,NodeList,Submit,MaxRSS"


@dataclass(frozen=True, slots=True)
class QueuedTask:
    """A task that is pending, running or being tidied up.

    Attributes:
        job_id: Of the array.
        index: In the array.
        name: Of the job.
        state: SLURM's word, such as ``PENDING``.
        reason: Why it is pending; ``None`` if it is not.
        node: Where it runs.
        partition: Where it was submitted.
    """

    job_id: int
    index: int
    name: str
    state: str
    reason: str
    node: str
    partition: str


@dataclass(frozen=True, slots=True)
class AccountRow:
    """One run of a task as accounting knows it; a requeued task has several.

    Attributes:
        job_id: Of the array.
        index: In the array.
        state: SLURM's word, such as ``COMPLETED`` or ``NODE_FAIL``.
        exit_code: Of the script.
        elapsed_seconds: Wall clock.
        node: Where it ran.
        submitted: When it entered the queue, as the cluster writes it.
        max_memory_bytes: The largest of its steps; 0 where accounting saw none.
    """

    job_id: int
    index: int
    state: str
    exit_code: int
    elapsed_seconds: int
    node: str
    submitted: str
    max_memory_bytes: int


def submit_script(shell: Shell, script: str, options: Sequence[str] = ()) -> int:
    """Put a script into the queue; returns the job's number.

    Raises:
        ClusterError: sbatch refused it; the message has its words.
        CannotAskError: No answer: it may or may not be in the queue.
    """
    done = shell.run(["sbatch", "--parsable", *options], stdin=script.encode())
    if done.returncode != 0:
        raise ClusterError(f"{shell.name}: sbatch refused: {_refusal(shell, done)}")
    return int(done.stdout.strip().splitlines()[-1].split(";")[0])


def test_only(shell: Shell, script: str, options: Sequence[str]) -> str | None:
    """Ask whether sbatch would take a script; nothing is submitted.

    Returns:
        The scheduler's refusal in its own words, or None if it would take it.

    Raises:
        CannotAskError: There is no sbatch, or its controller does not answer.
    """
    done = shell.run(["sbatch", "--test-only", *options], stdin=script.encode())
    return None if done.returncode == 0 else _refusal(shell, done)


def queue_state(shell: Shell, names: Sequence[str]) -> list[QueuedTask]:
    """What of these jobs is in the queue, task by task.

    Raises:
        CannotAskError: The controller did not answer: nothing is known.
    """
    if not names:
        return []
    words = ["squeue", "--me", "-h", "-r", "-o", "%F|%K|%j|%T|%r|%N|%P", f"--name={_joined(names)}"]
    found = []
    for line in ask(shell, words, "the queue").splitlines():
        job, index, name, state, reason, node, partition = line.split("|")
        if index.isdigit():
            found.append(QueuedTask(int(job), int(index), name, state, reason, node, partition))
    return found


def account_rows(shell: Shell, names: Sequence[str], since: str) -> list[AccountRow]:
    """Every run of every task of these jobs, oldest first.

    Args:
        shell: Where to ask.
        names: Of the jobs.
        since: ``YYYY-MM-DD``, not after the first submission on the cluster's own clock.

    Raises:
        CannotAskError: Accounting did not answer, or the site has none.
    """
    if not names:
        return []
    # -D: a requeued task's earlier runs, too
    words = ["sacct", "-n", "-P", "-D", "-S", since, f"--name={_joined(names)}", "-o", _COLUMNS]
    rows: list[AccountRow] = []
    memory: dict[tuple[int, int], int] = {}
    for line in ask(shell, words, "accounting").splitlines():
        job, state, code, elapsed, node, submitted, used = line.split("|")
        task = _TASK.fullmatch(job)
        if task is None:  # ``12_[3-9]``: not started, the queue has it
            continue
        key = (int(task[1]), int(task[2]))
        if task[3] is not None:
            memory[key] = max(memory.get(key, 0), _bytes(used))
            continue
        # "CANCELLED by 1000"; a signal stands behind the colon
        status, _, by_signal = code.partition(":")
        exit_code = int(status) or (128 + int(by_signal) if int(by_signal) else 0)
        word = state.split(" ")[0]
        rows.append(AccountRow(*key, word, exit_code, int(elapsed or 0), node, submitted, 0))
    last = newest(rows)
    return [
        AccountRow(
            row.job_id,
            row.index,
            row.state,
            row.exit_code,
            row.elapsed_seconds,
            row.node,
            row.submitted,
            memory.get((row.job_id, row.index), 0) if last[row.job_id, row.index] is row else 0,
        )
        for row in sorted(rows, key=lambda row: (row.job_id, row.index, row.submitted))
    ]


def newest(rows: Sequence[AccountRow]) -> dict[tuple[int, int], AccountRow]:
    """The last run of each task: a NODE_FAIL before it was requeued, and is no end."""
    return {(r.job_id, r.index): r for r in sorted(rows, key=lambda row: row.submitted)}


def cancel(shell: Shell, names: Sequence[str]) -> None:
    """Cancel every task of these jobs that is still in the queue.

    Raises:
        ClusterError: scancel refused.
        CannotAskError: No answer.
    """
    if names:
        done = shell.run(["scancel", "--me", f"--name={_joined(names)}"])
        if done.returncode != 0:
            raise ClusterError(f"{shell.name}: scancel failed: {_refusal(shell, done)}")


def _refusal(shell: Shell, done: Completed) -> str:
    lowered = done.words.lower()
    if any(words in lowered for words in _NOT_ASKED):
        raise CannotAskError(f"{shell.name}: SLURM does not answer: {done.words}")
    return "; ".join(_PREFIX.sub("", line) for line in done.words.splitlines())


def _joined(names: Sequence[str]) -> str:
    return ",".join(names)


def _bytes(text: str) -> int:
    if not text:
        return 0
    unit = text[-1] if text[-1] in _UNITS else ""
    return int(float(text.removesuffix(unit)) * _UNITS[unit])
