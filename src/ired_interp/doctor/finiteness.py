"""NaN and infinity: in which unit, at which level, from which layer."""

import re
from collections.abc import Mapping

from ired_interp.doctor.evidence import Count, Evidence
from ired_interp.doctor.finding import Finding, duration, units_of
from ired_interp.doctor.trial import Origin, Trial
from ired_interp.runs.failures import Failure

__all__ = ["is_not_finite", "not_finite", "suspect"]

_WORDS = re.compile(r"\bnans?\b|\binfinit[ey]\b|\binfs?\b|not finite|non-?finite", re.IGNORECASE)
_ERROR = "NonFiniteError"
# Above it the next squares and sums leave the range of floating-point numbers.
_HUGE = {"float32": 1e15, "float64": 1e100}


def is_not_finite(failure: Failure) -> bool:
    """Whether a unit failed because of NaN or infinity."""
    return failure.error == _ERROR or bool(_WORDS.search(failure.message))


def suspect(evidence: Evidence) -> int | None:
    """The first unit that is worth to be computed again, if there is one."""
    failed = [i for i, failure in evidence.failures.items() if is_not_finite(failure)]
    stored = [i for i, numbers in evidence.numbers.items() if numbers.not_finite]
    return min(failed or stored, default=None)


def not_finite(evidence: Evidence, trial: Trial | None) -> list[Finding]:
    """NaN and infinity in units that failed because of it, and in what others stored.

    Args:
        evidence: Of the run.
        trial: Of the unit that `suspect` names; None if it was not computed again.
    """
    findings = []
    failed = {i: f for i, f in evidence.failures.items() if is_not_finite(f)}
    if failed:
        first = min(failed)
        said = f"{failed[first].error}: {failed[first].message}"
        findings.append(_finding(evidence, tuple(failed), f"{units_of([first])}: {said}", trial))
    stored = {i: n.not_finite for i, n in evidence.numbers.items() if n.not_finite}
    if stored:
        first = min(stored)
        where = _where(stored[first])
        own = trial if trial is not None and trial.unit in stored else None
        findings.append(_finding(evidence, tuple(stored), f"{units_of([first])}: {where}", own))
    return findings


def _where(variables: Mapping[str, Mapping[int | None, Count]]) -> str:
    name, levels = next(iter(variables.items()))
    level, count = next(iter(levels.items()))
    at = "" if level is None else f" at level {level}"
    others = f"; so has {', '.join(list(variables)[1:4])}" if len(variables) > 1 else ""
    return f"{name}{at}: {count.bad} of {count.of} numbers are NaN or infinite{others}"


def _finding(
    evidence: Evidence, units: tuple[int, ...], found: str, trial: Trial | None
) -> Finding:
    if trial is None:
        return Finding(
            "not finite",
            units,
            f"{found} (not computed again, so level and layer are not known)",
            "let the doctor compute it again, without --no-rerun, to learn the layer",
        )
    again = f"Computed again ({duration(trial.seconds)}), {units_of([trial.unit])}"
    if trial.origin is not None:
        remedy = _remedy(trial.origin, evidence)
        return Finding("not finite", units, f"{found} {again}: {_told(trial.origin)}", remedy)
    if not trial.error:
        return Finding(
            "not finite",
            units,
            f"{found} {again} is sound: every module's output is finite.",
            "the numbers differ from one time to the next, or what it reads was mended: "
            f"'ired-interp resume {evidence.path}' tries it again",
        )
    return _after_the_modules(evidence, units, f"{found} {again}", trial)


def _after_the_modules(
    evidence: Evidence, units: tuple[int, ...], found: str, trial: Trial
) -> Finding:
    largest, name = trial.largest
    at = f" at level {trial.level}" if trial.level is not None else ""
    place = f" at {trial.place}" if trial.place else ""
    seen = f" The largest of them is {largest:.1e}, by {name}." if name else ""
    error = "the same" if trial.error in found else trial.error
    text = f"{found} raises {error}{at}{place}; every module's output is finite.{seen}"
    if largest > _HUGE.get(str(evidence.config.get("dtype")), _HUGE["float32"]):
        return Finding(
            "not finite",
            units,
            text,
            f"the energy explodes behind {name}: look at the size of its weights and of y; take an "
            "earlier checkpoint",
        )
    return Finding(
        "not finite",
        units,
        text,
        f"look at what is done with them{place or ' in the experiment'}: a division by 0, a "
        "logarithm, an input that is not finite",
    )


def _told(origin: Origin) -> str:
    level = f"at level {origin.level}, " if origin.level is not None else ""
    given = "finite numbers" if origin.input_finite else "numbers that are not finite already"
    text = (
        f"{level}the first module whose output is not finite is {origin.module} ({origin.kind}): "
        f"{origin.value}, from {given} of size up to {origin.largest_input:.1e}."
    )
    if origin.weights:
        text += f" Weights that are NaN or infinite: {'; '.join(origin.weights)}."
    else:
        text += " All weights are finite."
    return text + (f" x is not finite in {origin.x}." if origin.x else "")


def _remedy(origin: Origin, evidence: Evidence) -> str:
    leave = ""
    if origin.level is not None and "levels" in evidence.config:
        leave = f"; a new run without level {origin.level} (--levels) has the others"
    if origin.own_weights or (origin.weights and not origin.x):
        return f"the model is damaged: take an earlier checkpoint, or train it again{leave}"
    if origin.x:
        return f"mend the data: x is not finite in {origin.x} of the unit"
    if not origin.input_finite:
        return (
            f"look at what is done before {origin.module} outside of any module: a division by 0, "
            f"a logarithm, a y that left the finite numbers{leave}"
        )
    dtype = evidence.config.get("dtype")
    wider = " compute in float64 (--dtype float64), or" if dtype == "float32" else ""
    return (
        f"the numbers explode in {origin.module}:{wider} look at the size of its weights and of "
        f"what it is given; take an earlier checkpoint{leave}"
    )
