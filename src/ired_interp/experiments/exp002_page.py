"""EXP-002's own words: what was asked, what came out, and what a slice cannot tell."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import xarray as xr

from ired_interp.digits import number
from ired_interp.experiments import model_page
from ired_interp.experiments.exp002_variables import SLICES
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

_COLUMNS = (
    ("num_minima", "minima", "", "1"),
    ("same_minimum", "pairs that end together", "", "1"),
    ("minimum_offset", "offset of the minimum", "σ√d", "0"),
    ("convexity", "convexity", "", "1"),
    ("chord_height", "barrier on chords", "energy", "0"),
    ("straight_height", "straight barrier", "energy", "–"),
    ("band_height", "band’s barrier", "energy", "–"),
)
_LISTED = (
    ("num_minima", "minima"),
    ("same_minimum", "together"),
    ("minimum_offset", "offset"),
    ("convexity", "convexity"),
)
_KEPT = ("path_kept", "walk_kept", "path_kept_random")
NEEDED = tuple(
    f"summary/model/{name}" for name in (*(c[0] for c in _COLUMNS), *_KEPT, "path_flatness")
)


def page(results: xr.DataTree) -> Page:
    """What the results of EXP-002 say."""
    told = model_page.told_of(results)
    return Page(
        lead=_lead(results, told),
        facts=_facts(results, told.config),
        findings=(Points(_in_words(results, told.config), _said(results)), _table(results)),
        sections=(_meaning(told.config),),
        subject=told.subject,
        drawn_of=told.drawn_of,
        layout=_layout(results),
        agreement=told.agreement("to 10⁻¹²·‖H‖"),
    )


def listing(results: xr.DataTree) -> Listing:
    """Means over problems with their intervals, a row a level, from ``summary/…``."""

    def cells(level: int, cases: Sequence[xr.Dataset]) -> list[str]:
        here = [case.sel(level=level) for case in cases]
        of_model = [model_page.concise_cell(here[0][name]) for name, _ in _LISTED]
        return of_model + [model_page.concise_cell(case["same_minimum"]) for case in here[1:]]

    muted = [case.label for case in model_page.cases_of(results)[1:]]
    return Listing(
        heads=("k", "σ", *(label for _, label in _LISTED), *muted),
        rows=model_page.listed_levels(results, cells),
        caption="means over problems; in parentheses, in the last digit's unit, the\n"
        "larger half of the 95 % bootstrap interval; untrained: pairs that end together",
        muted=muted,
    )


def _lead(results: xr.DataTree, told: model_page.Told) -> Text:
    config, beside = told.config, model_page.beside_words(results)
    control = f", beside {beside} as a control" if beside else ", without a control"
    problems, levels = (model_page.counted(results.sizes[one], one) for one in ("problem", "level"))
    return (
        "What does the energy landscape of ",
        Marked(told.subject, "strong"),
        " look like, how many minima has it, and how does the solver go through it? This run cut ",
        f"{model_page.counted(config['slices'], 'problem')} along named planes through one ",
        Marked(config["point"], "em"),
        (
            f" point a level, descended from {config['starts']} starts a level on each of "
            f"{problems} and {levels}, and held the solver’s path against random walks{control}."
        ),
    )


def _facts(results: xr.DataTree, config: Mapping[str, Any]) -> list[tuple[str, Text]]:
    return [
        (
            "Slices",
            (
                f"{config['grid']} × {config['grid']} points, ±{config['reach']:g} σ_t, kept in "
                "float32; rank moves at rank "
                f"{config['rank']}"
            ),
        ),
        (
            "Starts",
            (
                f"{config['starts']} a level, entries normal with deviation {config['spread']:g} "
                f"around 0; two ends within {config['same']:g}·max(1, ‖y‖) are one minimum"
            ),
        ),
        ("Chords", f"{config['chords']} between typical points, {config['images']} images each"),
        model_page.problems_fact(results, config),
    ]


def _in_words(results: xr.DataTree, config: Mapping[str, Any]) -> list[Text]:
    root = results.to_dataset()
    total = root["num_minima"].size
    single, several = int((root["num_minima"] == 1).sum()), int((root["num_minima"] > 1).sum())
    said: list[Text] = [
        f"A single mode at {single} of {total} problems and levels"
        + (
            f", several minima at {several}, and none at {total - single - several} where no "
            "descent converged."
            if single < total
            else f": all {config['starts']} descents that converged ended at one minimum, so that "
            "there is no barrier between minima to measure."
        ),
    ]
    if model_page.num_draws(results, "untrained"):
        control = results["controls/untrained"].to_dataset()["num_minima"]
        said.append(
            f"With untrained weights several at {int((control > 1).sum())} of {control.size}, up "
            f"to {int(control.max())}."
        )
    kept = results["summary/model"].to_dataset()
    shares = [number(float(kept[name].sel(statistic="mean")), 3) for name in _KEPT]
    said.append(
        f"The plane of its own principal components keeps {shares[0]} of the solver’s path; of "
        f"random walks with the same step lengths theirs keep {shares[1]}; a random plane keeps "
        f"{shares[2]} of the path."
    )
    return said


def _said(results: xr.DataTree) -> list[str]:
    """Variables of the sentences."""
    draws = model_page.num_draws(results, "untrained")
    control = ["controls/untrained/num_minima"] if draws else []
    return ["num_minima", *control, *(f"summary/model/{name}" for name in _KEPT)]


def _table(results: xr.DataTree) -> Table:
    groups = []
    for level in model_page.levels_of(results):
        here = functools.partial(_cells, level=level)
        sigma = float(results["sigma"].sel(level=level))
        groups.append(RowGroup((str(level), f"{sigma:.3f}"), model_page.rows_of(results, here)))
    return Table(
        label="Minima, chords and barriers by level",
        group_heads=(("level ", Marked("k", "i")), "σ_t"),
        row_head="weights",
        columns=[
            Column(label, unit, ideal, f"summary/…/{name}") for name, label, unit, ideal in _COLUMNS
        ],
        groups=groups,
        reference="ideal, where the answer is determined",
        note="Means over problems [95\u00a0% bootstrap interval]. Barriers between minima are "
        "means over the problems that have several; n counts them.",
    )


def _meaning(config: Mapping[str, Any]) -> Section:
    return Section(
        "meaning",
        "How to read this",
        (
            Paragraph(
                "A slice shows (E − E at the point)/σ_t over two orthonormal directions, in units "
                "of σ_t. In the ideal landscape of a determined answer every slice is the same: "
                "(u² + v²)/2 around s_t·y*, with circular contours. What bends away from that is "
                "what to look at."
            ),
            Definitions(
                (
                    (
                        "single mode",
                        (
                            f"all of {config['starts']} descents ended at one minimum: a statement "
                            "about these starts, not about all of the landscape"
                        ),
                    ),
                    ("barrier", "max E − max(E₀, E₁) along the path; sampled, so a lower bound"),
                    (
                        "convexity",
                        "ΣD/Σ|D| of the jumps of the slope along a line: 1 convex, −1 concave",
                    ),
                    (
                        "pairs that end together",
                        "1 for a single minimum; its inverse is the effective number of minima",
                    ),
                )
            ),
            Paragraph(
                "Two of many dimensions: a plane hides whatever lies across it. Planes through "
                "eigenvectors are arbitrary where eigenvalues are degenerate, and a path looks "
                "planar in the plane of its own components, which is why random walks stand "
                "beside it.",
                "note",
            ),
        ),
    )


def _layout(results: xr.DataTree) -> Text:
    groups = model_page.networks_layout(results, "the same variables, on the same problems,")
    if SLICES in results.children:
        what = "one sliced problem each, with grids, gradients, path and directions;"
        groups.append((f"{SLICES}/…", what))
    return model_page.described_layout(
        "Its root is the model’s alone;",
        groups,
        "means over problems with their 95\u00a0% bootstrap intervals.",
    )


def _cells(data: xr.Dataset, level: int) -> list[Cell]:
    here = data.sel(level=level)
    return [
        replace(model_page.cell(here[name]), note=_pairs(here[name]) if name in _OF_PAIRS else "")
        for name, *_ in _COLUMNS
    ]


_OF_PAIRS: Sequence[str] = ("straight_height", "band_height")


def _pairs(statistics: xr.DataArray) -> str:
    count = int(statistics.sel(statistic="count"))
    return f"n = {count}" if count else ""
