"""Experiments of one's own are found, imported and refused with the right words."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ired_interp.errors import ExperimentError, IredInterpError, UnknownNameError
from ired_interp.experiments import Source, find_experiment, load, locate
from ired_interp.experiments.local_modules import local_modules

GOOD = '''
"""Text of the module."""
from __future__ import annotations
from dataclasses import dataclass
import numpy as np
import xarray as xr

@dataclass(frozen=True, kw_only=True)
class Config:
    count: int = 2

class Spread:
    """How far the answers lie apart.

    More.
    """
    name = "spread"
    Config = Config
    hypotheses = ()
    figures = ()

    def units(self, config):
        return 1

    def run_unit(self, config, index):
        return xr.Dataset({"a": ("problem", np.arange(config.count) * 1.0)})
'''


@dataclass(frozen=True)
class Project:
    """A git repository with files."""

    root: Path

    def write(self, path: str, text: str = GOOD) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """In a folder with a space and a quote; what was imported is as before afterwards."""
    root = tmp_path / "it's a project"
    root.mkdir()
    subprocess.run(["git", "init", "-q", root], check=True)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield Project(root)
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_file_is_found_relative_to_its_repository(project: Project, tmp_path: Path) -> None:
    file = project.write("deep/in it/spread.py")
    expected = Source("deep/in it/spread.py:Spread", project.root)
    assert locate(f"{file}:Spread") == expected
    assert locate("it's a project/deep/in it/spread.py:Spread") == expected
    assert locate("deep/in it/spread.py:Spread", project=project.root) == expected
    assert expected.file == file
    assert load(expected).name == "spread"


def test_a_folder_without_git_is_its_own_project(tmp_path: Path) -> None:
    (tmp_path / "alone.py").write_text(GOOD)
    assert locate(f"{tmp_path}/alone.py") == Source("alone.py", tmp_path)


def test_finding_imports_nothing(project: Project) -> None:
    file = project.write("broken.py", "raise RuntimeError('imported')")
    package = project.write("package/__init__.py", "raise RuntimeError('imported')").parent
    project.write("package/inner.py", "raise RuntimeError('imported')")
    assert locate(str(file)).file == file
    assert locate("package.inner:Spread", project=project.root).file == package / "inner.py"


def test_what_comes_with_the_package_has_no_project() -> None:
    assert locate("exp001") == Source("exp001", None)
    assert locate("exp001").file is None
    assert find_experiment("exp001").title.startswith("Curvature")


def test_a_module_is_found_in_the_project_and_in_its_src(project: Project) -> None:
    project.write("src/package/__init__.py", "")
    file = project.write("src/package/inner.py")
    source = locate("package.inner:Spread", project=project.root)
    assert source == Source("package.inner:Spread", project.root)
    assert source.file == file
    assert load(source).name == "spread"
    assert sys.modules["package.inner"].__file__ == str(file)


def test_a_module_of_the_environment_loads() -> None:
    source = locate("ired_interp.experiments.exp001:EXPERIMENT")
    assert source.reference == "ired_interp.experiments.exp001:EXPERIMENT"
    assert load(source).name == "exp001"


def test_a_file_sees_its_folder_and_the_root_as_a_script_does(project: Project) -> None:
    """Lazily too, and its own folder first."""
    project.write("beside_own_one.py", "WHERE = 'root'")
    project.write("work/beside_own_one.py", "WHERE = 'folder'")
    project.write("only_in_root_one.py", "WHERE = 'root'")
    text = GOOD.replace("return 1", "import beside_own_one, only_in_root_one; return 7")
    found = find_experiment(str(project.write("work/lazy.py", text)))
    assert found.units(found.Config()) == 7
    assert sys.modules["beside_own_one"].WHERE == "folder"
    assert sys.modules["only_in_root_one"].WHERE == "root"


def test_the_same_content_is_executed_once_and_new_content_anew(project: Project) -> None:
    file = project.write("spread.py")
    first = find_experiment(str(file))
    assert find_experiment(str(file)).Config is first.Config
    project.write("spread.py", GOOD.replace('"spread"', '"spread2"'))
    assert find_experiment(str(file)).name == "spread2"


def test_the_name_of_a_file_hides_no_module(project: Project) -> None:
    """A file may be called as a module of the standard library is."""
    file = project.write("code.py")
    assert find_experiment(str(file)).name == "spread"
    assert sys.modules.get("code") is not sys.modules[type_of(file).__module__]


def type_of(file: Path) -> type:
    return find_experiment(str(file)).Config


def test_an_object_stands_for_its_class(project: Project) -> None:
    file = project.write("spread.py", GOOD + "\nSPREAD = Spread()\n_HIDDEN = Spread()\n")
    assert find_experiment(str(file)).name == "spread"
    assert find_experiment(f"{file}:Spread").name == "spread"


def test_imported_experiments_are_not_meant(project: Project) -> None:
    text = GOOD + "\nfrom ired_interp.experiments.exp001 import EXPERIMENT\n"
    assert find_experiment(str(project.write("spread.py", text))).name == "spread"


def test_defaults_of_what_is_left_out(project: Project) -> None:
    found = find_experiment(str(project.write("spread.py")))
    config = found.Config()
    assert found.title == "How far the answers lie apart"
    assert found.plan(config) is config
    assert found.run_unit(config, 0).attrs["group"] == "/"
    assert found.definitions == {}
    assert list(found.needs) == []


def test_two_projects_with_a_module_of_one_name_are_refused(
    project: Project, tmp_path: Path
) -> None:
    """Python would give the second experiment the module of the first."""
    text = GOOD + "\nimport shared_of_two_projects\n"
    project.write("shared_of_two_projects.py", "")
    find_experiment(str(project.write("spread.py", text)))
    other = Project(tmp_path / "other")
    other.write("shared_of_two_projects.py", "")
    with pytest.raises(ExperimentError, match=r"already imported.*it's a project.*of its own"):
        find_experiment(str(other.write("spread.py", text)))


def test_modules_of_modules_are_local_too(project: Project) -> None:
    file = project.write("spread.py", "def f():\n    from tools.inner import x\nimport os")
    project.write("tools/__init__.py", "")
    inner = project.write("tools/inner.py", "import leaf_of_all")
    leaf = project.write("leaf_of_all.py", "def broken(:")
    found = local_modules(file, (project.root,))
    assert found == {
        "tools": inner.parent / "__init__.py",
        "tools.inner": inner,
        "leaf_of_all": leaf,
    }


REFUSED: list[tuple[str, str, str, type[IredInterpError], str]] = [
    ("exp-001", "", "", UnknownNameError, r"found 'exp-001'.*mean 'exp001'"),
    ("spread", "spread.py", GOOD, UnknownNameError, r"found 'spread'.*mean 'spread.py'"),
    ("spred.py", "spread.py", GOOD, UnknownNameError, r"none at .*spred.py.*mean 'spread.py'"),
    ("no/file.py", "", "", UnknownNameError, r"there is no folder .*no"),
    ("work", "work/a.py", GOOD, UnknownNameError, r"found 'work', a folder"),
    ("work/a", "work/a.py", GOOD, UnknownNameError, r"no name that ends in \.py"),
    ("a.py:Spraed", "a.py", GOOD, UnknownNameError, r"found Spread\. Did you mean 'Spread'"),
    ("modul.inner:A", "module/inner.py", GOOD, UnknownNameError, r"no 'modul' in .*environment"),
    ("alone:A", "alon.py", GOOD, UnknownNameError, r"no 'alone'.*mean 'alon'"),
    (
        "a.py",
        "a.py",
        GOOD + "\nclass Other(Spread):\n    pass\n",
        UnknownNameError,
        r"expected one experiment, found Spread, Other.*a\.py:Spread",
    ),
    ("a.py", "a.py", "class Thing: pass", ExperimentError, r"units and run_unit, found Thing"),
    ("a.py", "a.py", "x = 1", ExperimentError, r"found no class.*new experiment NAME"),
    ("a.py:x", "a.py", "x = 1", ExperimentError, r"found int without name, Config, units"),
    (
        "a.py",
        "a.py",
        GOOD.replace("    hypotheses = ()\n    figures = ()\n", ""),
        ExperimentError,
        r"found Spread without hypotheses, figures",
    ),
    (
        "a.py",
        "a.py",
        GOOD.replace("frozen=True, ", ""),
        ExperimentError,
        r"expected a frozen dataclass, found Config that is not",
    ),
    (
        "a.py",
        "a.py",
        GOOD.replace("@dataclass(frozen=True, kw_only=True)\n", ""),
        ExperimentError,
        r"Config: expected a class with @dataclass\(frozen=True",
    ),
    (
        "a.py",
        "a.py",
        GOOD.replace("count: int = 2", "count: dict[str, int] = None"),
        ExperimentError,
        r"Config\.count: expected the type int.*found dict\[str, int\]",
    ),
    (
        "a.py",
        "a.py",
        GOOD.replace("count: int = 2", "count: Nope = 2"),
        ExperimentError,
        r"types that are known.*'Nope' is not defined",
    ),
    ("a.py", "a.py", GOOD.replace('"spread"', '"a/b"'), ExperimentError, r"found 'a/b'"),
    (
        "a.py",
        "a.py",
        GOOD.replace("figures = ()", "figures = ('one',)"),
        ExperimentError,
        r"expected FigureSpec of ired_interp.experiments, found str",
    ),
    (
        "a.py",
        "a.py",
        GOOD.replace("hypotheses = ()", "hypotheses = 'none'"),
        ExperimentError,
        r"hypotheses: expected a tuple",
    ),
    (
        "a.py",
        "a.py",
        GOOD.replace("def run_unit(self, config, index)", "def run_unit(self, config)"),
        ExperimentError,
        r"run_unit\(config\): expected a method that takes 2 arguments",
    ),
    (
        "a.py",
        "a.py",
        GOOD.replace('    """How', '    def __init__(self, size): pass\n    """How'),
        ExperimentError,
        r"Spread: expected a class that is made without arguments",
    ),
    ("a.py", "a.py", "def f(:\n", ExperimentError, r"a\.py:1: SyntaxError: .*'def f\(:'"),
    (
        "a.py",
        "a.py",
        "import numpi\n",
        ExperimentError,
        r"a\.py:1: ModuleNotFoundError: No module named 'numpi'\. It is looked for in",
    ),
    (
        "a.py",
        "a.py",
        "import spraed_helper\n",
        ExperimentError,
        r"No module named 'spraed_helper'\. Did you mean 'spread_helper'",
    ),
    (
        "a.py",
        "a.py",
        "from dataclasses import dataclas\n",
        ExperimentError,
        r"cannot import name 'dataclas'.*Did you mean 'dataclass'",
    ),
    ("a.py", "a.py", "1\n\n1 / 0\n", ExperimentError, r"a\.py:3: ZeroDivisionError: division by"),
    ("a.py", "a.py", "import sys\nsys.exit(0)", ExperimentError, r"if __name__ == '__main__'"),
    ("a.py", "a.py", "from . import b", ExperimentError, r"given as package\.module:NAME"),
]


@pytest.mark.parametrize(("reference", "path", "text", "kind", "words"), REFUSED)
def test_refused_with_what_was_found_and_what_to_do(
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    reference: str,
    path: str,
    text: str,
    kind: type[IredInterpError],
    words: str,
) -> None:
    monkeypatch.chdir(project.root)
    project.write("spread_helper.py", "")
    if path:
        project.write(path, text)
    with pytest.raises(kind, match=words):
        find_experiment(reference)


def test_a_failed_import_leaves_nothing_behind(project: Project) -> None:
    before = set(sys.modules)
    with pytest.raises(ExperimentError):
        find_experiment(str(project.write("a.py", "1 / 0")))
    assert set(sys.modules) == before
    project.write("a.py")
    assert find_experiment(str(project.root / "a.py")).name == "spread"


@pytest.mark.parametrize(
    ("change", "call", "words"),
    [
        (("return 1", "return 0"), "units", r"spread: units: .*at least 1, returned int 0"),
        (("return 1", "return 2.0"), "units", r"returned float 2\.0"),
        (("return xr.Dataset(", "return [1] or ("), "run_unit", r"Dataset, returned list \[1\]"),
        (
            ("    def units", "    def plan(self, config): pass\n    def units"),
            "plan",
            r"plan: expected a Config, returned NoneType",
        ),
    ],
)
def test_what_a_method_returns_is_checked(
    project: Project, change: tuple[str, str], call: str, words: str
) -> None:
    found = find_experiment(str(project.write("a.py", GOOD.replace(*change))))
    arguments = (found.Config(), 0) if call == "run_unit" else (found.Config(),)
    with pytest.raises(ExperimentError, match=words):
        getattr(found, call)(*arguments)
