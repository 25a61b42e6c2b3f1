"""Evidence of a model beside untrained ones: what is taken of which network."""

import numpy as np
import pytest
import xarray as xr

from ired_interp.experiments.model_evidence import beside_untrained, left_out, over_levels, rows
from ired_interp.stats import FloatArray

N, LEVELS, DRAWS = 3, 2, 4


def case(seed: int) -> xr.Dataset:
    values = np.random.default_rng(seed).normal(size=(LEVELS, N))
    return xr.Dataset({"size": (("level", "problem"), values)})


def mean(data: xr.Dataset) -> FloatArray:
    return rows(data["size"].mean("level"))


def test_the_statistic_is_taken_of_the_model_and_of_each_draw() -> None:
    draws = xr.concat([case(i).expand_dims(draw=[i]) for i in range(DRAWS)], "draw")
    results = xr.DataTree.from_dict({"/": case(9), "controls/untrained": draws})
    found = beside_untrained(results, mean, null=0.5, note="a note")
    np.testing.assert_array_equal(found.effect, mean(case(9)))
    assert found.control is not None
    np.testing.assert_array_equal(found.control, [mean(case(i)) for i in range(DRAWS)])
    assert (found.null, found.unit, found.note) == (0.5, "1", "a note")
    assert over_levels(results) == "over 2 levels"
    assert over_levels(case(0).isel(level=[0])) == "over 1 level"


def test_what_round_off_is_depends_on_the_dtype_of_the_run() -> None:
    for dtype, least in ((np.float64, 1.5e-8), (np.float32, 3.5e-4)):
        data = case(9).assign(x=(("problem", "x_dim"), np.zeros((N, 1), dtype)))
        found = beside_untrained(xr.DataTree(data), mean, null=0.0, note="")
        assert found.resolution == pytest.approx(least, rel=0.02)
    assert beside_untrained(xr.DataTree(case(9)), mean, null=0.0, note="").resolution < 2e-8


def test_levels_that_are_left_out_are_counted() -> None:
    missing = xr.DataArray(np.array([[True, False], [False, False]]))
    assert left_out(missing & False, None) == left_out(missing & False, missing & False) == ""
    assert left_out(missing, None).endswith("left out: 1 of 4 levels of problems")
    both = left_out(missing, xr.concat([missing] * 3, "draw"))
    assert both.endswith(
        "1 of 4 levels of problems and 3 of 12 levels of problems with untrained weights"
    )
    assert "left out: 3 of 12" in left_out(missing & False, xr.concat([missing] * 3, "draw"))


def test_without_untrained_networks_there_is_no_control() -> None:
    others = {"/": case(9), "controls/random": case(1).expand_dims(draw=[0])}
    for results in (xr.DataTree(case(9)), xr.DataTree.from_dict(others)):
        assert beside_untrained(results, mean, null=0.0, note="").control is None


def test_the_problem_is_the_first_axis() -> None:
    found = rows(case(9)["size"], "level")
    np.testing.assert_array_equal(found, case(9)["size"].values.T)
    assert found.dtype == np.float64
