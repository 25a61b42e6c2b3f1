"""git, asked without ever waiting for a person: no prompt for a password, a limit in time."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Answer", "git", "git_lines", "have_git", "quiet_environment", "without_password"]

_SECONDS = 30.0
_TIMED_OUT, _NOT_STARTED = 124, 127
# A hook or a commit in progress sets them, and git would answer for its repository, whatever the
# folder.
_OF_ANOTHER_REPOSITORY = {
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
}


@dataclass(frozen=True)
class Answer:
    """What git said.

    Attributes:
        code: Its exit code; 124 where it gave no answer in time, 127 where it cannot be started.
        raw: What it printed.
        err: What it complained of.
    """

    code: int
    raw: bytes
    err: str

    @property
    def ok(self) -> bool:
        """Whether it ended well."""
        return self.code == 0

    @property
    def silent(self) -> bool:
        """Whether there was no answer at all, so that nothing is known."""
        return self.code in (_TIMED_OUT, _NOT_STARTED)

    @property
    def out(self) -> str:
        """What it printed, as text; names in another encoding as Python has them."""
        return self.raw.decode(errors="surrogateescape")

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
    """This process's environment without a way to ask a person, and without another repository."""
    kept = {name: value for name, value in os.environ.items() if name not in _OF_ANOTHER_REPOSITORY}
    kept.setdefault("GIT_SSH_COMMAND", "ssh -o BatchMode=yes -o ConnectTimeout=10")
    kept["GIT_LFS_SKIP_SMUDGE"] = "1"
    return kept | {"GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "true", "LC_ALL": "C.UTF-8"}


def git(
    folder: Path,
    *words: str,
    seconds: float = _SECONDS,
    settings: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Answer:
    """Ask git about a folder; its exit code is the caller's to judge.

    Args:
        folder: Where.
        *words: The command and its arguments, none of which a shell sees.
        seconds: After which it is given up, with code 124.
        settings: Configuration for this one command.
        environment: Variables beside those of `quiet_environment`.
    """
    options = [word for k, v in (settings or {}).items() for word in ("-c", f"{k}={v}")]
    try:
        done = subprocess.run(  # noqa: S603 - no shell
            ["git", "-C", os.fspath(folder), *options, *words],  # noqa: S607 - the user's git
            capture_output=True,
            timeout=seconds,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**quiet_environment(), **(environment or {})},
        )
    except subprocess.TimeoutExpired:
        return Answer(_TIMED_OUT, b"", f"git {words[0]} gave no answer within {seconds:.0f} s")
    except OSError as error:
        return Answer(_NOT_STARTED, b"", f"git cannot be started: {error.strerror}")
    return Answer(done.returncode, done.stdout, done.stderr.decode(errors="replace"))


def git_lines(folder: Path, *words: str) -> list[str]:
    """What git lists, by names that may hold anything but NUL; none where it fails.

    The words must ask for ``-z``.
    """
    answer = git(folder, *words)
    return [name for name in answer.out.split("\0") if name] if answer.ok else []
