"""A network trained on shuffled answers: made, taken as a control, and refused where it is none."""

from pathlib import Path

import pytest
import torch

import ired_interp as ii
import tiny
from ired_interp.cli import main
from ired_interp.errors import CheckpointError, ConfigError
from ired_interp.experiments import find_experiment
from ired_interp.experiments.base import ROOT, groups_of
from ired_interp.experiments.smallest import reduce_config
from ired_interp.experiments.subjects import SHUFFLED
from ired_interp.models.checkpoint import read_checkpoint, write_checkpoint
from ired_interp.models.stepping import Stepper
from ired_interp.models.train_config import TrainConfig

TRAINING = {"training": {"config": {"answers": "shuffled"}, "steps_done": 3, "curve": []}}


def twin(path: Path, **changes: object) -> Path:
    """A tiny checkpoint whose card says that its answers were shuffled."""
    write_checkpoint(path, tiny.weights(seed=5), tiny.card(**(TRAINING | changes)))
    return path


def test_each_problem_is_trained_on_another_one_s_answer() -> None:
    config = {"task": "inverse", "size": 2, "width": 4, "batch_size": 6}
    true, shuffled = (
        Stepper(TrainConfig(answers=answers, **config)).draw()  # type: ignore[arg-type]
        for answers in ("true", "shuffled")
    )
    assert torch.equal(true.x, shuffled.x)
    assert torch.equal(true.noise, shuffled.noise)
    # The same answers, none of them where it was.
    assert torch.equal(true.y.sort(dim=0).values, shuffled.y.sort(dim=0).values)
    assert not bool((true.y == shuffled.y).all(dim=1).any())
    with pytest.raises(ConfigError, match=r"batch_size: expected at least 2 where other problems'"):
        TrainConfig(answers="shuffled", task="inverse", size=2, batch_size=1)
    with pytest.raises(ConfigError, match="answers: expected one of true, shuffled, found 'none'"):
        TrainConfig.__post_init__(_with(TrainConfig(task="inverse", size=2), answers="none"))


def _with(config: TrainConfig, **changes: object) -> TrainConfig:
    for name, value in changes.items():
        object.__setattr__(config, name, value)
    return config


def test_a_trained_one_is_measured_beside_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = "train inverse --size 2 --width 16 --steps 3 --batch-size 4 --answers shuffled --out t"
    assert main([*words.split(), "--validation-problems", "2"]) == 0
    made = tmp_path / "t/model.safetensors"
    card = read_checkpoint(made).card
    assert card is not None
    assert card.training["config"]["answers"] == "shuffled"
    model = tiny.checkpoint(tmp_path / "m.safetensors")
    run = ii.run(
        "exp001",
        model=model,
        out=tmp_path / "r",
        shuffled=made,
        problems=3,
        levels=[10],
        controls=0,
        parts="no",
    )
    planned = run.config
    assert planned.shuffled == str(made.resolve())
    assert planned.shuffled_sha256 == read_checkpoint(made).sha256
    beside = run.tree["controls/shuffled"].to_dataset()
    assert "draw" not in beside.dims
    assert beside["x"].equals(run.results["x"])
    assert not beside["eigenvalues"].equals(run.results["eigenvalues"])
    assert run.tree["summary/shuffled/scaled_eigenvalues"].notnull().all()
    # It decides no verdict.
    assert bool((run.tree["verdicts"]["control"].sel(statistic="count") == -1).all())
    page = find_experiment("exp001").page(run.tree)
    assert "the network trained on shuffled answers" in "".join(map(str, page.lead))


@pytest.mark.parametrize("name", ["exp002", "exp004", "exp005", "exp006"])
def test_every_experiment_on_models_takes_one(name: str, tmp_path: Path) -> None:
    experiment = find_experiment(name)
    files = {
        "model": str(tiny.checkpoint(tmp_path / "m.safetensors")),
        "shuffled": str(twin(tmp_path / "s.safetensors")),
    }
    asked = experiment.Config(problems=1, levels=(10,), controls=0, **files)
    config = experiment.plan(reduce_config(experiment, asked).config)
    assert len(config.shuffled_sha256) == 64
    units = range(experiment.units(config))
    groups = {name for i in units for name in groups_of(experiment.run_unit(config, i))}
    assert groups >= {ROOT, SHUFFLED}


def test_what_is_no_twin_is_refused(tmp_path: Path) -> None:
    experiment = find_experiment("exp001")
    model = tiny.checkpoint(tmp_path / "m.safetensors")

    def plan(path: Path) -> None:
        experiment.plan(experiment.Config(model=str(model), shuffled=str(path)))

    with pytest.raises(CheckpointError, match=r"trained on shuffled answers.*found.*true answers"):
        plan(model)
    other = twin(tmp_path / "o.safetensors", options={"condition": 3.0})
    with pytest.raises(
        CheckpointError, match=r"expected a control with the task of .*m\.safetensors"
    ):
        plan(other)
    good = twin(tmp_path / "s.safetensors")
    planned = experiment.plan(experiment.Config(model=str(model), shuffled=str(good)))
    write_checkpoint(good, tiny.weights(seed=6), tiny.card(**TRAINING))
    with pytest.raises(CheckpointError, match="expected the file of the run's plan"):
        experiment.plan(planned)
