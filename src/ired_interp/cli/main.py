"""Parse the words, call the command, print what went wrong."""

import argparse
import errno
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version

from ired_interp.cli import cluster_options, model_options, own_options, run_options
from ired_interp.cli.codes import FAILED, INTERRUPTED
from ired_interp.cli.naming import AddConfig, config_adder
from ired_interp.cli.parser import Parser
from ired_interp.console import console, forget_output, mend_streams
from ired_interp.errors import IredInterpError

__all__ = ["main"]

# Commands whose options are the config fields of the experiment that they name.
_TAKE_AN_EXPERIMENT = ("run", "submit")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0 only if it did what was asked."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    mend_streams()
    # What a command draws goes into files, and the backend of a notebook may not be there.
    os.environ["MPLBACKEND"] = "agg"
    try:
        options = _parser(config_adder(words, _TAKE_AN_EXPERIMENT)).parse_args(words)
        command: Callable[[argparse.Namespace], int] = options.command
        code = command(options)
        sys.stdout.flush()
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
    except BrokenPipeError:  # whoever read stdout has enough, as head
        forget_output()
        return FAILED
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        where = error.filename or "standard output"
        console.print("error:", style="bold red", end=" ")
        console.print(f"cannot write {where}: the disk is full.", soft_wrap=True)
        forget_output()
        return FAILED
    except KeyboardInterrupt:
        console.print("interrupted", style="bold red")
        return INTERRUPTED
    return code


def _is_out_of_memory(error: Exception) -> bool:
    """On the CPU torch says so in words only."""
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
        return True
    torch = sys.modules.get("torch")  # if it never was imported, it never ran out
    return torch is not None and isinstance(error, torch.OutOfMemoryError)


def _parser(add_config: AddConfig | None) -> argparse.ArgumentParser:
    parser = Parser(
        prog="ired-interp",
        description="Measure the energy landscapes that reasoning models descend.",
    )
    parser.add_argument("--version", action="version", version=version("ired-interp"))
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    run_options.add(commands, add_config)
    model_options.add(commands)
    own_options.add(commands)
    cluster_options.add(commands, add_config)
    return parser
