"""Faults that a second reader found, each with the input that showed it."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import ired_interp as ii
import tiny
from ired_interp.cli import main
from ired_interp.energy.mlp import EnergyMLP
from ired_interp.experiments.subjects import control_seed
from ired_interp.models.checkpoint import write_checkpoint
from ired_interp.provenance import provenance


def test_round_off_is_not_published_as_a_condition_number(tmp_path: Path) -> None:
    # Two hidden units cannot bend nine directions: H is singular at every point.
    model = EnergyMLP(9, 9, width=2).initialise(torch.Generator().manual_seed(0))
    card = tiny.card(size=3, dim_x=9, dim_y=9, width=2)
    write_checkpoint(tmp_path / "m.safetensors", model.state_dict(), card)
    run = ii.run(
        "exp001",
        model=tmp_path / "m.safetensors",
        out=tmp_path / "r",
        problems=3,
        levels=[5],
        controls=0,
    )
    assert int(run.results["num_undetermined"].min()) > 0
    assert np.isinf(run.results["condition_number"]).all()
    summary = run.tree["summary/model"].to_dataset()
    counted = summary["condition_number"].sel(statistic="count")
    assert counted.values.tolist() == [0]


def test_a_lost_model_is_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = "train inverse --size 2 --width 16 --steps 3 --batch-size 2 --out t"
    assert main([*words.split(), "--validation-problems", "2"]) == 0
    path = tmp_path / "t/model.safetensors"
    before = load_file(path)
    path.unlink()
    assert main(["resume", "t"]) == 0
    after = load_file(path)
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_a_git_that_hangs_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(words: list[str], **options: object) -> None:
        raise subprocess.TimeoutExpired(words, 5)

    monkeypatch.setattr(subprocess, "run", hang)
    assert provenance()["git_sha"] is None


def test_controls_share_no_weights_with_other_runs_or_trainings() -> None:
    seeds = {control_seed(seed, draw) % 2**32 for seed in range(20) for draw in range(5)}
    assert len(seeds) == 100
    assert not seeds & set(range(50))


def test_results_say_which_problems_they_are_of(tmp_path: Path) -> None:
    model = tiny.checkpoint(tmp_path / "m.safetensors")
    run = ii.run("exp001", model=model, out=tmp_path / "r", problems=1, levels=[1], controls=0)
    assert run.results.attrs["task"] == "inverse"
    assert run.results.attrs["task_size"] == 2
    assert run.results.attrs["task_options"] == "{}"
