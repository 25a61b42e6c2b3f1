"""Charts of EXP-007: error, ranks, rules and curvature along training."""

from collections.abc import Mapping
from dataclasses import replace

import xarray as xr

from ired_interp.experiments.kit.along import mean_line
from ired_interp.experiments.kit.chart_cases import cases_of, margins
from ired_interp.experiments.kit.charts import along, custom
from ired_interp.experiments.kit.drawn import Axis, Drawing, Panel
from ired_interp.experiments.kit.expressions import pick
from ired_interp.experiments.kit.facets import facet, quantity
from ired_interp.experiments.kit.level_charts import level_by_level
from ired_interp.experiments.kit.traces import Rule, Trace

__all__ = ["CHARTS"]

_STEPS = Axis(label="training step", scale="log")
_BARS = "Means over problems, bars are 95 % bootstrap intervals. "
# What is measured at each level, with its label and its ideal where the answer is determined.
_QUANTITIES: Mapping[str, tuple[str, float]] = {
    "curvature": ("mean σλ", 1.0),
    "off_ideal": ("rms of σλ − 1", 0.0),
    "split_ratio": ("log normal/tangent", 0.0),
}

_CURVATURE = along(
    "",
    "",
    "",
    x="step",
    axis=_STEPS,
    y=[quantity(name, label=text, ideal=ideal) for name, (text, ideal) in _QUANTITIES.items()],
    columns="quantity",
    series=facet("level", most=4),
    ideal_name="ideal if determined",
    height=3.0,
)


def curvature(results: xr.DataTree) -> Drawing:
    """A line a level; and a level by itself, of all networks."""
    cases = [replace(case, data=case.data.sortby("level")) for case in cases_of(results, "step")]

    def panel(name: str, k: int) -> Panel:
        text, ideal = _QUANTITIES[name]
        traces: list[Trace] = [Rule(at=ideal, name="ideal if determined")]
        traces += [
            mean_line(case.data[name].isel(level=k), "step", case.label, case.color, case.marker)
            for case in reversed(cases)
        ]
        shown = [case.data[name].sel(statistic=["mean", "low", "high"]).values for case in cases]
        low, high = margins([ideal, *shown])  # of all levels, so that they can be compared
        return Panel(traces=traces, x=_STEPS, y=Axis(label=text, low=low, high=high))

    return level_by_level(
        _CURVATURE.drawing_fn(results).overview,
        results,
        panel,
        [(text, name) for name, (text, _) in _QUANTITIES.items()],
        choice="quantity",
        hint="Any level by itself has every network, on axes that stay while the slider moves.",
    )


CHARTS = (
    along(
        "errors",
        "Error along training",
        f"Squared error an entry of the solver’s answers at each checkpoint. {_BARS}",
        x="step",
        axis=_STEPS,
        y="error",
        label="squared error an entry",
        scale="log",
        height=2.8,
    ),
    along(
        "ranks",
        "Rank and norm of the answers along training",
        f"Effective rank and nuclear norm. {_BARS}Dotted, crosses: of answers that are as wrong "
        "without a bias, between truth and mean answer, and beyond the mean answer with noise. "
        "Below that line there is a bias to low rank or small norm; on it there is none. Dotted, "
        "pluses: of the truth with a penalty on the nuclear norm that makes the same error; it is "
        "missing where answers are worse than 0.",
        x="step",
        axis=_STEPS,
        y=[
            quantity(
                own,
                label=label,
                ideal=pick(f"true_{short}"),
                once=[
                    (pick(f"wrong_{short}"), "if as wrong"),
                    (pick(f"penalised_{short}"), "if penalised"),
                ],
            )
            for own, short, label in (
                ("effective_rank", "rank", "effective rank"),
                ("nuclear_norm", "nuclear", "nuclear norm"),
            )
        ],
        columns="quantity",
        ideal_name="truth",
        height=2.9,
    ),
    along(
        "rules",
        "Which trivial rule the answers are near",
        "rms distance of the model’s answers from those of each rule of the task’s ladder, in "
        f"units of the true answers’ rms. {_BARS}A line that dips and rises again is a rule that "
        "the model passed.",
        x="step",
        axis=_STEPS,
        y="rule_distance",
        series="rule",
        label="distance from the rule",
        scale="log",
        height=3.0,
    ),
    custom(
        "curvature",
        "Curvature at typical points along training",
        f"At up to four levels. {_BARS}Dashed: the ideal where the answer is determined.",
        traces=curvature,
        needs=_CURVATURE.needs,
    ),
)
