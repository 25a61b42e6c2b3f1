"""Energies drawn at random, rightful and with a defect, and what verification says of them.

``python tests/drawn_energies.py --draws 10000`` counts outcomes by kind: no rightful energy may be
refused, and no defect may pass as verified that is larger than the error that is stated.
"""

import argparse
import math
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ired_interp.comparisons import Line
from ired_interp.errors import EnergyError
from ired_interp.landscape import Landscape
from ired_interp.verification import Verification

__all__ = ["DEFECTS", "RIGHTFUL", "Drawn", "complaint", "draw", "outcome"]

Fn = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Drawn:
    """An energy and where it is looked at.

    Attributes:
        kind: Its name in `RIGHTFUL` or `DEFECTS`.
        fn: The energy, as a user would hand it over.
        truth: The same function with all of its derivatives.
        varies: By what share it is no function.
        y: The points.
    """

    kind: str
    fn: Fn
    truth: Fn
    varies: float
    y: Tensor


def _function(rng: np.random.Generator, d: int, scale: float) -> Fn:
    """A smooth function of y/scale of some usual kind, of any row by itself."""
    weights = torch.from_numpy(rng.standard_normal((d, d)) / d**0.5)
    shift = torch.from_numpy(rng.standard_normal(d))
    steep = 10 ** rng.uniform(-0.5, 1.0)

    def quadratic(z: Tensor) -> Tensor:
        return ((z - shift.to(z)) @ weights.to(z)).square().sum(-1)

    def quartic(z: Tensor) -> Tensor:
        return (z @ weights.to(z)).pow(4).sum(-1) + z.pow(3).sum(-1)

    def exponential(z: Tensor) -> Tensor:
        return (steep * (z @ weights.to(z)).clamp(-8, 8) / 4).exp().sum(-1)

    def network(z: Tensor) -> Tensor:
        return torch.tanh(steep * z @ weights.to(z) + shift.to(z)).sum(
            -1
        ).square() + z.square().sum(-1)

    def soft(z: Tensor) -> Tensor:
        return torch.logsumexp(steep * z @ weights.to(z), dim=-1) + 0.1 * z.square().sum(-1)

    kinds = (quadratic, quartic, exponential, network, soft)
    chosen = kinds[int(rng.integers(len(kinds)))]
    return lambda y: chosen(y / scale)


def _smooth(rng: np.random.Generator, f: Fn, scale: float) -> tuple[Fn, Fn]:
    return f, f


def _cancelling(rng: np.random.Generator, f: Fn, scale: float) -> tuple[Fn, Fn]:
    large = 10 ** rng.uniform(1, 8)
    return (lambda y: (f(y) + large) - large), f


def _offset(rng: np.random.Generator, f: Fn, scale: float) -> tuple[Fn, Fn]:
    large = 10 ** rng.uniform(1, 8)
    return (lambda y: f(y) + large), f


def _matrix_cancelling(rng: np.random.Generator, f: Fn, scale: float) -> tuple[Fn, Fn]:
    large = 10 ** rng.uniform(1, 6)

    def fn(y: Tensor) -> Tensor:
        bowl = large * (y / scale).square().sum(-1)
        return (f(y) + bowl) - large * ((y / scale) * (y / scale)).sum(-1)

    return fn, f


def _tiny(rng: np.random.Generator, f: Fn, scale: float) -> tuple[Fn, Fn]:
    share = 10 ** rng.uniform(-25, -5)
    return (lambda y: share * f(y)), (lambda y: share * f(y))


def _huge(rng: np.random.Generator, f: Fn, scale: float) -> tuple[Fn, Fn]:
    share = 10 ** rng.uniform(5, 20)
    return (lambda y: share * f(y)), (lambda y: share * f(y))


def _periodic(rng: np.random.Generator, f: Fn, scale: float) -> tuple[Fn, Fn]:
    frequency = 10 ** rng.uniform(0, 9)

    def fn(y: Tensor) -> Tensor:
        return (frequency * y / scale).sin().sum(-1) + f(y)

    return fn, fn


