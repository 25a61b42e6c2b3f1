"""No answer of a cluster ends in a traceback, a wait without end, or a limit that is not its own.

Every parser gets its answer with something before, after and in place of it, empty, cut short at
each letter, and as another version has it: what it makes of it is right, or an error with words.
"""

import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answering_shell import Answer, AnsweringShell, by_beginning
from ired_interp.cluster import slurm
from ired_interp.cluster.code import _ALONE, Code, prepare
from ired_interp.cluster.config import ClusterConfig
from ired_interp.cluster.ledger import Place
from ired_interp.cluster.limits import ask_limits, max_array_size, partitions
from ired_interp.cluster.shell import Completed, LocalShell
from ired_interp.cluster.staging import Content, _missing
from ired_interp.cluster.submission import _done_there
from ired_interp.doctor.machine import Gpu, gpus
from ired_interp.errors import CannotAskError, ClusterError
from ired_interp.preflight.arrival import check_paths
from ired_interp.preflight.environment import check_interpreter
from ired_interp.preflight.resources import free_bytes_there
from ired_interp.preflight.site import _ask, _check_clock, _check_folders
from recorded_slurm import RecordedCluster

QUEUE = "4711|0|ired-a-0|RUNNING|None|n1|main\n4711|1|ired-a-0|PENDING|Priority||main\n"
ACCOUNTING = (
    "4711_0|COMPLETED|0:0|9|n1|2026-11-22T20:00:08|\n"
    "4711_0.batch|COMPLETED|0:0|9|n1|2026-11-22T20:00:08|1024K\n"
)
PARTITION = "PartitionName=main Default=YES QoS=capped MaxTime=1-00:30:00 State=UP Nodes=n[1-3]\n"
CONFIGURATION = (
    "Configuration data as of 2026-11-22T20:20:06\nClusterName             = alpha\n"
    "MaxArraySize            = 1001\nMaxDBDMsgs              = 20012\n"
)
SHARDS = 'sh -c test -d "$1" || exit 0; find "$1" -name'
STORED = 'sh -c test -d "$1" || exit 0; find "$1" -mindepth'
ANSWERS = {
    "scontrol -o show partition": PARTITION,
    "scontrol show config": CONFIGURATION,
    "sinfo": "main|24105|8|(null)|2|idle\nmain|48000+|16|gpu:a100:4|1|mixed-\n",
    "id": "me\n",
    "sacctmgr -nP show qos": "normal|||\ncapped|9|5|\n",
    "sacctmgr -nP show user": "root|lab||normal\nlab|lab|7|normal\n",
    "sacctmgr -nP show assoc": "root||root|\nlab||root|8\nlab|me||\n",
    "squeue --me -h": "normal|main|lab\n",
    "squeue -h": "normal|main|lab\nnormal|main|other\n",
    "squeue --account": "normal|main|lab\nnormal|main|lab\n",
    "squeue --me -r": QUEUE,
    "sacct ": ACCOUNTING,
    "sbatch": "4711\n",
    STORED: f"5 {'ab' * 32}/a b\n4 {'cd' * 32}/y\n",
    SHARDS: "/r/shards/unit-00003.h5\n/r/shards/unit-00012.h5\n",
    "sh -c d=$1; while": (
        "Filesystem 1024-blocks Used Available Capacity Mounted on\n"
        "/dev/sd b1 1000000 400000 600000 40% /da ta\n"
    ),
    "sh -c \nd=$1": "there /r\n",
    "date": "1700000000.123456789\n",
    "bash": "python=/e/bin/python\n",
}
CONFIG = ClusterConfig(name="a", root="/r", account="lab")
CODE = Code(Path("/p"), "0" * 40, is_package=False)


def answering(changed: Mapping[str, Answer] | None = None) -> AnsweringShell:
    """The cluster of `ANSWERS`, but for what is changed."""
    return AnsweringShell(by_beginning([*(changed or {}).items(), *ANSWERS.items()]))


def free(shell: Any) -> int:
    found = free_bytes_there(shell, "/r")
    if found is None:
        raise CannotAskError("df says nothing")
    return found


def checked(check: Callable[[Any], Any]) -> Callable[[Any], str]:
    """What a check of the preflight finds; one that is not made is an answer that is none."""

    def of(shell: Any) -> str:
        (found,) = _ask("clock", lambda: check(shell))
        if found.status == "not_checked":
            raise CannotAskError(found.found)
        return f"{found.status} {found.found.split(' s ', maxsplit=1)[0][:9]}"

    return of


