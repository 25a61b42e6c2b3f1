"""What ``new experiment`` writes passes its own test, the linter, and a run end to end."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import ired_interp as ii
from ired_interp.cli import main

ROOT = Path(__file__).parents[2]
NAME = "spectrum_of_mine"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a new experiment in a folder with a space and a quote."""
    root = tmp_path_factory.mktemp("new")
    folder = root / "it's mine"
    assert main(["new", "experiment", NAME, "--folder", str(folder)]) == 0
    git = ["git", "-C", str(root), "-c", "user.name=A", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "An experiment"]):
        subprocess.run([*git, *words], check=True)
    return folder


def tool(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A Python tool as its user starts it, in one thread."""
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "120"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_its_own_test_passes(project: Path) -> None:
    done = tool("pytest", "-q", "-p", "no:cacheprovider", f"test_{NAME}.py", folder=project)
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout


def test_the_linter_has_nothing_to_say(project: Path) -> None:
    config = str(ROOT / "pyproject.toml")
    for words in (["check", "--ignore", "S101,PLR2004"], ["format", "--check"]):
        done = tool("ruff", *words, "--no-cache", "--config", config, ".", folder=project)
        assert done.returncode == 0, done.stdout
    assert tool("ruff", "check", "--isolated", "--no-cache", ".", folder=project).returncode == 0


def test_it_runs_through_the_command_line(project: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    words = ["run", f"{NAME}.py", "--problems", "7", "--coupling", "0", "--out", str(out)]
    done = tool("ired_interp.cli", *words, folder=project)
    assert done.returncode == 0, done.stderr
    assert "largest" in done.stdout
    run = ii.open_run(out)
    assert run.num_units == 2
    y = run.results["y"]
    exact = 3 * y**2 - 1  # the Hessian without coupling
    np.testing.assert_allclose(run.results["largest"], exact.max("entry"), atol=1e-12)
    summary = run.tree["summary/model"].to_dataset()["smallest"]
    smallest = exact.min("entry")
    expected = [float(smallest.mean()), float(smallest.std(ddof=1)) / 7**0.5, 7.0]
    np.testing.assert_allclose(summary, expected, atol=1e-12)
    page = run.report_path.read_text(encoding="utf-8")
    assert "The ends of the spectrum" in page
    assert "Largest and smallest eigenvalue at every point" in page
    assert f"ired-interp run &#39;it&#39;&#34;&#39;&#34;&#39;s mine/{NAME}.py&#39;" in page


def test_its_options_stand_in_the_help(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    with pytest.raises(SystemExit) as ended:
        main(["run", f"{NAME}.py", "--help"])
    assert ended.value.code == 0
    assert "Of neighbouring entries. (default: 0.2)" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Upper", "lower-case letters"),
        ("two words", "lower-case letters"),
        ("../up", "lower-case letters"),
        ("1st", "lower-case letters"),
        ("class", "no word of Python"),
        ("test_it", "not test_"),
        ("random", "is a module"),
        ("torch", "is a module"),
        (NAME, "is there already"),
    ],
)
def test_a_name_that_will_not_do_is_refused(
    project: Path, capsys: pytest.CaptureFixture[str], name: str, words: str
) -> None:
    before = {path: path.read_bytes() for path in project.iterdir() if path.is_file()}
    assert main(["new", "experiment", name, "--folder", str(project)]) == 1
    assert words in " ".join(capsys.readouterr().err.split())
    after = {path: path.read_bytes() for path in project.iterdir() if path.is_file()}
    assert after == before
