"""What a run's folder tells, gathered once as plain data, which is all that patterns look at."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ired_interp.cluster.ledger import has_ledger
from ired_interp.doctor.machine import Machine
from ired_interp.errors import RunFolderError
from ired_interp.experiments.config import config_to_mapping
from ired_interp.runs.claims import Holder
from ired_interp.runs.failures import Failure, read_failure
from ired_interp.runs.plan import code_of, present_provenance
from ired_interp.runs.run import Run
from ired_interp.runs.shards import ShardRecord, differences, read_record, read_shard
from ired_interp.runs.units import UnitStatus, unit_statuses

__all__ = ["Count", "Evidence", "Numbers", "gather", "numbers_of"]

_DONE = re.compile(r"^\S+ unit (\d+) done in ", re.M)
_MOST_OF_A_LOG = 2_000_000
_STATUS = "status"


@dataclass(frozen=True)
class Count:
    """So many of so many."""

    bad: int
    of: int


@dataclass(frozen=True)
class Numbers:
    """What the numbers that a unit stored say of themselves.

    Attributes:
        not_converged: By level, values of ``status`` that are not 0; None for what has no level.
        not_finite: By variable and level, NaN and infinity where the experiment expects none.
    """

    not_converged: Mapping[int | None, Count]
    not_finite: Mapping[str, Mapping[int | None, Count]]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A run, as its folder and this machine show it.

    Attributes:
        path: The folder.
        num_units: Of the plan.
        finished: Whether ``results.h5`` is there.
        submitted: Whether it was ever put on a cluster.
        statuses: Of all units.
        failures: That were kept, by unit.
        records: Beside the shards, by unit.
        numbers: Of the units that are done.
        claims: Of units that are not done, alive or left behind.
        orders: Units in the order in which one process finished them, by process.
        stacks: Where a process was, time after time, by host and process.
        config: The planned config.
        threads: Of each process.
        gpu: Of the machine that planned the run.
        changed: How the code differs from the plan's.
        logs: The end of each log, by file name.
        machine: On which the doctor looks.
        now: When.
    """

    path: Path
    num_units: int
    finished: bool
    submitted: bool
    statuses: Sequence[UnitStatus]
    failures: Mapping[int, Failure]
    records: Mapping[int, ShardRecord]
    numbers: Mapping[int, Numbers]
    claims: Mapping[int, Holder]
    orders: Mapping[str, Sequence[int]]
    stacks: Mapping[tuple[str, int], str]
    config: Mapping[str, Any]
    threads: int
    gpu: str | None
    changed: Sequence[str]
    logs: Mapping[str, str]
    machine: Machine
    now: datetime

    def units(self, *states: str) -> tuple[int, ...]:
        """Numbers of the units in these states."""
        return tuple(status.index for status in self.statuses if status.state in states)


def gather(run: Run, machine: Machine, now: datetime) -> Evidence:
    """Read all of a run's folder; nothing in it is changed.

    Cost: every shard is read twice.
    """
    statuses = unit_statuses(run)
    done = [status.index for status in statuses if status.state == "done"]
    allowed = set(run.experiment.may_be_missing)
    logs = {path.name: _end_of(path) for path in (run.log_path, *_logs(run, "*.log"))}
    records = {i: record for i in done if (record := read_record(run.shards, i)) is not None}
    return Evidence(
        path=run.path,
        num_units=run.num_units,
        finished=run.finished,
        submitted=has_ledger(run.path),
        statuses=statuses,
        failures=_failures(run, statuses),
        records=records,
        numbers=_numbers(run, done, allowed),
        claims=_claims(run, set(done)),
        orders=_orders(logs, records),
        stacks=_stacks(run),
        config=config_to_mapping(run.config),
        threads=int(run.provenance["threads"]),
        gpu=run.provenance.get("gpu"),
        changed=_changed(run),
        logs=logs,
        machine=machine,
        now=now,
    )


def numbers_of(groups: Mapping[str, xr.Dataset], allowed: set[str]) -> Numbers:
    """What is not converged, and what is not finite although it should be.

    Args:
        groups: Of a unit.
        allowed: Variables that may be NaN or infinite.
    """
    missed: dict[int | None, Count] = {}
    wrong: dict[str, dict[int | None, Count]] = {}
    for data in groups.values():
        found = _of_group(data, allowed)
        missed = _together(missed, found.not_converged)
        for name, counts in found.not_finite.items():
            wrong[name] = _together(wrong.get(name, {}), counts)
    return Numbers(missed, wrong)


