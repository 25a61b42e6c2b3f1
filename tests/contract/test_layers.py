"""Imports point down and in no circle; numerics know nothing of files; importing does nothing.

`floors.py` has the house, and `import_graph.py` reads what is imported, strings included.
"""

import subprocess
import sys
from pathlib import Path

import pytest

import ired_interp
from floors import HIGHEST_OF_NUMERICS, KNOWN_CIRCLES, WHOLE, as_text, floor_of, part_of
from import_graph import Imports, circles, imports_of, sources

SOURCE = Path(ired_interp.__file__).parent
CONTRIBUTING = Path(__file__).parents[2] / "CONTRIBUTING.md"
PACKAGE = "ired_interp"
NOT_FOR_NUMERICS = {"xarray", "h5py", "h5netcdf", "matplotlib", "rich", "jinja2", "safetensors"}
# An experiment of one's own is imported from where it lies: one module finds it, one imports.
CHANGES_THE_PATH = {"ired_interp.experiments.locating", "ired_interp.experiments.loading"}


@pytest.fixture(scope="module")
def imports() -> Imports:
    return imports_of(SOURCE)


def _own(names: Imports) -> dict[str, set[str]]:
    """Without the package's name, and without what is not of the package."""
    return {
        name.removeprefix(PACKAGE).lstrip("."): {
            other.removeprefix(PACKAGE).lstrip(".")
            for other in others
            if other.split(".")[0] == PACKAGE
        }
        for name, others in names.items()
    }


def upward(names: Imports) -> list[str]:
    """Each import of a module on a higher floor, and each module that stands on none."""
    own = _own(names)
    found = [f"{name}: on no floor; enter it in floors.py" for name in own if part_of(name) is None]
    for name, others in own.items():
        for other in others:
            here, there = part_of(name), part_of(other)
            if here is not None and there is not None and floor_of(there) > floor_of(here):
                what = other if there != WHOLE else "the package whole"
                found.append(f"{name} imports {what} from floor {floor_of(there)}")
    return found


def all_circles(names: Imports) -> set[frozenset[str]]:
    """Of parts of the house, and of modules."""
    own = _own(names)
    parts: dict[str, set[str]] = {}
    for name, others in own.items():
        here = str(part_of(name))
        parts.setdefault(here, set()).update({str(part_of(other)) for other in others} - {here})
    return circles(parts) | circles(own)


def test_no_import_points_up(imports: Imports) -> None:
    found = upward(imports)
    assert not found, "\n".join(found)


def test_imports_make_no_circle_that_is_not_known(imports: Imports) -> None:
    """And none is known that is gone: the list can only shrink."""
    found = all_circles(imports)
    new = [" ↔ ".join(sorted(circle)) for circle in found - KNOWN_CIRCLES.keys()]
    gone = [" ↔ ".join(sorted(circle)) for circle in KNOWN_CIRCLES.keys() - found]
    assert not new, new
    assert not gone, f"take it off KNOWN_CIRCLES: {gone}"


def test_numerics_know_nothing_of_files_and_plots(imports: Imports) -> None:
    numerics = {
        name: {other.split(".")[0] for other in imports[f"{PACKAGE}.{name}"]}
        for name in _own(imports)
        if floor_of(part_of(name) or WHOLE) <= HIGHEST_OF_NUMERICS
    }
    assert len(numerics) > 50
    found = {name: used & NOT_FOR_NUMERICS for name, used in numerics.items()}
    assert not {name: used for name, used in found.items() if used}


def test_every_module_says_what_is_public() -> None:
    texts = {name: path.read_text(encoding="utf-8") for name, path in sources(SOURCE).items()}
    changing = {name for name, text in texts.items() if "sys.path" in text}
    assert changing <= CHANGES_THE_PATH
    files = {name for name, path in sources(SOURCE).items() if path.name != "__init__.py"}
    assert not {name for name in files if "__all__" not in texts[name]}


def test_contributing_shows_the_house() -> None:
    table = as_text()
    assert max(map(len, table.splitlines())) <= 100
    assert table in CONTRIBUTING.read_text(encoding="utf-8"), f"CONTRIBUTING.md: expected\n{table}"


