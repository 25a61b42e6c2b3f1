"""Configs as data: read from JSON or from words, strictly."""

import dataclasses
import difflib
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from ired_interp.checks import as_real, as_whole, plain
from ired_interp.errors import ConfigError, ExperimentError

__all__ = [
    "check_config_class",
    "config_from_mapping",
    "config_from_words",
    "config_to_mapping",
    "take_plain",
    "word_of",
]

C = TypeVar("C")

_BOOLEANS = {"yes": True, "no": False, "true": True, "false": False}
_READERS: Mapping[Any, Callable[[str], Any]] = {
    int: int,
    float: float,
    str: str,
    bool: _BOOLEANS.__getitem__,
}


def config_from_mapping(cls: type[C], content: Mapping[str, Any]) -> C:
    """A config from what `config_to_mapping` or a JSON file holds.

    Raises:
        ConfigError: An unknown key (the nearest is named) or a value of the wrong type.
    """
    hints = _hints(cls, content)
    _check_complete(cls, content)
    return cls(**{k: _from_value(hints[k], k, v) for k, v in content.items()})


def config_from_words(cls: type[C], words: Mapping[str, str]) -> C:
    """A config from command-line words: numbers in digits, sequences separated by commas.

    Raises:
        ConfigError: As `config_from_mapping`.
    """
    hints = _hints(cls, words)
    _check_complete(cls, words)
    return cls(**{k: _from_word(hints[k], k, v) for k, v in words.items()})


def config_to_mapping(config: Any) -> dict[str, Any]:
    """The fields, tuples as lists and numbers as Python's own, ready for JSON."""
    content = dataclasses.asdict(config)
    return {
        k: [plain(one) for one in v] if isinstance(v, tuple) else plain(v)
        for k, v in content.items()
    }


def take_plain(config: Any) -> None:
    """Make a config's fields what they are declared as: Python's own numbers, tuples.

    For the ``__post_init__`` of a frozen config, before its checks: run.json holds no others.

    Raises:
        ConfigError: A value of the wrong type.
    """
    hints = get_type_hints(type(config))
    for field in dataclasses.fields(config):
        value = _from_value(hints[field.name], field.name, getattr(config, field.name))
        object.__setattr__(config, field.name, value)


def word_of(value: Any) -> str:
    """The word that `config_from_words` reads a value from."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ",".join(map(word_of, value)) if isinstance(value, list | tuple) else str(value)


def check_config_class(cls: Any, what: str) -> None:
    """Check that a config can be written to run.json and read from words.

    Args:
        cls: The ``Config`` of an experiment.
        what: The experiment in messages.

    Raises:
        ExperimentError: Not a frozen dataclass, or a field of a type that has no words.
    """
    if not (isinstance(cls, type) and dataclasses.is_dataclass(cls)):
        raise ExperimentError(
            f"{what}: Config: expected a class with @dataclass(frozen=True, kw_only=True), found "
            f"{cls!r}."
        )
    if not cls.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        raise ExperimentError(
            f"{what}: Config: expected a frozen dataclass, found {cls.__name__} that is not "
            "frozen. Write @dataclass(frozen=True, kw_only=True)."
        )
    try:
        hints = get_type_hints(cls)
    except (NameError, TypeError) as error:
        raise ExperimentError(
            f"{what}: Config: expected types that are known when it is imported, found {error}."
        ) from error
    for field in dataclasses.fields(cls):
        if not _has_words(hints[field.name]):
            raise ExperimentError(
                f"{what}: Config.{field.name}: expected the type int, float, str, bool, a Literal "
                f"of texts, tuple[one of them, ...] or one of them | None, found "
                f"{_describe(hints[field.name])}: options and run.json hold no others."
            )


def _has_words(hint: Any) -> bool:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        inner = [a for a in arguments if a is not types.NoneType]
        return len(inner) == 1 and len(arguments) == len(inner) + 1 and _has_words(inner[0])
    if origin is Literal:
        return all(isinstance(one, str) for one in arguments)
    if origin is tuple:
        return len(arguments) == 2 and arguments[1] is ... and _has_words(arguments[0])  # noqa: PLR2004
    return hint in (int, float, str, bool)


def _hints(cls: type[Any], content: Mapping[str, Any]) -> dict[str, Any]:
    names = [field.name for field in dataclasses.fields(cls)]
    for key in content:
        if key not in names:
            near = difflib.get_close_matches(key, names, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ConfigError(f"config: unknown key {key!r}; known: {', '.join(names)}.{hint}")
    return get_type_hints(cls)


def _check_complete(cls: type[Any], content: Mapping[str, Any]) -> None:
    for field in dataclasses.fields(cls):
        default = field.default is not MISSING or field.default_factory is not MISSING
        if field.init and not default and field.name not in content:
            raise ConfigError(
                f"{field.name}: expected a value, as it has no default, found none. Give "
                f"--{field.name.replace('_', '-')}."
            )


def _from_word(hint: Any, name: str, word: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if types.NoneType in arguments and word == "none":
            return None
        (inner,) = [a for a in arguments if a is not types.NoneType]
        return _from_word(inner, name, word)
    if origin is Literal:
        return _from_value(hint, name, word)
    if origin is tuple:
        parts = word.split(",") if word else []
        return tuple(_from_word(arguments[0], name, part.strip()) for part in parts)
    if hint not in _READERS:
        raise TypeError(f"config field {name}: no words are defined for the type {hint}.")
    try:
        return _READERS[hint](word)
    except (ValueError, KeyError) as error:
        raise ConfigError(f"{name}: expected {_describe(hint)}, found {word!r}.") from error


def _from_value(hint: Any, name: str, value: Any) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if value is None and types.NoneType in arguments:
            return None
        (inner,) = [a for a in arguments if a is not types.NoneType]
        return _from_value(inner, name, value)
    if origin is Literal:
        if value not in arguments:
            raise ConfigError(
                f"{name}: expected one of {', '.join(map(str, arguments))}, found {value!r}."
            )
        return value
    if origin is tuple and isinstance(value, (list, tuple, range, np.ndarray)):
        return tuple(_from_value(arguments[0], name, part) for part in value)
    # A truth value is a whole number to Python, and not to a config.
    number = {int: as_whole, float: as_real}.get(hint, plain)(value)
    if isinstance(hint, type) and isinstance(number, hint):
        return number
    raise ConfigError(f"{name}: expected {_describe(hint)}, found {value!r}.")


def _describe(hint: Any) -> str:
    if get_origin(hint) is tuple:
        return f"a sequence of {_describe(get_args(hint)[0])}"
    words = {int: "a whole number", float: "a number", str: "text", bool: "yes or no"}
    return words.get(hint, str(hint))
