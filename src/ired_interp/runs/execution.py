"""Execute the units of a run and join their data; a unit that fails does not stop the others."""

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
import xarray as xr
from threadpoolctl import threadpool_limits

from ired_interp.errors import RunFolderError, UnitsFailedError
from ired_interp.experiments.config import config_to_mapping
from ired_interp.runs.claims import claim
from ired_interp.runs.failures import Failure, forget_failure, of_error, read_failure, summary_of
from ired_interp.runs.memory import forget_peak, peak_bytes, resident_bytes
from ired_interp.runs.plan import code_of, present_provenance
from ired_interp.runs.provenance import job_name
from ired_interp.runs.run import FORMAT, VERSION, Run
from ired_interp.runs.shards import (
    ROOT,
    ShardRecord,
    collate,
    differences,
    find_fault,
    read_shard,
    to_bytes,
    write_shard,
)
from ired_interp.runs.storage import append_log, guard, write_file
from ired_interp.runs.workers import compute_in_workers

__all__ = [
    "Bench",
    "Outcome",
    "Result",
    "collate_run",
    "compute_unit",
    "compute_units",
    "execute",
    "planned_threads",
]

Track = Callable[[Iterable[int]], Iterable[int]]
Result = Literal["done", "failed", "elsewhere"]

_SUMMARY = "summary"
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
        """
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


def execute(
    run: Run,
    *,
    workers: int = 1,
    track: Track = iter,
    should_stop: Callable[[], bool] = lambda: False,
) -> Run:
    """Compute the units that are missing, then collate. Does nothing where all is done.

    Args:
        run: Planned or partly executed.
        workers: How many processes; 1 is this one.
        track: Wraps the numbers of the units as they are done, for a progress bar.
        should_stop: Asked before each unit; once it says yes the run is left unfinished.

    Raises:
        UnitsFailedError: Some units failed; all others are done and stay.
        RunFolderError: The code has changed since.
        StorageError: The file system refused.
    """
    if run.finished:
        return run
    missing = run.faults()
    if missing:
        for fault in missing.values():
            if fault.kind == "damaged":
                append_log(run.log_path, f"computed again: {fault.reason}")
        if workers > 1 and len(missing) > 1:
            bench = Bench.of(run, run.log_path)
            failed, stopped = compute_in_workers(
                run.path,
                run.elsewhere,
                list(missing),
                threads=int(run.provenance["threads"]),
                workers=min(workers, len(missing)),
                track=track,
                should_stop=should_stop,
                log=bench.log,
            )
            outcome = Outcome(failed, stopped)
        else:
            outcome = compute_units(run, list(missing), track=track, should_stop=should_stop)
        if outcome.failed:
            raise UnitsFailedError(summary_of(outcome.failed, run.num_units, run.path))
        if outcome.stopped:
            append_log(run.log_path, "stopped as asked, after the unit under way")
            return run
    return collate_run(run)


def collate_run(run: Run) -> Run:
    """Join the units' data and add the summary, in ``results.h5``.

    Raises:
        RunFolderError: Units are missing or damaged; each is named.
        StorageError: The file system refused.
        IredInterpError: The summary cannot be made.
    """
    faults = run.faults()
    if faults:
        raise RunFolderError(_not_whole(run, [fault.reason for fault in faults.values()]))
    with planned_threads(run):
        groups = collate([read_shard(run.shards, i) for i in range(run.num_units)])
        results = xr.DataTree.from_dict(groups)
        for name, summary in run.experiment.summarise(results).items():
            groups[f"{_SUMMARY}/{name}"] = summary
    groups[ROOT] = groups[ROOT].assign_attrs(_attributes(run))
    write_file(run.results_path, to_bytes(groups))
    append_log(run.log_path, "collated results.h5")
    return run


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
                content = to_bytes({ROOT: run.experiment.run_unit(run.config, index)})
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


def _not_whole(run: Run, reasons: Sequence[str]) -> str:
    most = 20
    shown = [f"  {reason}" for reason in reasons[:most]]
    if len(reasons) > most:
        shown.append(f"  … and {len(reasons) - most} others")
    return "\n".join(
        [
            f"{run.path}: {len(reasons)} of {run.num_units} units are missing or damaged:",
            *shown,
            f"'ired-interp resume {run.path}' computes them.",
        ]
    )


def _attributes(run: Run) -> dict[str, Any]:
    """Provenance without times, so that the same plan gives the same file."""
    config = config_to_mapping(run.config)
    named: dict[str, Any] = {
        k: config[k] for k in ("model_sha256", "seed", "dtype", "device") if k in config
    }
    origin = {k: v for k, v in run.provenance.items() if k != "command"}
    computed = {k: v for k, v in run.code().items() if k in origin}
    return {
        "format": FORMAT,
        "format_version": VERSION,
        "experiment": run.experiment.name,
        "plan_sha256": run.plan_sha256,
        "config": config,
        **named,
        **origin,
        **computed,
    }
