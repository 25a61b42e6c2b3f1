"""The results as a table for a terminal; it shows what the experiment says and computes nothing."""

from rich import box
from rich.markup import escape
from rich.table import Table

from ired_interp.runs.run import Run

__all__ = ["results_table"]


def results_table(run: Run, title: str) -> Table:
    """The experiment's listing of a finished run."""
    listing = run.experiment.listing(run.tree)
    table = Table(
        title=escape(title),
        caption=escape(listing.caption),
        box=box.SIMPLE_HEAD,
        padding=(0, 1),
        pad_edge=False,
    )
    for head in listing.heads:
        table.add_column(
            escape(head),
            justify="left" if head in listing.left else "right",
            style="dim" if head in listing.muted else "",
            no_wrap=True,
        )
    for row in listing.rows:
        table.add_row(*map(escape, row))
    return table
