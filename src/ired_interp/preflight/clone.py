"""A clean clone of the very commit, in a folder that is thrown away."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ired_interp.git import git

__all__ = ["Clone", "borrowed_objects", "make_clone", "scratch_folder"]

_FETCH_SECONDS = 120.0


@dataclass(frozen=True)
class Clone:
    """A checkout of one commit and nothing else.

    Attributes:
        path: Its root; None where it could not be made.
        origin: Where the commit was fetched from, for a person.
        from_remote: Whether that is what the cluster could clone as well.
        problem: Why there is none.
    """

    path: Path | None
    origin: str
    from_remote: bool
    problem: str = ""


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A new folder outside every repository, removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="ired-interp-preflight-")).resolve()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def make_clone(root: Path, sha: str, remote_url: str | None, folder: Path) -> Clone:
    """Fetch one commit into a new folder.

    Args:
        root: The repository that has the commit.
        sha: The commit.
        remote_url: Of the remote, tried first: a clone of the local repository proves nothing.
        folder: New.
    """
    folder.mkdir(parents=True)
    started = git(folder, "init", "--quiet")
    if not started.ok:
        return Clone(None, "", from_remote=False, problem=started.reason)
    reason = ""
    for url, is_remote in ((remote_url, True), (str(root), False)):
        if url is None:
            continue
        fetched = git(
            folder, "fetch", "--quiet", "--depth=1", "--", url, sha, seconds=_FETCH_SECONDS
        )
        if not fetched.ok:
            reason = fetched.reason
            continue
        # What git-lfs keeps apart is filled in from here, as it is on a cluster.
        out = git(folder, "checkout", "--quiet", "--detach", "FETCH_HEAD", seconds=_FETCH_SECONDS)
        if not out.ok:
            return Clone(None, url, is_remote, out.reason)
        return Clone(folder, url if is_remote else "your repository", is_remote)
    return Clone(None, "", from_remote=False, problem=reason)


def borrowed_objects(root: Path, folder: Path) -> Path | None:
    """A bare repository that sees all objects of another, so that a fetch leaves that one alone.

    Args:
        root: Whose objects.
        folder: New.

    Returns:
        The bare repository, or None where git refused.
    """
    objects = git(root, "rev-parse", "--git-path", "objects")  # relative to root, or absolute
    if not (objects.ok and git(root, "init", "--quiet", "--bare", str(folder)).ok):
        return None
    alternates = folder / "objects" / "info" / "alternates"
    alternates.parent.mkdir(parents=True, exist_ok=True)
    place = (root / objects.out.strip()).resolve()
    alternates.write_bytes(os.fsencode(place) + b"\n")
    return folder
