"""A training on a full disk, and one that explodes when it had been going well."""

import dataclasses
import errno
import os
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from ired_interp.errors import ConfigError, StorageError, TrainingError
from ired_interp.models.checkpoint import read_checkpoint
from ired_interp.models.stepping import Stepper
from ired_interp.models.train_config import TrainConfig
from ired_interp.models.trainer import (
    resume_training,
    set_steps,
    start_training,
    training_progress,
)
from ired_interp.training import Losses
from tiers import slow_but

CONFIG = TrainConfig(
    task="inverse",
    size=2,
    width=16,
    steps=120,
    batch_size=8,
    validate_every=20,
    validation_problems=8,
    keep=(30,),
)


@pytest.mark.parametrize("writes", slow_but({7}, [7, 15, 24]))
def test_a_disk_that_fills_up_costs_no_more_than_the_steps_since_the_last_save(
    writes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = start_training(CONFIG, tmp_path / "whole")
    real, calls = os.fsync, 0

    def refuse_later(handle: int) -> None:
        nonlocal calls
        calls += 1
        if calls > writes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(handle)

    monkeypatch.setattr(os, "fsync", refuse_later)
    with pytest.raises(StorageError, match="the disk is full"):
        start_training(CONFIG, tmp_path / "t")
    monkeypatch.setattr(os, "fsync", real)
    assert not list((tmp_path / "t").glob(".*"))  # nothing half-written is left
    resumed = resume_training(tmp_path / "t")
    assert resumed.curve == whole.curve
    for name in ("state", "model", "best", "step-0000030"):
        one, other = (
            load_file(tmp_path / folder / f"{name}.safetensors") for folder in ("t", "whole")
        )
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one), name


def test_an_explosion_late_in_a_training_keeps_its_best_checkpoint(tmp_path: Path) -> None:
    folder = tmp_path / "t"
    report = start_training(CONFIG, folder)
    least = min(entry["mse_ema"] for entry in report.curve)
    best = (folder / "best.safetensors").read_bytes()
    state = folder / "state.safetensors"
    with safe_open(state, framework="pt") as stream:
        metadata = stream.metadata()
    tensors = load_file(state)
    # Weights this large overflow in the next step, as those of a training that runs away.
    tensors["online.fc4.weight"] = tensors["online.fc4.weight"] * 1e30
    save_file(tensors, state, metadata=metadata)
    set_steps(folder, 400)
    with pytest.raises(TrainingError, match=r"exploded.*state.safetensors and best.safetensors"):
        resume_training(folder)
    assert (folder / "best.safetensors").read_bytes() == best
    card = read_checkpoint(folder / "best.safetensors").card
    assert card is not None
    assert card.validation["mse"] == least
    assert "the loss is not finite" in (folder / "log.txt").read_text()


def test_weights_that_become_nan_after_a_finite_loss_are_never_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, take = tmp_path / "t", Stepper.take

    def overflow_at_40(stepper: Stepper) -> Losses:
        found = take(stepper)
        if stepper.step == 40:  # as a gradient that overflows leaves them, with the loss finite
            with torch.no_grad():
                stepper.online.fc2.weight.fill_(torch.nan)
        return found

    monkeypatch.setattr(Stepper, "take", overflow_at_40)
    with pytest.raises(
        TrainingError, match=r"the loss is finite and the weights are not finite at step 40.*best"
    ):
        start_training(CONFIG, folder)
    for name in ("model", "best"):
        card = read_checkpoint(folder / f"{name}.safetensors").card
        assert card is not None
        assert card.training["steps_done"] <= 30
    assert all(
        bool(torch.isfinite(t).all()) for t in load_file(folder / "state.safetensors").values()
    )
    assert "weights are not finite at step 40" in (folder / "log.txt").read_text()


def test_an_energy_that_leaves_the_finite_numbers_at_a_validation_ends_in_the_same_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, take = tmp_path / "t", Stepper.take

    def grow_at_40(stepper: Stepper) -> Losses:
        found = take(stepper)
        if stepper.step == 40:
            with torch.no_grad():
                stepper.online.fc4.weight.fill_(1e30)
        return found

    monkeypatch.setattr(Stepper, "take", grow_at_40)
    with pytest.raises(TrainingError, match="the energy at the validation problems is not finite"):
        start_training(CONFIG, folder)
    assert training_progress(folder).step == 30


def test_a_step_to_be_kept_lies_within_the_training(tmp_path: Path) -> None:
    late = dataclasses.replace(CONFIG, keep=(30, 121))
    with pytest.raises(ConfigError, match="keep: expected steps of a training of 120, found 121"):
        start_training(late, tmp_path / "t")
    assert not (tmp_path / "t").exists()
    stops = iter([False] * 10 + [True])
    start_training(CONFIG, tmp_path / "t", should_stop=lambda: next(stops))
    with pytest.raises(ConfigError, match="keep: expected steps of a training of 20, found 30"):
        set_steps(tmp_path / "t", 20)
    set_steps(tmp_path / "t", 30)
