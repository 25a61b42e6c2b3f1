"""What every page says in tables, whatever the experiment, taken from the results alone."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

import xarray as xr

from ired_interp.experiments.config import word_of
from ired_interp.experiments.page import Definition

__all__ = [
    "VariableRow",
    "command_line",
    "config_of",
    "project_of",
    "provenance_rows",
    "variable_rows",
]

# Options that the command names even where they have their defaults.
_MAIN_OPTIONS = ("model", "problems", "levels", "point", "seed")


@dataclass(frozen=True)
class VariableRow:
    """A variable of the results, and how it was measured."""

    name: str
    dims: str
    units: str
    meaning: str
    error: str


def config_of(results: xr.DataTree) -> dict[str, Any]:
    """The planned config, as the results hold it."""
    content: dict[str, Any] = json.loads(results.attrs["config"])
    return content


def project_of(results: xr.DataTree) -> Mapping[str, Any] | None:
    """Where an experiment of one's own came from; None for what comes with this package."""
    content: dict[str, Any] | None = json.loads(results.attrs.get("project", "null"))
    return content


def variable_rows(results: xr.DataTree, definitions: Mapping[str, Definition]) -> list[VariableRow]:
    """Every variable of the root group; what is not defined says itself what it is.

    Args:
        results: Of the run.
        definitions: By name; without one, the variable's ``long_name`` and ``error``.
    """
    rows = []
    for key, variable in results.to_dataset().data_vars.items():
        name, attrs = str(key), variable.attrs
        own = Definition(str(attrs.get("long_name", "")), str(attrs.get("error", "")))
        known = definitions.get(name, own)
        dims = " × ".join(f"{dim} {size}" for dim, size in variable.sizes.items())
        units = str(attrs.get("units", "")).replace("^2", "²")
        rows.append(VariableRow(name, dims, units, known.meaning, known.error))
    return rows


def provenance_rows(results: xr.DataTree) -> list[tuple[str, str]]:
    """All attributes of the results, the config a row a field."""
    rows = []
    for key, value in results.attrs.items():
        if key == "config":
            config = config_of(results)
            rows += [(f"config: {name}", word_of(entry)) for name, entry in config.items()]
        elif key == "project" and (project := project_of(results)) is not None:
            rows += [(f"project: {name}", word_of(entry)) for name, entry in project.items()]
        else:
            rows.append((str(key), str(value)))
    return rows


def command_line(reference: str, config: Mapping[str, Any], config_class: type[Any]) -> str:
    """The command that plans the same run: the main options, and what differs from a default.

    Args:
        reference: The experiment, as it is asked for.
        config: Of the plan.
        config_class: What it is a config of.
    """
    names = {field.name for field in fields(config_class)}
    options = {name: config[name] for name in _MAIN_OPTIONS if name in config and name in names}
    for field in fields(config_class):
        if field.name in options or field.metadata.get("planned"):
            continue
        default = field.default
        if field.default_factory is not MISSING:
            default = field.default_factory()
        # A run that was planned before the field was there did as its metadata say.
        value = config.get(field.name, field.metadata.get("before", default))
        if value is not MISSING and value != _stored(default):
            options[field.name] = value
    words = [_option(name, word_of(value)) for name, value in options.items()]
    return " \\\n    ".join([f"ired-interp run {shlex.quote(reference)}", *words, "--out NEW"])


def _option(name: str, value: str) -> str:
    # What begins with a hyphen would be taken for an option of its own.
    join = "=" if value.startswith("-") else " "
    return f"--{name.replace('_', '-')}{join}{shlex.quote(value)}"


def _stored(default: Any) -> Any:
    """A default as JSON holds it."""
    return list(default) if isinstance(default, tuple) else default
