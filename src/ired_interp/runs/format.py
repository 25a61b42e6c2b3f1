"""The format of a run folder: its name, its versions, and how one is known."""

from pathlib import Path

__all__ = ["FORMAT", "READ_VERSIONS", "VERSION", "WITH_PLAN_HASH", "is_run_folder"]

FORMAT = "ired-interp-run"
# Version 2: eigenvalues may be those of the ends only, and each has its certificate.
# Version 3: a hash of the plan, where the experiment is defined, and a record beside each shard.
VERSION = 3
READ_VERSIONS = (1, 2, 3)
"""Of the format of run folders."""

WITH_PLAN_HASH = 3
"""The first version whose run.json has one."""


def is_run_folder(path: Path) -> bool:
    """Whether a folder was made by `ired_interp.runs.run.plan_run`."""
    return (path / "run.json").is_file()
