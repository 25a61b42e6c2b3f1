"""EXP-001's work at dim 400: all eigenpairs at 20 problems x 5 levels, ours beside a plain loop.

    python benchmarks/exp001_spectra.py [--problems 20] [--size 20] [--repeats 3]

Each method runs in a process of its own with one thread; times are the smallest of the repeats
after one warm-up on a single problem, in process CPU seconds and in wall seconds. Memory is the
growth of the process's peak resident size over what it held before the first repeat. The plain
loop is ``torch.func.hessian`` of the same network's energy and ``torch.linalg.eigh``, one point at
a time; the eigenvalues of the two must agree, or the script fails.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

import ired_interp as ii
from ired_interp.energy.mlp import EnergyMLP

LEVELS = (1, 3, 5, 7, 10)
DTYPES = {"float32": torch.float32, "float64": torch.float64}
AGREEMENT = {"float32": 1e-5, "float64": 1e-12}


def ours(model: EnergyMLP, x: Tensor, y: Tensor) -> Tensor:
    """Eigenvalues by `ired_interp.curvature.spectrum`."""
    spectra = [ii.curvature.spectrum(ii.Landscape(model, x, level), y) for level in LEVELS]
    return torch.stack([s.eigenvalues for s in spectra], dim=1)


def plain_loop(model: EnergyMLP, x: Tensor, y: Tensor) -> Tensor:
    """Eigenvalues by torch.func.hessian and eigh, point by point."""
    rows = []
    for i in range(x.shape[0]):
        values = []
        for level in LEVELS:
            t = torch.tensor([model.schedule.timestep(level)])

            def energy(point: Tensor, i: int = i, t: Tensor = t) -> Tensor:
                return model.energy(x[i : i + 1], point[None], t)[0]

            values.append(torch.linalg.eigh(torch.func.hessian(energy)(y[i]))[0])
        rows.append(torch.stack(values))
    return torch.stack(rows)


METHODS: dict[str, Callable[[EnergyMLP, Tensor, Tensor], Tensor]] = {
    "ired-interp": ours,
    "torch.func.hessian + eigh loop": plain_loop,
}


def peak_bytes() -> int:
    """Peak resident size of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def work(method: str, dtype: str, num_problems: int, size: int, repeats: int) -> None:
    """Time one method in this process and print the figures as JSON."""
    torch.set_num_threads(1)
    model = ii.untrained_model("inverse", size, seed=0, dtype=DTYPES[dtype])
    problems = ii.task("inverse", size).sample(num_problems, seed=0, dtype=DTYPES[dtype])
    fn = METHODS[method]
    fn(model, problems.x[:1], problems.y[:1])
    before = peak_bytes()
    cpu, wall = [], []
    for _ in range(repeats):
        cpu_begin, wall_begin = time.process_time(), time.perf_counter()
        values = fn(model, problems.x, problems.y)
        cpu.append(time.process_time() - cpu_begin)
        wall.append(time.perf_counter() - wall_begin)
    figures = {
        "cpu": min(cpu),
        "wall": min(wall),
        "growth": peak_bytes() - before,
        "peak": peak_bytes(),
        "eigenvalues": values[0].tolist(),
    }
    sys.stdout.write(json.dumps(figures))


def gemm_rate(dtype: torch.dtype) -> float:
    """GFLOP/s of a 512 x 512 x 400 product on one thread, the best of 20."""
    a, b = torch.randn(512, 512, dtype=dtype), torch.randn(512, 400, dtype=dtype)
    best = float("inf")
    for _ in range(20):
        begin = time.perf_counter()
        torch.mm(a, b)
        best = min(best, time.perf_counter() - begin)
    return 2 * 512 * 512 * 400 / best / 1e9


def main() -> None:
    """Run every method in both precisions and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", type=int, default=20)
    parser.add_argument("--size", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--worker", nargs=2, metavar=("METHOD", "DTYPE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        method, dtype = options.worker
        work(method, dtype, options.problems, options.size, options.repeats)
        return
    console = Console()
    torch.set_num_threads(1)
    dim = options.size**2
    table = Table(
        title=f"all {dim} eigenpairs at {options.problems} problems x {len(LEVELS)} levels"
    )
    for column in ("method", "dtype", "CPU s", "wall s", "ratio", "peak MB", "growth MB"):
        table.add_column(column, justify="left" if column == "method" else "right")
    for dtype in DTYPES:
        figures = {}
        for method in METHODS:
            with console.status(f"{method}, {dtype}"):
                figures[method] = measure(method, dtype, options)
        first, second = (torch.tensor(figures[m]["eigenvalues"]) for m in METHODS)
        gap = float((first - second).abs().max() / first.abs().max())
        if not gap <= AGREEMENT[dtype]:
            sys.exit(f"{dtype}: the eigenvalues differ by {gap:.1e} of the largest")
        base = figures["ired-interp"]["cpu"]
        for method, figure in figures.items():
            table.add_row(
                method,
                dtype,
                f"{figure['cpu']:.2f}",
                f"{figure['wall']:.2f}",
                f"{figure['cpu'] / base:.2f}",
                f"{figure['peak'] / 1e6:.0f}",
                f"{figure['growth'] / 1e6:.0f}",
            )
    console.print(table)
    rates = ", ".join(f"{gemm_rate(DTYPES[d]):.0f} GFLOP/s in {d}" for d in DTYPES)
    console.print(f"512 x 512 x 400 product on one thread: {rates}; torch {torch.__version__}")


def measure(method: str, dtype: str, options: argparse.Namespace) -> dict[str, float]:
    """One method in a process of its own."""
    sizes = [f"--{name}={getattr(options, name)}" for name in ("problems", "size", "repeats")]
    done = subprocess.run(  # noqa: S603 - this very script, no shell
        [sys.executable, __file__, *sizes, "--worker", method, dtype],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stderr)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


if __name__ == "__main__":
    main()
