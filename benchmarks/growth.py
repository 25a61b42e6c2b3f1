"""How time and memory of 25 eigenpairs grow with d, with the number of points, and with cores.

    python benchmarks/growth.py [--jax-python PYTHON] [--figure docs/images/growth.svg]

The energy is IRED's network with initial weights, dim_x = dim_y = d, in float32. Ours asks for the
20 largest eigenvalues by magnitude and the 5 lowest (fewer where d is smaller); the peers compute
what they can: all d, by torch.func.hessian point by point and by JAX's jitted Hessian in batches of
5, each with an eigh. Every measurement is a process of its own, warmed up on the first points; one
that takes longer than a minute is left out, and so are larger ones of its kind. Wall seconds, and
the growth of the peak resident size while it works.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from rich.console import Console

import ired_interp as ii
from ired_interp.energy.mlp import EnergyMLP

DIMS = (16, 64, 256, 1024, 4096)
COUNTS = (1, 10, 100, 1000, 10_000)
FIXED_COUNT, FIXED_DIM = 10, 64
TIMEOUT = 90
LONGEST = 60.0
POOLS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
METHODS = {"ired-interp": "#0072b2", "torch.func loop": "#d55e00", "JAX dense": "#009e73"}


def peak_bytes() -> int:
    """Largest resident size of this process so far."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


def ours(model: EnergyMLP, x: torch.Tensor, y: torch.Tensor) -> None:
    """`ii.curvature.spectrum` of both ends."""
    d = y.shape[1]
    land = ii.Landscape(model, x, level=5)
    ii.curvature.spectrum(land, y, top=min(20, d), bottom=min(5, d), vectors=False, index=False)


def loop(model: EnergyMLP, x: torch.Tensor, y: torch.Tensor) -> None:
    """torch.func.hessian and eigh."""
    t = torch.tensor([model.schedule.timestep(5)])
    for i in range(y.shape[0]):
        hessian = torch.func.hessian(lambda z, i=i: model.energy(x[i : i + 1], z[None], t)[0])(y[i])
        torch.linalg.eigh(hessian)


def measure(method: str, dim: int, count: int, cores: int) -> dict[str, float]:
    """Time and memory of one torch method in this process."""
    torch.set_num_threads(cores)
    draws = torch.Generator().manual_seed(0)
    model = EnergyMLP(dim, dim).initialise(draws).requires_grad_(requires_grad=False)
    x, y = (torch.randn(count, dim, generator=draws) for _ in range(2))
    run: Callable[..., None] = ours if method == "ired-interp" else loop
    run(model, x[:2], y[:2])
    before, begin = peak_bytes(), time.perf_counter()
    run(model, x, y)
    return {"seconds": time.perf_counter() - begin, "bytes": peak_bytes() - before}


def write_jax_problem(path: Path, dim: int, count: int) -> None:
    """The same network and points for `jax_spectra.py`."""
    draws = torch.Generator().manual_seed(0)
    model = EnergyMLP(dim, dim).initialise(draws)
    x, y = (torch.randn(count, dim, generator=draws).numpy() for _ in range(2))
    arrays = {k: v.detach().numpy() for k, v in model.state_dict().items()}
    features = model.time_mlp[0](torch.arange(model.schedule.num_levels)).numpy()
    np.savez(path, x=x, y=y, t=np.full(count, 5), features=features, **arrays)


def outside(method: str, dim: int, count: int, cores: int, jax_python: str) -> dict[str, float]:
    """One measurement in a process of its own; empty if it took too long."""
    environment = os.environ | dict.fromkeys(POOLS, str(cores))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.npz"
        if method == "JAX dense":
            problem = Path(folder) / "problem.npz"
            write_jax_problem(problem, dim, count)
            script = str(Path(__file__).with_name("jax_spectra.py"))
            command = [jax_python, script, str(problem), str(out), "dense", "float32", "1"]
        else:
            command = [sys.executable, __file__, "--one", method, str(dim), str(count), str(cores)]
        # Pinned by the system's own tool: JAX sizes its pool by the cores that it sees.
        command = ["taskset", "-c", "0" if cores == 1 else f"0-{cores - 1}", *command]
        try:
            done = subprocess.run(  # noqa: S603 - our own scripts
                command, check=True, env=environment, capture_output=True, timeout=TIMEOUT
            )
        except subprocess.TimeoutExpired:
            return {}
        if method == "JAX dense":
            found = np.load(out)
            return {"seconds": float(found["wall"].min()), "bytes": float(found["growth"])}
        result: dict[str, float] = json.loads(done.stdout)
        return result


def sweep(jax_python: str, console: Console) -> list[dict[str, float | str]]:
    """All measurements, smaller ones first."""
    rows: list[dict[str, float | str]] = []
    cases = [("d", d, FIXED_COUNT) for d in DIMS] + [("points", FIXED_DIM, n) for n in COUNTS]
    for method in METHODS:
        if method == "JAX dense" and not jax_python:
            continue
        for cores in (1, 2):
            too_long = {"d": False, "points": False}
            for axis, dim, count in cases:
                if too_long[axis]:
                    continue
                found = outside(method, dim, count, cores, jax_python)
                too_long[axis] = not found or 4 * found["seconds"] > LONGEST
                if found:
                    row = {"method": method, "cores": cores, "axis": axis, "d": dim}
                    rows.append({**row, "points": count, **found})
                    console.print(rows[-1])
    return rows


def draw(rows: list[dict[str, float | str]], path: Path) -> None:
    """Time and memory against d and against the number of points."""
    figure, axes = plt.subplots(2, 2, figsize=(9, 6), sharex="col", layout="constrained")
    for column, axis in enumerate(("d", "points")):
        for method, colour in METHODS.items():
            for cores, style in ((1, "-"), (2, "--")):
                some = [
                    r for r in rows if (r["method"], r["cores"], r["axis"]) == (method, cores, axis)
                ]
                x = [r[axis] for r in some]
                label = f"{method}, {cores} core{'s' * (cores - 1)}"
                seconds, mega = (
                    [float(r["seconds"]) for r in some],
                    [float(r["bytes"]) / 1e6 for r in some],
                )
                axes[0, column].loglog(
                    x, seconds, style, color=colour, marker="o", ms=3, label=label
                )
                axes[1, column].loglog(
                    x, np.maximum(mega, 0.1), style, color=colour, marker="o", ms=3
                )
    axes[0, 0].set(ylabel="wall seconds", title=f"{FIXED_COUNT} points")
    axes[0, 1].set(title=f"d = {FIXED_DIM}")
    axes[1, 0].set(ylabel="growth of memory, MB", xlabel="d")
    axes[1, 1].set(xlabel="points")
    axes[0, 0].legend(fontsize=7)
    for panel in axes.flat:
        panel.grid(alpha=0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def main() -> None:
    """Measure and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jax-python", default="")
    parser.add_argument("--figure", type=Path, default=Path("growth.svg"))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        method, *numbers = arguments.one
        sys.stdout.write(json.dumps(measure(method, *map(int, numbers))))
        return
    rows = sweep(arguments.jax_python, Console())
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    draw(rows, arguments.figure)


if __name__ == "__main__":
    main()
