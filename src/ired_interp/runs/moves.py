"""Which numbers of two sets of results moved, by how much, and by how many standard errors.

Numbers agree where they differ by at most a tolerance times a scale: the largest absolute value in
the first run among the variables of the same group and unit, so that the residuals of eigenvalues
are judged by the eigenvalues. A variable without a unit has a scale of its own, one of unit 1 a
scale of at least 1, and whole numbers must be equal. A move is also given in standard errors over
problems, which says whether it is more than another draw of problems would do.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

__all__ = ["PROBLEM", "Move", "Numbers", "aligned", "moves_of"]

PROBLEM = "problem"
_DRAW = "draw"
_DIMENSIONLESS = "1"


@dataclass(frozen=True, kw_only=True)
class Move:
    """How far a variable moved from the first run to the second.

    Attributes:
        name: With its group, such as ``controls/untrained/energy``.
        state: ``same bits``; ``within`` the tolerance; ``moved``; ``in part``: within it where
            both have numbers, and one has more; ``other problems``, which only their means tell
            apart; or ``only in first``, ``only in second`` and ``other shape``, where there is
            nothing to compare.
        largest: Largest absolute difference; infinite where one of two numbers is missing. Where
            problems differ, that of the means over problems.
        scale: What the tolerance is a share of; 0 for what must be equal.
        standard_errors: Largest |difference of means| over places, in its own standard errors over
            problems; what is within the tolerance counts as 0. None where there are no two
            problems.
        at: The place of that largest one, such as ``level 3``.
        places: How many places it is the largest of.
        paired: Whether each problem was compared with itself.
        problems: How many it is over, of the first run.
        detail: What else is to be said.
    """

    name: str
    state: str
    largest: float | None = None
    scale: float | None = None
    standard_errors: float | None = None
    at: str = ""
    places: int = 0
    paired: bool = False
    problems: int = 0
    detail: str = ""


@dataclass(frozen=True)
class Numbers:
    """Two variables at the same places, and what was left out for that."""

    first: xr.DataArray
    second: xr.DataArray
    detail: str


def moves_of(
    group: str, first: xr.Dataset, second: xr.Dataset, *, paired: bool, tolerance: float
) -> list[Move]:
    """Each variable of a group of results.

    Args:
        group: Put before the names.
        first: Of the run that sets the scale.
        second: Of the other.
        paired: Whether problems of the same number are the same.
        tolerance: Share of the scale.
    """
    scales = _scales(first)
    moves = []
    for key in dict.fromkeys([*first.data_vars, *second.data_vars]):
        name = f"{group}{key}"
        if key not in second.data_vars:
            moves.append(Move(name=name, state="only in first"))
        elif key not in first.data_vars:
            moves.append(Move(name=name, state="only in second"))
        else:
            scale = scales.get(str(key), 0.0)
            moves.append(
                _move(name, first[key], second[key], scale, paired=paired, tolerance=tolerance)
            )
    return moves


def _scales(data: xr.Dataset) -> dict[str, float]:
    """The largest absolute value of each number, and of its like."""
    own: dict[str, float] = {}
    by_unit: dict[str, float] = {}
    units: dict[str, str] = {}
    for key, values in data.data_vars.items():
        if values.dtype.kind not in "fc":
            continue
        finite = np.abs(values.values[np.isfinite(values.values)])
        name, unit = str(key), str(values.attrs.get("units", ""))
        own[name] = float(finite.max()) if finite.size else 0.0
        if unit == _DIMENSIONLESS:
            own[name] = max(own[name], 1.0)
        elif unit:
            units[name] = unit
            by_unit[unit] = max(by_unit.get(unit, 0.0), own[name])
    return {name: by_unit[units[name]] if name in units else own[name] for name in own}


def _move(
    name: str,
    first: xr.DataArray,
    second: xr.DataArray,
    scale: float,
    *,
    paired: bool,
    tolerance: float,
) -> Move:
    if _same_bits(first, second):
        return Move(name=name, state="same bits", largest=0.0, scale=scale, paired=paired)
    if first.dtype.kind not in "biufc" or second.dtype.kind not in "biufc":
        return Move(name=name, state="moved", detail="texts differ")
    over_problems = PROBLEM in first.dims
    numbers = aligned(first, second, problems=paired or not over_problems)
    if numbers is None:
        return Move(
            name=name,
            state="other shape",
            detail=f"{_shape(first)} in the first, {_shape(second)} in the second",
        )
    if paired or not over_problems:
        gaps = _gaps(numbers.first.values, numbers.second.values)
    else:
        means = (_means(one) for one in (numbers.first, numbers.second))
        gaps = _gaps(*means)
    largest = float(gaps.max()) if gaps.size else 0.0
    errors, at, places = None, "", 0
    if over_problems:
        errors, at, places = _in_errors(numbers, least=tolerance * scale, paired=paired)
    state = "moved"
    if over_problems and not paired:
        state = "other problems"
    elif largest <= tolerance * scale:
        state = "in part" if numbers.detail else "within"
    return Move(
        name=name,
        state=state,
        largest=largest,
        scale=scale,
        standard_errors=errors,
        at=at,
        places=places,
        paired=paired and over_problems,
        problems=numbers.first.sizes[PROBLEM] if over_problems else 0,
        detail=numbers.detail,
    )


def _same_bits(first: xr.DataArray, second: xr.DataArray) -> bool:
    if first.dims != second.dims or first.shape != second.shape or first.dtype != second.dtype:
        return False
    if not all(
        name in second.coords and np.array_equal(first.coords[name], second.coords[name])
        for name in first.coords
        if name in first.dims
    ):
        return False
    if first.dtype.kind == "O":
        return bool(np.array_equal(first.values, second.values))
    return first.values.tobytes() == second.values.tobytes()


def aligned(first: xr.DataArray, second: xr.DataArray, *, problems: bool = True) -> Numbers | None:
    """Both at the places that both have; None if they have no such places.

    Args:
        first: Of the first run.
        second: Of the second.
        problems: Whether problems are places, or draws from the same population.
    """
    if set(first.dims) != set(second.dims):
        return None
    second = second.transpose(*first.dims)
    apart = [] if problems else [PROBLEM]
    try:
        one, other = xr.align(first, second, join="inner", exclude=apart)
    except ValueError:  # places without names, and not as many
        return None
    lost = [
        f"{dim} {_listed(first, second, dim)}"
        for dim in first.dims
        if dim not in apart
        and not (first.sizes[dim] == second.sizes[dim] == one.sizes[dim] == other.sizes[dim])
    ]
    if not one.size or not other.size:
        return None
    detail = f"where both have {' and '.join(lost)}" if lost else ""
    return Numbers(one, other, detail)


def _listed(first: xr.DataArray, second: xr.DataArray, dim: Any) -> str:
    return f"({first.sizes[dim]} | {second.sizes[dim]})"


def _shape(values: xr.DataArray) -> str:
    return " × ".join(f"{dim} {size}" for dim, size in values.sizes.items()) or "one number"


def _gaps(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Absolute differences: 0 where both are the same or both missing, infinite where one is."""
    a, b = (
        values if values.dtype.kind == "c" else values.astype(float) for values in (first, second)
    )
    with np.errstate(invalid="ignore"):
        gaps = np.abs(a - b)
    gaps = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, gaps)
    return np.where(np.isnan(gaps), np.inf, gaps)


