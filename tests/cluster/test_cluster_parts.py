"""Splitting, polling, causes, ledger: against answers of SLURM 22.05, as recorded."""

from collections.abc import Mapping
from itertools import islice
from pathlib import Path

import pytest

from answering_shell import AnsweringShell, by_beginning
from ired_interp.cluster import ledger, slurm
from ired_interp.cluster.causes import recognise
from ired_interp.cluster.config import ClusterConfig
from ired_interp.cluster.polling import ask_round, pauses
from ired_interp.cluster.queueing import share_out
from ired_interp.cluster.shell import Completed, LocalShell, submission_environment
from ired_interp.errors import CannotAskError, ClusterError

PARTITIONS = """\
PartitionName=main AllowQos=ALL Default=YES QoS=N/A MaxTime=1-01:30:00 State=UP TotalNodes=2
PartitionName=short AllowQos=ALL Default=NO QoS=capped MaxTime=00:10:00 State=UP TotalNodes=2
PartitionName=shut AllowQos=ALL Default=NO QoS=N/A MaxTime=UNLIMITED State=DOWN TotalNodes=1
"""
NODES = """\
main|24105|8|(null)|2|idle
short|24105+|8|gpu:a100:4|1|down*
short|24105+|8|gpu:a100:4|1|mixed
"""
ANSWERS = {
    "scontrol -o show partition": PARTITIONS,
    "sinfo": NODES,
    "scontrol show config": "ClusterName             = alpha\nMaxArraySize            = 11\n",
    "id": "me\n",
    "sacctmgr -nP show qos": "normal|||\ncapped|4||\n",
    "sacctmgr -nP show assoc": "root||root|\nlab||root|\nlab|me||\nother||root|\n",
    "sacctmgr -nP show user": "root|lab||normal\nlab|lab||normal\n",
    "squeue": "normal|short|lab\nnormal|main|lab\n",
}
CONFIG = ClusterConfig(name="a", root="/r", partitions=("short", "main"))


def recorded(answers: Mapping[str, str]) -> AnsweringShell:
    """A command without an answer does not reach the cluster."""
    away = Completed(1, "", "slurm_load_jobs error: Unable to contact slurm controller")
    return AnsweringShell(by_beginning(answers.items(), away))


def test_partitions_are_read_whole() -> None:
    main, short, shut = slurm.partitions(recorded(ANSWERS))
    assert (main.default, main.max_minutes, main.node_memory_mib) == (True, 1530, 24105)
    assert (short.qos, short.gres, short.nodes, short.nodes_up) == ("capped", ("gpu:a100:4",), 2, 1)
    assert (shut.up, shut.max_minutes, shut.nodes) == (False, None, 0)


def test_room_is_what_the_qos_leaves() -> None:
    # one of the user's two jobs is in the partition that has the QOS
    only_short = ClusterConfig(name="a", root="/r", partitions=("short",))
    assert slurm.head_room(recorded(ANSWERS), only_short) == 3
    assert slurm.head_room(recorded(ANSWERS), CONFIG) is None


def test_what_others_use_of_an_account_s_or_a_qos_s_limit_counts() -> None:
    of_group = {
        "sacctmgr -nP show assoc": "root||root|\nuni||root|9\nlab||uni|\nlab|me||\nx||uni|\n",
        "sacctmgr -nP show qos": "normal||6|7\ncapped|4||\n",
        "squeue --account=uni,lab,x": "normal|main|lab\n" * 3 + "capped|short|x\n" * 2,
        "squeue --me": "normal|main|lab\n",
        "squeue -h": "normal|main|lab\n" * 4 + "normal|main|x\n",
    }
    limits = slurm.ask_limits(recorded(of_group | ANSWERS | of_group), CONFIG)
    assert limits.left == {
        "account uni (GrpSubmitJobs=9, 5 used)": 4,
        "QOS normal (MaxSubmitJobsPerAccount=6, 4 used)": 2,
        "QOS normal (GrpSubmitJobs=7, 5 used)": 2,
        "QOS capped (MaxSubmitJobsPerUser=4, 0 used)": 4,
    }
    assert limits.share_out(10) == {"short": 2}


