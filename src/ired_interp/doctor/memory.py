"""Memory that ran out, and memory that grows from unit to unit."""

import re
import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from ired_interp.cluster.causes import full_memory
from ired_interp.doctor.evidence import Evidence
from ired_interp.doctor.finding import Finding, size, units_of
from ired_interp.doctor.trends import Trend, trend
from ired_interp.runs.failures import Failure

__all__ = ["Fitting", "is_out_of_memory", "memory_grows", "memory_to_plan_for", "out_of_memory"]

_MIB = 2**20
_KILL = "killed by signal 9"
_KILLED = re.compile(r"^.*(?:oom[-_ ]kill|Out Of Memory).*$", re.MULTILINE)
# Other processes want some, and a bound is not exact.
_SHARE = 0.8
# Of Python and its libraries, where no unit tells.
_START_BYTES = 400 * _MIB
_LEAST_GROWTH, _LEAST_SHARE = 50 * _MIB, 0.1


@dataclass(frozen=True)
class Fitting:
    """What the experiment says would fit.

    Attributes:
        budget: That was asked for: bytes by which a process may grow.
        changes: Fields of the config, each before and after; empty where it fits as it is.
        command: That runs it.
        refused: Why nothing fits, or why the experiment cannot say; empty if it can.
    """

    budget: int
    changes: Mapping[str, tuple[object, object]]
    command: str
    refused: str = ""


def is_out_of_memory(failure: Failure) -> bool:
    """Whether a unit failed for want of main memory, or was killed as the system does then."""
    said = f"{failure.error}: {failure.message}"
    return _KILL in said or full_memory(said) == "main"


def memory_to_plan_for(evidence: Evidence) -> int | None:
    """Bytes by which a unit may grow here: 80 % of what is available, less what a process takes."""
    if evidence.machine.available is None:
        return None
    starts = [r.start_memory_bytes for r in evidence.records.values() if r.start_memory_bytes]
    start = min(starts, default=_START_BYTES)
    return max(1, int(_SHARE * evidence.machine.available) - start)


def out_of_memory(evidence: Evidence, fitting: Fitting | None) -> list[Finding]:
    """Units that ran out of memory, and what would fit.

    Args:
        evidence: Of the run.
        fitting: What the experiment says of this machine's memory; None if that is not known.
    """
    failed = {i: f for i, f in evidence.failures.items() if is_out_of_memory(f)}
    killed = _killed_by_a_scheduler(evidence)
    if not failed and not killed:
        return []
    parts, host = [killed], None
    if failed:
        first = failed[min(failed)]
        host = first.host
        parts = [f"{units_of([min(failed)])}: {first.error}: {_first_line(first.message)}."]
    peaks = [r.peak_memory_bytes for r in evidence.records.values() if r.peak_memory_bytes]
    if peaks:
        parts.append(
            f"The {len(peaks)} units that are done took up to {size(max(peaks))} (half of them "
            f"{size(statistics.median(peaks))} or less)."
        )
    else:
        parts.append("No unit is done that would tell what one takes.")
    if evidence.machine.available is not None:
        parts.append(f"{size(evidence.machine.available)} are available on this machine now.")
    if host is not None and host != evidence.machine.host:
        parts.append(f"It failed on {host}, whose memory cannot be seen from here.")
    return [Finding("out of memory", tuple(failed), " ".join(parts), _what_fits(fitting, evidence))]


def _killed_by_a_scheduler(evidence: Evidence) -> str:
    """What the log of a job says, where units are left that nobody else accounts for."""
    if not evidence.units("missing"):
        return ""
    for name, text in evidence.logs.items():
        found = _KILLED.search(text)
        if found:
            return f"{name} says: {found[0].strip()}."
    return ""


def _what_fits(fitting: Fitting | None, evidence: Evidence) -> str:
    more = f"a machine with more, or fewer --workers, and 'ired-interp resume {evidence.path}'"
    if fitting is None:
        return f"{more}; this system does not say how much is available"
    if fitting.refused:
        return f"{more}; smaller units cannot be planned: {fitting.refused}"
    if not fitting.changes:
        return (
            f"a unit as planned should fit into {size(fitting.budget)}, which a process may grow "
            f"by here now: other processes, --workers or a limit took the rest. Mend that, then "
            f"'ired-interp resume {evidence.path}'"
        )
    changes = ", ".join(f"{name} {a} → {b}" for name, (a, b) in fitting.changes.items())
    return (
        f"{changes} fits into {size(fitting.budget)}, 80 % of what is available here less Python "
        f"itself: {fitting.command}"
    )


def memory_grows(evidence: Evidence) -> list[Finding]:
    """Processes whose memory before each unit grows from unit to unit."""
    grown: dict[str, Trend] = {}
    for name, units in evidence.orders.items():
        starts = [evidence.records[i].start_memory_bytes for i in units]
        line = trend([n for n in starts if n is not None])
        if line is not None and _is_leak(line):
            grown[name] = line
    if not grown:
        return []
    worst = max(grown, key=lambda name: grown[name].slope)
    line, units = grown[worst], tuple(evidence.orders[worst])
    later = ""
    if evidence.machine.available is not None:
        left = int(evidence.machine.available / line.slope)
        available = size(evidence.machine.available)
        later = f" At this rate the {available} available here last for {left} units more."
    count = f"{len(grown)} of {len(evidence.orders)}"
    others = f" So it is in {count} processes." if len(grown) > 1 else ""
    return [
        Finding(
            "memory grows",
            units,
            f"{worst}: {size(line.slope)} a unit (95 %: {size(line.low)} to {size(line.high)}), "
            f"{size(line.growth)} over {line.count} units that one process did one after the other."
            f"{later}{others}",
            "something outlives its unit: look for a list or cache of the module that is added to, "
            "and for tensors kept with their graph (.detach()). Meanwhile give each process few "
            f"units: 'ired-interp work {evidence.path} --units 0-9' and so on, or units_per_task = "
            "1 on a cluster",
        )
    ]


def _is_leak(line: Trend) -> bool:
    return line.low > 0 and line.growth > max(_LEAST_GROWTH, _LEAST_SHARE * line.middle)


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0].rstrip(".") if text.strip() else "no message"
