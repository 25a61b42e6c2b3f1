"""How the units of a run stand, as its folder tells."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from ired_interp.errors import ConfigError
from ired_interp.runs.claims import holder_of
from ired_interp.runs.failures import read_failure
from ired_interp.runs.records import ShardFault, read_record

__all__ = ["Planned", "UnitState", "UnitStatus", "parse_units", "unit_statuses"]

UnitState = Literal["done", "running", "missing", "failed", "damaged"]


@runtime_checkable
class Planned(Protocol):
    """A run, with its experiment or as its folder alone tells of it."""

    @property
    def path(self) -> Path:
        """The folder."""
        ...

    @property
    def num_units(self) -> int:
        """Of the plan."""
        ...

    @property
    def shards(self) -> Path:
        """Folder of the units' data."""
        ...

    def faults(self) -> dict[int, ShardFault]:
        """Units whose data are missing or not to be used, and why."""
        ...


@dataclass(frozen=True, kw_only=True)
class UnitStatus:
    """How a unit stands.

    Attributes:
        index: Its number.
        state: ``damaged`` has data that are not to be used: they are computed again.
        seconds: That it took, or had run when it failed.
        peak_memory_bytes: The most that its process took meanwhile.
        host: Where it is, was or failed.
        job: The scheduler's job, if there was one.
        error: What is wrong, if it failed or is damaged.
        pid: Of the process that runs it.
        since: When it began to run, in UTC.
    """

    index: int
    state: UnitState
    seconds: float | None = None
    peak_memory_bytes: int | None = None
    host: str | None = None
    job: str | None = None
    error: str | None = None
    pid: int | None = None
    since: str | None = None


def unit_statuses(run: Planned) -> list[UnitStatus]:
    """How each unit stands: done, running, missing, failed or damaged.

    Cost: all shards are read.
    """
    faults = run.faults()
    return [
        _of_done(run, i) if i not in faults else _of_other(run, i, faults[i].kind, faults[i].reason)
        for i in range(run.num_units)
    ]


def _of_done(run: Planned, index: int) -> UnitStatus:
    record = read_record(run.shards, index)
    if record is None:  # it was there a moment ago
        return UnitStatus(index=index, state="missing")
    return UnitStatus(
        index=index,
        state="done",
        seconds=record.seconds,
        peak_memory_bytes=record.peak_memory_bytes,
        host=record.host,
        job=record.job,
    )


def _of_other(run: Planned, index: int, kind: str, reason: str) -> UnitStatus:
    holder = holder_of(run.path / "running", index)
    if holder is not None:
        return UnitStatus(
            index=index,
            state="running",
            host=holder.host,
            job=holder.job,
            pid=holder.pid,
            since=holder.started,
        )
    failure = read_failure(run.path / "failures", index)
    if failure is not None:
        return UnitStatus(
            index=index,
            state="failed",
            seconds=failure.seconds,
            host=failure.host,
            job=failure.job,
            error=f"{failure.error}: {failure.message}",
        )
    if kind == "damaged":
        return UnitStatus(index=index, state="damaged", error=reason)
    return UnitStatus(index=index, state="missing")


def parse_units(text: str, num_units: int) -> list[int]:
    """Numbers from words such as ``0,3-7``, each once, ascending.

    Raises:
        ConfigError: Not such words, or no unit of that number.
    """
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise ConfigError(f"units: expected numbers such as 0,3-7, found {text!r}.")
        begin, end = int(first), int(last if dash else first)
        if not begin <= end < num_units:
            raise ConfigError(
                f"units: expected numbers in 0 … {num_units - 1}, ascending, found {part.strip()}."
            )
        found |= set(range(begin, end + 1))
    return sorted(found)
