"""Laptop → ssh → array → power cut, preemption, requeue, time limit → fetch, on real daemons.

`make test-cluster`; as root, for slurmd starts jobs as their users.
"""

import json
import re
import threading
import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from ired_interp.cluster import code, slurm
from ired_interp.cluster.ledger import read_ledger
from ired_interp.cluster.logbook import logbook
from ired_interp.cluster.sbatch_options import option_lines
from ired_interp.cluster.shell import Completed, GitRemote, Shell
from ired_interp.cluster.submission import submit
from ired_interp.errors import CannotAskError, ClusterError, SessionGoneError
from ired_interp.runs.run import Run
from killing_under_slurm import followed, kill_and_submit_again, undisturbed
from slurm_here import Here, until

pytestmark = pytest.mark.cluster
pytest_plugins = ("slurm_fixtures",)

# Its dry run takes seconds; tests/cluster/test_real_preflight.py has it in full.
UNCHECKED = ("--skip", "all")


@pytest.fixture(autouse=True)
def _nothing_left(here: Here) -> Iterator[None]:
    yield
    here.slurm("scancel", "--me", "--full")
    until("the queue is empty", lambda: not here.slurm("squeue", "-h"), 60)


def waiting_units(here: Here, run: Run) -> list[int]:
    return sorted(int(f.stem[5:]) for f in (here.far(run) / "running").glob("unit-*.json"))


def test_an_array_survives_what_a_cluster_does(
    here: Here, capsys: pytest.CaptureFixture[str]
) -> None:
    # ten units of four seconds do not fit into a minute: the task stops and requeues itself
    slow = here.plan("slow; run", num_units=10, seconds=4.0)
    words = ("--cluster", "there", "--watch", "none")
    limits = ("--partitions", "short", "--units-per-task", "10", "--time-minutes", "1")
    assert here.ired("submit", slow.path, *UNCHECKED, *words, *limits) == 0

    gate = here.root / "gate"
    run = here.plan("it's a run", num_units=20, gated=4, gate=gate)
    submitting = ("submit", run.path, "--cluster", "wide", "--no-canary", "--watch", "none")
    assert here.ired(*submitting, *UNCHECKED) == 0
    until("four units wait at the gate", lambda: waiting_units(here, run) == [0, 1, 2, 3])
    assert here.ired(*submitting) == 0
    assert "nothing to submit: 20 units are in the queue" in capsys.readouterr().err

    names = read_ledger(run.path)[0].names
    queue = slurm.queue_state(here.shell(), names)
    on = {task.index: task.node for task in queue if task.state == "RUNNING"}
    assert sorted(on.values()) == ["node1", "node1", "node2", "node2"]
    (job,) = read_ledger(run.path)[0].jobs
    first, second = sorted(index for index, node in on.items() if node == "node1")
    here.cut_the_power("node2")
    here.slurm("scontrol", "requeue", f"{job}_{first}")
    urgent = ("sbatch", "--partition=urgent", "--nodelist=node1", "--cpus-per-task=6")
    here.slurm(*urgent, "--output=/dev/null", "--mem=100", "--wrap", "sleep 1")

    def gone_from(node: str) -> bool:
        tasks = slurm.queue_state(here.shell(), names)
        return not [t for t in tasks if t.node == node and t.index in on and t.state == "RUNNING"]

    until("the tasks of node2 are known to have failed", lambda: gone_from("node2"))
    until("the tasks of node1 are preempted or requeued", lambda: gone_from("node1"))
    assert second in {task.index for task in slurm.queue_state(here.shell(), names)}
    gate.touch()
    here.bring_back()

    end = followed(here, run)
    assert [task.index for task in end.failed()] == []
    assert here.ired("fetch", run.path) == 0
    assert run.report_path.is_file()
    assert run.results_path.read_bytes() == undisturbed(run, gate)
    earlier = {state for task in read_ledger(run.path)[0].ended for state in task.earlier}
    assert {"NODE_FAIL", "PREEMPTED", "REQUEUED"} <= earlier
    assert "20 tasks: 20 done" in logbook([run.path])

    followed(here, slow)
    log = "".join(p.read_text(encoding="utf-8") for p in (here.far(slow) / "logs").glob("slurm*"))
    assert ", to be run again" in log  # 75, or on a slow machine 143: told while Python started
    assert re.search(r"restart [1-9]", log)
    assert here.ired("fetch", slow.path) == 0
    draws = [np.random.default_rng(index).normal(size=1000) for index in range(10)]
    assert np.array_equal(slow.results["draws"], draws)
    # again: nothing is sent that is here
    capsys.readouterr()
    assert here.ired("fetch", run.path) == 0
    assert "0 files are new" in capsys.readouterr().err


