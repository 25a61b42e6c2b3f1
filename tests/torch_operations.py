"""Scan torch operations: is the Hessian by the landscape that of the energy? ``make scan``.

Each operation of the lists becomes an energy, and its Hessian at one, two and four rows is held
against two answers made without the landscape: a row and a vector at a time by autograd, and
differences of gradients, which are themselves held against differences of the energy. Where
autograd cannot differentiate twice, differences are the only truth.

    make scan                     # all of them, after a new torch
    make scan ONLY="cdist sparse" # those whose names contain one of the words

The table says of each operation what came of it; below it stands what differs from what
`scan_expectations.py` expects, and the command ends with 1 if anything does.
"""

import argparse
import logging
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

import operations_arranging as arranging
import operations_elementwise as elementwise
import operations_linear_algebra as linear_algebra
import operations_networks as networks
import operations_own_backward as own_backward
import operations_ways as ways
from ired_interp.errors import IredInterpError
from ired_interp.landscape import Landscape
from scan_expectations import REFUSED, TORCH
from scanned_operation import Operation

__all__ = [
    "GROUPS",
    "NOW_RIGHT",
    "OPERATIONS",
    "ROWS",
    "Outcome",
    "Truth",
    "complaint",
    "scan",
    "summary",
    "truth",
]

ROWS = (1, 2, 4)
GROUPS = (
    elementwise.ELEMENTWISE,
    elementwise.ACTIVATIONS,
    elementwise.REDUCTIONS,
    arranging.INDEXING,
    arranging.IMAGES,
    arranging.SPECTRA,
    linear_algebra.PRODUCTS,
    linear_algebra.FACTORS,
    linear_algebra.DISTANCES,
    networks.NORMALISATIONS,
    networks.MODULES,
    networks.TRAINING,
    networks.LOSSES,
    own_backward.OWN_BACKWARDS,
    ways.WAYS,
)
OPERATIONS: dict[str, Operation] = {name: o for group in GROUPS for name, o in group.items()}
_WIDTH = max(map(len, OPERATIONS))

# Shares of the largest entry. Autograd's two ways of one Hessian differ by round-off, which a
# factorisation multiplies; four differences at steps of 1e-3 are good to 1e-10 or so.
BY_VECTORS = 1e-9
BY_DIFFERENCES = 1e-6
STEP = 1e-3
NOW_RIGHT = "right now: take it off scan_expectations.py"

Kind = Literal["right", "refused", "wrong", "raw"]


