"""The preflight that ``submit`` makes before anything is planned or sent."""

import argparse
import time
from collections.abc import Collection, Mapping
from pathlib import Path

from ired_interp.cli.checks import sum_up, tell
from ired_interp.cluster.config import ClusterConfig
from ired_interp.cluster.shell import Shell
from ired_interp.console import console
from ired_interp.errors import ConfigError
from ired_interp.experiments.config import config_to_mapping, word_of
from ired_interp.preflight.check import CHECKS, Check
from ired_interp.preflight.run import Wishes, preflight
from ired_interp.runs.run import Run

__all__ = ["check_before_submission", "skipped_checks", "words_of_run"]

_ALL = "all"
# What submit itself looks after: it puts in what there is room for, and names the rest.
_LEFT_TO_SUBMIT = ("queue",)


def skipped_checks(options: argparse.Namespace) -> tuple[str, ...]:
    """The ids of ``--skip``, checked.

    Raises:
        ConfigError: No such check.
    """
    for name in options.skip:
        if name not in CHECKS and name != _ALL:
            raise ConfigError(
                f"--skip: expected {_ALL} or one of {', '.join(CHECKS)}, found {name!r}."
            )
    return (_ALL,) if _ALL in options.skip else tuple(dict.fromkeys(options.skip))


def words_of_run(run: Run) -> dict[str, str]:
    """The planned config as on the command line."""
    return {name: word_of(value) for name, value in config_to_mapping(run.config).items()}


def check_before_submission(
    reference: str,
    words: Mapping[str, str],
    cluster: ClusterConfig,
    shell: Shell,
    *,
    skip: Collection[str],
    fresh_env: bool,
    allow_unpushed: bool,
    out: Path,
    project: Path | None = None,
    commit: str | None = None,
) -> None:
    """Make the preflight, and refuse if it finds what would stop the run.

    Args:
        reference: Of the experiment.
        words: Of its config.
        cluster: Where it would run.
        shell: There.
        skip: Ids that are left out; ``all`` for no preflight.
        fresh_env: Build the environment, too.
        allow_unpushed: A commit that nobody else has is the user's decision.
        out: The run folder.
        project: Of a run that is planned.
        commit: Of a run that is planned.

    Raises:
        ConfigError: A check failed; it was printed with what mends it.
    """
    if _ALL in skip:
        return
    wishes = Wishes(
        cluster=cluster,
        fresh_env=fresh_env,
        skip=tuple(skip),
        allow_unpushed=allow_unpushed,
        open_fn=lambda _: shell,
        out=out,
        project=project,
        commit=commit,
    )
    begin = time.monotonic()
    made = tell(preflight(reference, words, wishes), console)
    sum_up(made, time.monotonic() - begin, console)
    failed = [check for check in made if check.status == "fail"]
    refused = [check for check in failed if check.id not in _LEFT_TO_SUBMIT]
    if refused:
        raise ConfigError(_refusal(refused))


def _refusal(failed: list[Check]) -> str:
    ids = ", ".join(check.id for check in failed)
    first = failed[0]
    return (
        f"nothing was submitted: the preflight found {ids}: {first.found} (expected "
        f"{first.expected}; to mend it: {first.fix}). '--skip {first.id}' submits all the same, "
        "and the run records it."
    )
