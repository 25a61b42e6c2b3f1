"""EXP-011's own words: what was changed, and what each change does to the answer."""

from collections.abc import Mapping, Sequence
from typing import Any

import xarray as xr

from ired_interp.anatomy import ARMS, RELEASED
from ired_interp.digits import number
from ired_interp.experiments import model_page
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
    ("error", "error"),
    ("change", "change"),
    ("energy", "energy"),
    ("to_minimum", "to the minimum"),
    ("num_minima", "minima"),
    ("cost", "gradients"),
)
_LISTED = (
    ("error", "error"),
    ("change", "change"),
    ("to_minimum", "to min."),
    ("num_minima", "minima"),
    ("cost", "grads"),
)
_SAID = tuple(f"summary/model/{name}" for name in ("error", "cost", "change", "num_minima"))
NEEDED = tuple(f"summary/model/{name}" for name, _ in _COLUMNS)


def page(results: xr.DataTree) -> Page:
    """What the results of EXP-011 say."""
    told = model_page.told_of(results)
    return Page(
        lead=_lead(results, told.subject),
        facts=_facts(results, told.config),
        findings=(Points(_in_words(results), _SAID), _table(results)),
        sections=(_meaning(results),),
        subject=told.subject,
        drawn_of=told.drawn_of,
        layout=model_page.described_layout(
            "Its root is the model’s alone;",
            [("controls/untrained", "the same for each draw of weights;")]
            if model_page.num_draws(results, "untrained")
            else [],
            "means over problems with their 95\u00a0% bootstrap intervals.",
        ),
        agreement=told.agreement("to 10⁻⁹ of the answers"),
    )


def listing(results: xr.DataTree) -> Listing:
    """Means over problems with their intervals, a row a way to the answer."""
    cases = model_page.cases_of(results)
    model = cases[0].data

    def cells(arm: str) -> list[str]:
        here = model.sel(arm=arm)
        of_model = [_cell(here[name]) for name, _ in _LISTED]
        return of_model + [_cell(one.data["error"].sel(arm=arm)) for one in cases[1:]]

    muted = ["untr."] if len(cases) > 1 else []
    return Listing(
        heads=("way", *(label for _, label in _LISTED), *muted),
        rows=[[arm, *cells(arm)] for arm in _names(results)],
        caption="means over problems; in parentheses, in the last digit's unit, the larger half\n"
        "of the 95 % bootstrap interval; change: distance from the released rule's answer\n"
        "over its error; to min.: distance to the minimum behind the answer; minima: how\n"
        "many the starts of a problem lead to; grads: gradients, a Hessian is 2·d of them;\n"
        "untr.: error with untrained weights",
        left=("way",),
        muted=muted,
    )


def _names(results: xr.DataTree) -> list[str]:
    return [str(name) for name in results.coords["arm"].values]


def _cell(statistics: xr.DataArray) -> str:
    """As `model_page.concise_cell`; the mean alone where the interval has no width."""
    count = float(statistics.sel(statistic="count"))
    return model_page.concise_cell(statistics) if count else "–"


def _lead(results: xr.DataTree, model: str) -> Text:
    problems = model_page.counted(results.sizes["problem"], "problem")
    draws = model_page.num_draws(results, "untrained")
    beside = f", beside {model_page.counted(draws, 'draw')} of untrained weights" if draws else ""
    return (
        "Which parts of annealed inference does the answer of ",
        Marked(model, "strong"),
        (
            f" depend on? This run answered {problems} in {len(_names(results))} ways, each from "
            f"the same starts{beside}."
        ),
    )


def _facts(results: xr.DataTree, config: Mapping[str, Any]) -> list[tuple[str, Text]]:
    levels = model_page.levels_of(results)
    return [
        model_page.problems_fact(results, config),
        ("Starts", f"{config['starts']} a problem, the same for all ways"),
        ("Levels", ", ".join(str(level) for level in levels)),
        ("Clamp", f"±{config['bound']:g}"),
        ("Numerics", f"{config['dtype']} on {config['device']}"),
    ]


def _in_words(results: xr.DataTree) -> list[Text]:
    model = model_page.cases_of(results)[0].data
    error, cost = (model[name].sel(statistic="mean") for name in ("error", "cost"))
    own = float(error.sel(arm=RELEASED))
    said: list[Text] = [
        (
            f"The released rule has an error of {number(own, 3)} an entry, for "
            f"{number(float(cost.sel(arm=RELEASED)), 3)} gradients a problem."
        )
    ]
    change = model["change"].sel(statistic="mean")
    for name, what in (
        ("no-steps", "Without inner steps"),
        ("twenty-steps", "With 20 steps a level"),
        ("no-jump", "Without jumps"),
        ("last-level", "At the last level alone"),
        ("jumps-newton", "With Newton steps after the jumps"),
    ):
        said.append(
            f"{what} the error is {number(float(error.sel(arm=name)), 3)}, for "
            f"{number(float(cost.sel(arm=name)), 3)} gradients; the answers differ from the "
            f"released rule’s by {number(float(change.sel(arm=name)), 2)} of its error."
        )
    minima = float(model["num_minima"].sel(arm=RELEASED, statistic="mean"))
    said.append(f"The starts of a problem lead to {number(minima, 3)} minima on average.")
    return said


def _table(results: xr.DataTree) -> Table:
    cases = model_page.cases_of(results)

    def cells(data: xr.Dataset, arm: str) -> list[Cell]:
        return [model_page.cell(data[name].sel(arm=arm)) for name, _ in _COLUMNS]

    return Table(
        label="What each way answers, and what it takes",
        group_heads=("way",),
        row_head="case",
        columns=[Column(label, variable=f"summary/…/{name}") for name, label in _COLUMNS],
        groups=[
            RowGroup((arm,), [Row(c.label, cells(c.data, arm), None, c.key) for c in cases])
            for arm in _names(results)
        ],
        note="Means over problems [95\u00a0% bootstrap interval]. Change: distance of the answer "
        "from that of the released rule from the same start, over the latter’s error. Minima: how "
        "many the starts of a problem lead to; of untrained weights they are looked for behind the "
        "released rule’s answers alone. Gradients: a Hessian counts as 2·d.",
    )


def _meaning(results: xr.DataTree) -> Section:
    meanings = {arm.name: arm.meaning for arm in ARMS}
    known: Sequence[tuple[str, Text]] = [
        (name, meanings[name]) for name in _names(results) if name in meanings
    ]
    return Section(
        "ways",
        "The ways to an answer",
        (
            Definitions(known),
            Paragraph(
                "A way that ends at the same minimum has the same error, whatever it costs: then "
                "the minimum decides, and not the search. A change of the answer that is small "
                "beside its error says that a part of inference does nothing that matters."
            ),
            Paragraph(
                "On the ideal landscape of a determined answer one jump at any level is exact, and "
                "everything else is superfluous.",
                "note",
            ),
        ),
    )
