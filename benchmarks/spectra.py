"""Spectra of 100 Hessians of 400 x 400: ours beside plain torch and JAX, on two kinds of spectra.

    python benchmarks/spectra.py [--jax-python PYTHON] [--repeats 5] [--json FILE]

The work is EXP-001's: 20 inverse problems of size 20 at timesteps 1, 3, 5, 7 and 9, all five at
the same y. `init` has PyTorch's initial weights: its extreme eigenvalues stand apart. `trained` has
1,500 denoising steps, a stand-in until a model of that size ships: its largest 20 eigenvalues lie
within 3 %. ``25`` are the 20 largest by magnitude and the 5 lowest, ``all`` are all 400.

Each method runs in a process of its own, on one core, with one thread. Times are process CPU
seconds, least and median of the repeats after one warm-up; memory is the growth of the peak
resident size during the repeats. Errors are against float64 eigenvalues by torch.func.hessian and
eigh, as a share of the largest, and of the 25 also of each. Where ours are large, the script fails.
JAX needs an interpreter that has jax and matfree; without one its rows are left out. matfree is
told how many dimensions its spaces need (90 and 260): it has no stopping test.
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
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

import ired_interp as ii
from ired_interp.curvature.ends import Ends
from ired_interp.energy.mlp import EnergyMLP
from ired_interp.tasks import Task

TIMESTEPS = (1, 3, 5, 7, 9)
TOP, BOTTOM = 20, 5
TRAIN_STEPS = 1500
ALLOWED = {"float32": 1e-5, "float64": 1e-9}
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
DIMENSIONS = {"init": 90, "trained": 260}
Request = dict[str, Any]
ENDS: Request = {"top": TOP, "bottom": BOTTOM}

OURS: dict[str, tuple[str, Request]] = {
    "ours, 25, float32": ("float32", {**ENDS, "index": False}),
    "ours, 25, float32, Morse index": ("float32", ENDS),
    "ours, 25, float64, tol 2e-6": ("float64", {**ENDS, "tol": 2e-6, "index": False}),
    "ours, 25, float64": ("float64", {**ENDS, "index": False}),
    "ours, all, float32": ("float32", {"index": False}),
    "ours, all, float32, Morse index": ("float32", {}),
    "ours, all, float64": ("float64", {"index": False}),
    "ours, all, float64, Morse index": ("float64", {}),
}
LOOPS = {"torch.func loop, all, float32": "float32", "torch.func loop, all, float64": "float64"}
JAX = {
    "JAX dense, all, float32": ("dense", "float32"),
    "JAX dense, all, float64": ("dense", "float64"),
    "JAX + matfree, 25, float32": ("krylov", "float32"),
}


def peak_bytes() -> int:
    """Largest resident size of this process so far."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


def make_problem(path: Path, spectrum: str, size: int, num_problems: int) -> None:
    """Weights and points, as arrays that any interpreter reads."""
    task = ii.task("inverse", size=size)
    model = EnergyMLP(task.dim_x, task.dim_y).initialise(torch.Generator().manual_seed(0))
    if spectrum == "trained":
        denoise(model, task)
    problems = task.sample(num_problems, seed=7)
    arrays = {k: v.detach().numpy() for k, v in model.state_dict().items()}
    steps = torch.arange(model.schedule.num_levels)
    repeated = {"x": problems.x, "y": problems.y}
    arrays |= {k: v.repeat_interleave(len(TIMESTEPS), 0).numpy() for k, v in repeated.items()}
    arrays["t"] = np.tile(np.array(TIMESTEPS), num_problems)
    arrays["features"] = model.time_mlp[0](steps).numpy()
    np.savez(path, **arrays)


