"""What a finished run found, in the words of its report."""

from rich.console import Console
from rich.text import Text

from ired_interp.report.terminal import first_line, verdict_table
from ired_interp.runs.run import Run

__all__ = ["print_verdicts"]


def print_verdicts(run: Run, out: Console) -> None:
    """The verdicts as a table, and the first line of the report."""
    table = verdict_table(run)
    if table is not None:
        out.print(table)
    out.print(Text(first_line(run)))
    out.print()
