"""The ledger of a run: every submission, what became of it, what the next one changed.

``submissions.jsonl`` holds one event a line and is only ever appended to, so that a process killed
at any moment leaves at worst a torn last line. Which units a task has stands in ``tasks/``, in the
list that was frozen when it was submitted.
"""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ired_interp.errors import RunFolderError
from ired_interp.storage import guard, read_json, to_json, write_file

__all__ = [
    "Array",
    "Attempt",
    "EndedTask",
    "Place",
    "append",
    "ended_event",
    "has_ledger",
    "read_ledger",
    "read_tasks",
    "tasks_path",
    "write_tasks",
]

_FILE = "submissions.jsonl"
_FORMAT = "ired-interp-tasks"
_VERSION = 1


@dataclass(frozen=True)
class Place:
    """Where a run is executed.

    Attributes:
        cluster: Table of the clusters file.
        host: Of the user's ssh configuration; None for this machine.
        run: The run folder there.
    """

    cluster: str
    host: str | None
    run: str


@dataclass(frozen=True)
class EndedTask:
    """How a task ended.

    Attributes:
        name: Of its array.
        job: ``ARRAY_INDEX``.
        index: In the frozen list.
        state: SLURM's word.
        exit_code: Of the script.
        node: The last one it ran on.
        elapsed_seconds: Of its last run.
        max_memory_bytes: Of its last run; 0 where accounting saw none.
        earlier: States in which earlier runs of it ended, oldest first.
        cause: What was recognised in its log; empty if it did what it should.
    """

    name: str
    job: str
    index: int
    state: str
    exit_code: int
    node: str
    elapsed_seconds: int
    max_memory_bytes: int
    earlier: tuple[str, ...] = ()
    cause: str = ""

    @property
    def done(self) -> bool:
        """Whether all its units were computed."""
        return self.state == "COMPLETED" and self.exit_code == 0


@dataclass(frozen=True)
class Array:
    """One job array: tasks of one name, in one or two jobs (the canary is one of its own).

    Attributes:
        name: Of the jobs.
        partition: Where they were to go.
        jobs: Numbers that sbatch gave.
        num_tasks: How many tasks it took.
        refused: Its words, if it did not take them.
    """

    name: str
    partition: str | None
    jobs: tuple[int, ...] = ()
    num_tasks: int = 0
    refused: str | None = None


@dataclass(frozen=True)
class Attempt:
    """One ``submit``.

    Attributes:
        id: Unique to it, and readable.
        time: UTC.
        place: Where.
        sha: The commit that ran.
        unpushed: Whether the commit was on no remote, and the user said so.
        resources: What was asked of the cluster.
        arrays: What was put into the queue.
        cancelled: When the user cancelled it.
        ended: How its tasks ended, as far as known.
        skipped: Checks of the preflight that the user left out.
    """

    id: str
    time: str
    place: Place
    sha: str
    unpushed: bool
    resources: Mapping[str, Any]
    arrays: tuple[Array, ...] = ()
    cancelled: str | None = None
    ended: tuple[EndedTask, ...] = field(default=())
    skipped: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """Job names, also of arrays whose number was never learned."""
        return [array.name for array in self.arrays]

    @property
    def num_tasks(self) -> int:
        """How many tasks the cluster took."""
        return sum(array.num_tasks for array in self.arrays)

    @property
    def jobs(self) -> list[int]:
        """Job numbers that are known."""
        return [job for array in self.arrays for job in array.jobs]


def has_ledger(run: Path) -> bool:
    """Whether the run was ever submitted."""
    return (run / _FILE).is_file()


def append(run: Path, event: str, **content: Any) -> None:
    """Write one event down, and wait until the disk has it.

    Raises:
        StorageError: The file system refused.
    """
    line = {"event": event, "time": datetime.now(UTC).isoformat(timespec="seconds"), **content}
    path = run / _FILE
    with guard(path), path.open("a+b") as stream:
        if stream.tell() > 0:
            stream.seek(-1, os.SEEK_END)
            if stream.read(1) != b"\n":  # torn by a kill: the new line must not be lost with it
                stream.write(b"\n")
        stream.write(json.dumps(line, ensure_ascii=False).encode(errors="backslashreplace") + b"\n")
        stream.flush()
        os.fsync(stream.fileno())


