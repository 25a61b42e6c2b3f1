"""Experiments, by name, file or module."""

from pathlib import Path

from ired_interp.experiments.base import GROUP, Experiment, FigureSpec, Theme
from ired_interp.experiments.hypothesis import Evidence, Hypothesis, Verdict
from ired_interp.experiments.loading import Source, experiment_names, load, locate

__all__ = [
    "GROUP",
    "Evidence",
    "Experiment",
    "FigureSpec",
    "Hypothesis",
    "Source",
    "Theme",
    "Verdict",
    "experiment_names",
    "find_experiment",
    "load",
    "locate",
]


def find_experiment(reference: str, *, project: Path | None = None) -> Experiment:
    """An experiment by name, ``path/to/file.py:NAME`` or ``package.module:NAME``.

    Raises:
        UnknownNameError: There is none of that name, no such file, module or object.
        ExperimentError: It cannot be imported, or lacks what an experiment needs.
    """
    return load(locate(reference, project=project))
