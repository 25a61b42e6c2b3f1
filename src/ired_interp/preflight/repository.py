"""Whether the commit holds all that the experiment needs."""

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from ired_interp.git import git, git_lines
from ired_interp.preflight.check import Check, failed, not_checked, passed
from ired_interp.preflight.ground import Ground

__all__ = [
    "check_clean",
    "check_data_files",
    "check_line_endings",
    "check_submodules",
    "check_tracked",
]

_MOST_LISTED = 4
_SUBMODULE = "160000"
# Large files that git does not hold itself leave a short text in their place.
_POINTERS = (b"version https://git-lfs.github.com/spec/", b"/annex/objects/")
_POINTER_BYTES = 1024
_FETCH_SECONDS = 60.0


def check_tracked(ground: Ground) -> Check:
    """That the experiment, its modules, its data and its checkpoints are in the commit."""
    root = ground.root
    if root is None:
        return not_checked("tracked", ground.why_none)
    if ground.sha is None:
        return failed(
            "tracked",
            ground.why_none,
            "a git repository with a commit that holds the experiment",
            f"cd {shlex.quote(str(root))} && git init && git add -A && git commit",
        )
    held = set(git_lines(root, "ls-tree", "-r", "-z", "--name-only", ground.sha))
    modules = _submodule_paths(root, ground.sha)
    missing = [
        name
        for name in ground.files
        if name not in held and not any(name.startswith(f"{path}/") for path in modules)
    ]
    if missing:
        return _untracked(root, missing)
    if ground.outside:
        path, option = next(iter(ground.outside.items()))
        return failed(
            "tracked",
            f"{option} names {path}, but there is no such file",
            "a file of the commit, or one that is here and can be sent",
            f"put the file there, or give {option} another path",
        )
    for name in ground.files:
        target = (root / name).resolve()
        if (root / name).is_symlink() and not target.is_relative_to(root):
            return failed(
                "tracked",
                f"{name} is a link to {target}, outside of the repository",
                "the file itself: a clone holds the link and not what it leads to",
                f"cp --remove-destination {shlex.quote(str(target))} {shlex.quote(name)} && "
                f"git add {shlex.quote(name)} && git commit",
            )
    sent = ""
    if ground.by_content:
        names = _listed(ground.by_content)
        sent = f"; {names} not in it, named by the config: sent by content (SHA-256)"
    found = f"{_count(ground.files, 'file')} of the experiment in the commit{sent}"
    return passed("tracked", found)


def _untracked(root: Path, missing: Sequence[str]) -> Check:
    """What is not in the commit, with the reason that git gives."""
    ignored = git(root, "check-ignore", "-v", "--", *missing).out.splitlines()
    indexed = set(git_lines(root, "ls-files", "-z", "--", *missing))
    absent = [name for name in missing if not (root / name).exists()]
    found = f"{_listed(missing)} not in the commit"
    fix = f"git add {shlex.join(missing[:_MOST_LISTED])} && git commit"
    if absent:
        found = f"{_listed(absent)} named, but there is no such file"
        fix = "put the file there and commit it, or name another"
    elif ignored:
        rule = ignored[0].split("\t")[0]
        found += f": ignored by {rule}"
        fix = (
            f"git add -f {shlex.join(missing[:_MOST_LISTED])} && git commit, or change that rule; "
            "a file that the config names by its absolute path is sent by its content"
        )
    elif indexed:
        found += ": added but never committed"
        fix = "git commit"
    else:
        folders = {Path(name).parent.as_posix() for name in missing} - {"."}
        never = [
            folder for folder in sorted(folders) if not git_lines(root, "ls-files", "-z", folder)
        ]
        found += f": the folder {never[0]} was never committed" if never else ": never added"
        fix = f"git add {shlex.join(never[:1] or missing[:_MOST_LISTED])} && git commit"
    return failed("tracked", found, "every file that the experiment uses in the commit", fix)


def check_clean(ground: Ground) -> Check:
    """That the tracked files are as the commit has them."""
    if ground.root is None or ground.sha is None:
        return not_checked("clean", ground.why_none)
    if ground.planned:
        return passed("clean", f"the run was planned at {ground.short}, and this is what would run")
    entries = git_lines(ground.root, "status", "--porcelain", "-z", "--untracked-files=no")
    # A file that was added and is in no commit yet is a matter of 'tracked'.
    changed = [entry[3:] for entry in entries if entry[2:3] == " " and entry[0] != "A"]
    if not changed:
        return passed("clean", f"no tracked file differs from {ground.short}")
    own = [name for name in changed if name in set(ground.files)]
    whose = ", of the experiment" if own else ""
    return failed(
        "clean",
        f"{_listed(own or changed)} changed since {ground.short}{whose}",
        "tracked files as the commit has them: the changes would not run",
        "git commit -a, or git stash",
    )


