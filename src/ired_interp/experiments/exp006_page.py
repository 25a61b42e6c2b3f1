"""EXP-006's own words: what was asked, how many directions the scores have, and what they do."""

import json
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import xarray as xr

from ired_interp.digits import concise, number, with_interval
from ired_interp.experiments.exp006_subspaces import own_subspace_words
from ired_interp.experiments.exp006_variables import BOTTOM, TOP, TRAJECTORY, TYPICAL
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

# Variable, place, end, head, ideal of a determined task.
_COLUMNS: tuple[tuple[str, str, str, str, str], ...] = (
    ("score_rms", TYPICAL, "", "rms ∇E, typical", "1"),
    ("concentration", TYPICAL, "", "concentration, typical", "1"),
    ("beyond_edge", TYPICAL, "", "beyond the edge", "0"),
    ("concentration", TRAJECTORY, "", "concentration, trajectory", "–"),
    ("effective_draws", TRAJECTORY, "", "effective draws, trajectory", "–"),
    ("own_share", TYPICAL, TOP, "in own subspace", "–"),
    ("other_share", TYPICAL, TOP, "in others’", "–"),
    ("energy_along", TYPICAL, TOP, "energy along", "1"),
    ("error_along", TYPICAL, TOP, "error along", "0"),
)
_LISTED = (
    ("score_rms", TYPICAL, "", "rms ∇E"),
    ("concentration", TYPICAL, "", "typical"),
    ("concentration", TRAJECTORY, "", "on the way"),
    ("own_share", TYPICAL, TOP, "own"),
)
NEEDED = tuple(f"summary/model/{name}" for name in dict.fromkeys(c[0] for c in _COLUMNS))
_CASES = (("model", "model", "model"), ("untrained", "untrained", "control"))


def page(results: xr.DataTree) -> Page:
    """What the results of EXP-006 say."""
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
    """Means over problems with their intervals, a row a level."""
    cases = _cases(results)
    rows = []
    for level in _levels(results):
        here = cases[0][2].sel(level=level)
        cells = [str(level), f"{float(here['sigma']):.3f}"]
        cells += [_concise(_at(here, name, place, end)) for name, place, end, _ in _LISTED]
        for _, _, data in cases[1:]:
            cells.append(_concise(_at(data.sel(level=level), "concentration", TYPICAL, "")))
        rows.append(cells)
    muted = [label for label, _, _ in cases[1:]]
    return Listing(
        heads=("k", "σ", *(label for *_, label in _LISTED), *muted),
        rows=rows,
        caption="means over problems; in parentheses, in the last digit's\n"
        "unit, the larger half of the 95 % bootstrap interval;\n"
        "typical, on the way, untrained (typical): concentration\n"
        "over noise, 1 by chance; own: share of the leading\n"
        "components in the problem's own subspace",
        muted=muted,
    )


def _lead(results: xr.DataTree, model: str) -> Text:
    problems, levels = results.sizes["problem"], results.sizes["level"]
    draws = results.attrs["noise_draws"]
    beside = "the noise itself"
    for name, data in _controls(results).items():
        num = data.sizes["draw"]
        beside += f" and {num} draw{_s(num)} of {name} weights"
    return (
        "How many directions do the gradients of ",
        Marked(model, "strong"),
        (
            f" have, whose are they, and what do they do? This run collected ∇E at {problems} "
            f"problem{_s(problems)}, {levels} level{_s(levels)} and {draws} noise draws, at "
            f"typical points and along the solver’s trajectories, beside {beside}."
        ),
    )


def _facts(results: xr.DataTree, config: Mapping[str, Any]) -> list[tuple[str, Text]]:
    d, k = results.sizes["y_dim"], config["components"]
    task = str(results.attrs["task"])
    own = " and ".join(dict.fromkeys(own_subspace_words(task, end) for end in (TOP, BOTTOM)))
    return [
        ("Spectra", f"{config['noise']} rows of {d} entries a problem, level and place"),
        ("Components", f"the first and the last {k}"),
        ("Own subspace", own),
        (
            "Problems",
            f"{results.sizes['problem']}, “{config['difficulty']}”, seed {config['seed']}",
        ),
        ("Numerics", f"{config['dtype']} on {config['device']}, stored as {config['storage']}"),
    ]