@pytest.mark.parametrize(
    ("module", "source", "found"),
    [
        ("stats.a", "from ired_interp.runs.run import open_run", "imports runs.run from floor 9"),
        ("stats.a", "from ired_interp import runs", "imports runs from floor 9"),
        ("cluster.a", "import ired_interp", "imports the package whole"),
        ("cli.a", "def f() -> None:\n    from ired_interp import Landscape", "the package whole"),
        ("cli.a", "import importlib\nimportlib.import_module('ired_interp')", "package whole"),
        (
            "cli.a",
            "from importlib import import_module\nimport_module(f'ired_interp.{x}')",
            "whole",
        ),
        ("runs.a", "LazyFigures('ired_interp.report.page')", "imports report.page from floor 10"),
        ("runs.a", "import_on_demand(__name__, {'x': 'ired_interp.api:run'})", "imports api from"),
        ("runs.a", "PLACE = 'ired_interp.cli'", "imports cli from floor 14"),
        ("runs.a", "words = ['-m', 'ired_interp.cli.main']", "imports cli.main from floor 14"),
        ("attic.a", "", "attic.a: on no floor"),
    ],
)
def test_what_points_up_is_seen(tmp_path: Path, module: str, source: str, found: str) -> None:
    plant(tmp_path, {module: source})
    *above, said = upward(imports_of(tmp_path / PACKAGE))
    assert said.startswith(module)
    assert found in said
    assert all(one.startswith("attic: on no floor") for one in above)


@pytest.mark.parametrize(
    ("sources", "circle"),
    [
        (
            {
                "points.a": "from ired_interp.slices import b",
                "slices.b": "import ired_interp.points.a",
            },
            {"points", "slices"},
        ),
        (
            {
                "points.a": "import ired_interp.slices.b",
                "slices.c": "PLACE = 'ired_interp.points.d'",
                "slices.b": "",
                "points.d": "",
            },
            {"points", "slices"},
        ),
        (
            {
                "runs.a": "from ired_interp.runs import b",
                "runs.b": "def f():\n    from ired_interp.runs.a import x",
            },
            {"runs.a", "runs.b"},
        ),
        (
            {
                "tasks.a": "from ired_interp.stats.b import x",
                "stats.b": "import ired_interp.schedule.c",
                "schedule.c": "from ired_interp.tasks import a",
            },
            {"tasks", "stats", "schedule"},
        ),
    ],
)
def test_circles_are_seen(tmp_path: Path, sources: dict[str, str], circle: set[str]) -> None:
    """Within a floor, of folders whose modules make none, within a folder, and of three."""
    plant(tmp_path, sources)
    names = imports_of(tmp_path / PACKAGE)
    assert not upward(names)
    assert circle in all_circles(names)


def test_words_about_modules_are_no_imports(tmp_path: Path) -> None:
    """Nor are imports that point down, however they are written."""
    source = '''
"""As ``ired_interp.cli.main`` does."""
from importlib.resources import files
from ired_interp import rules
from ired_interp.rules import ladders
MESSAGE = f"ired_interp.cli.main, returned {files('ired_interp')}"
PLACES = {"x": "ired_interp.rules.ladders:climb"}
'''
    plant(tmp_path, {"solve": source, "rules.ladders": ""})
    names = imports_of(tmp_path / PACKAGE)
    assert not upward(names)
    assert not all_circles(names)
    assert names["ired_interp.solve"] == {
        "importlib.resources",
        "ired_interp.rules",
        "ired_interp.rules.ladders",
    }


def plant(folder: Path, modules: dict[str, str]) -> None:
    """Write a package, with what the sources above name in it."""
    for name, source in {
        "runs.run": "",
        "report.page": "",
        "cli.main": "",
        "api": "",
        **modules,
    }.items():
        path = folder / PACKAGE / f"{name.replace('.', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
        for above in path.parents[: len(name.split("."))]:
            (above / "__init__.py").touch()


def test_importing_changes_no_global_setting() -> None:
    code = (
        "import logging, random, torch; state = torch.get_rng_state(); "
        "threads = torch.get_num_threads(); before = random.getstate(); import ired_interp; "
        "assert torch.equal(state, torch.get_rng_state()); assert random.getstate() == before; "
        "assert torch.get_num_threads() == threads; "
        "assert torch.get_default_dtype() == torch.float32; assert not logging.root.handlers"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
