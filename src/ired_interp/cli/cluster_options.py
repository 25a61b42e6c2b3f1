"""Words of ``submit``, ``fetch``, ``cancel``, ``preflight`` and ``doctor``.

What a command does is imported when it is called: torch and xarray take seconds, and a usage line
or an error needs neither.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from ired_interp.choices import ClusterOverride, Watch
from ired_interp.cli.naming import AddConfig
from ired_interp.cli.run_options import add_clusters
from ired_interp.errors import ConfigError

__all__ = ["add"]


def add(commands: Any, add_config: AddConfig | None) -> None:
    """Register the commands.

    Args:
        commands: Of the parser.
        add_config: Adds the options of the experiment that was named; None if none was.
    """
    parser = commands.add_parser("submit", help="put the missing units of a run on a cluster")
    parser.set_defaults(command=_submit)
    parser.add_argument("target", help="run folder; or an experiment, which is planned into --out")
    parser.add_argument("--cluster", required=True, help="table of the clusters file")
    add_clusters(parser)
    parser.add_argument("--out", type=Path, help="new run folder, for an experiment")
    parser.add_argument("--max-memory", metavar="SIZE", help="of a unit, for an experiment")
    parser.add_argument("--dry-run", action="store_true", help="print the scripts, change nothing")
    parser.add_argument(
        "--no-canary", action="store_true", help="start all tasks at once, not one before the rest"
    )
    parser.add_argument(
        "--allow-unpushed",
        action="store_true",
        help="submit a commit that is on no remote; the run records it",
    )
    _add_preflight_of_submit(parser)
    parser.add_argument(
        "--watch",
        choices=get_args(Watch),
        default="early",
        help="follow the tasks for a minute (early), until all have ended, or not at all",
    )
    parser.add_argument("--partitions", help="instead of the cluster's, separated by commas")
    for name in get_args(ClusterOverride):
        words = name.replace("_", "-")
        parser.add_argument(f"--{words}", type=int, help="instead of the cluster's")
    if add_config is not None:
        add_config(parser)
    for name, command, text in (
        ("fetch", _fetch, "bring results of a cluster here; report when all are there"),
        ("cancel", _cancel, "take a run's tasks out of a cluster's queue"),
    ):
        parser = commands.add_parser(name, help=text)
        parser.set_defaults(command=command)
        parser.add_argument("folder", type=Path, help="run folder")
        add_clusters(parser)
    parser = commands.add_parser(
        "preflight",
        help="find what would stop a run, in a clean clone of the commit",
        # Or --seed would be short for one of ours.
        allow_abbrev=False,
        epilog="All other options are fields of the experiment's config, as 'ired-interp run "
        "REFERENCE --help' lists them. docs/preflight.md says what each check looks at.",
    )
    parser.set_defaults(command=_preflight)
    parser.add_argument("reference", help="an experiment: a name, file.py or package.module:NAME")
    parser.add_argument("--cluster", help="table of the clusters file; without, this machine alone")
    parser.add_argument("--clusters", type=Path, metavar="FILE", help="another clusters file")
    parser.add_argument(
        "--fresh-env", action="store_true", help="build the environment, and run in it (minutes)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument(
        "--skip", action="append", default=[], metavar="ID", help="leave a check out; repeatable"
    )
    parser.add_argument(
        "--allow-unpushed", action="store_true", help="accept a commit that is on no remote"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("runs"), help="where the run folder would lie on this disk"
    )
    _take_config(parser)
    parser = commands.add_parser(
        "doctor",
        help="say what is wrong with this machine, or with a run, and what to do",
        epilog="docs/doctor.md says what is looked at, and how each pattern is recognised.",
    )
    parser.set_defaults(command=_doctor)
    parser.add_argument(
        "folder", type=Path, nargs="?", metavar="RUN", help="run folder; without, this machine"
    )
    parser.add_argument("--cluster", help="table of the clusters file: is it there, and answers?")
    add_clusters(parser)
    parser.add_argument(
        "--out", type=Path, default=Path("runs"), help="where run folders lie, for the free space"
    )
    parser.add_argument(
        "--no-rerun",
        action="store_true",
        help="of a run: compute no unit again to see which layer gives NaN",
    )
    parser.add_argument("--project", type=Path, help="of a run: another copy of its project")
    parser.add_argument("--json", action="store_true", help="one JSON object")


def _add_preflight_of_submit(parser: argparse.ArgumentParser) -> None:
    """Options of the preflight that ``submit`` makes."""
    parser.add_argument(
        "--skip",
        action="append",
        default=[],
        metavar="ID",
        help="leave a check of the preflight out, or 'all'; repeatable; the run records it",
    )
    parser.add_argument(
        "--fresh-env", action="store_true", help="build the environment for the preflight (minutes)"
    )


def _take_config(parser: Any) -> None:
    """Keep options that are not ours as words of the config.

    To know them as ``run`` does, the experiment would have to be imported here: from the working
    tree, and it may be what is broken. They are read in the clone.
    """
    plain = parser.parse_known_args

    def with_config(
        words: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        options, rest = plain(words, namespace)
        options.words = _pairs(rest)
        return options, []

    parser.parse_known_args = with_config


def _pairs(words: Sequence[str]) -> dict[str, str]:
    """``--key value`` and ``--key=value``."""
    pairs: dict[str, str] = {}
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        key, equals, value = word.partition("=")
        if not key.startswith("--") or len(key) < 3:  # noqa: PLR2004 - a letter after the dashes
            raise ConfigError(
                f"preflight: expected '--field value' for the config, found {word!r}."
            )
        if not equals:
            if not waiting:
                raise ConfigError(f"preflight: expected a value after {key}, found nothing.")
            value = waiting.pop(0)
        pairs[key[2:].replace("-", "_")] = value
    return pairs


def _submit(options: argparse.Namespace) -> int:
    from ired_interp.cli import cluster

    return cluster.submit_run(options)


def _fetch(options: argparse.Namespace) -> int:
    from ired_interp.cli import cluster

    return cluster.fetch_run(options)


def _cancel(options: argparse.Namespace) -> int:
    from ired_interp.cli import cluster

    return cluster.cancel_run(options)


def _preflight(options: argparse.Namespace) -> int:
    from ired_interp.cli import preflight

    return preflight.make_preflight(options)


def _doctor(options: argparse.Namespace) -> int:
    from ired_interp.cli import doctor

    return doctor.doctor(options)
