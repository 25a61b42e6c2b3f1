"""What the preflight stands on: the experiment, its repository, the commit that would run."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ired_interp.errors import ConfigError
from ired_interp.experiments import Source, locate
from ired_interp.preflight.git import git, have_git
from ired_interp.preflight.walk import Parts, parts_of

__all__ = ["Ground", "find_ground"]

_SHORT = 10


@dataclass(frozen=True)
class Ground:
    """An experiment, where it lives, and the commit that would run.

    Attributes:
        source: The experiment, as `locate` found it.
        words: What the command line says of its config.
        root: Of the git repository, or the project's folder where there is none; None for an
            experiment of an installed package.
        sha: The commit; None where there is none.
        branch: None where HEAD is detached or there is no commit.
        parts: Modules and data files of the experiment; None where ``root`` is.
        named: Files of the repository that ``words`` name, each with its option.
        outside: Files elsewhere that ``words`` name, each with its option.
        why_none: Why there is no commit to clone.
    """

    source: Source
    words: Mapping[str, str]
    root: Path | None
    sha: str | None
    branch: str | None
    parts: Parts | None
    named: Mapping[str, str]
    outside: Mapping[str, str]
    why_none: str

    @property
    def built_in(self) -> bool:
        """Whether the experiment comes with this package."""
        return self.source.project is None

    @property
    def commit(self) -> tuple[Path, str]:
        """The repository's root and the commit.

        Raises:
            ConfigError: There is none.
        """
        if self.root is None or self.sha is None:
            raise ConfigError(f"preflight: expected a commit, found none: {self.why_none}.")
        return self.root, self.sha

    @property
    def short(self) -> str:
        """The commit in few letters."""
        return self.sha[:_SHORT] if self.sha else "no commit"

    @property
    def files(self) -> list[str]:
        """All that must be in the commit, relative to the root."""
        own = self.parts.files if self.parts is not None else []
        return [*own, *(name for name in self.named if name not in own)]


def find_ground(reference: str, words: Mapping[str, str]) -> Ground:
    """Find the experiment and its commit; nothing of it is imported.

    Raises:
        UnknownNameError: There is no such experiment.
    """
    source = locate(reference)
    file, start = source.file, source.project
    if start is None or file is None:
        package = Path(__file__).resolve().parents[1]
        file, start = package / "experiments" / "__init__.py", package
    root, sha, branch, why = _repository(start)
    if source.project is None and (root is None or not _holds(root, file)):
        why = f"{source.reference} comes with the installed package, not from a repository"
        return Ground(source, words, None, None, None, None, {}, _files_of(words, None)[1], why)
    root = root or start
    named, outside = _files_of(words, root)
    parts = parts_of(file, root)
    return Ground(source, words, root, sha, branch, parts, named, outside, why)


def _repository(folder: Path) -> tuple[Path | None, str | None, str | None, str]:
    """Root, commit and branch of the repository a folder is in, or why there is none."""
    if not have_git():
        return None, None, None, "there is no git on this machine"
    top = git(folder, "rev-parse", "--show-toplevel")
    if not top.ok:
        return None, None, None, f"{folder} is in no git repository"
    root = Path(top.out.removesuffix("\n")).resolve()
    head = git(root, "rev-parse", "--verify", "HEAD^{commit}")
    if not head.ok:
        return root, None, None, f"{root} has no commit yet"
    branch = git(root, "symbolic-ref", "--short", "-q", "HEAD")
    return root, head.out.strip(), branch.out.strip() or None, ""


def _holds(root: Path, file: Path) -> bool:
    return git(root, "ls-files", "--error-unmatch", "--", str(file)).ok


def _files_of(words: Mapping[str, str], root: Path | None) -> tuple[dict[str, str], dict[str, str]]:
    """Files that options name: those of the repository, and those elsewhere.

    A word names a file if there is one, in the repository or where the command was given, or if it
    looks like one, with a folder and a suffix.
    """
    named: dict[str, str] = {}
    outside: dict[str, str] = {}
    for key, word in words.items():
        option = f"--{key.replace('_', '-')}"
        path = Path(word)
        # As the job sees it: a relative path is one of the project.
        here = [base / path for base in (root, Path.cwd()) if base is not None]
        there = next((one for one in here if one.is_file()), None)
        if there is None and not (path.suffix and path.name != word):
            continue
        whole = (there or here[0]).absolute()
        whole = whole.parent.resolve() / whole.name
        if root is not None and whole.is_relative_to(root):
            named[whole.relative_to(root).as_posix()] = option
        else:
            outside[str(whole)] = option
    return named, outside