def check_submodules(ground: Ground, clone: Path | None) -> Check:
    """That each submodule is filled, and its commit can be fetched."""
    if ground.root is None or ground.sha is None:
        return not_checked("submodules", ground.why_none)
    paths = _submodule_paths(ground.root, ground.sha)
    if not paths:
        return passed("submodules", "there are none")
    empty = [path for path in paths if not (ground.root / path / ".git").exists()]
    if empty:
        return failed(
            "submodules",
            f"{_listed(empty)} is empty: it was never filled",
            "each submodule checked out at the commit that is recorded",
            "git submodule update --init --recursive",
        )
    if clone is None:
        return not_checked("submodules", "there is no clone to fill them in")
    filled = git(
        clone, "submodule", "update", "--init", "--recursive", "--quiet", seconds=_FETCH_SECONDS
    )
    if filled.ok:
        return passed("submodules", f"{_listed(paths)} fetched at the commit that is recorded")
    return failed(
        "submodules",
        f"{_listed(paths)} cannot be fetched: {filled.reason}",
        "the recorded commit of each submodule on its own remote",
        f"git -C {shlex.quote(paths[0])} push, or git submodule sync",
    )


def check_data_files(ground: Ground, clone: Path | None) -> Check:
    """That the files of data and weights are there in a clone, whole and not as pointers."""
    if clone is None or ground.parts is None:
        return not_checked("data_files", "there is no clone to look in")
    names = [
        name
        for name in dict.fromkeys([*ground.parts.data, *ground.named])
        if name not in ground.by_content
    ]
    if not names:
        return passed("data_files", "the experiment names none")
    for name in names:
        path = clone / name
        if path.is_symlink() and not path.exists():
            target = path.readlink()
            annex = any(word.strip(b"/").decode() in str(target) for word in _POINTERS[1:])
            return failed(
                "data_files",
                f"{name} leads to {target}, which a clone does not hold",
                "the file itself in the clone",
                f"git annex unannex {shlex.quote(name)} && git add -f {shlex.quote(name)}"
                if annex
                else f"replace the link by the file, then git add {shlex.quote(name)}",
            )
        if path.is_file() and _is_pointer(path):
            return failed(
                "data_files",
                f"{name} is a pointer to a large file ({path.stat().st_size} bytes of text), not "
                "the file",
                "its content here, from where 'submit' sends it",
                "git lfs install && git lfs pull",
            )
    lost = [name for name in names if not (clone / name).exists()]
    if lost:
        return not_checked("data_files", f"{_listed(lost)} is not in the commit; see 'tracked'")
    size = sum((clone / name).stat().st_size for name in names)
    return passed("data_files", f"{_listed(names)} whole in the clone, {size / 1e6:.1f} MB")


def check_line_endings(ground: Ground, clone: Path | None) -> Check:
    """That scripts which the experiment starts have no Windows line endings in the clone."""
    if clone is None or ground.parts is None:
        return not_checked("line_endings", "there is no clone to look in")
    scripts = [name for name in ground.files if _is_script(clone / name)]
    wrong = [name for name in scripts if b"\r\n" in (clone / name).read_bytes()]
    if wrong:
        return failed(
            "line_endings",
            f"{_listed(wrong)} has Windows line endings (CR LF)",
            "line feeds alone: Linux looks for an interpreter whose name ends in CR",
            f"sed -i 's/\\r$//' {shlex.join(wrong)} && git commit -a; 'git config core.autocrlf "
            "input' keeps them so",
        )
    return passed("line_endings", f"{_count(scripts, 'script')}, none with Windows line endings")


def _is_script(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(2) == b"#!" or path.suffix in (".sh", ".sbatch", ".slurm")


def _is_pointer(path: Path) -> bool:
    if path.stat().st_size > _POINTER_BYTES:
        return False
    start = path.read_bytes()
    return start.startswith(_POINTERS[0]) or _POINTERS[1] in start


def _submodule_paths(root: Path, sha: str) -> list[str]:
    entries = git_lines(root, "ls-tree", "-r", "-z", sha)
    return [entry.split("\t", 1)[1] for entry in entries if entry.startswith(_SUBMODULE)]


def _listed(names: Iterable[str]) -> str:
    shown = list(names)
    more = len(shown) - _MOST_LISTED
    return ", ".join(shown[:_MOST_LISTED]) + (f" and {more} more" if more > 0 else "")


def _count(items: Sequence[object], what: str) -> str:
    return f"{len(items)} {what}{'' if len(items) == 1 else 's'}"
