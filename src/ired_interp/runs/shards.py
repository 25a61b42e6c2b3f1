"""Shards: the data of one work unit each, written whole with a record, joined at the end.

Beside ``unit-00003.h5`` stands ``unit-00003.json`` with its SHA-256, the plan and the code that it
is of, and what it cost. The record is written first, so that data which have their name have their
record. Runs of versions 1 and 2 have the checksum alone, in ``unit-00003.sha256``.
"""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ired_interp.errors import RunFolderError
from ired_interp.experiments.base import GROUP
from ired_interp.runs.records import (
    ShardFault,
    ShardRecord,
    differences,
    find_fault,
    read_record,
    record_path,
    shard_path,
)
from ired_interp.storage import write_file

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


def write_shard(folder: Path, index: int, content: bytes, record: ShardRecord) -> None:
    """Write a unit's data and what is to be known of them.

    Raises:
        StorageError: The file system refused; nothing that looks like a shard is left.
    """
    write_file(record_path(folder, index), json.dumps(asdict(record), indent=1).encode() + b"\n")
    write_file(shard_path(folder, index), content)


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
