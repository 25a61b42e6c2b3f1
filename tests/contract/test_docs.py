"""Every Python block of the docs runs, in order, page by page; every link within them exists.

So does every example in a docstring of the package.
"""

import doctest
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src"
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_code_of_a_page_runs(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__page__"}
    for block in re.findall(
        r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S
    ):
        exec(compile(block, str(page), "exec"), names)  # noqa: S102 - our own pages


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not target.startswith(("http:", "https:", "#", "mailto:")):
            assert (page.parent / target.split("#")[0]).exists(), target


def test_the_examples_in_docstrings_run() -> None:
    """Modules without one are not imported for it."""
    with_examples = [p for p in SOURCE.rglob("*.py") if ">>> " in p.read_text(encoding="utf-8")]
    tried = 0
    for path in with_examples:
        words = path.relative_to(SOURCE).with_suffix("").parts
        module = importlib.import_module(".".join(w for w in words if w != "__init__"))
        found = doctest.testmod(module)
        assert found.failed == 0, path
        tried += found.attempted
    assert tried >= 7


def test_the_benchmark_runs_and_ours_are_right(tmp_path: Path) -> None:
    script = ROOT / "benchmarks/spectra.py"
    words = ["--problems", "1", "--size", "2", "--repeats", "1", "--spectrum", "init"]
    done = subprocess.run(
        [sys.executable, script, *words, "--only", "ours, all, float64", "--work", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("e-15") + done.stdout.count("e-16") >= 4, done.stdout
