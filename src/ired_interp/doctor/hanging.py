"""Units that run far too long, and claims of processes that are gone."""

import statistics
from datetime import datetime

from ired_interp.doctor.evidence import Evidence
from ired_interp.doctor.finding import Finding, duration, units_of
from ired_interp.doctor.stacks import places
from ired_interp.runs.claims import Holder
from ired_interp.runs.units import UnitStatus

__all__ = ["hangs", "stale_claims"]

_TIMES, _LEAST_SECONDS = 10.0, 60.0
# Where no unit is done that would tell what one takes.
_ALONE_SECONDS = 600.0


def hangs(evidence: Evidence) -> list[Finding]:
    """Units that run ten times as long as others and over a minute; ten minutes if none is done."""
    done = [r.seconds for r in evidence.records.values() if r.seconds is not None]
    usual = statistics.median(done) if done else None
    most = _ALONE_SECONDS if usual is None else max(_TIMES * usual, _LEAST_SECONDS)
    findings = []
    for status in evidence.statuses:
        seconds = _running_seconds(status, evidence.now)
        if seconds is not None and seconds > most:
            findings.append(_finding(evidence, status, seconds, usual))
    return findings


def _running_seconds(status: UnitStatus, now: datetime) -> float | None:
    if status.state != "running" or status.since is None:
        return None
    return (now - datetime.fromisoformat(status.since)).total_seconds()


def _finding(
    evidence: Evidence, status: UnitStatus, seconds: float, usual: float | None
) -> Finding:
    others = f"the others took {duration(usual)}" if usual is not None else "no other is done yet"
    found = (
        f"running for {duration(seconds)} on {status.host} (process {status.pid}); {others}. "
        f"{_where(evidence, status.host, status.pid)}"
    )
    end = f"kill {status.pid}" if status.host == evidence.machine.host else "end it there"
    if status.job is not None:
        end = f"scancel {status.job}"
    return Finding(
        "hangs",
        (status.index,),
        found,
        f"look at that line: a loop that does not end, a lock, a file or another machine that does "
        f"not answer. If it only takes long, wait; else {end}, and 'ired-interp resume "
        f"{evidence.path}'",
    )


def _where(evidence: Evidence, host: str | None, pid: int | None) -> str:
    """Where the looks found it, and how long it has been there."""
    text = evidence.stacks.get((host or "", pid or 0), "")
    seen = places(text)
    if not seen:
        return (
            "Nobody has looked where it is yet: a unit's stack is written to logs/stacks-… every "
            "5 minutes."
        )
    last = seen[-1]
    same = 0
    for place in reversed(seen):
        if place != last:
            break
        same += 1
    times = f"the last {same} of {len(seen)} looks" if same > 1 else "the last look"
    return f"{times[0].upper()}{times[1:]} found it at {last}."


def stale_claims(evidence: Evidence) -> list[Finding]:
    """Claims that a process left behind when it was killed, or when its machine went silent."""
    waiting = set(evidence.units("missing", "failed", "damaged"))
    left = {i: holder for i, holder in evidence.claims.items() if i in waiting}
    if not left:
        return []
    first = left[min(left)]
    where = ""
    if seen := places(evidence.stacks.get((first.host, first.pid), "")):
        where = f" It was last seen at {seen[-1]}."
    return [
        Finding(
            "stale claim",
            tuple(left),
            f"{units_of([min(left)])} was begun by {_named(first, evidence)} at {first.started}, "
            f"last heard of at {first.beat}, and is not done: the process was killed or is "
            f"silent.{where}",
            f"nothing is lost: 'ired-interp resume {evidence.path}' takes "
            f"{'them' if len(left) > 1 else 'it'} over. If it was killed for want of memory, plan "
            "smaller units (--max-memory)",
        )
    ]


def _named(holder: Holder, evidence: Evidence) -> str:
    here = ", this machine" if holder.host == evidence.machine.host else ""
    job = f", job {holder.job}" if holder.job is not None else ""
    return f"process {holder.pid} on {holder.host}{here}{job}"
