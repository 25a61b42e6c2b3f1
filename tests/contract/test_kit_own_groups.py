"""Groups that come with the model's numbers, first places, missing levels, tables with an ideal."""

import json
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
import xarray as xr

import ired_interp as ii
from ired_interp.energy.base import Energy
from ired_interp.experiments.kit.claims import Claim
from ired_interp.experiments.kit.expressions import FIRST, pick
from ired_interp.experiments.kit.notes import Notes
from ired_interp.experiments.kit.options import ModelOptions
from ired_interp.experiments.kit.study import Prepared, Study
from ired_interp.experiments.kit.tables import Lines, MeanTable
from ired_interp.experiments.kit.variables import V, Values, declare

LEVELS = (4, 10)
TURNED = "controls/turned"
SHARE = pick("share", side=FIRST)


def share(model: Energy, given: Prepared, config: ModelOptions) -> Values:
    """Not defined at the first level of the first problem."""
    values = np.full((len(given.problems.x), len(config.levels), 2), float(model.dim_y))
    values[0, 0] = np.nan
    return {"share": values}


def share_and_turned(
    model: Energy, given: Prepared, config: ModelOptions
) -> Mapping[str, Sequence[Values]]:
    own = share(model, given, config)
    return {"/": [own], TURNED: [{"share": own["share"] + i} for i in range(3)]}


def prepare(config: ModelOptions, given: Prepared) -> Prepared:
    return Prepared(
        task=given.task,
        problems=given.problems,
        first=given.first,
        schedule=given.schedule,
        coords={"side": ["left", "right"]},
    )


LINES = Lines((("share", SHARE),), (("share", SHARE),), "of the {side} side;", most=1)
TABLE = MeanTable(
    "Shares",
    ("side", "level"),
    (("share", pick("share")), ("again", pick("share"))),
    heads={"side": "which"},
    ideals=("1", "–"),
    reference="ideal",
)
STUDY: Study[ModelOptions, Prepared] = Study(
    name="own",
    title="Own groups",
    Config=ModelOptions,
    prepare=prepare,
    measure=share,
    measure_groups=share_and_turned,
    groups={TURNED: "the same, turned;", "controls/none": "nothing;"},
    variables=declare(V("share", "problem level side", "1", "A share.", mean=True)),
    tables=(TABLE,),
    lines=LINES,
    words=Notes("A lead about the {side} side.", [], []),
    names=lambda results: {"side": str(results.coords["side"].values[0])},
)
CLAIM = Claim(
    id="is-large",
    statement="It is large.",
    effect=SHARE.mean("level"),
    mean_of=SHARE,
    what="a share",
    source="here",
    note="means",
)


def measured() -> dict[str, xr.Dataset]:
    task, config = ii.task("inverse", size=2), ModelOptions(problems=3, levels=LEVELS)
    model = ii.untrained_model(task)
    return STUDY.groups_of_model(model, STUDY.prepared(config, task, model.schedule, 0, 3), config)


def results(**controls: xr.Dataset) -> xr.DataTree:
    groups = measured() | {f"controls/{name}": one for name, one in controls.items()}
    tree = xr.DataTree.from_dict(groups)
    config = {"model": "m", "dtype": "float64", "device": "cpu", "seed": 0, "difficulty": "same"}
    tree.attrs["config"] = json.dumps(config)
    data = {"model": tree.to_dataset()}
    data |= {name: one.to_dataset() for name, one in tree["controls"].children.items()}
    for name, one in data.items():
        tree[f"summary/{name}"] = xr.DataTree(STUDY.variables.summary(one))
    return tree


def test_a_group_comes_with_the_models_numbers_draw_by_draw() -> None:
    found = measured()
    assert set(found) == {"/", TURNED}
    assert {"x", "answer", "share"} == set(found["/"].data_vars)
    assert found[TURNED]["share"].dims == ("draw", "problem", "level", "side")
    assert found[TURNED]["draw"].values.tolist() == [0, 1, 2]
    for draw in range(3):
        turned = found[TURNED]["share"].sel(draw=draw)
        np.testing.assert_array_equal(turned, found["/"]["share"] + draw)


def test_the_first_place_of_a_dimension_is_that_of_the_data() -> None:
    data = measured()["/"]
    assert SHARE.of(data).identical(data["share"].isel(side=0))
    other = data.isel(side=[1])
    assert SHARE.of(other)["side"].item() == "right"
    assert "side" not in SHARE(level=10).of(data).dims


def test_a_claim_says_at_how_many_levels_there_is_no_number() -> None:
    one = measured()["/"]
    tree = results(untrained=one.expand_dims(draw=[0]))
    found = CLAIM.hypothesis().statistic(tree)
    assert found.note == (
        "means; without a number, and left out: 1 of 6 levels of problems and 1 of 6 levels of "
        "problems with untrained weights"
    )
    np.testing.assert_array_equal(found.effect, 4.0)
    alone = xr.DataTree(one)
    assert CLAIM.evidence(alone).note.endswith("left out: 1 of 6 levels of problems")


def test_a_table_has_a_row_of_the_ideal_and_heads_in_words() -> None:
    table = TABLE.of(results())
    assert table is not None
    assert [column.reference for column in table.columns] == ["1", "–"]
    assert (table.reference, table.group_heads[0]) == ("ideal", "which")
    with pytest.raises(ValueError, match="zip"):
        MeanTable("Shares", TABLE.rows, TABLE.columns, ideals=("1",)).of(results())


def test_lines_and_page_are_filled_in_with_the_names_of_the_experiment() -> None:
    one = measured()["/"].expand_dims(draw=[0])
    tree = results(untrained=one, shuffled=one.isel(draw=0, drop=True))
    listing = STUDY.listing(tree)
    assert listing.caption.startswith("of the left side;\n")
    assert listing.muted == ["untr. share"]
    assert {len(row) for row in listing.rows} == {len(listing.heads)} == {4}
    page = STUDY.page(tree)
    assert page.lead == ("A lead about the left side.",)
    words = "".join(map(str, page.layout))
    assert "the same, turned;" in words
    assert "nothing;" not in words
