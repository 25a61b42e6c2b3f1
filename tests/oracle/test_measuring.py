"""Cards of models: what they say equals what it means, and they belong to one file."""

import dataclasses
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch

import ired_interp as ii
import tiny
from ired_interp.cli import main
from ired_interp.cli import training as training_command
from ired_interp.errors import CheckpointError
from ired_interp.models.checkpoint import read_checkpoint, write_checkpoint
from ired_interp.models.measuring import (
    MEASURING_SEED,
    card_path,
    measure,
    read_measurement,
    write_measurement,
)
from ired_interp.models.reproduction import train_command
from ired_interp.models.train_config import TrainConfig, TrainReport
from ired_interp.models.trainer import kept_path
from ired_interp.rules import ladder

N = 40
TRAIN = (
    "train inverse --size 2 --width 16 --batch-size 8 --steps 30 --learning-rate 0.002 --seed 3 "
    "--negatives random --bound 2.5 --validate-every 20 --validation-problems 8 --keep 5,10 "
    "--threads 1 --out"
)

TRAINED = {"config": {}, "steps_done": 7, "provenance": {}, "curve": []}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "t"
    assert main([*TRAIN.split(), str(folder)]) == 0
    return folder


def test_a_measurement_is_what_it_says(tmp_path: Path) -> None:
    checkpoint = read_checkpoint(tiny.checkpoint(tmp_path / "m.safetensors"))
    task = ii.task("inverse", 2)
    found = measure(checkpoint, task, num_problems=N, num_checked=4)
    assert next(checkpoint.model.parameters()).dtype == torch.float32  # as it was
    model = ii.load_model(checkpoint.path)
    for difficulty in ("same", "harder"):
        problems = task.sample(N, seed=MEASURING_SEED, difficulty=difficulty)
        answer = ii.solve(model, problems.x, seed=MEASURING_SEED).y
        errors = (answer - problems.y).square().mean(1)
        got = found.on(difficulty)
        assert got.mse == pytest.approx(float(errors.mean()), rel=1e-12)
        assert got.standard_error == pytest.approx(float(errors.std()) / N**0.5, rel=1e-12)
        for rule, beside in zip(ladder(task), got.rules, strict=True):
            of_rule = float(rule.errors(problems).mean())
            assert beside.name == rule.name
            assert beside.mse == pytest.approx(of_rule, rel=1e-12)
            assert beside.skill == pytest.approx(1 - float(errors.mean()) / of_rule, rel=1e-9)
            assert beside.low < beside.skill < beside.high
        assert got.best_beaten is None  # random weights
    few = task.sample(4, seed=MEASURING_SEED)
    points = ii.points.locate("typical", model, few.x, few.y, (10,), seed=MEASURING_SEED).y
    land = ii.Landscape(model, few.x, level=10)
    sigma = float(model.schedule.sigma[0])
    trace = land.hessian(points[:, 0]).diagonal(dim1=1, dim2=2).sum(1)
    last = found.landscape[-1]
    assert last.level == 10
    assert last.mean == pytest.approx(float(sigma * trace.mean() / 4), rel=1e-10)
    assert found.determined
    assert found.num_checked == 4


def test_a_measurement_is_asked_as_the_model_was_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ired_interp.rules.ladders._NUM_POLYNOMIAL", 200)
    path = tmp_path / "m.safetensors"
    training = {"steps_done": 1, "curve": [], "config": {"bound": 0.5, "difficulty": "harder"}}
    write_checkpoint(path, tiny.weights(), tiny.card(training=training))
    task = ii.task("inverse", 2)
    found = measure(read_checkpoint(path), task, num_problems=5, num_checked=2)
    assert (found.bound, found.rules_fitted_on) == (0.5, "harder")
    problems = task.sample(5, seed=MEASURING_SEED)
    answer = ii.solve(ii.load_model(path), problems.x, seed=MEASURING_SEED, bound=0.5).y
    expected = float((answer - problems.y).square().mean())
    assert found.on("same").mse == pytest.approx(expected, rel=1e-12)
    rule = ladder(task, difficulty="harder")[1]
    of_rule = float(rule.errors(problems).mean())
    assert found.on("same").rules[1].mse == pytest.approx(of_rule, rel=1e-12)
    write_measurement(card_path(path), found)
    old = json.loads(card_path(path).read_text())
    del old["rules_fitted_on"]  # as cards were written before
    card_path(path).write_text(json.dumps(old))
    read = read_measurement(read_checkpoint(path))
    assert read is not None
    assert read.rules_fitted_on == "same"


def test_a_card_lies_beside_its_file_and_belongs_to_no_other(tmp_path: Path) -> None:
    path = tiny.checkpoint(tmp_path / "m.safetensors")
    checkpoint = read_checkpoint(path)
    assert read_measurement(checkpoint) is None
    found = measure(checkpoint, ii.task("inverse", 2), num_problems=5, num_checked=2)
    write_measurement(card_path(path), found)
    assert card_path(path) == tmp_path / "m.card.json"
    assert read_measurement(checkpoint) == found
    tiny.checkpoint(path, seed=1)
    with pytest.raises(CheckpointError, match="expected a measurement of the file beside it"):
        read_measurement(read_checkpoint(path))
    content = json.loads(card_path(path).read_text())
    for damage in (
        {k: v for k, v in content.items() if k != "landscape"},
        content | {"errors": [{}]},
        content | {"version": 2},
    ):
        card_path(path).write_text(json.dumps(damage))
        with pytest.raises(CheckpointError, match="Make it again: ired-interp card"):
            read_measurement(read_checkpoint(path))


