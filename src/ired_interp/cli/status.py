"""``status``: how the units of a run stand."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from ired_interp.cluster.ledger import has_ledger
from ired_interp.console import terminal
from ired_interp.runs.failures import ranges
from ired_interp.runs.folder import RunFolder, read_folder
from ired_interp.runs.units import UnitStatus, unit_statuses

__all__ = ["local_lines", "status"]

_ORDER = ("running", "failed", "damaged", "missing", "done")
_MIB = 2**20


def status(options: argparse.Namespace) -> int:
    """Print how the units stand."""
    run = _opened(options.folder)
    lines = local_lines(unit_statuses(run), every=options.all)
    on_a_cluster = _on_a_cluster(run.path, options.clusters)
    if run.finished:
        lines.append(f"results  {run.results_path}")
    elif on_a_cluster:
        lines += on_a_cluster
    else:
        lines.append(f"not collated; 'ired-interp resume {run.path}' goes on")
    terminal().print("\n".join(lines), soft_wrap=True)
    return 0


def _opened(path: Path) -> RunFolder:
    found = read_folder(path)
    if found is None:
        from ired_interp.runs.run import open_run  # and its experiment, which takes seconds

        return open_run(path).folder
    return found


def _on_a_cluster(run: Path, clusters: Path | None) -> list[str]:
    if not has_ledger(run):
        return []
    from ired_interp.cli.cluster import cluster_lines  # takes seconds, where there is one

    return cluster_lines(run, clusters)


def local_lines(statuses: Sequence[UnitStatus], *, every: bool) -> list[str]:
    """A line that counts, then one for each unit that needs attention; the others in ranges.

    Args:
        statuses: Of all units.
        every: Whether units that are done get a line each.
    """
    groups: dict[str, list[UnitStatus]] = {}
    for status in statuses:
        groups.setdefault(status.state, []).append(status)
    counts = ", ".join(f"{len(groups[s])} {s}" for s in reversed(_ORDER) if s in groups)
    lines = [f"{len(statuses)} units: {counts}"]
    for state in _ORDER:
        found = groups.get(state, [])
        if found and (state == "missing" or (state == "done" and not every)):
            lines.append(f"{state:8} {ranges(s.index for s in found)}{_cost(found)}")
        else:
            lines += [f"{state:8} {s.index}{_of_one(s)}" for s in found]
    return lines


def _of_one(status: UnitStatus) -> str:
    """What is known of a unit, after its number."""
    words = []
    if status.host is not None:
        words.append(f"on {status.host}")
    if status.job is not None:
        words.append(f"job {status.job}")
    if status.pid is not None:
        words.append(f"pid {status.pid}, since {status.since}")
    if status.seconds is not None:
        words.append(f"{status.seconds:.1f} s")
    if status.peak_memory_bytes is not None:
        words.append(f"{status.peak_memory_bytes / _MIB:.0f} MiB")
    text = f"  {', '.join(words)}" if words else ""
    return text if status.error is None else f"{text}: {status.error}"


def _cost(done: Sequence[UnitStatus]) -> str:
    seconds = sorted(s.seconds for s in done if s.seconds is not None)
    peaks = [s.peak_memory_bytes for s in done if s.peak_memory_bytes is not None]
    if not seconds or not peaks:
        return ""
    middle = seconds[len(seconds) // 2]
    return (
        f"  ({middle:.1f} s each, the slowest {seconds[-1]:.1f} s; at most "
        f"{max(peaks) / _MIB:.0f} MiB)"
    )
