"""``train``, and ``resume`` of a training."""

import argparse
import dataclasses
from pathlib import Path
from typing import Any, get_args

import torch

from ired_interp.cli.codes import INTERRUPTED
from ired_interp.console import console, stop_on_interrupt, tracker
from ired_interp.errors import ConfigError
from ired_interp.models.train_config import Answers, TrainConfig, TrainReport
from ired_interp.models.trainer import (
    resume_training,
    set_steps,
    start_training,
    training_progress,
)
from ired_interp.negatives import NEGATIVES
from ired_interp.tasks import Difficulty, task_names
from ired_interp.training import PRODUCTS

__all__ = ["add", "resume_folder"]

_TASK_OPTIONS = ("rank", "noise", "scale", "condition", "spectrum", "map_seed")


def add(commands: Any) -> None:
    """Register the command."""
    parser = commands.add_parser("train", help="train an energy on a task")
    parser.set_defaults(command=_train)
    parser.add_argument("task", help=f"one of {', '.join(task_names())}")
    parser.add_argument("--size", type=int, required=True, help="side of the matrix")
    parser.add_argument("--out", type=Path, help="new folder (default: runs/train-TASK-SIZE)")
    group = parser.add_argument_group("options of the task")
    group.add_argument("--rank", type=int, help="completion: inner rank")
    group.add_argument("--noise", type=float, help="completion: standard deviation of the noise")
    group.add_argument(
        "--scale", type=float, help="completion: standard deviation that an entry is to have"
    )
    group.add_argument("--condition", type=float, help="inverse: condition number of A")
    group.add_argument(
        "--spectrum",
        type=_numbers,
        metavar="VALUES",
        help="gaussian: the size² eigenvalues of Σ: 0.01,0.1,…",
    )
    group.add_argument("--map-seed", type=int, help="gaussian: seed of M and the eigenvectors")
    parser.add_argument("--difficulty", choices=get_args(Difficulty))
    parser.add_argument(
        "--answers",
        choices=get_args(Answers),
        help="shuffled: each problem has another one's answer, for a control",
    )
    for name, kind, text in (
        ("steps", int, "optimiser steps"),
        ("batch-size", int, "problems a step"),
        ("learning-rate", float, "of Adam; lower it if the energy explodes"),
        ("clip", float, "largest norm of the weights' gradient"),
        ("init-gain", float, "scale of the initial weights"),
        ("bound", float, "clamp of negatives and validation answers (default: 2)"),
        ("width", int, "units of a hidden layer"),
        ("seed", int, "of weights and batches"),
        ("validate-every", int, "steps between validations and saves"),
        ("validation-problems", int, "held-out problems"),
        ("device", str, "cpu, cuda, …"),
    ):
        parser.add_argument(f"--{name}", type=kind, help=text)
    parser.add_argument(
        "--negatives", choices=tuple(NEGATIVES), help="wrong answers of the contrastive term"
    )
    parser.add_argument(
        "--keep", type=_steps, metavar="STEPS", help="keep checkpoints of these steps: 100,300,…"
    )
    parser.add_argument(
        "--precision", choices=tuple(PRODUCTS), help="of the steps' matrix products"
    )
    parser.add_argument(
        "--compile",
        action="store_const",
        const=True,
        help="fuse the steps with torch.compile: a minute at the start, then faster",
    )
    parser.add_argument("--threads", type=int, help="threads of torch (default: torch's own)")


def _steps(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigError(f"--keep: expected steps as 100,300, found {text!r}.") from error


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigError(f"--spectrum: expected numbers as 0.01,0.1, found {text!r}.") from error


def _train(options: argparse.Namespace) -> int:
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
