"""Shards: the data of one work unit each, written whole with a checksum, joined at the end."""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ired_interp.errors import RunFolderError
from ired_interp.experiments.base import GROUP
from ired_interp.runs.storage import write_file

__all__ = ["ROOT", "collate", "has_shard", "read_shard", "to_bytes", "write_shard"]

ROOT = "/"


def has_shard(folder: Path, index: int) -> bool:
    """Whether unit ``index`` is done; its checksum is written before its data are named."""
    return _data(folder, index).is_file()


def write_shard(folder: Path, index: int, data: xr.Dataset) -> None:
    """Write a unit's data.

    Raises:
        StorageError: The file system refused; nothing that looks like a shard is left.
    """
    content = to_bytes({ROOT: data})
    write_file(_checksum(folder, index), hashlib.sha256(content).hexdigest().encode() + b"\n")
    write_file(_data(folder, index), content)


def read_shard(folder: Path, index: int) -> xr.Dataset:
    """A unit's data, if their checksum holds.

    Raises:
        RunFolderError: Missing or damaged.
    """
    path = _data(folder, index)
    try:
        content = path.read_bytes()
        expected = _checksum(folder, index).read_text(encoding="ascii").strip()
    except OSError as error:
        raise RunFolderError(f"{path}: cannot be read ({error.strerror}): run 'resume'.") from error
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise RunFolderError(
            f"{path} is damaged: expected SHA-256 {expected[:12]}…, found {found[:12]}…. Delete "
            "the file; 'ired-interp resume' computes that unit again."
        )
    with xr.open_dataset(io.BytesIO(content), engine="h5netcdf") as data:
        return data.load()


def collate(shards: Sequence[xr.Dataset]) -> dict[str, xr.Dataset]:
    """Shards joined by group: along ``problem``, and along ``draw`` where there is one."""
    groups: dict[str, list[xr.Dataset]] = {}
    for shard in shards:
        plain = shard.drop_attrs(deep=False)
        plain.attrs = {name: value for name, value in shard.attrs.items() if name != GROUP}
        groups.setdefault(str(shard.attrs[GROUP]), []).append(plain)
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
        if isinstance(value, str | int | float | np.generic) and not isinstance(value, bool):
            return value
        return json.dumps(value, ensure_ascii=False)

    return data.assign_attrs({k: plain(v) for k, v in data.attrs.items()})


def _data(folder: Path, index: int) -> Path:
    return folder / f"unit-{index:05d}.h5"


def _checksum(folder: Path, index: int) -> Path:
    return folder / f"unit-{index:05d}.sha256"
