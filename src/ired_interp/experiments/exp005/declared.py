"""What EXP-005 declares: its variables, its claims, and what of them is shown.

All claims but the last are about the first split of a task: matrices of fixed rank at UVᵀ for
completion, symmetric matrices for inverse. Levels are averaged within a problem first, as they are
no replicates.
"""

from collections.abc import Mapping
from typing import Any, Final

import xarray as xr

from ired_interp.experiments.exp005.measure import BASE, RANDOM, TRAJECTORY, TYPICAL
from ired_interp.experiments.exp005.spaces import MEANINGS
from ired_interp.experiments.kit.claims import Claim
from ired_interp.experiments.kit.expressions import FIRST, Expression, pick
from ired_interp.experiments.kit.tables import Lines, MeanTable, Said
from ired_interp.experiments.kit.variables import GIVEN, V, Variable, declare
from ired_interp.experiments.model_evidence import over_levels
from ired_interp.experiments.page import Block, Definitions

__all__ = ["CLAIMS", "GROUPS", "LINES", "SAID", "TABLES", "VARIABLES", "names_of_splits"]


def _in_split(name: str, meaning: str, unit: str = "1") -> Variable:
    """One number a split; NaN where it has no such direction, no sign to divide by, or no bend."""
    return V(name, "problem level place space", unit, meaning, may_be_missing=True, mean=True)


_SLOPE: Final = "(energy / y)^2"
_COUNTED: Final = "none: counted"

VARIABLES = declare(
    V(
        "y",
        "problem level shared_place y_dim",
        "",
        "The points examined that all splits share, in the level's own coordinates. The base "
        "points are s_t times the point where a split is stated.",
        GIVEN,
    ),
    V(
        "tangent_dimension",
        "problem space",
        "dimensions",
        "Dimension q of the tangent space.",
        _COUNTED,
    ),
    V(
        "normal_dimension",
        "problem space",
        "dimensions",
        "Dimension d − q of the normal space.",
        _COUNTED,
    ),
    _in_split("tangent_gradient", "‖P_T∇E‖²/q, a dimension of the tangent space.", _SLOPE),
    _in_split("normal_gradient", "‖P_N∇E‖²/(d − q), a dimension of the normal space.", _SLOPE),
    _in_split(
        "gradient_share",
        "The normal gradient a dimension over that of the whole, ‖∇E‖²/d: 1 on average over random "
        "subspaces, whatever their dimension; at most d/(d − q).",
    ),
    _in_split("tangent_curvature", "σ_t·tr(P_T H)/q, the mean over tangent directions."),
    _in_split("tangent_lowest", "σ_t times the lowest curvature of a tangent direction."),
    _in_split("tangent_highest", "σ_t times the highest."),
    _in_split("normal_curvature", "σ_t·tr(P_N H)/(d − q), the mean over normal directions."),
    _in_split("normal_lowest", "σ_t times the lowest curvature of a normal direction."),
    _in_split("normal_highest", "σ_t times the highest."),
    _in_split(
        "curvature_share",
        "The mean normal curvature over the mean of all directions, tr H/d: 1 on average over "
        "random subspaces. Missing where tr H ≤ 0, where a ratio means nothing.",
    ),
    _in_split(
        "curvature_contrast",
        "Mean normal less mean tangent curvature, in units of the root mean square eigenvalue "
        "‖H‖_F/√d: 0 on average over random subspaces, and defined whatever the signs.",
    ),
    _in_split(
        "bottom_overlap",
        "tr(P_T P_B)/q over its mean q/d for random subspaces, with B the q lowest eigenvectors of "
        "H: 1 by chance, d/q where the flattest directions are the tangent ones. Missing where the "
        "cut goes through eigenvalues that round-off does not tell apart.",
    ),
    _in_split(
        "riemannian_curvature",
        "σ_t times the mean eigenvalue of the Riemannian Hessian of E on the matrices of rank r, "
        "at the base point; the projected one beside it is tangent_curvature.",
    ),
    _in_split("riemannian_lowest", "σ_t times its lowest eigenvalue."),
    _in_split("riemannian_highest", "σ_t times its highest."),
    V(
        "bayes_bound",
        "problem level space",
        "1",
        "At typical points no posterior has a larger ratio of normal to tangent curvature, in the "
        "mean over problems: 1/(1 − (m/q)·ρv/(1 + ρv)) with m missing entries of prior variance v, "
        "ρ = s_t²/σ_t². 1 where the answer is determined, and then not stored.",
        "an upper bound",
        may_be_missing=True,
        mean=True,
    ),
)
GROUPS = {RANDOM: "the same numbers for each draw of random splits;"}

