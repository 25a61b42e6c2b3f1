"""Where an experiment is defined: a built-in name, a file, or a module; nothing is imported."""

import difflib
import importlib
import importlib.machinery
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

from ired_interp.errors import UnknownNameError

__all__ = [
    "BUILT_IN",
    "SUFFIX",
    "Source",
    "experiment_names",
    "locate",
    "module_file",
    "module_roots",
    "nearest",
    "no_file",
    "split_reference",
    "unknown",
]

# Where each object is; imported when it is asked for, so that the others cost nothing. A folder of
# this package that has the name of an experiment is one.
BUILT_IN: Mapping[str, str] = {
    folder.name: f"{__package__}.{folder.name}:EXPERIMENT"
    for folder in sorted(Path(__file__).parent.glob("exp[0-9]*/"))
}
SUFFIX = ".py"

_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_MOST_LISTED = 8


@dataclass(frozen=True)
class Source:
    """Where an experiment is defined.

    Attributes:
        reference: ``exp001``; ``path/inside/project/file.py:NAME``, with the path relative to
            ``project``; or ``package.module:NAME``. Without ``:NAME`` it is the only one there.
        project: Root of the git repository, or the file's folder where there is none; None for
            what comes with this package.
    """

    reference: str
    project: Path | None

    @property
    def file(self) -> Path | None:
        """The defining file, absolute; None for what comes with this package.

        Raises:
            UnknownNameError: A module that is not there.
        """
        if self.project is None:
            return None
        place, _ = split_reference(self.reference)
        if place.endswith(SUFFIX):
            return self.project / place
        return module_file(place, module_roots(self.project), self.reference)


def experiment_names() -> list[str]:
    """The experiments that come with this package."""
    return list(BUILT_IN)


def locate(reference: str, *, project: Path | None = None) -> Source:
    """Find where an experiment is defined; nothing of it is imported.

    Args:
        reference: A built-in name; ``file.py`` or ``file.py:NAME``, relative to ``project`` or to
            the working directory; or ``package.module:NAME``.
        project: Root to look in. By default that of the git repository which the file, or for a
            module the working directory, lies in.

    Raises:
        UnknownNameError: There is no such experiment, file or module; the nearest is named.
    """
    if reference in BUILT_IN:
        return Source(reference, None)
    place, name = split_reference(reference)
    suffix = "" if name is None else f":{name}"
    if place.endswith(SUFFIX):
        return _locate_file(place, suffix, project)
    folder = (project or Path()) / place
    if "/" in place or folder.is_dir():
        kind = "a folder" if folder.is_dir() else "no name that ends in .py"
        raise UnknownNameError(
            f"experiment: expected a Python file, as in path/to/file.py:NAME, found {reference!r}, "
            f"{kind}."
        )
    if (name is None and "." not in place) or not _MODULE.fullmatch(place):
        raise unknown(reference, project or Path.cwd())
    root = (project or _project_of(Path.cwd())).resolve()
    file = module_file(place, module_roots(root), reference)
    if project is None:
        root = _module_project(file, place, root)
    return Source(f"{place}{suffix}", root)


def split_reference(reference: str) -> tuple[str, str | None]:
    """``place:NAME``; a colon before what is no name belongs to the path."""
    place, colon, name = reference.rpartition(":")
    if colon and (name.isidentifier() or not name.endswith(SUFFIX)):
        return place, name
    return reference, None


def _locate_file(place: str, suffix: str, project: Path | None) -> Source:
    path = Path(place) if project is None else project / place
    if not path.is_file():
        raise no_file(path)
    path = path.resolve()  # as `python file.py` finds the folder of a link
    root = _project_of(path.parent) if project is None else project.resolve()
    if not path.is_relative_to(root):
        raise UnknownNameError(f"experiment: expected a file inside {root}, found {path}.")
    return Source(path.relative_to(root).as_posix() + suffix, root)


