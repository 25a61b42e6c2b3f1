"""Units that fail, workers that die, plans that differ: what is said, and what is kept."""

import json
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

import ired_interp as ii
import tiny
from ired_interp.cli import main
from ired_interp.errors import ConfigError, RunFolderError, UnitsFailedError
from ired_interp.experiments import find_experiment
from ired_interp.experiments.config import config_from_mapping
from ired_interp.runs.computing import compute_units
from ired_interp.runs.execution import collate_run
from ired_interp.runs.run import open_run, plan_run
from ired_interp.runs.units import parse_units, unit_statuses
from ired_interp.storage import sha256_of
from killing import assert_same, finish, prepare, start, wait_for, wait_for_plan
from tiers import slow, slow_but

RUN = "run waiting_experiment.py --units 5 --seconds 0"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("workers", [1, 2])
def test_a_unit_that_fails_does_not_stop_the_others(
    workers: int, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(f"{RUN} --bad 1,3 --workers {workers} --out r".split()) == 1
    message = said(capsys)
    assert "2 of 5 units failed:" in message
    assert "unit 1: ValueError: unit 1 is bad" in message
    assert "Their tracebacks are in r/failures" in message
    assert sorted(p.name for p in Path("r/shards").glob("*.h5")) == [
        f"unit-0000{i}.h5" for i in (0, 2, 4)
    ]
    kept = json.loads(Path("r/failures/unit-00003.json").read_text())
    assert kept["error"] == "ValueError"
    assert 'waiting_experiment.py", line' in kept["traceback"]
    assert not Path("r/results.h5").exists()
    assert [s.state for s in unit_statuses(ii.open_run("r"))] == [
        "done",
        "failed",
        "done",
        "failed",
        "done",
    ]
    assert main(["status", "r"]) == 0
    assert "failed   1  on" in (out := capsys.readouterr().out)
    assert "ValueError: unit 3 is bad" in out
    Path("mended").touch()
    assert main(["resume", "r"]) == 0
    assert not list(Path("r/failures").iterdir())
    assert ii.open_run("r").results.sizes["problem"] == 5


def test_from_python_the_failure_is_an_error_of_its_own(folder: Path) -> None:
    with pytest.raises(UnitsFailedError, match="1 of 2 units failed"):
        ii.run("waiting_experiment.py", out="r", units=2, seconds=0, bad=[1])


def test_alike_failures_are_told_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fields = {"model": "m.safetensors", "problems": 3, "unit_problems": 1, "levels": [1]}
    experiment = find_experiment("exp001")
    config = config_from_mapping(experiment.Config, {**fields, "controls": 0})
    plan_run(experiment, config, Path("r"))
    tiny.checkpoint(Path("m.safetensors"), seed=5)
    capsys.readouterr()
    assert main(["resume", "r"]) == 1
    message = said(capsys)
    assert "3 of 3 units failed: units 0-2: CheckpointError" in message
    assert message.count("the model was changed") == 1


def test_a_worker_that_is_killed_costs_its_unit_alone(folder: Path) -> None:
    code, message = finish(start(f"{RUN} --workers 2 --out r", folder, KILL_IN_UNIT="2"))
    assert code == 1
    assert "1 of 5 units failed:" in message
    assert "unit 2: Killed: killed by signal 9 (out of memory?)" in message
    assert sorted(p.name for p in Path("r/shards").glob("*.h5")) == [
        f"unit-0000{i}.h5" for i in (0, 1, 3, 4)
    ]
    assert not list(Path("r/running").iterdir())
    assert main(["resume", "r"]) == 0
    assert main(f"{RUN} --out whole".split()) == 0
    assert_same(Path("r"), Path("whole"))


@slow
def test_workers_write_the_same_bytes(folder: Path) -> None:
    words = "--model m.safetensors --problems 6 --unit-problems 2 --levels 3 --controls 0"
    for name, workers in (("one", 1), ("three", 3)):
        assert main(f"run exp001 {words} --workers {workers} --out {name}".split()) == 0
    assert_same(Path("three"), Path("one"))
    logs = list(Path("three/logs").glob("worker-*.log"))
    assert 1 <= len(logs) <= 3  # a worker may start too late to get a unit
    assert sum(log.read_text().count(" done in ") for log in logs) == 3


@pytest.mark.parametrize("how", slow_but({signal.SIGTERM}, [signal.SIGTERM, signal.SIGUSR1]))
def test_work_stops_after_the_unit_under_way(how: signal.Signals, folder: Path) -> None:
    assert main(f"{RUN.replace('--seconds 0', '--seconds 1')} --bad 0,1,2,3,4 --out r".split()) == 1
    Path("mended").touch()
    process = start("work r --units 0-4", folder)
    wait_for(lambda: bool(list(Path("r/running").glob("*.json"))), process)
    process.send_signal(how)
    code, message = finish(process)
    assert code == 75, message
    done = len(list(Path("r/shards").glob("*.h5")))
    assert 1 <= done < 5
    assert f"stopped: {done} of 5 units are done and kept" in message
    assert not list(Path("r/running").iterdir())
    assert main(["work", "r"]) == 0
    assert not Path("r/results.h5").exists()
    assert main(["resume", "r"]) == 0


def test_a_unit_under_way_is_seen_as_running(folder: Path) -> None:
    process = start(f"{RUN.replace('--seconds 0', '--seconds 3')} --out r", folder)
    wait_for_plan(folder / "r", process)
    wait_for(lambda: bool(list(Path("r/running").glob("*.json"))), process)
    first = unit_statuses(ii.open_run("r"))[0]
    assert (first.state, first.pid) == ("running", process.pid)
    assert first.since is not None
    process.kill()
    finish(process)
    assert (Path("r/running/unit-00000.json")).exists()
    assert unit_statuses(ii.open_run("r"))[0].state == "missing"  # its lock died with it


def test_work_computes_the_units_that_it_is_told(folder: Path) -> None:
    assert main(f"{RUN} --bad 0,1,2,3,4 --out r".split()) == 1
    assert main("work r --units 1,3".split()) == 1  # noqa: SIM905
    Path("mended").touch()
    assert main("work r --units 1,3".split()) == 0  # noqa: SIM905
    states = [s.state for s in unit_statuses(ii.open_run("r"))]
    assert states == ["failed", "done", "failed", "done", "failed"]
    with pytest.raises(RunFolderError, match=r"3 of 5 units are missing or damaged:\n  r/shards"):
        collate_run(ii.open_run("r"))


@pytest.mark.parametrize(
    ("text", "units"), [("0", [0]), ("0,3-5", [0, 3, 4, 5]), ("4,2-3,3", [2, 3, 4])]
)
def test_units_in_words(text: str, units: list[int]) -> None:
    assert parse_units(text, 6) == units


@pytest.mark.parametrize("text", ["", "a", "6", "3-2", "-1", "1-", "1,,2", "1.5"])
def test_what_names_no_units(text: str) -> None:
    with pytest.raises(ConfigError, match="units: expected numbers"):
        parse_units(text, 6)


def test_another_config_is_refused_with_the_difference(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(f"{RUN} --out r".split()) == 0
    before = Path("r/run.json").read_bytes()
    capsys.readouterr()
    assert main(f"{RUN} --seed 3 --numbers 7 --out r".split()) == 1
    message = said(capsys)
    assert "found numbers: 100 there, 7 asked for; seed: 0 there, 3 asked for." in message
    assert main(f"{RUN} --out r".split()) == 1
    assert "or finish what is there with 'ired-interp resume r'" in said(capsys)
    assert main("run exp001 --model m.safetensors --out r".split()) == 1  # noqa: SIM905
    assert "experiment: waiting_experiment.py there, exp001 asked for" in said(capsys)
    assert Path("r/run.json").read_bytes() == before


def test_a_field_named_like_an_option_of_the_command_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path("waiting_experiment.py")
    path.write_text(
        path.read_text().replace("    bad: tuple", "    workers: int = 1\n    bad: tuple")
    )
    assert main(f"{RUN} --out r".split()) == 1
    assert "Config.workers: expected a name that is no option" in said(capsys)


def test_a_plan_that_was_edited_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(f"{RUN} --out r".split()) == 0
    head = json.loads(Path("r/run.json").read_text())
    head["config"]["seed"] = 1
    Path("r/run.json").write_text(json.dumps(head))
    assert main(["resume", "r"]) == 1
    assert "run.json was changed after the run was planned" in said(capsys)


def test_a_shard_of_another_plan_is_not_mixed_in(folder: Path) -> None:
    for seed in (0, 1):
        assert main(f"{RUN} --seed {seed} --out r{seed}".split()) == 0
    for end in ("h5", "json"):
        shutil.copy(f"r1/shards/unit-00002.{end}", "r0/shards")
    with pytest.raises(RunFolderError, match=r"unit-00002.h5 is of another plan"):
        collate_run(ii.open_run("r0"))


def test_a_shard_of_other_code_is_not_mixed_in(folder: Path) -> None:
    assert main(f"{RUN} --out r".split()) == 0
    path = Path("r/shards/unit-00002.json")
    record = json.loads(path.read_text())
    record["code"]["package_sha256"] = "0" * 64
    path.write_text(json.dumps(record))
    with pytest.raises(RunFolderError, match=r"unit-00002.h5 was computed by other code"):
        collate_run(ii.open_run("r"))


def test_an_experiment_that_was_changed_does_not_finish_a_run(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(f"{RUN} --bad 1 --out r".split()) == 1
    with Path("waiting_experiment.py").open("a") as stream:
        stream.write("# another line\n")
    capsys.readouterr()
    assert main(["resume", "r"]) == 1
    assert re.search(r"found another \(project_experiment_sha256 was \w+…, is", said(capsys))


def test_another_copy_of_the_project_computes_the_same(folder: Path) -> None:
    assert main(f"{RUN} --bad 1 --out r".split()) == 1
    Path("clone").mkdir()
    shutil.copy("waiting_experiment.py", "clone")
    Path("waiting_experiment.py").unlink()
    assert compute_units(open_run("r", project=Path("clone")), [0]).failed == {}
    assert main("work r --units 0,2 --project clone".split()) == 0  # noqa: SIM905


def test_the_uncommitted_changes_of_a_project_are_kept(folder: Path) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    url = "https://user:secret@example.org/lab/project.git"
    for words in ("init -q", "add waiting_experiment.py", "commit -qm one", f"remote add o {url}"):
        subprocess.run(["git", *identity, *words.split()], check=True)
    subprocess.run(["git", "remote", "rename", "o", "origin"], check=True)
    with Path("waiting_experiment.py").open("a") as stream:
        stream.write("# not committed\n")
    assert main(f"{RUN} --out r".split()) == 0
    text = Path("r/run.json").read_text()
    project = json.loads(text)["provenance"]["project"]
    assert project["url"] == "https://example.org/lab/project.git"
    assert "secret" not in text
    assert project["dirty"]
    patch = Path("r/uncommitted.patch").read_bytes()
    assert b"+# not committed" in patch
    assert project["patch_sha256"] == sha256_of(Path("r/uncommitted.patch"))
