"""What a work unit costs beside its own computation, here and on SLURM, and what asking costs.

    python benchmarks/unit_overhead.py [--units 100] [--slurm] [--submitit PYTHON]

An experiment of empty units is run in this process and in two workers. The stored results of an
EXP-001 are written and read, beside h5netcdf. With --slurm a real SLURM is
started on this machine (as root; see tests/cluster/daemons), the same units go there over ssh as an
array of one unit a task and as one task, and the questions of a polling round are timed. With
--submitit the interpreter of an environment that has submitit runs an array of empty functions on
the same daemons, and, where that environment has torch, an array of functions that import it, as
every unit does.
"""
# ruff: noqa: S603 - words of our own

import argparse
import gzip
import io
import json
import os
import subprocess
import sys
import tempfile
import time
import timeit
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import xarray as xr

from ired_interp.cluster.config import ClusterConfig
from ired_interp.cluster.ledger import read_ledger
from ired_interp.cluster.polling import ask_round, watch
from ired_interp.cluster.shell import open_shell
from ired_interp.cluster.submission import submit
from ired_interp.experiments import load, locate
from ired_interp.runs.execution import execute
from ired_interp.runs.netcdf import from_bytes, to_bytes
from ired_interp.runs.run import Run, plan_run

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "tests" / "golden" / "data" / "results"
DAEMONS = ROOT / "tests" / "cluster" / "daemons"

EMPTY = """
from dataclasses import dataclass

import xarray as xr


@dataclass(frozen=True, kw_only=True)
class EmptyConfig:
    num_units: int = 1


class Empty:
    name = "empty"
    Config = EmptyConfig
    hypotheses = ()
    figures = ()

    def units(self, config):
        return config.num_units

    def run_unit(self, config, index):
        return xr.Dataset({"nothing": ("problem", [float(index)])}, coords={"problem": [index]})
"""

SUBMITIT = """
import importlib.util, subprocess, sys, time
import submitit


def with_torch(number):
    import torch
    return number


folder, count = sys.argv[1], int(sys.argv[2])
executor = submitit.AutoExecutor(folder=folder)
executor.update_parameters(timeout_min=5, mem_gb=0.5, slurm_array_parallelism=8)
functions = [abs] + [with_torch] * (importlib.util.find_spec("torch") is not None)
for function in functions:
    begin = time.monotonic()
    jobs = executor.map_array(function, list(range(count)))
    name = jobs[0].job_id.split("_")[0]
    words = ["squeue", "-h", "-j", name]
    while subprocess.run(words, capture_output=True, text=True).stdout.strip():
        time.sleep(0.5)
    print("took", time.monotonic() - begin)
"""


def planned(project: Path, name: str, units: int) -> Run:
    """A run of so many empty units."""
    source = locate(str(project / "empty.py"))
    experiment = load(source)
    config = experiment.Config(num_units=units)
    return plan_run(experiment, config, project.parent / "runs" / name, source=source)


def line(what: str, seconds: float, units: int) -> None:
    """One row of the result."""
    print(f"{what:58} {seconds:8.2f} s   {1000 * seconds / units:9.1f} ms a unit", flush=True)


def here(project: Path, units: int) -> None:
    """In this process, and in two workers."""
    for workers in (1, 2):
        run = planned(project, f"workers-{workers}", units)
        begin = time.monotonic()
        execute(run, workers=workers)
        line(
            f"{workers} process{'es' * (workers > 1)}, {units} units",
            time.monotonic() - begin,
            units,
        )


def storage() -> None:
    """Results of EXP-001, written to bytes and read from them: ours, and xarray with h5netcdf."""
    content = gzip.decompress((RESULTS / "exp001.h5.gz").read_bytes())
    tree = from_bytes(content)
    groups = {node.path: node.to_dataset() for node in tree.subtree}

    def write_beside() -> None:
        tree.to_netcdf(io.BytesIO(), engine="h5netcdf")

    def read_beside() -> None:
        with xr.open_datatree(io.BytesIO(content), engine="h5netcdf") as data:
            data.load()

    ways: tuple[tuple[str, Callable[[], object], Callable[[], object]], ...] = (
        ("written", lambda: to_bytes(groups), write_beside),
        ("read", lambda: from_bytes(content), read_beside),
    )
    for name, ours, beside in ways:
        took = [min(timeit.repeat(way, number=1, repeat=3)) for way in (ours, beside)]
        ratio = took[1] / took[0]
        print(
            f"results {name}: {took[0]:.2f} s, h5netcdf {took[1]:.2f} s, {ratio:.1f} times as long"
        )


def on_slurm(project: Path, folder: Path, units: int, submitit: Path | None) -> None:
    """Over ssh, on daemons that are started and stopped."""
    start = [sys.executable, str(DAEMONS / "start_slurm.py"), str(folder)]
    where = json.loads(subprocess.run(start, check=True, capture_output=True, text=True).stdout)
    ssh = ["ssh", "-F", where["ssh_config"]]
    try:
        subprocess.run([*ssh, "-fNM", "cluster"], check=True)
        config = ClusterConfig(
            name="bench",
            host="cluster",
            ssh_config=where["ssh_config"],
            root=str(project.parent / "cluster"),
            environment=sys.prefix,
            memory_mib=500,
            time_minutes=30,
            max_parallel=8,
        )
        (project.parent / "cluster").mkdir()
        shell = open_shell(config)
        for name, each in (("one unit a task", 1), ("all units in one task", units)):
            run = planned(project, name, units)
            begin = time.monotonic()
            submit(
                run,
                shell,
                replace(config, units_per_task=each),
                canary=False,
                allow_unpushed=True,
            )
            line(f"  submit, {name}", time.monotonic() - begin, units)
            watch(
                run.path,
                shell,
                seconds=None,
                say=lambda _: None,
                sleep=lambda _: time.sleep(0.5),
            )
            line(f"SLURM, {name}, to the last", time.monotonic() - begin, units)
            begin = time.monotonic()
            state = ask_round(shell, read_ledger(run.path))
            asked = 1000 * (time.monotonic() - begin)
            print(f"  a polling round about {len(state.ended)} tasks over ssh: {asked:.0f} ms")
        if submitit is not None:
            conf = {**os.environ, "SLURM_CONF": where["slurm_conf"]}
            words = [str(submitit), "-c", SUBMITIT, str(project.parent / "submitit"), str(units)]
            done = subprocess.run(words, check=True, capture_output=True, text=True, env=conf)
            taken = [
                float(words[1])
                for words in map(str.split, done.stdout.splitlines())
                if words[:1] == ["took"]
            ]
            names = ("an empty function a task", "a function that imports torch a task")
            for name, seconds in zip(names, taken, strict=False):
                line(f"submitit, {name}, to the last", seconds, units)
    finally:
        subprocess.run([*ssh, "-O", "exit", "cluster"], check=False, capture_output=True)
        stop = [sys.executable, str(DAEMONS / "stop_slurm.py"), str(folder), "--clear"]
        subprocess.run(stop, check=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--units", type=int, default=100)
    parser.add_argument("--slurm", action="store_true")
    parser.add_argument("--submitit", type=Path, metavar="PYTHON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        project = Path(name) / "project"
        project.mkdir()
        (project / "empty.py").write_text(EMPTY, encoding="utf-8")
        git = ["git", "-C", str(project), "-c", "user.name=b", "-c", "user.email=b@example.org"]
        for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "Empty"]):
            subprocess.run([*git, *words], check=True)
        here(project, options.units)
        storage()
        if options.slurm:
            on_slurm(project, Path(name) / "d", options.units, options.submitit)


if __name__ == "__main__":
    main()
