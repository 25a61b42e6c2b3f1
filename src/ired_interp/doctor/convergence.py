"""Iterations that did not reach their tolerance: failures, and points marked in the results."""

import re
from collections.abc import Sequence

from ired_interp.doctor.evidence import Count, Evidence
from ired_interp.doctor.finding import Finding, units_of
from ired_interp.runs.failures import Failure

__all__ = ["slow_convergence"]

_ERROR = "ConvergenceError"
_ROUTINE = re.compile(r"^([\w.]+): ")
_WANTED = re.compile(r"≤ ([-+.\de]+)·‖H‖")
_REACHED = re.compile(r"found ([-+.\de]+)·‖H‖")


def slow_convergence(evidence: Evidence) -> list[Finding]:
    """Failures by routine, with how far they came, and the share of points that are marked."""
    by_routine: dict[str, dict[int, Failure]] = {}
    for index, failure in evidence.failures.items():
        if failure.error == _ERROR:
            found = _ROUTINE.match(failure.message)
            by_routine.setdefault(found[1] if found else "an iteration", {})[index] = failure
    findings = [_of_failures(name, failed) for name, failed in by_routine.items()]
    marked = {
        i: numbers.not_converged
        for i, numbers in evidence.numbers.items()
        if any(count.bad for count in numbers.not_converged.values())
    }
    if not marked:
        return findings
    levels = {level for counts in marked.values() for level in counts}
    every = [numbers.not_converged for numbers in evidence.numbers.values()]
    totals = {
        level: _total([counts[level] for counts in every if level in counts])
        for level in sorted(levels, key=lambda level: -1 if level is None else level)
    }
    shares = "; ".join(_share(level, count) for level, count in totals.items() if count.bad)
    findings.append(
        Finding(
            "slow convergence",
            tuple(marked),
            f"status says not converged: {shares}. These points are missing (NaN) in the results.",
            "read results at those levels as of the other points only, or choose a point that "
            "needs no search (point typical or scaled_solution, where the experiment is exp001)",
        )
    )
    return findings


def _of_failures(routine: str, failed: dict[int, Failure]) -> Finding:
    first = min(failed)
    message = failed[first].message
    reached = [float(m[1]) for f in failed.values() if (m := _REACHED.search(f.message))]
    wanted = _WANTED.search(message)
    far = ""
    if reached and wanted:
        far = f" At worst {max(reached):.1e} was reached where {wanted[1]} was asked for."
    return Finding(
        "slow convergence",
        tuple(failed),
        f"{routine} gave up in {len(failed)} unit{'s' * (len(failed) > 1)}; {units_of([first])}: "
        f"{message}{far}",
        f"{_remedy(message)}; 'ired-interp status' shows the other units",
    )


def _remedy(message: str) -> str:
    """The error's own advice is its last sentence."""
    sentences = [part.strip() for part in re.split(r"(?<=\.)\s+", message.strip()) if part.strip()]
    own = sentences[-1].rstrip(".") if len(sentences) > 1 else ""
    return own[:1].lower() + own[1:] if own else "compute in float64, or ask for a larger tolerance"


def _total(counts: Sequence[Count]) -> Count:
    return Count(sum(count.bad for count in counts), sum(count.of for count in counts))


def _share(level: int | None, count: Count) -> str:
    at = "" if level is None else f"level {level}: "
    return f"{at}{count.bad} of {count.of} ({count.bad / count.of:.0%})"
