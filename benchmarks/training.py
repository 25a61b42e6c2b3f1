"""Training steps a second and peak memory: ours beside a plain implementation of the same step.

    python benchmarks/training.py [--sizes 4 20] [--batches 256 2048] [--device cpu] [--threads 1]
        [--chosen] [--seconds 12]

The work is that of ``ired-interp train inverse``: draw problems, both losses, one backward pass,
clip, Adam, moving average. The peer (`plain_training`) takes gradients by autograd with
``create_graph`` and draws its problems one by one in NumPy. ``--chosen`` adds what is to be
chosen: bfloat16 products, torch.compile (which has to give the losses of the first steps), and
both. Each measurement runs in a process of its own, all in one run; times are the median of the
steps after a warm-up, in CPU seconds of the process on a CPU with one thread, else in wall-clock
seconds; memory is the peak resident size less that before the first step, or the allocator's peak
on a GPU.
"""

import argparse
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from plain_training import PlainBatch, PlainEnergy, draw_inverses, plain_steps
from rich.console import Console
from rich.table import Table

from ired_interp.models.stepping import training_steps
from ired_interp.models.train_config import TrainConfig

WARM_UP = 5
SECONDS = 12.0
LEAST, MOST = 5, 200


def plain(size: int, batch_size: int, device: str) -> Iterator[object]:
    """Steps of the peer."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    model = PlainEnergy(size**2, size**2).to(device)

    def batch() -> PlainBatch:
        x, y = (part.to(device) for part in draw_inverses(batch_size, size, rng))
        t = torch.randint(10, (batch_size,), device=device)
        return PlainBatch(x, y, t, torch.randn_like(y), torch.randn_like(y))

    return plain_steps(model, batch)


def ours(
    size: int,
    batch_size: int,
    device: str,
    *,
    precision: str = "float32",
    fused: bool = False,
) -> Iterator[object]:
    """Steps of `ired_interp`."""
    config = TrainConfig(
        task="inverse",
        size=size,
        batch_size=batch_size,
        device=device,
        precision=precision,
        compile=fused,
    )
    steps = training_steps(config)
    if fused:
        plainly = training_steps(replace(config, compile=False))
        for number in range(3):
            one, other = float(next(steps).total), float(next(plainly).total)
            if not math.isclose(one, other, rel_tol=1e-3):
                raise SystemExit(f"step {number}: compiled {one}, not compiled {other}")
    return steps


METHODS: dict[str, Callable[[int, int, str], Iterator[object]]] = {
    "plain": plain,
    "ours": ours,
    "compiled": partial(ours, fused=True),
    "bfloat16": partial(ours, precision="bfloat16"),
    "both": partial(ours, precision="bfloat16", fused=True),
}
DEFAULT = ("plain", "ours")


def measure(
    name: str, size: int, batch_size: int, device: str, threads: int, seconds: float
) -> dict[str, float]:
    """Seconds a step and bytes, in this process."""
    torch.set_num_threads(threads)
    steps = METHODS[name](size, batch_size, device)
    on_gpu = device.startswith("cuda")
    clock = time.process_time if threads == 1 and not on_gpu else time.perf_counter
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(WARM_UP):
        next(steps)
    taken: list[float] = []
    while len(taken) < MOST and (sum(taken) < seconds or len(taken) < LEAST):
        begin = clock()
        next(steps)
        if on_gpu:
            torch.cuda.synchronize()
        taken.append(clock() - begin)
    grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    peak = torch.cuda.max_memory_allocated() if on_gpu else grown
    return {"seconds": statistics.median(taken), "least": min(taken), "bytes": float(peak)}


def in_its_own_process(
    name: str, size: int, batch_size: int, options: argparse.Namespace
) -> dict[str, float]:
    """`measure` where nothing else has been."""
    words = [sys.executable, __file__, "--one", name, "--sizes", str(size), "--batches"]
    words += [str(batch_size), "--device", options.device, "--threads", str(options.threads)]
    words += ["--seconds", str(options.seconds)]
    env = {**os.environ, "OMP_NUM_THREADS": str(options.threads)}
    done = subprocess.run(words, check=True, capture_output=True, text=True, env=env)  # noqa: S603
    result: dict[str, float] = json.loads(done.stdout)
    return result


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sizes", type=int, nargs="+", default=[4, 20])
    parser.add_argument("--batches", type=int, nargs="+", default=[256, 2048])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--chosen", action="store_true")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of steps, a measurement")
    parser.add_argument("--one", choices=tuple(METHODS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        size, batch = options.sizes[0], options.batches[0]
        measured = measure(
            options.one, size, batch, options.device, options.threads, options.seconds
        )
        print(json.dumps(measured))
        return
    names = tuple(METHODS) if options.chosen else DEFAULT
    table = Table(title=f"training steps a second, {options.device}, {options.threads} thread(s)")
    for column in ("size", "batch", *names):
        table.add_column(column, justify="right")
    for size in options.sizes:
        for batch in options.batches:
            rows = {name: in_its_own_process(name, size, batch, options) for name in names}
            cells = [cell(rows[name], rows["plain"]) for name in names]
            table.add_row(str(size), str(batch), *cells)
    Console().print(table)


def cell(found: dict[str, float], peer: dict[str, float]) -> str:
    """Steps a second, the ratio to the peer's, and memory."""
    ratio = peer["seconds"] / found["seconds"]
    return f"{1 / found['seconds']:.2f} ({ratio:.2f} x)\n{found['bytes'] / 1e6:.0f} MB"


if __name__ == "__main__":
    main()
