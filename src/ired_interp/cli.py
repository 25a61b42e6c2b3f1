"""The command line: parses, calls, prints."""

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn, get_args

import torch

from ired_interp.console import console, stop_on_interrupt, tracker
from ired_interp.errors import ConfigError, IredInterpError
from ired_interp.models.trainer import TrainConfig, TrainReport, start_training
from ired_interp.tasks import Difficulty, task_names

__all__ = ["main"]

_FAILED, _INTERRUPTED = 1, 130


class _Parser(argparse.ArgumentParser):
    """argparse, with errors of our own kind so that one place prints them."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message}. See '{self.prog} --help'.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0 only if it did what was asked."""
    try:
        options = _parser().parse_args(arguments)
        command: Callable[[argparse.Namespace], int] = options.command
        return command(options)
    except IredInterpError as error:
        console.print("error:", style="bold red", end=" ")
        console.print(str(error), markup=False, soft_wrap=True)
        return _FAILED
    except KeyboardInterrupt:
        console.print("interrupted", style="bold red")
        return _INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="ired-interp", description=__doc__)
    parser.add_argument("--version", action="version", version=version("ired-interp"))
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)
    _add_train(commands)
    return parser


def _add_train(commands: Any) -> None:
    parser = commands.add_parser("train", help="train an energy on a task")
    parser.set_defaults(command=_train)
    parser.add_argument("task", help=f"one of {', '.join(task_names())}")
    parser.add_argument("--size", type=int, required=True, help="side of the matrix")
    parser.add_argument("--out", type=Path, help="training folder (default: runs/train-TASK-SIZE)")
    _add_task_options(parser)
    parser.add_argument("--difficulty", choices=get_args(Difficulty))
    for name, kind, text in (
        ("steps", int, "optimiser steps"),
        ("batch-size", int, "problems a step"),
        ("learning-rate", float, "of Adam; lower it if the energy explodes"),
        ("clip", float, "largest norm of the weights' gradient"),
        ("init-gain", float, "scale of the initial weights"),
        ("width", int, "units of a hidden layer"),
        ("seed", int, "of weights and batches"),
        ("validate-every", int, "steps between validations and saves"),
        ("validation-problems", int, "held-out problems"),
        ("device", str, "cpu, cuda, …"),
    ):
        parser.add_argument(f"--{name}", type=kind, help=text)
    _add_threads(parser)


def _add_task_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("options of the task")
    group.add_argument("--rank", type=int, help="completion: inner rank")
    group.add_argument("--noise", type=float, help="completion: standard deviation of the noise")
    group.add_argument("--condition", type=float, help="inverse: condition number of A")


def _add_threads(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--threads", type=int, help="threads of torch (default: torch's own)")


def _train(options: argparse.Namespace) -> int:
    if options.threads is not None:
        _set_threads(options.threads)
    fields = ["difficulty", "steps", "batch_size", "learning_rate", "clip", "init_gain", "width", "seed", "validate_every", "validation_problems", "device"]
    given = {name: getattr(options, name) for name in fields if getattr(options, name) is not None}
    config = TrainConfig(
        task=options.task, size=options.size, options=_task_options(options), **given
    )
    folder = options.out or Path("runs") / f"train-{config.task}-{config.size}"
    with stop_on_interrupt() as should_stop:
        report = start_training(
            config, folder, track=tracker("steps", config.steps), should_stop=should_stop
        )
    return _say_training(report)


def _say_training(report: TrainReport) -> int:
    if not report.finished:
        console.print(
            f"stopped at step {report.step} of {report.steps}; "
            f"'ired-interp resume {report.folder}' goes on."
        )
        return _INTERRUPTED
    last = report.curve[-1]
    console.print(
        f"{report.folder / 'model.safetensors'}: {report.steps} steps, validation MSE "
        f"{last['mse_ema']:.3g} with the averaged weights (shipped in the file), "
        f"{last['mse_online']:.3g} with the online ones."
    )
    return 0


def _task_options(options: argparse.Namespace) -> dict[str, Any]:
    names = ("rank", "noise", "condition")
    return {name: getattr(options, name) for name in names if getattr(options, name) is not None}


def _set_threads(number: int) -> None:
    if number < 1:
        raise ConfigError(f"--threads: expected at least 1, found {number}.")
    torch.set_num_threads(number)


if __name__ == "__main__":
    sys.exit(main())
