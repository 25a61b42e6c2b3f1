"""Experiments, by name."""

import difflib

from ired_interp.errors import UnknownNameError
from ired_interp.experiments.base import Experiment, FigureSpec, Theme
from ired_interp.experiments.exp001_curvature import Exp001

__all__ = ["Experiment", "FigureSpec", "Theme", "experiment_names", "find_experiment"]

_EXPERIMENTS: dict[str, type[Experiment]] = {"exp001": Exp001}


def experiment_names() -> list[str]:
    """The names that `find_experiment` knows."""
    return list(_EXPERIMENTS)


def find_experiment(name: str) -> Experiment:
    """An experiment by name.

    Raises:
        UnknownNameError: There is none of that name.
    """
    if name not in _EXPERIMENTS:
        near = difflib.get_close_matches(name, _EXPERIMENTS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise UnknownNameError(
            f"experiment: expected one of {', '.join(_EXPERIMENTS)}, found {name!r}.{hint}"
        )
    return _EXPERIMENTS[name]()
