"""``--max-memory`` is kept by a real process, and is an error where nobody can keep it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import ired_interp as ii
import tiny
from ired_interp.cli import main
from ired_interp.errors import ConfigError
from ired_interp.models.checkpoint import write_checkpoint
from ired_interp.runs.memory import read_size
from killing import prepare
from tiers import slow

# The growth beyond a process that has computed a unit of one problem: what the program itself
# takes, and the libraries that it loads late, are no part of the budget.
_GROWTH = """
import sys, torch, ired_interp as ii
from dataclasses import replace
from ired_interp.runs.memory import forget_peak, peak_bytes, resident_bytes
torch.set_num_threads(1)
run = ii.open_run(sys.argv[1])
run.experiment.run_unit(replace(run.config, problems=1, unit_problems=1), 0)
before = resident_bytes()
forget_peak()
run.experiment.run_unit(run.config, 0)
print(peak_bytes() - before)
"""
# Freed memory that the allocator keeps back counts as in use.
_MARGIN = 1.1


def wide(path: Path) -> Path:
    """An untrained model of 10 × 10 problems."""
    model = ii.untrained_model("inverse", 10, seed=0, width=128, dtype=torch.float32)
    card = tiny.card(size=10, dim_x=100, dim_y=100, width=128)
    write_checkpoint(path, dict(model.state_dict()), card)
    return path


@slow
@pytest.mark.parametrize(("size", "budget"), [(4, "48M"), (10, "40M")])
def test_a_unit_keeps_its_budget(size: int, budget: str, tmp_path: Path) -> None:
    model = "inverse-4" if size == 4 else wide(tmp_path / "m.safetensors")
    run = tmp_path / "run"
    words = f"run exp001 --model {model} --problems 400 --unit-problems 400 --levels 3,10"
    words += f" --controls 0 --max-memory {budget} --out {run}"
    plan = (
        "import sys, ired_interp.cli.running as r; r._finish = lambda *_, **__: 0; "
        "from ired_interp.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    subprocess.run([sys.executable, "-c", plan, *words.split()], check=True)
    head = json.loads((run / "run.json").read_text())
    problems = head["config"]["unit_problems"]
    assert head["max_memory"] == read_size(budget)
    assert 5 < problems < 400
    assert head["units"] == -(-400 // problems)
    done = subprocess.run(
        [sys.executable, "-c", _GROWTH, str(run)], capture_output=True, text=True, check=True
    )
    growth = int(done.stdout)
    assert growth < _MARGIN * head["max_memory"], f"{growth / 2**20:.0f} MiB of {budget}"
    assert growth > head["max_memory"] / 6  # nor is the bound an idle one


def test_a_budget_too_small_says_what_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main("run exp001 --max-memory 100k --out r".split()) == 1  # noqa: SIM905
    assert "--max-memory: expected at least 2M" in capsys.readouterr().err
    assert main("run exp001 --max-memory much --out r".split()) == 1  # noqa: SIM905
    assert "expected a size such as 500M or 2G, found 'much'" in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


def test_an_experiment_without_fit_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    prepare(tmp_path)
    assert main("run waiting_experiment.py --max-memory 1G --out r".split()) == 1  # noqa: SIM905
    assert "a method fit(config, max_memory)" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("text", "size"), [("2G", 2**31), ("1.5 GiB", 3 * 2**29), ("500m", 500 * 2**20), ("7", 7)]
)
def test_sizes_in_words(text: str, size: int) -> None:
    assert read_size(text) == size


@pytest.mark.parametrize("text", ["", "G", "-1G", "0", "1X", "1GG"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ConfigError, match="expected a size such as 500M"):
        read_size(text)
