"""Runs in processes of their own that are killed at random moments, resumed and compared."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import xarray as xr

import ired_interp as ii
import tiny

SECONDS = 240
HERE = Path(__file__).parent
What = Literal["waiting", "exp001"]
_WORDS = {
    "waiting": "run waiting_experiment.py --units 12 --seconds 0.1",
    "exp001": (
        "run exp001 --model m.safetensors --problems 12 --unit-problems 2 --levels 1,10 "
        "--controls 1 --parts no --eigenvectors 0"
    ),
}


@dataclass(frozen=True)
class Undisturbed:
    """A run that nobody killed: what it found, and how long it took from its plan to its end."""

    path: Path
    seconds: float


def prepare(folder: Path) -> None:
    """A folder in which both experiments can be run."""
    shutil.copy(HERE / "waiting_experiment.py", folder)
    tiny.checkpoint(folder / "m.safetensors")


def start(words: str, folder: Path, **variables: str) -> subprocess.Popen[str]:
    """The command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "ired_interp.cli", *words.split()],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "200"} | variables,
        text=True,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code and standard error."""
    _, said = process.communicate(timeout=SECONDS)
    return process.returncode, said


def wait_for(done_fn: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Look every few milliseconds; that the process ends before is an error."""
    begin = time.monotonic()
    while not done_fn():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() - begin < SECONDS
        time.sleep(0.002)


def wait_for_plan(run: Path, process: subprocess.Popen[str]) -> float:
    """When the run folder appeared."""
    wait_for((run / "run.json").exists, process)
    return time.monotonic()


def undisturbed(what: What, folder: Path) -> Undisturbed:
    """Run it to its end, in a process of its own."""
    process = start(f"{_WORDS[what]} --out whole-{what}", folder)
    begin = wait_for_plan(folder / f"whole-{what}", process)
    code, said = finish(process)
    assert code == 0, said
    return Undisturbed(folder / f"whole-{what}", time.monotonic() - begin)


def kill_and_resume(what: What, whole: Undisturbed, folder: Path, seed: int) -> str:
    """Kill a run at a moment drawn from the seed, resume it, compare all data; what was done.

    Every third seed has two workers, and a worker or the parent is killed.
    """
    draw = random.Random(seed)  # noqa: S311 - no secret
    workers = 2 if seed % 3 == 2 else 1
    out = f"killed-{what}-{seed}"
    shutil.rmtree(folder / out, ignore_errors=True)
    process = start(f"{_WORDS[what]} --workers {workers} --out {out}", folder)
    wait_for_plan(folder / out, process)
    after = draw.uniform(0.0, whole.seconds)
    time.sleep(after)
    victims = [process.pid, *_children(process.pid)]
    victim = draw.choice(victims)
    try:
        os.kill(victim, signal.SIGKILL)
    except ProcessLookupError:  # it was faster
        victim = 0
    code, _ = finish(process)
    done = len(list((folder / out / "shards").glob("*.h5")))
    collated = (folder / out / "results.h5").exists()
    resumed, said = finish(start(f"resume {out} --workers {workers}", folder))
    assert resumed == 0, said
    assert_same(folder / out, whole.path)
    who = "nothing" if not victim else "the parent" if victim == process.pid else "a worker"
    return (
        f"{what}, {workers} worker(s), seed {seed}: {who} killed after {after:.2f} s with {done} "
        f"units done{' and collated' * collated}, exit code {code}; resumed to the same data"
    )


def assert_same(one: Path, other: Path) -> None:
    """The same bytes in each shard, the same variables in the results."""
    shards = sorted(path.name for path in (other / "shards").glob("*.h5"))
    assert sorted(path.name for path in (one / "shards").glob("*.h5")) == shards
    for name in shards:
        found, expected = ((run / "shards" / name).read_bytes() for run in (one, other))
        assert found == expected, f"{one / 'shards' / name} differs"
    found_tree, expected_tree = (ii.open_run(run).tree for run in (one, other))
    paths = [node.path for node in expected_tree.subtree]
    assert [node.path for node in found_tree.subtree] == paths
    for path in paths:
        xr.testing.assert_identical(
            found_tree[path].to_dataset().drop_attrs(deep=False),
            expected_tree[path].to_dataset().drop_attrs(deep=False),
        )


def _children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(word) for word in path.read_text().split()] if path.exists() else []
