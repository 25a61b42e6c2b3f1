"""What the modules of a package import, read from their sources: nothing is executed.

Strings count too. What is imported on demand is named by one (``LazyFigures("…")``, the places of
``import_on_demand``, ``importlib.import_module``, a process that is started by ``python -m``), so
every string that is nothing but a dotted name of the package is an import of what it names.
"""

import ast
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

__all__ = ["Imports", "circles", "imports_of", "sources"]

Imports = Mapping[str, frozenset[str]]


def sources(folder: Path) -> dict[str, Path]:
    """Files by the dotted names of their modules, the package's own ``__init__`` included.

    Args:
        folder: Of the package, whose name it has.
    """
    found = {}
    for path in sorted(folder.rglob("*.py")):
        words = path.relative_to(folder.parent).with_suffix("").parts
        found[".".join(words[:-1] if words[-1] == "__init__" else words)] = path
    return found


def imports_of(folder: Path) -> Imports:
    """By module, all that it imports: modules of the package, and other modules as they are named.

    A public name that is taken from a package is an import of that package, whose ``__init__`` may
    import whatever it likes to find it.
    """
    files = sources(folder)
    return {
        name: frozenset(_imports(name, path, folder.name, files) - {name})
        for name, path in files.items()
    }


def circles(edges: Mapping[str, Iterable[str]]) -> set[frozenset[str]]:
    """The largest sets of nodes each of which leads to all others of its set; of two and more."""
    reached = {node: _reached(node, edges) for node in edges}
    found = {
        frozenset({node} | {other for other in seen if node in reached.get(other, ())})
        for node, seen in reached.items()
    }
    return {circle for circle in found if len(circle) > 1}


def _reached(start: str, edges: Mapping[str, Iterable[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        new = set(edges.get(waiting.pop(), ())) - seen
        seen |= new
        waiting += new
    return seen


def _imports(name: str, path: Path, package: str, files: Mapping[str, Path]) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            if node.level:
                raise AssertionError(f"{name}: line {node.lineno}: a relative import")
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {one if one in files else str(node.module) for one in whole}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Call) and _imports_by_name(node, package):
            found.add(package)
        else:
            found |= _in_strings(node, package)
    return {_module(one, package, files) for one in found}


def _in_strings(node: ast.AST, package: str) -> set[str]:
    """A dotted name; of one that is put together, what is known of its beginning."""
    dotted = rf"{re.escape(package)}(\.\w+)*\.?(:\w+)?"
    texts = node.values[:1] if isinstance(node, ast.JoinedStr) else [node]
    words = {str(text.value) for text in texts if isinstance(text, ast.Constant)}
    return {word for word in words if "." in word and re.fullmatch(dotted, word)}


def _imports_by_name(node: ast.Call, package: str) -> bool:
    """Whether it imports the package whole; any other name in it has a dot, and is seen as such."""
    called = ast.unparse(node.func).split(".")[-1]
    of_package = any(isinstance(word, ast.Constant) and word.value == package for word in node.args)
    return of_package and called in {"import_module", "__import__"}


def _module(name: str, package: str, files: Mapping[str, Path]) -> str:
    """The module that a dotted name, perhaps of something in it, belongs to."""
    words = name.split(":", maxsplit=1)[0].rstrip(".").split(".")
    if words[0] != package:
        return name
    while len(words) > 1 and ".".join(words) not in files:
        words.pop()
    return ".".join(words)