def _by_problem(values: xr.DataArray) -> npt.NDArray[np.float64]:
    """Problems first, after a mean over draws; missing and infinite numbers as NaN."""
    numbers = values.astype(float)
    if _DRAW in numbers.dims:
        numbers = numbers.mean(_DRAW)
    table: npt.NDArray[np.float64] = numbers.transpose(PROBLEM, ...).values
    return np.where(np.isfinite(table), table, np.nan)


def _moments(
    table: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean over problems and its variance, NaN where there are too few."""
    there = ~np.isnan(table)
    count = there.sum(axis=0)
    nothing = np.full(count.shape, np.nan)
    total = np.where(there, table, 0.0).sum(axis=0)
    mean = np.divide(total, count, where=count > 0, out=nothing.copy())
    squares = (np.where(there, table - mean, 0.0) ** 2).sum(axis=0)
    pairs = count * (count - 1)
    return mean, np.divide(squares, pairs, where=pairs > 0, out=nothing.copy())


def _means(values: xr.DataArray) -> npt.NDArray[np.float64]:
    return np.atleast_1d(_moments(_by_problem(values))[0])


def _in_errors(numbers: Numbers, *, least: float, paired: bool) -> tuple[float | None, str, int]:
    """The largest difference of means in standard errors, its place, and of how many."""
    first, second = _by_problem(numbers.first), _by_problem(numbers.second)
    if paired:
        gap, variance = _moments(first - second)
    else:
        (mean, variance), (other, other_variance) = _moments(first), _moments(second)
        gap, variance = mean - other, variance + other_variance
    gap = np.where(np.abs(gap) <= least, 0.0, gap)
    error = np.sqrt(variance)
    nothing = np.where(gap == 0, 0.0, np.where(np.isnan(error), np.nan, np.inf))
    shares = np.atleast_1d(np.divide(np.abs(gap), error, where=error > 0, out=nothing))
    if np.isnan(shares).all():
        return None, "", shares.size
    place = np.unravel_index(int(np.nanargmax(shares)), shares.shape)
    dims = [dim for dim in numbers.first.dims if dim not in (PROBLEM, _DRAW)]
    coords = numbers.first.coords
    words = [
        f"{dim} {coords[dim].values[i] if dim in coords else i}"
        for dim, i in zip(dims, place, strict=False)
    ]
    return float(shares[place]), ", ".join(words), shares.size
