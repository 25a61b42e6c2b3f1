"""EXP-004's own words: what was asked, how the matrices were moved, and what came out."""

import json
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import xarray as xr

from ired_interp.digits import concise, number, with_interval
from ired_interp.experiments.exp004_distances import AFFINE, FROBENIUS, GRASSMANN
from ired_interp.experiments.exp004_moves import KINDS
from ired_interp.experiments.exp004_variables import FIXED, GROWING
from ired_interp.experiments.page import (
    Cell,
    Column,
    Definitions,
    Listing,
    Marked,
    Page,
    Paragraph,
    Points,
    Row,
    RowGroup,
    Section,
    Table,
    Text,
)

__all__ = ["NEEDED", "listing", "page"]

# Variable, where, heading.
_COLUMNS: tuple[tuple[str, Mapping[str, str], str], ...] = (
    ("random_spearman", {}, "ρ, random moves, growing"),
    ("spearman", {"sweep": GROWING}, "ρ, all moves, growing"),
    ("partial", {}, "ρ given ‖δ‖"),
    ("spearman", {"sweep": FIXED}, "ρ at fixed ‖δ‖"),
    ("added", {}, "added R²"),
)
_LISTED: tuple[tuple[str, Mapping[str, str], str], ...] = (
    ("spearman", {"sweep": GROWING}, "growing"),
    ("partial", {}, "given ‖δ‖"),
    ("spearman", {"sweep": FIXED}, "fixed ‖δ‖"),
    ("added", {}, "added R²"),
)
NEEDED = tuple(
    f"summary/model/{name}"
    for name in (*dict.fromkeys(c[0] for c in _COLUMNS), "bowl_spearman", "random_bowl")
)
_CASES = (("model", "model", "model"), ("untrained", "untrained", "control"))
_METRICS: Mapping[str, str] = {
    GRASSMANN: "‖θ‖₂ of the principal angles between the leading r-dimensional column spaces",
    FROBENIUS: "‖δ‖_F itself: what every other distance has to add to",
    AFFINE: "‖log eig(B⁻¹·sym(B + δ))‖₂, where that is positive definite",
    "grassmann-rows": "as grassmann, of the row spaces",
}


def page(results: xr.DataTree) -> Page:
    """What the results of EXP-004 say."""
    config: dict[str, Any] = json.loads(results.attrs["config"])
    model = "/".join(PurePath(config["model"]).parts[-2:])
    problems, levels = results.sizes["problem"], results.sizes["level"]
    return Page(
        lead=_lead(results, model),
        facts=_facts(results, config),
        findings=(Points(_in_words(results)), _table(results)),
        sections=(_meaning(results),),
        subject=model,
        drawn_of=f"{model}, {problems} problem{_s(problems)}, {levels} level{_s(levels)}",
        layout=_layout(results),
        agreement=(
            "to 10⁻¹³·|E|" if config["dtype"] == "float64" else "to the round-off of float32"
        ),
    )


def listing(results: xr.DataTree) -> Listing:
    """Means over problems with their intervals, of Grassmann distance, a row a level."""
    cases = _cases(results)
    bowl = float(
        cases[0][2]["bowl_spearman"].sel(sweep=GROWING, metric=GRASSMANN, statistic="mean")
    )
    rows = []
    for level in _levels(results):
        here = cases[0][2].sel(level=level, metric=GRASSMANN)
        cells = [str(level), f"{float(here['sigma']):.3f}"]
        cells += [_concise(here[name].sel(where)) for name, where, _ in _LISTED]
        for _, _, data in cases[1:]:
            untrained = data.sel(level=level, metric=GRASSMANN)
            cells += [_concise(untrained["spearman"].sel(sweep=s)) for s in (GROWING, FIXED)]
        rows.append(cells)
    muted = ["untr. growing", "untr. fixed"] if len(cases) > 1 else []
    return Listing(
        heads=("k", "σ", *(label for *_, label in _LISTED), *muted),
        rows=rows,
        caption="rank correlation of energy and Grassmann distance, means over problems; in "
        "parentheses,\nin the last digit's unit, the larger half of the 95 % bootstrap interval; "
        f"as moves grow\nan isotropic bowl has {bowl:.2f}; added R²: what distance² adds to ‖δ‖² "
        "out of sample",
        muted=muted,
    )


def _lead(results: xr.DataTree, model: str) -> Text:
    cases = {label: data for label, _, data in _cases(results)}
    beside = "the isotropic bowl at the same points"
    if "untrained" in cases:
        draws = results["controls/untrained"].sizes["draw"]
        beside += f" and {draws} draw{_s(draws)} of untrained weights"
    problems, levels = results.sizes["problem"], results.sizes["level"]
    moves = results.sizes["move"]
    return (
        "Does the energy of ",
        Marked(model, "strong"),
        (
            " measure how far the subspaces of a matrix have turned, or only how far the matrix "
            f"has moved? This run moved {problems} solution{_s(problems)} {moves} times by growing "
            f"and {moves} times by one and the same ‖δ‖, by {results.sizes['kind']} kinds of moves,"
            f" at {levels} level{_s(levels)}, beside {beside}."
        ),
    )


