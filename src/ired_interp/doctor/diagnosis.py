"""All patterns, looked for in one run."""

from datetime import UTC, datetime

from ired_interp.doctor.convergence import slow_convergence
from ired_interp.doctor.evidence import Evidence, gather
from ired_interp.doctor.finding import Diagnosis, Finding
from ired_interp.doctor.finiteness import not_finite, suspect
from ired_interp.doctor.fitting import what_fits
from ired_interp.doctor.folder import (
    damaged_shards,
    disk_full,
    left_undone,
    other_code,
    other_failures,
)
from ired_interp.doctor.hanging import hangs, stale_claims
from ired_interp.doctor.machine import this_machine
from ired_interp.doctor.memory import memory_grows, memory_to_plan_for, out_of_memory
from ired_interp.doctor.speed import (
    gpu_not_asked,
    idle_gpu,
    slower_and_slower,
    too_many_threads,
    uneven_hosts,
)
from ired_interp.doctor.trial import try_unit
from ired_interp.runs.run import Run

__all__ = ["diagnose"]

_PLAIN = (
    disk_full,
    other_code,
    damaged_shards,
    other_failures,
    slow_convergence,
    hangs,
    stale_claims,
    left_undone,
    memory_grows,
    too_many_threads,
    uneven_hosts,
    slower_and_slower,
    idle_gpu,
)


def diagnose(run: Run, *, rerun: bool = True, now: datetime | None = None) -> Diagnosis:
    """Look for every pattern; nothing in the run's folder is changed.

    Args:
        run: Finished, stopped, failed or under way.
        rerun: Whether to compute one unit again where a number is not finite, to see which layer
            gives it.
        now: The present; the clock's by default.

    Cost: every shard is read twice, and where ``rerun`` applies one unit is computed.
    """
    evidence = gather(run, this_machine(run.path), now or datetime.now(UTC))
    return Diagnosis(
        evidence.statuses,
        [
            *_numbers(run, evidence, rerun=rerun),
            *_memory(run, evidence),
            *(finding for pattern in _PLAIN for finding in pattern(evidence)),
        ],
        gpu_not_asked(evidence),
    )


def _numbers(run: Run, evidence: Evidence, *, rerun: bool) -> list[Finding]:
    unit = suspect(evidence) if rerun else None
    return not_finite(evidence, None if unit is None else try_unit(run, unit))


def _memory(run: Run, evidence: Evidence) -> list[Finding]:
    if not out_of_memory(evidence, None):
        return []
    budget = memory_to_plan_for(evidence)
    return out_of_memory(evidence, None if budget is None else what_fits(run, budget))