def denoise(model: EnergyMLP, task: Task) -> None:
    """A short training without the contrastive term."""
    schedule = model.schedule
    optimiser = torch.optim.Adam(model.parameters(), 1e-4)
    draws = torch.Generator().manual_seed(0)
    pool = task.sample(20_000, seed=1, dtype=torch.float32)
    for _ in range(TRAIN_STEPS):
        rows = torch.randint(0, 20_000, (256,), generator=draws)
        t = torch.randint(0, schedule.num_levels, (256,), generator=draws)
        noise = torch.randn(256, task.dim_y, generator=draws)
        signal, sigma = (
            schedule.at(s, t)[:, None].float() for s in (schedule.signal, schedule.sigma)
        )
        noisy = signal * pool.y[rows] + sigma * noise
        _, gradient = model.energy_and_gradient(pool.x[rows], noisy, t)
        loss = (gradient - noise).square().mean()
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()


def load(path: Path, dtype: str) -> tuple[EnergyMLP, Tensor, Tensor, Tensor]:
    """The model, x, y and t of a problem."""
    data = np.load(path)
    model = EnergyMLP(data["x"].shape[1], data["y"].shape[1])
    model.load_state_dict({k: torch.from_numpy(data[k]) for k in data.files if "." in k})
    kind = getattr(torch, dtype)
    x, y = (torch.from_numpy(data[k]).to(kind) for k in "xy")
    model.to(kind).requires_grad_(requires_grad=False)
    return model, x, y, torch.from_numpy(data["t"])


def our_method(path: Path, dtype: str, request: Request) -> Callable[[int], dict[str, Any]]:
    """`ii.curvature.spectrum` at the first so many points, eigenvectors not kept."""
    model, x, y, t = load(path, dtype)
    request = {k: min(v, y.shape[1]) if k in ENDS else v for k, v in request.items()}

    def run(count: int) -> dict[str, Any]:
        land = ii.Landscape(model, x[:count], model.schedule.num_levels - t[:count])
        found = ii.curvature.spectrum(land, y[:count], vectors=False, **request)
        residuals = (found.residuals / found.norm[:, None]).amax()
        return {
            "values": found.eigenvalues.numpy(),
            "residual": float(residuals),
            "radius": float((found.radii / found.norm[:, None]).amax()),
            "route": found.routes[0],
            "products": float(found.num_products.double().mean()),
        }

    return run


def loop_method(path: Path, dtype: str) -> Callable[[int], dict[str, Any]]:
    """torch.func.hessian and eigh, one point at a time."""
    model, x, y, t = load(path, dtype)

    def run(count: int) -> dict[str, Any]:
        rows = []
        for i in range(count):
            hessian = torch.func.hessian(
                lambda z, i=i: model.energy(x[i : i + 1], z[None], t[i : i + 1])[0]
            )(y[i])
            rows.append(torch.linalg.eigh(hessian)[0])
        return {"values": torch.stack(rows).numpy(), "route": "dense"}

    return run


def measure(name: str, path: Path, repeats: int, out: Path) -> None:
    """Run one torch method in this process."""
    torch.set_num_threads(1)
    run = our_method(path, *OURS[name]) if name in OURS else loop_method(path, LOOPS[name])
    num_points = len(np.load(path)["t"])
    run(len(TIMESTEPS))
    before, cpu, wall = peak_bytes(), [], []
    found: dict[str, Any] = {}
    for _ in range(repeats):
        begin, clock = time.process_time(), time.perf_counter()
        found = run(num_points)
        cpu.append(time.process_time() - begin)
        wall.append(time.perf_counter() - clock)
    np.savez(out, cpu=cpu, wall=wall, growth=peak_bytes() - before, **found)


def gemm_rate(dtype: str) -> float:
    """GF/s of a 512 x 512 by 512 x 400 product, by CPU time."""
    a, b = (
        torch.ones(512, 512, dtype=getattr(torch, dtype)),
        torch.ones(512, 400).to(getattr(torch, dtype)),
    )
    times = []
    for _ in range(10):
        begin = time.process_time()
        for _ in range(10):
            a @ b
        times.append((time.process_time() - begin) / 10)
    return 2 * 512 * 512 * 400 / min(times) / 1e9


