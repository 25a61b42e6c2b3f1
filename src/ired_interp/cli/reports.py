"""``report``: the page of a finished run, written again."""

import argparse

from ired_interp.cli.verdicts import print_verdicts
from ired_interp.console import console, terminal
from ired_interp.experiments.drawing import import_matplotlib
from ired_interp.runs.run import open_run

__all__ = ["report"]


def report(options: argparse.Namespace) -> int:
    """Write it again."""
    from ired_interp.report.html import write_report

    run = open_run(options.folder).loaded()
    print_verdicts(run, terminal())
    console.print(f"report   {write_report(run)}", soft_wrap=True)
    if options.figures is not None:
        import_matplotlib()
        from ired_interp.report.figures import save_figures

        for path in save_figures(run, options.figures):
            console.print(f"figure   {path}", soft_wrap=True)
    return 0
