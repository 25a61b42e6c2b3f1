"""Words of ``new``, ``compare`` and ``list``.

What a command does is imported when it is called: torch and xarray take seconds, and a usage line
or an error needs neither.
"""

import argparse
from pathlib import Path
from typing import Any

__all__ = ["add"]

_DEFAULT_FOLDER = Path("runs")


def add(commands: Any) -> None:
    """Register the commands."""
    _add_new(commands)
    _add_compare(commands)
    _add_list(commands)


def _add_new(commands: Any) -> None:
    parser = commands.add_parser("new", help="write a small experiment of your own, with its test")
    kinds = parser.add_subparsers(metavar="KIND", required=True)
    experiment = kinds.add_parser("experiment", help="NAME.py and test_NAME.py")
    experiment.set_defaults(command=_new)
    experiment.add_argument("name", help="of the file: lower-case letters, digits and '_'")
    experiment.add_argument(
        "--folder", type=Path, default=Path(), help="where to (default: the working directory)"
    )


def _add_compare(commands: Any) -> None:
    parser = commands.add_parser(
        "compare",
        help="what differs between two finished runs",
        description="Compare config, code, machine and every number of two finished runs. The "
        "exit code is 0 if all numbers are the same within the tolerance, and 1 if not, whatever "
        "the configs are. With --over-models: judge the hypotheses over the models of 6 runs or "
        "more that differ in the model alone.",
    )
    parser.set_defaults(command=_compare)
    parser.add_argument("first", type=Path, help="run folder, whose numbers set the scale")
    parser.add_argument("second", type=Path, help="another")
    parser.add_argument("more", nargs="*", type=Path, help="others, with --over-models only")
    parser.add_argument(
        "--over-models",
        action="store_true",
        help="the verdicts over the models of these runs, each of which counts once",
    )
    parser.add_argument(
        "--tolerance",
        type=float,
        help="share of the largest number of the same unit by which numbers may differ "
        "(default: 1e-12)",
    )
    parser.add_argument("--json", action="store_true", help="print all of it as JSON")
    parser.add_argument(
        "--report",
        type=Path,
        metavar="FILE",
        help="also write a page of both runs side by side, of one experiment: what differs, skill, "
        "verdicts, the numbers that moved, and the figures",
    )


def _add_list(commands: Any) -> None:
    parser = commands.add_parser("list", help="the runs below a folder")
    parser.set_defaults(command=_list)
    parser.add_argument(
        "folders", nargs="*", type=Path, default=[_DEFAULT_FOLDER], help="default: ./runs"
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--json", action="store_true", help="print them as JSON")
    kind.add_argument("--log", action="store_true", help="every submission, and what came of it")


def _new(options: argparse.Namespace) -> int:
    from ired_interp.cli import own

    return own.new(options)


def _compare(options: argparse.Namespace) -> int:
    from ired_interp.cli import own

    return own.compare(options)


def _list(options: argparse.Namespace) -> int:
    from ired_interp.cli import listing

    return listing.list_runs(options)
