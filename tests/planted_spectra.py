"""Matrices whose eigenvalues are known beforehand, and the check that no certificate is wrong.

``python tests/planted_spectra.py --draws 10000`` draws and checks that many.
"""

import argparse
import collections
import math
import sys
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ired_interp.curvature import Spectrum, spectrum
from ired_interp.errors import ConvergenceError
from ired_interp.landscape import DEFAULT_MAX_BYTES, Landscape

__all__ = ["Draw", "check", "draw", "plant"]

_REFLECTIONS = 3


@dataclass(frozen=True)
class Draw:
    """One request for the spectra of n planted matrices.

    Attributes:
        matrices: As the energy has them, rounded to its dtype.
        truth: Their eigenvalues, ascending, in float64.
        doubt: How far, at most, the truth may be from the rounded matrices' eigenvalues.
        shift: The energy is one of (1 + shift)·y - shift·y, so that its curvature loses digits.
        top: As for `spectrum`.
        bottom: As for `spectrum`.
        max_bytes: Of the landscape: small ones leave no room for a dense Hessian.
    """

    matrices: Tensor
    truth: npt.NDArray[np.float64]
    doubt: npt.NDArray[np.float64]
    shift: float
    top: int | None
    bottom: int
    max_bytes: int


def plant(
    eigenvalues: npt.NDArray[np.float64], rng: np.random.Generator, dtype: torch.dtype
) -> tuple[Tensor, npt.NDArray[np.float64], float]:
    """A matrix with these eigenvalues, its eigenvalues, and how far those are in doubt.

    Random reflections are applied in extended precision; the rounding to float64 is measured. For
    float32 the truth is the float64 spectrum of the rounded matrix.
    """
    d = eigenvalues.size
    matrix = np.diag(eigenvalues.astype(np.longdouble))
    for _ in range(_REFLECTIONS):
        v = rng.normal(size=d).astype(np.longdouble)
        v /= np.sqrt((v * v).sum())
        image = matrix @ v
        image -= (v * image).sum() * v
        matrix -= 2 * (np.outer(v, image) + np.outer(image, v))
    rounded = ((matrix + matrix.T) / 2).astype(np.float64)
    if dtype == torch.float32:
        rounded = rounded.astype(np.float32).astype(np.float64)
        truth: npt.NDArray[np.float64] = np.linalg.eigvalsh(rounded).astype(np.float64)
        doubt = 10 * d * 2.2e-16 * float(np.abs(truth).max(initial=0))
    else:
        truth = np.sort(eigenvalues)
        lost = (rounded - matrix).astype(np.float64)
        doubt = float(np.linalg.norm(lost)) + d * 1e-18 * float(np.abs(truth).max(initial=0))
    return torch.from_numpy(rounded).to(dtype), truth, doubt


def draw(seed: int) -> Draw:
    """A random request, decided by its seed."""
    rng = np.random.default_rng(seed)
    size = rng.random()
    most = 60 if size < 0.9 else 400 if size < 0.99 else 2000
    d = round(math.exp(rng.uniform(0, math.log(most))))
    n = int(rng.integers(1, 4)) if d <= 100 else 1
    dtype = torch.float32 if rng.random() < 0.2 else torch.float64
    planted = [plant(_eigenvalues(d, rng), rng, dtype) for _ in range(n)]
    top: int | None = None if rng.random() < 0.3 else int(rng.integers(0, d + 1))
    if top is not None and rng.random() < 0.7:
        top = min(top, int(rng.integers(0, 26)))
    bottom = 0 if top is None else min(d, int(rng.integers(0, 12)))
    if top == 0 and bottom == 0:
        bottom = 1
    dense = rng.random() < 0.5
    return Draw(
        torch.stack([m for m, _, _ in planted]),
        np.stack([t for _, t, _ in planted]),
        np.array([e for _, _, e in planted]),
        shift=float(round(10 ** rng.uniform(0, 4))) if rng.random() < 0.3 else 0.0,
        top=top,
        bottom=bottom,
        max_bytes=DEFAULT_MAX_BYTES if dense else 3 * d * d * 4 - 1,
    )


