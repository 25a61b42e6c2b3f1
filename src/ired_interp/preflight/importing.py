"""That every module which an experiment imports is there, and has what is taken from it."""

import difflib
import importlib
import importlib.metadata
import pkgutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

from ired_interp.preflight.causes import cause
from ired_interp.preflight.check import Check, failed, passed
from ired_interp.preflight.walk import Import

__all__ = ["check_imports"]

_MOST_LISTED = 8


def check_imports(
    imports: Sequence[Import], roots: Sequence[Path], root: Path | None, work_tree: Path | None
) -> Iterator[Check]:
    """Import every module that the sources name, and look up every name.

    What is imported in a function counts as well: it would fail later, in a work unit.

    Args:
        imports: As the sources have them.
        roots: Folders that modules of the project are imported from.
        root: Of the clone.
        work_tree: Where the author works; nothing may come from there.
    """
    found: dict[str, list[Check]] = {"import_module": [], "import_name": []}
    others: list[Check] = []
    needed = [one for one in imports if not one.optional]
    for one in needed:
        for check in _failures(one, roots, root, others):
            found[check.id].append(check)
    found["import_module"] += _from_elsewhere(root, work_tree)
    # A failure inside a module that has an import statement of its own is already among these.
    for check in others:
        if not found.get(check.id):
            found[check.id] = [check]
    for checks in found.values():
        if checks:
            yield _with_count(checks)
    if not found["import_module"]:
        count = len({one.module for one in needed})
        yield passed("import_module", f"{count} modules imported from clone and environment")
        if not found["import_name"]:
            names = sum(len(one.names) for one in needed)
            yield passed("import_name", f"{names} imported names are there")


def _failures(
    one: Import, roots: Sequence[Path], root: Path | None, others: list[Check]
) -> Iterator[Check]:
    """What is wrong with one import; ``others`` gets what went wrong inside the module."""
    try:
        module = importlib.import_module(one.module)
    except ModuleNotFoundError as error:
        missing = error.name or one.module
        if one.module == missing or one.module.startswith(f"{missing}."):
            yield _no_module(one, missing, roots)
        else:
            others.append(cause(error, root, "importing"))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the author's code may raise anything
        others.append(cause(error, root, "importing"))
    else:
        yield from (_no_name(one, module, name) for name in one.names if not _has(module, name))


def _with_count(checks: Sequence[Check]) -> Check:
    first = checks[0]
    more = len({check.found for check in checks}) - 1
    if not more:
        return first
    return failed(first.id, f"{first.found} (and {more} more)", first.expected, first.fix)


def _no_module(one: Import, missing: str, roots: Sequence[Path]) -> Check:
    parent, _, last = missing.rpartition(".")
    if parent:
        known = [info.name for info in pkgutil.iter_modules(sys.modules[parent].__path__)]
        where, prefix = parent, f"{parent}."
    else:
        known = [info.name for info in pkgutil.iter_modules([str(path) for path in roots])]
        where, prefix = "the project", ""
    near = difflib.get_close_matches(last, known, n=1) or difflib.get_close_matches(
        last, list(importlib.metadata.packages_distributions()), n=1
    )
    place = f"{one.file}:{one.line}"
    fix = (
        f"edit {place}: {prefix}{near[0]}"
        if near
        else f"correct the name in {place}, or add the package to the requirements and install it"
    )
    return failed(
        "import_module",
        f"{place}: no module {missing!r}",
        f"a module of {where} ({', '.join(known[:_MOST_LISTED]) or 'which has none'}), or one "
        "that is installed",
        fix,
    )


def _has(module: ModuleType, name: str) -> bool:
    if hasattr(module, name):
        return True
    try:
        importlib.import_module(f"{module.__name__}.{name}")
    except (Exception, SystemExit):  # noqa: BLE001 - the author's code may raise anything
        return False
    return True


def _no_name(one: Import, module: ModuleType, name: str) -> Check:
    own = [
        key
        for key, value in vars(module).items()
        if not key.startswith("_") and not isinstance(value, ModuleType)
    ]
    # Its own definitions before what it imported itself.
    own.sort(key=lambda key: getattr(vars(module)[key], "__module__", "") != module.__name__)
    near = difflib.get_close_matches(name, own, n=1)
    place = f"{one.file}:{one.line}"
    return failed(
        "import_name",
        f"{place}: {one.module} has no {name!r}",
        f"a name of {one.module}: {', '.join(own[:_MOST_LISTED]) or 'it has none'}",
        f"edit {place}: {near[0]}" if near else f"edit {place}",
    )


def _from_elsewhere(root: Path | None, work_tree: Path | None) -> list[Check]:
    """Modules that came from the author's folder, by an editable installation for instance."""
    if work_tree is None or root is None:
        return []
    found = []
    environment = Path(sys.prefix).resolve()
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if not isinstance(file, str) or not Path(file).is_absolute():
            continue
        path = Path(file)
        if not path.is_relative_to(work_tree) or path.is_relative_to(root):
            continue
        if path.is_relative_to(environment) or "site-packages" in path.parts:
            continue
        found.append(
            failed(
                "import_module",
                f"{name} comes from {path}, your working tree, and not from the commit",
                "modules of the clone: this is what an editable installation hides",
                "commit the module where the experiment finds it, or put '.' into the "
                "requirements and use --fresh-env",
            )
        )
    return found
