"""Shards: the data of one work unit each, written whole with a record, joined at the end.

Beside ``unit-00003.h5`` stands ``unit-00003.json`` with its SHA-256, the plan and the code that it
is of, and what it cost. The record is written first, so that data which have their name have their
record. Runs of versions 1 and 2 have the checksum alone, in ``unit-00003.sha256``.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ired_interp.errors import RunFolderError
from ired_interp.experiments.base import ROOT, groups_of
from ired_interp.runs import netcdf
from ired_interp.runs.netcdf import from_bytes
from ired_interp.runs.records import (
    ShardFault,
    ShardRecord,
    differences,
    find_fault,
    read_content,
    read_record,
    record_path,
    shard_path,
)
from ired_interp.storage import write_file

__all__ = [
    "ShardFault",
    "ShardRecord",
    "collate",
    "differences",
    "find_fault",
    "find_shard",
    "read_record",
    "read_shard",
    "shard_path",
    "to_bytes",
    "unit_bytes",
    "unit_of",
    "write_shard",
]


def write_shard(folder: Path, index: int, content: bytes, record: ShardRecord) -> None:
    """Write a unit's data and what is to be known of them.

    Raises:
        StorageError: The file system refused; nothing that looks like a shard is left.
    """
    write_file(record_path(folder, index), json.dumps(asdict(record), indent=1).encode() + b"\n")
    write_file(shard_path(folder, index), content)


def read_shard(folder: Path, index: int) -> dict[str, xr.Dataset]:
    """A unit's data by group, if their checksum holds.

    Raises:
        RunFolderError: Missing or damaged.
    """
    content = read_content(folder, index, plan_sha256=None)
    if isinstance(content, ShardFault):
        raise RunFolderError(f"{content.reason}: 'ired-interp resume' computes it again.")
    return unit_groups(from_bytes(content))


def find_shard(
    folder: Path, index: int, *, plan_sha256: str, code: Mapping[str, Any]
) -> dict[str, xr.Dataset] | ShardFault:
    """A unit's data by group, read once, or what keeps them from being used.

    Args:
        folder: The run's ``shards``.
        index: Of the unit.
        plan_sha256: The run's plan.
        code: What all of the run's shards must be computed by.
    """
    content = read_content(folder, index, plan_sha256=plan_sha256, code=code)
    return content if isinstance(content, ShardFault) else unit_groups(from_bytes(content))


def collate(shards: Sequence[Mapping[str, xr.Dataset]]) -> dict[str, xr.Dataset]:
    """Shards joined by group: along ``problem``, and along ``draw`` where there is one."""
    groups: dict[str, list[xr.Dataset]] = {}
    for shard in shards:
        for name, data in shard.items():
            groups.setdefault(name, []).append(data)
    joined = {}
    for name, members in groups.items():
        if "draw" not in members[0].dims:
            joined[name] = _concat(members, "problem")
            continue
        by_draws: dict[tuple[int, ...], list[xr.Dataset]] = {}
        for member in members:
            by_draws.setdefault(tuple(map(int, member["draw"].values)), []).append(member)
        parts = [_concat(by_draws[draws], "problem") for draws in sorted(by_draws)]
        joined[name] = _concat(parts, "draw")
    return joined


def unit_of(tree: xr.DataTree) -> xr.Dataset | xr.DataTree:
    """What a unit returned, from the tree of its shard: of one group it is a dataset."""
    return tree if tree.children else tree.to_dataset()


def unit_groups(tree: xr.DataTree) -> dict[str, xr.Dataset]:
    """A unit's data by group, from the tree of its shard."""
    return groups_of(unit_of(tree))


def unit_bytes(data: xr.Dataset | xr.DataTree) -> bytes:
    """A unit's data, as its shard holds them."""
    return to_bytes({ROOT: data} if isinstance(data, xr.Dataset) else groups_of(data))


def to_bytes(groups: Mapping[str, xr.Dataset]) -> bytes:
    """NetCDF-4 on HDF5, with groups by path."""
    return netcdf.to_bytes({name: _plain(data) for name, data in groups.items()})


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
