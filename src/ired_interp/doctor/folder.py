"""What is wrong with the folder itself: damage, units undone, a full disk, other code, errors."""

import re
from collections.abc import Callable, Sequence

from ired_interp.doctor.convergence import slow_convergence
from ired_interp.doctor.evidence import Evidence
from ired_interp.doctor.finding import Finding, size, units_of
from ired_interp.doctor.finiteness import is_not_finite
from ired_interp.doctor.memory import is_out_of_memory
from ired_interp.runs.failures import Failure

__all__ = ["damaged_shards", "disk_full", "left_undone", "other_code", "other_failures"]

_FULL = re.compile(r"disk is full|disk quota is used up|No space left|Disk quota exceeded")
_LEAST_FREE = 100 * 2**20
_CODE = "was computed by other code"
_FRAME = re.compile(r'^  File "(.*)", line (\d+), in (\S+)$', re.M)
_MOST_LETTERS = 600


def disk_full(evidence: Evidence) -> list[Finding]:
    """Errors that speak of a full disk, and a disk that is full now."""
    failed = {i: f for i, f in evidence.failures.items() if _FULL.search(f.message)}
    full = evidence.machine.disk_free < _LEAST_FREE
    lines = (line for text in evidence.logs.values() for line in text.splitlines())
    logged = [line.strip() for line in lines if _FULL.search(line)]
    undone = bool(evidence.units("missing", "failed", "damaged"))
    # What a log says of a disk that was full once is no news where all is done.
    if not failed and not full and not (logged and undone):
        return []
    said = f" {next(iter(failed.values())).message}" if failed else ""
    if not said and logged:
        said = f" A log says: {logged[-1]}"
    return [
        Finding(
            "disk full",
            tuple(failed),
            f"{size(evidence.machine.disk_free)} are free at {evidence.path} now.{said}",
            "free some space there (or raise the quota), then 'ired-interp resume "
            f"{evidence.path}'",
        )
    ]


def damaged_shards(evidence: Evidence) -> list[Finding]:
    """Data that are there and not to be used."""
    damaged = [s for s in evidence.statuses if s.state == "damaged" and not _by_other(s.error)]
    if not damaged:
        return []
    return [
        Finding(
            "damaged shard",
            tuple(s.index for s in damaged),
            f"{damaged[0].error}"
            + (f"; and {len(damaged) - 1} more" if len(damaged) > 1 else "")
            + ".",
            f"'ired-interp resume {evidence.path}' computes them again; if it happens twice, look "
            "at the disk (a copy that broke off, a full disk, dmesg)",
        )
    ]


def left_undone(evidence: Evidence) -> list[Finding]:
    """Units that are missing while nothing runs."""
    claimed = set(evidence.claims)
    missing = [i for i in evidence.units("missing") if i not in claimed]
    undone = evidence.units("missing", "failed", "damaged")
    if evidence.units("running") or (not missing and (undone or evidence.finished)):
        return []
    if not missing:
        return [
            Finding(
                "left undone",
                (),
                "all units are done, and results.h5 is not made.",
                f"'ired-interp resume {evidence.path}'",
            )
        ]
    if evidence.submitted:
        remedy = (
            f"'ired-interp status {evidence.path}' says whether their tasks are still in the "
            f"queue, 'ired-interp fetch {evidence.path}' brings what is done there"
        )
    else:
        remedy = f"'ired-interp resume {evidence.path}'"
    return [
        Finding(
            "left undone",
            tuple(missing),
            f"{len(missing)} of {evidence.num_units} units are missing, and nothing on this "
            "machine or heard of elsewhere is at work on them: the run was stopped or killed.",
            remedy,
        )
    ]


def other_code(evidence: Evidence) -> list[Finding]:
    """Shards of other code than the plan's; or code that would refuse to go on."""
    mixed = [s for s in evidence.statuses if s.state == "damaged" and _by_other(s.error)]
    findings = []
    if mixed:
        findings.append(
            Finding(
                "other code",
                tuple(s.index for s in mixed),
                f"{mixed[0].error}.",
                f"'ired-interp resume {evidence.path}' computes them again by the plan's code",
            )
        )
    if evidence.changed and not evidence.finished:
        findings.append(
            Finding(
                "other code",
                evidence.units("missing", "failed", "damaged"),
                f"the code here is another than that of the plan: {'; '.join(evidence.changed)}. "
                "'resume' will refuse it.",
                "check out the commit of run.json (provenance; with uncommitted.patch if there is "
                "one), or start a new run",
            )
        )
    return findings


def other_failures(evidence: Evidence) -> list[Finding]:
    """Errors that belong to none of the patterns, alike ones together, with the author's line."""
    known = {i for finding in slow_convergence(evidence) for i in finding.units}
    tests: Sequence[Callable[[Failure], bool]] = (
        is_not_finite,
        is_out_of_memory,
        lambda failure: bool(_FULL.search(failure.message)),
    )
    groups: dict[tuple[str, str], list[int]] = {}
    for index, failure in evidence.failures.items():
        if index not in known and not any(test(failure) for test in tests):
            groups.setdefault((failure.error, failure.message), []).append(index)
    return [_failed(evidence, error, message, units) for (error, message), units in groups.items()]


def _failed(evidence: Evidence, error: str, message: str, units: Sequence[int]) -> Finding:
    said = message if len(message) <= _MOST_LETTERS else f"{message[:_MOST_LETTERS]} …"
    return Finding(
        "failed",
        tuple(units),
        f"{error}: {said}{_place(evidence.failures[units[0]].traceback)}",
        f"mend that line; the whole traceback of {units_of(units[:1])} is in "
        f"{evidence.path / 'failures'}. 'ired-interp resume {evidence.path}' tries again",
    )


def _place(traceback: str) -> str:
    """The innermost line outside of libraries and of this package's machinery."""
    frames = [
        found
        for found in _FRAME.findall(traceback)
        if "site-packages" not in found[0] and not found[0].startswith("<")
    ]
    own = [found for found in frames if "/ired_interp/" not in found[0]] or frames
    if not own:
        return ""
    file, line, function = own[-1]
    return f" ({file}:{line} in {function})"


def _by_other(error: str | None) -> bool:
    return error is not None and _CODE in error
