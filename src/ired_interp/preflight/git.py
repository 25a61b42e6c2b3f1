"""git, asked without ever waiting for a person: no prompt for a password, a limit in time."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Answer", "git", "git_lines", "have_git", "quiet_environment", "without_password"]

_SECONDS = 20.0
_TIMED_OUT = 124


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def ok(self) -> bool:
        """Whether it ended well."""
        return self.code == 0

    @property
    def reason(self) -> str:
        """The line of its complaint that says most: git's own ``fatal:`` or ``error:``."""
        lines = [line.strip() for line in self.err.splitlines() if line.strip()]
        telling = [line for line in lines if line.startswith(("fatal:", "error:", "ERROR:"))]
        return without_password((telling or lines or [f"exit code {self.code}"])[0])


def without_password(text: str) -> str:
    """Text whose addresses have lost the name and password, or token, before the host."""
    return re.sub(r"(?<=://)[^/@\s]*@", "", text)


def have_git() -> bool:
    """Whether there is a git to ask."""
    return shutil.which("git") is not None


def quiet_environment() -> dict[str, str]:
    """This process's environment without a way to ask a person, and without another repository.

    A hook or a commit in progress sets GIT_DIR, GIT_INDEX_FILE and the like, which would answer for
    that repository whatever the folder.
    """
    local = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX")
    kept = {name: value for name, value in os.environ.items() if name not in local}
    kept.setdefault("GIT_SSH_COMMAND", "ssh -o BatchMode=yes -o ConnectTimeout=10")
    kept["GIT_LFS_SKIP_SMUDGE"] = "1"
    return kept | {"GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "true", "LC_ALL": "C.UTF-8"}


def git(
    folder: Path,
    *arguments: str,
    seconds: float = _SECONDS,
    settings: Mapping[str, str] | None = None,
) -> Answer:
    """Ask git about a folder.

    Args:
        folder: Where.
        *arguments: The command and its words, none of which a shell sees.
        seconds: After which it is given up, with code 124.
        settings: Configuration for this one command.
    """
    options = [word for k, v in (settings or {}).items() for word in ("-c", f"{k}={v}")]
    try:
        done = subprocess.run(  # noqa: S603 - no shell
            ["git", "-C", str(folder), *options, *arguments],  # noqa: S607 - the user's git
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
            stdin=subprocess.DEVNULL,
            env=quiet_environment(),
        )
    except subprocess.TimeoutExpired:
        return Answer(_TIMED_OUT, "", f"git {arguments[0]} gave no answer within {seconds:.0f} s")
    except OSError as error:
        return Answer(127, "", f"git cannot be started: {error.strerror}")
    return Answer(done.returncode, done.stdout, done.stderr)


def git_lines(folder: Path, *arguments: str) -> list[str]:
    """What git lists, by names that may hold anything but NUL; none where it fails.

    The arguments must ask for ``-z``.
    """
    answer = git(folder, *arguments)
    return [name for name in answer.out.split("\0") if name] if answer.ok else []
