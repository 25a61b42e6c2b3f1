"""What a study says of its summary: lines by any dimension, means over places, words of its own."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from ired_interp.errors import ExperimentError
from ired_interp.experiments.kit.expressions import pick
from ired_interp.experiments.kit.notes import notes
from ired_interp.experiments.kit.tables import Lines, MeanTable, Words
from ired_interp.experiments.model_page import names_of
from ired_interp.experiments.over_problems import STATISTICS
from ired_interp.experiments.page import Block, Cell, Definitions, Paragraph

WAYS = ["released", "no-jump"]


@pytest.fixture
def results() -> xr.DataTree:
    """Errors by way, and slopes by way and level; of the second way no problem has an error."""
    level = ("level", [10, 4])
    error = np.array([[1.0, 0.9, 1.1, 8], [np.nan, np.nan, np.nan, 0]])
    slopes = np.arange(16.0).reshape(2, 2, 4)
    summary = xr.Dataset(
        {
            "error": (("arm", "statistic"), error),
            "slope": (("arm", "level", "statistic"), slopes),
        },
        coords={"arm": WAYS, "level": level, "statistic": list(STATISTICS)},
    )
    tree = xr.DataTree.from_dict(
        {
            "/": xr.Dataset(
                {"size": (("problem", "arm", "level"), np.zeros((8, 2, 2)))},
                coords={"arm": WAYS, "level": level},
            ),
            "controls/untrained": xr.Dataset({"size": (("draw", "problem"), np.zeros((3, 8)))}),
            "summary/model": summary,
            "summary/untrained": summary,
        }
    )
    config = {"model": "m", "dtype": "float64", "bound": 2.0, "levels": [10, 4]}
    tree.attrs["config"] = json.dumps(config)
    return tree


def best(here: xr.Dataset) -> str:
    return "best" if float(here["error"].sel(statistic="mean")) == 1 else ""


def test_lines_have_a_row_for_each_place_of_a_dimension(results: xr.DataTree) -> None:
    lines = Lines(
        columns=(
            ("error", pick("error")),
            ("slope", pick("slope")),
            ("which", Words(("error",), best)),
        ),
        others=(("", pick("error")), ("again", pick("error"))),
        caption="errors;",
        rows="arm",
        head="way",
    )
    listing = lines.of(results, {})
    assert listing.heads == ("way", "error", "slope", "which", "untr.", "untr. again")
    # Two levels: the mean of their means, 0 and 4, has no interval here.
    assert listing.rows[0] == ["released", "1.0(1)", "2", "best", "1.0(1)", "1.0(1)"]
    assert listing.rows[1] == ["no-jump", "–", "10", "", "–", "–"]
    assert listing.left == ["way", "which"]
    assert listing.muted == ["untr.", "untr. again"]


def test_a_table_shows_means_over_places_and_names_its_rows(results: xr.DataTree) -> None:
    columns = (("error", pick("error")), ("slope", pick("slope")))
    table = MeanTable("errors", ("arm",), columns, heads={"arm": "way"}).of(results)
    assert table is not None
    assert table.group_heads == ["way"]
    assert table.groups[0].rows[0].cells == [Cell("1.00", "[0.90, 1.10]"), Cell("2")]
    assert table.groups[1].rows[0].cells == [Cell("–"), Cell("10")]


def test_words_say_which_variables_they_are_of(results: xr.DataTree) -> None:
    words = Words(("error",), lambda model: f"{model.sizes['arm']} ways")
    assert words.of(results) == "2 ways"
    assert words.variables == ["summary/model/error"]


def test_notes_may_name_a_block_and_what_stands_beside(
    results: xr.DataTree, tmp_path: Path
) -> None:
    path = tmp_path / "notes.md"
    path.write_text(
        "Of **{model}**{beside}.\n\n- Clamp: ±{bound}\n- Levels: {level_list}\n\n"
        "## The ways {#ways}\n\n{ways}\n\nSo {levels}.\n",
        encoding="utf-8",
    )
    words = notes(path)
    block = Definitions([("released", "the released code")])
    names: dict[str, str | Block] = {**names_of(results), "ways": block}
    assert words.lead_of(names)[-1] == ", beside 3 draws of untrained weights."
    assert words.facts_of(names) == [("Clamp", ("±2",)), ("Levels", ("4, 10",))]
    (section,) = words.sections_of(names)
    assert section.blocks == (block, Paragraph(("So 2 levels.",)))
    path.write_text("So **{model}** has {ways} of these.\n", encoding="utf-8")
    with pytest.raises(ExperimentError, match=r"expected one of the names .*, found \{ways\}"):
        notes(path).lead_of(names)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("One.\n\nAnother.\n", "expected one paragraph, the page's lead, .* found 2"),
        ("- A fact: alone\n", "expected one paragraph, the page's lead, .* found 0"),
        (
            "A lead.\n\n## The ways\n\nText.\n",
            "expected a heading with an anchor.*found '## The ways'",
        ),
    ],
)
def test_notes_that_are_no_page_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "notes.md"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ExperimentError, match=message):
        notes(path)
