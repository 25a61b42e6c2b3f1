"""Units that failed: the traceback kept in the run's folder, and a summary that fits a screen."""

import json
import os
import platform
import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from ired_interp.provenance import job_name
from ired_interp.storage import guard, write_file

__all__ = [
    "Failure",
    "forget_failure",
    "of_error",
    "of_signal",
    "ranges",
    "read_failure",
    "summary_of",
]

_MOST_SHOWN, _MOST_LETTERS = 8, 600
_MEMORY = ("MemoryError", "OutOfMemoryError", "can't allocate memory", "signal 9")


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a unit failed, and where.

    Attributes:
        error: The exception's type, or ``Killed``.
        message: What it said.
        traceback: Where it was raised; empty where the process was killed.
        when: In UTC.
        host: The machine.
        pid: The process.
        job: The scheduler's job, if there was one.
        seconds: How long the unit had run.
    """

    error: str
    message: str
    traceback: str
    when: str
    host: str
    pid: int
    job: str | None
    seconds: float

    def write(self, folder: Path, index: int) -> None:
        """Keep it in the run's ``failures``.

        Raises:
            StorageError: The file system refused.
        """
        content = json.dumps(asdict(self), indent=1, ensure_ascii=False)
        # A traceback may hold file names that are no text.
        write_file(_path(folder, index), content.encode(errors="backslashreplace") + b"\n")


def of_error(error: BaseException, seconds: float) -> Failure:
    """Of an exception, with its traceback."""
    return _failure(type(error).__name__, str(error), _text(error), os.getpid(), seconds)


def of_signal(message: str, pid: int, seconds: float) -> Failure:
    """Of a process that ended without a word."""
    return _failure("Killed", message, "", pid, seconds)


def read_failure(folder: Path, index: int) -> Failure | None:
    """What was kept; None if the unit did not fail, or the file is damaged."""
    try:
        return Failure(**json.loads(_path(folder, index).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def forget_failure(folder: Path, index: int) -> None:
    """Remove what was kept: the unit is done.

    Raises:
        StorageError: The file system refused.
    """
    with guard(_path(folder, index)):
        _path(folder, index).unlink(missing_ok=True)


def summary_of(failures: Mapping[int, Failure], num_units: int, run: Path) -> str:
    """Which units failed and why, alike ones together; what to do."""
    groups: dict[tuple[str, str], list[int]] = {}
    for index, failure in sorted(failures.items()):
        groups.setdefault((failure.error, failure.message), []).append(index)
    several = len(failures) > 1
    lines = [f"{len(failures)} of {num_units} units failed:"]
    for (error, message), units in list(groups.items())[:_MOST_SHOWN]:
        said = message if len(message) <= _MOST_LETTERS else message[:_MOST_LETTERS] + " …"
        lines.append(f"  {'units' if len(units) > 1 else 'unit'} {ranges(units)}: {error}: {said}")
    if len(groups) > _MOST_SHOWN:
        lines.append(f"  … and {len(groups) - _MOST_SHOWN} other errors")
    if any(word in f"{error}: {message}" for error, message in groups for word in _MEMORY):
        lines.append(
            "Where they ran out of memory: ask for fewer problems at a time (--unit-problems, "
            "--max-memory) in a new run, or take a machine with more."
        )
    lines.append(
        f"{'Their tracebacks are' if several else 'Its traceback is'} in {run / 'failures'}. The "
        f"other units are kept; 'ired-interp resume {run}' tries "
        f"{'these' if several else 'this one'} again."
    )
    return "\n".join(lines)


def ranges(units: Iterable[int]) -> str:
    """Numbers as ``0, 3-7``."""
    spans: list[list[int]] = []
    for index in sorted(units):
        if spans and index == spans[-1][1] + 1:
            spans[-1][1] = index
        else:
            spans.append([index, index])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in spans)


def _failure(error: str, message: str, trace: str, pid: int, seconds: float) -> Failure:
    return Failure(
        error=error,
        message=message,
        traceback=trace,
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        host=platform.node(),
        pid=pid,
        job=job_name(),
        seconds=round(seconds, 3),
    )


def _text(error: BaseException) -> str:
    lines: Sequence[str] = traceback.format_exception(error)
    return "".join(lines)


def _path(folder: Path, index: int) -> Path:
    return folder / f"unit-{index:05d}.json"
