"""Charts of EXP-004: correlations by level, what a distance adds, and the clouds behind them."""

import xarray as xr

from ired_interp.experiments.exp004.distances import AFFINE, FROBENIUS, GRASSMANN
from ired_interp.experiments.exp004.measure import FIXED, GROWING, SWEEPS
from ired_interp.experiments.kit.along import MARKERS
from ired_interp.experiments.kit.chart_cases import level_places, spread
from ired_interp.experiments.kit.charts import by_level, custom
from ired_interp.experiments.kit.drawn import Axis, Drawing, Grid, Panel
from ired_interp.experiments.kit.expressions import pick
from ired_interp.experiments.kit.facets import facet, quantity
from ired_interp.experiments.kit.traces import Line

__all__ = ["CHARTS"]

_COMPARED = (GRASSMANN, FROBENIUS, AFFINE)
# Over moves of one length Frobenius distance is one number.
_APART = facet("metric", only=(GRASSMANN, AFFINE))
_SWEEP_WORDS = {sweep: "growing ‖δ‖" if sweep == GROWING else "one ‖δ‖" for sweep in SWEEPS}
_UNITS = {GRASSMANN: "rad", FROBENIUS: "y", AFFINE: "1"}
_CLOUDS = 3  # levels of which points are drawn
_BARS = "Means over problems, bars are 95 % bootstrap intervals. "


def clouds(results: xr.DataTree) -> Drawing:
    """Energy above that of the base against a distance, every move of the first problem."""
    root = results.to_dataset().sortby("level").isel(problem=0)
    known = root["metric"].values.tolist()
    pairs = [(m, sweep) for m in _COMPARED if m in known for sweep in SWEEPS]
    num_levels = root.sizes["level"]
    overview = [
        _cloud(root.isel(level=k), GRASSMANN, sweep)
        for sweep in SWEEPS
        for k in spread(num_levels, _CLOUDS)
    ]
    return Drawing(
        overview=Grid(panels=overview, columns=len(overview) // len(SWEEPS)),
        slider="level k",
        places=level_places(root),
        choice="distance, moves",
        choices=[f"{metric}, {_SWEEP_WORDS[sweep]}" for metric, sweep in pairs],
        views=[
            [
                Grid(panels=[_cloud(root.isel(level=k), metric, sweep)], height=3.6)
                for k in range(num_levels)
            ]
            for metric, sweep in pairs
        ],
        hint="Every move of the first problem at any level and by any of the distances.",
    )


def _cloud(here: xr.Dataset, metric: str, sweep: str) -> Panel:
    at = here.sel(sweep=sweep)
    rise, distance = at["energy"] - at["base_energy"], at["distance"].sel(metric=metric)
    traces = []
    for i, kind in enumerate(here["kind"].values.tolist()):
        one = (at["kind_of_move"] == kind).values
        x, y = distance.values[one], rise.values[one]
        look = MARKERS[i % len(MARKERS)]
        traces.append(Line(x=x, y=y, name=kind, color=i, marker=look, dash="none", opacity=0.85))
    return Panel(
        traces=traces,
        title=f"level {int(here['level'])}, {_SWEEP_WORDS[sweep]}",
        x=Axis(label=f"{metric} distance, {_UNITS[metric]}"),
        y=Axis(label="E − E(base)"),
    )


CHARTS = (
    by_level(
        "growing",
        "Energy against distance, as moves grow",
        "Spearman’s correlation of energy with each distance, of each problem by itself. "
        f"{_BARS}The dashed line is what E = ‖δ‖² has at the same points: high without knowing of "
        "subspaces, as longer moves turn them further. Above, random directions alone; below, all "
        "kinds of moves, some of which leave the subspaces where they are.",
        y=[
            quantity(
                "random_spearman",
                title="random moves",
                label="rank correlation",
                ideal=pick("random_bowl"),
                null=0.0,
            ),
            quantity(
                pick("spearman", sweep=GROWING),
                title="all kinds",
                label="rank correlation",
                ideal=pick("bowl_spearman", sweep=GROWING),
                null=0.0,
            ),
        ],
        columns=facet("metric", only=_COMPARED),
        ideal_name="isotropic bowl",
    ),
    by_level(
        "fixed",
        "Energy against distance, at one length",
        "The same over moves that are all equally long, so that the bowl is flat: whatever "
        f"correlation is left is not one with ‖δ‖. {_BARS}Ranks say nothing of size: see what the "
        "kinds of moves cost.",
        y=pick("spearman", sweep=FIXED),
        columns=_APART,
        label="rank correlation",
        null=0.0,
        null_name="by chance",
    ),
    by_level(
        "beyond",
        "What a distance adds to the length of the move",
        "Above, the rank correlation given ‖δ‖; below, what distance² adds to ‖δ‖² in R², fitted "
        f"on every other move and tried on the rest. {_BARS}Dashed: the same with distances "
        "exchanged among moves of nearly the same length, which is what chance gives: below 0, as "
        "a useless predictor costs R².",
        y=[
            quantity("partial", label="correlation given ‖δ‖", null=pick("partial_null")),
            quantity("added", label="added R²", null=pick("added_null")),
        ],
        columns=_APART,
        null_name="distances exchanged",
    ),
    by_level(
        "kinds",
        "What each kind of move costs at one length",
        "Energy above that of the base, in units of the bowl s_t²‖δ‖²/(2σ_t), mean over moves of a "
        f"kind. {_BARS}The dashed line, 1, is the ideal where the answer is determined: all kinds "
        "cost the same. Values off it together say that the bowl is wider or narrower, values "
        "apart that kinds of moves differ.",
        y="relative_energy",
        columns="case",
        series="kind",
        label="energy / bowl",
        scale="outliers",
        ideal=1.0,
        ideal_name="ideal if determined",
        height=2.6,
    ),
    custom(
        "clouds",
        "The moves of one problem",
        "Energy above that of the base against Grassmann distance, every move of the first "
        "problem at the coarsest, a middle and the finest level of the run. A cloud that rises "
        "above and is flat below follows the length of the moves and nothing else.",
        traces=clouds,
        needs=("energy", "distance", "base_energy"),
    ),
)
