"""Time, memory and disk of the full plan, scaled up from the dry run."""

import math
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ired_interp.cluster.config import ClusterConfig
from ired_interp.cluster.shell import Shell
from ired_interp.errors import CannotAskError, SessionGoneError
from ired_interp.preflight.check import Check, failed, not_checked, passed

__all__ = ["Estimate", "check_disk", "check_resources", "estimate", "free_bytes_there"]

_GIB, _MIB = 2**30, 2**20
# Starting Python, importing, reading the model: part of every task.
_START_SECONDS = 20.0
# Shards, and the results that are made of them.
_COPIES = 2
# A laptop's core against a cluster's: what is near the limit is said, not failed.
_NEAR = 0.5


@dataclass(frozen=True)
class Estimate:
    """The full plan's cost.

    Attributes:
        units: How many there are.
        unit_seconds: Of one of them.
        unit_bytes: That a process grows by in one of them, at most.
        start_bytes: Of the process before.
        disk_bytes: Of shards and results.
    """

    units: int
    unit_seconds: float
    unit_bytes: int
    start_bytes: int
    disk_bytes: int

    @property
    def total_seconds(self) -> float:
        """In one process, one unit after the other."""
        return self.units * self.unit_seconds


def estimate(known: Mapping[str, Any]) -> Estimate | None:
    """The cost of all units, from those that were computed; None if that is not known.

    The cost of a unit is taken to be a fixed part and one that is proportional to each of the sizes
    that were reduced, through two measurements; where there is one, all is taken to be
    proportional. Anything that was not reduced is counted in full.
    """
    if "points" not in known or "units" not in known:
        return None
    units, small = int(known["units"]), int(known["small_units"])
    # So many times the reduced unit's work has one unit of the full plan.
    ratio = max(1.0, known["times"] * small / units)
    points = [tuple(map(float, point)) for point in known["points"]]
    return Estimate(
        units=units,
        unit_seconds=_scaled([(at, seconds) for at, seconds, _ in points], ratio),
        unit_bytes=math.ceil(_scaled([(at, size) for at, _, size in points], ratio)),
        start_bytes=int(known["resident_bytes"]),
        disk_bytes=math.ceil(known["shard_bytes"] * ratio * units * _COPIES),
    )


def _scaled(points: Sequence[tuple[float, float]], ratio: float) -> float:
    """A cost at a multiple of the work, on the line through two measurements, never falling."""
    (_, one), *more = points
    if not more:
        return one * ratio
    at, other = more[0]
    slope = max(0.0, (other - one) / (at - 1.0))
    return one + slope * (ratio - 1.0)


def check_resources(known: Mapping[str, Any], cluster: ClusterConfig | None) -> Iterator[Check]:
    """``memory`` and ``time`` against the request, or against this machine."""
    told = known.get("out_of_memory")
    cost = estimate(known)
    if cost is None:
        yield told if isinstance(told, Check) else _unknown("memory")
        yield _unknown("time")
        return
    yield _memory(cost, cluster)
    yield _time(cost, cluster)


def _unknown(name: str) -> Check:
    return not_checked(name, "the dry run did not get as far as to measure it")


def _memory(cost: Estimate, cluster: ClusterConfig | None) -> Check:
    need = cost.start_bytes + cost.unit_bytes
    found = (
        f"up to {_size(need)} for a unit ({_size(cost.start_bytes)} for Python and its libraries, "
        f"measured; {_size(cost.unit_bytes)} scaled up)"
    )
    if cluster is None:
        free = _available()
        if free is not None and need > free:
            return failed(
                "memory",
                found,
                f"no more than the {_size(free)} that this machine has free",
                "--max-memory, or fewer problems a unit",
            )
        return passed("memory", found)
    request = cluster.memory_mib * _MIB
    if need > request:
        return failed(
            "memory",
            found,
            f"no more than the {_size(request)} that [{cluster.name}] asks for",
            f"memory_mib = {_round_up(need / _MIB, 512)} in clusters.toml, or --max-memory "
            f"{math.floor((request - cost.start_bytes) / _MIB)}M"
            if request > cost.start_bytes
            else f"memory_mib = {_round_up(need / _MIB, 512)} in clusters.toml",
        )
    return passed("memory", f"{found}; {_size(request)} asked for")


