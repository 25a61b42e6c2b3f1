"""``train``, and ``resume`` of a training."""

import argparse
import dataclasses
from pathlib import Path

import torch

from ired_interp.cli.codes import INTERRUPTED
from ired_interp.console import console, stop_on_interrupt, tracker
from ired_interp.errors import ConfigError
from ired_interp.models.train_config import TrainConfig, TrainReport
from ired_interp.models.trainer import (
    resume_training,
    set_steps,
    start_training,
    training_progress,
)

__all__ = ["resume_folder", "train"]

_TASK_OPTIONS = ("rank", "noise", "scale", "condition", "spectrum", "map_seed")


def train(options: argparse.Namespace) -> int:
    """Train a new one."""
    if options.threads is not None:
        if options.threads < 1:
            raise ConfigError(f"--threads: expected at least 1, found {options.threads}.")
        torch.set_num_threads(options.threads)
    names = {field.name for field in dataclasses.fields(TrainConfig)} - {"options"}
    given = {k: v for k, v in vars(options).items() if k in names and v is not None}
    chosen = {k: v for k in _TASK_OPTIONS if (v := getattr(options, k)) is not None}
    config = TrainConfig(options=chosen, **given)
    folder = options.out or Path("runs") / f"train-{config.task}-{config.size}"
    with stop_on_interrupt() as should_stop:
        report = start_training(
            config, folder, track=tracker("steps", config.steps), should_stop=should_stop
        )
    return _say_training(report)


def resume_folder(folder: Path, steps: int | None) -> int:
    """Finish a training; the exit code.

    Args:
        folder: Of the training.
        steps: Go to so many; the plan's if None.
    """
    if steps is not None:
        set_steps(folder, steps)
    before = training_progress(folder)
    if before.finished and steps is None and (folder / "model.safetensors").is_file():
        console.print(f"{folder} is finished.", soft_wrap=True)
        return 0
    with stop_on_interrupt() as should_stop:
        report = resume_training(
            folder,
            track=tracker("steps", before.steps, done=before.step),
            should_stop=should_stop,
        )
    return _say_training(report)


def _say_training(report: TrainReport) -> int:
    if not report.finished:
        console.print(
            f"stopped at step {report.step} of {report.steps}; "
            f"'ired-interp resume {report.folder}' goes on.",
            soft_wrap=True,
        )
        return INTERRUPTED
    last = report.curve[-1]
    console.print(
        f"{report.folder / 'model.safetensors'}: {report.steps} steps; validation MSE "
        f"{last['mse_ema']:.3g} with the averaged weights (those in the file), "
        f"{last['mse_online']:.3g} with the online ones.",
        soft_wrap=True,
    )
    return 0
