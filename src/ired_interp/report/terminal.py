"""The results as tables for a terminal; they show what the results hold and compute nothing."""

from ired_interp.digits import concise, number
from ired_interp.experiments.page import Listing
from ired_interp.experiments.verdict_data import read_verdicts
from ired_interp.report.cards import SYMBOLS, shown_outcome
from ired_interp.report.headline import headline
from ired_interp.report.printed import Printed
from ired_interp.report.readable import read, readable
from ired_interp.runs.run import Run
from ired_interp.stats import Interval

__all__ = ["first_line", "results_table", "verdict_table"]


def first_line(run: Run) -> str:
    """The first line of a finished run's report."""
    with read(run) as results:
        return headline(run.experiment, run.experiment.page(results).subject, results)


def verdict_table(run: Run) -> Printed | None:
    """The verdicts of a finished run, as its report has them; None where there are none."""
    stored = read_verdicts(readable(run))
    if not stored:
        return None
    rows = [
        (
            one.verdict.id,
            f"{SYMBOLS[shown_outcome(one)]} {shown_outcome(one)}",
            _said(one.verdict.estimate),
            number(one.verdict.null, 3),
            _said(one.verdict.control),
            number(one.verdict.adjusted_p, 2),
        )
        for one in stored
    ]
    return Printed(
        Listing(
            heads=("hypothesis", "verdict", "effect", "null", "control", "p"),
            rows=rows,
            caption="means over problems; in parentheses the larger half of the interval;\n"
            "p, adjusted by Holm: of the statement, or against it where it is refuted",
            left=("hypothesis", "verdict"),
        )
    )


def _said(interval: Interval | None) -> str:
    if interval is None:
        return "–"
    return concise(interval.mean, max(interval.high - interval.mean, interval.mean - interval.low))


def results_table(run: Run, title: str) -> Printed:
    """The experiment's listing of a finished run."""
    with read(run) as results:
        return Printed(run.experiment.listing(results), title)