def _coarse(rng: np.random.Generator, f: Fn, scale: float) -> tuple[Fn, Fn]:
    def fn(y: Tensor) -> Tensor:
        return f(y.float()).to(y.dtype)

    return fn, f


def _linear(rng: np.random.Generator, f: Fn, scale: float) -> tuple[Fn, Fn]:
    def fn(y: Tensor) -> Tensor:
        return (y / scale).sum(-1)

    return fn, fn


def _kinked(rng: np.random.Generator, f: Fn, scale: float) -> tuple[Fn, Fn]:
    power = int(rng.integers(1, 3))

    def fn(y: Tensor) -> Tensor:
        return (y / scale - 0.3).relu().pow(power).sum(-1) + f(y)

    return fn, fn


def _at_a_kink(rng: np.random.Generator, f: Fn, scale: float) -> tuple[Fn, Fn]:
    power = (1.0, 1.5, 2.0)[int(rng.integers(3))]

    def fn(y: Tensor) -> Tensor:
        # Zero where two entries are equal, as they are in the points that are drawn for it.
        gap = y[:, 0] - y[:, -1]
        return (gap / scale).relu().pow(power) + f(y)

    return fn, fn


def _clamped(rng: np.random.Generator, f: Fn, scale: float) -> tuple[Fn, Fn]:
    def fn(y: Tensor) -> Tensor:
        return f(y).clamp(max=2.0)

    return fn, fn


def _bounded(rng: np.random.Generator, f: Fn, scale: float) -> tuple[Fn, Fn]:
    large = 10 ** rng.uniform(4, 17)

    def honest(y: Tensor) -> Tensor:
        return torch.tanh(f(y))

    return (lambda y: (honest(y) + large) - large), honest


RIGHTFUL: dict[str, Callable[[np.random.Generator, Fn, float], tuple[Fn, Fn]]] = {
    "smooth": _smooth,
    "cancelling": _cancelling,
    "offset": _offset,
    "cancelling bowls": _matrix_cancelling,
    "bounded and drowned": _bounded,
    "tiny": _tiny,
    "huge": _huge,
    "periodic": _periodic,
    "float32 inside": _coarse,
    "linear": _linear,
    "kinked": _kinked,
    "at a kink": _at_a_kink,
    "clamped": _clamped,
}


class _Scaled(torch.autograd.Function):
    """x², with a gradient or a second derivative that is a share off."""

    @staticmethod
    def forward(ctx, x, first, second):  # type: ignore[no-untyped-def]
        ctx.save_for_backward(x)
        ctx.shares = first, second
        return x * x

    @staticmethod
    def backward(ctx, grad):  # type: ignore[no-untyped-def]
        (x,) = ctx.saved_tensors
        first, second = ctx.shares
        return 2 * first * grad * (second * x + (1 - second) * x.detach()), None, None


class _Once(torch.autograd.Function):
    """x³ whose gradient cannot be differentiated again."""

    @staticmethod
    def forward(ctx, x):  # type: ignore[no-untyped-def]
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):  # type: ignore[no-untyped-def]
        (x,) = ctx.saved_tensors
        return 3 * x**2 * grad


def _share(rng: np.random.Generator) -> float:
    return float(10 ** rng.uniform(-9, 0))


def _unseen(rng: np.random.Generator, f: Fn, scale: float) -> tuple[Fn, Fn]:
    share = _share(rng)

    def part(y: Tensor) -> Tensor:
        return (y / scale - 0.5).square().sum(-1) + (y / scale).sin().sum(-1)

    return (lambda y: f(y) + share * part(y.detach())), (lambda y: f(y) + share * part(y))


def _half_seen(rng: np.random.Generator, f: Fn, scale: float) -> tuple[Fn, Fn]:
    share = _share(rng)

    def pair(y: Tensor, z: Tensor) -> Tensor:
        return (y * z / scale**2).sum(-1)

    return (
        (lambda y: f(y) + share * pair(y, y.detach())),
        (lambda y: f(y) + share * pair(y, y)),
    )


