"""Data for a browser: what JSON cannot hold, what plotly would read as a tag, what does not fit."""

import numpy as np
import pytest

from interactive_checks import summed
from ired_interp.errors import ExperimentError
from ired_interp.experiments.interactive import Interactive, grid, label, rounded


def test_a_grid_with_a_missing_number_has_none() -> None:
    assert grid(np.array([[1.0, np.nan]]))["differences"] is None
    flat = grid(np.full((2, 3), 7.0))
    np.testing.assert_array_equal(summed(flat), np.full((2, 3), 7.0))


def test_numbers_for_a_browser() -> None:
    assert rounded([[1 / 3, np.nan], [np.inf, 12345.6]]) == [[0.3333, None], [None, 12350.0]]
    assert label("<b onclick='x'>&") == "&lt;b onclick='x'&gt;&amp;"


def test_a_picture_without_values_for_a_trace_is_refused() -> None:
    with pytest.raises(
        ExperimentError, match=r"expected values .* = \(1, 2, 1\), found \(1, 2, 2\)"
    ):
        Interactive(
            caption="c",
            slider="level k",
            positions=["a", "b"],
            traces=[{}],
            values=[[[{}, {}], [{}]]],
            layout={},
        )