def test_workers_that_are_killed_lose_at_most_the_unit_under_way(here: Here) -> None:
    lost = kill_and_submit_again(here, seed=20261122)
    assert lost, "no kill came before the end of its unit: nothing was tested"


def done_there(here: Here, run: Run) -> set[int]:
    return {int(f.stem[5:]) for f in (here.far(run) / "shards").glob("unit-*.h5")}


def test_a_mistake_is_shown_at_once_and_the_rest_never_starts(
    here: Here, capsys: pytest.CaptureFixture[str]
) -> None:
    file = here.project / "gated.py"
    before = file.read_text(encoding="utf-8")
    broken = before.replace("        time.sleep(config.seconds)\n", "        import einopsx\n")
    file.write_text(broken, encoding="utf-8")
    here.commit("Use einopsx")
    run = here.plan("broken", num_units=5)
    assert here.ired("submit", run.path, "--cluster", "there", *UNCHECKED) == 1
    said = capsys.readouterr().err
    assert "a module is missing in the environment: einopsx" in said
    assert "ModuleNotFoundError" in said
    assert done_there(here, run) == set()
    assert here.ired("fetch", run.path) == 1
    assert "nothing is in the queue, and units 0-4 are missing" in capsys.readouterr().err
    (attempt,) = read_ledger(run.path)
    assert sorted(task.state for task in attempt.ended)[-1] == "FAILED"

    file.write_text(before, encoding="utf-8")
    here.commit("Do without einopsx", push=False)
    mended = here.plan("mended", num_units=1)
    assert here.ired("submit", mended.path, "--cluster", "there", *UNCHECKED) == 1
    assert "no remote has commit" in capsys.readouterr().err
    words = ("--allow-unpushed", "--watch", "end", "--memory-mib", "700", *UNCHECKED)
    assert here.ired("submit", mended.path, "--cluster", "there", *words) == 0
    head = json.loads((mended.path / "run.json").read_text(encoding="utf-8"))
    assert head["unpushed"] is True
    assert head["skipped_checks"] == ["all"]
    text = logbook([run.path, mended.path])
    assert '"Use einopsx"' in text
    assert '"Do without einopsx", on no remote, not checked: all' in text
    assert "a module is missing in the environment: einopsx" in text
    assert "(gated.py); memory_mib 600 → 700" in text
    here.git("push", "--quiet", "origin", "HEAD:main")
    here.git("fetch", "--quiet", "origin")


