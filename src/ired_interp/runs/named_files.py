"""Files that a config names and that no commit holds, and where they are on another machine.

A config names a file by a text: an absolute path, or a path in the project. On a cluster the same
content lies elsewhere, in a folder named by its SHA-256. ``run.json`` lists each such file under
``files``; the plan itself keeps the texts that it was planned with, and so do the data.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from ired_interp.errors import RunFolderError
from ired_interp.experiments.config import config_to_mapping

__all__ = ["NamedFile", "find_named", "moved", "places_of", "read_named", "relocated"]

C = TypeVar("C")


@dataclass(frozen=True)
class NamedFile:
    """A file as the plan names it, and its content.

    Attributes:
        name: The text in the config.
        sha256: Of the content.
        bytes: Its length.
    """

    name: str
    sha256: str
    bytes: int

    @property
    def stored(self) -> str:
        """Where it lies below a folder of such files; the name keeps its suffix."""
        return f"{self.sha256}/{PurePosixPath(self.name).name}"


def find_named(
    config: Any, project: Path | None, is_committed: Callable[[Path], bool]
) -> dict[str, Path]:
    """Files that texts of a config name and that do not travel with the commit, by text.

    Args:
        config: Of an experiment.
        project: Root of the project; a relative path is looked for there, then in the working
            directory.
        is_committed: Whether a file of the project is in the commit.
    """
    bases = [Path.cwd()] if project is None else [project, Path.cwd()]
    found: dict[str, Path] = {}
    for text in _texts(config_to_mapping(config).values()):
        path = Path(text)
        if not path.name or not (path.is_absolute() or path.suffix or path.name != text):
            continue  # a word, such as the name of a model
        there = next((base / path for base in bases if _is_file(base / path)), None)
        if there is None:
            continue
        inside = project is not None and not path.is_absolute()
        if not (inside and is_committed(there)):
            found[text] = there
    return found


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long, or with a NUL: no path at all
        return False


def _texts(values: Iterable[Any]) -> Iterable[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, list | tuple):
            yield from _texts(value)


def read_named(head: Mapping[str, Any]) -> tuple[NamedFile, ...]:
    """What ``run.json`` lists; nothing where the run was never sent anywhere.

    Raises:
        RunFolderError: The list is damaged.
    """
    try:
        return tuple(NamedFile(**one) for one in head.get("files", []))
    except TypeError as error:
        raise RunFolderError(f"run.json: 'files' is damaged ({error}).") from error


def places_of(files: Sequence[NamedFile], folder: Path) -> dict[str, str]:
    """Where each file is, by the text in the config.

    Args:
        files: As `read_named` gives them.
        folder: Of files by their content.

    Raises:
        RunFolderError: One is not there, or not whole.
    """
    places = {}
    for file in files:
        path = folder / file.stored
        size = path.stat().st_size if path.is_file() else None
        if size != file.bytes:
            state = "no such file" if size is None else f"a file of {size} bytes"
            raise RunFolderError(
                f"{path}: expected the {file.bytes} bytes of {file.name}, which the config names, "
                f"found {state}. 'ired-interp submit' sends it again."
            )
        places[file.name] = str(path)
    return places


def relocated(config: C, places: Mapping[str, str]) -> C:
    """The config with each text that names a file replaced by where that file is.

    Args:
        config: A frozen dataclass.
        places: By text.
    """
    if not places:
        return config
    changed = {}
    for field in dataclasses.fields(config):  # type: ignore[arg-type]
        value = getattr(config, field.name)
        new = moved(value, places)
        if new != value:
            changed[field.name] = new
    return dataclasses.replace(config, **changed)  # type: ignore[type-var]


def moved(value: Any, places: Mapping[str, str]) -> Any:
    """A value of a config, likewise."""
    if isinstance(value, str):
        return places.get(value, value)
    return tuple(moved(one, places) for one in value) if isinstance(value, tuple) else value
