"""The dry run, seen from outside: a process in the clone is asked, and watched."""

import json
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from ired_interp.preflight.check import CHECKS, Check, failed, not_checked
from ired_interp.preflight.ground import Ground
from ired_interp.preflight.weights import SUFFIXES

__all__ = ["DryRun", "Facts", "ask_probe"]

_MOST_SHOWN = 3
_IDS = [name for name, group in CHECKS.items() if group == "dry run"]


@dataclass
class Facts:
    """What the dry run learned for checks that are made elsewhere; filled while it goes on.

    Attributes:
        known: By name, as the probe says them.
        done: Set when it has ended, well or not.
        process: The probe while it runs.
    """

    known: dict[str, Any] = field(default_factory=dict)
    done: threading.Event = field(default_factory=threading.Event)
    process: subprocess.Popen[bytes] | None = None

    def stop(self) -> None:
        """End the dry run if it still goes on, with all that it started."""
        if self.process is not None and self.process.poll() is None:
            _kill_group(self.process)
            self.process.wait()


@dataclass(frozen=True)
class DryRun:
    """What to start.

    Attributes:
        python: Words that start the interpreter of the environment.
        ground: The experiment.
        clone: Where the commit's files are; None for an experiment of an installed package.
        folder: For what is written, outside of the clone.
        threads: Of the numerics; None for the libraries' own choice.
        seconds: After which it is ended.
    """

    python: Sequence[str]
    ground: Ground
    clone: Path | None
    folder: Path
    threads: int | None = None
    seconds: float = 300.0


def ask_probe(dry_run: DryRun, facts: Facts) -> Iterator[Check]:
    """Start the probe and pass on what it says; what it did not reach is not checked.

    What passed is told at the end, in the order of the list: a call that fails in the report is
    found after every call of the unit was well.
    """
    found: dict[str, Check] = {}
    try:
        for check in _answers(dry_run, facts):
            if check.id == "memory":
                facts.known["out_of_memory"] = check
            elif check.id not in found or found[check.id].status == "pass":
                found[check.id] = check
                if check.status == "fail":
                    yield check
    finally:
        facts.done.set()
    stage = facts.known.get("stage", "the start")
    for name in _IDS:
        if name not in found:
            yield not_checked(name, f"the dry run ended before it, at: {stage}")
        elif found[name].status != "fail":
            yield found[name]


def _answers(dry_run: DryRun, facts: Facts) -> Iterator[Check]:
    dry_run.folder.mkdir(parents=True, exist_ok=True)
    question = dry_run.folder / "question.json"
    question.write_text(json.dumps(_question(dry_run)), encoding="utf-8")
    receiver, sender = os.pipe()
    words = [*dry_run.python, "-P", "-m", "ired_interp.preflight.probe", str(question), str(sender)]
    with tempfile.TemporaryFile(dir=dry_run.folder) as said, os.fdopen(receiver, "rb") as stream:
        process = subprocess.Popen(  # noqa: S603 - no shell
            words,
            cwd=dry_run.clone or dry_run.folder,
            env=_environment(dry_run),
            pass_fds=[sender],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
        facts.process = process
        os.close(sender)
        late = threading.Event()
        timer = threading.Timer(dry_run.seconds, _end, (process, late))
        timer.start()
        ended = False
        try:
            for line in stream:
                try:
                    answer = json.loads(line)
                except ValueError:  # cut short: it was killed in the middle
                    break
                if "facts" in answer:
                    facts.known |= answer["facts"]
                elif "check" in answer:
                    yield Check(**{**answer["check"], "seconds": answer["seconds"]})
                ended = "end" in answer
                if ended:
                    break
            code = process.wait()  # unless it hangs at its end, which the timer ends
        finally:
            timer.cancel()
            # Also what the author's code left behind in the background.
            _kill_group(process)
            process.wait()
        if not ended:
            yield _broken(code, _tail(said), dry_run, facts, late=late.is_set())


def _broken(code: int, said: Sequence[str], dry_run: DryRun, facts: Facts, *, late: bool) -> Check:
    """Why the probe ended without an end."""
    stage = facts.known.get("stage", "starting Python")
    shown = " | ".join(said) or "it printed nothing"
    if late:
        return failed(
            "dry_run",
            f"still busy after {dry_run.seconds:.0f} s, at: {stage}; {shown}",
            "one problem at one level within that time",
            "give the experiment a method smallest(config) with less to do, or --skip dry_run",
        )
    if code == -signal.SIGKILL:
        return failed(
            "memory",
            f"the dry run was killed at: {stage}, as the kernel does where memory runs out",
            "one problem at one level that fits this machine",
            "ask for less at a time, or run the preflight on a larger machine",
        )
    if "stage" not in facts.known:
        return failed(
            "environment",
            f"the probe cannot start: {said[-1] if said else f'exit code {code}'}",
            "an environment with ired-interp (with its preflight) and what it needs",
            "add ired-interp to the requirements; commit the version that you run",
        )
    how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return failed(
        "dry_run",
        f"the process ended with {how} at: {stage}; {shown}",
        "a process that goes on to the report",
        "see the last lines; a crash in a library is often a wrong build of it",
    )


def _question(dry_run: DryRun) -> Mapping[str, Any]:
    ground, parts = dry_run.ground, dry_run.ground.parts
    data = list(parts.data) if parts is not None else []
    return {
        "reference": ground.source.reference,
        "project": None if ground.built_in else str(dry_run.clone),
        "clone": None if dry_run.clone is None else str(dry_run.clone),
        "work_tree": None if ground.root is None else str(ground.root),
        "words": dict(ground.words),
        "imports": [asdict(one) for one in parts.imports] if parts is not None else [],
        "weights": [name for name in data if name.endswith(SUFFIXES)],
        "folder": str(dry_run.folder),
        "files": {text: str(path) for text, path in ground.by_content.items()},
    }


def _environment(dry_run: DryRun) -> dict[str, str]:
    """Of a job: no path of Python's but the clone's own, and no GPU."""
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    kept |= {"CUDA_VISIBLE_DEVICES": "", "MPLBACKEND": "Agg", "PYTHONDONTWRITEBYTECODE": "1"}
    if dry_run.threads is not None:
        kept["OMP_NUM_THREADS"] = str(dry_run.threads)
    if dry_run.ground.built_in and dry_run.clone is not None:
        kept["PYTHONPATH"] = str(dry_run.clone / "src")
    return kept


def _end(process: subprocess.Popen[bytes], late: threading.Event) -> None:
    """Ask for where it is, then end it."""
    late.set()
    with_trace = getattr(signal, "SIGABRT", signal.SIGTERM)  # faulthandler prints the frames
    process.send_signal(with_trace)
    try:
        process.wait(2)
    except subprocess.TimeoutExpired:
        _kill_group(process)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _tail(said: IO[bytes]) -> list[str]:
    said.seek(0)
    lines = said.read().decode("utf-8", "replace").splitlines()
    telling = [line.strip() for line in lines if line.strip()]
    frames = [line for line in telling if line.startswith("File ")]
    return (frames or telling)[:_MOST_SHOWN] if frames else telling[-_MOST_SHOWN:]
