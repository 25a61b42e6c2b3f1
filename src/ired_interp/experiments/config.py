"""Configs as data: read from JSON or from words, strictly."""

import dataclasses
import difflib
import types
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from ired_interp.errors import ConfigError

__all__ = ["config_from_mapping", "config_from_words", "config_to_mapping"]

C = TypeVar("C")


def config_from_mapping(cls: type[C], content: Mapping[str, Any]) -> C:
    """A config from what `config_to_mapping` or a JSON file holds.

    Raises:
        ConfigError: An unknown key (the nearest is named) or a value of the wrong type.
    """
    hints = _hints(cls, content)
    return cls(**{k: _from_value(hints[k], k, v) for k, v in content.items()})


def config_from_words(cls: type[C], words: Mapping[str, str]) -> C:
    """A config from command-line words: numbers in digits, sequences separated by commas.

    Raises:
        ConfigError: As `config_from_mapping`.
    """
    hints = _hints(cls, words)
    return cls(**{k: _from_word(hints[k], k, v) for k, v in words.items()})


def config_to_mapping(config: Any) -> dict[str, Any]:
    """The fields, tuples as lists, ready for JSON."""
    content = dataclasses.asdict(config)
    return {k: list(v) if isinstance(v, tuple) else v for k, v in content.items()}


def _hints(cls: type[Any], content: Mapping[str, Any]) -> dict[str, Any]:
    names = [field.name for field in dataclasses.fields(cls)]
    for key in content:
        if key not in names:
            near = difflib.get_close_matches(key, names, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ConfigError(f"config: unknown key {key!r}; known: {', '.join(names)}.{hint}")
    return get_type_hints(cls)


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
        return tuple(_from_word(arguments[0], name, part.strip()) for part in word.split(","))
    if hint is str:
        return word
    if hint in (int, float):
        try:
            return hint(word)
        except ValueError as error:
            raise ConfigError(f"{name}: expected {_describe(hint)}, found {word!r}.") from error
    raise TypeError(f"config field {name}: no words are defined for the type {hint}.")


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
    if origin is tuple and isinstance(value, (list, tuple)):
        return tuple(_from_value(arguments[0], name, part) for part in value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(hint, type) and isinstance(value, hint) and not isinstance(value, bool):
        return value
    raise ConfigError(f"{name}: expected {_describe(hint)}, found {value!r}.")


def _describe(hint: Any) -> str:
    if get_origin(hint) is tuple:
        return f"a sequence of {_describe(get_args(hint)[0])}"
    return {int: "a whole number", float: "a number", str: "text"}.get(hint, str(hint))
