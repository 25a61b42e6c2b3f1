"""Each pattern on a run folder that shows it: the unit, the place and the remedy are named."""

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ired_interp.cli import main
from ired_interp.doctor import diagnosis as diagnosing
from ired_interp.doctor.diagnosis import diagnose
from ired_interp.doctor.finding import Diagnosis, Finding
from ired_interp.doctor.machine import Machine, this_machine
from ired_interp.errors import UnitsFailedError
from ired_interp.experiments import load, locate
from ired_interp.experiments.config import config_from_words
from ired_interp.runs.claims import claim
from ired_interp.runs.computing import compute_units
from ired_interp.runs.execution import execute
from ired_interp.runs.failures import of_signal
from ired_interp.runs.run import Run, open_run, plan_run
from killing import finish, start, wait_for

FILE = "ailing_experiment.py"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(Path(__file__).parents[1] / FILE, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(words: str = "", *, fails: bool = False) -> Path:
    """A run in this process, without its report."""
    run = plan(words)
    if fails:
        with pytest.raises(UnitsFailedError):
            execute(run)
    else:
        execute(run)
    return run.path


def plan(words: str, out: str = "r") -> Run:
    source = locate(FILE)
    experiment = load(source)
    pairs = iter(words.replace("--", "").replace("-", "_").split())
    config = config_from_words(experiment.Config, dict(zip(pairs, pairs, strict=True)))
    return plan_run(experiment, config, Path(out), source=source)


def findings(path: Path, **options: Any) -> dict[str, Finding]:
    """By pattern, each at most once."""
    found = diagnose(open_run(path), **options).findings
    named = {finding.pattern: finding for finding in found}
    assert len(named) == len(found), found
    return dict(named.items())


def only(path: Path, pattern: str, **options: Any) -> Finding:
    found = findings(path, **options)
    assert list(found) == [pattern], found
    return found[pattern]


def content(path: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


def change_records(path: Path, change_fn: Callable[[int], dict[str, Any]]) -> None:
    for record in sorted((path / "shards").glob("*.json")):
        known = json.loads(record.read_text())
        record.write_text(json.dumps(known | change_fn(int(record.stem[-5:]))))


def with_machine(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    real = this_machine

    def changed(path: Path) -> Machine:
        return dataclasses.replace(real(path), **changes)

    monkeypatch.setattr(diagnosing, "this_machine", changed)


def test_nothing_is_wrong_with_a_sound_run(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run()
    capsys.readouterr()
    assert main(["doctor", "r"]) == 0
    said = capsys.readouterr().out
    assert "3 units: 3 done" in said
    assert "nothing wrong found" in said
    assert main(["doctor", "r", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"ok": True, "units": {"done": 3}, "findings": [], "not_asked": []}


def test_a_nan_weight_is_traced_to_unit_level_and_layer(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("--ailment nan_weight", fails=True)
    before = content(Path("r"))
    capsys.readouterr()
    assert main(["doctor", "r"]) == 1
    assert content(Path("r")) == before
    said = capsys.readouterr().out
    assert "not finite  unit 1" in said
    # Level 7 is timestep 3, whose head it is.
    assert "at level 7, the first module whose output is not finite is Net.heads.3 (Linear)" in said
    assert "NaN, from finite numbers" in said
    assert "Weights that are NaN or infinite: Net.heads.3.weight: 1 of 16" in said
    assert "the model is damaged" in said
    assert "without level 7" in said


def test_the_layer_is_found_below_others(folder: Path) -> None:
    text = Path(FILE).read_text().replace("head.weight[0, 0]", "model.trunk.outer.bias[3]")
    Path(FILE).write_text(text)
    run("--ailment nan_weight --sick-unit 2", fails=True)
    found = only(Path("r"), "not finite")
    assert found.units == (2,)
    assert "at level 2, the first module whose output is not finite is Net.trunk.outer" in (
        found.found
    )


def test_without_a_rerun_the_unit_alone_is_named(folder: Path) -> None:
    run("--ailment nan_weight", fails=True)
    found = only(Path("r"), "not finite", rerun=False)
    assert found.units == (1,)
    assert "level and layer are not known" in found.found
    assert "heads" not in found.found


def test_an_exploding_layer_is_told_from_a_nan_weight(folder: Path) -> None:
    run("--ailment explodes --sick-unit 0 --sick-level 2", fails=True)
    found = only(Path("r"), "not finite")
    assert found.units == (0,)
    assert "at level 2, the first module whose output is not finite is Net.heads.8" in found.found
    assert "infinity, from finite numbers" in found.found
    assert "All weights are finite" in found.found
    assert "explode in Net.heads.8" in found.remedy


def test_an_energy_that_explodes_behind_the_last_layer(folder: Path) -> None:
    run("--ailment overflows", fails=True)
    found = only(Path("r"), "not finite")
    assert "every module's output is finite. The largest of them is" in found.found
    assert "by Net.heads.3" in found.found
    assert "at level 7" in found.found
    assert "explodes behind Net.heads.3" in found.remedy


def test_a_bad_x_is_named_by_its_row(folder: Path) -> None:
    run("--ailment nan_x")  # nobody checks it, so NaN is stored
    found = only(Path("r"), "not finite")
    assert found.units == (1,)
    assert "lowest at level 7: 1 of 2 numbers are NaN" in found.found
    assert "Net.trunk.inner" in found.found
    assert "x is not finite in row 1 of 2" in found.found
    assert "mend the data" in found.remedy


def test_a_division_outside_of_any_module(folder: Path) -> None:
    run("--ailment divides", fails=True)
    found = only(Path("r"), "not finite")
    assert "at level 7" in found.found
    assert f"{FILE}:" in found.found
    assert "a division by 0" in found.remedy


def test_numbers_that_are_stored_and_not_finite(folder: Path) -> None:
    run("--ailment stores_nan")
    found = only(Path("r"), "not finite")
    assert "lowest at level 7: 2 of 2 numbers are NaN or infinite" in found.found
    assert "is sound" in found.found


def test_points_that_did_not_converge_are_counted_by_level(folder: Path) -> None:
    run("--ailment not_converged")
    found = only(Path("r"), "slow convergence")
    assert found.units == (1,)
    assert "level 7: 1 of 6 (17%)" in found.found
    assert "level 2" not in found.found


def test_an_iteration_that_gave_up(folder: Path) -> None:
    run("--ailment gives_up", fails=True)
    found = only(Path("r"), "slow convergence")
    assert found.units == (1,)
    assert found.found.startswith("spectrum gave up in 1 unit;")
    assert "3.2e-04 was reached where 1.0e-08 was asked for" in found.found
    assert "use float64 or a larger tol" in found.remedy


def test_any_other_error_is_shown_with_the_authors_line(folder: Path) -> None:
    run("--ailment raises", fails=True)
    found = only(Path("r"), "failed")
    assert found.units == (1,)
    assert "KeyError: 'no such thing'" in found.found
    assert f"{FILE}:" in found.found
    assert "in _suffer" in found.found


def test_out_of_memory_and_what_would_fit(folder: Path) -> None:
    words = "--ailment no_memory --problems 12 --megabytes 100"
    code = (
        "import re, resource, sys, torch\n"
        "from pathlib import Path\n"
        "from ired_interp.cli import main\n"
        "size = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (size + 900 * 2**20,) * 2)\n"
        f"code = main(['run', {FILE!r}, *{words.split()!r}, '--out', 'r'])\n"
        "sys.exit(10 * code + main(['doctor', 'r', '--json']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 11, done.stderr
    told = json.loads(done.stdout)
    (found,) = [one for one in told["findings"] if one["pattern"] == "out of memory"]
    assert found["units"] == [1]
    assert "Unable to allocate 1.17 GiB" in found["found"]
    assert "The 2 units that are done took up to" in found["found"]
    assert "problems 12 → " in found["remedy"]
    command = found["remedy"].split("itself: ")[1]
    assert command.startswith(f"ired-interp run {folder}/{FILE} --ailment no_memory")
    assert command.endswith("--out r-smaller")
    # The command plans what it says.
    words = command.split(f"{FILE} ")[1].removesuffix(" --out r-smaller")
    smaller = plan(words, "smaller").config.problems
    assert smaller < 12
    assert f"problems 12 → {smaller} fits into" in found["remedy"]


def test_units_of_one_size_are_told_what_else_helps(folder: Path) -> None:
    text = Path(FILE).read_text().replace("def fit(", "def no_fit(")
    Path(FILE).write_text(text.replace("np.ones((config.problems", 'raise MemoryError("x")  # '))
    run("--ailment no_memory", fails=True)
    found = only(Path("r"), "out of memory")
    assert "smaller units cannot be planned" in found.remedy
    assert "fewer --workers" in found.remedy


HANG = """
import dataclasses
from pathlib import Path
from ired_interp.runs.computing import Bench, compute_unit, planned_threads
from ired_interp.runs.run import open_run

run = open_run("r")
bench = dataclasses.replace(Bench.of(run, run.log_path), stack_seconds=0.2)
with planned_threads(run):
    compute_unit(bench, 1)
"""


def test_a_unit_that_hangs_is_found_where_it_is_and_its_end_is_noticed(folder: Path) -> None:
    compute_units(plan("--ailment hangs --units 2"), [0])
    process = subprocess.Popen(
        [sys.executable, "-c", HANG],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    try:
        wait_for(lambda: stack_dumps() >= 4, process)
        later = datetime.now(UTC) + timedelta(hours=1)
        found = only(Path("r"), "hangs", now=later)
        assert findings(Path("r")) == {}  # it has not been long yet
    finally:
        process.kill()
        process.communicate()
    assert found.units == (1,)
    assert "running for 60.0 min" in found.found
    assert re.search(r"The last \d of \d+ looks found it at /", found.found)
    line = [
        n for n, text in enumerate(Path(FILE).read_text().splitlines(), 1) if "GATE.wait" in text
    ]
    assert f"{FILE}:{line[0]} in wait_for_the_gate, within threading.py:" in found.found
    assert f"kill {process.pid}" in found.remedy
    after = only(Path("r"), "stale claim")
    assert after.units == (1,)
    assert "wait_for_the_gate" in after.found
    assert "resume r' takes it over" in after.remedy


def stack_dumps() -> int:
    return sum(p.read_text().count("Timeout (") for p in Path("r/logs").glob("stacks-*.txt"))


def test_a_unit_that_ends_leaves_no_stacks(folder: Path) -> None:
    run()
    assert not list(Path("r/logs").glob("stacks-*"))


def test_memory_that_grows_from_unit_to_unit(folder: Path) -> None:
    words = f"run {FILE} --ailment leaks --units 8 --megabytes 20 --out r"
    code, said = finish(start(words, folder))
    assert code == 0, said
    found = only(Path("r"), "memory grows")
    assert found.units == tuple(range(8))
    assert "log.txt: 20 MiB a unit" in found.found
    assert "ired-interp work r --units" in found.remedy


def test_units_that_take_ever_longer(folder: Path) -> None:
    run("--units 8")
    change_records(Path("r"), lambda i: {"seconds": 10.0 + 3 * i + i % 2, "finished": None})
    found = only(Path("r"), "slower and slower")
    assert "21 s over 8 units" in found.found


def test_one_host_is_slower_than_the_others(folder: Path) -> None:
    run("--units 8")
    change_records(
        Path("r"),
        lambda i: {"host": "tortoise" if i % 2 else "hare", "seconds": 9.0 if i % 2 else 2.0},
    )
    found = only(Path("r"), "uneven hosts")
    assert found.units == (1, 3, 5, 7)
    assert "tortoise takes 9 s a unit, the others 2 s (4 and 4 units)" in found.found


def test_more_threads_than_cores(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("--units 4")
    end = "2026-01-01T00:00:10+00:00"
    change_records(Path("r"), lambda _: {"seconds": 8.0, "finished": end})
    with_machine(monkeypatch, cores=3)
    found = only(Path("r"), "too many threads")
    assert "4 processes of 1 thread each at once on 3 cores" in found.found
    assert "--workers 3" in found.remedy
    with_machine(monkeypatch, cores=4)
    assert findings(Path("r")) == {}


def test_an_idle_gpu_of_a_run_on_the_cpu(folder: Path) -> None:
    run()
    head = json.loads(Path("r/run.json").read_text())
    head["provenance"]["gpu"] = "NVIDIA H200"
    Path("r/run.json").write_text(json.dumps(head))
    found = only(Path("r"), "idle GPU")
    assert "has a NVIDIA H200" in found.found
    assert "--device cuda" in found.remedy


def test_an_idle_gpu_of_a_run_on_cuda(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("--device cuda")
    Path("r/shards/unit-00000.h5").unlink()
    Path("r/results.h5").unlink()
    with claim(Path("r/running"), 0) as ours:
        assert ours
        told = diagnose(open_run("r"))
        assert told.findings == []
        assert told.not_asked == [
            "how busy the GPU is: nvidia-smi is not there, or does not answer"
        ]
        fake_smi(folder, monkeypatch, busy=3)
        found = only(Path("r"), "idle GPU")
        assert found.units == (0,)
        assert "1 unit runs on cuda, and the NVIDIA H200 is busy for 3 % of the time" in found.found
        fake_smi(folder, monkeypatch, busy=80)
        busy: Diagnosis = diagnose(open_run("r"))
        assert (busy.findings, busy.not_asked) == ([], [])


def fake_smi(folder: Path, monkeypatch: pytest.MonkeyPatch, *, busy: int) -> None:
    tool = folder / "bin" / "nvidia-smi"
    tool.parent.mkdir(exist_ok=True)
    tool.write_text(f"#!/bin/sh\necho 'NVIDIA H200, 550.90, {busy}'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")


def test_a_damaged_shard(folder: Path) -> None:
    run()
    Path("r/shards/unit-00002.h5").write_bytes(b"short")
    found = only(Path("r"), "damaged shard")
    assert found.units == (2,)
    assert "found 5" in found.found
    assert "resume r' computes them again" in found.remedy


def test_units_that_nobody_works_on(folder: Path) -> None:
    run("--units 5")
    Path("r/results.h5").unlink()
    for number in (1, 2, 4):
        Path(f"r/shards/unit-0000{number}.h5").unlink()
    found = only(Path("r"), "left undone")
    assert found.units == (1, 2, 4)
    assert "3 of 5 units are missing" in found.found
    assert "'ired-interp resume r'" in found.remedy


def test_units_that_are_all_done_and_not_joined(folder: Path) -> None:
    run()
    Path("r/results.h5").unlink()
    assert "results.h5 is not made" in only(Path("r"), "left undone").found


def test_a_full_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run()
    with_machine(monkeypatch, disk_free=5 * 2**20)
    found = only(Path("r"), "disk full")
    assert "5 MiB are free" in found.found
    monkeypatch.undo()
    os.chdir(folder)
    Path("r/shards/unit-00001.h5").unlink()
    Path("r/results.h5").unlink()
    with Path("r/log.txt").open("a") as log:
        log.write("cannot write r/shards/unit-00001.h5: the disk is full; free some space.\n")
    assert "A log says: cannot write" in findings(Path("r"))["disk full"].found


def test_another_code_than_planned(folder: Path) -> None:
    run()
    Path("r/results.h5").unlink()
    Path("r/shards/unit-00001.h5").unlink()
    with Path(FILE).open("a") as file:
        file.write("# changed\n")
    found = findings(Path("r"))["other code"]
    assert "project_experiment_sha256 was" in found.found
    assert "'resume' will refuse it" in found.found
    assert found.units == (1,)


def test_a_process_that_was_killed_for_memory(folder: Path) -> None:
    run("--ailment raises", fails=True)
    of_signal("killed by signal 9 (out of memory?)", 1, 3.0).write(Path("r/failures"), 1)
    found = only(Path("r"), "out of memory")
    assert found.units == (1,)
    assert "killed by signal 9" in found.found


def test_a_job_that_was_killed_by_its_scheduler(folder: Path) -> None:
    run()
    Path("r/shards/unit-00001.h5").unlink()
    line = "slurmstepd: error: Detected 1 oom_kill event in StepId=12.0."
    Path("r/logs/slurm-12_1.log").write_text(f"starting\n{line}\n")
    assert f"slurm-12_1.log says: {line}" in findings(Path("r"))["out of memory"].found
