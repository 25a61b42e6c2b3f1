"""What the preflight stands on: the experiment, its repository, the commit that would run."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from ired_interp.errors import ConfigError
from ired_interp.experiments import Source, locate
from ired_interp.git import git, git_lines, have_git
from ired_interp.preflight.clone import make_clone
from ired_interp.preflight.walk import Parts, parts_of

__all__ = ["Ground", "find_ground"]

_SHORT = 10
# Of a file in the project that need not be in the commit: git is no place for it.
_BIG_BYTES = 10 * 10**6


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
        outside: Files that ``words`` name and that are nowhere, each with its option.
        by_content: Files that the config names and the commit does not hold, by the config's text:
            they are sent by their content.
        why_none: Why there is no commit to clone.
        planned: Whether the commit is that of a run that is planned already.
    """

    source: Source
    words: Mapping[str, str]
    root: Path | None
    sha: str | None
    branch: str | None
    parts: Parts | None
    named: Mapping[str, str]
    outside: Mapping[str, str]
    by_content: Mapping[str, Path]
    why_none: str
    planned: bool = False

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
        sent = set(self.by_content)
        return [
            *(name for name in own if name not in sent),
            *(name for name in self.named if name not in own),
        ]


def find_ground(
    reference: str,
    words: Mapping[str, str],
    *,
    project: Path | None = None,
    commit: str | None = None,
    scratch: Path | None = None,
) -> Ground:
    """Find the experiment and its commit; nothing of it is imported.

    Args:
        reference: Of the experiment.
        words: Of its config.
        project: Where the reference is looked for; see `locate`.
        commit: The one that would run, where that is not the one that is checked out.
        scratch: For a copy of another commit's files.

    Raises:
        UnknownNameError: There is no such experiment.
    """
    source = locate(reference, project=project)
    file, start = source.file, source.project
    if start is None or file is None:
        package = Path(__file__).resolve().parents[1]
        file, start = package / "experiments" / "__init__.py", package
    root, sha, branch, why = _repository(start)
    if source.project is None and (root is None or not _holds(root, file)):
        why = f"{source.reference} comes with the installed package, not from a repository"
        named, outside, by_content = _files_of(words, None, None)
        return Ground(source, words, None, None, None, None, named, outside, by_content, why)
    root = root or start
    planned = commit is not None
    if commit is not None and commit != sha:
        sha, branch = commit, None
        if scratch is not None:
            held = make_clone(root, commit, None, scratch / "planned").path
            file = _in_clone(file, root, held)
    held_names = frozenset(git_lines(root, "ls-tree", "-r", "-z", "--name-only", sha or "HEAD"))
    named, outside, by_content = _files_of(words, root, held_names if source.project else None)
    copied = scratch is not None and file.is_relative_to(scratch)
    parts = parts_of(file, scratch / "planned" if copied and scratch is not None else root)
    by_content |= {
        name: root / name
        for name in parts.defaults
        if name not in held_names and _is_big(root / name)
    }
    return Ground(
        source, words, root, sha, branch, parts, named, outside, by_content, why, planned=planned
    )


def _in_clone(file: Path, root: Path, clone: Path | None) -> Path:
    """The same file in a clone, if the commit has it."""
    if clone is None or not file.resolve().is_relative_to(root):
        return file
    copy = clone / file.resolve().relative_to(root)
    return copy if copy.is_file() else file


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


def _is_big(path: Path) -> bool:
    return path.is_file() and path.stat().st_size >= _BIG_BYTES


def _files_of(
    words: Mapping[str, str], root: Path | None, held: Collection[str] | None
) -> tuple[dict[str, str], dict[str, str], dict[str, Path]]:
    """Files that options name: of the repository, elsewhere, and those that travel by content.

    A word names a file if there is one, in the repository or where the command was given, or if it
    looks like one, with a folder and a suffix. Sent by content is what is given by an absolute
    path, lies outside of the project, or is too big for git and not in the commit; ``held`` None
    is for an experiment of this package, whose project holds nothing of the user's. A file that is
    nowhere is named all the same, for 'tracked' to say so.
    """
    named: dict[str, str] = {}
    outside: dict[str, str] = {}
    by_content: dict[str, Path] = {}
    for key, word in [(key, part.strip()) for key, w in words.items() for part in w.split(",")]:
        option = f"--{key.replace('_', '-')}"
        path = Path(word)
        # As the job sees it: a relative path is one of the project.
        here = [base / path for base in (root, Path.cwd()) if base is not None]
        there = next((one for one in here if one.is_file()), None)
        looks_so = bool(path.suffix) and path.name != word
        if there is None and not looks_so:
            continue
        whole = (there or here[0]).absolute()
        whole = whole.parent.resolve() / whole.name
        inside = root is not None and whole.is_relative_to(root)
        name = whole.relative_to(root).as_posix() if inside and root is not None else ""
        apart = path.is_absolute() or not inside or held is None
        if there is not None and (apart or (name not in (held or ()) and _is_big(there))):
            if looks_so or path.is_absolute() or path.suffix:
                by_content[word] = whole
        elif inside:
            named[name] = option
        else:
            outside[str(whole)] = option
    return named, outside, by_content