def _project_of(folder: Path) -> Path:
    """The root of the git repository (``.git`` is a file in a worktree), or the folder itself."""
    folder = folder.resolve()
    roots = (one for one in (folder, *folder.parents) if (one / ".git").exists())
    return next(roots, folder)


def module_roots(project: Path) -> tuple[Path, ...]:
    """Where a project's own modules are looked for."""
    return (project, project / "src")


def _module_project(file: Path, module: str, root: Path) -> Path:
    """The repository of a module's file, or the folder that it is installed in."""
    if file.is_relative_to(root) and "site-packages" not in file.relative_to(root).parts:
        return root
    depth = len(module.split(".")) - (file.name != "__init__.py")
    installed = file.parents[depth]
    return installed if "site-packages" in file.parts else _project_of(file.parent)


def module_file(module: str, roots: Sequence[Path], reference: str) -> Path:
    """The file of a module, found without importing its packages."""
    parts = module.split(".")
    path: Sequence[str] | None = [*map(str, roots), *sys.path]
    importlib.invalidate_caches()
    for length in range(1, len(parts) + 1):
        spec = _spec(".".join(parts[:length]), path)
        if spec is None or (length < len(parts) and not spec.submodule_search_locations):
            parent = ".".join(parts[: length - 1])
            known = _modules_in(path if parent and path else map(str, roots))
            where = f"the package {parent!r}" if parent else f"{roots[0]} or the environment"
            raise UnknownNameError(
                f"experiment: expected a module {module!r}, found no {parts[length - 1]!r} in "
                f"{where}.{nearest(parts[length - 1], known)} A file can be given as "
                "path/to/file.py:NAME."
            )
        if spec.submodule_search_locations is not None:
            path = list(spec.submodule_search_locations)
    if spec is None or spec.origin is None or not spec.has_location:
        raise UnknownNameError(
            f"experiment: expected a module with a file, found {module!r} ({reference!r})."
        )
    return Path(spec.origin).resolve()


def _spec(name: str, path: Sequence[str] | None) -> ModuleSpec | None:
    spec = importlib.machinery.PathFinder.find_spec(name, path)
    if spec is not None and (spec.origin or "." in name):
        return spec
    for finder in sys.meta_path:  # of editable installations
        find: Any = finder.find_spec if isinstance(finder, MetaPathFinder) else None
        found = find(name, None) if find and "." not in name else None
        if isinstance(found, ModuleSpec) and found.has_location:
            return found
    return spec


def _modules_in(folders: Iterable[str]) -> list[str]:
    """Names that could be imported from the folders."""
    found = set()
    for folder in map(Path, folders):
        if folder.is_dir():
            found |= {one.stem for one in folder.glob("*.py")}
            found |= {one.parent.name for one in folder.glob("*/__init__.py")}
    return sorted(found - {"__init__"})


def nearest(name: str, known: Iterable[str]) -> str:
    """A question that names the nearest, with a space before it; empty if none is near."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def no_file(path: Path) -> UnknownNameError:
    """Says what there is instead."""
    here = sorted(one.name for one in path.parent.glob("*.py")) if path.parent.is_dir() else []
    if path.is_dir():
        return UnknownNameError(f"experiment: expected a Python file, {path} is a folder.")
    there = f"{path.parent} has {', '.join(here[:_MOST_LISTED]) or 'no Python file'}"
    if not path.parent.is_dir():
        there = f"there is no folder {path.parent}"
    return UnknownNameError(
        f"experiment: expected a Python file, found none at {path}: {there}."
        f"{nearest(path.name, here)}"
    )


def unknown(reference: str, folder: Path) -> UnknownNameError:
    """Says what could have been meant, in this package or in a folder."""
    files = [one.name for one in folder.glob("*.py")]
    near = nearest(reference, BUILT_IN) or nearest(f"{reference}.py", files)
    return UnknownNameError(
        f"experiment: expected one of {', '.join(BUILT_IN)}, path/to/file.py or "
        f"package.module:NAME, found {reference!r}.{near}"
    )
