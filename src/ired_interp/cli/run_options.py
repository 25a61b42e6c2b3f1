"""Words of ``run``, ``resume``, ``work``, ``report`` and ``status``.

What a command does is imported when it is called: torch and xarray take seconds, and a usage line
or an error needs neither.
"""

import argparse
from pathlib import Path
from typing import Any

from ired_interp.cli.naming import AddConfig
from ired_interp.experiments.locating import experiment_names

__all__ = ["add", "add_clusters"]


def add(commands: Any, add_config: AddConfig | None) -> None:
    """Register the commands.

    Args:
        commands: Of the parser.
        add_config: Adds the options of the experiment that was named; None if none was.
    """
    parser = commands.add_parser(
        "run",
        help="run an experiment on a model",
        epilog="'ired-interp run exp001 --help' lists what exp001 can be told.",
    )
    parser.set_defaults(command=_run)
    parser.add_argument("experiment", help=f"one of {', '.join(experiment_names())}")
    parser.add_argument("--out", type=Path, help="new run folder (default: runs/EXPERIMENT-MODEL)")
    parser.add_argument(
        "--open", action="store_true", help="on a terminal, show the report in a browser"
    )
    _add_workers(parser)
    parser.add_argument(
        "--threads", type=int, help="threads of each process, fixed for the run (torch's own)"
    )
    parser.add_argument(
        "--max-memory", metavar="SIZE", help="plan units that let a process grow by 500M, 2G, …"
    )
    if add_config is not None:
        add_config(parser)
    parser = commands.add_parser("resume", help="finish a run or a training that was stopped")
    parser.set_defaults(command=_resume)
    parser.add_argument("folder", type=Path, help="run folder")
    parser.add_argument("--steps", type=int, help="for a training: go to this many steps")
    _add_workers(parser)
    parser = commands.add_parser(
        "work", help="compute units of a run, and no more: what a job of a cluster does"
    )
    parser.set_defaults(command=_work)
    parser.add_argument("folder", type=Path, help="run folder")
    parser.add_argument("--units", metavar="NUMBERS", help="such as 0,3-7 (default: all)")
    parser.add_argument("--project", type=Path, help="another copy of the experiment's project")
    parser.add_argument("--files", type=Path, help="folder of the config's files, by content")
    parser = commands.add_parser("report", help="write the report of a finished run again")
    parser.set_defaults(command=_report)
    parser.add_argument("folder", type=Path, help="run folder")
    parser.add_argument("--figures", type=Path, help="also write SVG, PDF and PNG files there")
    parser = commands.add_parser("status", help="how the units of a run stand")
    parser.set_defaults(command=_status)
    parser.add_argument("folder", type=Path, help="run folder")
    parser.add_argument("--all", action="store_true", help="a line for each unit that is done, too")
    add_clusters(parser)


def add_clusters(parser: argparse.ArgumentParser) -> None:
    """The option that names another clusters file."""
    parser.add_argument(
        "--clusters", type=Path, help="clusters file (~/.config/ired-interp/clusters.toml)"
    )


def _add_workers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workers", type=int, default=1, help="processes at once (default: 1)")


def _run(options: argparse.Namespace) -> int:
    from ired_interp.cli import running

    return running.run(options)


def _resume(options: argparse.Namespace) -> int:
    from ired_interp.cli import running

    return running.resume(options)


def _work(options: argparse.Namespace) -> int:
    from ired_interp.cli import running

    return running.work(options)


def _report(options: argparse.Namespace) -> int:
    from ired_interp.cli import reports

    return reports.report(options)


def _status(options: argparse.Namespace) -> int:
    from ired_interp.cli import status

    return status.status(options)
