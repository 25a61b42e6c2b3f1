"""A package whose public names are imported when they are first asked for.

Torch and xarray take seconds to import. A command that prints a usage line needs neither, and
importing any module of a package runs the package's ``__init__.py`` first.
"""

import importlib
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any

__all__ = ["import_on_demand"]


class _Package(ModuleType):
    """A module with names that are not there yet; Python's own way to vary one is its class."""

    _places: Mapping[str, str]

    def __getattr__(self, name: str) -> Any:
        """Import the name, once."""
        place = self._places.get(name)
        if place is None:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        module, _, own = place.partition(":")
        value = importlib.import_module(module)
        found = getattr(value, own) if own else value
        super().__setattr__(name, found)
        return found

    def __setattr__(self, name: str, value: Any) -> None:
        """Keep a public name: importing the module ``solve`` would hide the function ``solve``."""
        public = ":" in self._places.get(name, "")
        if not (public and isinstance(value, ModuleType)):
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        """With the names that are not there yet."""
        return sorted({*super().__dir__(), *self._places})


def import_on_demand(package: str, places: Mapping[str, str]) -> None:
    """Let a package import its public names when they are first asked for.

    For its ``__init__.py``, where the same names are imported under ``TYPE_CHECKING``, for those
    who read code without running it. A test holds the two together.

    Args:
        package: Its ``__name__``.
        places: By name, ``module:name``; or the ``module`` that the name stands for itself.
    """
    module = sys.modules[package]
    module.__dict__["_places"] = places
    module.__class__ = _Package
