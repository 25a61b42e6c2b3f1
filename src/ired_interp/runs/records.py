"""What stands beside a unit's data, and whether the data are to be used.

`ired_interp.runs.shards` says what a shard is.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = [
    "ShardFault",
    "ShardRecord",
    "differences",
    "find_fault",
    "find_fault_beside",
    "read_content",
    "read_record",
    "record_path",
    "shard_path",
]


@dataclass(frozen=True, kw_only=True)
class ShardRecord:
    """What a shard's JSON says; runs of versions 1 and 2 know the checksum alone.

    Attributes:
        sha256: Of the data.
        bytes: Their length.
        plan_sha256: Of the plan that the unit belongs to.
        code: What computed it.
        seconds: That it took.
        start_memory_bytes: Resident memory of the process before the unit.
        peak_memory_bytes: Its highest during the unit.
        host: Where.
        job: The scheduler's job, if there was one.
        finished: When, in UTC.
    """

    sha256: str
    bytes: int | None = None
    plan_sha256: str | None = None
    code: Mapping[str, Any] = field(default_factory=dict)
    seconds: float | None = None
    start_memory_bytes: int | None = None
    peak_memory_bytes: int | None = None
    host: str | None = None
    job: str | None = None
    finished: str | None = None


@dataclass(frozen=True)
class ShardFault:
    """Why a shard does not count.

    Attributes:
        kind: ``missing``, or ``damaged``: there is something, and it is not to be used.
        reason: In words, naming the file.
    """

    kind: str
    reason: str


def shard_path(folder: Path, index: int) -> Path:
    """Where a unit's data lie."""
    return folder / f"unit-{index:05d}.h5"


def record_path(folder: Path, index: int) -> Path:
    """Where its record lies."""
    return folder / f"unit-{index:05d}.json"


def read_record(folder: Path, index: int) -> ShardRecord | None:
    """What stands beside a unit's data; None if that is missing or damaged."""
    try:
        content = json.loads(record_path(folder, index).read_bytes())
        return ShardRecord(**content)
    except FileNotFoundError:
        return _old_record(folder, index)
    except (OSError, ValueError, TypeError):
        return None


def find_fault_beside(
    folder: Path, index: int, *, plan_sha256: str, code: Mapping[str, Any] | None = None
) -> ShardFault | None:
    """What record and length say against a shard, whose data are not read; args of `find_fault`."""
    found = _head(folder, index, plan_sha256, code)
    return found if isinstance(found, ShardFault) else None


def find_fault(
    folder: Path, index: int, *, plan_sha256: str, code: Mapping[str, Any] | None = None
) -> ShardFault | None:
    """What keeps a shard from being used: None where its checksum, plan and code hold.

    Args:
        folder: The run's ``shards``.
        index: Of the unit.
        plan_sha256: The run's plan.
        code: What all of the run's shards must be computed by; None does not ask.
    """
    found = read_content(folder, index, plan_sha256=plan_sha256, code=code)
    return found if isinstance(found, ShardFault) else None


def read_content(
    folder: Path, index: int, *, plan_sha256: str | None, code: Mapping[str, Any] | None = None
) -> bytes | ShardFault:
    """A unit's data, read once, or what keeps them from being used; args of `find_fault`.

    Without a plan the checksum alone is asked.
    """
    head = _head(folder, index, plan_sha256, code)
    if isinstance(head, ShardFault):
        return head
    path = shard_path(folder, index)
    try:
        content = path.read_bytes()
    except OSError as error:
        return _unreadable(path, error)
    found = hashlib.sha256(content).hexdigest()
    if found != head.sha256:
        return ShardFault(
            "damaged",
            f"{path} is damaged: expected SHA-256 {head.sha256[:12]}…, found {found[:12]}…",
        )
    return content


def _head(
    folder: Path, index: int, plan_sha256: str | None, code: Mapping[str, Any] | None
) -> ShardRecord | ShardFault:
    """The record of a shard that is there, as long as it says, of the plan and by the code."""
    path = shard_path(folder, index)
    try:
        size = path.stat().st_size
    except OSError as error:
        return _unreadable(path, error)
    record = read_record(folder, index)
    if record is None:
        return ShardFault("damaged", f"{path} has no readable record beside it")
    if record.bytes not in (None, size):
        return ShardFault(
            "damaged", f"{path} is damaged: expected {record.bytes} bytes, found {size}"
        )
    if plan_sha256 is not None and record.plan_sha256 not in (None, plan_sha256):
        return ShardFault("damaged", f"{path} is of another plan ({record.plan_sha256:.12}…)")
    if code is not None and record.code and (other := differences(code, record.code)):
        return ShardFault("damaged", f"{path} was computed by other code ({'; '.join(other)})")
    return record


def _unreadable(path: Path, error: OSError) -> ShardFault:
    if isinstance(error, FileNotFoundError):
        return ShardFault("missing", f"{path} is missing")
    return ShardFault("damaged", f"{path} cannot be read ({error.strerror or error})")


def differences(expected: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """``name was this, is that`` for each entry that differs."""
    return [
        f"{name} was {_short(expected.get(name))}, is {_short(found.get(name))}"
        for name in dict.fromkeys([*expected, *found])
        if expected.get(name) != found.get(name)
    ]


def _short(value: Any) -> Any:
    """Hashes by their beginning."""
    most = 12
    return f"{value[:most]}…" if isinstance(value, str) and len(value) > 3 * most else value


def _old_record(folder: Path, index: int) -> ShardRecord | None:
    try:
        text = (folder / f"unit-{index:05d}.sha256").read_text(encoding="ascii")
    except (OSError, ValueError):
        return None
    return ShardRecord(sha256=text.strip())
