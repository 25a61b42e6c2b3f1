"""The page of a run."""

from pathlib import Path

from ired_interp.runs.run import Run
from ired_interp.runs.storage import write_file

__all__ = ["write_report"]


def write_report(run: Run) -> Path:
    """Write it."""
    write_file(run.report_path, str(run.tree).encode())
    return run.report_path
