"""The worked example of docs/own_experiment.md is what the command writes, and it works."""

import ast
import re
from pathlib import Path

import pytest

from ired_interp.errors import ConfigError
from ired_interp.experiments import Hypothesis, base, find_experiment, page
from ired_interp.experiments.starting import write_new_experiment
from ired_interp.experiments.verdicts import judge
from ired_interp.report.html import write_report
from ired_interp.runs.execution import execute
from ired_interp.runs.run import plan_run

MOST_LINES = 60
PAGE = (Path(__file__).parents[2] / "docs/own_experiment.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)


def test_the_example_is_what_new_experiment_writes(tmp_path: Path) -> None:
    file, _ = write_new_experiment("double_wells", tmp_path)
    _, block = BLOCKS
    assert block == file.read_text(encoding="utf-8")


def test_a_study_of_sixty_lines_has_options_a_verdict_and_a_page(tmp_path: Path) -> None:
    file = tmp_path / "bends.py"
    file.write_text(BLOCKS[0], encoding="utf-8")
    assert len(BLOCKS[0].splitlines()) <= MOST_LINES
    found = find_experiment(str(file))
    asked = found.Config(problems=3, levels=(1, 10), controls=2, spread=0.5)
    done = execute(plan_run(found, asked, tmp_path / "run"))
    root, means = done.tree.to_dataset(), done.tree["summary/untrained"].to_dataset()
    assert root["steepest"].dims == ("problem", "level")
    assert bool((root["steepest"] >= root["flattest"]).all())
    assert means["flattest"].sizes["statistic"] == 4
    claims = [one for one in found.hypotheses if isinstance(one, Hypothesis)]
    assert [verdict.id for verdict in judge(claims, done.tree)] == ["bends-upwards"]
    text = write_report(done).read_text(encoding="utf-8")
    for shown in ("figure-ends", "figure-flat", "Means by level", "lie from 1, the ideal, over 3"):
        assert shown in text
    assert found.listing(done.tree).heads[:4] == ("k", "σ", "steepest", "flattest")
    with pytest.raises(ConfigError, match="spread: expected a finite number > 0, found -1"):
        found.Config(spread=-1.0)


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
