"""Options of a command that are the fields of an experiment's config."""

import argparse
import dataclasses
import inspect
import re
from typing import Any

from ired_interp.errors import ConfigError
from ired_interp.experiments import Experiment
from ired_interp.experiments.config import config_from_words, word_of

__all__ = ["add_config_options", "config_of", "words_of"]

_PREFIX = "config_"
# Of an attribute in a docstring.
_ENTRY = re.compile(r"\s+(\w+): (.+)")


def add_config_options(parser: argparse.ArgumentParser, experiment: Experiment) -> None:
    """One option for each field of the experiment's config.

    Raises:
        ConfigError: A field that has the name of one of the command's own options.
    """
    described = _attributes(inspect.getdoc(experiment.Config) or "")
    group = parser.add_argument_group(f"what {experiment.name} measures")
    for field in dataclasses.fields(experiment.Config):
        if field.metadata.get("planned"):
            continue
        text = (field.metadata.get("text") or described.get(field.name, "")).replace("%", "%%")
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


def _attributes(text: str) -> dict[str, str]:
    """What a docstring says of each attribute; lines that are indented more go on with it."""
    found: dict[str, list[str]] = {}
    name, depth = "", 0
    for line in filter(str.strip, text.splitlines()):
        indent = len(line) - len(line.lstrip())
        entry = _ENTRY.fullmatch(line)
        if name and indent > depth:
            found[name].append(line.strip())
        elif entry:
            name, depth = entry[1], indent
            found[name] = [entry[2].strip()]
        else:
            name = ""
    return {name: " ".join(lines) for name, lines in found.items()}


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
