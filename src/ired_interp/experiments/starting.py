"""A new experiment of one's own: a file that works, and its test."""

import importlib.machinery
import keyword
import os
import re
import sys
from importlib.resources import files
from pathlib import Path
from string import Template

from ired_interp.errors import ConfigError, StorageError
from ired_interp.storage import guard

__all__ = ["write_new_experiment"]

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_TEMPLATES = {"{name}.py": "experiment.txt", "test_{name}.py": "test.txt"}


def write_new_experiment(name: str, folder: Path) -> tuple[Path, ...]:
    """Write ``NAME.py``, a small experiment, and ``test_NAME.py``.

    Args:
        name: Of the file and of the experiment: lower-case letters, digits and '_'.
        folder: Made if it is not there.

    Returns:
        The files.

    Raises:
        ConfigError: The name is no Python name, or hides a module.
        StorageError: A file is there already, or the file system refused.
    """
    _check_form(name)
    paths = {folder / key.format(name=name): text for key, text in _TEMPLATES.items()}
    for path in paths:
        if os.path.lexists(path):
            raise StorageError(
                f"{path} is there already: expected a new file, and nothing was written. Choose "
                "another name or --folder."
            )
    _check_free(name)
    with guard(folder):
        folder.mkdir(parents=True, exist_ok=True)
    words = {"NAME": name, "CLASS": "".join(part.capitalize() for part in name.split("_"))}
    for path, text in paths.items():
        template = (files("ired_interp") / "experiments" / "templates" / text).read_text("utf-8")
        with guard(path), path.open("x", encoding="utf-8", newline="\n") as stream:
            stream.write(Template(template).substitute(words))
    return tuple(paths)


def _check_form(name: str) -> None:
    if not _NAME.fullmatch(name) or keyword.iskeyword(name) or name.startswith("test_"):
        raise ConfigError(
            "name: expected lower-case letters, digits and '_', beginning with a letter, no word "
            f"of Python and not test_…, found {name!r}."
        )


def _check_free(name: str) -> None:
    # The folder of an experiment comes first on the import path.
    taken = name in sys.stdlib_module_names or importlib.machinery.PathFinder.find_spec(name)
    if taken:
        raise ConfigError(
            f"name: expected a name of its own, found {name!r}, which is a module that could not "
            "be imported any more beside that file. Choose another."
        )
