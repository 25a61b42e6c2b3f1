"""Minima, paths, bands and slices whose rows or entries do not match: refused, never broadcast."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import planted
from ired_interp.bands import find_saddle, nudged_elastic_band
from ired_interp.directions import end_directions, hessian_directions, rank_directions
from ired_interp.errors import ShapeError
from ired_interp.landscape import Landscape
from ired_interp.minimise import minimise
from ired_interp.modes import find_modes
from ired_interp.paths import (
    barrier,
    convexity,
    energy_along,
    low_rank_path,
    spd_path,
    straight_path,
)
from ired_interp.slices import (
    Plane,
    path_components,
    plane_through,
    project_path,
    random_walk_shares,
    slice_energy,
    slice_gradient,
)

ROWS, D = 3, 4
LAND = Landscape(planted.network(2, D), planted.normal(ROWS, 2, seed=0), 5)
AXIS = torch.linspace(-1, 1, 3, dtype=torch.float64)
ONES = torch.ones(ROWS, dtype=torch.float64)


def of(*shape: int) -> Tensor:
    return planted.normal(*shape, seed=1)


def plane(rows: int, d: int = D) -> Plane:
    unit = torch.ones(rows, dtype=torch.float64)
    y = planted.normal(3, rows, d, seed=2)
    return plane_through(y[0], y[1], y[2], unit=unit, names=("one", "other"))


OTHER_ROWS = f"y: expected {ROWS} rows, one a row of x, found 2"
OTHER_ENTRIES = f"y: expected {D} entries a row .*, found 5"
CASES: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any], str]] = [
    (find_modes, (LAND, of(2, 6, D)), {}, OTHER_ROWS),
    (find_modes, (LAND, of(ROWS, 6, 5)), {}, OTHER_ENTRIES),
    (find_modes, (LAND, of(ROWS, D)), {}, r"starts of shape \[n, s, d\]"),
    (minimise, (LAND, of(2, D)), {}, OTHER_ROWS),
    (energy_along, (LAND, of(2, 6, D)), {}, OTHER_ROWS),
    (energy_along, (LAND, of(ROWS, 6, 5)), {}, OTHER_ENTRIES),
    (energy_along, (LAND, of(ROWS, D)), {}, r"images \[n, m, d\]"),
    (straight_path, (of(ROWS, D), of(2, D), 5), {}, "ends of one shape"),
    (straight_path, (of(ROWS, D), of(ROWS, 5), 5), {}, "as a has"),
    (spd_path, (of(ROWS, D), of(2, D), 5), {"size": 2}, "ends of one shape"),
    (low_rank_path, (of(ROWS, D), of(2, D), 5), {"shape": (2, 2), "rank": 2}, "ends of one shape"),
    (barrier, (of(ROWS, 5), of(2, 5, D)), {}, "an energy of each"),
    (convexity, (of(ROWS, 5), of(ROWS, 6, D)), {}, "an energy of each"),
    (nudged_elastic_band, (LAND, of(2, 5, D)), {}, OTHER_ROWS),
    (nudged_elastic_band, (LAND, of(ROWS, 5, 5)), {}, OTHER_ENTRIES),
    (find_saddle, (LAND, of(2, D)), {"within": ONES[:2]}, OTHER_ROWS),
    (find_saddle, (LAND, of(ROWS, D)), {"within": ONES[:2]}, r"within \[3\] above 0"),
    (find_saddle, (LAND, of(ROWS, D)), {"within": 0 * ONES}, r"within \[3\] above 0"),
    (slice_energy, (LAND, plane(2), AXIS, AXIS), {}, OTHER_ROWS),
    (slice_energy, (LAND, plane(ROWS, 5), AXIS, AXIS), {}, OTHER_ENTRIES),
    (slice_gradient, (LAND, plane(2), AXIS, AXIS), {}, OTHER_ROWS),
    (slice_gradient, (LAND, plane(ROWS), AXIS, AXIS[:0]), {}, r"v: expected coordinates \[m\]"),
    (Plane.points, (plane(ROWS), of(1, 6, 2)), {}, r"coordinates: expected shape \[3, m, 2\]"),
    (Plane.coordinates, (plane(ROWS), of(1, 6, D)), {}, r"y: expected shape \[3, m, 4\]"),
    (project_path, (plane(ROWS), of(1, 6, D)), {}, r"path: expected shape \[3, m, 4\]"),
    (path_components, (of(6, D),), {}, r"a path \[n, m, d\]"),
    (random_walk_shares, (of(6), D), {}, r"steps \[n, m\]"),
    (
        plane_through,
        (of(ROWS, D), of(2, D), of(ROWS, D)),
        {"unit": ONES, "names": ("", "")},
        "first",
    ),
    (hessian_directions, (LAND, of(2, D)), {}, OTHER_ROWS),
    (end_directions, (of(ROWS, 2, D), of(1, 2, D)), {}, "of one shape"),
    (rank_directions, (of(ROWS, D), (2, 2), 1), {"move": of(1, D)}, "move: expected shape"),
]


@pytest.mark.parametrize(("function", "given", "named", "says"), CASES)
def test_rows_that_do_not_match_are_refused(
    function: Callable[..., Any], given: tuple[Any, ...], named: dict[str, Any], says: str
) -> None:
    plain = inspect.unwrap(function)  # pytest would check the annotations before it does
    with pytest.raises(ShapeError, match=says):
        plain(*given, **named)
