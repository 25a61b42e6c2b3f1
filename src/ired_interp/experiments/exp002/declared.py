"""What EXP-002 declares: its variables, its claims, and what of them is shown."""

from functools import partial
from typing import Final

import xarray as xr

from ired_interp.digits import number
from ired_interp.experiments import model_page
from ired_interp.experiments.kit.claims import Claim
from ired_interp.experiments.kit.expressions import Expression, pick
from ired_interp.experiments.kit.tables import Lines, MeanColumn, MeanTable, Told
from ired_interp.experiments.kit.variables import GIVEN, V, declare
from ired_interp.experiments.model_evidence import over_levels

__all__ = ["CLAIMS", "HALF", "LINES", "SAID", "TABLES", "VARIABLES"]

HALF: Final = 0.5
"""Pairs of starts that end together where two minima share the starts evenly."""

_ENDS = "gradient below 1e-10·‖H‖ at each end (1e-5 in float32)"
_SAMPLED = "a lower bound: the path is sampled at images"
_NONE = "none: a mark"

# Numbers that a problem or a level may not have, and their means; counts.
_number = partial(V, may_be_missing=True, mean=True)
_share = partial(_number, dims="problem level", unit="1")
_height = partial(_number, dims="problem level", unit="energy", error=_SAMPLED)
_of_path = partial(_number, dims="problem", unit="1")
_count = partial(V, dims="problem level", mean=True, whole=True)

VARIABLES = declare(
    V(
        "path",
        "problem step y_dim",
        "",
        "The solver's prediction y/s_t after each level, unscaled.",
        GIVEN,
    ),
    V(
        "minimum",
        "problem level y_dim",
        "",
        "The most visited minimum, in the level's own coordinates; NaN where no descent converged.",
        _ENDS,
        may_be_missing=True,
    ),
    _count(
        "num_minima",
        unit="minima",
        meaning="Distinct minima that descents from many starts end at; 1 is a single mode, 0 "
        "none.",
        error="a lower bound; mode_spread and mode_separation say how sure the distinction is",
    ),
    _count(
        "num_converged",
        unit="descents",
        meaning="How many of the descents converged.",
        error=_NONE,
    ),
    _share(
        "same_minimum",
        meaning="Share of the pairs of starts that end at the same minimum, Σn_i(n_i−1)/N(N−1); "
        "its inverse is the effective number of minima.",
        error="unbiased over starts",
    ),
    _share(
        "mode_spread",
        meaning="Largest distance from an end to its minimum, over max(1, ‖y‖).",
        error=_ENDS,
    ),
    _share(
        "mode_separation",
        meaning="Smallest distance between two minima, over max(1, ‖y‖); missing for a single "
        "mode.",
        error=_ENDS,
    ),
    _share(
        "softness",
        meaning="Least λ_min/‖H‖ over the minima; near 0 a minimum is a valley whose ends may have "
        "been counted apart.",
    ),
    _share(
        "minimum_offset",
        meaning="Distance of the most visited minimum from s_t·y*, over σ_t√d, the length of the "
        "level's noise.",
        error=_ENDS,
    ),
    _share(
        "convexity",
        meaning="Mean over chords between typical points of ΣD/Σ|D|, D the jumps of the slope "
        "along the chord: 1 convex, −1 concave.",
        error="second differences at the images; jumps within round-off are left out",
    ),
    _height("chord_height", meaning="Mean over the same chords of max E − max(E₀, E₁)."),
    _height(
        "chord_excess",
        meaning="Mean over the same chords of max[E − the chord from E₀ to E₁].",
    ),
    _height(
        "straight_height",
        meaning="max E − max(E₀, E₁) on the straight line between the two most visited minima; "
        "missing for a single mode.",
    ),
    _height("straight_excess", meaning="max[E − the chord from E₀ to E₁] on that line."),
    _height(
        "geodesic_height",
        meaning="max E − max(E₀, E₁) on the affine-invariant geodesic between their symmetric "
        "parts, the antisymmetric part going straight; missing where a symmetric part is not "
        "positive definite, or the task is not inverse.",
    ),
    _share(
        "geodesic_skew",
        meaning="‖antisymmetric part‖/‖Y‖ of the less symmetric of the two: what of it goes "
        "straight.",
    ),
    _height(
        "band_height",
        meaning="max E − max(E₀, E₁) on the nudged elastic band between them, an upper bound of "
        "the least barrier up to sampling.",
        error="band_status; saddle_height where the saddle was found",
    ),
    _count(
        "band_status",
        unit="1",
        meaning="0: the band converged; 1: it ran out of steps; −1: there is nothing to join.",
        error=_NONE,
    ),
    _height(
        "saddle_height",
        meaning="E above the higher end at the saddle that Newton's method reaches from the band's "
        "highest image, with exactly one negative eigenvalue; missing where there is none.",
        error="gradient below 1e-10·‖H‖ (1e-5 in float32)",
    ),
    _of_path(
        "path_kept",
        meaning="Share of the variance of the solver's path (the unscaled predictions after levels "
        "2 … K) that the plane of its first two principal components keeps.",
    ),
    _of_path(
        "path_kept_random",
        meaning="The share that a random plane keeps; 2/d on average.",
    ),
    _of_path(
        "walk_kept",
        meaning="Mean share that the same analysis keeps of random walks with the same step "
        "lengths.",
        error="its standard error is walk_deviation/√walks",
    ),
    _of_path(
        "walk_deviation",
        meaning="Standard deviation of that share over walks.",
        error="it is an error",
    ),
    _of_path(
        "path_flatness",
        meaning="Mean over those random walks of the logarithm of the share that they lose, minus "
        "that of the share that the path loses: 0 where the path is one of them, above 0 where it "
        "is flatter.",
        error="standard deviation over walks of the logarithm, over √walks",
    ),
    _of_path(
        "path_place",
        meaning="Share of those random walks of which less is kept than of the path; ties count "
        "half.",
        error="1/√walks at most",
    ),
)


