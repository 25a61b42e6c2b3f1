"""What needs no numerics imports none: usage lines, listings, how a run stands, errors of usage."""

import ast
import importlib
import inspect
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, get_args

import pytest

import ired_interp
import ired_interp.experiments
from ired_interp import choices
from ired_interp.cli.config_options import add_config_options
from ired_interp.cli.parser import Parser
from ired_interp.experiments import experiment_names, find_experiment
from ired_interp.negatives import NEGATIVES
from ired_interp.tasks import task_names
from ired_interp.training import PRODUCTS

if TYPE_CHECKING:
    from tiny_runs import Shared

# Each takes a quarter of a second to two seconds to import.
HEAVY = ("torch", "numpy", "xarray", "scipy", "matplotlib", "plotly", "h5py", "jinja2")
CODE = """
import sys
from ired_interp_command import main
sys.argv = ["ired-interp", *sys.argv[1:]]
try:
    code = main()
except SystemExit as stop:
    code = stop.code
heavy = [name for name in {heavy} if name in sys.modules]
sys.stderr.write(f"\\n{{code}} {{heavy}}")
"""
COMMANDS = [
    "run",
    "resume",
    "work",
    "report",
    "status",
    "solve",
    "train",
    "models",
    "card",
    "new",
    "compare",
    "list",
    "submit",
    "fetch",
    "cancel",
    "preflight",
    "doctor",
]


def started(*words: str, folder: Path) -> tuple[int, str, str]:
    """The exit code, what was imported of the heavy ones, and what was said."""
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(heavy=HEAVY), *words],
        check=True,
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(Path(ired_interp.__file__).parents[1])},
    )
    said, _, last = done.stderr.rpartition("\n")
    code, _, heavy = last.partition(" ")
    return int(code or 0), heavy, done.stdout + said


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("--help", 0, "Measure the energy landscapes"),
        ("--version", 0, "."),
        ("run --help", 0, "one of exp001, exp002"),
        ("models", 0, "inverse-4"),
        ("list .", 0, "no runs in ."),
        ("", 1, "the following arguments are required: COMMAND"),
        ("nosuchcommand", 1, "invalid choice: 'nosuchcommand'"),
        ("run exp01", 1, "found 'exp01'. Did you mean 'exp011'?"),
        ("run nosuch.py", 1, "found none at nosuch.py"),
        ("run --model inverse-4", 1, "found options alone"),
        ("submit exp01 --cluster a", 1, "Did you mean 'exp011'?"),
        ("train inverse --size 4 --negatives soft", 1, "(choose from"),
        ("status nosuch", 1, "nosuch is not a run folder"),
    ],
)
def test_a_command_without_numbers_imports_no_numerics(
    words: str, code: int, said: str, tmp_path: Path
) -> None:
    got, heavy, text = started(*words.split(), folder=tmp_path)
    assert (got, heavy) == (code, "[]")
    assert said in text


def test_neither_does_the_help_of_a_command_nor_an_unknown_option(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom ired_interp.cli import main\n"
        f"for command in {COMMANDS}:\n"
        "    try:\n        main([command, '--help'])\n    except SystemExit:\n        pass\n"
        "    if command not in ('new', 'preflight'):\n"
        "        assert main([command, 'x', '--nosuch', 'x']) == 1\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    # `run x` and `submit x` look for an experiment of that name, which there is not.
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_run_is_listed_and_asked_how_it_stands_without_its_experiment(
    shared_runs: "Shared",
) -> None:
    path = shared_runs["exp001"].path
    code, heavy, text = started("status", str(path), folder=path.parent)
    assert (code, heavy) == (0, "[]")
    assert "done" in text
    assert f"results  {path / 'results.h5'}" in text
    code, heavy, text = started("list", str(path), "--json", folder=path.parent)
    assert (code, heavy) == (0, "[]")
    assert '"state": "finished"' in text


def test_importing_a_package_imports_none_of_its_names() -> None:
    code = (
        "import sys, ired_interp, ired_interp.experiments\n"
        f"assert not [name for name in {HEAVY} if name in sys.modules]\n"
        "assert set(ired_interp.__all__) <= set(dir(ired_interp))\n"
        "from ired_interp import solve, geometry\n"
        "assert callable(solve) and geometry.__name__ == 'ired_interp.geometry'\n"
        "assert not hasattr(ired_interp, 'no_such_name')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("first", ["ired_interp.solve", "ired_interp.minimise"])
def test_a_function_is_not_hidden_by_the_module_of_its_name(first: str) -> None:
    code = (
        f"import {first}, ired_interp\n"
        "from inspect import isfunction\n"
        "assert isfunction(ired_interp.solve) and isfunction(ired_interp.minimise)\n"
        "from ired_interp.solve import BOUND"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("package", [ired_interp, ired_interp.experiments])
def test_names_on_demand_are_those_that_type_checkers_see(package: ModuleType) -> None:
    tree = ast.parse(inspect.getsource(package))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.name: (str(node.module), alias.name)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    places: dict[str, str] = vars(package)["_places"]
    assert list(places) == package.__all__
    assert seen.keys() == places.keys()
    for name, place in places.items():
        module, _, own = place.partition(":")
        assert seen[name] == ((module, own) if own else tuple(module.rsplit(".", 1)))
        found = importlib.import_module(module)
        assert getattr(package, name) is (getattr(found, own) if own else found)


def test_the_table_of_experiments_is_that_of_the_experiments() -> None:
    assert {find_experiment(name).name for name in experiment_names()} == set(experiment_names())
    folder = Path(ired_interp.experiments.__file__ or "").parent
    there = {path.name.partition("_")[0] for path in folder.glob("exp[0-9]*")}
    assert there == set(experiment_names())


@pytest.mark.parametrize(
    ("words", "table"),
    [
        (choices.TaskName, task_names()),
        (choices.Negatives, list(NEGATIVES)),
        (choices.Precision, list(PRODUCTS)),
    ],
)
def test_the_words_of_a_choice_are_those_of_its_table(words: Any, table: Sequence[str]) -> None:
    assert list(get_args(words)) == list(table)


@pytest.mark.parametrize("name", experiment_names())
def test_the_help_of_an_option_is_whole(name: str) -> None:
    experiment = find_experiment(name)
    parser = Parser()
    add_config_options(parser, experiment)
    said = " ".join((inspect.getdoc(experiment.Config) or "").split())
    declared = {field.name: field.metadata.get("text", "") for field in fields(experiment.Config)}
    said += " ".join(f"{name}: {text}" for name, text in declared.items())
    for action in parser._actions[1:]:
        text, _, default = str(action.help).rpartition(" (")
        assert default.endswith(")")
        assert text.endswith("."), action.option_strings
        assert f"{action.option_strings[0][2:].replace('-', '_')}: {text}" in said.replace(
            "%", "%%"
        )