def missing(shell: Any) -> list[str]:
    wanted = [Content(f"{'ab' * 32}/a b", 5, None, "x"), Content("ef/y", 6, None, "y")]
    return sorted(_missing(shell, CONFIG, wanted))


# What each command's answer is made into.
PARSERS: list[tuple[str, Callable[[Any], Any]]] = [
    ("squeue --me -r", lambda shell: slurm.queue_state(shell, ["ired-a-0"])),
    ("sacct ", lambda shell: slurm.account_rows(shell, ["ired-a-0"], "2026-01-01")),
    ("scontrol -o show partition", partitions),
    ("sinfo", partitions),
    ("scontrol show config", max_array_size),
    *(
        (command, lambda shell: ask_limits(shell, CONFIG))
        for command in ANSWERS
        if command.startswith(("scontrol", "sinfo", "id", "sacctmgr", "squeue"))
        and command != "squeue --me -r"
    ),
    ("sbatch", lambda shell: slurm.submit_script(shell, "#!/bin/bash\n")),
    (STORED, missing),
    (SHARDS, lambda shell: _done_there(shell, Place("a", None, "/r"))),
    ("sh -c d=$1; while", free),
    ("sh -c \nd=$1", checked(lambda shell: _check_folders(CONFIG, shell))),
    ("date", checked(_check_clock)),
    ("bash", lambda shell: prepare(shell, CONFIG, CODE, "/r/code/p.git")),
]
IDS = [f"{number} {command}" for number, (command, _) in enumerate(PARSERS)]
EVERY = pytest.mark.parametrize(("command", "parse"), PARSERS, ids=IDS)

BEFORE = (
    "Welcome to alpha\n",
    "***********\n* alpha *\n***********\n\nLast login: Mon Nov 22 from here\n",
    "+------+-----+\n| home | 10G |\n| work | 99G |\n+------+-----+\n",
    "Docs: alpha.example/docs | Help: help@alpha.example | News: none\n",
    "\x1b[31mScratch is emptied on Mondays\x1b[0m\n",
    "caf\ufffd is open\r\n",
)
AFTER = (
    "sbatch: warning: 3 % of your quota are left\n",
    "slurm: error: _parse_next_key: Parsing error at unrecognized key: Foo\n",
    "Connection to alpha closed.\n",
)
IN_PLACE = (
    "slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n",
    "Slurm accounting storage is disabled\n",
    "Invalid user: me\n",
    "squeue: unrecognized option '--me'\nTry \"squeue --help\" for more information\n",
    "bash: squeue: command not found\n",
    "Welcome to alpha\nsacctmgr: error: Problem talking to the database: Connection refused\n",
)


def outcome(parse: Callable[[Any], Any], command: str, done: Completed) -> Any:
    """What is made of an answer; ``error`` if that is one with words."""
    try:
        return parse(answering({command: done}))
    except (CannotAskError, ClusterError):
        return "error"


@EVERY
def test_what_stands_around_an_answer_is_no_part_of_it(
    command: str, parse: Callable[[Any], Any]
) -> None:
    answer = ANSWERS[command]
    right = parse(answering())
    for before in BEFORE:
        assert outcome(parse, command, Completed(0, before + answer, "")) == right
    for after in AFTER:
        assert outcome(parse, command, Completed(0, answer + after, "")) == right
        assert outcome(parse, command, Completed(0, answer, after)) == right
    assert outcome(parse, command, Completed(0, answer.replace("\n", "\r\n"), "")) in (
        right,
        "error",
    )


@EVERY
def test_what_stands_in_place_of_an_answer_is_none(
    command: str, parse: Callable[[Any], Any]
) -> None:
    for text in IN_PLACE:
        for done in (Completed(0, text, ""), Completed(0, "", text), Completed(1, "", text)):
            if command.startswith("sh ") and done.returncode == 0 and not done.stdout:
                continue  # an empty list; the shell's own complaints are beside it
            assert outcome(parse, command, done) == "error"
    empty = outcome(parse, command, Completed(0, "", ""))
    if command.startswith(("squeue", "sacct ", "sinfo", "sh -c test")):
        assert empty != "error"
    else:
        assert empty == "error"


@EVERY
def test_a_cut_answer_is_never_another_one(command: str, parse: Callable[[Any], Any]) -> None:
    answer = ANSWERS[command]
    right = parse(answering())
    for length in range(1, len(answer)):
        cut = answer[:length]
        if cut.endswith("\n"):  # the rest of a list may be whole
            continue
        assert outcome(parse, command, Completed(0, cut, "")) in (right, "error"), cut


