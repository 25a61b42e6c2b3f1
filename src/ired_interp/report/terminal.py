"""The results as tables for a terminal; they show what the results hold and compute nothing."""

from rich import box
from rich.markup import escape
from rich.table import Table

from ired_interp.digits import concise, number
from ired_interp.experiments.verdict_data import read_verdicts
from ired_interp.report.cards import SYMBOLS
from ired_interp.report.headline import headline
from ired_interp.runs.run import Run
from ired_interp.stats import Interval

__all__ = ["first_line", "results_table", "verdict_table"]


def first_line(run: Run) -> str:
    """The first line of a finished run's report."""
    results = run.tree
    return headline(run.experiment, run.experiment.page(results).subject, results)


def verdict_table(run: Run) -> Table | None:
    """The verdicts of a finished run, as its report has them; None where there are none."""
    stored = read_verdicts(run.tree)
    if not stored:
        return None
    table = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 1),
        pad_edge=False,
        caption="means over problems; in parentheses the larger half of the interval;\n"
        "p, adjusted by Holm: of the statement, or against it where it is refuted",
    )
    table.add_column("hypothesis", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for head in ("effect", "null", "control", "p"):
        table.add_column(head, justify="right", no_wrap=True)
    for one in stored:
        verdict = one.verdict
        table.add_row(
            escape(verdict.id),
            f"{SYMBOLS[verdict.outcome]} {verdict.outcome}",
            _said(verdict.estimate),
            number(verdict.null, 3),
            _said(verdict.control),
            number(verdict.adjusted_p, 2),
        )
    return table


def _said(interval: Interval | None) -> str:
    if interval is None:
        return "–"
    return concise(interval.mean, max(interval.high - interval.mean, interval.mean - interval.low))


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