_SHARE, _CONTRAST, _OVERLAP = (
    pick(name, space=FIRST) for name in ("gradient_share", "curvature_contrast", "bottom_overlap")
)
_OF_ALL = pick("curvature_share", place=TYPICAL)
_TANGENT, _NORMAL, _BOUND = (
    pick(name, space=FIRST, place=TYPICAL)
    for name in ("tangent_curvature", "normal_curvature", "bayes_bound")
)


def _claim(name: str, by_level: Expression, place: str, space: str = "", **fields: Any) -> Claim:
    """A claim on the mean over the levels of a problem that have a number."""

    def note(data: xr.Dataset) -> str:
        chosen = space or str(data["space"].values[0])
        return f"the split {chosen}, at {place} points, mean {over_levels(data)}"

    return Claim(id=name, effect=by_level.mean("level"), mean_of=by_level, note=note, **fields)


CLAIMS = (
    _claim(
        "normal-gradient",
        _SHARE(place=TYPICAL),
        TYPICAL,
        statement="At typical points the gradient is larger a dimension in normal than in tangent "
        "directions, more than with untrained weights.",
        what="a normal share a dimension",
        null=1.0,
        null_words="1",
        source="the plan's claim that normal over tangent gradient is ≫ 1; a random subspace has "
        "‖P∇E‖²/‖∇E‖² = dimension/d on average, so the share a dimension has null 1. At the "
        "optimum of training ∇E is the expected noise, whose share is 1 too",
        chart="gradients",
    ),
    _claim(
        "normal-on-the-way",
        _SHARE(place=TRAJECTORY),
        TRAJECTORY,
        statement="Along the solver's trajectory the gradient is larger a dimension in normal than "
        "in tangent directions, more than with untrained weights.",
        what="a normal share a dimension",
        null=1.0,
        null_words="1",
        source="as normal-gradient; a solver that is pulled to the manifold has its gradient there",
        chart="gradients",
    ),
    _claim(
        "normal-curvature",
        _OF_ALL(space=FIRST),
        TYPICAL,
        statement="At typical points the landscape curves more in normal than in tangent "
        "directions, more than with untrained weights.",
        what="a mean normal curvature over tr H/d",
        null=1.0,
        null_words="1",
        source="the plan's claim on normal over tangent curvature; its undivided ratio has null "
        "codimension/dimension, divided by dimension it has null 1. The ideal of a determined task "
        "is H = I/σ_t, where it is 1 as well",
        chart="curvatures",
    ),
    _claim(
        "normal-at-the-answer",
        _CONTRAST(place=BASE),
        BASE,
        statement="At the point where the tangent space is stated the landscape curves more in "
        "normal than in tangent directions, more than with untrained weights.",
        what="a contrast of normal and tangent curvature",
        source="as normal-curvature, in units of ‖H‖_F/√d, as curvature may have either sign there",
        chart="curvatures",
    ),
    _claim(
        "flat-is-tangent",
        _OVERLAP(place=TYPICAL),
        TYPICAL,
        statement="At typical points the directions of lowest curvature lie in the tangent space "
        "more than random ones, and more than with untrained weights.",
        what="an overlap of the q lowest eigenvectors with the tangent space, over that of chance,",
        null=1.0,
        null_words="1",
        source="the plan's claim that small eigenvalues are the tangent directions; a random "
        "subspace of dimension q overlaps by q/d, so the ratio has null 1",
        chart="overlaps",
    ),
    _claim(
        "beyond-bayes",
        _NORMAL - _BOUND * _TANGENT,
        TYPICAL,
        role="exploratory",
        statement="At typical points normal exceeds tangent curvature by more than any posterior "
        "allows: the landscape is not that of the denoising optimum.",
        what="σκ_N − B·σκ_T, with B the Bayes bound,",
        source="σ_t·H = I − (s_t²/σ_t²)·Cov[y* | y, x]: κ_N ≤ 1/σ_t, and tr Cov is at most that of "
        "the best linear estimate of the missing entries",
        chart="curvatures",
    ),
    _claim(
        "missing-is-flat",
        _OF_ALL(space="mask"),
        TYPICAL,
        "mask",
        role="exploratory",
        statement="At typical points the landscape curves more along observed than along missing "
        "entries, more than with untrained weights.",
        what="a mean curvature of observed entries over tr H/d",
        null=1.0,
        null_words="1",
        source="an observed entry has no posterior variance, so σλ = 1; a missing one at least "
        "1/(1 + ρv)",
        chart="curvatures",
        needs=("bayes_bound",),  # of completion, the one task that has a mask
    ),
)

