"""``preflight``: what would stop a run, before it is submitted."""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ired_interp.cli.checks import all_ok, sum_up, tell, write_json
from ired_interp.cli.codes import FAILED
from ired_interp.cluster.config import load_cluster
from ired_interp.console import terminal
from ired_interp.errors import ConfigError
from ired_interp.preflight.run import Wishes, preflight

__all__ = ["add"]


def add(commands: Any) -> None:
    """Register the command."""
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


def _preflight(options: argparse.Namespace) -> int:
    cluster = load_cluster(options.cluster, options.clusters) if options.cluster else None
    wishes = Wishes(
        cluster=cluster,
        fresh_env=options.fresh_env,
        skip=tuple(options.skip),
        allow_unpushed=options.allow_unpushed,
        out=options.out,
    )
    begin = time.monotonic()
    checks = preflight(options.reference, options.words, wishes)
    if options.json:
        made = write_json(checks)
    else:
        out = terminal()
        made = tell(checks, out)
        sum_up(made, time.monotonic() - begin, out)
    return 0 if all_ok(made) else FAILED
