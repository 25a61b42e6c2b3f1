"""What an experiment may declare: options beside one another, whole numbers, columns, sentences."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import xarray as xr

from ired_interp.errors import ConfigError, ExperimentError
from ired_interp.experiments import exp004, exp006
from ired_interp.experiments.kit.expressions import pick
from ired_interp.experiments.kit.options import ModelOptions, filled, option
from ired_interp.experiments.kit.tables import MeanColumn, MeanTable
from ired_interp.experiments.kit.variables import V, declare
from ired_interp.experiments.over_problems import STATISTICS
from ired_interp.experiments.page import Column, Marked


@dataclass(frozen=True, kw_only=True)
class Config(ModelOptions):
    """Some of the problems are looked at more closely."""

    problems: int | None = option("How many problems", laptop=4, paper=20, least=1)
    closer: int | None = option("How many of them", laptop=2, paper=10, least=0, at_most="problems")


def test_what_stands_for_an_option_is_no_larger_than_another() -> None:
    assert filled(Config()).closer == 2
    assert filled(Config(problems=1)).closer == 1
    assert filled(Config(scale="paper", problems=7)).closer == 7
    assert filled(Config(scale="paper", problems=7, closer=3)).closer == 3


def test_an_option_larger_than_another_is_refused() -> None:
    with pytest.raises(ConfigError, match="closer: expected at most the 4 problems, found 5"):
        Config(closer=5)
    with pytest.raises(ConfigError, match="closer: expected at most the 3 problems, found 4"):
        Config(closer=4, problems=3)
    assert Config(closer=5, scale="paper").closer == 5


def test_a_whole_number_is_stored_as_one_and_its_mean_leaves_out_what_is_missing() -> None:
    variables = declare(
        V("count", "problem level", "minima", "How many.", mean=True, whole=True),
        V("share", "problem level", "1", "How much.", mean=True),
    )
    values = np.array([[-1.0, 3.0], [2.0, 5.0], [-1.0, 7.0]])
    data = variables.dataset(
        {"count": values, "share": values},
        {"problem": [0, 1, 2], "level": [1, 10]},
    )
    assert data["count"].dtype == np.int32
    assert data["share"].dtype == np.float64
    summary = variables.summary(data)
    assert summary["count"].sel(statistic="mean").values.tolist() == [2.0, 5.0]
    assert summary["count"].sel(statistic="count").values.tolist() == [1, 3]
    assert summary["share"].sel(statistic="mean").values.tolist() == [0.0, 5.0]


def test_a_table_has_units_ideals_counts_and_sigma_beside_the_level() -> None:
    means = np.array([[1.25, 1.0, 1.5, 7], [np.nan, np.nan, np.nan, 0]])
    summary = xr.Dataset(
        dict.fromkeys(("height", "offset"), (("level", "statistic"), means)),
        coords={"level": [1, 10], "statistic": list(STATISTICS)},
    )
    root = xr.Dataset(coords={"level": [1, 10], "sigma": ("level", [0.99, 0.25])})
    results = xr.DataTree.from_dict({"/": root, "/summary/model": summary})
    columns = (
        ("offset", pick("offset")),
        MeanColumn("height", pick("height"), "energy", "–", counted=True),
    )
    table = MeanTable("By level", ("level",), columns, beside=("sigma",), reference="the bowl")
    found = table.of(results)
    assert found is not None
    assert found.group_heads == [("level ", Marked("k", "i")), "σ_t"]
    assert [group.heads for group in found.groups] == [["1", "0.990"], ["10", "0.250"]]
    assert found.reference == "the bowl"
    assert found.columns == [
        Column("offset", variable="summary/…/offset"),
        Column("height", "energy", "–", "summary/…/height"),
    ]
    first, last = (group.rows[0].cells for group in found.groups)
    assert [cell.note for cell in (*first, *last)] == ["", "n = 7", "", ""]
    assert last[1].value == "–"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"hight": np.zeros(3)}, r"hight: expected a declared variable \(x, answer, height\)"),
        ({"height": np.zeros((3, 2))}, r"height: expected the declared dims \(problem\), found"),
    ],
)
def test_numbers_that_are_not_as_declared_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ExperimentError, match=message):
        declare(V("height", "problem", "y", "How high.")).dataset(values, {})


def test_a_variable_is_declared_once() -> None:
    with pytest.raises(ExperimentError, match="different names, found height twice"):
        declare(V("height", "problem", "y", "How high."), V("height", "problem", "y", "Again."))


def test_an_expression_is_a_mean_where_it_is_asked_and_nothing_where_there_is_no_place() -> None:
    data = xr.Dataset(
        {
            "rho": (
                ("problem", "level", "metric"),
                [[[1.0], [3.0], [8.0]], [[2.0], [np.nan], [4.0]]],
            )
        },
        coords={"level": [1, 2, 3], "sigma": ("level", [1.0, 0.5, 0.1]), "metric": ["a"]},
    )
    rho = pick("rho", metric="a")
    fine = rho.mean("level", where=lambda here: here["sigma"] < 0.8)
    np.testing.assert_array_equal(fine.of(data), [5.5, 4.0])
    np.testing.assert_array_equal((rho.mean("level") - fine).of(data), [-1.5, -1.0])
    np.testing.assert_array_equal((rho(level=1) * 2.0 + 1.0).of(data), [3.0, 5.0])
    assert bool(pick("rho", metric="b").mean("level").of(data).isnull().all())
    assert (rho - pick("other")).variables == ("rho", "other")


def test_a_budget_is_refused_where_nothing_is_known_of_what_a_unit_takes() -> None:
    asked: tuple[tuple[Any, Any], ...] = (
        (exp004.EXPERIMENT, exp004.Exp004Config()),
        (exp006.EXPERIMENT, exp006.Exp006Config(device="cuda")),
    )
    for study, config in asked:
        with pytest.raises(ConfigError, match=f"found {study.name} on {config.device}"):
            study.fit(config, 2**40)
