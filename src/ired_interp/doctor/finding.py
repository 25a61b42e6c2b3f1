"""What the doctor says of a run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ired_interp.runs.failures import ranges
from ired_interp.runs.units import UnitStatus

__all__ = ["Diagnosis", "Finding", "Pattern", "duration", "size", "units_of"]

Pattern = Literal[
    "not finite",
    "out of memory",
    "hangs",
    "stale claim",
    "slow convergence",
    "memory grows",
    "uneven hosts",
    "too many threads",
    "slower and slower",
    "idle GPU",
    "damaged shard",
    "left undone",
    "disk full",
    "other code",
    "failed",
]

# Nothing is lost by these: the run goes on, or went on, and its data hold.
_ADVICE: tuple[Pattern, ...] = (
    "memory grows",
    "uneven hosts",
    "too many threads",
    "slower and slower",
    "idle GPU",
)
_GIB, _MIB = 2**30, 2**20
_SPANS = ((86400.0, "days"), (3600.0, "h"), (60.0, "min"))
_FEW_SECONDS = 10.0


@dataclass(frozen=True)
class Finding:
    """A pattern that was recognised.

    Attributes:
        pattern: Its name; docs/doctor.md says how each is recognised.
        units: Which units show it; empty where it is the run as a whole.
        found: What was seen.
        remedy: What to do.
    """

    pattern: Pattern
    units: tuple[int, ...]
    found: str
    remedy: str

    @property
    def advice(self) -> bool:
        """Whether it stops nothing."""
        return self.pattern in _ADVICE

    def as_mapping(self) -> dict[str, Any]:
        """The fields, ready for JSON."""
        return {
            "pattern": self.pattern,
            "advice": self.advice,
            "units": list(self.units),
            "found": self.found,
            "remedy": self.remedy,
        }


@dataclass(frozen=True)
class Diagnosis:
    """All that is to be said of a run.

    Attributes:
        statuses: Of its units.
        findings: What was recognised; empty where nothing is wrong.
        not_asked: What could not be looked at, and why.
    """

    statuses: Sequence[UnitStatus]
    findings: Sequence[Finding]
    not_asked: Sequence[str]

    @property
    def ok(self) -> bool:
        """Whether there is advice at most."""
        return all(finding.advice for finding in self.findings)


def units_of(units: Sequence[int]) -> str:
    """``unit 3`` or ``units 0, 3-7``."""
    return f"unit{'s' * (len(units) > 1)} {ranges(units)}"


def size(count: float) -> str:
    """Bytes in words."""
    return f"{count / _GIB:.1f} GiB" if count >= _GIB else f"{count / _MIB:.0f} MiB"


def duration(seconds: float) -> str:
    """Seconds in words."""
    for span, name in _SPANS:
        if seconds >= 2 * span:
            return f"{seconds / span:.1f} {name}"
    return f"{seconds:.2g} s" if seconds < _FEW_SECONDS else f"{seconds:.0f} s"
