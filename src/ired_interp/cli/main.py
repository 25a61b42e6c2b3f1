"""Parse the words, call the command, print what went wrong."""

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version

import torch

from ired_interp.cli import (
    cluster,
    doctor,
    models,
    own,
    preflight,
    reports,
    running,
    solving,
    status,
    training,
)
from ired_interp.cli.codes import FAILED, INTERRUPTED
from ired_interp.cli.config_options import named_experiment
from ired_interp.cli.parser import Parser
from ired_interp.console import console
from ired_interp.errors import IredInterpError
from ired_interp.experiments import Experiment

__all__ = ["main"]

# Commands whose options are the config fields of the experiment that they name.
_TAKE_AN_EXPERIMENT = ("run", "submit")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0 only if it did what was asked."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        options = _parser(named_experiment(words, _TAKE_AN_EXPERIMENT)).parse_args(words)
        command: Callable[[argparse.Namespace], int] = options.command
        return command(options)
    except IredInterpError as error:
        console.print("error:", style="bold red", end=" ")
        console.print(str(error), soft_wrap=True)
        return FAILED
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        console.print("error:", style="bold red", end=" ")
        console.print(
            "out of memory: ask for fewer problems at a time (--unit-problems, --problems, "
            "--batch-size) or a smaller size.",
            soft_wrap=True,
        )
        return FAILED
    except KeyboardInterrupt:
        console.print("interrupted", style="bold red")
        return INTERRUPTED


def _is_out_of_memory(error: Exception) -> bool:
    """On the CPU torch says so in words only."""
    words = "can't allocate memory"
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or words in str(error)


def _parser(experiment: Experiment | None) -> argparse.ArgumentParser:
    parser = Parser(
        prog="ired-interp",
        description="Measure the energy landscapes that reasoning models descend.",
    )
    parser.add_argument("--version", action="version", version=version("ired-interp"))
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    running.add(commands, experiment)
    reports.add(commands)
    status.add(commands)
    solving.add(commands)
    training.add(commands)
    models.add(commands)
    own.add(commands)
    cluster.add(commands, experiment)
    preflight.add(commands)
    doctor.add(commands)
    return parser