def test_two_partitions_of_one_qos_share_its_room() -> None:
    limits = slurm.Limits({"QOS q": 4, "QOS r": 1}, {"a": ("QOS q",), "b": ("QOS q", "QOS r")})
    assert limits.share_out(10) == {"a": 4}
    assert limits.room() == 4
    assert slurm.Limits({"q": -2}, {"a": ("q",)}).room() == 0


def test_tasks_go_where_there_is_room_in_arrays_that_are_not_too_long() -> None:
    tasks = [(i,) for i in range(20)]
    _, shares, why = share_out(recorded(ANSWERS), CONFIG, tasks)
    assert [(s.partition, len(s.tasks)) for s in shares] == [
        ("short", 3),
        ("main", 11),
        ("main", 6),
    ]
    assert [task for share in shares for task in share.tasks] == tasks
    assert len({share.name for share in shares}) == 3
    assert "capped" in why


def test_an_unknown_limit_is_not_zero() -> None:
    closed = {k: v for k, v in ANSWERS.items() if "sacctmgr" not in k}
    with pytest.raises(CannotAskError, match="the QOS limits"):
        slurm.head_room(recorded(closed), CONFIG)
    _, shares, _ = share_out(recorded(closed), CONFIG, [(0,), (1,)])
    assert [(s.partition, s.tasks) for s in shares] == [("short", ((0,), (1,)))]


def test_no_answer_is_neither_an_empty_queue_nor_a_failure() -> None:
    silent = recorded({})
    for ask in (
        lambda: slurm.queue_state(silent, ["ired-a-0"]),
        lambda: slurm.account_rows(silent, ["ired-a-0"], "2026-01-01"),
        lambda: slurm.test_only(silent, "#!/bin/bash\n", ()),
        lambda: slurm.submit_script(silent, "#!/bin/bash\n"),
    ):
        with pytest.raises(CannotAskError, match="Unable to contact"):
            ask()


def attempt(*jobs: int) -> ledger.Attempt:
    array = ledger.Array("ired-a-0", "main", jobs, num_tasks=3)
    place = ledger.Place("a", None, "/r/run")
    return ledger.Attempt(
        id="a",
        time="2026-11-22T20:00:00+00:00",
        place=place,
        sha="0" * 40,
        unpushed=False,
        resources={},
        arrays=(array,),
    )


def test_a_round_is_one_question_to_each_whatever_the_number_of_jobs() -> None:
    rows = """\
7_0|NODE_FAIL|1:0|5|node1|2026-11-22T20:00:01|
7_0|PENDING|0:0|0|None assigned|2026-11-22T20:00:09|
7_1|PREEMPTED|0:15|5|node1|2026-11-22T20:00:01|
7_1|COMPLETED|0:0|9|node2|2026-11-22T20:00:08|
7_1.batch|COMPLETED|0:0|9|node2|2026-11-22T20:00:08|1024K
7_1.0|COMPLETED|0:0|9|node2|2026-11-22T20:00:08|300M
8_2|CANCELLED by 0|0:0|1|node2|2026-11-22T20:00:01|
8_[3-4]|PENDING|0:0|0|None assigned|2026-11-22T20:00:01|
9_0|FAILED|1:0|1|node2|2026-11-22T20:00:01|
"""
    shell = recorded({"sacct": rows, "squeue": "7|0|ired-a-0|PENDING|BeginTime||main\n"})
    found = ask_round(shell, [attempt(7, 8)])
    assert [words.split()[0] for words in shell.asked] == ["sacct", "squeue"]
    assert [task.index for task in found.queued] == [0]
    done, cancelled = found.ended
    assert (done.job, done.state, done.earlier) == ("7_1", "COMPLETED", ("PREEMPTED",))
    assert done.max_memory_bytes == 300 * 2**20
    assert (cancelled.job, cancelled.state, cancelled.done) == ("8_2", "CANCELLED", False)
    assert found.summary() == "1 cancelled, 1 done, 1 pending (1 wait for BeginTime)"


