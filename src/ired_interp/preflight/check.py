"""What one check of the preflight says, and the list of all checks by id."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

__all__ = [
    "CHECKS",
    "OF_A_MACHINE",
    "Check",
    "Group",
    "Status",
    "advised",
    "failed",
    "not_checked",
    "passed",
]

Status = Literal["pass", "fail", "not_checked"]
Group = Literal["repository", "environment", "dry run", "resources", "cluster"]

# Ids are stable: scripts and the ledger of submissions hold them. A new one is added, none is
# renamed. What each looks at and what mends it stands in docs/preflight.md.
CHECKS: Mapping[str, Group] = {
    "reference": "repository",
    "tracked": "repository",
    "clean": "repository",
    "remote": "repository",
    "pushed": "repository",
    "submodules": "repository",
    "data_files": "repository",
    "line_endings": "repository",
    "clone": "repository",
    "interpreter": "environment",
    "environment": "environment",
    "import_module": "dry run",
    "import_name": "dry run",
    "interface": "dry run",
    "config": "dry run",
    "checkpoint": "dry run",
    "trained": "dry run",
    "levels": "dry run",
    "dims": "dry run",
    "array_type": "dry run",
    "call_signature": "dry run",
    "device": "dry run",
    "finite": "dry run",
    "result_shape": "dry run",
    "dry_run": "dry run",
    "pure": "dry run",
    "memory": "resources",
    "time": "resources",
    "disk": "resources",
    "session": "cluster",
    "clock": "cluster",
    "partition": "cluster",
    "gpu": "cluster",
    "folders": "cluster",
    "arrives": "cluster",
    "paths": "cluster",
    "script": "cluster",
    "sbatch": "cluster",
    "queue": "cluster",
}

# Those of ``ired-interp doctor``, which docs/doctor.md explains; some have a namesake above.
OF_A_MACHINE = (
    "interpreter",
    "packages",
    "hessian",
    "threads",
    "memory",
    "disk",
    "gpu",
    "browser",
    "git",
    "rsync",
    "session",
    "slurm",
)


@dataclass(frozen=True)
class Check:
    """One line of the preflight, or of the doctor.

    Attributes:
        id: One of `CHECKS` or `OF_A_MACHINE`.
        status: ``pass``, ``fail``, or ``not_checked`` with the reason in ``found``.
        found: What there is.
        expected: What there should be; empty where the check passed.
        fix: The command or the edit that mends it; empty where the check passed.
        seconds: What the check took.
        advice: Whether what failed stops nothing: it would only be better otherwise.
    """

    id: str
    status: Status
    found: str
    expected: str = ""
    fix: str = ""
    seconds: float = 0.0
    advice: bool = False

    def __post_init__(self) -> None:
        if self.id not in CHECKS and self.id not in OF_A_MACHINE:
            raise KeyError(f"{self.id} is no check: add it to CHECKS and to docs/preflight.md")

    def as_mapping(self) -> dict[str, Any]:
        """The fields, ready for JSON; ``advice`` only where it is."""
        fields = asdict(self)
        if not self.advice:
            del fields["advice"]
        return fields


def passed(name: str, found: str) -> Check:
    """A check that found what it should."""
    return Check(name, "pass", found)


def failed(name: str, found: str, expected: str, fix: str) -> Check:
    """A check that found something else."""
    return Check(name, "fail", _one_line(found), expected, fix)


def advised(name: str, found: str, expected: str, fix: str) -> Check:
    """A check that found something else, which stops nothing."""
    return Check(name, "fail", _one_line(found), expected, fix, advice=True)


def not_checked(name: str, because: str, fix: str = "") -> Check:
    """A check that could not be made, and why: it is neither good news nor bad."""
    return Check(name, "not_checked", f"because {_one_line(because)}", "", fix)


def _one_line(text: str) -> str:
    return "; ".join(line.strip() for line in text.splitlines() if line.strip())
