"""The bundled models: each has a card that fits it, and docs/models.md says what the cards say."""

from pathlib import Path

import pytest
import zoo

import ired_interp as ii
from ired_interp.models.measuring import read_measurement
from ired_interp.models.zoo import open_checkpoint

# Checkpoints on the way of a training are measured where that tells something of them.
NAMES = [name for name in ii.list_models() if "-step-" not in name]


@pytest.mark.parametrize("name", NAMES)
def test_each_bundled_model_was_measured_from_clean_code(name: str) -> None:
    checkpoint = open_checkpoint(name)
    found = read_measurement(checkpoint)
    assert found is not None
    assert checkpoint.card is not None
    assert checkpoint.card.training["provenance"]["git_dirty"] is False
    assert [each.num_problems for each in found.errors] == [5_000, 5_000]
    assert [each.level for each in found.landscape] == list(range(1, 11))


def test_the_page_says_what_the_cards_say() -> None:
    text = zoo.PAGE.read_text(encoding="utf-8")
    assert zoo.with_table(text) == text
    assert all(f"`{name}`" in text for name in NAMES)


def test_there_are_models_that_compute_and_models_that_do_not() -> None:
    beaten = {}
    for name in NAMES:
        found = read_measurement(open_checkpoint(name))
        assert found is not None
        beaten[name] = found.on("same").best_beaten
    assert beaten["inverse-4"] == "polynomial of degree 7"
    assert beaten["inverse-4-small-0"] in {"polynomial of degree 5", "polynomial of degree 7"}
    assert beaten["completion-3-rank-1"] == "zero-fill"
    # A checkpoint that shortcuts: it knows the affine rule and not the cubic.
    early = read_measurement(open_checkpoint("inverse-4-small-0-step-1000"))
    assert early is not None
    assert early.on("same").best_beaten == "c0*I + c1*A"


def test_the_models_are_small() -> None:
    folder = Path(ii.__file__).parent / "models/bundled"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 60e6