def test_a_full_qos_is_neither_overrun_nor_a_failure(
    here: Here, capsys: pytest.CaptureFixture[str]
) -> None:
    run = here.plan("full", num_units=6, seconds=10.0)  # longer than it takes to cancel it
    where = ("--cluster", "there", "--partitions", "short", "--watch", "none")
    words = ("submit", run.path, *where, *UNCHECKED)
    assert here.ired(*words, "--dry-run") == 0
    script = capsys.readouterr().out
    assert "# no room now for 2 of 6 tasks: QOS capped (MaxSubmitJobsPerUser=4, 0 used)" in script
    six = script.replace("--array=0-3", "--array=0-5")
    assert "QOSMaxSubmitJobPerUserLimit" in (slurm.test_only(here.shell(), six, ()) or "accepted")
    assert here.ired(*words, "--no-canary") == 0
    assert "no room now for units 4-5" in capsys.readouterr().err
    assert here.ired(*words) == 1
    assert "no room for a single task (QOS capped" in capsys.readouterr().err
    assert here.ired("cancel", run.path) == 0
    assert "cancelled 4 tasks" in capsys.readouterr().err
    until("they are gone", lambda: not here.slurm("squeue", "-h"), 60)
    time.sleep(2)  # a cancelled task must not put itself back
    assert not here.slurm("squeue", "-h")


@dataclass(frozen=True)
class WithoutSacctmgr:
    """A site that closes sacctmgr to its users."""

    shell: Shell
    name: str = "closed"
    is_local: bool = False

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", seconds: float = 60.0) -> Completed:
        if argv[0] == "sacctmgr":
            return Completed(1, "", "sacctmgr: error: Access/permission denied")
        return self.shell.run(argv, stdin=stdin, seconds=seconds)

    def copy_to(self, local: Path, remote: str, *, only: Sequence[str] = ()) -> None:
        self.shell.copy_to(local, remote, only=only)

    def send_file(self, local: Path, remote: str) -> None:
        self.shell.send_file(local, remote)

    def copy_from(self, remote: str, local: Path, *, only: Sequence[str] = ()) -> list[str]:
        return self.shell.copy_from(remote, local, only=only)

    def git_remote(self, path: str) -> GitRemote:
        return self.shell.git_remote(path)


def test_where_limits_are_hidden_a_refusal_leads_to_the_next_partition(here: Here) -> None:
    run = here.plan("hidden", num_units=6)
    config = replace(here.config(), partitions=("short", "main"))
    done = submit(run, WithoutSacctmgr(here.shell()), config, canary=False)
    assert done.units == (0, 1, 2, 3, 4, 5)
    (array,) = read_ledger(run.path)[0].arrays
    assert array.num_tasks == 6
    events = (run.path / "submissions.jsonl").read_text(encoding="utf-8")
    assert "QOSMaxSubmitJobPerUserLimit" in events
    (partition,) = {t.partition for t in slurm.queue_state(here.shell(), [array.name])}
    assert partition == "main"


def test_a_session_that_is_gone_is_said_at_once_and_no_login_is_made(
    here: Here, capsys: pytest.CaptureFixture[str]
) -> None:
    shell = here.shell()
    here.ssh("-O", "exit", "cluster")
    log = here.folder / "log" / "sshd.out"
    logins = log.read_text(encoding="utf-8").count("Accepted")
    begin = time.monotonic()
    for ask in (
        here.shell,
        lambda: shell.run(["true"]),
        lambda: shell.copy_to(here.project, str(here.root / "x")),
        lambda: slurm.queue_state(shell, ["ired-x-0"]),
    ):
        with pytest.raises(SessionGoneError, match="-fNM cluster"):
            ask()
    assert time.monotonic() - begin < 5
    run = here.plan("gone", num_units=1)
    assert here.ired("submit", run.path, "--cluster", "there") == 1
    assert "no open ssh session" in capsys.readouterr().err
    assert log.read_text(encoding="utf-8").count("Accepted") == logins
    assert here.ssh("-fNM", "cluster").returncode == 0
    assert here.shell().run(["printf", "%s|", "a b", "'", ";$HOME\n"]).stdout == "a b|'|;$HOME\n|"


