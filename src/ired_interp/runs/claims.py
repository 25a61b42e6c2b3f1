"""Who computes which unit at the moment: claims that end with the process that holds them.

A unit is a pure function, so two processes that compute the same one write the same bytes. A claim
saves that work, and lets others see where it is done; nothing depends on it. It is a lock of the
file system, which the system takes back from a process that was killed, and a note with host,
process and time that is written again every few seconds, for machines that do not share locks.
"""

import contextlib
import errno
import fcntl
import json
import logging
import os
import platform
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Literal

from ired_interp.errors import StorageError
from ired_interp.runs.provenance import job_name
from ired_interp.runs.storage import guard, write_note

__all__ = ["Holder", "claim", "forget", "holder_of"]

_LOG = logging.getLogger(__name__)

_BEAT_SECONDS = 15.0
# A holder that was not heard of for so long is taken for dead where its lock cannot be asked.
_SILENT_SECONDS = 120.0
_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}
_Lock = Literal["ours", "theirs", "unknown"]


@dataclass(frozen=True)
class Holder:
    """The process that computes a unit.

    Attributes:
        host: Its machine.
        pid: Its number there.
        started: When it began with the unit, in UTC.
        job: The scheduler's job, if there is one.
        beat: When it was last heard of.
    """

    host: str
    pid: int
    started: str
    job: str | None
    beat: str


@contextlib.contextmanager
def claim(folder: Path, index: int) -> Iterator[bool]:
    """Hold a unit while it is computed.

    Args:
        folder: The run's ``running``.
        index: Of the unit.

    Yields:
        Whether the unit is ours; if not, another process is at work on it.

    Raises:
        StorageError: The file system refused.
    """
    with contextlib.ExitStack() as stack:
        lock, stream = _lock(folder, index)
        if stream is not None:
            stack.callback(stream.close)
        if (lock != "ours" or _is_elsewhere(folder, index)) and _heard_of(folder, index):
            yield False
            return
        started = _now()
        _beat(folder, index, started)
        stop = threading.Event()
        beating = threading.Thread(
            target=_keep_beating, args=(folder, index, started, stop), daemon=True
        )
        beating.start()
        try:
            yield True
        finally:
            stop.set()
            beating.join()
            # Before the lock is let go: the next holder's files are not ours to remove.
            _note(folder, index).unlink(missing_ok=True)
            if lock == "ours":
                _lock_path(folder, index).unlink(missing_ok=True)


def holder_of(folder: Path, index: int) -> Holder | None:
    """The live process that computes a unit; None if none does."""
    found = _read(folder, index)
    if found is None:
        return None
    if found.host != platform.node():
        return found if _heard_of(folder, index) else None
    try:
        with _lock_path(folder, index).open("rb+") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return found
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            return None
        return found if _heard_of(folder, index) else None
    return None


def forget(folder: Path, index: int) -> None:
    """Remove what a process that is known to be dead left behind."""
    _note(folder, index).unlink(missing_ok=True)
    _lock_path(folder, index).unlink(missing_ok=True)


def _lock(folder: Path, index: int) -> tuple[_Lock, IO[bytes] | None]:
    path = _lock_path(folder, index)
    while True:
        with guard(path):
            stream = path.open("ab")
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            stream.close()
            if error.errno in _NO_LOCKS:
                _LOG.info("%s: no locks on this file system; going by notes alone", folder)
                return "unknown", None
            return "theirs", None
        # The last holder may have removed the file between our open and our lock.
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_ino == os.fstat(stream.fileno()).st_ino:
                return "ours", stream
        stream.close()


def _read(folder: Path, index: int) -> Holder | None:
    try:
        return Holder(**json.loads(_note(folder, index).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def _is_elsewhere(folder: Path, index: int) -> bool:
    """Whether the note is of another machine, whose lock this one may not see."""
    found = _read(folder, index)
    return found is not None and found.host != platform.node()


def _heard_of(folder: Path, index: int) -> bool:
    try:
        return time.time() - _note(folder, index).stat().st_mtime < _SILENT_SECONDS
    except FileNotFoundError:
        # A lock that is held and no note yet: its holder is between the two.
        return _lock_is_held(folder, index)


def _lock_is_held(folder: Path, index: int) -> bool:
    try:
        with _lock_path(folder, index).open("rb+") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _beat(folder: Path, index: int, started: str) -> None:
    holder = Holder(platform.node(), os.getpid(), started, job_name(), _now())
    write_note(_note(folder, index), json.dumps(asdict(holder)).encode() + b"\n")


def _keep_beating(folder: Path, index: int, started: str, stop: threading.Event) -> None:
    while not stop.wait(_BEAT_SECONDS):
        try:
            _beat(folder, index, started)
        except StorageError as error:  # the unit itself meets the full disk when it is written
            _LOG.warning("%s", error)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _note(folder: Path, index: int) -> Path:
    return folder / f"unit-{index:05d}.json"


def _lock_path(folder: Path, index: int) -> Path:
    return folder / f"unit-{index:05d}.lock"