TABLES = (
    MeanTable(
        "Tangent and normal, by split and level",
        ("space", "level"),
        (
            ("normal gradient a dimension, typical", pick("gradient_share", place=TYPICAL)),
            ("on the trajectory", pick("gradient_share", place=TRAJECTORY)),
            ("tangent σκ, typical", pick("tangent_curvature", place=TYPICAL)),
            ("normal σκ, typical", pick("normal_curvature", place=TYPICAL)),
            ("contrast at the base", pick("curvature_contrast", place=BASE)),
            ("flattest in tangent", pick("bottom_overlap", place=TYPICAL)),
        ),
        "The first two columns and the last are 1 by chance, the contrast is 0.",
        heads={"space": "split"},
        ideals=("1", "–", "≤ 1", "≤ 1", "–", "–"),
        reference="ideal, where the answer is determined",
    ),
)
SAID = (
    Said(
        "At typical points the normal gradient a dimension is {cases}, mean over levels; chance "
        "gives 1.",
        _SHARE(place=TYPICAL),
    ),
    Said(
        "Along the trajectory it is {cases}, mean over levels; chance gives 1.",
        _SHARE(place=TRAJECTORY),
    ),
    Said(
        "At the base the contrast of normal and tangent curvature is {cases}, mean over levels; "
        "chance gives 0.",
        _CONTRAST(place=BASE),
    ),
    Said(
        "The overlap of the flattest directions with T, typical, is {cases}, mean over levels; "
        "chance gives 1.",
        _OVERLAP(place=TYPICAL),
    ),
)
LINES = Lines(
    columns=(
        ("∇ share", _SHARE(place=TYPICAL)),
        ("on the way", _SHARE(place=TRAJECTORY)),
        ("κ tangent", _TANGENT),
        ("κ normal", _NORMAL),
    ),
    others=(("∇ share", _SHARE(place=TYPICAL)),),
    caption="split {split} ({split_is});\n∇ share: normal gradient a dimension, 1 by chance; κ: σ "
    "times mean curvature;",
    most=1,
)


def names_of_splits(results: xr.DataTree) -> Mapping[str, str | Block]:
    """The first split and its meaning; of all that there are the dimensions and meanings."""
    root = results.to_dataset()
    spaces = [str(space) for space in root["space"].values]
    sizes = [
        " + ".join(
            _range(root[f"{part}_dimension"].sel(space=space)) for part in ("tangent", "normal")
        )
        for space in spaces
    ]
    return {
        "split": spaces[0],
        "split_is": MEANINGS[spaces[0]],
        "sizes": "; ".join(map(": ".join, zip(spaces, sizes, strict=True))),
        "meanings": Definitions([(one, f"tangent: {MEANINGS[one]}") for one in spaces]),
    }


def _range(sizes: xr.DataArray) -> str:
    low, high = int(sizes.min()), int(sizes.max())
    return str(low) if low == high else f"{low} … {high}"
