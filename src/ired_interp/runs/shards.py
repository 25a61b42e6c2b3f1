"""Shards: the data of one work unit each, written whole with a record, joined at the end.

Beside ``unit-00003.h5`` stands ``unit-00003.json`` with its SHA-256, the plan and the code that it
is of, and what it cost. The record is written first, so that data which have their name have their
record. Runs of versions 1 and 2 have the checksum alone, in ``unit-00003.sha256``.
"""

import hashlib
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ired_interp.errors import RunFolderError
from ired_interp.experiments.base import GROUP
from ired_interp.runs.storage import write_file

__all__ = [
    "ROOT",
    "ShardFault",
    "ShardRecord",
    "collate",
    "differences",
    "find_fault",
    "read_record",
    "read_shard",
    "shard_path",
    "to_bytes",
    "write_shard",
]

ROOT = "/"


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


def write_shard(folder: Path, index: int, content: bytes, record: ShardRecord) -> None:
    """Write a unit's data and what is to be known of them.

    Raises:
        StorageError: The file system refused; nothing that looks like a shard is left.
    """
    write_file(_record(folder, index), json.dumps(asdict(record), indent=1).encode() + b"\n")
    write_file(shard_path(folder, index), content)


def read_record(folder: Path, index: int) -> ShardRecord | None:
    """What stands beside a unit's data; None if that is missing or damaged."""
    try:
        content = json.loads(_record(folder, index).read_bytes())
        return ShardRecord(**content)
    except FileNotFoundError:
        return _old_record(folder, index)
    except (OSError, ValueError, TypeError):
        return None


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
    path = shard_path(folder, index)
    try:
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            record = read_record(folder, index)
            if record is None:
                return ShardFault("damaged", f"{path} has no readable record beside it")
            if record.bytes not in (None, size):
                return ShardFault(
                    "damaged", f"{path} is damaged: expected {record.bytes} bytes, found {size}"
                )
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        return ShardFault("missing", f"{path} is missing")
    except OSError as error:
        return ShardFault("damaged", f"{path} cannot be read ({error.strerror or error})")
    reason = _mismatch(record, found, plan_sha256, code)
    return None if reason is None else ShardFault("damaged", f"{path}{reason}")


def _mismatch(
    record: ShardRecord, found: str, plan_sha256: str, code: Mapping[str, Any] | None
) -> str | None:
    if found != record.sha256:
        return f" is damaged: expected SHA-256 {record.sha256[:12]}…, found {found[:12]}…"
    if record.plan_sha256 not in (None, plan_sha256):
        return f" is of another plan ({record.plan_sha256:.12}…)"
    if code is not None and record.code and (other := differences(code, record.code)):
        return f" was computed by other code ({'; '.join(other)})"
    return None


def differences(expected: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """``name was this, is that`` for each entry that differs."""
    return [
        f"{name} was {_short(expected.get(name))}, is {_short(found.get(name))}"
        for name in dict.fromkeys([*expected, *found])
        if expected.get(name) != found.get(name)
    ]


def read_shard(folder: Path, index: int) -> xr.Dataset:
    """A unit's data, if their checksum holds.

    Raises:
        RunFolderError: Missing or damaged.
    """
    path = shard_path(folder, index)
    record = read_record(folder, index)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RunFolderError(f"{path}: cannot be read ({error.strerror}): run 'resume'.") from error
    if record is None or hashlib.sha256(content).hexdigest() != record.sha256:
        raise RunFolderError(f"{path} is damaged: 'ired-interp resume' computes it again.")
    with xr.open_dataset(io.BytesIO(content), engine="h5netcdf") as data:
        return data.load()


def collate(shards: Sequence[xr.Dataset]) -> dict[str, xr.Dataset]:
    """Shards joined by group: along ``problem``, and along ``draw`` where there is one."""
    groups: dict[str, list[xr.Dataset]] = {}
    for shard in shards:
        plain = shard.drop_attrs(deep=False)
        plain.attrs = {name: value for name, value in shard.attrs.items() if name != GROUP}
        groups.setdefault(str(shard.attrs.get(GROUP, ROOT)), []).append(plain)
    joined = {}
    for name, members in groups.items():
        if "draw" not in members[0].dims:
            joined[name] = _concat(members, "problem")
            continue
        draws = sorted({int(m["draw"].item()) for m in members})
        by_draw = [
            _concat([m for m in members if int(m["draw"].item()) == draw], "problem")
            for draw in draws
        ]
        joined[name] = _concat(by_draw, "draw")
    return joined


def to_bytes(groups: Mapping[str, xr.Dataset]) -> bytes:
    """NetCDF-4 on HDF5, with groups by path."""
    tree = xr.DataTree.from_dict({name: _plain(data) for name, data in groups.items()})
    buffer = io.BytesIO()
    tree.to_netcdf(buffer, engine="h5netcdf")
    return buffer.getvalue()


def _concat(members: Sequence[xr.Dataset], dim: str) -> xr.Dataset:
    """Join along one dimension; what does not have it must be equal everywhere."""
    if len(members) == 1:
        return members[0]
    return xr.concat(
        members,
        dim,
        data_vars="minimal",
        coords="minimal",
        compat="equals",
        join="exact",
        combine_attrs="override",
    )


def _plain(data: xr.Dataset) -> xr.Dataset:
    """Attributes that every HDF5 tool reads: text and numbers, the rest as one JSON text each."""

    def plain(value: Any) -> Any:
        if isinstance(value, int | float | np.generic) and not isinstance(value, bool):
            return value
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        # Of what is not UTF-8, as in the name of an old folder, only the escape is.
        return text.encode(errors="backslashreplace").decode()

    return data.assign_attrs({k: plain(v) for k, v in data.attrs.items()})


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


def _record(folder: Path, index: int) -> Path:
    return folder / f"unit-{index:05d}.json"
