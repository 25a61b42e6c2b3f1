"""What ``list`` says of the runs below a folder, damaged ones included."""

import json
import shutil
from pathlib import Path

import pytest

import tiny
from ired_interp.cli import main
from ired_interp.experiments import find_experiment
from ired_interp.experiments.config import config_from_mapping
from ired_interp.runs.heads import find_runs
from ired_interp.runs.run import plan_run

DATA = Path(__file__).parents[1] / "golden/data"


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A finished run, a planned one, a stopped one, a failed one, and damaged ones."""
    folder = tmp_path / "runs"
    shutil.copytree(DATA / "run-2", folder / "deep/finished")
    experiment = find_experiment("exp001")
    model = tiny.checkpoint(tmp_path / "small.safetensors")
    config = config_from_mapping(
        experiment.Config, {"model": str(model), "problems": 4, "unit_problems": 2, "controls": 0}
    )
    for name in ("planned", "stopped", "failed"):
        plan_run(experiment, config, folder / name)
    for name in ("stopped", "failed"):
        shutil.copy(DATA / "run-2/shards/unit-00000.h5", folder / name / "shards")
    (folder / "failed/failures").mkdir(exist_ok=True)
    (folder / "failed/failures/unit-00001.json").write_text("{}")
    for name, text in (("half", '{"format": '), ("other", '{"format": "x"}'), ("no-units", "")):
        (folder / name).mkdir()
        (folder / name / "run.json").write_text(text)
    head = json.loads((folder / "planned/run.json").read_text())
    del head["units"]
    (folder / "no-units/run.json").write_text(json.dumps(head))
    (folder / "headless/shards").mkdir(parents=True)
    (folder / "notes").mkdir()
    return folder


def test_every_run_is_listed_with_its_state(runs: Path) -> None:
    heads = {one.path.name: one.head for one in find_runs(runs) if one.head}
    states = {name: (head.state, head.num_done, head.num_units) for name, head in heads.items()}
    assert states == {
        "finished": ("finished", 2, 2),
        "planned": ("planned", 0, 2),
        "stopped": ("stopped", 1, 2),
        "failed": ("failed", 1, 2),
    }
    assert heads["planned"].model == "small"
    assert heads["finished"].model == "inverse-4"
    assert heads["finished"].sha is not None
    assert heads["planned"].planned is not None


def test_damaged_folders_are_named(runs: Path) -> None:
    faults = {one.path.name: one.fault for one in find_runs(runs) if one.head is None}
    assert set(faults) == {"half", "other", "no-units", "headless"}
    assert "cannot be read" in faults["half"]
    assert "another kind of folder" in faults["other"]
    assert "damaged (KeyError: 'units')" in faults["no-units"]
    assert "run.json does not exist" in faults["headless"]


def test_the_command_lists_what_is_sound_and_fails_for_what_is_not(
    runs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(runs.parent)
    monkeypatch.delenv("COLUMNS", raising=False)  # of a pipe, which breaks no line
    assert main(["list"]) == 1
    said = capsys.readouterr().out.splitlines()
    planned = next(line.split() for line in said if line.startswith("runs/planned "))
    assert planned[1:5] == ["exp001", "small", "0/2", "planned"]
    assert sum(line.startswith("damaged ") for line in said) == 4
    assert main(["list", "runs/deep"]) == 0
    assert main(["list", "runs/notes"]) == 0
    assert "no runs in runs/notes" in capsys.readouterr().out


def test_json_lists_the_same(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", str(runs), "--json"]) == 1
    said = {Path(one["path"]).name: one for one in json.loads(capsys.readouterr().out)}
    assert said["stopped"]["done"] == 1
    assert said["half"]["state"] == "damaged"
    assert len(said) == 8


def test_a_run_is_listed_by_itself_and_no_folder_is_an_error(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert [one.path for one in find_runs(runs / "planned")] == [runs / "planned"]
    assert main(["list", str(runs / "nothing")]) == 1
    assert "expected a folder that holds runs" in capsys.readouterr().err
