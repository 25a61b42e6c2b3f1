"""Workers of SLURM tasks that are killed at random moments; the run is finished and compared."""

import random
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ired_interp import api
from ired_interp.cluster import slurm
from ired_interp.cluster.ledger import read_ledger
from ired_interp.cluster.polling import Round, watch
from ired_interp.cluster.submission import submit
from ired_interp.runs.run import Run, open_run
from slurm_here import Here, numbers, until

__all__ = ["KILLS", "followed", "kill_and_submit_again", "undisturbed"]

# Of one run: so many tasks, each killed once.
KILLS = 5
_SECONDS = 8.0


def kill_and_submit_again(here: Here, seed: int) -> tuple[int, ...]:
    """Kill five workers at moments drawn from the seed, finish the run; the units lost."""
    gate = here.root / f"kill-gate-{seed}"
    run = here.plan(f"killed {seed}", num_units=KILLS, gated=KILLS, gate=gate)
    draws = random.Random(seed)  # noqa: S311 - the same moments every time
    moments = [draws.uniform(0.0, _SECONDS) for _ in range(KILLS)]
    assert submit(run, here.shell(), here.config(), canary=False).units == tuple(range(KILLS))
    names = read_ledger(run.path)[0].names
    (job,) = read_ledger(run.path)[0].jobs
    until("all tasks run", lambda: len(_running(here, names)) == KILLS)
    nodes = {task.index: task.node for task in _running(here, names)}
    begin = time.monotonic()
    killed = 0
    for index, moment in sorted(enumerate(moments), key=lambda pair: pair[1]):
        time.sleep(max(0.0, begin + moment - time.monotonic()))
        killed += _kill_worker(here, f"{job}_{index}", nodes[index])
        if index == KILLS // 2:
            gate.touch()  # some are killed while they compute, some while they write or end
    end = followed(here, run)
    # accounting shows a script's own code 137 as 9
    seen = [task for task in end.ended if task.exit_code in (9, 137)]
    done = numbers(list((here.far(run) / "shards").glob("unit-*.h5")))
    assert len(end.ended) == KILLS
    assert len(seen) + len(done) >= KILLS
    again = submit(run, here.shell(), replace(here.config(), units_per_task=KILLS))
    followed(here, run)
    assert here.ired("fetch", run.path) == 0
    assert run.results_path.read_bytes() == undisturbed(run, gate)
    _tell(f"SLURM, seed {seed}: {killed} workers killed, {len(again.units)} units lost")
    return again.units


def followed(here: Here, run: Run) -> Round:
    """To the end, asking more often than is polite."""
    return watch(run.path, here.shell(), seconds=None, say=_tell, sleep=lambda _: time.sleep(1.0))


def undisturbed(run: Run, gate: Path | None = None) -> bytes:
    """results.h5 of the same plan, computed here."""
    copy = run.path.with_name(f"{run.path.name} here")
    copy.mkdir()
    shutil.copy(run.path / "run.json", copy)
    if gate is not None:
        gate.touch()
    return api.finish(open_run(copy)).results_path.read_bytes()


def _tell(line: str) -> None:
    """For whoever reads the output of a test that failed."""
    sys.stdout.write(f"{line}\n")


def _running(here: Here, names: Sequence[str]) -> list[slurm.QueuedTask]:
    return [t for t in slurm.queue_state(here.shell(), names) if t.state == "RUNNING"]


def _kill_worker(here: Here, task: str, node: str) -> int:
    """SIGKILL to the Python of a task, and to nothing else; how many there were."""
    number = here.slurm("squeue", "-h", "-j", task, "-o", "%A").strip()
    if not number:
        return 0
    listed = here.slurm("scontrol", "listpids", number, node).splitlines()[1:]
    killed = 0
    for pid in (line.split()[0] for line in listed):
        file = Path(f"/proc/{pid}/cmdline")
        words = file.read_bytes().split(b"\0") if pid.isdigit() and file.exists() else [b""]
        if words[0].endswith(b"/python") and b"ired_interp.cli" in words:
            killed += subprocess.run(["kill", "-KILL", pid], check=False).returncode == 0
    return killed