def _lying_gradient(rng: np.random.Generator, f: Fn, scale: float) -> tuple[Fn, Fn]:
    off = 1 + (0.01 if rng.random() < 0.5 else _share(rng))

    def fn(y: Tensor, factor: float = off) -> Tensor:
        found: Tensor = _Scaled.apply(y / scale, factor, 1.0)  # type: ignore[no-untyped-call]
        return f(y) + found.sum(-1)

    return fn, (lambda y: f(y) + (y / scale).square().sum(-1))


def _lying_curvature(rng: np.random.Generator, f: Fn, scale: float) -> tuple[Fn, Fn]:
    off = 1 - (0.01 if rng.random() < 0.5 else _share(rng))

    def fn(y: Tensor) -> Tensor:
        found: Tensor = _Scaled.apply(y / scale, 1.0, off)  # type: ignore[no-untyped-call]
        return f(y) + found.sum(-1)

    return fn, (lambda y: f(y) + (y / scale).square().sum(-1))


def _missing_curvature(rng: np.random.Generator, f: Fn, scale: float) -> tuple[Fn, Fn]:
    share = _share(rng)

    def fn(y: Tensor) -> Tensor:
        found: Tensor = _Once.apply(y / scale)  # type: ignore[no-untyped-call]
        return f(y) + share * found.sum(-1)

    return fn, (lambda y: f(y) + share * (y / scale).pow(3).sum(-1))


def _straight_through(rng: np.random.Generator, f: Fn, scale: float) -> tuple[Fn, Fn]:
    unit = scale * 10 ** rng.uniform(-3, -1)

    def rounded(y: Tensor) -> Tensor:
        return y + ((y / unit).round() * unit - y).detach()

    # Where it is flat, the truth has no slope at all.
    return (lambda y: f(rounded(y))), (lambda y: f((y / unit).round() * unit) + 0 * y.sum(-1))


def _surrogate(rng: np.random.Generator, f: Fn, scale: float) -> tuple[Fn, Fn]:
    return (lambda y: f(y) - f(y).detach()), (lambda y: 0 * y.sum(-1))


def _state(rng: np.random.Generator, f: Fn, scale: float) -> tuple[Fn, Fn, float]:
    share, calls = _share(rng), Counter[str]()

    def fn(y: Tensor) -> Tensor:
        calls["n"] += 1
        return f(y) * (1 + share * math.sin(calls["n"]))

    return fn, f, share


def _stale(rng: np.random.Generator, f: Fn, scale: float) -> tuple[Fn, Fn]:
    kept: dict[int, Tensor] = {}

    def fn(y: Tensor) -> Tensor:
        features = kept.setdefault(len(y), (y / scale).sin().sum(-1).detach())
        return f(y) + features * (y / scale).square().sum(-1)

    return fn, (lambda y: f(y) + ((y / scale).sin().sum(-1) * (y / scale).square().sum(-1)))


def _coupled(rng: np.random.Generator, f: Fn, scale: float) -> tuple[Fn, Fn, float]:
    share = _share(rng)
    return (lambda y: f(y) + share * f(y.roll(1, dims=0)).detach()), f, share


DEFECTS: dict[
    str, Callable[[np.random.Generator, Fn, float], tuple[Fn, Fn] | tuple[Fn, Fn, float]]
] = {
    "a part that is not seen": _unseen,
    "a part that is half seen": _half_seen,
    "a gradient that lies": _lying_gradient,
    "a second derivative that lies": _lying_curvature,
    "a second derivative that is missing": _missing_curvature,
    "straight through": _straight_through,
    "a value without its gradient": _surrogate,
    "a state": _state,
    "a stale cache": _stale,
    "rows that are coupled": _coupled,
}


