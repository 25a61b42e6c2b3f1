"""10,000 distances between subspaces, and between positive definite matrices, beside others.

    python benchmarks/geometry_distances.py [--pairs 10000] [--geomstats-pairs 1000]

One thread, one process, the same matrices for all. Each library gets its own kind of points, made
beforehand and not timed, and is called in the way that is fastest with it: batched where it can
(geomstats, geoopt, pyriemann), else in a loop (SciPy, pymanopt). geomstats takes a matrix logarithm
a pair, so it is timed on fewer pairs and scaled up; the table says on how many. Of two runs the
faster counts, of geomstats one. The last column is the largest difference to ours, after the
factor √2 of geomstats's metric.

Needs pymanopt, geoopt, pyriemann and geomstats: ``pip install -e '.[dev]'``.
"""

import argparse
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # before NumPy and torch read it

import numpy as np  # noqa: E402
import torch  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from ired_interp.geometry import grassmann, interop, orthonormalise, spd  # noqa: E402

REPEATS = 2
SHAPES = ((20, 2), (20, 10))
SPD_SIZE = 20


@dataclass(frozen=True)
class Timed:
    """One library on one kind of distance; seconds for all the pairs that were asked for."""

    name: str
    seconds: float
    pairs: int
    difference: float


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=10_000, help="a square number")
    parser.add_argument("--geomstats-pairs", type=int, default=1_000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    setattr(np, "trapz", np.trapezoid)  # noqa: B010 - geomstats 2.8.0 imports the old name
    table = Table(title=f"{options.pairs:,} pairwise distances, one thread, float64")
    for head in ("distance", "library", "seconds", "times ours", "pairs timed", "difference"):
        table.add_column(head, justify="left" if head in ("distance", "library") else "right")
    for d, k in SHAPES:
        add(table, f"Gr({d}, {k})", of_subspaces(d, k, options.pairs, options.geomstats_pairs))
    add(table, f"SPD({SPD_SIZE}), affine-invariant", of_matrices(SPD_SIZE, options.pairs))
    Console().print(table)


def add(table: Table, what: str, found: list[Timed]) -> None:
    """A block of rows, ours first."""
    for i, row in enumerate(found):
        table.add_row(
            what if i == 0 else "",
            row.name,
            f"{row.seconds:.3g}",
            f"{row.seconds / found[0].seconds:.3g}",
            f"{row.pairs:,}",
            f"{row.difference:.0e}" if i else "",
        )
    table.add_section()


def of_subspaces(d: int, k: int, pairs: int, geomstats_pairs: int) -> list[Timed]:
    """All distances between √pairs and √pairs random subspaces."""
    from geomstats.geometry.grassmannian import Grassmannian
    from pymanopt.manifolds import Grassmann
    from scipy.linalg import subspace_angles

    side = round(pairs**0.5)
    draws = torch.Generator().manual_seed(d + k)
    a, b = (
        orthonormalise(torch.randn(side, d, k, generator=draws, dtype=torch.float64))
        for _ in range(2)
    )
    left = a[:, None].expand(-1, side, -1, -1).reshape(-1, d, k).numpy()
    right = b[None].expand(side, -1, -1, -1).reshape(-1, d, k).numpy()
    few = min(geomstats_pairs, side**2)
    p, q = (interop.to_geomstats(torch.from_numpy(x[:few])) for x in (left, right))
    metric, manifold = Grassmannian(d, k).metric, Grassmann(d, k)
    ours, seconds = timed(lambda: grassmann.pairwise_distances(a, b).flatten().numpy())
    smooth, smooth_seconds = timed(
        lambda: grassmann.chordal_squared(a[:, None], b[None]).flatten().numpy()
    )
    by_scipy, scipy_seconds = timed(
        lambda: np.array(
            [np.linalg.norm(subspace_angles(x, y)) for x, y in zip(left, right, strict=True)]
        )
    )
    by_pymanopt, pymanopt_seconds = timed(
        lambda: np.array([manifold.dist(x, y) for x, y in zip(left, right, strict=True)])
    )
    by_geomstats, geomstats_seconds = timed(lambda: metric.dist(p, q), repeats=1)
    sines = np.array(
        [np.square(np.sin(subspace_angles(x, y))).sum() for x, y in zip(left, right, strict=True)]
    )
    return [
        Timed("ired-interp", seconds, side**2, 0.0),
        Timed("ired-interp, chordal squared", smooth_seconds, side**2, off(smooth, sines)),
        Timed("SciPy, loop", scipy_seconds, side**2, off(by_scipy, ours)),
        Timed("pymanopt, loop", pymanopt_seconds, side**2, off(by_pymanopt, ours)),
        Timed(
            "geomstats",
            geomstats_seconds * side**2 / few,
            few,
            off(by_geomstats / interop.GEOMSTATS_FACTOR, ours[:few]),
        ),
    ]


def of_matrices(size: int, pairs: int) -> list[Timed]:
    """Affine-invariant distances between random pairs."""
    from geomstats.geometry.spd_matrices import SPDAffineMetric, SPDMatrices
    from pymanopt.manifolds import SymmetricPositiveDefinite
    from pyriemann.geometry.distance import distance_riemann

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from geoopt.manifolds import SymmetricPositiveDefinite as Geoopt
    draws = torch.Generator().manual_seed(size)
    factors = torch.randn(2, pairs, size, size, generator=draws, dtype=torch.float64)
    a, b = factors @ factors.mT + 0.1 * torch.eye(size, dtype=torch.float64)
    left, right = a.numpy(), b.numpy()
    space = SPDMatrices(size, equip=False)
    metric = space.equip_with_metric(SPDAffineMetric).metric
    geoopt, manifold = Geoopt(), SymmetricPositiveDefinite(size)
    ours, seconds = timed(lambda: spd.affine_invariant_distance(a, b).numpy())
    rows = [Timed("ired-interp", seconds, pairs, 0.0)]
    others: list[tuple[str, Callable[[], Any]]] = [
        ("geoopt", lambda: geoopt.dist(a, b).numpy()),
        ("pyriemann", lambda: distance_riemann(left, right)),
        (
            "pymanopt, loop",
            lambda: np.array([manifold.dist(x, y) for x, y in zip(left, right, strict=True)]),
        ),
        ("geomstats", lambda: metric.dist(left, right)),
    ]
    for name, function in others:
        found, taken = timed(function)
        rows.append(Timed(name, taken, pairs, off(found, ours)))
    return rows


def timed(function: Callable[[], Any], *, repeats: int = REPEATS) -> tuple[Any, float]:
    """What it returns, and the least seconds of so many calls."""
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        found = function()
        best = min(best, time.perf_counter() - start)
    return found, best


def off(a: Any, b: Any) -> float:
    """The largest difference."""
    return float(np.abs(np.asarray(a) - np.asarray(b)).max())


if __name__ == "__main__":
    main()
