"""Where two followed eigenvalues meet: crossings, and avoided ones.

Between two steps a pair of curves is seen as a two-level system: in the plane of its two vectors
the Hessian is mean·I + ½(δ·σ_z + o·σ_x), and the distance of the two eigenvalues is the length of
the point p = (δ, o). A crossing is a path of p through the origin; an avoided one passes it by. The
path between two steps is taken as straight, and the error of that, |p''|·h²/8, is estimated from
the neighbouring steps and doubled. Two eigenvalues of a one-parameter family of symmetric matrices
meet exactly only by symmetry or accident (von Neumann & Wigner 1929), so "crossing" here always
reads: any gap is below ``gap_error``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

__all__ = ["Curves", "Meeting", "MeetingKind", "meetings"]

MeetingKind = Literal["crossing", "avoided", "undecided"]
Array = npt.NDArray[np.float64]

# Below this singular value the two vectors have left their plane: not a two-level system.
_SAME_PLANE = 0.7
_HALF = 0.5


@dataclass(frozen=True, slots=True)
class Meeting:
    """Two curves that exchange their order or their vectors.

    Attributes:
        row: The problem.
        first_step: The meeting lies between this step …
        last_step: … and this one.
        lower: Number of the curve that is lower before.
        upper: Number of the curve that is higher before.
        kind: ``crossing``: the curves exchange their order and any gap is within its error.
            ``avoided``: the gap has a minimum above its error at which the vectors exchange.
            ``undecided``: the order is exchanged, but the gap has no error (too few steps, or the
            vectors leave their plane) or a match on the way is below 1/2.
        gap: Smallest distance of the two eigenvalues, by two-level interpolation.
        gap_error: Of the interpolation and of the eigenvalues; infinite where it is unknown.
    """

    row: int
    first_step: int
    last_step: int
    lower: int
    upper: int
    kind: MeetingKind
    gap: float
    gap_error: float


@dataclass(frozen=True, slots=True)
class Curves:
    """One problem's followed eigenpairs, S steps, e curves.

    Attributes:
        values: [S, e].
        errors: [S, e].
        labels: [S, e], of the cluster that the curve is in.
        vectors: [S, d, e].
        matched: [S - 1, e], overlap to the next step above 1/2.
        positions: [S], rising.
    """

    values: Array
    errors: Array
    labels: npt.NDArray[np.int64]
    vectors: Array
    matched: npt.NDArray[np.bool_]
    positions: Array


def meetings(curves: Curves, *, row: int) -> list[Meeting]:
    """All meetings of one problem's curves, by step."""
    found = [*_exchanges(curves, row), *_avoided(curves, row)]
    return sorted(found, key=lambda m: (m.first_step, m.last_step, m.lower, m.upper))


def _exchanges(curves: Curves, row: int) -> Iterator[Meeting]:
    """Pairs whose order changes, perhaps by way of steps where they are one cluster."""
    signs = [_signs(v, labels) for v, labels in zip(curves.values, curves.labels, strict=True)]
    last, since = signs[0], np.zeros(signs[0].shape, dtype=np.int64)
    for step in range(1, len(signs)):
        now = signs[step]
        for upper, lower in np.argwhere((last > 0) & (now < 0)):
            first = int(since[upper, lower])
            yield _exchange(curves, row, first, step, int(lower), int(upper))
        last, since = np.where(now != 0, now, last), np.where(now != 0, step, since)


def _signs(values: Array, labels: npt.NDArray[np.int64]) -> npt.NDArray[np.int8]:
    apart = labels[:, None] != labels[None, :]
    signs: npt.NDArray[np.int8] = (apart * np.sign(values[:, None] - values)).astype(np.int8)
    return signs


def _exchange(curves: Curves, row: int, first: int, last: int, lower: int, upper: int) -> Meeting:
    pair = [lower, upper]
    kind: MeetingKind
    if last - first > 1:  # at the steps between they are one cluster
        inner = slice(first + 1, last)
        gaps = np.abs(curves.values[inner, upper] - curves.values[inner, lower])
        nearest = int(gaps.argmin())
        gap = float(gaps[nearest])
        error = max(gap, float(curves.errors[inner][nearest, pair].sum()))
        kind = "crossing"
    else:
        gap, error = _approach(curves, first, pair)
        kind = "crossing" if gap <= error else "avoided"
        if not bool(curves.matched[first, pair].all()) or not np.isfinite(error):
            kind = "undecided"
    return Meeting(row, first, last, lower, upper, kind, gap, error)


