"""Which of the author's own files an experiment imports, read from the text alone."""

import ast
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from ired_interp.errors import ExperimentError

__all__ = ["check_no_other", "local_modules"]


def local_modules(file: Path, roots: Sequence[Path]) -> dict[str, Path]:
    """The modules below the roots that a file imports, and those that they import, by name.

    Imports inside functions count; what is imported by a name made at run time is not seen, nor
    what stands in a file that is no Python.
    """
    found: dict[str, Path] = {}
    waiting = [file]
    while waiting:
        for name in _imported(waiting.pop()):
            parts = name.split(".")
            for length in range(1, len(parts) + 1):
                part = ".".join(parts[:length])
                place = None if part in found else _file_of(part, roots)
                if place is not None:
                    found[part] = place
                    waiting.append(place)
    return found


def check_no_other(file: Path, roots: Sequence[Path]) -> None:
    """Check that a file's imports can lead to the modules beside it.

    A process has one module of a name. After the experiment of another folder, or where a file is
    named as a library is, an import would quietly give the wrong one.

    Raises:
        ExperimentError: Another module of that name is imported already.
    """
    for name, place in local_modules(file, roots).items():
        there = getattr(sys.modules.get(name), "__file__", None)
        if there is not None and Path(there).resolve() != place:
            raise ExperimentError(
                f"{file} imports {name!r}: expected {place}, found that this process has already "
                f"imported {there} under that name. Run the experiment in a process of its own; "
                "if the other file is a library's, rename yours."
            )


def _imported(file: Path) -> Iterator[str]:
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):  # the import itself will say so
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _file_of(name: str, roots: Sequence[Path]) -> Path | None:
    for root in roots:
        place = root.joinpath(*name.split("."))
        for file in (place / "__init__.py", place.with_name(f"{place.name}.py")):
            if file.is_file():
                return file.resolve()
    return None