def _together(
    one: Mapping[int | None, Count], other: Mapping[int | None, Count]
) -> dict[int | None, Count]:
    out = dict(one)
    for level, count in other.items():
        before = out.get(level, Count(0, 0))
        out[level] = Count(before.bad + count.bad, before.of + count.of)
    return out


def _of_group(data: xr.Dataset, allowed: set[str]) -> Numbers:
    status = data.get(_STATUS)
    missed: xr.DataArray | None = None
    if status is not None and status.dtype.kind in "iub":
        missed = status != 0
    wrong = {}
    for name, values in data.data_vars.items():
        if values.dtype.kind not in "fc" or name in allowed:
            continue
        bad = values.copy(data=~np.isfinite(values.values))
        # Where nothing was found there is nothing to be finite.
        if missed is not None and set(missed.dims) <= set(values.dims):
            bad = bad & ~missed
        counts = {level: count for level, count in _by_level(bad).items() if count.bad}
        if counts:
            wrong[str(name)] = counts
    return Numbers({} if missed is None else _by_level(missed), wrong)


def _by_level(flags: xr.DataArray) -> dict[int | None, Count]:
    if "level" not in flags.dims or "level" not in flags.coords:
        return {None: Count(int(flags.sum()), flags.size)}
    return {
        int(level): Count(int(at.sum()), at.size)
        for level, at in zip(
            flags["level"].values, flags.transpose("level", ...).values, strict=True
        )
    }


def _numbers(run: Run, done: Sequence[int], allowed: set[str]) -> dict[int, Numbers]:
    found = {}
    for index in done:
        try:
            found[index] = numbers_of(read_shard(run.shards, index), allowed)
        except RunFolderError:  # gone or damaged since it was looked at
            continue
    return found


def _failures(run: Run, statuses: Sequence[UnitStatus]) -> dict[int, Failure]:
    failed = [status.index for status in statuses if status.state == "failed"]
    found = {i: read_failure(run.path / "failures", i) for i in failed}
    return {i: failure for i, failure in found.items() if failure is not None}


def _claims(run: Run, done: set[int]) -> dict[int, Holder]:
    """Notes as they lie there: one that is dead is left by a process that was killed."""
    found = {}
    for path in sorted((run.path / "running").glob("unit-*.json")):
        try:
            index = int(path.stem.removeprefix("unit-"))
            holder = Holder(**json.loads(path.read_bytes()))
        except (OSError, ValueError, TypeError):
            continue
        if index not in done:
            found[index] = holder
    return found


def _orders(
    logs: Mapping[str, str], records: Mapping[int, ShardRecord]
) -> dict[str, tuple[int, ...]]:
    """By log, as each process writes one; a log goes on after a resume, which memory betrays."""
    last = {
        int(found[1]): (name, found.start())
        for name, text in logs.items()
        for found in _DONE.finditer(text)
    }
    of_log: dict[str, list[int]] = {}
    for index in sorted(last, key=lambda i: last[i]):
        if index in records:
            of_log.setdefault(last[index][0], []).append(index)
    for index in sorted(set(records) - set(last), key=lambda i: records[i].finished or ""):
        record = records[index]
        of_log.setdefault(f"{record.host}, job {record.job}", []).append(index)
    return {
        name if not number else f"{name}, part {number + 1}": tuple(part)
        for name, units in of_log.items()
        for number, part in enumerate(_lives(units, records))
    }


def _lives(units: Sequence[int], records: Mapping[int, ShardRecord]) -> list[list[int]]:
    """Cut where memory falls by a quarter: a new process begins small."""
    parts: list[list[int]] = [[]]
    before = 0
    for index in units:
        start = records[index].start_memory_bytes or 0
        if start < 0.75 * before:
            parts.append([])
        parts[-1].append(index)
        before = start
    return parts


def _stacks(run: Run) -> dict[tuple[str, int], str]:
    found = {}
    for path in _logs(run, "stacks-*.txt"):
        host, _, pid = path.stem.removeprefix("stacks-").rpartition("-")
        if pid.isdecimal():
            found[host, int(pid)] = _end_of(path)
    return found


def _changed(run: Run) -> list[str]:
    """As the units would be refused: see `runs.computing`."""
    present, _ = present_provenance(run.source)
    expected, now = run.code(), code_of(present)
    return differences(expected, {name: now.get(name, present.get(name)) for name in expected})


def _logs(run: Run, pattern: str) -> list[Path]:
    return sorted((run.path / "logs").glob(pattern))


def _end_of(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            stream.seek(0, 2)
            stream.seek(max(0, stream.tell() - _MOST_OF_A_LOG))
            return stream.read().decode("utf-8", "replace")
    except OSError:
        return ""
