"""Where numbers stand on an axis, and from where to where it goes."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from ired_interp.experiments.kit.drawn import Axis
from ired_interp.experiments.kit.traces import Band, Bars, Heat, Line, Numbers, Rule, Trace

__all__ = ["ends_of", "numbers_along", "numbers_up", "on_axis", "symlog_ticks"]

_MOST_TICKS = 7
# What an axis has beside the numbers, as a share of their range.
_ROOM = 0.05
_SAME = 1e-6


def on_axis(values: Numbers | float, axis: Axis) -> Numbers:
    """Where numbers stand on the axis: as they are, unless it is ``symlog``."""
    numbers = np.asarray(values, dtype=np.float64)
    if axis.scale != "symlog":
        return numbers
    share = np.abs(numbers) / axis.linear_to
    far = share > 1
    decades = 1 + np.log10(np.where(far, share, 1.0))
    return np.asarray(np.sign(numbers) * np.where(far, decades, share))


def symlog_ticks(drawn: Numbers, axis: Axis) -> dict[float, str]:
    """Words by number: 0 and powers of ten on both sides, a few of them."""
    finite = drawn[np.isfinite(drawn)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    first = round(math.log10(axis.linear_to))
    found = {0.0: "0"}
    for sign, end in ((-1, -low), (1, high)):
        if end <= 0:
            continue
        last = max(first, math.ceil(math.log10(end))) if end > axis.linear_to else first
        step = max(1, math.ceil((last - first + 1) / (_MOST_TICKS // 2)))
        for power in range(first, last + 1, step):
            number = sign * 10.0**power
            found[number] = f"{number:g}".replace("-", "−")
    return found


def ends_of(axis: Axis, drawn: Numbers) -> tuple[float, float]:
    """The ends of the axis where plotly has them: of a logarithmic one their powers of ten.

    Args:
        axis: Its own ends come first.
        drawn: All numbers that are to be seen.
    """
    if axis.scale == "log":
        with np.errstate(divide="ignore", invalid="ignore"):
            at = np.log10(np.where(drawn > 0, drawn, np.nan))
        own = [
            end and math.log10(end) if end and end > 0 else None for end in (axis.low, axis.high)
        ]
    else:
        at = on_axis(drawn, axis)
        own = [None if end is None else float(on_axis(end, axis)) for end in (axis.low, axis.high)]
    finite = at[np.isfinite(at)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    size = max(abs(low), abs(high))
    # Numbers that differ by round-off alone are one number.
    room = _ROOM * (high - low if high - low > _SAME * size else size or 1.0)
    return (
        low - room if own[0] is None else own[0],
        high + room if own[1] is None else own[1],
    )


def numbers_up(traces: Sequence[Trace]) -> Numbers:
    """All that must be seen along y."""
    return _flat([n for one in traces for n in _up(one)])


def numbers_along(traces: Sequence[Trace]) -> Numbers:
    """All that must be seen along x."""
    return _flat([n for one in traces for n in _along(one)])


def _flat(found: Sequence[Numbers]) -> Numbers:
    return np.concatenate([np.zeros(0), *(np.ravel(np.asarray(one, float)) for one in found)])


def _up(one: Trace) -> Iterator[Numbers]:
    match one:
        case Line():
            yield one.y
            if one.low is not None and one.high is not None and one.interval != "across":
                yield from (one.low, one.high)
        case Band():
            yield from (one.low, one.high)
        case Bars():
            yield from (one.base, one.base + one.y)
        case Heat():
            yield _edges(one.y)
        case Rule() if one.across == "y":
            yield np.array([one.at])


def _along(one: Trace) -> Iterator[Numbers]:
    match one:
        case Line():
            yield one.x
            if one.low is not None and one.high is not None and one.interval == "across":
                yield from (one.low, one.high)
        case Band():
            yield one.x
        case Bars():
            yield from (one.x - one.width / 2, one.x + one.width / 2)
        case Heat():
            yield _edges(one.x)
        case Rule() if one.across == "x":
            yield np.array([one.at])


def _edges(middles: Numbers) -> Numbers:
    """Of a map: half a cell beyond the middles of the first and the last."""
    half = (middles[-1] - middles[0]) / max(len(middles) - 1, 1) / 2 or 0.5
    return np.array([middles[0] - half, middles[-1] + half])
