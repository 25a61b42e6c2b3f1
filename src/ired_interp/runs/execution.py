"""Execute the units of a run that are missing, here or in workers, and join their data."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import xarray as xr

from ired_interp.errors import RunFolderError, UnitsFailedError
from ired_interp.experiments.base import ROOT
from ired_interp.experiments.config import config_to_mapping
from ired_interp.experiments.verdict_data import verdict_groups
from ired_interp.runs.computing import Bench, Outcome, Track, compute_units, planned_threads
from ired_interp.runs.failures import summary_of
from ired_interp.runs.run import FORMAT, VERSION, Run
from ired_interp.runs.shards import ShardFault, collate, find_shard, to_bytes
from ired_interp.runs.workers import compute_in_workers
from ired_interp.storage import append_log, write_file

__all__ = ["collate_run", "execute"]

_SUMMARY = "summary"


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

    def compute(units: Mapping[int, ShardFault]) -> bool:
        return _compute(run, units, workers=workers, track=track, should_stop=should_stop)

    if not compute(run.undone()):
        return run
    data, faults = _read(run, range(run.num_units))
    if faults:  # in the data themselves, which show it now that they are read
        if not compute(faults):
            return run
        again, faults = _read(run, faults)
        data |= again
    return _collated(run, data, faults)


def collate_run(run: Run) -> Run:
    """Join the units' data and add the summary and the verdicts, in ``results.h5``.

    Raises:
        RunFolderError: Units are missing or damaged; each is named.
        StorageError: The file system refused.
        IredInterpError: The summary cannot be made.
    """
    return _collated(run, *_read(run, range(run.num_units)))


def _compute(
    run: Run,
    units: Mapping[int, ShardFault],
    *,
    workers: int,
    track: Track,
    should_stop: Callable[[], bool],
) -> bool:
    """Compute units, here or in workers; whether they were, as no stop was asked for.

    Raises:
        UnitsFailedError: Some failed; all others are done and stay.
    """
    if not units:
        return True
    for fault in units.values():
        if fault.kind == "damaged":
            append_log(run.log_path, f"computed again: {fault.reason}")
    if workers > 1 and len(units) > 1:
        bench = Bench.of(run, run.log_path)
        failed, stopped = compute_in_workers(
            run.path,
            run.elsewhere,
            list(units),
            threads=int(run.provenance["threads"]),
            workers=min(workers, len(units)),
            track=track,
            should_stop=should_stop,
            log=bench.log,
        )
        outcome = Outcome(failed, stopped)
    else:
        outcome = compute_units(run, list(units), track=track, should_stop=should_stop)
    if outcome.failed:
        raise UnitsFailedError(summary_of(outcome.failed, run.num_units, run.path))
    if outcome.stopped:
        append_log(run.log_path, "stopped as asked, after the unit under way")
    return not outcome.stopped


def _read(
    run: Run, units: Iterable[int]
) -> tuple[dict[int, dict[str, xr.Dataset]], dict[int, ShardFault]]:
    """The data of units, each read once; and of those that cannot be used, why."""
    code = run.code()
    data, faults = {}, {}
    for index in units:
        found = find_shard(run.shards, index, plan_sha256=run.plan_sha256, code=code)
        if isinstance(found, ShardFault):
            faults[index] = found
        else:
            data[index] = found
    return data, faults


def _collated(
    run: Run, data: Mapping[int, Mapping[str, xr.Dataset]], faults: Mapping[int, ShardFault]
) -> Run:
    if faults:
        raise RunFolderError(_not_whole(run, [fault.reason for fault in faults.values()]))
    with planned_threads(run):
        groups = collate([data[i] for i in range(run.num_units)])
        results = xr.DataTree.from_dict(groups)
        for name, summary in run.experiment.summarise(results).items():
            groups[f"{_SUMMARY}/{name}"] = summary
        judged = xr.DataTree.from_dict(groups)
        groups |= verdict_groups(run.experiment.hypotheses, judged)
    groups[ROOT] = groups[ROOT].assign_attrs(_attributes(run))
    write_file(run.results_path, to_bytes(groups))
    append_log(run.log_path, "collated results.h5")
    return run


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
