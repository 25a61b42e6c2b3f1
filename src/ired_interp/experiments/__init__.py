"""Experiments, by name, file or module; and the kit that one is made of."""

from typing import TYPE_CHECKING

from ired_interp.on_demand import import_on_demand

if TYPE_CHECKING:  # xarray and torch; where an experiment lies is told without them
    from ired_interp.experiments.base import GROUP, Experiment, FigureSpec, Theme
    from ired_interp.experiments.hypothesis import Evidence, Hypothesis, Verdict
    from ired_interp.experiments.kit.cases import Case, shuffled, untrained
    from ired_interp.experiments.kit.charts import Chart, along, by_level, custom
    from ired_interp.experiments.kit.claims import Claim
    from ired_interp.experiments.kit.expressions import pick
    from ired_interp.experiments.kit.notes import notes
    from ired_interp.experiments.kit.options import ModelOptions, option
    from ired_interp.experiments.kit.study import Prepared, Study
    from ired_interp.experiments.kit.variables import V, declare
    from ired_interp.experiments.loading import find_experiment, load
    from ired_interp.experiments.locating import Source, experiment_names, locate

__all__ = [
    "GROUP",
    "Case",
    "Chart",
    "Claim",
    "Evidence",
    "Experiment",
    "FigureSpec",
    "Hypothesis",
    "ModelOptions",
    "Prepared",
    "Source",
    "Study",
    "Theme",
    "V",
    "Verdict",
    "along",
    "by_level",
    "custom",
    "declare",
    "experiment_names",
    "find_experiment",
    "load",
    "locate",
    "notes",
    "option",
    "pick",
    "shuffled",
    "untrained",
]

import_on_demand(
    __name__,
    {
        "GROUP": "ired_interp.experiments.base:GROUP",
        "Case": "ired_interp.experiments.kit.cases:Case",
        "Chart": "ired_interp.experiments.kit.charts:Chart",
        "Claim": "ired_interp.experiments.kit.claims:Claim",
        "Evidence": "ired_interp.experiments.hypothesis:Evidence",
        "Experiment": "ired_interp.experiments.base:Experiment",
        "FigureSpec": "ired_interp.experiments.base:FigureSpec",
        "Hypothesis": "ired_interp.experiments.hypothesis:Hypothesis",
        "ModelOptions": "ired_interp.experiments.kit.options:ModelOptions",
        "Prepared": "ired_interp.experiments.kit.study:Prepared",
        "Source": "ired_interp.experiments.locating:Source",
        "Study": "ired_interp.experiments.kit.study:Study",
        "Theme": "ired_interp.experiments.base:Theme",
        "V": "ired_interp.experiments.kit.variables:V",
        "Verdict": "ired_interp.experiments.hypothesis:Verdict",
        "along": "ired_interp.experiments.kit.charts:along",
        "by_level": "ired_interp.experiments.kit.charts:by_level",
        "custom": "ired_interp.experiments.kit.charts:custom",
        "declare": "ired_interp.experiments.kit.variables:declare",
        "experiment_names": "ired_interp.experiments.locating:experiment_names",
        "find_experiment": "ired_interp.experiments.loading:find_experiment",
        "load": "ired_interp.experiments.loading:load",
        "locate": "ired_interp.experiments.locating:locate",
        "notes": "ired_interp.experiments.kit.notes:notes",
        "option": "ired_interp.experiments.kit.options:option",
        "pick": "ired_interp.experiments.kit.expressions:pick",
        "shuffled": "ired_interp.experiments.kit.cases:shuffled",
        "untrained": "ired_interp.experiments.kit.cases:untrained",
    },
)
