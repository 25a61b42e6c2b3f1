"""EXP-002's own words: what was asked, what came out, and what a slice cannot tell."""

import json
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

import xarray as xr

from ired_interp.digits import concise, number, with_interval
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
    Row,
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
NEEDED = tuple(
    f"summary/model/{name}" for name in (*(c[0] for c in _COLUMNS), "path_kept", "path_flatness")
)


def page(results: xr.DataTree) -> Page:
    """What the results of EXP-002 say."""
    config: dict[str, Any] = json.loads(results.attrs["config"])
    model = "/".join(PurePath(config["model"]).parts[-2:])
    problems, levels = results.sizes["problem"], results.sizes["level"]
    return Page(
        lead=_lead(results, config, model),
        facts=_facts(results, config),
        findings=(Points(_in_words(results, config)), _table(results)),
        sections=(_meaning(config),),
        subject=model,
        drawn_of=f"{model}, {problems} problem{_s(problems)}, {levels} level{_s(levels)}",
        layout=_layout(results),
        agreement=(
            "to 10⁻¹²·‖H‖" if config["dtype"] == "float64" else "to the round-off of float32"
        ),
    )


def listing(results: xr.DataTree) -> Listing:
    """Means over problems with their intervals, a row a level, from ``summary/…``."""
    cases = _cases(results)
    rows = []
    for level in _levels(results):
        here = cases[0][2].sel(level=level)
        cells = [str(level), f"{float(here['sigma']):.3f}"]
        cells += [_concise(here[name]) for name, _ in _LISTED]
        cells += [_concise(summary.sel(level=level)["same_minimum"]) for _, _, summary in cases[1:]]
        rows.append(cells)
    muted = [label for _, label, _ in cases[1:]]
    return Listing(
        heads=("k", "σ", *(label for _, label in _LISTED), *muted),
        rows=rows,
        caption="means over problems; in parentheses, in the last digit's unit, the\n"
        "larger half of the 95 % bootstrap interval; untrained: pairs that end together",
        muted=muted,
    )


def _lead(results: xr.DataTree, config: Mapping[str, Any], model: str) -> Text:
    draws = _draws(results)
    control = (
        f", beside {draws} draw{_s(draws)} of untrained weights as a control"
        if draws
        else ", without a control"
    )
    problems, levels = results.sizes["problem"], results.sizes["level"]
    return (
        "What does the energy landscape of ",
        Marked(model, "strong"),
        " look like, how many minima has it, and how does the solver go through it? This run cut ",
        f"{config['slices']} problem{_s(config['slices'])} along named planes through one ",
        Marked(config["point"], "em"),
        (
            f" point a level, descended from {config['starts']} starts a level on each of "
            f"{problems} problem{_s(problems)} and {levels} level{_s(levels)}, and held the "
            f"solver’s path against random walks{control}."
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
        (
            "Problems",
            (
                f"{results.sizes['problem']}, difficulty “{config['difficulty']}”, seed "
                f"{config['seed']}"
            ),
        ),
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
    if _draws(results):
        control = results["controls/untrained"].to_dataset()["num_minima"]
        said.append(
            f"With untrained weights several at {int((control > 1).sum())} of {control.size}, up "
            f"to {int(control.max())}."
        )
    kept = results["summary/model"].to_dataset()
    shares = [number(float(kept[name].sel(statistic="mean")), 5) for name in _KEPT]
    said.append(
        f"The plane of its own principal components keeps {shares[0]} of the solver’s path; of "
        f"random walks with the same step lengths theirs keep {shares[1]}; a random plane keeps "
        f"{shares[2]} of the path."
    )
    return said


_KEPT = ("path_kept", "walk_kept", "path_kept_random")


def _table(results: xr.DataTree) -> Table:
    cases = _cases(results)
    groups = []
    for level in _levels(results):
        rows = [
            Row(label, [_cell(data.sel(level=level)[name]) for name, *_ in _COLUMNS], None, key)
            for key, label, data in cases
        ]
        sigma = float(results["sigma"].sel(level=level))
        groups.append(RowGroup((str(level), f"{sigma:.3f}"), rows))
    return Table(
        label="Minima, chords and barriers by level",
        group_heads=(("level ", Marked("k", "i")), "σ_t"),
        row_head="weights",
        columns=[Column(label, unit, ideal) for _, label, unit, ideal in _COLUMNS],
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
    controls: Text = ()
    if _draws(results):
        controls = (
            " ",
            Marked("controls/untrained", "code"),
            " holds the same variables for each draw of weights, on the same problems;",
        )
    slices: Text = ()
    if SLICES in results.children:
        slices = (
            " ",
            Marked(f"{SLICES}/…", "code"),
            " one sliced problem each, with grids, gradients, path and directions;",
        )
    return (
        "Its root is the model’s alone;",
        *controls,
        *slices,
        " ",
        Marked("summary/…", "code"),
        " holds means over problems with their 95\u00a0% bootstrap intervals.",
    )


def _levels(results: xr.DataTree) -> list[int]:
    return sorted(int(level) for level in results.coords["level"].values)


def _cases(results: xr.DataTree) -> list[tuple[Any, str, xr.Dataset]]:
    groups = results["summary"].children
    cases = [("model", "model", groups["model"].to_dataset())]
    if "untrained" in groups:
        cases.append(("control", "untrained", groups["untrained"].to_dataset()))
    return cases


def _draws(results: xr.DataTree) -> int:
    controls = results.children["controls"].children if "controls" in results.children else {}
    return controls["untrained"].sizes["draw"] if "untrained" in controls else 0


def _cell(statistics: xr.DataArray) -> Cell:
    mean, low, high, count = (
        float(statistics.sel(statistic=s)) for s in ("mean", "low", "high", "count")
    )
    note = "" if statistics.name not in _OF_PAIRS or not count else f"n = {int(count)}"
    return Cell(*with_interval(mean, low, high), note)


_OF_PAIRS: Sequence[str] = ("straight_height", "band_height")


def _concise(statistics: xr.DataArray) -> str:
    mean, low, high = (float(statistics.sel(statistic=name)) for name in ("mean", "low", "high"))
    return concise(mean, max(high - mean, mean - low))


def _s(count: int) -> str:
    return "" if count == 1 else "s"
