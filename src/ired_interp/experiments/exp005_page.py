"""EXP-005's own words: what was asked, which directions are tangent, and what came out."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import xarray as xr

from ired_interp.digits import number
from ired_interp.experiments import model_page
from ired_interp.experiments.exp005_spaces import MEANINGS
from ired_interp.experiments.exp005_variables import BASE, TRAJECTORY, TYPICAL
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

_COLUMNS: tuple[tuple[str, str, str, str], ...] = (
    ("gradient_share", TYPICAL, "normal gradient a dimension, typical", "1"),
    ("gradient_share", TRAJECTORY, "on the trajectory", "–"),
    ("tangent_curvature", TYPICAL, "tangent σκ, typical", "≤ 1"),
    ("normal_curvature", TYPICAL, "normal σκ, typical", "≤ 1"),
    ("curvature_contrast", BASE, "contrast at the base", "–"),
    ("bottom_overlap", TYPICAL, "flattest in tangent", "–"),
)
_LISTED = (
    ("gradient_share", TYPICAL, "∇ share"),
    ("gradient_share", TRAJECTORY, "on the way"),
    ("tangent_curvature", TYPICAL, "κ tangent"),
    ("normal_curvature", TYPICAL, "κ normal"),
)
_SAID = tuple(
    f"summary/…/{name}" for name in ("gradient_share", "curvature_contrast", "bottom_overlap")
)
NEEDED = tuple(f"summary/model/{name}" for name in dict.fromkeys(c[0] for c in _COLUMNS))


def page(results: xr.DataTree) -> Page:
    """What the results of EXP-005 say."""
    told = model_page.told_of(results)
    return Page(
        lead=_lead(results, told.subject),
        facts=_facts(results, told.config),
        findings=(Points(_in_words(results), _SAID), _table(results)),
        sections=(_meaning(results),),
        subject=told.subject,
        drawn_of=told.drawn_of,
        layout=_layout(results),
        agreement=told.agreement("to 10⁻¹²·‖H‖"),
    )


def listing(results: xr.DataTree) -> Listing:
    """Means over problems with their intervals in the first split, a row a level."""
    space = str(results.coords["space"].values[0])

    def cells(level: int, cases: Sequence[xr.Dataset]) -> list[str]:
        here = [case.sel(level=level, space=space) for case in cases[:2]]
        of_model = [
            model_page.concise_cell(here[0][name].sel(place=place)) for name, place, _ in _LISTED
        ]
        return of_model + [
            model_page.concise_cell(one["gradient_share"].sel(place=TYPICAL)) for one in here[1:]
        ]

    muted = [case.label for case in model_page.cases_of(results)[1:2]]
    return Listing(
        heads=("k", "σ", *(label for *_, label in _LISTED), *muted),
        rows=model_page.listed_levels(results, cells),
        caption=f"split {space} ({MEANINGS[space]}); means over\n"
        "problems; in parentheses, in the last digit's unit, the larger\n"
        "half of the 95 % bootstrap interval; ∇ share: normal gradient a\n"
        "dimension, 1 by chance; κ: σ times mean curvature",
        muted=muted,
    )


def _lead(results: xr.DataTree, model: str) -> Text:
    others = model_page.beside_words(results)
    beside = f"{model_page.num_draws(results, 'random')} random splits of the same dimensions"
    beside += f" and {others}" if others else ""
    problems, levels = (model_page.counted(results.sizes[one], one) for one in ("problem", "level"))
    space = str(results.coords["space"].values[0])
    return (
        "Does the landscape of ",
        Marked(model, "strong"),
        (
            " know which directions lead along its answers and which lead away? This run split "
            "gradient and curvature into tangent and normal parts (first of all: "
        ),
        Marked(MEANINGS[space], "em"),
        (f"), each divided by its dimension, at {problems} and {levels}, beside {beside}."),
    )


def _facts(results: xr.DataTree, config: Mapping[str, Any]) -> list[tuple[str, Text]]:
    root = results.to_dataset()
    sizes = []
    for name in root["space"].values:
        tangent = root["tangent_dimension"].sel(space=name).values
        normal = root["normal_dimension"].sel(space=name).values
        sizes.append(f"{name}: {_range(tangent)} + {_range(normal)}")
    rank = "none" if config["rank"] is None else str(config["rank"])
    return [
        ("Dimensions", f"tangent + normal of d = {root.sizes['y_dim']}. {'; '.join(sizes)}"),
        ("Rank", rank),
        model_page.problems_fact(results, config),
        ("Numerics", f"{config['dtype']} on {config['device']}"),
    ]


def _in_words(results: xr.DataTree) -> list[Text]:
    space = str(results.coords["space"].values[0])
    said: list[Text] = []
    for name, place, what, null in (
        ("gradient_share", TYPICAL, "At typical points the normal gradient a dimension", "1"),
        ("gradient_share", TRAJECTORY, "Along the trajectory it", "1"),
        (
            "curvature_contrast",
            BASE,
            "At the base the contrast of normal and tangent curvature",
            "0",
        ),
        ("bottom_overlap", TYPICAL, "The overlap of the flattest directions with T, typical,", "1"),
    ):
        parts = []
        for case in model_page.cases_of(results):
            values = case.data[name].sel(place=place, space=space, statistic="mean").values
            parts.append(f"{number(float(values.mean()), 3)} ({case.label})")
        said.append(f"{what} is {', '.join(parts)}, mean over levels; chance gives {null}.")
    return said


def _table(results: xr.DataTree) -> Table:
    groups = []
    for space in results.coords["space"].values:
        for level in model_page.levels_of(results):
            here = functools.partial(_cells, space=str(space), level=level)
            groups.append(RowGroup((str(space), str(level)), model_page.rows_of(results, here)))
    return Table(
        label="Tangent and normal, by split and level",
        group_heads=("split", ("level ", Marked("k", "i"))),
        row_head="case",
        columns=[
            Column(label, "", ideal, f"summary/…/{name}") for name, _, label, ideal in _COLUMNS
        ],
        groups=groups,
        reference="ideal, where the answer is determined",
        note="Means over problems [95\u00a0% bootstrap interval]. The first two columns and the "
        "last are 1 by chance, the contrast is 0.",
    )


def _meaning(results: xr.DataTree) -> Section:
    terms: list[tuple[str, Text]] = [
        (str(name), f"tangent: {MEANINGS[str(name)]}") for name in results.coords["space"].values
    ]
    return Section(
        "meaning",
        "What tangent means here",
        (
            Definitions(terms),
            Paragraph(
                "Everything is divided by its dimension: a random gradient has most of its length "
                "in the larger space, so undivided ratios start at codimension/dimension, not at "
                "1. At typical points the ideal landscape of a determined answer is H = I/σ_t, "
                "the same in all directions: there is nothing tangent or normal in it."
            ),
            Paragraph(
                "A difference at other points (on the trajectory, at the base) is one of the "
                "network away from where it was trained. At the base of a fixed-rank split the "
                "Riemannian Hessian stands beside the projected one: they differ by the bend of "
                "the manifold, which grows as 1/σ_r and vanishes only where the normal gradient "
                "does.",
                "note",
            ),
        ),
    )


def _layout(results: xr.DataTree) -> Text:
    splits = [("controls/random", "the same numbers for each draw of random splits;")]
    groups = splits + model_page.networks_layout(results, "the same variables")
    return model_page.described_layout(
        "Its root is the model’s alone;",
        groups,
        "means over problems with their 95\u00a0% bootstrap intervals.",
    )


def _cells(data: xr.Dataset, space: str, level: int) -> list[Cell]:
    here = data.sel(level=level, space=space)
    return [model_page.cell(here[name].sel(place=place)) for name, place, *_ in _COLUMNS]


def _range(values: Any) -> str:
    low, high = int(values.min()), int(values.max())
    return str(low) if low == high else f"{low} … {high}"