def errors(values: Tensor, exact: Tensor) -> tuple[float, float]:
    """Largest error as a share of the largest eigenvalue, and of each one's own."""
    norm, d = exact.abs().amax(dim=1, keepdim=True), exact.shape[1]
    if values.shape[1] != d:
        exact = exact.gather(1, Ends(min(TOP, d), min(BOTTOM, d)).choose(exact))
    wrong = (values - exact).abs()
    return float((wrong / norm).amax()), float((wrong / exact.abs()).amax())


def main() -> None:
    """Run every method and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jax-python", default="")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--size", type=int, default=20)
    parser.add_argument("--problems", type=int, default=20)
    parser.add_argument("--only", default="", help="methods whose name contains this")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "ired-spectra")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--run", help=argparse.SUPPRESS)
    parser.add_argument("--problem", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--spectrum", default="init,trained")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {arguments.core})
    torch.set_num_threads(1)
    work: Path = arguments.work
    if arguments.run:
        measure(arguments.run, arguments.problem, arguments.repeats, work / "out.npz")
        return
    work.mkdir(parents=True, exist_ok=True)
    rows = [
        row for spectrum in arguments.spectrum.split(",") for row in compare(spectrum, arguments)
    ]
    console = Console(width=120)
    rates = ", ".join(f"{dtype} {gemm_rate(dtype):.0f}" for dtype in ("float32", "float64"))
    titles = ("spectrum", "method", "CPU s", "median", "MB", "error", "of each")
    table = Table(*titles, "residual", "radius", "route")
    for row in rows:
        table.add_row(*(str(row[k]) for k in row))
    console.print(table, f"GEMM GF/s: {rates}")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


def compare(spectrum: str, arguments: argparse.Namespace) -> list[dict[str, str]]:
    """All methods on one kind of spectrum."""
    work: Path = arguments.work
    stem = f"{spectrum}-{arguments.size}-{arguments.problems}"
    path, exact_path = work / f"{stem}.npz", work / f"{stem}-exact.npy"
    if not exact_path.exists():
        make_problem(path, spectrum, arguments.size, arguments.problems)
        run = loop_method(path, "float64")
        np.save(exact_path, run(arguments.problems * len(TIMESTEPS))["values"])
    exact = torch.from_numpy(np.load(exact_path))
    names = [*OURS, *LOOPS, *(JAX if arguments.jax_python else ())]
    rows = []
    for name in names:
        if arguments.only not in name:
            continue
        out = work / "out.npz"
        out.unlink(missing_ok=True)
        if name in JAX:
            method, dtype = JAX[name]
            method = method if method == "dense" else f"krylov:{DIMENSIONS[spectrum]}"
            script = Path(__file__).with_name("jax_spectra.py")
            command = [arguments.jax_python, str(script), str(path), str(out), method, dtype]
            command.append(str(arguments.repeats))
        else:
            command = [sys.executable, __file__, "--run", name, "--problem", str(path)]
            command += ["--work", str(work), "--repeats", str(arguments.repeats)]
            command += ["--core", str(arguments.core)]
        subprocess.run(command, check=True, env=os.environ | ONE_THREAD)  # noqa: S603 - our own
        found = np.load(out)
        error, of_each = errors(torch.from_numpy(found["values"]).double(), exact)
        if name in OURS and error > ALLOWED[OURS[name][0]]:
            raise SystemExit(f"{name}: an eigenvalue is wrong by {error:.1e} of the largest.")
        Console(stderr=True).print(f"{spectrum}, {name}: {found['cpu'].min():.2f} s")
        rows.append(
            {
                "spectrum": spectrum,
                "method": name,
                "cpu": f"{found['cpu'].min():.3f}",
                "median": f"{np.median(found['cpu']):.3f}",
                "growth": f"{found['growth'] / 1e6:.0f}",
                "error": f"{error:.0e}",
                "of each": f"{of_each:.0e}" if "25" in name else "",
                "residual": f"{found['residual']:.0e}" if "residual" in found else "",
                "radius": f"{found['radius']:.0e}" if "radius" in found else "",
                "route": str(found["route"]) if "route" in found else "",
            }
        )
    return rows


if __name__ == "__main__":
    main()