def draw(seed: int) -> Drawn:
    """The energy of that number."""
    rng = np.random.Generator(np.random.Philox(seed))
    names = [*RIGHTFUL, *DEFECTS]
    kind = names[int(rng.integers(len(names)))]
    d = int(rng.choice([1, 2, 5, 12]))
    n = int(rng.integers(1, 5))
    scale = float(10 ** rng.uniform(-4, 4))
    dtype = torch.float32 if rng.random() < 0.4 else torch.float64
    y = torch.from_numpy(rng.standard_normal((n, d))) * scale
    if kind == "at a kink":
        y[:, -1] = y[:, 0]
    if kind == "rows that are coupled":
        y = torch.cat([y, -1.5 * y[:1]])
    made = (RIGHTFUL | DEFECTS)[kind](rng, _function(rng, d, scale), scale)
    return Drawn(kind, made[0], made[1], made[2] if len(made) > 2 else 0.0, y.to(dtype))


def outcome(drawn: Drawn) -> Verification | str:
    """What verification says, or the words of its refusal."""
    try:
        return Landscape.of(drawn.fn, drawn.y.shape[1]).verification(drawn.y)
    except EnergyError as error:
        return str(error)


def complaint(drawn: Drawn, found: Verification | str) -> str | None:
    """What is wrong about an outcome; None if nothing is."""
    if drawn.kind in RIGHTFUL:
        return f"refused: {found}" if isinstance(found, str) else None
    if isinstance(found, str):
        return None
    return _undetected(drawn, found)


def _undetected(drawn: Drawn, found: Verification) -> str | None:
    """Whether a point is verified to less than what its derivatives are off by."""
    y = drawn.y
    if drawn.kind == "straight through" and y.dtype == torch.float32:
        return None  # stairs that several entries climb at every step look like round-off
    field = Landscape.of(drawn.fn, y.shape[1])._field
    energy, gradient = field.energy_and_gradient(y)
    line = Line.through(field, y, energy, gradient, "first", 1.0)
    direction = line.direction.double()
    for row, verified in enumerate(found.is_verified):
        if not verified:
            continue
        leaf = y[row : row + 1].double().requires_grad_()
        (slope,) = torch.autograd.grad(drawn.truth(leaf).sum(), leaf, create_graph=True)
        true = torch.zeros_like(leaf)
        if slope.requires_grad:
            (true,) = torch.autograd.grad(slope @ direction, leaf)
        slope = slope.detach()
        bent = float((true[0] - line.product[row].double()) @ direction)
        tilted = float((slope[0] - gradient[row].double()) @ direction)
        # The truth has round-off of its own, and the claimed product that of its dtype.
        eps = torch.finfo(y.dtype).eps
        lost = 100 * eps + drawn.varies
        room = float(lost * (true.norm() + slope.norm() / leaf.detach().norm()))
        stated = found.product_error[row] + found.curvature_error[row]
        if abs(bent) > float(stated + room):
            return f"curvature off by {bent:.1e}, stated {float(stated):.1e}"
        room = float(lost * (slope.norm() + true.norm() * leaf.detach().norm()))
        if abs(tilted) > float(found.gradient_error[row] + room):
            return f"slope off by {tilted:.1e}, stated {float(found.gradient_error[row]):.1e}"
    return None


def main() -> int:
    """Count the outcomes of many draws."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    counts: dict[str, Counter[str]] = {}
    wrong = []
    for seed in range(options.first, options.first + options.draws):
        drawn = draw(seed)
        found = outcome(drawn)
        said = complaint(drawn, found)
        if said is not None:
            wrong.append(
                f"draw {seed}, {drawn.kind}, {drawn.y.dtype}, {tuple(drawn.y.shape)}: {said}"
            )
        if isinstance(found, str):
            told = "refused"
        else:
            told = "verified" if all(found.is_verified) else "not verified at some points"
        counts.setdefault(drawn.kind, Counter())[told] += 1
    columns = ("verified", "not verified at some points", "refused")
    lines = [f"{'kind':38s}" + "".join(f"{column:>30s}" for column in columns)]
    for kind in [*RIGHTFUL, *DEFECTS]:
        row = counts.get(kind, Counter())
        lines.append(f"{kind:38s}" + "".join(f"{row[column]:30d}" for column in columns))
    lines += [f"{options.draws} draws, {len(wrong)} wrong", *(line[:260] for line in wrong[:50])]
    sys.stdout.write("\n".join(lines) + "\n")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