def test_a_submission_that_died_after_sbatch_is_found_again(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = here.plan("died", num_units=2)
    real = slurm.submit_script

    def dies(shell: Shell, script: str, options: Sequence[str] = ()) -> int:
        real(shell, script, options)
        raise KeyboardInterrupt

    monkeypatch.setattr(slurm, "submit_script", dies)
    with pytest.raises(KeyboardInterrupt):
        submit(run, here.shell(), here.config(), canary=False)
    monkeypatch.undo()
    assert read_ledger(run.path)[0].jobs == []
    done = submit(run, here.shell(), here.config(), canary=False)
    assert (done.id, done.queued) == (None, (0, 1))


def test_no_controller_is_no_answer(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    conf = (here.folder / "etc" / "slurm.conf").read_text(encoding="utf-8")
    elsewhere = conf.replace("SlurmctldPort=", "SlurmctldPort=1 #")  # where nothing listens
    (here.laptop / "slurm.conf").write_text(elsewhere, encoding="utf-8")
    monkeypatch.setenv("SLURM_CONF", str(here.laptop / "slurm.conf"))
    shell = here.shell("here")
    with pytest.raises(CannotAskError, match="the queue"):
        slurm.queue_state(shell, ["ired-x-0"])
    with pytest.raises(CannotAskError, match="SLURM does not answer"):
        slurm.test_only(shell, "#!/bin/bash\n", ())


def test_on_the_login_node_itself_a_run_is_executed_in_place_from_its_own_clone(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_CONF", f"{here.folder}/etc/slurm.conf")
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    monkeypatch.setenv("SBATCH_PARTITION", "nonexistent")
    run = here.plan("in place", num_units=2)
    assert here.ired("submit", run.path, "--cluster", "here", "--watch", "none", *UNCHECKED) == 0
    until("both are done", lambda: len(list((run.path / "shards").glob("unit-*.h5"))) == 2)
    until("the queue is empty", lambda: not here.slurm("squeue", "-h"), 60)
    assert here.ired("fetch", run.path) == 0
    assert run.results_path.read_bytes() == undisturbed(run)
    assert list((here.root / "scratch").iterdir()) == []


def test_an_environment_is_made_once_by_whoever_comes_first(here: Here) -> None:
    wheel = here.project / "ired_interp-0.0-py3-none-any.whl"
    info = "ired_interp-0.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("ired_interp/__init__.py", "")
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: ired-interp\nVersion: 0.0\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    requirements = here.project / "requirements.txt"
    requirements.write_text(f"./{wheel.name}\n", encoding="utf-8")
    sent = code.code_of(here.project, here.commit("An environment"))
    config = replace(here.config(), environment=None)
    shell = here.shell()
    repository = code.send_code(shell, config, sent)
    found: list[code.Prepared] = []

    def prepare() -> None:
        found.append(code.prepare(shell, config, sent, repository))

    both = [threading.Thread(target=prepare) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert len(found) == 2
    assert found[0] == found[1]
    assert len([p for p in (here.root / "envs").iterdir() if p.is_dir()]) == 1
    assert shell.run([found[0].python, "-c", "import ired_interp"]).returncode == 0

    requirements.write_text("# nothing\n", encoding="utf-8")
    empty = code.code_of(here.project, here.commit("An empty environment"))
    code.send_code(shell, config, empty)
    with pytest.raises(ClusterError, match="has no ired-interp: add it to the requirements"):
        code.prepare(shell, config, empty, repository)


def test_further_options_arrive_as_they_were_written(here: Here) -> None:
    user = 'it\'s a\\b #1 "$HOME" $(x) ; %j'
    lines = option_lines(["--hold", "--mail-type=END", f"--mail-user={user}", "-x node1"], gpus=0)
    script = "\n".join(["#!/bin/bash", *(f"#SBATCH {line}" for line in lines), "true", ""])
    job = slurm.submit_script(here.shell(), script, ["--job-name=ired-x-0"])
    told = here.slurm("scontrol", "show", "job", str(job))
    assert f"MailUser={user} MailType=END\n" in told
    assert "ExcNodeList=node1\n" in told
    assert "Reason=JobHeldUser" in told