def test_the_first_minute_is_watched_closely_and_then_one_round_a_minute() -> None:
    steps = list(islice(pauses(), 30))
    assert steps[:15] == [2.0] * 15
    early = [sum(steps[:i]) for i in range(31)]
    assert all(step == 60.0 for step, at in zip(steps, early, strict=False) if at >= 90)
    assert len([at for at in early if at <= 60]) == 19


@pytest.mark.parametrize(
    ("state", "code", "log", "cause"),
    [
        ("COMPLETED", 0, "error: x", ""),
        ("FAILED", 1, "ModuleNotFoundError: No module named 'einops'", "environment: einops"),
        ("FAILED", 1, "ImportError: cannot import name 'A' from 'b.c' (x)", "b.c has no A"),
        ("FAILED", 1, "TypeError: f() got an unexpected keyword argument 'lr'", "know: lr"),
        ("FAILED", 1, "torch.OutOfMemoryError: CUDA out of memory.", "the GPU's memory is full"),
        ("FAILED", 1, "OSError: [Errno 28] No space left on device", "the disk is full"),
        ("FAILED", 1, "  x\nValueError: of our own\n", "ValueError: of our own"),
        ("FAILED", 137, "Killed", "killed: out of memory, or a unit that takes longer"),
        ("FAILED", 9, "srun: error: node1: task 0: Killed", "killed: out of memory, or a unit"),
        ("OUT_OF_MEMORY", 0, "", "out of memory: ask for more"),
        ("TIMEOUT", 0, "", "the time limit was reached"),
        ("NODE_FAIL", 0, "", "the node failed"),
        ("FAILED", 75, "", "as often as max_requeues allows"),
        ("FAILED", 3, "nothing known", "exit code 3, not recognised"),
    ],
)
def test_causes_are_recognised(state: str, code: int, log: str, cause: str) -> None:
    found = recognise(state, code, log)
    assert cause in found
    assert bool(found) == bool(cause)


def test_the_ledger_survives_a_torn_line(tmp_path: Path) -> None:
    place = {"cluster": "a", "host": None, "run": "/r"}
    first = {"submission": "s", "place": place, "sha": "0", "unpushed": False, "resources": {}}
    ledger.append(tmp_path, "submitting", **first)
    ledger.append(tmp_path, "array", submission="s", name="ired-s-0", partition="p")
    with (tmp_path / "submissions.jsonl").open("a", encoding="utf-8") as stream:
        stream.write('{"event": "submitted", "submi')
    (before,) = ledger.read_ledger(tmp_path)
    assert before.names == ["ired-s-0"]  # asked for by name, though its number is lost
    assert before.jobs == []
    said = {"submission": "s", "name": "ired-s-0", "partition": "p", "job": 12, "tasks": 3}
    ledger.append(tmp_path, "submitted", **said)
    (after,) = ledger.read_ledger(tmp_path)
    assert (after.jobs, after.num_tasks) == ([12], 3)


def test_tasks_are_frozen_one_a_line(tmp_path: Path) -> None:
    ledger.write_tasks(tmp_path, "ired-s-0", [(0, 1), (2,)])
    text = (tmp_path / "tasks" / "ired-s-0.json").read_text(encoding="utf-8")
    assert "    [0, 1],\n    [2]\n" in text
    assert ledger.read_tasks(tmp_path, "ired-s-0") == [[0, 1], [2]]
    assert ledger.read_tasks(tmp_path, "ired-s-1") == []


def test_a_submission_from_inside_a_job_does_not_hand_its_options_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    monkeypatch.setenv("SBATCH_PARTITION", "wrong")
    monkeypatch.setenv("SLURM_CONF", "/etc/slurm.conf")
    kept = {k for k in submission_environment() if k.startswith(("SLURM", "SBATCH"))}
    assert kept == {"SLURM_CONF"}
    assert "SBATCH_PARTITION" not in LocalShell().run(["env"]).stdout


def test_without_rsync_the_error_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own.pt").write_bytes(b"1")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClusterError, match=r"expected rsync, .* found none on PATH; install it"):
        LocalShell().send_file(tmp_path / "own.pt", str(tmp_path / "there"))