def _time(cost: Estimate, cluster: ClusterConfig | None) -> Check:
    found = (
        f"{cost.units} unit{'s' * (cost.units > 1)} of about {_duration(cost.unit_seconds)} on one "
        "process of this machine"
    )
    if cluster is None:
        return passed("time", f"{found}, {_duration(cost.total_seconds)} in all")
    each = min(cluster.units_per_task, cost.units)
    task = _START_SECONDS + each * cost.unit_seconds
    limit = 60.0 * cluster.time_minutes - cluster.signal_seconds
    asked = f"time_minutes = {cluster.time_minutes}"
    if task > limit:
        minutes = _round_up((2 * task + cluster.signal_seconds) / 60, 5)
        fewer = " or fewer units_per_task" if each > 1 else " or fewer problems a unit"
        return failed(
            "time",
            f"{found}: {_duration(task)} for a task of {each}",
            f"no more than {asked} less the {cluster.signal_seconds} s that a stop is told ahead",
            f"time_minutes = {minutes} in clusters.toml,{fewer}",
        )
    near = "; near the limit, and a cluster's core may be slower" if task > _NEAR * limit else ""
    return passed("time", f"{found}: {_duration(task)} for a task of {each}, {asked}{near}")


def check_disk(
    known: Mapping[str, Any], cluster: ClusterConfig | None, shell: Shell | None, out: Path
) -> Check:
    """That results fit where they will lie."""
    cost = estimate(known)
    need = cost.disk_bytes if cost is not None else 0
    if cluster is None or shell is None or shell.is_local:
        place = next(one for one in (out, *out.absolute().parents) if one.exists())
        free: int | None = shutil.disk_usage(place).free
        where = str(place)
    else:
        where = f"{shell.name}:{cluster.root}"
        try:
            free = free_bytes_there(shell, cluster.root)
        except (CannotAskError, SessionGoneError) as error:
            return not_checked("disk", f"{error}")
    if free is None:
        return not_checked("disk", f"df says nothing of {where}")
    # Even where the results' size is not known, a full disk holds none.
    least = max(need, _MIB)
    if free < least:
        return failed(
            "disk",
            f"{where}: {_size(free)} free",
            f"{_size(least)} for shards and results",
            "free some space there, or choose another root",
        )
    if cost is None:
        return not_checked(
            "disk", f"the results' size is not known; {where} has {_size(free)} free"
        )
    return passed("disk", f"{where}: {_size(free)} free for about {_size(need)} of results")


def free_bytes_there(shell: Shell, folder: str) -> int | None:
    """Free bytes at a folder of the cluster, or at the nearest one above it that is there."""
    script = 'd=$1; while [ ! -e "$d" ]; do d=$(dirname -- "$d"); done; df -Pk -- "$d"'
    done = shell.run(["sh", "-c", script, "sh", folder])
    # total, used, free, percentage, folder; -P keeps a file system on one line
    found = re.findall(r"^.*\s\d+\s+-?\d+\s+(\d+)\s+(?:\d+%|-)\s+/", done.stdout, re.M)
    return int(found[-1]) * 1024 if done.returncode == 0 and found else None


def _available() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(li.split()[1]) * 1024 for li in lines if li.startswith("MemAvailable:")), None)


def _size(count: float) -> str:
    for unit, name in ((_GIB, "GiB"), (_MIB, "MiB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count / 1024:.0f} KiB"


def _duration(seconds: float) -> str:
    for unit, name in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.1f} {name}"
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"  # noqa: PLR2004


def _round_up(value: float, step: int) -> int:
    return step * math.ceil(value / step)
