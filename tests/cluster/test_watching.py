"""Following a run ends, whatever the queue and accounting say, or do not say."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from answering_shell import AnsweringShell
from ired_interp.cli import cluster as commands
from ired_interp.cluster import ledger, polling, slurm
from ired_interp.cluster.fetching import update_ledger
from ired_interp.cluster.polling import watch
from ired_interp.cluster.shell import Completed
from ired_interp.errors import CannotAskError, SessionGoneError
from ired_interp.experiments import load, locate
from ired_interp.runs.run import plan_run

NAME = "ired-a-0"
RUNNING = "7|0|ired-a-0|RUNNING|None|n1|main\n"
DONE = "7_0|COMPLETED|0:0|9|n1|2026-11-22T20:00:08|\n"
FAILED = "7_0|FAILED|1:0|9|n1|2026-11-22T20:00:08|\n"
OF_OTHERS = "99_0|FAILED|1:0|9|n1|2026-11-22T20:00:08|\n"
NONE = Completed(0, "", "")
DISABLED = Completed(1, "", "Slurm accounting storage is disabled")
DOWN = Completed(1, "", "sacct: error: Problem talking to the database: Connection refused")
AWAY = Completed(1, "", "slurm_load_jobs error: Unable to contact slurm controller")


def said(text: str) -> Completed:
    return Completed(0, text, "")


def scripted(
    queue: Sequence[Completed], accounting: Sequence[Completed], log: Completed | None = NONE
) -> AnsweringShell:
    """Its queue and accounting answer one thing after the other; the last one stays.

    Without a log there is no answer to what is asked of it.
    """
    waiting = {"squeue": list(queue), "sacct": list(accounting)}

    def answer(argv: Sequence[str], seconds: float) -> Completed:
        if argv[0] == "tail":
            if log is None:
                raise CannotAskError(f"scripted: no answer within {seconds:g} s")
            return log
        answers = waiting["squeue" if argv[0] == "squeue" else "sacct"]
        return answers.pop(0) if len(answers) > 1 else answers[0]

    return AnsweringShell(answer, name="scripted", is_local=True)


def submitted(run: Path) -> Path:
    """A run folder whose ledger has one array of one task, with the number 7."""
    place = {"cluster": "a", "host": None, "run": str(run)}
    head = {"submission": "a", "place": place, "sha": "0", "unpushed": False, "resources": {}}
    ledger.append(run, "submitting", **head)
    ledger.append(run, "array", submission="a", name=NAME, partition="main")
    told = {"submission": "a", "name": NAME, "partition": "main", "job": 7, "tasks": 1}
    ledger.append(run, "submitted", **told)
    return run


def follow(
    run: Path, shell: AnsweringShell, seconds: float | None = None
) -> tuple[polling.Round, list[str], list[float]]:
    """Watch to the end, without waiting: what was found, said, and slept."""
    lines: list[str] = []
    slept: list[float] = []
    state = watch(submitted(run), shell, seconds=seconds, say=lines.append, sleep=slept.append)
    return state, lines, slept


def test_without_accounting_an_empty_queue_is_the_end(tmp_path: Path) -> None:
    shell = scripted([said(RUNNING), said(RUNNING), NONE], [DISABLED])
    state, lines, slept = follow(tmp_path, shell)
    assert (state.queued, state.ended) == ((), ())
    silent = "how tasks ended is not known: scripted: cannot ask for accounting: Slurm accounting"
    assert lines == [
        f"1 running; {silent} storage is disabled",
        f"nothing in the queue; {silent} storage is disabled",
    ]
    assert len(slept) == 3


@pytest.mark.parametrize("text", ["Slurm accounting storage is disabled\n", "", OF_OTHERS])
def test_it_ends_too_where_accounting_says_so_and_exits_well_or_knows_of_others(
    tmp_path: Path, text: str
) -> None:
    state, _, _ = follow(tmp_path, scripted([said(RUNNING), NONE], [said(text)]))
    assert state.ended == ()


def test_accounting_that_goes_down_in_the_middle_is_no_end_of_a_task(tmp_path: Path) -> None:
    shell = scripted([said(RUNNING)] * 3 + [NONE], [NONE, DOWN, DOWN, DOWN, said(DONE)])
    state, lines, _ = follow(tmp_path, shell)
    assert [task.done for task in state.ended] == [True]
    assert "Connection refused" in lines[1]
    assert lines[-1] == "1 done"


def test_a_queue_that_does_not_answer_for_a_while_is_asked_again(tmp_path: Path) -> None:
    shell = scripted([said(RUNNING), *[AWAY] * 20, said(RUNNING), NONE], [NONE] * 22 + [said(DONE)])
    state, lines, _ = follow(tmp_path, shell)
    assert [task.done for task in state.ended] == [True]
    assert sum("cannot ask" in line for line in lines) == 1


@pytest.mark.parametrize(
    "never", [AWAY, said("Invalid user: me\n"), said("7|0|ired-a"), Completed(255, "", "")]
)
def test_nobody_waits_for_ever_for_a_queue_that_never_answers(
    tmp_path: Path, never: Completed
) -> None:
    slept: list[float] = []
    shell = scripted([said(RUNNING), never], [NONE])
    with pytest.raises(CannotAskError, match=r"for 3\d minutes, .*; the jobs go on.*fetch"):
        watch(submitted(tmp_path), shell, seconds=None, say=lambda _: None, sleep=slept.append)
    assert 1800 < sum(slept) < 2000


def test_a_minute_is_a_minute_where_each_answer_takes_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 10**6, 45))
    monkeypatch.setattr("time.monotonic", lambda: float(next(clock)))
    shell = scripted([AWAY], [NONE])
    _, _, slept = follow(tmp_path, shell, seconds=60.0)
    assert [words.split()[0] for words in shell.asked].count("squeue") == 2
    assert slept == [2.0]


def test_a_log_that_cannot_be_asked_for_hides_no_failure(tmp_path: Path) -> None:
    state, lines, _ = follow(tmp_path, scripted([NONE], [said(FAILED)], log=None))
    assert [task.state for task in state.failed()] == ["FAILED"]
    assert lines[1].startswith("task 7_0 ended as FAILED; its log cannot be asked for: ")


def test_a_log_that_is_not_there_is_no_missing_file(tmp_path: Path) -> None:
    no_log = Completed(1, "", "tail: cannot open 'x' for reading: No such file or directory")
    _, lines, _ = follow(tmp_path, scripted([NONE], [said(FAILED)], log=no_log))
    assert "exit code 1, not recognised" in lines[1]
    assert lines[1].endswith("    there is no log")


def test_the_ledger_is_brought_up_to_date_without_accounting(tmp_path: Path) -> None:
    state = update_ledger(submitted(tmp_path), scripted([NONE], [DISABLED]))
    assert "is disabled" in state.silent
    assert ledger.read_ledger(tmp_path)[0].ended == ()


def test_a_session_that_is_gone_is_no_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise SessionGoneError("no open ssh session")

    monkeypatch.setattr(slurm, "account_rows", gone)
    with pytest.raises(SessionGoneError):
        follow(tmp_path, scripted([NONE], [NONE]))


EXPERIMENT = '''
from dataclasses import dataclass
import xarray as xr

@dataclass(frozen=True, kw_only=True)
class Config:
    size: int = 2

class One:
    """One number a unit."""
    name = "one"
    Config = Config
    hypotheses = ()
    figures = ()

    def units(self, config):
        return config.size

    def run_unit(self, config, index):
        return xr.Dataset({"a": ("problem", [float(index)])}, coords={"problem": [index]})
'''


def test_a_task_that_died_without_accounting_is_said_to_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "one.py").write_text(EXPERIMENT)
    source = locate(str(tmp_path / "one.py"))
    experiment = load(source)
    run = plan_run(experiment, experiment.Config(), tmp_path / "run", source=source)
    submitted(run.path)
    clusters = tmp_path / "clusters.toml"
    clusters.write_text('[a]\nroot = "/r"\n')
    lines: list[str] = []
    shell: Callable[[object], AnsweringShell] = lambda _: scripted([NONE], [DISABLED])  # noqa: E731
    monkeypatch.setattr(commands, "open_shell", shell)
    monkeypatch.setattr(commands, "_say", lines.append)
    assert commands._fetch_run(run, clusters) == 1
    assert "how tasks ended is not known" in lines[-2]
    assert "nothing is in the queue, and units 0-1 are missing" in lines[-1]
    assert f"the ends of {run.path}/logs/slurm-*.log" in lines[-1]