def _eigenvalues(d: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    kind = rng.integers(0, 5)
    if kind == 0:
        values = rng.normal(size=d)
    elif kind == 1:
        values = 10 ** rng.uniform(-12, 0, size=d)
    elif kind == 2:
        values = rng.uniform(0.95, 1, size=d)
    elif kind == 3:
        values = np.linspace(-0.4, 1, d)
    else:
        values = np.full(d, rng.normal())
    if rng.random() < 0.5:
        values = np.where(rng.random(d) < 0.3, -np.abs(values), values)
    for _ in range(rng.integers(0, 4)):  # clusters
        count, place = min(d, 10), rng.integers(0, d)
        gap = rng.choice([0.0, 1e-6, 1e-12])
        where = rng.permutation(d)[:count]
        centre = rng.choice([values[place], values.max() * 1.1, values.min() - 0.1])
        values[where] = centre + gap * np.arange(count)
    if rng.random() < 0.3:
        where = rng.permutation(d)[: rng.integers(1, 5)]
        values[where] = rng.choice([-1e-9, 1e-9, 0.0], size=where.size)
    result: npt.NDArray[np.float64] = values * 10 ** rng.uniform(-3, 3)
    return result


def landscape(request: Draw) -> tuple[Landscape, Tensor]:
    """The quadratic energies of a draw, and points to look at."""
    matrices, shift = request.matrices, request.shift
    n, d, _ = matrices.shape

    def energy(x: Tensor, y: Tensor) -> Tensor:
        a = matrices[x[:, 0].long()]
        z = (1 + shift) * y - shift * y if shift else y
        return (torch.einsum("nij,nj->ni", a, z) * z).sum(-1) / 2

    rows = torch.arange(n, dtype=matrices.dtype)[:, None]
    land = Landscape.of(energy, d, rows, max_bytes=request.max_bytes)
    return land, torch.linspace(-1, 1, n * d, dtype=matrices.dtype).reshape(n, d)


def check(request: Draw) -> list[str]:
    """What is wrong with the certificates of a draw's spectra: nothing, one hopes."""
    land, y = landscape(request)
    found = spectrum(land, y, request.top, request.bottom)
    return [
        f"point {i}: {fault}" for i in range(y.shape[0]) for fault in _faults(request, found, i)
    ]


def _faults(request: Draw, found: Spectrum, i: int) -> list[str]:
    truth, doubt = request.truth[i], float(request.doubt[i])
    values = found.eigenvalues[i].double().numpy()
    radii = found.radii[i].double().numpy() + doubt
    shared = found.cluster_radii[i].double().numpy() + doubt
    clusters = found.clusters[i].numpy()
    faults = []
    distance = np.abs(values[:, None] - truth[None, :]).min(axis=1)
    if (distance > radii).any():
        faults.append(f"no eigenvalue within {radii} of {values}")
    once = _once(found.eigenvectors[i].double().numpy())
    for label in np.unique(clusters):
        members = clusters == label
        near = np.abs(truth[:, None] - values[None, members]) <= shared[None, members]
        if near.any(axis=1).sum() < (members & once).sum():
            faults.append(f"cluster {label}: {(members & once).sum()} pairs, fewer eigenvalues")
    allowed = float(shared.max(initial=0))
    if not bool(found.ends_certain[i]):
        # A Krylov space tells apart what differs by a few tol·‖H‖: pairs, margin and search.
        tol = 1e-5 if request.matrices.dtype == torch.float32 else 1e-8
        allowed += 4 * tol * float(np.abs(truth).max(initial=0))
    faults += _missed_ends(request, values, truth, allowed)
    low, high = int(found.index_low[i]), int(found.index_high[i])
    if low > (truth < doubt).sum() or high < (truth < -doubt).sum():
        faults.append(f"index in {low} … {high}, truly {(truth < 0).sum()}")
    return faults


def _missed_ends(
    request: Draw, values: npt.NDArray[Any], truth: npt.NDArray[Any], allowed: float
) -> list[str]:
    if request.top is None:
        return ["an eigenvalue"] if (np.abs(values - truth) > allowed).any() else []
    faults = []
    top, bottom = values[: request.top], values[request.top :]
    largest = np.sort(np.abs(truth))[::-1][: request.top]
    if (np.abs(np.abs(top) - largest) > allowed).any():
        faults.append(f"the top: found {top}, expected |λ| of {largest}")
    if (np.abs(bottom - truth[: request.bottom]) > allowed).any():
        faults.append(f"the bottom: found {bottom}, expected {truth[: request.bottom]}")
    return faults


def _once(vectors: npt.NDArray[Any]) -> npt.NDArray[Any]:
    overlaps = np.abs(vectors.T @ vectors)
    result: npt.NDArray[Any] = ~(np.tril(overlaps, -1) > 0.5).any(axis=1)
    return result


def main() -> int:
    """Draw, check and count."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    counts: collections.Counter[str] = collections.Counter()
    start = time.monotonic()
    for seed in range(arguments.first, arguments.first + arguments.draws):
        request = draw(seed)
        try:
            faults = check(request)
        except ConvergenceError as error:
            counts["refused"] += 1
            sys.stdout.write(f"{seed}: {error}\n")
            continue
        counts["wrong" if faults else "right"] += 1
        for fault in faults:
            sys.stdout.write(f"{seed}: {fault}\n"[:400] + "\n")
        if (seed + 1) % 500 == 0:
            sys.stdout.write(f"{seed + 1}: {dict(counts)}, {time.monotonic() - start:.0f} s\n")
            sys.stdout.flush()
    sys.stdout.write(f"{dict(counts)}\n")
    return int(counts["wrong"] > 0)


if __name__ == "__main__":
    raise SystemExit(main())
