"""EXP-005's own words: what was asked, which directions are tangent, and what came out."""

import json
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import xarray as xr

from ired_interp.digits import concise, number, with_interval
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
    Row,
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
NEEDED = tuple(f"summary/model/{name}" for name in dict.fromkeys(c[0] for c in _COLUMNS))
_CASES = (
    ("model", "model", "model"),
    ("untrained", "untrained", "control"),
    ("random", "random", ""),
)


def page(results: xr.DataTree) -> Page:
    """What the results of EXP-005 say."""
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
            "to 10⁻¹²·‖H‖" if config["dtype"] == "float64" else "to the round-off of float32"
        ),
    )


def listing(results: xr.DataTree) -> Listing:
    """Means over problems with their intervals in the first split, a row a level."""
    space = str(results.coords["space"].values[0])
    cases = _cases(results)
    rows = []
    for level in _levels(results):
        here = cases[0][2].sel(level=level, space=space)
        cells = [str(level), f"{float(here['sigma']):.3f}"]
        cells += [_concise(here[name].sel(place=place)) for name, place, _ in _LISTED]
        for _, _, data in cases[1:2]:
            cells.append(
                _concise(data.sel(level=level, space=space, place=TYPICAL)["gradient_share"])
            )
        rows.append(cells)
    muted = [label for label, _, _ in cases[1:2]]
    return Listing(
        heads=("k", "σ", *(label for *_, label in _LISTED), *muted),
        rows=rows,
        caption=f"split {space} ({MEANINGS[space]}); means over\n"
        "problems; in parentheses, in the last digit's unit, the larger\n"
        "half of the 95 % bootstrap interval; ∇ share: normal gradient a\n"
        "dimension, 1 by chance; κ: σ times mean curvature",
        muted=muted,
    )


def _lead(results: xr.DataTree, model: str) -> Text:
    draws = {name: data.sizes["draw"] for name, data in _controls(results).items()}
    untrained = draws.get("untrained", 0)
    beside = f"{draws.get('random', 0)} random splits of the same dimensions"
    if untrained:
        beside += f" and {untrained} draw{_s(untrained)} of untrained weights"
    problems, levels = results.sizes["problem"], results.sizes["level"]
    space = str(results.coords["space"].values[0])
    return (
        "Does the landscape of ",
        Marked(model, "strong"),
        (
            " know which directions lead along its answers and which lead away? This run split "
            "gradient and curvature into tangent and normal parts (first of all: "
        ),
        Marked(MEANINGS[space], "em"),
        (
            f"), each divided by its dimension, at {problems} problem{_s(problems)} and {levels} "
            f"level{_s(levels)}, beside {beside}."
        ),
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
        (
            "Problems",
            f"{root.sizes['problem']}, difficulty “{config['difficulty']}”, seed {config['seed']}",
        ),
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
        for label, _, data in _cases(results):
            values = data[name].sel(place=place, space=space, statistic="mean").values
            parts.append(f"{number(float(values.mean()), 5)} ({label})")
        said.append(f"{what} is {', '.join(parts)}, mean over levels; chance gives {null}.")
    return said


def _table(results: xr.DataTree) -> Table:
    groups = []
    for space in results.coords["space"].values:
        for level in _levels(results):
            rows = [
                Row(
                    label,
                    [
                        _cell(data.sel(level=level, space=space, place=place)[name])
                        for name, place, *_ in _COLUMNS
                    ],
                    None,
                    "model" if key == "model" else "control" if key == "control" else "",
                )
                for label, key, data in _cases(results)
            ]
            groups.append(RowGroup((str(space), str(level)), rows))
    return Table(
        label="Tangent and normal, by split and level",
        group_heads=("split", ("level ", Marked("k", "i"))),
        row_head="case",
        columns=[Column(label, "", ideal) for *_, label, ideal in _COLUMNS],
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
    words: list[str | Marked] = ["Its root is the model’s alone;"]
    for name, what in (
        ("random", "the same numbers for each draw of random splits"),
        ("untrained", "the same variables for each draw of weights"),
    ):
        if name in _controls(results):
            words += [" ", Marked(f"controls/{name}", "code"), f" holds {what};"]
    return (
        *words,
        " ",
        Marked("summary/…", "code"),
        " holds means over problems with their 95\u00a0% bootstrap intervals.",
    )


def _controls(results: xr.DataTree) -> dict[str, xr.Dataset]:
    if "controls" not in results.children:
        return {}
    return {name: node.to_dataset() for name, node in results["controls"].children.items()}


def _cases(results: xr.DataTree) -> list[tuple[str, str, xr.Dataset]]:
    groups = results["summary"].children
    return [
        (label, key, groups[name].to_dataset()) for name, label, key in _CASES if name in groups
    ]


def _levels(results: xr.DataTree) -> list[int]:
    return sorted(int(level) for level in results.coords["level"].values)


def _cell(statistics: xr.DataArray) -> Cell:
    mean, low, high, count = (
        float(statistics.sel(statistic=s)) for s in ("mean", "low", "high", "count")
    )
    return Cell(*with_interval(mean, low, high)) if count else Cell("–")


def _concise(statistics: xr.DataArray) -> str:
    mean, low, high = (float(statistics.sel(statistic=name)) for name in ("mean", "low", "high"))
    return concise(mean, max(high - mean, mean - low))


def _range(values: Any) -> str:
    low, high = int(values.min()), int(values.max())
    return str(low) if low == high else f"{low} … {high}"


def _s(count: int) -> str:
    return "" if count == 1 else "s"