@EVERY
def test_columns_of_another_version_are_not_taken_for_ours(
    command: str, parse: Callable[[Any], Any]
) -> None:
    answer = ANSWERS[command]
    if "|" not in answer:
        pytest.skip("no table")
    for fewer in (False, True):
        lines = [ln.rpartition("|")[0] if fewer else f"{ln}|x" for ln in answer.splitlines()]
        assert outcome(parse, command, Completed(0, "\n".join(lines) + "\n", "")) == "error"


LINES = st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=3)


@given(before=LINES, after=LINES, which=st.sampled_from(range(len(PARSERS))))
def test_whatever_stands_around_it_an_answer_is_right_or_an_error(
    before: list[str], after: list[str], which: int
) -> None:
    command, parse = PARSERS[which]
    around = "".join(f"{line}\n" for line in before) + ANSWERS[command]
    around += "".join(f"{line}\n" for line in after)
    assert outcome(parse, command, Completed(0, around, "")) in (parse(answering()), "error")


@given(text=st.text(st.characters(exclude_categories=["Cs"])), code=st.sampled_from([0, 1, 255]))
def test_whatever_is_said_no_parser_breaks(text: str, code: int) -> None:
    for command, parse in PARSERS:
        outcome(parse, command, Completed(code, text, text))


def test_a_banner_alone_is_an_empty_queue_only_with_the_heading() -> None:
    heading = "ARRAY_JOB_ID|ARRAY_TASK_ID|NAME|STATE|REASON|NODELIST|PARTITION\n"
    banner = "Scratch is unavailable on Monday\n"
    parse = PARSERS[0][1]
    assert outcome(parse, "squeue", Completed(0, banner + heading, "")) == []
    assert outcome(parse, "squeue", Completed(0, banner, "")) == "error"


@pytest.mark.parametrize(
    ("row", "indices"),
    [
        ("4711|3|ired-a-0|PENDING|None||main", [3]),
        ("4711|0-2%2|ired-a-0|PENDING|None||main", [0, 1, 2]),
        ("4711|[0-4:2,7]|ired-a-0|PENDING|None||main", [0, 2, 4, 7]),
        ("4711_[1-2%1]|N/A|ired-a-0|PENDING|(null)|(null)|main,long", [1, 2]),
        ("4711|N/A|ired-a-0|PENDING|None||main", []),
        ("9|1|of-another|PENDING|None||main", []),
        ("4711|0,2,4,...|ired-a-0|PENDING|None||main", None),
    ],
)
def test_indices_of_arrays_in_every_form(row: str, indices: list[int] | None) -> None:
    found = outcome(PARSERS[0][1], "squeue", Completed(0, f"{row}\n", ""))
    assert found == "error" if indices is None else [task.index for task in found] == indices


def test_accounting_in_every_form() -> None:
    rows = (
        "4711_0|CANCELLED by 1000|0:15||None assigned|Unknown|\n"
        "4711_1|RUNNING|N/A|N/A|n1|2026-11-22T20:00:08|\n"
        "4711_1.0|RUNNING|0:0|3|n1|2026-11-22T20:00:08|1.5G\n"
        "4711_1.extern|RUNNING|0:0|3|n1|2026-11-22T20:00:08|(null)\n"
        "4711_[2-9%2]|PENDING|0:0|0|None assigned|2026-11-22T20:00:08|\n"
        "4711+0|PENDING|0:0|0|None assigned|2026-11-22T20:00:08|\n"
    )
    one, two = outcome(PARSERS[1][1], "sacct", Completed(0, rows, ""))
    assert (one.state, one.exit_code, one.elapsed_seconds) == ("CANCELLED", 143, 0)
    assert (two.state, two.exit_code, two.max_memory_bytes) == ("RUNNING", 0, 3 * 2**29)


@pytest.mark.parametrize(
    ("said", "number"),
    [
        ("4711\n", 4711),
        ("4711;alpha\n", 4711),
        ("Submitted batch job 4711\n", 4711),
        ("Submitted batch job 4711 on cluster alpha\n", 4711),
        ("-----\n --> Verifying quota...OK\n4711\n", 4711),
        ("4711\n12\n", "error"),
        ("job 4711 is yours\n", "error"),
        ("471", "error"),
    ],
)
def test_the_number_that_sbatch_gave(said: str, number: object) -> None:
    assert outcome(dict(PARSERS)["sbatch"], "sbatch", Completed(0, said, "")) == number


