"""What all experiments on models do alike: units, controls, configs, means over problems."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import tiny
from ired_interp.errors import CheckpointError, IredInterpError
from ired_interp.experiments import Experiment, find_experiment
from ired_interp.experiments.base import groups_of
from ired_interp.experiments.config import config_from_mapping
from ired_interp.experiments.exp005 import EXPERIMENT as EXP005
from ired_interp.experiments.exp005 import Exp005Config
from ired_interp.experiments.model_page import counted, described_layout
from ired_interp.experiments.over_problems import STATISTICS, mean_variable
from ired_interp.experiments.page import Marked
from ired_interp.experiments.skill import TRAINED_ON
from ired_interp.experiments.smallest import reduce_config
from ired_interp.experiments.subjects import MODEL, SHUFFLED, UNTRAINED
from ired_interp.models.checkpoint import read_checkpoint, write_checkpoint
from ired_interp.models.trained import training_bound, training_difficulty
from ired_interp.models.zoo import open_checkpoint

NAMES = ("exp001", "exp002", "exp004", "exp005", "exp006", "exp007", "exp011")


@pytest.fixture(params=NAMES)
def experiment(request: pytest.FixtureRequest) -> Experiment:
    return find_experiment(request.param)


@given(problems=st.integers(1, 40), unit_problems=st.integers(1, 45), controls=st.integers(0, 3))
def test_every_case_has_every_problem_once(
    problems: int, unit_problems: int, controls: int
) -> None:
    config = Exp005Config(problems=problems, unit_problems=unit_problems, controls=controls)
    chunks = [EXP005.chunk(config, i) for i in range(EXP005.units(config))]
    assert [i for first, count in chunks for i in range(first, first + count)] == list(
        range(problems)
    )
    assert max(count for _, count in chunks) <= unit_problems
    draws = {case.group: case.draws(config) for case in (EXP005.model, *EXP005.cases)}
    assert draws == {MODEL: (None,), UNTRAINED: tuple(range(controls)), SHUFFLED: ()}


def trained(folder: Path, step: int, **config: object) -> str:
    """A small checkpoint whose card says that it was trained in another way than it was."""
    path = folder / f"step-{step}.safetensors"
    small = open_checkpoint("inverse-4-small-0")
    assert small.card is not None
    training = {"steps_done": step, "curve": [], "config": config}
    write_checkpoint(path, small.model.state_dict(), replace(small.card, training=training))
    return str(path)


def test_the_first_units_are_the_models_and_as_it_was_trained(
    experiment: Experiment, tmp_path: Path
) -> None:
    first, second, last = (
        trained(tmp_path, step, bound=0.25, difficulty="harder") for step in (1, 2, 3)
    )
    series = {"series": (first, second)} if experiment.name == "exp007" else {}
    asked = experiment.Config(model=last, levels=(10,), controls=0, **series)
    planned = experiment.plan(reduce_config(experiment, asked).config)
    assert planned.bound == 0.25
    assert experiment.plan(replace(planned, bound=3.0)).bound == 3.0
    data = groups_of(experiment.run_unit(planned, 0))[MODEL]
    assert data.attrs["task"] == "inverse"
    assert data.attrs[TRAINED_ON] == "harder"
    assert json.loads(data.attrs["task_options"]) == {}
    assert data["level"].values.tolist() == [10]
    assert data["sigma"].values == pytest.approx([0.16711], rel=1e-3)
    assert np.abs(data["model_answer"].values).max() == pytest.approx(0.25)  # the clamp


@pytest.mark.parametrize("bound", [0, -1.0, float("inf"), "2", True])
def test_a_card_that_cannot_be_meant_is_refused(bound: object, tmp_path: Path) -> None:
    path = trained(tmp_path, 1, bound=bound, difficulty="hard")
    with pytest.raises(CheckpointError, match="expected a bound that is a number > 0"):
        training_bound(read_checkpoint(Path(path)))
    with pytest.raises(CheckpointError, match=r"expected one of same, harder .* found 'hard'"):
        training_difficulty(read_checkpoint(Path(path)))
    write_checkpoint(Path(path), tiny.weights(), tiny.card(training={"config": None}))
    with pytest.raises(CheckpointError, match="expected the training's config by name, found None"):
        training_bound(read_checkpoint(Path(path)))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"problems": 0}, r"problems: expected at least 1, found 0"),
        ({"controls": -1}, r"controls: expected at least 0, found -1"),
        ({"unit_problems": 0}, r"unit_problems: expected at least 1, found 0"),
        ({"levels": ()}, r"levels: expected different levels, at least one, found \[\]"),
        ({"levels": (3, 3)}, r"levels: expected different levels.*\[3, 3\]"),
        ({"bound": 0.0}, r"bound: expected a finite number > 0, found 0.0"),
        ({"bound": float("nan")}, r"bound: expected a finite number > 0, found nan"),
        ({"difficulty": "hard"}, r"difficulty: expected one of same, harder, found 'hard'"),
        ({"dtype": "float16"}, r"dtype: expected one of float64, float32, found 'float16'"),
        ({"seed": -1}, r"seed: expected"),
        ({"device": "tpu?"}, r"device: expected a name that torch knows"),
    ],
)
def test_fields_of_all_configs_are_checked(
    experiment: Experiment, wrong: dict[str, Any], message: str
) -> None:
    with pytest.raises(IredInterpError, match=message):
        config_from_mapping(experiment.Config, wrong)


def test_draws_are_averaged_before_problems_are_counted() -> None:
    values = xr.DataArray(
        [[[1.0, 3.0, np.nan]], [[3.0, 5.0, np.nan]]], dims=("draw", "level", "problem")
    )
    dims, table, attrs = mean_variable(values, ("level", "end"), "1", "thing")
    assert dims == ("level", "statistic")
    assert table.shape == (1, len(STATISTICS))
    assert table[0, 0] == 3.0
    assert table[0, 3] == 2
    assert attrs == {"units": "1", "long_name": "mean over problems: thing"}


def test_pages_count_and_lay_out() -> None:
    assert counted(1, "draw") == "1 draw"
    assert counted(2, "draw") == "2 draws"
    words = described_layout("Root;", [("controls/a", "b;")], "means.")
    assert words == (
        "Root;",
        " ",
        Marked("controls/a", "code"),
        " holds b;",
        " ",
        Marked("summary/…", "code"),
        " holds means.",
    )
