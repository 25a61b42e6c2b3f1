"""Data for a browser: what JSON cannot hold, what plotly would read as a tag, what does not fit."""

import math
from typing import Any

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

from ired_interp.errors import ExperimentError
from ired_interp.experiments.base import FigureSpec
from ired_interp.experiments.interactive import Interactive, grid, label, rounded
from ired_interp.report.pictures import picture_of
from ired_interp.report.scripts import packed
from read_charts import summed


def test_a_grid_with_a_missing_number_has_none() -> None:
    assert grid(np.array([[1.0, np.nan]]))["differences"] is None
    flat = grid(np.full((2, 3), 7.0))
    np.testing.assert_array_equal(summed(flat), np.full((2, 3), 7.0))


def test_numbers_for_a_browser() -> None:
    assert rounded([[1 / 3, np.nan], [np.inf, 12345.6]]) == [[0.3333, None], [None, 12350.0]]
    assert label("<b onclick='x'>&") == "&lt;b onclick='x'&gt;&amp;"


def figure(**changes: Any) -> Interactive:
    fields: dict[str, Any] = {
        "caption": "c",
        "slider": "level k",
        "positions": ["a", "b"],
        "traces": [{"type": "scatter", "name": "t", "x": [1, 2]}],
        "values": [[[{"y": [1, 2]}], [{"y": [2, None]}]]],
        "layout": {},
    }
    made = object.__new__(Interactive)
    for name, value in ({"choice": "", "choices": ("",), "changes": ()} | fields | changes).items():
        object.__setattr__(made, name, value)
    made.__post_init__()  # annotations are checked in tests alone, and would be first
    return made


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"values": [[[{}, {}], [{}]]]}, r"values for .* = \(1, 2, 1\).*rows of \(1,\) and \(2,\)"),
        ({"values": [[[{}]]]}, r"values for .* = \(1, 2, 1\), mappings all, found \(1, 1, 1\)"),
        ({"values": None}, "found NoneType None for a sequence"),
        ({"values": [[[3], [{}]]]}, "found int 3 for a mapping"),
        ({"changes": [[{}]]}, r"changes for choices × positions = \(1, 2\).*found \(1, 1\)"),
        ({"positions": []}, r"positions: expected texts, at least one, found list \[\]"),
        ({"positions": [1, 2]}, r"positions: expected texts.*found list \[1, 2\]"),
        ({"caption": 3}, "caption: expected text, found int 3"),
        ({"layout": None}, "layout: expected a mapping, found NoneType"),
        ({"traces": [{"x": [1, 2]}]}, "mappings with plotly's type, found dict"),
        (
            {"values": [[[{"y": [1]}], [{}]]]},
            "trace 't': expected x and y of one length, found 2 and 1",
        ),
    ],
)
def test_what_is_no_picture_is_refused_in_words(changes: dict[str, Any], said: str) -> None:
    figure()
    with pytest.raises(ExperimentError, match=said):
        figure(**changes)


@pytest.mark.parametrize("number", [math.nan, np.float64(1.0).reshape(1)])
def test_what_a_page_cannot_hold_is_refused_in_words(number: Any) -> None:
    with pytest.raises(ExperimentError, match=r"expected text, lists and finite numbers.*rounded"):
        packed(figure(layout={"height": number}))


def test_a_figure_of_another_kind_is_refused_in_words() -> None:
    wrong: Any = lambda *_: {"data": []}  # noqa: E731 - of another type than it must be
    spec = FigureSpec("mine", "t", "c", lambda *_: Figure((2, 1)), interactive_fn=wrong)
    with pytest.raises(ExperimentError, match=r"figure mine: interactive_fn: .*returned dict"):
        picture_of(spec, xr.DataTree())
