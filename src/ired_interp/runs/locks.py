"""Who is at work on something at the moment: holds that end with the process that has them.

A hold is a lock of the file system, which the system takes back from a process that was killed,
and a note with host, process and time that is written again every few seconds, for machines that
do not share locks and for file systems that have none.
"""

import contextlib
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
from ired_interp.provenance import job_name
from ired_interp.storage import guard, write_note

__all__ = ["SILENT_SECONDS", "Holder", "forget", "hold", "holder_of"]

_LOG = logging.getLogger(__name__)

_BEAT_SECONDS = 15.0
# A holder that was not heard of for so long is taken for dead where its lock cannot be asked.
SILENT_SECONDS = 120.0
_Lock = Literal["ours", "theirs", "unknown"]


@dataclass(frozen=True)
class Holder:
    """The process that has a hold.

    Attributes:
        host: Its machine.
        pid: Its number there.
        started: When it began, in UTC.
        job: The scheduler's job, if there is one.
        beat: When it was last heard of.
    """

    host: str
    pid: int
    started: str
    job: str | None
    beat: str


@contextlib.contextmanager
def hold(path: Path) -> Iterator[bool]:
    """Hold something for as long as the ``with`` lasts.

    Args:
        path: What it is called, in a folder that exists; the lock and the note beside each other
            have its name with ``.lock`` and ``.json``.

    Yields:
        Whether it is ours; if not, another process has it.

    Raises:
        StorageError: The file system refused.
    """
    with contextlib.ExitStack() as stack:
        lock, stream = _lock(path)
        if stream is not None:
            stack.callback(stream.close)
        if (lock != "ours" or _is_elsewhere(path)) and _heard_of(path):
            yield False
            return
        started = _now()
        _beat(path, started)
        stop = threading.Event()
        beating = threading.Thread(target=_keep_beating, args=(path, started, stop), daemon=True)
        beating.start()
        try:
            yield True
        finally:
            stop.set()
            beating.join()
            # Before the lock is let go: the next holder's files are not ours to remove.
            _note_path(path).unlink(missing_ok=True)
            if lock == "ours":
                _lock_path(path).unlink(missing_ok=True)


def holder_of(path: Path) -> Holder | None:
    """The live process that has a hold; None if none does."""
    found = _read(path)
    if found is None:
        return None
    lock = "unknown" if found.host != platform.node() else _ask_lock(path)
    if lock == "unknown":
        return found if _heard_of(path) else None
    return found if lock == "theirs" else None


def forget(path: Path) -> None:
    """Remove what a process that is known to be dead left behind."""
    _note_path(path).unlink(missing_ok=True)
    _lock_path(path).unlink(missing_ok=True)


def _lock(path: Path) -> tuple[_Lock, IO[bytes] | None]:
    place = _lock_path(path)
    while True:
        with guard(place):
            stream = place.open("ab")
        lock = _try_lock(stream)
        if lock != "ours":
            stream.close()
            if lock == "unknown":
                _LOG.info("%s: no locks on this file system; going by notes alone", place.parent)
            return lock, None
        # The last holder may have removed the file between our open and our lock.
        with contextlib.suppress(FileNotFoundError):
            if place.stat().st_ino == os.fstat(stream.fileno()).st_ino:
                return "ours", stream
        stream.close()


def _try_lock(stream: IO[bytes]) -> _Lock:
    """Without waiting; ``unknown`` where the file system has no locks.

    It says so in many ways: ENOSYS (Lustre), ENOLCK and ESTALE (NFS), EOPNOTSUPP, EINVAL, EIO.
    Whatever it says but that another has the lock, the lock tells nothing.
    """
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return "theirs"
    except OSError:
        return "unknown"
    return "ours"


def _ask_lock(path: Path) -> _Lock:
    """Whether another has the lock; ``ours`` if nobody has."""
    try:
        with _lock_path(path).open("rb+") as stream:
            return _try_lock(stream)
    except OSError:  # no such file, or not ours to open: nobody of ours has it
        return "ours"


def _read(path: Path) -> Holder | None:
    try:
        return Holder(**json.loads(_note_path(path).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def _is_elsewhere(path: Path) -> bool:
    """Whether the note is of another machine, whose lock this one may not see."""
    found = _read(path)
    return found is not None and found.host != platform.node()


def _heard_of(path: Path) -> bool:
    try:
        return time.time() - _note_path(path).stat().st_mtime < SILENT_SECONDS
    except FileNotFoundError:
        # A lock that is held and no note yet: its holder is between the two.
        return _ask_lock(path) == "theirs"


def _beat(path: Path, started: str) -> None:
    holder = Holder(platform.node(), os.getpid(), started, job_name(), _now())
    write_note(_note_path(path), json.dumps(asdict(holder)).encode() + b"\n")


def _keep_beating(path: Path, started: str, stop: threading.Event) -> None:
    while not stop.wait(_BEAT_SECONDS):
        try:
            _beat(path, started)
        except StorageError as error:  # what is being done meets the full disk itself
            _LOG.warning("%s", error)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _note_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _lock_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.lock")
