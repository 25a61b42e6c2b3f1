"""Where a result came from: code, machine and libraries."""

import logging
import platform
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

__all__ = ["provenance"]

_LOG = logging.getLogger(__name__)

_GIT_SECONDS = 5


def provenance() -> dict[str, Any]:
    """Versions, commit, machine and threads of this process, ready for JSON.

    ``git_sha`` is the commit of the checkout that the package runs from and ``git_dirty`` whether
    tracked files differ from it; both are None where it was installed without one.
    """
    sha, dirty = _git_state(Path(__file__).parent)
    try:
        package = version("ired-interp")
    except PackageNotFoundError:
        package = "not installed"
    return {
        "package": "ired-interp",
        "package_version": package,
        "git_sha": sha,
        "git_dirty": dirty,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": version("numpy"),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "host": platform.node(),
        "threads": torch.get_num_threads(),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
    }


def _git_state(folder: Path) -> tuple[str | None, bool | None]:
    if shutil.which("git") is None:
        return None, None
    sha = _git(folder, "rev-parse", "HEAD")
    if sha is None or _git(folder, "ls-files", "--error-unmatch", "provenance.py") is None:
        return None, None
    return sha, bool(_git(folder, "status", "--porcelain", "--untracked-files=no", ":/"))


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments, no shell
            ["git", "-C", str(folder), *arguments],  # noqa: S607 - found on the user's PATH
            capture_output=True,
            text=True,
            timeout=_GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        _LOG.warning("git did not answer, so the commit is not recorded: %s", error)
        return None
    return done.stdout.strip() if done.returncode == 0 else None
