"""Options of a command that are the fields of an experiment's config."""

import argparse
import dataclasses
import inspect
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ired_interp.errors import ConfigError
from ired_interp.experiments import Experiment, experiment_names, find_experiment
from ired_interp.experiments.config import config_from_words, word_of
from ired_interp.runs.run import is_run_folder

__all__ = ["add_config_options", "config_of", "named_experiment", "words_of"]

_PREFIX = "config_"


def named_experiment(words: Sequence[str], commands: Sequence[str]) -> Experiment | None:
    """The experiment of ``run`` and its like, whose config fields become the command's options.

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
    return find_experiment((first or known)[0]) if first or known else None


def add_config_options(parser: argparse.ArgumentParser, experiment: Experiment) -> None:
    """One option for each field of the experiment's config.

    Raises:
        ConfigError: A field that has the name of one of the command's own options.
    """
    described = dict(re.findall(r"^\s+(\w+): (.+)$", inspect.getdoc(experiment.Config) or "", re.M))
    group = parser.add_argument_group(f"what {experiment.name} measures")
    for field in dataclasses.fields(experiment.Config):
        if field.metadata.get("planned"):
            continue
        text = described.get(field.name, "").replace("%", "%%")
        option = f"--{field.name.replace('_', '-')}"
        try:
            group.add_argument(
                option,
                metavar="VALUE",
                dest=f"{_PREFIX}{field.name}",
                help=f"{text} ({_default(field)})",
            )
        except argparse.ArgumentError as error:
            raise ConfigError(
                f"{experiment.name}: Config.{field.name}: expected a name that is no option of "
                f"the command itself, found {option}. Rename the field."
            ) from error


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is not dataclasses.MISSING:
        value = field.default
    elif field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
    else:
        return "no default"
    return f"default: {word_of(value)}"


def config_of(options: argparse.Namespace, experiment: Experiment) -> Any:
    """The config that the options of `add_config_options` ask for.

    Raises:
        ConfigError: A value that does not fit its field.
    """
    return config_from_words(experiment.Config, words_of(options))


def words_of(options: argparse.Namespace) -> dict[str, str]:
    """The options of `add_config_options` that were given, by field."""
    return {
        name.removeprefix(_PREFIX): value
        for name, value in vars(options).items()
        if name.startswith(_PREFIX) and value is not None
    }
