"""What whole runs cost, as a user waits for them: processor seconds on one thread, part by part.

    python benchmarks/whole_run.py                  # all experiments by default, the page included
    python benchmarks/whole_run.py --only exp001    # one of them, beside its plain loop
    python benchmarks/whole_run.py --source DIR     # another checkout's code, by the same ruler

Each run is a process of its own: `ired-interp run EXPERIMENT`, with the model and the plan that it
has by default. Of EXP-001 the same process then makes the same Hessians in a plain loop, one by one
by `torch.func.hessian` and `numpy.linalg.eigvalsh`: of the model and every untrained draw, at one
point of each problem and level. User and system time count.
"""
# ruff: noqa: S603 - words of our own

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
EXPERIMENTS = ("exp001", "exp002", "exp004", "exp005", "exp006", "exp007", "exp011")
ASKED = {"exp001": {"model": "inverse-4", "problems": 20}}  # so that the loop has the same
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

# What the child process does; it must run on code of any age, so it names only what is public.
RUN = """
import json, os, sys, time
begin = time.process_time()
import numpy, torch, xarray
import ired_interp as ii
from ired_interp.experiments import load, locate
from ired_interp.experiments.config import config_from_mapping, config_to_mapping
from ired_interp.report.html import write_report
from ired_interp.runs.computing import compute_units
from ired_interp.runs.execution import collate_run
from ired_interp.runs.run import plan_run
from pathlib import Path

asked = json.loads(sys.argv[1])
parts, last = {}, begin
def done(name):
    global last
    now = time.process_time()
    parts[name], last = now - last, now

source = locate(asked["experiment"])
experiment = load(source)
done("imports")
config = config_from_mapping(experiment.Config, asked["config"])
run = plan_run(experiment, config, Path(asked["out"]), source=source)
done("plan")
compute_units(run, list(range(run.num_units)))
done("units")
collate_run(run)
done("results, summary, verdicts")
write_report(run)
done("page")
plan = config_to_mapping(run.config)
if asked["loop"]:
    task = ii.task("inverse", size=4)
    problems = task.sample(plan["problems"], seed=plan["seed"])
    model = ii.load_model("inverse-4")
    untrained = [ii.untrained_model(task, seed=i) for i in range(plan["controls"])]
    points = xarray.open_dataset(run.results_path, engine="h5netcdf")["y"].values
    done("(before the loop)")
    for network in (model, *untrained):
        network = network.double()
        for i in range(plan["problems"]):
            for j, level in enumerate(plan["levels"]):
                x = problems.x[i : i + 1].double()
                t = torch.tensor([network.schedule.timestep(level)])
                def energy(y):
                    return network.energy(x, y[None], t)[0]
                hessian = torch.func.hessian(energy)(torch.from_numpy(points[i, j]))
                numpy.linalg.eigvalsh(hessian.detach().numpy())
    done("plain loop")
print(json.dumps({"parts": parts, "plan": plan, "units": run.num_units}))
"""


@dataclass(frozen=True)
class Measured:
    """A run: processor seconds by part, its plan, and in how many units."""

    parts: dict[str, float]
    plan: dict[str, Any]
    units: int


def measure(experiment: str, source: Path) -> Measured:
    """One run of a checkout's code."""
    with tempfile.TemporaryDirectory() as folder:
        asked = {
            "experiment": experiment,
            "out": f"{folder}/run",
            "config": ASKED.get(experiment, {}),
            "loop": experiment == "exp001",
        }
        done = subprocess.run(
            [sys.executable, "-c", RUN, json.dumps(asked)],
            env=os.environ | ONE_THREAD | {"PYTHONPATH": str(source / "src")},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise SystemExit(f"{experiment}: {done.stderr[-2000:]}")
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


def report(experiment: str, found: Measured) -> None:
    """Print what was measured, a part a line."""
    parts = dict(found.parts)
    loop = parts.pop("plain loop", None)
    parts.pop("(before the loop)", None)
    words = " ".join(
        f"{k}={v}" for k, v in found.plan.items() if v is not None and "sha256" not in k
    )
    print(f"{experiment}: {sum(parts.values()):.1f} s in {found.units} units; {words}")
    for name, seconds in parts.items():
        print(f"    {seconds:7.1f} s  {name}")
    if loop is not None:
        print(f"    {loop:7.1f} s  a plain loop over as many Hessians")
        print(f"    {sum(parts.values()) / loop:7.2f}    of that loop")
    sys.stdout.flush()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="*", default=EXPERIMENTS, choices=EXPERIMENTS)
    parser.add_argument("--source", type=Path, default=ROOT, help="checkout to measure")
    options = parser.parse_args()
    for experiment in options.only:
        report(experiment, measure(experiment, options.source.resolve()))


if __name__ == "__main__":
    main()
