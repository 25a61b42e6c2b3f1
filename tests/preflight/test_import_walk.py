"""What an experiment is made of, as its source says; and names that are not there."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from ired_interp.preflight.importing import check_imports
from ired_interp.preflight.requirements import asked_for
from ired_interp.preflight.walk import parts_of


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {
        "pyproject.toml": '[project]\nname = "Own_Thing"\ndependencies = ["scipy>=1"]\n',
        "lab/experiment.py": (
            "from typing import TYPE_CHECKING\n"
            "import numpy.linalg as la\n"
            "import beside\n"
            "from package import inner, nothing\n"
            "from package.deep.leaf import VALUE\n"
            "if TYPE_CHECKING:\n    import only_for_types\n"
            "try:\n    import maybe\nexcept ImportError:\n    import fallback\n"
            "def late():\n    import torch\n    return 'data/table.csv', 'http://a/b.csv'\n"
        ),
        "lab/beside.py": "import os\n",
        "package/__init__.py": "from .inner import thing\n",
        "package/inner.py": "from . import sibling\nthing = 'weights.pt'\n",
        "package/sibling.py": "",
        "package/deep/__init__.py": "",
        "package/deep/leaf.py": "from ..sibling import a\nVALUE = 1\n",
        "package/unused.py": "import nowhere\n",
        "data/table.csv": "1\n",
        "package/weights.pt": "w",
        "broken.py": "def (:\n",
    }
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return tmp_path


def test_modules_and_data_of_the_repository_are_found(root: Path) -> None:
    parts = parts_of(root / "lab/experiment.py", root)
    assert parts.modules[0] == "lab/experiment.py"
    assert set(parts.modules) == {
        "lab/experiment.py",
        "lab/beside.py",
        "package/__init__.py",
        "package/inner.py",
        "package/sibling.py",
        "package/deep/__init__.py",
        "package/deep/leaf.py",
    }
    assert parts.data == {
        "data/table.csv": "lab/experiment.py:14",
        "package/weights.pt": "package/inner.py:2",
    }


def test_what_may_be_missing_is_optional(root: Path) -> None:
    parts = parts_of(root / "lab/experiment.py", root)
    assert {one.module for one in parts.imports if one.optional} == {
        "only_for_types",
        "maybe",
        "fallback",
    }
    assert set(parts.foreign()) == {"numpy", "torch"}


def test_relative_imports_have_absolute_names(root: Path) -> None:
    parts = parts_of(root / "lab/experiment.py", root)
    assert {(one.module, one.names) for one in parts.imports if one.file.startswith("package")} == {
        ("package.inner", ("thing",)),
        ("package", ("sibling",)),
        ("package.sibling", ("a",)),
    }


def test_a_file_that_is_no_python_is_named(root: Path) -> None:
    assert list(parts_of(root / "broken.py", root).broken) == ["broken.py"]


def test_requirements_are_read_with_what_they_include(root: Path) -> None:
    (root / "more.txt").write_text("Xarray[io] >= 2 ; python_version > '3'\n", encoding="utf-8")
    text = (
        "# a comment\n-r more.txt\n-c limits.txt\nnumpy==2.0 # pinned\n-e .\n"
        "dirty_cat @ git+https://host/x.git\ngit+https://host/y.git#egg=y_pkg\n"
        "./wheels/some_wheel-1.0-py3-none-any.whl\n--index-url https://host/simple\n"
    )
    (root / "requirements.txt").write_text(text, encoding="utf-8")
    assert asked_for(root / "requirements.txt", root) == {
        "xarray[]",
        "numpy",
        "own-thing",
        "scipy",
        "dirty-cat",
        "y-pkg",
        "some-wheel",
    }


def test_a_module_from_the_working_tree_is_found_out(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """An editable installation leads there, whatever the clone holds."""
    clone = tmp_path_factory.mktemp("clone")
    module = ModuleType("hidden")
    module.__file__ = str(root / "package" / "inner.py")
    monkeypatch.setitem(sys.modules, "hidden", module)
    (check,) = [c for c in check_imports([], [], clone, root) if c.status == "fail"]
    assert check.id == "import_module"
    assert "hidden comes from" in check.found
    assert "your working tree" in check.found