def test_the_command_of_a_card_trains_the_same_weights(trained: Path, tmp_path: Path) -> None:
    for source, steps in ((trained / "model.safetensors", 30), (kept_path(trained, 10), 10)):
        checkpoint = read_checkpoint(source)
        assert checkpoint.card is not None
        assert checkpoint.card.training["steps_done"] == steps
        words = train_command(checkpoint.card).split()
        assert words[0] == "ired-interp"
        assert words[-2:] == ["--threads", "1"]
        again = tmp_path / f"again-{steps}"
        assert main([*words[1:], "--out", str(again)]) == 0
        other = read_checkpoint(again / "model.safetensors").model
        for (name, a), (_, b) in zip(
            checkpoint.model.named_parameters(), other.named_parameters(), strict=True
        ):
            assert torch.equal(a, b), name


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        (
            "gaussian",
            {"spectrum": (0.1, 0.2, 0.30000001, 1.0), "map_seed": 3},
            "--spectrum 0.1,0.2,0.30000001,1 --map-seed 3",
        ),
        (
            "completion",
            {"rank": 1, "noise": 0.0, "scale": 1.0},
            "--rank 1 --noise 0 --scale 1 --bound 5",
        ),
        ("inverse", {"condition": 12.0}, "--condition 12 --answers shuffled --compile"),
    ],
)
def test_the_command_has_the_task_s_options_the_device_and_all_digits(
    name: str, options: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = TrainConfig(
        task=name,
        size=2,
        options=options,
        learning_rate=0.00123456789,
        bound=5.0 if name == "completion" else 2.0,
        answers="shuffled" if name == "inverse" else "true",
        compile=name == "inverse",
    )
    on_gpu = json.loads(json.dumps(asdict(config))) | {"device": "cuda:1"}
    card = tiny.card(
        task=name,
        options=on_gpu["options"],
        training={
            "config": on_gpu,
            "steps_done": 7,
            "provenance": {"threads": 3},
            "curve": [],
        },
    )
    command = train_command(card)
    for part in (*words.split(" --"), "device cuda:1", "steps 7", "threads 3"):
        assert f" --{part.removeprefix('--')}" in command
    assert "--learning-rate 0.00123456789" in command

    asked: list[object] = []

    def keep(config: TrainConfig, *_: object, **__: object) -> TrainReport:
        asked.append(config)
        return TrainReport(Path("t"), 0, 7, [])

    monkeypatch.setattr(training_command, "start_training", keep)
    monkeypatch.setattr("ired_interp.models.train_config.check_device", lambda _: None)
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    main(command.split()[1:])
    assert asked == [3, dataclasses.replace(config, device="cuda:1", steps=7)]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "config, provenance is missing or damaged: it was not trained by ired-interp"),
        ({"task": "addition"}, "expected dim_x = 8 and dim_y = 4 for task 'addition' at size 2"),
        ({"training": {"config": None}}, "config, steps_done, provenance, curve is missing"),
        (
            {"training": TRAINED | {"config": {"bound": "x"}}},
            "bound that is a number > 0, found 'x'",
        ),
        ({"training": TRAINED | {"config": {"bound": -1.0}}}, "a number > 0, found -1.0"),
        ({"training": TRAINED | {"steps_done": "7"}}, "in which steps_done is missing or damaged"),
    ],
)
def test_a_checkpoint_that_cannot_be_measured_is_refused_in_words(
    changes: dict[str, Any], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "m.safetensors"
    write_checkpoint(path, tiny.weights(), tiny.card(**changes))
    assert main(["card", str(path), "--problems", "4"]) == 1
    said = capsys.readouterr().err
    assert words in " ".join(said.split())
    assert "Traceback" not in said
    assert not card_path(path).exists()


def test_checkpoints_are_kept_at_their_steps_and_after_a_stop(trained: Path) -> None:
    assert sorted(path.name for path in trained.glob("step-*")) == [
        "step-0000005.safetensors",
        "step-0000010.safetensors",
    ]
    card = read_checkpoint(kept_path(trained, 5)).card
    assert card is not None
    assert [entry["step"] for entry in card.training["curve"]] == [5]
    last = read_checkpoint(trained / "model.safetensors").card
    assert last is not None
    assert [entry["step"] for entry in last.training["curve"]] == [5, 10, 20, 30]


def test_the_commands_make_and_show_a_card(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(trained / "model.safetensors")
    assert main(["models", path]) == 0
    assert "not measured: ired-interp card" in capsys.readouterr().out
    assert main(["card", path, "--problems", "20"]) == 0
    assert "on 20 held-out problems; beats no rule" in capsys.readouterr().err
    assert main(["models", path]) == 0
    said = capsys.readouterr().out
    for part in ("--negatives random", "20 held-out problems, harder", "c0*I + c1*A", "ideally 1"):
        assert part in said
    assert main(["card", path, "--problems", "1"]) == 1
    assert "expected at least 2" in capsys.readouterr().err
    assert main(["models"]) == 0
    assert "inverse-4" in capsys.readouterr().out