def _of_starts(data: xr.Dataset) -> str:
    converged = data["num_converged"]
    least, most = int(converged.min()), int(converged.max())
    said = f"{least}" if least == most else f"{least} to {most}"
    missed = int((converged < 2).sum())  # noqa: PLR2004 - a pair
    left = f"; {missed} problems at a level had fewer than 2 descents that converged"
    return f"mean {over_levels(data)}, {said} descents converged each{left if missed else ''}"


def _of_walks(data: xr.Dataset) -> str:
    kept, walk, random = (float(data[name].mean()) for name in _KEPT)
    return (
        f"the plane keeps {kept:.3g} of the variance on average, that of random walks with the "
        f"same step lengths {walk:.3g} of theirs, a random plane {random:.2g} of the path's"
    )


def _ends_of(data: xr.Dataset) -> tuple[int, int]:
    levels = data["level"].values
    return int(levels.min()), int(levels.max())


def _coarse_less_fine(data: xr.Dataset) -> xr.DataArray:
    same, (coarse, fine) = data["same_minimum"], _ends_of(data)
    gap = same.sel(level=coarse, drop=True) - same.sel(level=fine, drop=True)
    return gap.where(coarse < fine)


def _of_ends(data: xr.Dataset) -> str:
    coarse, fine = _ends_of(data)
    return f"level {coarse} minus level {fine}" if coarse < fine else "one level has no trend"


_KEPT = ("path_kept", "walk_kept", "path_kept_random")
_TOGETHER = pick("same_minimum")

