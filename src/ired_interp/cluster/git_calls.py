"""git, as the submission of a run calls it."""

import os
import subprocess
from pathlib import Path

from ired_interp.cluster.shell import submission_environment
from ired_interp.errors import CannotAskError

__all__ = ["git", "git_lines"]

_SECONDS = 30.0


def git(
    project: Path,
    *words: str,
    environment: dict[str, str] | None = None,
    seconds: float = _SECONDS,
) -> subprocess.CompletedProcess[str]:
    """Run git in a repository; its exit code is the caller's to judge.

    Raises:
        CannotAskError: git is not installed or did not end in time.
    """
    try:
        return subprocess.run(  # noqa: S603 - a list of words, no shell
            ["git", "-C", os.fspath(project), *words],  # noqa: S607 - found on the user's PATH
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**submission_environment(), **(environment or {})},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotAskError(f"git {words[0]} did not answer: {error}") from error


def git_lines(project: Path, *words: str) -> list[str]:
    """What git lists; the words must ask for ``-z``. Nothing where it fails.

    Raises:
        CannotAskError: As `git`.
    """
    done = git(project, *words)
    return [one for one in done.stdout.split("\0") if one] if done.returncode == 0 else []