def read_ledger(run: Path) -> list[Attempt]:
    """All attempts, oldest first; none if the run was never submitted.

    Raises:
        RunFolderError: The file cannot be read.
    """
    attempts: dict[str, Attempt] = {}
    for event in _events(run / _FILE):
        try:
            _apply(attempts, event)
        except (KeyError, TypeError, ValueError) as error:
            raise RunFolderError(
                f"{run / _FILE}: an event {event.get('event')!r} lacks {error}: it is damaged."
            ) from error
    return list(attempts.values())


def tasks_path(name: str) -> str:
    """The frozen list of an array, relative to the run folder."""
    return f"tasks/{name}.json"


def write_tasks(run: Path, name: str, tasks: Iterable[Iterable[int]]) -> None:
    """Freeze which units each task has: entry i is the list of task i.

    Raises:
        StorageError: The file system refused.
    """
    head = {"format": _FORMAT, "version": _VERSION, "tasks": []}
    path = run / tasks_path(name)
    with guard(path):
        path.parent.mkdir(exist_ok=True)
    # one task a line, so that a person finds it
    rows = ",\n".join(f"    {json.dumps(list(task))}" for task in tasks)
    write_file(path, to_json(head).decode().replace("[]", f"[\n{rows}\n  ]").encode())


def read_tasks(run: Path, name: str) -> list[list[int]]:
    """The frozen list; empty if the submission died before it was written.

    Raises:
        RunFolderError: It is damaged.
    """
    path = run / tasks_path(name)
    if not path.is_file():
        return []
    tasks: list[list[int]] = read_json(path)["tasks"]
    return tasks


def _events(path: Path) -> list[dict[str, Any]]:
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RunFolderError(f"{path} cannot be read ({error}).") from error
    found: list[dict[str, Any]] = []
    for line in lines:
        try:
            content = json.loads(line) if line else None
        except ValueError:  # torn by a kill; what it would have said is asked of the cluster
            continue
        if isinstance(content, dict):
            found.append(content)
    return found


def _apply(attempts: dict[str, Attempt], event: dict[str, Any]) -> None:
    kind, key = event["event"], event["submission"]
    if kind == "submitting":
        attempts[key] = Attempt(
            id=key,
            time=event["time"],
            place=Place(**event["place"]),
            sha=event["sha"],
            unpushed=event["unpushed"],
            skipped=tuple(event.get("skipped", ())),
            resources=event["resources"],
        )
        return
    attempt = attempts[key]
    if kind == "array":
        array = Array(event["name"], event["partition"])
        attempts[key] = replace(attempt, arrays=(*attempt.arrays, array))
    elif kind in ("submitted", "refused"):
        arrays = tuple(
            _with(array, event) if array.name == event["name"] else array
            for array in attempt.arrays
        )
        attempts[key] = replace(attempt, arrays=arrays)
    elif kind == "cancelled":
        attempts[key] = replace(attempt, cancelled=event["time"])
    elif kind == "ended":
        tasks = {(task.name, task.index): task for task in attempt.ended}
        for row in event["tasks"]:
            task = EndedTask(**{**row, "earlier": tuple(row["earlier"])})
            tasks[task.name, task.index] = task
        attempts[key] = replace(attempt, ended=tuple(tasks.values()))


def _with(array: Array, event: Mapping[str, Any]) -> Array:
    if event["event"] == "refused":
        return replace(array, refused=event["words"])
    jobs = (*array.jobs, int(event["job"]))
    # another partition may have taken what one refused
    return replace(array, jobs=jobs, num_tasks=array.num_tasks + event["tasks"], refused=None)


def ended_event(tasks: Iterable[EndedTask]) -> list[dict[str, Any]]:
    """How tasks ended, ready for `append`."""
    return [asdict(task) for task in tasks]
