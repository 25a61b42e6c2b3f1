"""Where a result came from: code, machine and libraries."""

import functools
import hashlib
import logging
import os
import platform
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePath
from typing import Any

from ired_interp.git import Answer, git, have_git, without_password

__all__ = [
    "Repository",
    "code_sha256",
    "job_name",
    "makes_data",
    "package_sha256",
    "provenance",
    "repository",
]

_LOG = logging.getLogger(__name__)

_GIT_SECONDS = 5
_PROJECT_GIT_SECONDS = 60
# What draws, asks and prints changes no data.
_MAKES_NO_DATA = (
    "cli",
    "cluster",
    "doctor",
    "preflight",
    "report",
    "api.py",
    "console.py",
    "git.py",
    *(
        f"experiments/kit/{name}.py"
        for name in (
            "along",
            "chart_cases",
            "drawn",
            "facets",
            "notes",
            "presented",
            "tables",
            "traces",
        )
    ),
    "runs/comparison.py",
    "runs/heads.py",
    "runs/moves.py",
    "runs/over_models.py",
    "runs/units.py",
)
_EXPERIMENTS = "experiments"
# The last word in the name of a module there that shows what was found: model_page.py.
_SHOWS = ("charts", "drawing", "interactive", "page", "shown", "words")
# What a page is made of; its definitions of variables stand in the data too.
_IN_THE_DATA = "experiments/page.py"


@dataclass(frozen=True)
class Repository:
    """The state of a git working tree.

    Attributes:
        url: Of the remote ``origin``, without a password; None if there is none.
        sha: The commit checked out.
        patch: What ``git diff --binary HEAD`` says: empty where tracked files are as committed.
    """

    url: str | None
    sha: str
    patch: bytes

    @property
    def dirty(self) -> bool:
        """Whether tracked files differ from the commit."""
        return bool(self.patch)


def provenance() -> dict[str, Any]:
    """Versions, commit, machine and threads of this process, ready for JSON.

    ``git_sha`` is the commit of the checkout that the package runs from, ``git_url`` its origin and
    ``git_dirty`` whether tracked files differ from it; all are None where it was installed without
    one. ``package_sha256`` is of the package's own code, installed or not.
    """
    import torch  # a second, for those who only ask for the job's name

    url, sha, dirty = _git_state(Path(__file__).parent)
    try:
        package = version("ired-interp")
    except PackageNotFoundError:
        package = "not installed"
    return {
        "package": "ired-interp",
        "package_version": package,
        "package_sha256": package_sha256(),
        "git_url": url,
        "git_sha": sha,
        "git_dirty": dirty,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": version("numpy"),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "host": platform.node(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "threads": torch.get_num_threads(),
        "blas_threads": _blas_threads(),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
    }


@functools.cache
def package_sha256() -> str:
    """SHA-256 of the package's modules that data depend on, by name and content."""
    return code_sha256(Path(__file__).parent)


def code_sha256(root: Path) -> str:
    """As `package_sha256`, of the package in a folder."""
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root)
        if makes_data(name):
            digest.update(f"{name.as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def makes_data(module: PurePath) -> bool:
    """Whether data depend on a module of this package: no report, page, figure or command does.

    Args:
        module: Its file, from the package's folder on.
    """
    name = module.as_posix()
    if any(name == one or name.startswith(f"{one}/") for one in _MAKES_NO_DATA):
        return False
    last_word = module.stem.rpartition("_")[2]
    shows = module.parts[0] == _EXPERIMENTS and last_word in _SHOWS
    return not shows or name == _IN_THE_DATA


def repository(folder: Path) -> Repository | None:
    """The git repository that a folder lies in; None if there is none, or git does not answer."""
    if not have_git():
        return None
    sha = _text(folder, "rev-parse", "HEAD", seconds=_PROJECT_GIT_SECONDS)
    if sha is None:
        return None
    # Not what the user's configuration makes of a diff.
    plain = ("--binary", "--no-ext-diff", "--no-textconv", "--no-color", "--full-index")
    patch = _asked(folder, "diff", *plain, "HEAD", "--", ":/", seconds=_PROJECT_GIT_SECONDS)
    return Repository(_origin(folder), sha, patch.raw) if patch.ok else None


def job_name() -> str | None:
    """The SLURM job that this process belongs to, ``ARRAY_TASK`` in an array; None outside one."""
    array, task = (os.environ.get(f"SLURM_ARRAY_{name}_ID") for name in ("JOB", "TASK"))
    return f"{array}_{task}" if array and task else os.environ.get("SLURM_JOB_ID")


def _blas_threads() -> int | None:
    """Of the BLAS that NumPy and SciPy call; None where none is loaded."""
    from threadpoolctl import threadpool_info  # of no use without the libraries that it counts

    counts = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    return max(counts, default=None)


def _git_state(folder: Path) -> tuple[str | None, str | None, bool | None]:
    if not have_git():
        return None, None, None
    sha = _text(folder, "rev-parse", "HEAD")
    if sha is None or _text(folder, "ls-files", "--error-unmatch", "provenance.py") is None:
        return None, None, None
    dirty = bool(_text(folder, "status", "--porcelain", "--untracked-files=no", ":/"))
    return _origin(folder), sha, dirty


def _origin(folder: Path) -> str | None:
    """A password or token in the address stays where it is."""
    url = _text(folder, "remote", "get-url", "origin")
    return None if url is None else without_password(url)


def _text(folder: Path, *words: str, seconds: float = _GIT_SECONDS) -> str | None:
    answer = _asked(folder, *words, seconds=seconds)
    return answer.out.strip() if answer.ok else None


def _asked(folder: Path, *words: str, seconds: float) -> Answer:
    answer = git(folder, *words, seconds=seconds)
    if answer.silent:
        _LOG.warning("%s, so the commit is not recorded", answer.reason)
    return answer
