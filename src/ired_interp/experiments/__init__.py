"""Experiments, by name, file or module."""

from typing import TYPE_CHECKING

from ired_interp.on_demand import import_on_demand

if TYPE_CHECKING:  # xarray and torch; where an experiment lies is told without them
    from ired_interp.experiments.base import GROUP, Experiment, FigureSpec, Theme
    from ired_interp.experiments.hypothesis import Evidence, Hypothesis, Verdict
    from ired_interp.experiments.kit.charts import Chart
    from ired_interp.experiments.loading import find_experiment, load
    from ired_interp.experiments.locating import Source, experiment_names, locate

__all__ = [
    "GROUP",
    "Chart",
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

import_on_demand(
    __name__,
    {
        "GROUP": "ired_interp.experiments.base:GROUP",
        "Chart": "ired_interp.experiments.kit.charts:Chart",
        "Evidence": "ired_interp.experiments.hypothesis:Evidence",
        "Experiment": "ired_interp.experiments.base:Experiment",
        "FigureSpec": "ired_interp.experiments.base:FigureSpec",
        "Hypothesis": "ired_interp.experiments.hypothesis:Hypothesis",
        "Source": "ired_interp.experiments.locating:Source",
        "Theme": "ired_interp.experiments.base:Theme",
        "Verdict": "ired_interp.experiments.hypothesis:Verdict",
        "experiment_names": "ired_interp.experiments.locating:experiment_names",
        "find_experiment": "ired_interp.experiments.loading:find_experiment",
        "load": "ired_interp.experiments.loading:load",
        "locate": "ired_interp.experiments.locating:locate",
    },
)