@dataclass(frozen=True, slots=True)
class Truth:
    """The Hessians at the four points, by means that share nothing with the landscape.

    Attributes:
        hessian: [4, d, d], by autograd if that agrees with differences, else by differences; None
            if there is none.
        tolerance: To which it can be relied upon, as a share of the largest entry.
        torch: What autograd does, one row and one vector at a time.
    """

    hessian: Tensor | None
    tolerance: float
    torch: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the landscape answered at so many rows: ``words`` say what is wrong with it."""

    num_rows: int
    kind: Kind
    words: str


def scan(name: str) -> tuple[Truth, list[Outcome]]:
    """One operation at one, two and four rows."""
    operation = OPERATIONS[name]
    # What torch warns of (beta, deprecated, a first jvp) is not what is sought.
    with warnings.catch_warnings(action="ignore"), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        found = truth(operation)
        return found, [_outcome(operation, found, num_rows) for num_rows in ROWS]


def complaint(name: str, outcomes: list[Outcome]) -> str | None:
    """How what came of an operation differs from what is expected; None if it does not."""
    kinds = {outcome.kind for outcome in outcomes}
    refusal = REFUSED.get(name)
    if kinds & {"wrong", "raw"} or len(kinds) > 1:
        return summary(outcomes)
    if refusal is None:
        return summary(outcomes) if kinds == {"refused"} else None
    if kinds == {"right"}:
        return NOW_RIGHT
    if all(any(word in o.words.lower() for word in refusal.words) for o in outcomes):
        return None
    return f"refused without {' or '.join(map(repr, refusal.words))}: {summary(outcomes)}"


def summary(outcomes: list[Outcome]) -> str:
    """What came of an operation, in a line."""
    rows: dict[str, list[str]] = {}
    for outcome in outcomes:
        said = outcome.words[:100] if outcome.kind != "right" else ""
        rows.setdefault(f"{outcome.kind} {said}".strip(), []).append(str(outcome.num_rows))
    if len(rows) == 1:
        return next(iter(rows))
    return "; ".join(f"at {', '.join(where)} rows {said}" for said, where in rows.items())


def truth(operation: Operation) -> Truth:
    """The Hessians at the four points without the landscape."""
    y, fn = operation.points(max(ROWS)), operation.energy()
    with sdpa_kernel(SDPBackend.MATH):  # the fused kernel has no second derivative
        try:
            by_differences, gradient_gap = _by_differences(fn, y)
        except Exception as error:  # noqa: BLE001 - what torch raises is what is sought
            return Truth(None, 0.0, f"no gradient: {_raw(error)}")
        if not operation.is_function:
            return Truth(None, 0.0, "not a function")
        coarse = BY_DIFFERENCES + operation.rounding / STEP
        if gradient_gap > coarse:
            return Truth(None, 0.0, f"the gradient is off by {gradient_gap:.0e}")
        try:
            by_vectors = torch.cat([_by_vectors(fn, y[i : i + 1]) for i in range(y.shape[0])])
        except Exception as error:  # noqa: BLE001
            return Truth(by_differences, coarse, _raw(error))
    gap = _share(by_vectors, by_differences)
    if gap > coarse:
        return Truth(by_differences, coarse, f"off by {gap:.0e}")
    return Truth(by_vectors, BY_VECTORS + operation.rounding, "right")


def _outcome(operation: Operation, found: Truth, num_rows: int) -> Outcome:
    y = operation.points(num_rows)
    before = y.clone()
    try:
        hessian = Landscape.of(operation.energy(), operation.d).hessian(y)
    except IredInterpError as error:
        return Outcome(num_rows, "refused", str(error))
    except Exception as error:  # noqa: BLE001 - what comes out raw is what is sought
        return Outcome(num_rows, "raw", _raw(error))
    if not torch.equal(y, before) or y.requires_grad:
        return Outcome(num_rows, "wrong", "y is not as it was")
    if found.hessian is None:
        return Outcome(num_rows, "wrong", f"an answer where there is none ({found.torch})")
    gap = _share(hessian, found.hessian[:num_rows])
    if gap > found.tolerance:
        said = Landscape.of(operation.energy(), operation.d).verification(y).outcomes
        if all(outcome.startswith("not verified") for outcome in said):
            return Outcome(num_rows, "refused", f"{said[0]} (off by {gap:.0e})")
    return Outcome(num_rows, "right" if gap <= found.tolerance else "wrong", f"off by {gap:.0e}")


def _by_vectors(fn: Callable[[Tensor], Tensor], y: Tensor) -> Tensor:
    """∇²E of one row, a backward pass for each vector: [1, d, d]."""
    leaf = y.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(fn(leaf.clone()).sum(), leaf, create_graph=True)
    out = torch.zeros(1, y.shape[1], y.shape[1], dtype=y.dtype)
    for j in range(y.shape[1] if gradient.requires_grad else 0):
        (row,) = torch.autograd.grad(gradient[0, j], leaf, retain_graph=True, allow_unused=True)
        if row is not None:
            out[0, j] = row[0]
    return out


def _by_differences(fn: Callable[[Tensor], Tensor], y: Tensor) -> tuple[Tensor, float]:
    """∇²E from differences of gradients, and by how much ∇E differs from those of energies."""
    n, d = y.shape
    steps = STEP * torch.tensor([1.0, -1.0, 2.0, -2.0], dtype=y.dtype)
    shifts = (steps[:, None, None] * torch.eye(d, dtype=y.dtype)).view(-1, d)
    energy, gradient = _energy_and_gradient(fn, (y[:, None] + shifts).view(-1, d))
    by_gradients = _slope(gradient.view(n, 4, d, d))
    by_energies = _slope(energy.view(n, 4, d))
    gap = _share(_energy_and_gradient(fn, y)[1], by_energies)
    return (by_gradients + by_gradients.mT) / 2, gap


def _energy_and_gradient(fn: Callable[[Tensor], Tensor], y: Tensor) -> tuple[Tensor, Tensor]:
    leaf = y.clone().requires_grad_()
    energy = fn(leaf.clone())
    try:  # as for a second derivative: det, for one, takes another backward pass then
        (gradient,) = torch.autograd.grad(energy.sum(), leaf, create_graph=True)
    except RuntimeError:
        (gradient,) = torch.autograd.grad(fn(leaf.clone()).sum(), leaf)
    return energy.detach(), gradient.detach()


def _slope(values: Tensor) -> Tensor:
    """The derivative from values at ±h and ±2h along axis 1, to h⁴."""
    near, far = values[:, 0] - values[:, 1], values[:, 2] - values[:, 3]
    return (8 * near - far) / (12 * STEP)


def _share(found: Tensor, wanted: Tensor) -> float:
    """The largest difference as a share of the largest entry; infinite if not finite."""
    scale = wanted.abs().amax().clamp_min(1e-3)
    return float(((found - wanted).abs().amax() / scale).nan_to_num(nan=torch.inf))


def _raw(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}"


def _line(name: str, found: Truth, outcomes: list[Outcome], *, expected: bool) -> str:
    by_torch = "" if found.torch == "right" else f"   [torch: {found.torch[:80]}]"
    right = all(outcome.kind == "right" for outcome in outcomes)
    what = f"right {outcomes[-1].words}" if right else summary(outcomes)
    return f"{' ' if expected else '!'} {name:{_WIDTH}}  {what}{by_torch}"


def main() -> int:
    """Print what came of each operation, and what differs from the expectation."""
    parser = argparse.ArgumentParser(description="Scan torch operations.")
    parser.add_argument("words", nargs="*", help="only operations with one of these in the name")
    words = parser.parse_args().words
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    torch.set_num_threads(1)
    names = [n for n in OPERATIONS if not words or any(word in n for word in words)]
    if not names:
        parser.error(f"no operation has one of {words} in its name")
    changes: dict[str, str] = {}
    for name in names:
        found, outcomes = scan(name)
        change = complaint(name, outcomes)
        logging.info(_line(name, found, outcomes, expected=change is None))
        if change is not None:
            changes[name] = change
    logging.info(
        f"\ntorch {torch.__version__}, expectations of {TORCH}: {len(names)} operations at "
        f"{ROWS} rows, {len(changes)} not as expected."
    )
    for name, change in changes.items():
        logging.info(f"  {name}: {change}")
    return 1 if changes else 0


if __name__ == "__main__":
    sys.exit(main())
