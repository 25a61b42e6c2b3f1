"""What a commit consists of beside its own objects: submodules, and large files of git-lfs.

``git push`` brings neither to a cluster. Submodules go into the same bare repository, each at the
commit that is recorded; what git-lfs keeps apart is sent by its content, whose SHA-256 is what the
commit holds in its place.
"""

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ired_interp.cluster.git_calls import git, git_lines
from ired_interp.errors import ConfigError
from ired_interp.storage import sha256_of

__all__ = ["LargeFile", "Submodule", "content_of", "filling", "large_files", "submodules"]

_SUBMODULE, _FILE = "160000", "blob"
_POINTER_BYTES = 1024  # git-lfs's own limit
_POINTER = re.compile(
    r"version https://git-lfs\.github\.com/spec/v1\n(?:ext-.*\n)*oid sha256:([0-9a-f]{64})\n"
    r"size (\d+)\n?"
)


@dataclass(frozen=True)
class Submodule:
    """A repository inside of the project.

    Attributes:
        path: From the project's root.
        sha: The commit that is recorded.
    """

    path: str
    sha: str


@dataclass(frozen=True)
class LargeFile:
    """A file whose content the commit names and does not hold.

    Attributes:
        module: Path of the submodule it is in; empty for the project itself.
        path: In that repository.
        sha256: Of the content.
        bytes: Its length.
    """

    module: str
    path: str
    sha256: str
    bytes: int

    @property
    def whole_path(self) -> str:
        """From the project's root."""
        return str(PurePosixPath(self.module) / self.path)

    @property
    def stored(self) -> str:
        """Where it lies below a folder of files by content."""
        return f"{self.sha256}/{PurePosixPath(self.path).name}"


def submodules(project: Path, sha: str) -> tuple[Submodule, ...]:
    """All submodules of a commit, those inside of others after them.

    Raises:
        ConfigError: One is not there, or lacks the commit that is recorded.
    """
    return tuple(_submodules(project, sha, ""))


def _submodules(project: Path, sha: str, above: str) -> Iterator[Submodule]:
    for entry in git_lines(project / above, "ls-tree", "-r", "-z", sha):
        head, _, name = entry.partition("\t")
        mode, _, commit = head.split(" ")
        if mode != _SUBMODULE:
            continue
        path = str(PurePosixPath(above) / name)
        there = (project / path / ".git").exists()
        if not there or not git(project / path, "cat-file", "-e", f"{commit}^{{commit}}").ok:
            state = f"commit {commit[:12]} is not in it" if there else "it is empty"
            raise ConfigError(
                f"{project}: expected the submodule {path} at the commit that is recorded, found "
                f"that {state}. 'git submodule update --init --recursive' fetches it."
            )
        yield Submodule(path, commit)
        yield from _submodules(project, commit, path)


def large_files(
    project: Path, sha: str, modules: Sequence[Submodule] = ()
) -> tuple[LargeFile, ...]:
    """The files of git-lfs in a commit and in its submodules; none where no rule asks for it."""
    whole = [("", sha), *((module.path, module.sha) for module in modules)]
    return tuple(file for path, commit in whole for file in _large_files(project, path, commit))


def _large_files(project: Path, module: str, sha: str) -> Iterator[LargeFile]:
    folder = project / module
    rules = ("grep", "--quiet", "filter=lfs", sha, "--", ":(glob)**/.gitattributes")
    if not git(folder, *rules).ok:
        return
    for entry in git_lines(folder, "ls-tree", "-r", "-l", "-z", sha):
        head, _, path = entry.partition("\t")
        _, kind, blob, size = head.split()
        if kind != _FILE or int(size) > _POINTER_BYTES:
            continue
        found = _POINTER.fullmatch(git(folder, "cat-file", "blob", blob).out)
        if found is not None:
            yield LargeFile(module, path, found[1], int(found[2]))


def content_of(project: Path, file: LargeFile) -> Path | None:
    """A local file with the content: git-lfs's own copy, or the one that is checked out."""
    folder = project / file.module
    asked = git(folder, "rev-parse", "--git-common-dir")  # relative to the folder, or absolute
    own = folder / asked.out.strip() / "lfs" / "objects"
    kept = own / file.sha256[:2] / file.sha256[2:4] / file.sha256
    for path in (kept, folder / file.path):
        if path.is_file() and path.stat().st_size == file.bytes and sha256_of(path) == file.sha256:
            return path
    return None


def filling(
    modules: Sequence[Submodule],
    files: Sequence[LargeFile],
    *,
    clone: str,
    repository: str,
    store: str,
) -> list[str]:
    """Lines of a shell script that put submodules and large files into a clone.

    Args:
        modules: Of the commit, parents first.
        files: Of git-lfs.
        clone: A word of the script: the clone's folder, quoted.
        repository: Likewise, the bare repository that has all commits.
        store: Likewise, the folder of files by content.
    """
    lines = []
    for module in modules:
        place, ref = f"{clone}/{shlex.quote(module.path)}", f"refs/ired-interp/{module.sha}"
        lines += [
            f"git init --quiet -- {place} &&",
            f"    git -C {place} fetch --quiet --depth=1 -- {repository} {ref} &&",
            f"    git -C {place} checkout --quiet --detach FETCH_HEAD || exit 1",
        ]
    for file in files:
        place = f"{clone}/{shlex.quote(file.module)}" if file.module else clone
        name = shlex.quote(file.path)
        lines += [
            f"cp -f -- {store}/{shlex.quote(file.stored)} {place}/{name} &&",
            # the commit holds a pointer in its place: not a change of the author's
            f"    git -C {place} update-index --skip-worktree -- {name} || exit 1",
        ]
    return lines
