"""What an experiment is made of, read from its source without running any of it.

From the experiment's file every import is followed that leads to a file of the same repository; the
others are noted by name. Literals that name a file of the repository are data files.
"""

import ast
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Import", "Parts", "parts_of"]

_LONGEST_NAME = 200
_NAME_OF_A_MODULE = re.compile(r"([^\W\d]\w*(?:\.[^\W\d]\w*)+)(?::[^\W\d]\w*)?")
_IMPORT_ERRORS = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}


@dataclass(frozen=True)
class Import:
    """One import statement, or one module of it.

    Attributes:
        module: The absolute name of what is imported.
        names: What is taken from it; empty for ``import module``.
        file: Where it stands, relative to the repository.
        line: Where it stands.
        optional: Whether its failure is caught where it stands, or it is never run.
    """

    module: str
    names: tuple[str, ...]
    file: str
    line: int
    optional: bool


@dataclass
class Parts:
    """What an experiment is made of.

    Attributes:
        root: Of the repository; all paths are relative to it.
        modules: Files of Python that are imported, the experiment's own first.
        data: Files that literals name, each with where.
        imports: All import statements of the modules.
        broken: Files that are no Python, with the reason.
        defaults: Those of the data that are defaults of a class's fields, as a config's are.
    """

    root: Path
    modules: list[str] = field(default_factory=list)
    data: dict[str, str] = field(default_factory=dict)
    imports: list[Import] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)
    defaults: set[str] = field(default_factory=set)

    @property
    def files(self) -> list[str]:
        """Modules and data."""
        return [*self.modules, *(name for name in self.data if name not in self.modules)]

    def foreign(self) -> dict[str, Import]:
        """First names of what is imported from elsewhere, each with its first import."""
        own = {Path(name).parts[0].removesuffix(".py") for name in self.modules}
        own |= {Path(name).parts[1].removesuffix(".py") for name in self.modules if _in_src(name)}
        own |= {Path(name).stem for name in self.modules}
        found: dict[str, Import] = {}
        for one in self.imports:
            first = one.module.split(".")[0]
            if first not in own and first not in sys.stdlib_module_names and not one.optional:
                found.setdefault(first, one)
        return found


def parts_of(file: Path, root: Path) -> Parts:
    """Follow the imports of a file through its repository.

    Args:
        file: The experiment's.
        root: Of the repository, or the folder to stay in.
    """
    root = root.resolve()
    parts = Parts(root)
    roots = list(dict.fromkeys((file.parent.resolve(), root, root / "src")))
    waiting = [file.resolve()]
    seen: set[Path] = set()
    while waiting:
        path = waiting.pop(0)
        if path in seen:
            continue
        seen.add(path)
        name = path.relative_to(root).as_posix()
        parts.modules.append(name)
        try:
            tree = ast.parse(path.read_bytes(), filename=name)
        except (SyntaxError, ValueError, OSError) as error:
            line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
            parts.broken[name] = f"{error.args[0] if error.args else error}{line}"
            continue
        for one in _imports(tree, path, name, roots):
            parts.imports.append(one)
            targets = [one.module, *(f"{one.module}.{inner}" for inner in one.names)]
            waiting += [f for target in targets for f in _files_of(target, roots, root)]
        of_fields = set(_defaults(tree))
        for literal, number in _literals(tree):
            waiting += _module_named(literal, roots, root)
            target = _data_file(literal, path.parent, root)
            if target is not None and target not in parts.data:
                parts.data[target] = f"{name}:{number}"
            if target is not None and target == literal and literal in of_fields:
                parts.defaults.add(target)
    return parts


def _imports(tree: ast.Module, path: Path, name: str, roots: Sequence[Path]) -> Iterator[Import]:
    package = _package_of(path, roots)
    for node, optional in _statements(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, (), name, node.lineno, optional)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                above = package[: len(package) - node.level + 1]
                module = ".".join([*above, *([module] if module else [])])
            names = tuple(alias.name for alias in node.names if alias.name != "*")
            if module:
                yield Import(module, names, name, node.lineno, optional)


