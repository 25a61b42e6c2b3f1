"""git, as the submission of a run calls it: no answer is an error, for nothing is known then."""

from collections.abc import Mapping
from pathlib import Path

from ired_interp import git as asking
from ired_interp.errors import CannotAskError

__all__ = ["git", "git_lines"]

_SECONDS = 30.0


def git(
    project: Path,
    *words: str,
    environment: Mapping[str, str] | None = None,
    seconds: float = _SECONDS,
) -> asking.Answer:
    """Run git in a repository; its exit code is the caller's to judge.

    Raises:
        CannotAskError: git is not installed or did not end in time.
    """
    answer = asking.git(project, *words, seconds=seconds, environment=environment)
    if answer.silent:
        raise CannotAskError(f"{project}: {answer.reason}.")
    return answer


def git_lines(project: Path, *words: str) -> list[str]:
    """What git lists; the words must ask for ``-z``. Nothing where it fails.

    Raises:
        CannotAskError: As `git`.
    """
    answer = git(project, *words)
    return [one for one in answer.out.split("\0") if one] if answer.ok else []