def test_a_job_that_may_be_queued_is_not_a_refusal() -> None:
    shell = answering({"sbatch": Completed(1, "4711\n", "sbatch: error: hook failed")})
    with pytest.raises(CannotAskError, match="may be in the queue"):
        slurm.submit_script(shell, "#!/bin/bash\n")
    shell = answering({"sbatch": Completed(1, "", "sbatch: error: Invalid qos")})
    with pytest.raises(ClusterError, match="refused: Invalid qos"):
        slurm.submit_script(shell, "#!/bin/bash\n")


@pytest.mark.parametrize(
    ("time", "minutes"),
    [
        ("UNLIMITED", None),
        ("INFINITE", None),
        ("1-00:30:00", 1470),
        ("02:30:00", 150),
        ("30:00", 30),
        ("soon", "error"),
        ("1-", "error"),
    ],
)
def test_time_limits_in_every_form(time: str, minutes: object) -> None:
    said = PARTITION.replace("1-00:30:00", time)
    found = outcome(partitions, "scontrol -o", Completed(0, said, ""))
    assert found == "error" if minutes == "error" else found[0].max_minutes == minutes


@pytest.mark.parametrize(
    ("state", "up"),
    [
        *((word, True) for word in ("idle", "idle~", "mixed-", "allocated+", "IDLE+CLOUD")),
        *((word, True) for word in ("planned", "powering_down", "reserved", "completing#")),
        *((word, False) for word in ("down", "down*", "idle*", "drained", "mixed+drain", "drng")),
        *((word, False) for word in ("IDLE+DRAIN+POWERED_DOWN", "DOWN+NOT_RESPONDING", "inval")),
    ],
)
def test_states_of_nodes_in_every_form(state: str, up: bool) -> None:  # noqa: FBT001
    (found,) = outcome(partitions, "sinfo", Completed(0, f"main|1+|N/A|(null)|1.2K|{state}\n", ""))
    assert (found.nodes_up > 0) == up
    assert (found.nodes, found.node_cpus, found.gres) == (1200, 0, ())


def test_partitions_on_several_lines_are_read_too() -> None:
    lines = PARTITION.replace(" ", "\n   ") + "State=DOWN of a banner\n"
    found = outcome(partitions, "scontrol -o", Completed(0, lines, ""))
    assert found == partitions(answering())
    lacking = Completed(0, PARTITION.replace("MaxTime", "Max"), "")
    with pytest.raises(CannotAskError, match="MaxTime=… of a partition"):
        partitions(answering({"scontrol -o": lacking}))


def test_a_cluster_without_arrays_is_said_to_be_one() -> None:
    none = Completed(0, CONFIGURATION.replace("1001", "0"), "")
    with pytest.raises(ClusterError, match="MaxArraySize = 0"):
        max_array_size(answering({"scontrol show config": none}))


@pytest.mark.parametrize("none", ["", "N/A", "(null)", "UNLIMITED", "-1"])
def test_no_limit_in_every_form(none: str) -> None:
    said = f"normal|{none}|{none}|{none}\ncapped|{none}||\n"
    left = outcome(PARSERS[5][1], "sacctmgr -nP show qos", Completed(0, said, "")).left
    assert list(left) == [
        "account lab (MaxSubmitJobs=7, 1 used)",
        "account lab (GrpSubmitJobs=8, 2 used)",
    ]
    wrong = Completed(0, "normal|many||\ncapped|||\n", "")
    assert outcome(PARSERS[5][1], "sacctmgr -nP show qos", wrong) == "error"


def of_cluster(rows: list[tuple[str, str]]) -> Callable[[str], Completed]:
    """Accounting of the whole site, in an order of its own."""

    def told(words: str) -> Completed:
        return Completed(0, "".join(f"{r}\n" for name, r in rows if f"cluster={name}" in words), "")

    return told


def two_clusters(own: str) -> AnsweringShell:
    accounts = [("beta", "lab||root|2"), ("alpha", "root||root|"), ("alpha", "lab||root|")]
    return answering(
        {
            "scontrol show config": Completed(0, CONFIGURATION.replace("alpha", own), ""),
            "sacctmgr -nP show user": of_cluster(
                [("beta", "lab|lab|1|normal"), ("alpha", "lab|lab||normal")]
            ),
            "sacctmgr -nP show assoc": of_cluster(accounts),
            "sacctmgr -nP show qos": Completed(0, "normal|||\ncapped|||\n", ""),
        }
    )


