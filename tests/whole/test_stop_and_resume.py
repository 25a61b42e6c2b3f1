"""Ctrl-C and SIGKILL at a real process: the folder says how far it came, resume finishes it."""

import json
import signal
from pathlib import Path

import pytest
import torch
import xarray as xr
from safetensors.torch import load_file

import ired_interp as ii
import tiny
from ired_interp.cli import main
from killing import SECONDS, start, wait_for
from tiers import slow


def num_shards(folder: Path) -> int:
    return len(list((folder / "shards").glob("*.h5")))


RUN = (
    "run exp001 --model m.safetensors --problems 12 --unit-problems 1 --controls 0 --levels 1 "
    "--parts no --eigenvectors 0 --skill no "
    "--out run"
)


@pytest.mark.parametrize(
    "how",
    [pytest.param(signal.SIGINT, id="ctrl-c"), pytest.param(signal.SIGKILL, id="kill", marks=slow)],
)
def test_a_stopped_run_resumes_to_the_same_data(
    how: signal.Signals,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    tiny.checkpoint(tmp_path / "m.safetensors")
    process = start(RUN, tmp_path)
    folder = tmp_path / "run"
    wait_for(lambda: num_shards(folder) >= 2, process)
    process.send_signal(how)
    _, said = process.communicate(timeout=SECONDS)
    done = num_shards(folder)
    assert 2 <= done < 12
    assert not (folder / "results.h5").exists()
    if how == signal.SIGINT:
        assert process.returncode == 130
        assert f"stopped: {done} of 12 units are done and kept" in said
        assert "Traceback" not in said
    untouched = {p: p.stat().st_mtime_ns for p in (folder / "shards").glob("*.h5")}

    assert main(["resume", "run"]) == 0
    assert all(path.stat().st_mtime_ns == then for path, then in untouched.items())
    resumed = ii.open_run(folder).results
    whole = ii.run(
        "exp001",
        out=tmp_path / "whole",
        model="m.safetensors",
        problems=12,
        unit_problems=1,
        controls=0,
        levels=[1],
        parts="no",
        eigenvectors=0,
        skill="no",
    ).results
    xr.testing.assert_identical(resumed.drop_attrs(deep=False), whole.drop_attrs(deep=False))

    files = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    assert main(["resume", "run"]) == 0
    assert "is finished" in capsys.readouterr().err
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*")} == files


TRAIN = (
    "train inverse --size 2 --width 16 --batch-size 8 --steps 700 --validate-every 100 "
    "--validation-problems 8 --threads 1 --out t"
)


def test_a_stopped_training_resumes_to_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    process = start(TRAIN, tmp_path)
    log = tmp_path / "t/log.txt"
    wait_for(lambda: log.exists() and "step=100 " in log.read_text(), process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=SECONDS)
    assert process.returncode == 130
    assert "stopped at step" in said
    assert "of 700; 'ired-interp resume t' goes on" in said
    assert "stopped at step" in log.read_text()

    assert main(["resume", "t"]) == 0
    assert main((TRAIN + "-whole").split()) == 0
    resumed, whole = (load_file(tmp_path / name / "state.safetensors") for name in ("t", "t-whole"))
    assert resumed.keys() == whole.keys()
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)

    written = (tmp_path / "t/model.safetensors").stat().st_mtime_ns
    capsys.readouterr()
    assert main(["resume", "t"]) == 0
    assert "is finished" in capsys.readouterr().err
    assert (tmp_path / "t/model.safetensors").stat().st_mtime_ns == written


@slow
def test_a_training_can_be_lengthened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(TRAIN.replace("--steps 700", "--steps 150").split()) == 0
    assert main(["resume", "t", "--steps", "100"]) == 1
    assert "expected at least 150" in capsys.readouterr().err
    assert main(["resume", "t", "--steps", "250"]) == 0
    assert main((TRAIN.replace("--steps 700", "--steps 250") + "-whole").split()) == 0
    longer, whole = (load_file(tmp_path / name / "model.safetensors") for name in ("t", "t-whole"))
    assert all(torch.equal(longer[name], whole[name]) for name in whole)


@slow
def test_a_killed_training_goes_on_from_its_last_save(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    process = start(TRAIN, tmp_path)
    log = tmp_path / "t/log.txt"
    wait_for(lambda: log.exists() and "step=200 " in log.read_text(), process)
    process.kill()
    process.communicate(timeout=SECONDS)
    assert main(["resume", "t"]) == 0
    assert main((TRAIN + "-whole").split()) == 0
    resumed, whole = (load_file(tmp_path / name / "state.safetensors") for name in ("t", "t-whole"))
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)


def test_a_run_folder_says_what_it_is(tmp_path: Path) -> None:
    model = tiny.checkpoint(tmp_path / "m.safetensors")
    run = ii.run(
        "exp001", out=tmp_path / "run", model=model, problems=2, levels=[1, 10], controls=1
    )
    head = json.loads((run.path / "run.json").read_text())
    assert head["format"] == "ired-interp-run"
    assert head["version"] == 3
    assert head["config"]["levels"] == [1, 10]
    assert len(head["config"]["model_sha256"]) == 64
    assert {"git_sha", "package_version", "torch", "threads"} <= head["provenance"].keys()
    assert (run.path / "report.html").is_file()
    lines = (run.path / "log.txt").read_text().splitlines()
    assert [line for line in lines if "collated" in line]
    assert not list(tmp_path.rglob(".*"))


@slow
def test_the_same_plan_gives_the_same_bytes(tmp_path: Path) -> None:
    model = tiny.checkpoint(tmp_path / "m.safetensors")
    results = []
    for name in ("a", "b"):
        run = ii.run(
            "exp001", out=tmp_path / name, model=model, problems=3, levels=[1, 10], controls=1
        )
        results.append((run.path / "results.h5").read_bytes())
    assert results[0] == results[1]


def test_an_energy_that_explodes_stops_with_its_cures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main((TRAIN + " --learning-rate 1e9").split()) == 1
    message = " ".join(capsys.readouterr().err.split())
    assert "the loss is not finite at step 50: the energy exploded" in message
    assert "--learning-rate (now 1e+09), --clip (1) or --init-gain (1)" in message
    assert not (tmp_path / "t/model.safetensors").exists()
