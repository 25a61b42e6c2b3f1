"""A run for a machine with another device is planned, and opened, where there is none."""

from pathlib import Path

import pytest

from ired_interp.errors import DtypeError
from ired_interp.experiments import find_experiment
from ired_interp.runs.computing import compute_units
from ired_interp.runs.run import open_run, plan_run

NONE_HERE = "cuda:77"


def test_the_plan_is_frozen_for_a_device_that_is_not_touched(tmp_path: Path) -> None:
    experiment = find_experiment("exp001")
    config = experiment.Config(problems=2, levels=(1,), controls=0, device=NONE_HERE)
    plan_run(experiment, config, tmp_path / "run")
    run = open_run(tmp_path / "run")
    assert run.config.device == NONE_HERE
    assert run.missing_units() == [0]
    with pytest.raises(DtypeError, match="expected one that torch can compute on here"):
        compute_units(run, [0])
    assert not list((run.path / "failures").glob("*"))


def test_a_device_that_torch_does_not_know_is_refused_when_it_is_planned() -> None:
    with pytest.raises(DtypeError, match=r"expected a name that torch knows.*found 'gpu'"):
        find_experiment("exp001").Config(device="gpu")
