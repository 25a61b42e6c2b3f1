"""The preflight, the doctor and what ``submit`` checks, against a real SLURM behind a real sshd."""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ired_interp import api
from ired_interp.cluster import slurm
from ired_interp.cluster.submission import submit
from ired_interp.preflight.check import CHECKS
from ired_interp.runs.run import open_run
from preflight_projects import look_at_the_queue, make_project
from slurm_here import Here, until

pytestmark = pytest.mark.cluster
pytest_plugins = ("slurm_fixtures",)

READER = '''\
"""How large files are."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is read.

    Attributes:
        problems: How many times.
        weights: A file.
    """

    problems: int = 2
    weights: str = "none"


class Reader:
    """Numbers out of a file."""

    name = "reader"
    Config = Config
    hypotheses = ()
    figures = ()

    def units(self, config):
        return config.problems

    def run_unit(self, config, index):
        values = np.fromfile(config.weights, dtype=np.float64) * (index + 1)
        return xr.Dataset(
            {"value": (("problem", "entry"), values[None])}, coords={"problem": [index]}
        )
'''


@pytest.fixture(autouse=True)
def _nothing_left(here: Here) -> Iterator[None]:
    yield
    here.slurm("scancel", "--me", "--full")
    until("the queue is empty", lambda: not here.slurm("squeue", "-h"), 60)


def test_an_own_checkpoint_travels_by_content_and_what_fails_stops_the_submission(
    here: Here, capsys: pytest.CaptureFixture[str]
) -> None:
    (here.project / "reader.py").write_text(READER, encoding="utf-8")
    here.commit("An experiment that reads a file")
    weights = here.laptop / "own; 'net.f64"
    weights.write_bytes(bytes(range(64)))
    out = here.laptop / "runs" / "reader"
    options = ("--problems", "3", "--weights", weights)
    words = ("submit", here.project / "reader.py", *options, "--cluster", "there", "--out", out)
    capsys.readouterr()

    (here.project / "reader.py").write_text(READER.replace("np.from", "np.form"), encoding="utf-8")
    here.commit("A typing error")
    assert here.ired(*words) == 1
    said = capsys.readouterr().err
    assert "nothing was submitted: the preflight found" in said
    assert "formfile" in said
    assert not out.exists()
    assert here.slurm("squeue", "-h") == ""

    (here.project / "reader.py").write_text(READER, encoding="utf-8")
    here.commit("No typing error")
    assert here.ired(*words, "--watch", "end", "--skip", "clock") == 0
    said = capsys.readouterr().err
    assert "sending" in said
    head = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert head["skipped_checks"] == ["clock"]
    assert head["config"]["weights"] == str(weights)
    (file,) = head["files"]
    assert (here.root / "files" / file["sha256"] / weights.name).read_bytes() == bytes(range(64))
    copy = out.with_name("reader here")
    copy.mkdir()
    (copy / "run.json").write_bytes((out / "run.json").read_bytes())
    alone = api.finish(open_run(copy))
    assert open_run(out).results_path.read_bytes() == alone.results_path.read_bytes()


def test_a_preflight_asks_the_real_cluster_everything(
    here: Here, capsys: pytest.CaptureFixture[str]
) -> None:
    begin = time.monotonic()
    reference = f"{here.project / 'gated.py'}"
    capsys.readouterr()
    code = here.ired("preflight", reference, "--cluster", "there", "--json", "--num_units", "20")
    seconds = time.monotonic() - begin
    found = json.loads(capsys.readouterr().out)["checks"]
    sys.stdout.write(f"preflight against the real SLURM: {seconds:.1f} s\n")
    for check in found:
        sys.stdout.write(f"  {check['id']:14} {check['status']:11} {check['seconds']:.2f} s\n")
    states = {check["id"]: check["status"] for check in found}
    of_cluster = [name for name, group in CHECKS.items() if group == "cluster"]
    assert {name: states[name] for name in of_cluster} == dict.fromkeys(of_cluster, "pass")
    assert [check for check in found if check["status"] == "fail"] == []
    assert code == 0


def test_a_full_queue_is_told_in_the_scheduler_s_own_words(here: Here, tmp_path: Path) -> None:
    project = make_project(tmp_path)
    cluster = replace(here.config(), partitions=("short",))
    checks = {check.id: check for check in look_at_the_queue(project, cluster, problems=6)}
    assert list(checks) == ["sbatch", "queue"]
    assert checks["sbatch"].status == "pass"
    assert checks["queue"].status == "fail"
    assert "QOSMaxSubmitJobPerUserLimit" in checks["queue"].found
    assert "room for 4 (QOS capped (MaxSubmitJobsPerUser=4, 0 used)" in checks["queue"].found
    assert checks["queue"].fix.startswith("units_per_task = 2")


def test_what_an_account_may_have_in_all_is_room_too(here: Here) -> None:
    here.slurm("sacctmgr", "-i", "modify", "account", "lab", "set", "GrpSubmitJobs=3")
    try:
        shell, config = here.shell(), replace(here.config(), account="lab")
        assert slurm.head_room(shell, config) == 3
        run = here.plan("group", num_units=5)
        done = submit(run, shell, replace(config, time_minutes=2), canary=False)
        assert (len(done.units), len(done.no_room)) == (3, 2)
        assert "account lab (GrpSubmitJobs=3, 0 used)" in done.why
    finally:
        here.slurm("sacctmgr", "-i", "modify", "account", "lab", "set", "GrpSubmitJobs=-1")


def test_the_doctor_asks_the_real_cluster(here: Here, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    here.ired("doctor", "--cluster", "there", "--json")
    found = {check["id"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert (found["session"]["status"], found["slurm"]["status"]) == ("pass", "pass")
    assert "main, short, urgent" in found["slurm"]["found"]
