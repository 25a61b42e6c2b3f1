"""EXP-001's own words: what was asked, what came out, and what σλ means."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import xarray as xr

from ired_interp.experiments import model_page
from ired_interp.experiments.exp001_findings import SAID, findings_table, in_words
from ired_interp.experiments.page import (
    Definitions,
    Marked,
    Page,
    Paragraph,
    Points,
    Section,
    Text,
)

__all__ = ["page"]

_POINTS = {
    "typical": "s_t·y* + σ_t·ε, on the shell around the scaled answer where the level was trained "
    "and where the ideal holds; a problem has one ε for all of its levels",
    "scaled_solution": "s_t·y*, the scaled answer, which is the ideal landscape's minimum",
    "solution": "y*, the answer itself, meaningful at the last levels only",
    "trajectory": "where the solver was at the end of that level",
    "minimum": "the local minimum that a Newton descent reaches from the solver's trajectory",
}
# Where the model and its control are looked at in the same place.
_SHARED = ("typical", "scaled_solution", "solution")
_PREFIX = 12


def page(results: xr.DataTree) -> Page:
    """What the results of EXP-001 say."""
    told = model_page.told_of(results)
    config, model = told.config, told.subject
    levels = _level_words(config["levels"])
    problems = results.sizes["problem"]
    return Page(
        lead=_lead(results, config, model, levels),
        facts=_facts(results, config),
        findings=(
            Points(in_words(results), SAID),
            findings_table(results),
            Paragraph(
                "These are measurements; the verdicts stand above. A number that the untrained "
                "control shares was not learned.",
                "note",
            ),
        ),
        sections=(_meaning(str(results["point"].item())),),
        subject=model,
        drawn_of=f"{model}, {problems} problems, {levels}",
        first_figure="Spectra",
        layout=_layout(results),
        agreement=told.agreement("to 10⁻¹²·‖H‖"),
    )


def _lead(results: xr.DataTree, config: Mapping[str, Any], model: str, levels: str) -> Text:
    point, beside = str(results["point"].item()), model_page.beside_words(results)
    problems = model_page.counted(results.sizes["problem"], "problem")
    task = "" if config["task"] is None else f"task {config['task']}, "
    control = f", beside {beside} as a control" if beside else ", without a control"
    return (
        "How curved is the energy landscape of the model ",
        Marked(model, "strong"),
        f" ({task}SHA\u2011256 ",
        Marked(f"{results.attrs['model_sha256'][:_PREFIX]}…", "code"),
        (
            f") around the answer? This run measured {_asked_words(results, config)} of the "
            "energy’s Hessian in the answer "
        ),
        Marked("y", "i"),
        ", at one ",
        Marked(point, "em"),
        f" point for each of {problems} and {levels}{control}.",
    )


def _facts(results: xr.DataTree, config: Mapping[str, Any]) -> list[tuple[str, Text]]:
    point, sizes = str(results["point"].item()), results.sizes
    certified = "certified radius" if "radii" in results.data_vars else "residual"
    return [
        ("Point", (Marked(point, "em"), f": {_POINTS[point]}")),
        model_page.problems_fact(results, config),
        (
            "Sizes",
            (
                Marked("x", "i"),
                f" has {sizes['x_dim']} entries, ",
                Marked("y", "i"),
                " has ",
                Marked("d", "i"),
                f" = {sizes['y_dim']}",
            ),
        ),
        (
            "Numerics",
            f"{config['dtype']} on {config['device']}, every eigenvalue with its {certified}",
        ),
    ]


def _meaning(point: str) -> Section:
    elsewhere = (
        ""
        if point == "typical"
        else " The ideal is stated for typical points; elsewhere it holds only where the answer is "
        "determined."
    )
    return Section(
        "meaning",
        "What σλ means",
        (
            Paragraph(
                "Training asks that ∇_yE equal the expected noise, E[ε\u00a0|\u00a0y,\u00a0x]. The "
                "landscape that fulfils it is E\u00a0=\u00a0−σ_t·log\u00a0p_t(y\u00a0|\u00a0x) up "
                "to a constant, and its Hessian H obeys"
            ),
            Paragraph(
                (
                    Marked(
                        "σ_t·H = I − (s_t²/σ_t²)·Cov[y*\u00a0|\u00a0y,\u00a0x],",
                        "whole",
                    ),
                    " ",
                    Marked("s_t = √ᾱ_t.", "whole"),
                ),
                "formula",
            ),
            Paragraph(
                (
                    (
                        "So every eigenvalue λ of the ideal H has σ_tλ ≤ 1, at every level on the "
                        "same scale. Where "
                    ),
                    Marked("x", "i"),
                    (
                        " determines the answer there is nothing left to be uncertain about, and "
                        "the ideal is σ_tλ\u00a0=\u00a01 in every direction: "
                    ),
                    Marked("λ = 1/σ_t.", "whole"),
                )
            ),
            Definitions(
                (
                    (
                        "between 0 and 1",
                        "the model is uncertain in that direction, the more the smaller",
                    ),
                    (
                        "below 0",
                        (
                            "the landscape bends the wrong way: several answers seem possible, or "
                            "the model errs; the task’s own ideal tells which"
                        ),
                    ),
                    ("above 1", "no posterior can do that: always model error"),
                )
            ),
            Paragraph(
                (
                    (
                        "The choice of the point can flip the sign of the curvature. This run "
                        "looked at "
                    ),
                    Marked(point, "em"),
                    f" points: {_POINTS[point]}.{elsewhere}",
                )
            ),
        ),
    )


def _layout(results: xr.DataTree) -> Text:
    point = str(results["point"].item())
    where = "the same" if point in _SHARED else "its own"
    what = f"the same variables, on the same problems at {where} points,"
    groups = model_page.networks_layout(results, what)
    return (
        *model_page.described_layout(
            "Its root is the model’s alone;",
            groups,
            "means over problems with their 95\u00a0% bootstrap intervals (bias-corrected and "
            "accelerated), the quantiles that the figures show, and the largest and median "
            "residuals. All curvature is with respect to ",
        ),
        Marked("y", "i"),
        ", at fixed weights and ",
        Marked("x", "i"),
        ".",
    )


def _level_words(levels: Sequence[int]) -> str:
    """``10 levels (k = 1 … 10)``, or each of them if they are not consecutive."""
    ordered = sorted(levels)
    if len(ordered) == 1:
        return f"1 level (k\u00a0=\u00a0{ordered[0]})"
    named = ", ".join(map(str, ordered))
    if ordered[-1] - ordered[0] > 1 and {b - a for a, b in pairwise(ordered)} == {1}:
        named = f"{ordered[0]}\u00a0…\u00a0{ordered[-1]}"
    return f"{len(ordered)} levels (k\u00a0=\u00a0{named})"


def _asked_words(results: xr.DataTree, config: Mapping[str, Any]) -> str:
    """Which eigenvalues were computed: ``all 16 eigenvalues``, or those of the ends."""
    d = results.sizes["y_dim"]
    top, bottom = config.get("top"), config.get("bottom", 0)
    if top is None:
        return f"all {d} eigenvalues"
    said = [f"the {top} largest by |λ|"] * (top > 0) + [f"the {bottom} lowest"] * (bottom > 0)
    return f"{' and '.join(said)} of the {d} eigenvalues"
