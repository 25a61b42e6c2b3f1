"""Answers as a file: solved as the model was trained, unless told otherwise."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import tiny
from ired_interp.cli import main
from ired_interp.models.checkpoint import write_checkpoint


@pytest.mark.parametrize(("words", "bound"), [("", 0.25), ("--bound 1", 1.0)])
def test_answers_stay_within_the_clamp_of_the_training_or_the_one_given(
    words: str, bound: float, tmp_path: Path
) -> None:
    model, out = tmp_path / "m.safetensors", tmp_path / "answers.h5"
    training = {"steps_done": 1, "curve": [], "config": {"bound": 0.25}}
    write_checkpoint(model, tiny.weights(), tiny.card(training=training))
    asked = f"solve --model {model} --problems 3 --out {out} {words}"
    assert main(asked.split()) == 0
    with xr.open_dataset(out) as found:
        assert found.attrs["bound"] == bound
        assert np.abs(found["prediction"]).max() == pytest.approx(bound)