CLAIMS = (
    Claim(
        id="one-minimum",
        statement="The landscape of a problem has fewer than two effective minima: most pairs of "
        "starts end at the same one, more than with untrained weights.",
        effect=_TOGETHER.mean("level"),
        what="a share of pairs that end together",
        null=HALF,
        null_words="1/2",
        source="the ideal landscape where the answer is determined is one bowl; the inverse of "
        "Σp_i² is the effective number of minima (Simpson 1949)",
        chart="minima",
        note=_of_starts,
        needs=("num_converged",),
    ),
    Claim(
        id="path-plane",
        statement="The solver's path lies in a plane: its first two principal components keep more "
        "than those of a random walk with the same step lengths, and than with untrained weights.",
        effect=pick("path_flatness"),
        what="a logarithm of what random walks lose over what the path loses, mean of walks,",
        source="the claim of a low-dimensional path; what principal components keep of random "
        "walks: Antognini & Sohl-Dickstein (2018), arXiv 1806.08805",
        chart="path-variance",
        note=_of_walks,
        needs=_KEPT,
    ),
    Claim(
        id="convex",
        statement="Along straight lines between typical points the energy is convex, more than "
        "with untrained weights.",
        effect=pick("convexity").mean("level"),
        what="a convexity score",
        source="the ideal landscape of a determined answer is a bowl, score 1; an energy whose "
        "sign is as likely turned has score 0",
        chart="convexity",
        note=lambda data: f"chords between typical points, mean {over_levels(data)}",
    ),
    Claim(
        id="coarse-first",
        statement="The coarsest level has fewer effective minima than the finest one, by more than "
        "with untrained weights: annealing begins on a simpler landscape.",
        effect=Expression(("same_minimum",), _coarse_less_fine),
        what="a difference of the shares of pairs that end together, the coarsest level’s minus "
        "the finest one’s,",
        source="Du, Mao & Tenenbaum (2024), arXiv 2406.11179: a sequence of increasingly "
        "non-convex landscapes",
        chart="minima",
        note=_of_ends,
    ),
)

_MINIMA, _OFFSET, _CONVEXITY = pick("num_minima"), pick("minimum_offset"), pick("convexity")
TABLES = (
    MeanTable(
        "Minima, chords and barriers by level",
        ("level",),
        (
            MeanColumn("minima", _MINIMA, ideal="1"),
            MeanColumn("pairs that end together", _TOGETHER, ideal="1"),
            MeanColumn("offset of the minimum", _OFFSET, "σ√d", "0"),
            MeanColumn("convexity", _CONVEXITY, ideal="1"),
            MeanColumn("barrier on chords", pick("chord_height"), "energy", "0"),
            MeanColumn("straight barrier", pick("straight_height"), "energy", "–", counted=True),
            MeanColumn("band’s barrier", pick("band_height"), "energy", "–", counted=True),
        ),
        "Barriers between minima are means over the problems that have several; n counts them.",
        beside=("sigma",),
        reference="ideal, where the answer is determined",
    ),
)


def _modes(results: xr.DataTree) -> str:
    found = results["num_minima"]
    single, several = int((found == 1).sum()), int((found > 1).sum())
    said = f"A single mode at {single} of {found.size} problems and levels"
    if single < found.size:
        none = found.size - single - several
        return (
            f"{said}, several minima at {several}, and none at {none} where no descent converged."
        )
    starts = model_page.told_of(results).config["starts"]
    return (
        f"{said}: all {starts} descents that converged ended at one minimum, so that there is no "
        "barrier between minima to measure."
    )


def _modes_of_untrained(results: xr.DataTree) -> str:
    if not model_page.num_draws(results, "untrained"):
        return ""
    found = results["controls/untrained/num_minima"]
    return (
        f"With untrained weights several at {int((found > 1).sum())} of {found.size}, up to "
        f"{int(found.max())}."
    )


def _planes(results: xr.DataTree) -> str:
    means = results["summary/model"].to_dataset().sel(statistic="mean")
    own, walk, random = (number(float(means[name]), 3) for name in _KEPT)
    return (
        f"The plane of its own principal components keeps {own} of the solver’s path; of random "
        f"walks with the same step lengths theirs keep {walk}; a random plane keeps {random} of "
        "the path."
    )


SAID = (
    Told(_modes, ("num_minima",)),
    Told(_modes_of_untrained, ("controls/untrained/num_minima",)),
    Told(_planes, tuple(f"summary/model/{name}" for name in _KEPT)),
)
LINES = Lines(
    columns=(
        ("minima", _MINIMA),
        ("together", _TOGETHER),
        ("offset", _OFFSET),
        ("convexity", _CONVEXITY),
    ),
    others=(("together", _TOGETHER),),
    caption="together: pairs of starts that end together; offset: of the minimum from s·y*, in "
    "σ√d;",
)