def _in_words(results: xr.DataTree) -> list[Text]:
    cases = _cases(results)
    model = cases[0][2]
    chance = float(model["noise_concentration"].sel(statistic="mean"))

    def means(name: str, place: str, end: str = "") -> str:
        return ", ".join(
            f"{number(float(_at(data, name, place, end).sel(statistic='mean').mean()), 5)} "
            f"({label})"
            for label, _, data in cases
        )

    own, others = (means(name, TYPICAL, TOP) for name in ("own_share", "other_share"))
    said = (
        (
            "Concentration of the scores over noise at typical points:",
            "concentration",
            TYPICAL,
        ),
        ("Along the trajectory:", "concentration", TRAJECTORY),
        ("Components beyond the edge, typical:", "beyond_edge", TYPICAL),
        ("Held-out share of other problems’ components, over chance:", "shared_share", TYPICAL),
    )
    return [
        *(f"{words} {means(name, place)}, mean over levels." for words, name, place in said),
        f"The concentration of the noise itself is {number(chance, 5)}.",
        f"Share of the leading components in the own subspace: {own}; in others’: {others}.",
    ]


def _table(results: xr.DataTree) -> Table:
    groups = []
    for level in _levels(results):
        rows = [
            Row(
                label,
                [
                    _cell(_at(data.sel(level=level), name, place, end))
                    for name, place, end, *_ in _COLUMNS
                ],
                None,
                "model" if key == "model" else "control",
            )
            for label, key, data in _cases(results)
        ]
        groups.append(RowGroup((str(level),), rows))
    return Table(
        label="Scores by level",
        group_heads=(("level ", Marked("k", "i")),),
        row_head="case",
        columns=[Column(label, "", ideal) for *_, label, ideal in _COLUMNS],
        groups=groups,
        reference="ideal, where the answer is determined",
        note="Means over problems [95\u00a0% bootstrap interval]. The last four columns are of "
        "the leading components.",
    )


def _meaning(results: xr.DataTree) -> Section:
    task = str(results.attrs["task"])
    return Section(
        "meaning",
        "What a spectrum of scores means",
        (
            Definitions(
                [
                    ("over noise", "one problem, many noise draws: how E bends there"),
                    ("over problems", "the mean scores of all problems: what they share"),
                    ("own subspace, leading", own_subspace_words(task, TOP)),
                    ("own subspace, last", own_subspace_words(task, BOTTOM)),
                ]
            ),
            Paragraph(
                "At the optimum of training ∇E is the noise that is to be expected, E[ε | y, x]. "
                "Where the answer is determined that is the noise itself: over noise draws the "
                "scores are isotropic and have no components worth a name. A spectrum says "
                "something only where it differs from that of as many noise draws."
            ),
            Paragraph(
                "Where a point’s own noise is passed on by a bent landscape, ∇E ≈ ∇E(s_t·y*) + "
                "σ_t·Hε, the components over noise are eigenvectors of H: the steep ones lead. "
                "What posterior the answer has stands in the last components, not in the first.",
                "note",
            ),
        ),
    )


def _layout(results: xr.DataTree) -> Text:
    words: list[str | Marked] = [
        "Its root is the model’s alone, with the scores themselves in ",
        Marked("score", "code"),
        ";",
    ]
    if "untrained" in _controls(results):
        words += [
            " ",
            Marked("controls/untrained", "code"),
            " holds the same numbers for each draw of weights, without the scores;",
        ]
    return (
        *words,
        " ",
        Marked("summary/…", "code"),
        " holds means over problems with 95\u00a0% intervals, and the spectrum over problems.",
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


def _at(data: xr.Dataset, name: str, place: str, end: str) -> xr.DataArray:
    values = data[name].sel(place=place)
    return values.sel(end=end) if end else values


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