def _facts(results: xr.DataTree, config: Mapping[str, Any]) -> list[tuple[str, Text]]:
    root = results.to_dataset()
    each = root.sizes["move"] // root.sizes["kind"]
    facts: list[tuple[str, Text]] = [
        ("Base", "UVᵀ" if config["base"] == "product" else "the answer y*"),
        ("Rank", f"{config['rank']}, of the subspaces that are compared"),
        (
            "Moves",
            (
                f"{each} of each kind a sweep; ‖δ‖ up to {config['longest']:g}·‖B‖, and fixed at "
                f"{config['length']:g}·‖B‖"
            ),
        ),
        (
            "Problems",
            f"{root.sizes['problem']}, difficulty “{config['difficulty']}”, seed {config['seed']}",
        ),
        ("Numerics", f"{config['dtype']} on {config['device']}"),
    ]
    if "spd_share" in root:
        shares = [float(root["spd_share"].sel(sweep=s).mean()) for s in (GROWING, FIXED)]
        facts.insert(
            3,
            (
                "In the cone",
                (
                    f"{100 * shares[0]:.0f} % of the growing moves, {100 * shares[1]:.0f} % of the "
                    "others end where the symmetric part is positive definite; affine-invariant "
                    "distance is of these alone"
                ),
            ),
        )
    return facts


def _in_words(results: xr.DataTree) -> list[Text]:
    cases = _cases(results)
    model = cases[0][2]
    bowls = {
        name: float(value.sel(metric=GRASSMANN, statistic="mean"))
        for name, value in (
            ("random_spearman", model["random_bowl"]),
            ("spearman", model["bowl_spearman"].sel(sweep=GROWING)),
        )
    }
    said: list[Text] = []
    for name, where, what, ending in (
        (
            "random_spearman",
            {},
            "Over random moves of growing length energy and Grassmann distance correlate by",
            f"an isotropic bowl by {number(bowls['random_spearman'], 3)}",
        ),
        (
            "spearman",
            {"sweep": GROWING},
            "Over growing moves of all kinds they correlate by",
            f"the bowl by {number(bowls['spearman'], 3)}",
        ),
        (
            "spearman",
            {"sweep": FIXED},
            "Over moves of one length they correlate by",
            "chance gives 0",
        ),
        (
            "added",
            {},
            "To ‖δ‖² Grassmann distance adds, in R² out of sample,",
            (
                "exchanged distances add "
                f"{number(_mean(model['added_null'].sel(metric=GRASSMANN)), 2)}"
            ),
        ),
    ):
        parts = [
            f"{number(_mean(data[name].sel(where).sel(metric=GRASSMANN)), 3)} ({label})"
            for label, _, data in cases
        ]
        said.append(f"{what} {', '.join(parts)}, mean over levels; {ending}.")
    return said


def _table(results: xr.DataTree) -> Table:
    groups = []
    for metric in results.coords["metric"].values:
        for level in _levels(results):
            rows = [
                Row(
                    label,
                    [
                        _cell(data.sel(level=level, metric=metric)[name].sel(where))
                        for name, where, _ in _COLUMNS
                    ],
                    None,
                    "model" if key == "model" else "control",
                )
                for label, key, data in _cases(results)
            ]
            groups.append(RowGroup((str(metric), str(level)), rows))
    return Table(
        label="Distance as a predictor of energy, by metric and level",
        group_heads=("metric", ("level ", Marked("k", "i"))),
        row_head="case",
        columns=[Column(label) for *_, label in _COLUMNS],
        groups=groups,
        note="Means over problems [95\u00a0% bootstrap interval]. ρ: Spearman’s correlation with "
        "energy, of each problem by itself. The bowl’s own ρ stand in the figure on growing moves.",
    )


def _meaning(results: xr.DataTree) -> Section:
    kinds: list[tuple[str, Text]] = [
        (str(kind), KINDS[str(kind)]) for kind in results.coords["kind"].values
    ]
    metrics: list[tuple[str, Text]] = [
        (name, _METRICS.get(name, f"as grassmann, of spaces of dimension {name.split('-')[-1]}"))
        for name in (str(name) for name in results.coords["metric"].values)
    ]
    return Section(
        "moves",
        "How the matrices were moved, and measured",
        (
            Definitions(kinds),
            Definitions(metrics),
            Paragraph(
                "Longer moves turn subspaces further, and lie higher in any bowl: a correlation of "
                "energy with Grassmann distance over moves of all lengths is what ‖δ‖² has by "
                "itself. What is left to a subspace is seen at one length, where kinds of moves "
                "turn it by different angles, and in what it adds to ‖δ‖²."
            ),
            Paragraph(
                "A correlation at fixed length may rank differences that are tiny: the figure on "
                "kinds of moves says how much they cost, and added R² what they matter.",
                "note",
            ),
        ),
    )


def _layout(results: xr.DataTree) -> Text:
    words: list[str | Marked] = ["Its root is the model’s alone, with the points’ distances;"]
    if "controls" in results.children:
        words += [
            " ",
            Marked("controls/untrained", "code"),
            " holds energies and correlations for each draw of weights;",
        ]
    return (
        *words,
        " ",
        Marked("summary/…", "code"),
        " holds means over problems with their 95\u00a0% bootstrap intervals.",
    )


def _cases(results: xr.DataTree) -> list[tuple[str, str, xr.Dataset]]:
    groups = results["summary"].children
    return [
        (label, key, groups[name].to_dataset()) for name, label, key in _CASES if name in groups
    ]


def _levels(results: xr.DataTree) -> list[int]:
    return sorted(int(level) for level in results.coords["level"].values)


def _mean(statistics: xr.DataArray) -> float:
    return float(statistics.sel(statistic="mean").mean())


def _cell(statistics: xr.DataArray) -> Cell:
    mean, low, high, count = (
        float(statistics.sel(statistic=s)) for s in ("mean", "low", "high", "count")
    )
    return Cell(*with_interval(mean, low, high)) if count else Cell("–")


def _concise(statistics: xr.DataArray) -> str:
    mean, low, high = (float(statistics.sel(statistic=name)) for name in ("mean", "low", "high"))
    return concise(mean, max(high - mean, mean - low))


def _s(count: int) -> str:
    return "" if count == 1 else "s"
