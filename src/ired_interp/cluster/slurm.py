"""SLURM's commands: submit, try, ask, cancel. One question serves all jobs of a run.

Jobs are asked for by name, which is unique to a submission: a question by number fails as soon as
the controller has forgotten the job, and a number is lost if the connection breaks after sbatch.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ired_interp.cluster.answers import NONE, not_understood, table
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
    "connection timed out",
    "connection reset",
    "network is unreachable",
    "no route to host",
    "unable to establish",
    "standby mode",
    "temporarily unable to accept job",
    "accounting storage is disabled",
    "command not found",
    "cannot be started",
)
_PREFIX = re.compile(r"^(sbatch: )?(error: |fatal: )?")
_NUMBER = re.compile(r"(?:Submitted batch job )?(\d+)(?:;\S+| on cluster \S+)?")
_TASK = re.compile(r"(\d+)_(\d+)(?:\.(\w+))?")
_BYTES = re.compile(r"(\d+(?:\.\d+)?)([KMGTPE]?)")
_MOST_SHOWN = 300
_UNITS = {unit: 1024**power for power, unit in enumerate(("", "K", "M", "G", "T", "P", "E"))}
# ``4711``, and where -r is not known ``4711_[3-9%2]``; ``5``, ``3-9%2``, ``[1,4-8:2]`` or ``N/A``.
_QUEUE = {
    "job": r"\d+(?:_[^|]*)?",
    "index": r"[^|]*",
    "name": r"[^|]*",
    "state": r"[A-Z_]+",
    "reason": r"[^|]*",
    "node": r"[^|]*",
    "partition": r"[^|]*",
}
_RANGE = re.compile(r"(\d+)(?:-(\d+))?(?::(\d+))?")
_ACCOUNTING = {
    "JobID": r"\d+(?:[_.+][^|]*)?",
    "State": r"[A-Z][^|]*",
    "ExitCode": r"\d+:\d+|N/A|\(null\)|",
    "ElapsedRaw": r"\d+|N/A|\(null\)|UNLIMITED|INVALID|",
    "NodeList": r"[^|]*",
    "Submit": r"[^|]*",
    "MaxRSS": r"[^|]*",
}


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
    # what a site's own sbatch prints around it has no line that is a number
    lines = [line.strip() for line in done.stdout.split("\n")[:-1]]
    numbers = {int(found[1]) for line in lines if (found := _NUMBER.fullmatch(line))}
    if done.returncode != 0 and not numbers:
        raise ClusterError(f"{shell.name}: sbatch refused: {_refusal(shell, done)}")
    if done.returncode != 0 or len(numbers) != 1:
        raise CannotAskError(
            f"{shell.name}: sbatch ended with exit code {done.returncode}: expected a line with "
            f"the job's number, found {(done.stdout or done.stderr)[-_MOST_SHOWN:]!r}. The job may "
            "be in the queue; 'submit' again looks for it there by its name."
        )
    return numbers.pop()


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
    # with the heading, without which an empty queue looks like no answer
    words = ["squeue", "--me", "-r", "-o", "%F|%K|%j|%T|%r|%N|%P", f"--name={_joined(names)}"]
    asked = f"{shell.name}: the queue"
    return [
        QueuedTask(
            int(row["job"].partition("_")[0]),
            index,
            row["name"],
            row["state"],
            row["reason"],
            row["node"],
            row["partition"],
        )
        for row in table(ask(shell, words, "the queue"), _QUEUE, asked)
        if row["name"] in names
        for index in _indices(row, asked)
    ]


def _indices(row: Mapping[str, str], asked: str) -> list[int]:
    """The tasks of a row; none where the job is no array."""
    text = row["index"]
    if text in NONE:
        text = row["job"].partition("_")[2]
    found: list[int] = []
    for part in text.strip("[]").partition("%")[0].split(",") if text else ():
        numbers = _RANGE.fullmatch(part)
        if numbers is None:  # as "1,3,..." of a long list
            raise not_understood(asked, "the index of a task", "|".join(row.values()))
        first = int(numbers[1])
        found += range(first, int(numbers[2] or first) + 1, int(numbers[3] or 1) or 1)
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
    words = ["sacct", "-n", "-P", "-D", "-S", since, f"--name={_joined(names)}"]
    words += ["-o", ",".join(_ACCOUNTING)]
    rows: list[AccountRow] = []
    memory: dict[tuple[int, int], int] = {}
    asked = f"{shell.name}: accounting"
    for row in table(ask(shell, words, "accounting"), _ACCOUNTING, asked):
        task = _TASK.fullmatch(row["JobID"])
        if task is None:  # ``12_[3-9]``: not started, the queue has it
            continue
        key = (int(task[1]), int(task[2]))
        if task[3] is not None:
            memory[key] = max(memory.get(key, 0), _bytes(row["MaxRSS"]))
            continue
        # a signal stands behind the colon
        code = "0:0" if row["ExitCode"] in NONE else row["ExitCode"]
        status, _, by_signal = code.partition(":")
        rows.append(
            AccountRow(
                *key,
                state=row["State"].split(" ")[0].rstrip("+"),  # "CANCELLED by 1000"
                exit_code=int(status) or (128 + int(by_signal) if int(by_signal) else 0),
                elapsed_seconds=int(row["ElapsedRaw"]) if row["ElapsedRaw"].isdecimal() else 0,
                node=row["NodeList"],
                submitted=row["Submit"],
                max_memory_bytes=0,
            )
        )
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
    """``300M``; 0 where accounting saw none, whatever its word for that is."""
    found = _BYTES.fullmatch(text)
    return 0 if found is None else int(float(found[1]) * _UNITS[found[2]])
