"""The worked example of docs/own_experiment.md is what the command writes, and it works."""

import ast
import re
from pathlib import Path

import pytest

from ired_interp.experiments import base, find_experiment, page
from ired_interp.experiments.starting import write_new_experiment

PAGE = (Path(__file__).parents[2] / "docs/own_experiment.md").read_text(encoding="utf-8")


def test_the_example_is_what_new_experiment_writes(tmp_path: Path) -> None:
    file, _ = write_new_experiment("double_wells", tmp_path)
    (block,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)
    assert block == file.read_text(encoding="utf-8")


def test_the_example_measures_its_own_energy(tmp_path: Path) -> None:
    file, _ = write_new_experiment("double_wells", tmp_path)
    found = find_experiment(str(file))
    config = found.plan(found.Config(problems=12, size=3))
    assert found.units(config) == 3
    assert [found.run_unit(config, i).sizes["problem"] for i in range(3)] == [5, 5, 2]


@pytest.mark.parametrize("name", ["Page", "Listing", "Definition"])
def test_what_the_page_names_is_there(name: str) -> None:
    assert name in page.__all__
    assert f"`{name}`" in PAGE


def test_every_attribute_of_an_experiment_is_on_the_page() -> None:
    (protocol,) = [
        node
        for node in ast.parse(Path(base.__file__).read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and node.name == "Experiment"
    ]
    names = [node.name for node in protocol.body if isinstance(node, ast.FunctionDef)]
    assert len(names) > 10
    for name in names:
        assert re.search(rf"^\| `{name}[`(]", PAGE, re.M), name
