"""What a study says of the model alone, beside its numbers and on its page."""

import json
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import ired_interp as ii
from ired_interp.energy.base import Energy
from ired_interp.experiments.kit.expressions import pick
from ired_interp.experiments.kit.notes import Notes
from ired_interp.experiments.kit.options import ModelOptions
from ired_interp.experiments.kit.study import Prepared, Study
from ired_interp.experiments.kit.tables import Lines, MeanTable, Said
from ired_interp.experiments.kit.variables import V, Values, declare
from ired_interp.experiments.over_problems import summarised


def size(model: Energy, given: Prepared, config: ModelOptions) -> Values:
    return {"size": np.full((len(given.problems.x), len(config.levels)), float(model.dim_y))}


def size_and_twice(model: Energy, given: Prepared, config: ModelOptions) -> Values:
    own = size(model, given, config)
    return {**own, "twice": 2 * np.asarray(own["size"])}


def largest(data: xr.Dataset) -> xr.Dataset:
    values = data["size"].max([dim for dim in data["size"].dims if dim != "level"])
    largest_of = {"largest": ("level", values.values, {"units": "1"})}
    return summarised(data, largest_of, ["level"], {"num_levels": data.attrs["num_levels"]})


SIZE = pick("size")
TABLE = MeanTable(
    "Sizes",
    ("level",),
    (("size", SIZE), ("again", SIZE)),
    ideals=("4", "–"),
    reference="ideal",
)
STUDY: Study[ModelOptions, Prepared] = Study(
    name="own",
    title="Sizes",
    Config=ModelOptions,
    measure=size,
    measure_model=size_and_twice,
    attributes=lambda config: {"num_levels": len(config.levels)},
    variables=declare(
        V("size", "problem level", "1", "Entries of y.", mean=True),
        V("twice", "problem level", "1", "Twice as many.", mean=True),
    ),
    summary=largest,
    tables=(TABLE,),
    said=(Said("Twice as many are {model}.", SIZE, pick("twice")),),
    lines=Lines((("size", SIZE),), (("size", SIZE),), "sizes;"),
    words=Notes("Sizes {where}.", [], []),
    names=lambda results: {"where": f"at {results.sizes['level']} levels"},
)


def results() -> xr.DataTree:
    task, config = ii.task("inverse", size=2), ModelOptions(problems=3, levels=(4, 10))
    model = ii.untrained_model(task)
    given = STUDY.prepared(config, task, model.schedule, 0, 3)
    root, beside = (call(model, given, config) for call in (STUDY.of_model, STUDY.measured))
    words = {"model": "m", "dtype": "float64", "device": "cpu", "seed": 0, "difficulty": "same"}
    tree = xr.DataTree.from_dict(
        {"/": root.assign_attrs(config=json.dumps(words)), "controls/shuffled": beside}
    )
    for name, one in STUDY.summarise(tree).items():
        tree[f"summary/{name}"] = xr.DataTree(one)
    return tree


def test_more_is_measured_of_the_model_than_of_its_controls() -> None:
    tree = results()
    assert set(tree.data_vars) == {"x", "answer", "size", "twice"}
    assert set(tree["controls/shuffled"].to_dataset().data_vars) == {"size"}
    plain = replace(STUDY, measure_model=None)
    task, config = ii.task("inverse", size=2), ModelOptions(problems=3, levels=(4, 10))
    model = ii.untrained_model(task)
    given = plain.prepared(config, task, model.schedule, 0, 3)
    assert "twice" not in plain.of_model(model, given, config)


def test_attributes_stand_beside_all_numbers_and_a_summary_keeps_its_own() -> None:
    tree = results()
    for group in ("/", "controls/shuffled", "summary/model", "summary/shuffled"):
        assert tree[group].attrs["num_levels"] == 2
    summary = tree["summary/model"]
    assert summary.attrs["unit_of_replication"] == "problem"
    np.testing.assert_array_equal(summary["largest"], 4.0)


def test_a_table_has_a_row_of_the_ideal() -> None:
    table = TABLE.of(results())
    assert table is not None
    assert (table.reference, [one.reference for one in table.columns]) == ("ideal", ["4", "–"])
    with pytest.raises(ValueError, match="zip"):
        replace(TABLE, ideals=("4",)).of(results())


def test_the_page_has_the_names_of_the_experiment_and_needs_what_it_says() -> None:
    page = STUDY.page(results())
    assert page.lead == ("Sizes at 2 levels.",)
    assert set(STUDY.needs) == {"summary/model/size", "summary/model/twice"}
