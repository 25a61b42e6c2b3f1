"""What a requirements file asks for, and what that brings with it, from what is installed here."""

import importlib.metadata
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

__all__ = ["asked_for", "closure", "normal", "providers"]

# A name, and what stands in brackets behind it.
_NAME = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(\[)?")
_EGG = re.compile(r"#egg=([A-Za-z0-9._-]+)")


def normal(name: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def asked_for(file: Path, root: Path) -> set[str]:
    """Distributions that a requirements file names, and those of the project where it names that.

    A file that it includes with ``-r`` counts as well, constraints do not. Where extras are asked
    for, ``[]`` stands behind the name.

    Args:
        file: The requirements.
        root: Of the project, for ``.`` and ``-e .``.
    """
    return set(_names(file, root, set()))


def _names(file: Path, root: Path, seen: set[Path]) -> Iterator[str]:
    if file in seen or not file.is_file():
        return
    seen.add(file)
    for raw in file.read_text(encoding="utf-8", errors="replace").splitlines():
        line = re.sub(r"(^|\s)#.*$", "", raw).strip()
        option = re.match(r"(-r|--requirement|-e|--editable)[\s=]+(.+)$", line)
        if option and option[1] in ("-r", "--requirement"):
            yield from _names(file.parent / option[2].strip(), root, seen)
            continue
        if option:
            line = option[2].strip()
        egg = _EGG.search(raw)
        if line.startswith((".", "/")) or line.endswith((".whl", ".tar.gz")):
            yield from _of_path(line, root)
        elif egg:
            yield normal(egg[1])
        elif (
            not line.startswith("-")
            and (named := _NAME.match(line))
            and "://" not in line.split("@")[0]
        ):
            yield _with_extras(named)


def _with_extras(named: re.Match[str]) -> str:
    return normal(named[1]) + ("[]" if named[2] else "")


def _of_path(line: str, root: Path) -> Iterator[str]:
    """The name of a wheel; for a project what its pyproject.toml says."""
    path = Path(line.split("[", maxsplit=1)[0])
    if path.suffix == ".whl":
        yield normal(path.name.split("-")[0])
        return
    try:
        content = tomllib.loads((root / path / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    project = content.get("project", {})
    if isinstance(project.get("name"), str):
        yield normal(project["name"])
    for one in project.get("dependencies", []):
        if isinstance(one, str) and (named := _NAME.match(one)):
            yield _with_extras(named)


def closure(names: Iterable[str]) -> set[str]:
    """The distributions and all that they require, as far as they are installed here.

    Args:
        names: As `asked_for` gives them; where extras are asked for, those of all extras count.
    """
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        asked = waiting.pop()
        if asked in found:
            continue
        found.add(asked)
        name = asked.removesuffix("[]")
        found.add(name)
        try:
            required = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        for line in required:
            named = _NAME.match(line)
            if named and (asked.endswith("[]") or "extra ==" not in line):
                waiting.append(_with_extras(named))
    return found


def providers() -> dict[str, set[str]]:
    """Which distributions provide a module, by the first part of its name."""
    found = importlib.metadata.packages_distributions()
    return {module: {normal(name) for name in names} for module, names in found.items()}
