"""The experiment that a command names, found without importing it; what it can be told."""

import argparse
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from ired_interp.errors import ConfigError
from ired_interp.experiments.locating import Source, experiment_names, locate
from ired_interp.runs.format import is_run_folder

__all__ = ["AddConfig", "config_adder", "named_experiment"]

AddConfig: TypeAlias = Callable[[argparse.ArgumentParser], None]


def config_adder(words: Sequence[str], commands: Sequence[str]) -> AddConfig | None:
    """What adds the config fields of the experiment that is named to a parser; None if none is.

    Args:
        words: The command line.
        commands: Which commands take an experiment.

    Raises:
        ConfigError, UnknownNameError: As `named_experiment`.
        ExperimentError: It cannot be imported, or lacks what an experiment needs.
    """
    source = named_experiment(words, commands)
    if source is None:
        return None
    # Torch and xarray: not for those who name none, or one that there is not.
    from ired_interp.cli.config_options import add_config_options
    from ired_interp.experiments.loading import load

    return functools.partial(add_config_options, experiment=load(source))


def named_experiment(words: Sequence[str], commands: Sequence[str]) -> Source | None:
    """Where the experiment is defined that ``run`` and its like name; nothing is imported.

    Args:
        words: The command line.
        commands: Which commands take an experiment.

    Raises:
        ConfigError: Options, but no experiment.
        UnknownNameError: No such experiment.
    """
    if words[:1] == [] or words[0] not in commands:
        return None
    known = [word for word in words[1:] if word in experiment_names()]
    first = [word for word in words[1:2] if not word.startswith("-")]
    if words[1:] and not first and not known and not {"-h", "--help"} & set(words):
        raise ConfigError(
            f"{words[0]}: expected an experiment ({', '.join(experiment_names())}), as in "
            f"'ired-interp {words[0]} exp001 --model inverse-4', found options alone."
        )
    if first and is_run_folder(Path(first[0])):  # `submit` takes one, whose config is planned
        return None
    return locate((first or known)[0]) if first or known else None
