"""``status``: how the units of a run stand."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ired_interp.cli.cluster import add_clusters, cluster_lines
from ired_interp.console import terminal
from ired_interp.runs.failures import ranges
from ired_interp.runs.run import open_run
from ired_interp.runs.units import UnitStatus, unit_statuses

__all__ = ["add", "local_lines"]

_ORDER = ("running", "failed", "damaged", "missing", "done")
_MIB = 2**20


def add(commands: Any) -> None:
    """Register the command."""
    parser = commands.add_parser("status", help="how the units of a run stand")
    parser.set_defaults(command=_status)
    parser.add_argument("folder", type=Path, help="run folder")
    parser.add_argument("--all", action="store_true", help="a line for each unit that is done, too")
    add_clusters(parser)


def _status(options: argparse.Namespace) -> int:
    run = open_run(options.folder)
    lines = local_lines(unit_statuses(run), every=options.all)
    on_a_cluster = cluster_lines(run.path, options.clusters)
    if run.finished:
        lines.append(f"results  {run.results_path}")
    elif on_a_cluster:
        lines += on_a_cluster
    else:
        lines.append(f"not collated; 'ired-interp resume {run.path}' goes on")
    terminal().print("\n".join(lines), soft_wrap=True)
    return 0


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