def test_limits_are_those_of_the_cluster_that_is_asked() -> None:
    assert ask_limits(two_clusters("alpha"), CONFIG).room() is None
    assert ask_limits(two_clusters("beta"), CONFIG).left == {
        "account lab (MaxSubmitJobs=1, 1 used)": 0,
        "account lab (GrpSubmitJobs=2, 2 used)": 0,
    }
    with pytest.raises(CannotAskError, match=r"found 'nothing'"):
        ask_limits(two_clusters("gamma"), CONFIG)
    nameless = Completed(0, CONFIGURATION.replace("ClusterName", "Name"), "")
    with pytest.raises(CannotAskError, match="ClusterName = …"):
        ask_limits(answering({"scontrol show config": nameless}), CONFIG)


def test_of_associations_that_differ_none_is_taken() -> None:
    said = Completed(0, "lab|lab|1|normal\nlab|lab||normal\n", "")
    with pytest.raises(CannotAskError, match="several that differ"):
        ask_limits(answering({"sacctmgr -nP show user": said}), CONFIG)
    alike = Completed(0, "lab|lab|7|normal\nlab|lab|7|normal\n", "")
    right = ask_limits(answering(), CONFIG)
    assert ask_limits(answering({"sacctmgr -nP show user": alike}), CONFIG) == right


def test_a_qos_that_accounting_does_not_list_has_limits_that_are_not_known() -> None:
    assert ask_limits(answering(), replace(CONFIG, qos="Normal")).left
    with pytest.raises(CannotAskError, match="expected the QOS hidden among"):
        ask_limits(answering(), replace(CONFIG, qos="hidden"))


def test_paths_are_missing_only_where_test_says_so() -> None:
    facts = {"absolute": ["/no/such/folder"]}
    gone = RecordedCluster(answers={"test": lambda _: Completed(1, "", "")})
    assert check_paths(gone, facts).status == "fail"
    silent = RecordedCluster(answers={"test": lambda _: Completed(255, "", "mux: no answer")})
    with pytest.raises(CannotAskError, match="mux: no answer"):
        check_paths(silent, facts)


def test_an_interpreter_is_found_behind_a_banner() -> None:
    def said(text: str) -> str:
        shell = RecordedCluster(answers={"bash": lambda _: Completed(0, text, "")})
        return check_interpreter(None, CONFIG, lambda: shell).status

    assert said("Welcome to alpha 9.4\n3.11\nlogout\n") == "pass"
    assert said("3.9\n") == "fail"
    assert said("Welcome\n") == "fail"
    assert said("") == "fail"


def test_a_command_that_is_slow_or_cannot_start_is_no_answer(tmp_path: Path) -> None:
    with pytest.raises(CannotAskError, match=r"no answer to 'sleep' within 0\.2 s"):
        LocalShell().run(["sleep", "9"], seconds=0.2)
    for text, mode in (("#!/bin/sh\n", 0o644), ("no program", 0o755)):
        tool = tmp_path / "squeue"
        tool.write_text(text)
        tool.chmod(mode)
        done = LocalShell().run([str(tool)])
        assert done.returncode == 126
        assert "cannot be started" in done.words
    said = LocalShell().run(["printf", r"caf\351\n4711|0|"]).stdout
    assert said == "caf\ufffd\n4711|0|"
    with pytest.raises(CannotAskError, match="cannot be started"):
        slurm.test_only(answering({"sbatch": done}), "", ())


def test_nvidia_smi_in_every_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def said(text: str) -> object:
        tool.write_text(f"#!/bin/sh\nprintf '{text}'\n")
        tool.chmod(0o755)
        return gpus()

    a100 = (Gpu("NVIDIA A100", "550.90", 12.0),)
    assert said("NVIDIA A100, 550.90, 12\\n") == a100
    assert (
        said("Warning: infoROM is corrupted\\nNVIDIA A100, 550.90, 12\\ncaf\\351, bye\\n") == a100
    )
    assert said("NVIDIA A100, 550.90, [Not Supported]\\n") == (replace(a100[0], busy=None),)
    assert said("No devices were found\\n") == ()
    for text in ("", "Failed to initialize NVML: Driver/library version mismatch\\n", "A, 1\\n"):
        assert said(text) is None


@pytest.mark.parametrize(
    ("code", "said"), [(0, ""), (1, "waited 7 s"), (65, "no locks"), (71, "no locks")]
)
def test_the_login_node_goes_on_where_its_file_system_has_no_locks(
    tmp_path: Path, code: int, said: str
) -> None:
    script = f"set -euo pipefail\nflock() {{ return {code}; }}\n{_ALONE}\nalone 7\necho after\n"
    done = subprocess.run(
        ["bash", "-s"], input=script, text=True, capture_output=True, check=False, cwd=tmp_path
    )
    assert said in done.stderr
    assert (done.stdout == "after\n") == (code != 1)
