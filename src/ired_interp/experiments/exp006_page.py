"""EXP-006's own words: what was asked, how many directions the scores have, and what they do."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import xarray as xr

from ired_interp.digits import number
from ired_interp.experiments import model_page
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
_SAID = (
    *(
        f"summary/…/{name}"
        for name in ("concentration", "beyond_edge", "shared_share", "own_share", "other_share")
    ),
    "summary/model/noise_concentration",
)
NEEDED = tuple(
    f"summary/model/{name}"
    for name in (*dict.fromkeys(c[0] for c in _COLUMNS), "shared_share", "noise_concentration")
)


def page(results: xr.DataTree) -> Page:
    """What the results of EXP-006 say."""
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
    """Means over problems with their intervals, a row a level."""

    def cells(level: int, cases: Sequence[xr.Dataset]) -> list[str]:
        here = [case.sel(level=level) for case in cases]
        of_model = [
            model_page.concise_cell(_at(here[0], name, place, end))
            for name, place, end, _ in _LISTED
        ]
        return of_model + [
            model_page.concise_cell(_at(one, "concentration", TYPICAL, "")) for one in here[1:]
        ]

    muted = [case.label for case in model_page.cases_of(results)[1:]]
    return Listing(
        heads=("k", "σ", *(label for *_, label in _LISTED), *muted),
        rows=model_page.listed_levels(results, cells),
        caption="means over problems; in parentheses, in the last digit's\n"
        "unit, the larger half of the 95 % bootstrap interval;\n"
        "typical, on the way, untrained (typical): concentration\n"
        "over noise, 1 by chance; own: share of the leading\n"
        "components in the problem's own subspace",
        muted=muted,
    )


def _lead(results: xr.DataTree, model: str) -> Text:
    problems, levels = (model_page.counted(results.sizes[one], one) for one in ("problem", "level"))
    draws, others = results.attrs["noise_draws"], model_page.beside_words(results)
    beside = "the noise itself" + (f" and {others}" if others else "")
    return (
        "How many directions do the gradients of ",
        Marked(model, "strong"),
        (
            f" have, whose are they, and what do they do? This run collected ∇E at {problems}, "
            f"{levels} and {draws} noise draws, at typical points and along the solver’s "
            f"trajectories, beside {beside}."
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
        model_page.problems_fact(results, config),
        ("Numerics", f"{config['dtype']} on {config['device']}, stored as {config['storage']}"),
    ]


def _in_words(results: xr.DataTree) -> list[Text]:
    cases = model_page.cases_of(results)
    chance = float(cases[0].data["noise_concentration"].sel(statistic="mean"))

    def means(name: str, place: str, end: str = "") -> str:
        return ", ".join(
            f"{number(float(_at(case.data, name, place, end).sel(statistic='mean').mean()), 3)} "
            f"({case.label})"
            for case in cases
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
        f"The concentration of the noise itself is {number(chance, 3)}.",
        f"Share of the leading components in the own subspace: {own}; in others’: {others}.",
    ]


def _table(results: xr.DataTree) -> Table:
    groups = []
    for level in model_page.levels_of(results):
        here = functools.partial(_cells, level=level)
        groups.append(RowGroup((str(level),), model_page.rows_of(results, here)))
    return Table(
        label="Scores by level",
        group_heads=(("level ", Marked("k", "i")),),
        row_head="case",
        columns=[
            Column(label, "", ideal, f"summary/…/{name}") for name, *_, label, ideal in _COLUMNS
        ],
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
    groups = model_page.networks_layout(results, "the same numbers, without the scores,")
    return model_page.described_layout(
        (
            "Its root is the model’s alone, with the scores themselves in ",
            Marked("score", "code"),
            ";",
        ),
        groups,
        "means over problems with 95\u00a0% intervals, and the spectrum over problems.",
    )


def _at(data: xr.Dataset, name: str, place: str, end: str) -> xr.DataArray:
    values = data[name].sel(place=place)
    return values.sel(end=end) if end else values


def _cells(data: xr.Dataset, level: int) -> list[Cell]:
    here = data.sel(level=level)
    return [model_page.cell(_at(here, name, place, end)) for name, place, end, *_ in _COLUMNS]
