"""The hash of the code that a run records is of what makes data, not of what draws or words it."""

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

import ired_interp
from ired_interp.experiments.locating import BUILT_IN
from ired_interp.provenance import code_sha256, makes_data, package_sha256

PACKAGE = Path(ired_interp.__file__).parent
SHOWN = (
    "experiments/exp001/charts.py",
    "experiments/exp001/structure_charts.py",
    "experiments/exp001/shown.py",
    "experiments/interactive.py",
    "experiments/kit/along.py",
    "experiments/kit/charts.py",
    "experiments/kit/tables.py",
    "experiments/model_page.py",
    "experiments/drawing.py",
    "experiments/skill_words.py",
    "report/cards.py",
    "cli/running.py",
    "preflight/probe.py",
    "runs/comparison.py",
)
MEASURED = (
    "curvature/spectra.py",
    "energy/mlp.py",
    "experiments/exp001/measure.py",
    "experiments/exp001/summary.py",
    "experiments/exp001/claims.py",
    "experiments/exp001/declared.py",
    "experiments/kit/study.py",
    "experiments/kit/variables.py",
    "experiments/over_problems.py",
    "experiments/page.py",
    "experiments/verdicts.py",
    "models/zoo.py",
    "runs/netcdf.py",
    "runs/shards.py",
    "schedule.py",
    "stats/intervals.py",
    "tasks/inverse.py",
)
# What an experiment is made of, its figures and pages too, is put together there.
ASSEMBLES = {
    "__init__.py",
    "experiments/__init__.py",
    "experiments/base.py",
    "experiments/completion.py",
    "experiments/kit/study.py",
    *(f"experiments/{name}/{part}.py" for name in BUILT_IN for part in ("__init__", "declared")),
}
# Asked where code came from, it changes none.
ASKS = {"provenance.py"}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("code") / "ired_interp"
    for path in PACKAGE.rglob("*.py"):
        to = folder / path.relative_to(PACKAGE)
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, to)
    return folder


@pytest.mark.parametrize("name", [*SHOWN, *MEASURED])
def test_an_edit_is_other_code_where_it_can_change_data(name: str, copy: Path) -> None:
    path = copy / name
    text = path.read_text(encoding="utf-8")
    path.write_text(text + "\n# another caption\n", encoding="utf-8")
    try:
        assert (code_sha256(copy) == package_sha256()) == (name in SHOWN)
    finally:
        path.write_text(text, encoding="utf-8")
    assert code_sha256(copy) == package_sha256()


def modules() -> dict[str, PurePosixPath]:
    """Files by the names that they are imported by."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        file = PurePosixPath(path.relative_to(PACKAGE).as_posix())
        name = ".".join(("ired_interp", *file.with_suffix("").parts))
        found[name.removesuffix(".__init__")] = file
    return found


def named(path: Path) -> Iterator[str]:
    """Modules that a file imports, also by a text that says where something is."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{one.name}" for one in node.names)
        elif isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value.partition(":")[0]


def test_what_makes_data_uses_nothing_that_the_hash_leaves_out() -> None:
    files = modules()
    uses = {
        str(file)
        for file in files.values()
        if makes_data(file)
        for name in named(PACKAGE / file)
        if name in files and not makes_data(files[name])
    }
    assert uses <= ASSEMBLES | ASKS
