"""EXP-004's own words: what was asked, how the matrices were moved, and what came out."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import xarray as xr

from ired_interp.digits import number
from ired_interp.experiments import model_page
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
    for name in (
        *dict.fromkeys(c[0] for c in _COLUMNS),
        "bowl_spearman",
        "random_bowl",
        "added_null",
    )
)
_SAID = (
    *(f"summary/…/{name}" for name in ("random_spearman", "spearman", "added")),
    *(f"summary/model/{name}" for name in ("random_bowl", "bowl_spearman", "added_null")),
)
_METRICS: Mapping[str, str] = {
    GRASSMANN: "‖θ‖₂ of the principal angles between the leading r-dimensional column spaces",
    FROBENIUS: "‖δ‖_F itself: what every other distance has to add to",
    AFFINE: "‖log eig(B⁻¹·sym(B + δ))‖₂, where that is positive definite",
    "grassmann-rows": "as grassmann, of the row spaces",
}


def page(results: xr.DataTree) -> Page:
    """What the results of EXP-004 say."""
    told = model_page.told_of(results)
    return Page(
        lead=_lead(results, told.subject),
        facts=_facts(results, told.config),
        findings=(Points(_in_words(results), _SAID), _table(results, _compared(results))),
        sections=(_meaning(results), *_others(results)),
        subject=told.subject,
        drawn_of=told.drawn_of,
        layout=_layout(results),
        agreement=told.agreement("to 10⁻¹³·|E|"),
    )


def listing(results: xr.DataTree) -> Listing:
    """Means over problems with their intervals, of Grassmann distance, a row a level."""
    cases = model_page.cases_of(results)
    bowl = float(
        cases[0].data["bowl_spearman"].sel(sweep=GROWING, metric=GRASSMANN, statistic="mean")
    )

    def cells(level: int, data: Sequence[xr.Dataset]) -> list[str]:
        here = [one.sel(level=level, metric=GRASSMANN) for one in data]
        of_model = [model_page.concise_cell(here[0][name].sel(where)) for name, where, _ in _LISTED]
        return of_model + [
            model_page.concise_cell(one["spearman"].sel(sweep=s))
            for one in here[1:]
            for s in (GROWING, FIXED)
        ]

    muted = [f"{case.label[:4]}. {s}" for case in cases[1:] for s in (GROWING, FIXED)]
    return Listing(
        heads=("k", "σ", *(label for *_, label in _LISTED), *muted),
        rows=model_page.listed_levels(results, cells),
        caption="rank correlation of energy and Grassmann distance, means over problems; in "
        "parentheses,\nin the last digit's unit, the larger half of the 95 % bootstrap interval; "
        f"as moves grow\nan isotropic bowl has {bowl:.2f}; added R²: what distance² adds to ‖δ‖² "
        "out of sample",
        muted=muted,
    )


def _lead(results: xr.DataTree, model: str) -> Text:
    others = model_page.beside_words(results)
    beside = "the isotropic bowl at the same points" + (f" and {others}" if others else "")
    problems, levels = (
        model_page.counted(results.sizes[size], one)
        for size, one in (("problem", "solution"), ("level", "level"))
    )
    moves = results.sizes["move"]
    return (
        "Does the energy of ",
        Marked(model, "strong"),
        (
            " measure how far the subspaces of a matrix have turned, or only how far the matrix "
            f"has moved? This run moved {problems} {moves} times by growing "
            f"and {moves} times by one and the same ‖δ‖, by {results.sizes['kind']} kinds of moves,"
            f" at {levels}, beside {beside}."
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
        model_page.problems_fact(results, config),
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
    cases = model_page.cases_of(results)
    model = cases[0].data
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
            f"{number(_mean(case.data[name].sel(where).sel(metric=GRASSMANN)), 3)} ({case.label})"
            for case in cases
        ]
        said.append(f"{what} {', '.join(parts)}, mean over levels; {ending}.")
    return said


def _compared(results: xr.DataTree) -> list[str]:
    """The distances that the claims are about."""
    metrics = [str(metric) for metric in results.coords["metric"].values]
    return [metric for metric in metrics if metric in (GRASSMANN, FROBENIUS, AFFINE)]


def _others(results: xr.DataTree) -> list[Section]:
    """The distances that stand beside them, if there are any."""
    compared = _compared(results)
    others = [str(m) for m in results.coords["metric"].values if str(m) not in compared]
    if not others:
        return []
    return [
        Section(
            "other-distances",
            "Subspaces of other sides and dimensions",
            (_table(results, others),),
        )
    ]


def _table(results: xr.DataTree, metrics: Sequence[str]) -> Table:
    groups = []
    for metric in metrics:
        for level in model_page.levels_of(results):
            here = functools.partial(_cells, metric=metric, level=level)
            groups.append(RowGroup((metric, str(level)), model_page.rows_of(results, here)))
    return Table(
        label=f"Distance as a predictor of energy, by level: {', '.join(metrics)}",
        group_heads=("metric", ("level ", Marked("k", "i"))),
        row_head="case",
        columns=[Column(label, variable=f"summary/…/{name}") for name, _, label in _COLUMNS],
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
    groups = model_page.networks_layout(results, "energies and correlations")
    return model_page.described_layout(
        "Its root is the model’s alone, with the points’ distances;",
        groups,
        "means over problems with their 95\u00a0% bootstrap intervals.",
    )


def _mean(statistics: xr.DataArray) -> float:
    return float(statistics.sel(statistic="mean").mean())


def _cells(data: xr.Dataset, metric: str, level: int) -> list[Cell]:
    here = data.sel(level=level, metric=metric)
    return [model_page.cell(here[name].sel(where)) for name, where, _ in _COLUMNS]