def _statements(tree: ast.Module) -> Iterator[tuple[ast.stmt, bool]]:
    """Every import statement, and whether its failure does no harm."""
    waiting: list[tuple[ast.AST, bool]] = [(tree, False)]
    while waiting:
        node, optional = waiting.pop(0)
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, optional
        if isinstance(node, ast.Try):
            caught = any(_catches_imports(handler) for handler in node.handlers)
            waiting += [(child, optional or caught) for child in node.body]
            rest = [*node.handlers, *node.orelse, *node.finalbody]
            waiting += [(child, optional or isinstance(child, ast.ExceptHandler)) for child in rest]
        elif isinstance(node, ast.If) and _is_type_checking(node.test):
            waiting += [(child, True) for child in node.body]
            waiting += [(child, optional) for child in node.orelse]
        else:
            waiting += [(child, optional) for child in ast.iter_child_nodes(node)]


def _catches_imports(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    named = {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)}
    return bool(named & _IMPORT_ERRORS)


def _is_type_checking(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", None)
    return name == "TYPE_CHECKING"


def _package_of(path: Path, roots: Sequence[Path]) -> list[str]:
    """The package that a module is in, as its relative imports mean it."""
    inside = [root for root in roots if path.is_relative_to(root)]
    with_package = [root for root in inside if (path.parent / "__init__.py").is_file()]
    # The root that gives the longest name: a package below src is not called src.package.
    chosen = [
        root for root in with_package or inside if not (root / "__init__.py").is_file()
    ] or inside
    nearest = max(chosen, key=lambda root: len(root.parts))
    return list(path.parent.relative_to(nearest).parts)


def _files_of(module: str, roots: Sequence[Path], stay: Path) -> list[Path]:
    """Files of the repository that importing a module runs: its packages', and its own."""
    steps = module.split(".")
    for root in roots:
        found = []
        folder = root
        for step in steps:
            folder = folder / step
            for candidate in (folder / "__init__.py", folder.with_name(f"{step}.py")):
                if candidate.is_file() and candidate.resolve().is_relative_to(stay):
                    found.append(candidate.resolve())
                    break
            if not folder.is_dir():
                break
        if found:
            return found
    return []


def _module_named(text: str, roots: Sequence[Path], stay: Path) -> list[Path]:
    """Files of a module that is imported by its name when it is needed, ``package.module:NAME``."""
    named = _NAME_OF_A_MODULE.fullmatch(text)
    if named is None:
        return []
    found = _files_of(named[1], roots, stay)
    return found if len(found) == len(named[1].split(".")) else []


def _literals(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
            if "." in text and len(text) <= _LONGEST_NAME and text.isprintable():
                yield text, node.lineno


def _defaults(tree: ast.Module) -> Iterator[str]:
    """Texts that are the default of a field of a class."""
    for node in ast.walk(tree):
        for one in node.body if isinstance(node, ast.ClassDef) else ():
            value = one.value if isinstance(one, ast.AnnAssign) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield value.value


def _data_file(text: str, folder: Path, root: Path) -> str | None:
    """The file of the repository that a literal names, from its root or from the module's folder.

    Python files are left out: those that are imported are found as modules.
    """
    if text.endswith(".py") or text.startswith(("http:", "https:")) or text in (".", ".."):
        return None
    for base in (root, folder):
        path = base / text
        # Where the file itself is not there, as in a fresh clone, nothing says that it is data.
        if path.is_file() or path.is_symlink():
            inside = Path(*path.parent.resolve().parts, path.name)
            if inside.is_relative_to(root) and ".git" not in inside.relative_to(root).parts:
                return inside.relative_to(root).as_posix()
    return None


def _in_src(name: str) -> bool:
    return name.startswith("src/") and name.count("/") > 0
