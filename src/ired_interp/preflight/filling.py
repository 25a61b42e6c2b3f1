"""Submodules and large files into a clone, from where the author has them, as on a cluster."""

import shutil
from pathlib import Path

from ired_interp.cluster.contents import LargeFile, content_of, large_files, submodules
from ired_interp.errors import ConfigError
from ired_interp.git import git
from ired_interp.preflight.clone import Clone

__all__ = ["fill"]

_SECONDS = 120.0


def fill(root: Path, sha: str, clone: Clone) -> None:
    """Fill a clone with all that is here; what is not stays a pointer or an empty folder.

    Args:
        root: The author's repository.
        sha: The commit.
        clone: At that commit.
    """
    if clone.path is None:
        return
    try:
        modules = submodules(root, sha)
    except ConfigError:  # 'submodules' says which is not there
        return
    large = large_files(root, sha, modules)
    for module in modules:
        place = clone.path / module.path
        place.mkdir(parents=True, exist_ok=True)
        git(place, "init", "--quiet")
        source = str(root / module.path)
        git(place, "fetch", "--quiet", "--depth=1", "--", source, module.sha, seconds=_SECONDS)
        git(place, "checkout", "--quiet", "--detach", "FETCH_HEAD")
    for file in large:
        _fill_file(root, file, clone.path)


def _fill_file(root: Path, file: LargeFile, clone: Path) -> None:
    there = content_of(root, file)
    place = clone / file.whole_path
    if there is not None and place.is_file():
        place.unlink()
        shutil.copyfile(there, place)