def _avoided(curves: Curves, row: int) -> Iterator[Meeting]:
    """Neighbours whose gap has a minimum at a step, and whose vectors change places around it."""
    for step in range(1, len(curves.values) - 1):
        order = curves.values[step].argsort(kind="stable")
        for lower, upper in zip(order[:-1].tolist(), order[1:].tolist(), strict=True):
            gaps = curves.values[:, upper] - curves.values[:, lower]
            if curves.labels[step, upper] == curves.labels[step, lower]:
                continue
            first, last = _window(gaps, step)
            if first < step < last and _change_places(curves, first, last, lower, upper):
                near = [_approach(curves, s, [lower, upper]) for s in (step - 1, step)]
                gap, error = min(near)
                kind: MeetingKind = "avoided" if gap > error else "undecided"
                yield Meeting(row, step - 1, step + 1, lower, upper, kind, gap, error)


def _window(gaps: Array, step: int) -> tuple[int, int]:
    """The steps around a minimum within which the gap falls before and rises after."""
    first = last = step
    if not (gaps[step - 1] > gaps[step] and gaps[step + 1] >= gaps[step]):
        return step, step
    while first > 0 and gaps[first - 1] > gaps[first]:
        first -= 1
    while last < len(gaps) - 1 and gaps[last + 1] >= gaps[last]:
        last += 1
    return first, last


def _change_places(curves: Curves, first: int, last: int, lower: int, upper: int) -> bool:
    before, after = curves.vectors[first], curves.vectors[last]
    crossed = (before[:, lower] @ after[:, upper]) ** 2, (before[:, upper] @ after[:, lower]) ** 2
    return bool(min(crossed) > _HALF)


def _approach(curves: Curves, step: int, pair: list[int]) -> tuple[float, float]:
    """Smallest gap of two curves between a step and the next, and its error."""
    points = {
        s: _two_level(curves, step, s, pair)
        for s in range(max(step - 1, 0), min(step + 3, len(curves.values)))
    }
    here, there = points[step], points[step + 1]
    start, end = step, step + 1
    if here is None or there is None:
        gaps = np.abs(np.diff(curves.values[start : end + 1][:, pair], axis=1))
        return float(gaps.min()), float("inf")
    along = there - here
    length = float(along @ along)
    share = float(np.clip(-(here @ along) / length, 0, 1)) if length > 0 else 0.0
    gap = float(np.linalg.norm(here + share * along))
    bends = []
    for three in ((start - 1, start, end), (start, end, end + 1)):
        known = [points.get(s) for s in three]
        if known[0] is not None and known[1] is not None and known[2] is not None:
            t = curves.positions[list(three)]
            rise = (known[1] - known[0]) / (t[1] - t[0])
            fall = (known[2] - known[1]) / (t[2] - t[1])
            bends.append(float(np.linalg.norm(2 * (fall - rise) / (t[2] - t[0]))))
    if not bends:
        return gap, float("inf")
    width = float(curves.positions[end] - curves.positions[start])
    error = 2 * max(bends) * width**2 / 8
    return gap, error + float(curves.errors[start : end + 1][:, pair].sum(axis=1).max())


def _two_level(curves: Curves, frame: int, step: int, pair: list[int]) -> Array | None:
    """(δ, o) of the pair at a step, in the plane of its vectors at another; None if it left it."""
    product = curves.vectors[frame][:, pair].T @ curves.vectors[step][:, pair]
    left, sizes, right = np.linalg.svd(product)
    if sizes[-1] < _SAME_PLANE:
        return None
    turn = left @ right
    block = turn * curves.values[step, pair] @ turn.T
    point: Array = np.array([block[1, 1] - block[0, 0], 2 * block[0, 1]])
    return point
