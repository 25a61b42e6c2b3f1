"""Experiments imported from where they lie.

A file runs as under ``python file.py``: its folder and the root of its git repository are put in
front of the import path, and stay there, since an experiment may import lazily, in a work unit.
This is the one place that touches ``sys.path``: an experiment lives in its author's repository,
which nobody should have to package in order to measure something. An object of a module is looked
for in the project's root, in its ``src``, and in the environment.
"""

import hashlib
import importlib
import importlib.machinery
import importlib.util
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from ired_interp.errors import ExperimentError, UnknownNameError
from ired_interp.experiments.base import Experiment
from ired_interp.experiments.completion import as_experiment
from ired_interp.experiments.import_failures import import_failure
from ired_interp.experiments.kit.study import Study
from ired_interp.experiments.local_modules import check_no_other
from ired_interp.experiments.locating import (
    BUILT_IN,
    SUFFIX,
    Source,
    experiment_names,
    locate,
    module_file,
    module_roots,
    nearest,
    no_file,
    split_reference,
    unknown,
)

__all__ = ["Source", "experiment_names", "find_experiment", "load", "locate"]

_MOST_LISTED = 8


def find_experiment(reference: str, *, project: Path | None = None) -> Experiment:
    """An experiment by name, ``path/to/file.py:NAME`` or ``package.module:NAME``.

    Raises:
        UnknownNameError: There is none of that name, no such file, module or object.
        ExperimentError: It cannot be imported, or lacks what an experiment needs.
    """
    return load(locate(reference, project=project))


def load(source: Source) -> Experiment:
    """Import an experiment, check it, and fill in what is optional.

    The same file with the same content is executed once a process.

    Raises:
        UnknownNameError: No such file, module or object; the nearest is named.
        ExperimentError: It cannot be imported, or lacks what an experiment needs.
    """
    if source.project is None:
        if source.reference not in BUILT_IN:
            raise unknown(source.reference, Path.cwd())
        module_name, _, attribute = BUILT_IN[source.reference].partition(":")
        own = getattr(importlib.import_module(module_name), attribute)
        return as_experiment(_instance(own), source.reference)
    place, name = split_reference(source.reference)
    if place.endswith(SUFFIX):
        file = source.project / place
        if not file.is_file():
            raise no_file(file)
        module = _execute(file.resolve(), (file.resolve().parent, source.project.resolve()))
    else:
        module = _import(place, module_roots(source.project), source.reference)
    return as_experiment(_instance(_chosen(module, name, place)), source.reference)


def _put_in_front(roots: Iterable[Path]) -> None:
    for root in reversed([str(one) for one in roots if one.is_dir()]):
        if root in sys.path:
            sys.path.remove(root)
        sys.path.insert(0, root)
    importlib.invalidate_caches()


def _execute(file: Path, roots: tuple[Path, ...]) -> ModuleType:
    """Run a file as a module of its own, which no other module's name can hide."""
    content = file.read_bytes()
    digest = hashlib.sha256(os.fsencode(file) + b"\0" + content).hexdigest()
    stem = re.sub(r"\W", "_", file.stem)
    name = f"experiment_{stem}_{digest[:16]}"
    _put_in_front(roots)
    if name in sys.modules:
        return sys.modules[name]
    check_no_other(file, roots)
    loader = importlib.machinery.SourceFileLoader(name, str(file))
    spec = importlib.util.spec_from_file_location(name, file, loader=loader)
    if spec is None:
        raise ExperimentError(f"{file}: Python does not know how to import it.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    try:
        # Compiled here, as Python does with a script: a compiled copy could be an older one.
        exec(loader.source_to_code(content, str(file)), vars(module))  # noqa: S102
    except (Exception, SystemExit) as error:  # the author's code may raise anything
        del sys.modules[name]
        raise import_failure(error, str(file), roots) from error
    return module


def _import(name: str, roots: tuple[Path, ...], reference: str) -> ModuleType:
    file = module_file(name, roots, reference)
    check_no_other(file, roots)
    _put_in_front(roots)
    try:
        module = importlib.import_module(name)
    except (Exception, SystemExit) as error:  # the author's code may raise anything
        raise import_failure(error, name, roots) from error
    found = getattr(module, "__file__", None)
    if found is None or Path(found).resolve() != file:
        raise ExperimentError(
            f"{reference}: expected the module of {file}, found that of {found} already imported "
            "by this process under the same name. Run it in a process of its own."
        )
    return module


def _chosen(module: ModuleType, name: str | None, place: str) -> Any:
    """The object of a name, or the only one that could be meant."""
    found = _candidates(module)
    listed = ", ".join(found) or "none"
    if name is None:
        if len(found) == 1:
            return next(iter(found.values()))
        if found:
            raise UnknownNameError(
                f"{place}: expected one experiment, found {listed}. Choose one, as in "
                f"{place}:{next(iter(found))}."
            )
        raise ExperimentError(
            f"{place}: expected a class with the methods units and run_unit, found "
            f"{', '.join(_classes(module)[:_MOST_LISTED]) or 'no class'}. docs/own_experiment.md "
            "says what an experiment is; 'ired-interp new experiment NAME' writes one."
        )
    if not hasattr(module, name):
        near = nearest(name, found) or nearest(name, _classes(module))
        raise UnknownNameError(
            f"{place}: expected an experiment named {name!r}, found {listed}.{near}"
        )
    return getattr(module, name)


def _candidates(module: ModuleType) -> dict[str, Any]:
    """What could be an experiment, by name: the file's own classes, and objects."""
    found: dict[str, Any] = {}
    for name, value in vars(module).items():
        if name.startswith("_") or isinstance(value, ModuleType):
            continue
        if not _does_work(value) or _is_built_in(value):
            continue
        if isinstance(value, type) and value.__module__ != module.__name__:
            continue
        if not any(value is other for other in found.values()):
            found[name] = value
    # An object stands for its class.
    used = [type(value) for value in found.values() if not isinstance(value, type)]
    return {name: value for name, value in found.items() if not any(value is one for one in used)}


def _is_built_in(value: Any) -> bool:
    return isinstance(value, Study) and value.name in BUILT_IN


def _does_work(value: Any) -> bool:
    return all(callable(getattr(value, part, None)) for part in ("units", "run_unit"))


def _classes(module: ModuleType) -> list[str]:
    return [
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == module.__name__
    ]


def _instance(found: Any) -> Any:
    if not isinstance(found, type) or not _does_work(found):
        return found
    try:
        return found()
    except TypeError as error:
        raise ExperimentError(
            f"{found.__name__}: expected a class that is made without arguments ({error}). Give "
            "each argument a default, or name an object instead of the class."
        ) from error
