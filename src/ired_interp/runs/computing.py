"""Compute units of a run in this process; one that fails does not stop the others."""

import contextlib
import faulthandler
import os
import platform
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import torch
from threadpoolctl import threadpool_limits

from ired_interp.errors import RunFolderError
from ired_interp.provenance import job_name
from ired_interp.runs.claims import claim
from ired_interp.runs.failures import Failure, forget_failure, of_error, read_failure
from ired_interp.runs.memory import forget_peak, peak_bytes, resident_bytes
from ired_interp.runs.plan import code_of, present_provenance
from ired_interp.runs.run import Run
from ired_interp.runs.shards import (
    ShardRecord,
    differences,
    find_fault,
    unit_bytes,
    write_shard,
)
from ired_interp.storage import append_log, guard

__all__ = [
    "Bench",
    "Outcome",
    "Result",
    "Track",
    "compute_unit",
    "compute_units",
    "planned_threads",
]

Track = Callable[[Iterable[int]], Iterable[int]]
Result = Literal["done", "failed", "elsewhere"]

_SECONDS_BETWEEN_LOOKS = 0.5
_SECONDS_BETWEEN_STACKS = 300.0


@dataclass(frozen=True)
class Bench:
    """A run made ready for computing in this process: its code checked, its folders there.

    Attributes:
        run: The run.
        code: What computes here, as each shard records it.
        log: Where to write what happens.
        stack_seconds: How often to write down where a unit is, for 'ired-interp doctor'.
    """

    run: Run
    code: Mapping[str, Any]
    log: Path
    stack_seconds: float = _SECONDS_BETWEEN_STACKS

    @classmethod
    def of(cls, run: Run, log: Path) -> "Bench":
        """Check that this process may compute units of the run.

        Raises:
            RunFolderError: Its code is another than that of the plan, or of the units done.
            StorageError: The file system refused.
            IredInterpError: This machine lacks what the experiment needs.
        """
        run.experiment.check_here(run.config)
        code = _checked_code(run, log)
        for name in ("shards", "running", "failures", "logs"):
            with guard(run.path / name):
                (run.path / name).mkdir(exist_ok=True)
        return cls(run, code, log)


@dataclass(frozen=True)
class Outcome:
    """What became of the units.

    Attributes:
        failed: Why, by number.
        stopped: Whether a stop was asked for before all were done.
    """

    failed: Mapping[int, Failure] = field(default_factory=dict)
    stopped: bool = False


def compute_units(
    run: Run,
    units: Sequence[int],
    *,
    track: Track = iter,
    should_stop: Callable[[], bool] = lambda: False,
    log: Path | None = None,
) -> Outcome:
    """Compute units in this process; what is done already is left as it is.

    A unit that another process is at work on is waited for, and computed if that process dies.

    Args:
        run: Planned.
        units: Their numbers.
        track: Wraps the numbers of the units as they are done, for a progress bar.
        should_stop: Asked before each unit.
        log: File to append to; the run's log by default.

    Raises:
        RunFolderError: The code has changed since.
        StorageError: The file system refused.
    """
    bench = Bench.of(run, log or run.log_path)
    outcome = _Growing()
    with planned_threads(run):
        for _ in track(_computing(bench, units, should_stop, outcome)):
            pass
    return Outcome(outcome.failed, outcome.stopped)


@contextlib.contextmanager
def planned_threads(run: Run) -> Iterator[None]:
    """As many threads as the plan has, of torch and of the other BLAS: bits depend on them."""
    before, planned = torch.get_num_threads(), int(run.provenance["threads"])
    with threadpool_limits(run.provenance.get("blas_threads"), user_api="blas"):
        torch.set_num_threads(planned)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def compute_unit(bench: Bench, index: int) -> Result:
    """Compute a unit, unless it is done or another process is at work on it.

    Raises:
        StorageError: The file system refused.
    """
    run = bench.run
    with claim(run.path / "running", index) as ours:
        if not ours:
            return "elsewhere"
        if _is_done(bench, index):
            return "done"
        begin, start_memory = time.monotonic(), resident_bytes()
        forget_peak()
        try:
            with _stacks_kept(bench):
                content = unit_bytes(run.experiment.run_unit(run.config, index))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a researcher's code; it is kept
            failure = of_error(error, time.monotonic() - begin)
            failure.write(run.path / "failures", index)
            append_log(bench.log, f"unit {index} failed: {failure.error}: {failure.message}")
            return "failed"
        seconds = time.monotonic() - begin
        record = ShardRecord(
            sha256=sha256(content).hexdigest(),
            bytes=len(content),
            plan_sha256=run.plan_sha256,
            code=bench.code,
            seconds=round(seconds, 4),
            start_memory_bytes=start_memory,
            peak_memory_bytes=peak_bytes(),
            host=platform.node(),
            job=job_name(),
            finished=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        write_shard(run.shards, index, content, record)
        forget_failure(run.path / "failures", index)
        append_log(bench.log, f"unit {index} done in {seconds:.2f} s")
    return "done"


@contextlib.contextmanager
def _stacks_kept(bench: Bench) -> Iterator[None]:
    """A file of the stacks of all threads, added to every few minutes; gone if it is not needed."""
    path = bench.run.path / "logs" / f"stacks-{platform.node()}-{os.getpid()}.txt"
    with guard(path):
        stream = path.open("wb")
    with stream:
        faulthandler.dump_traceback_later(bench.stack_seconds, repeat=True, file=stream)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
            path.unlink(missing_ok=True)


@dataclass
class _Growing:
    """An outcome while it comes about."""

    failed: dict[int, Failure] = field(default_factory=dict)
    stopped: bool = False


def _computing(
    bench: Bench, units: Sequence[int], should_stop: Callable[[], bool], outcome: _Growing
) -> Iterator[int]:
    """The units, each once it is done or has failed."""
    waiting, last_elsewhere = deque(units), 0
    while waiting:
        if should_stop():
            outcome.stopped = True
            return
        index = waiting.popleft()
        found = compute_unit(bench, index)
        if found == "elsewhere":
            waiting.append(index)
            last_elsewhere += 1
            if last_elsewhere >= len(waiting):  # nothing else is left to do
                time.sleep(_SECONDS_BETWEEN_LOOKS)
                last_elsewhere = 0
            continue
        last_elsewhere = 0
        if found == "failed":
            failure = read_failure(bench.run.path / "failures", index)
            if failure is not None:
                outcome.failed[index] = failure
        yield index


def _is_done(bench: Bench, index: int) -> bool:
    run = bench.run
    fault = find_fault(run.shards, index, plan_sha256=run.plan_sha256, code=bench.code)
    return fault is None


def _checked_code(run: Run, log: Path) -> dict[str, Any]:
    """One run, one code: the units that are missing must be computed as the others were."""
    present, _ = present_provenance(run.source)
    expected = run.code()
    everything = code_of(present)
    now = {name: everything.get(name, present.get(name)) for name in expected}
    changed = differences(expected, now)
    if not changed:
        return now
    # Another machine may have another build of torch, as long as it computes all the units.
    allowed = (
        run.elsewhere is not None and expected == code_of(run.provenance) and run.num_done() == 0
    )
    if allowed and all(line.startswith("torch ") for line in changed):
        append_log(log, f"computed by another build than planned: {'; '.join(changed)}")
        return now
    raise RunFolderError(
        f"{run.path}: expected the code that planned the run, found another "
        f"({'; '.join(changed)}). Go back to that code, or start a new run."
    )
