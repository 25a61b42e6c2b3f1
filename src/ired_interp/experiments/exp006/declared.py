"""What EXP-006 declares: its variables, its claims, and what of them is shown.

Levels are averaged within a problem first, as they are no replicates. At typical points the ideal
score of a determined task is the noise itself, so the null of a spectrum is that of the noise draws
at the same points, problem by problem.
"""

from collections.abc import Mapping
from functools import partial
from typing import Final

import xarray as xr

from ired_interp.experiments.exp006.directions import BOTTOM, TOP, own_subspace_words
from ired_interp.experiments.exp006.measure import TRAJECTORY, TYPICAL
from ired_interp.experiments.exp006.sharing import shared_shares
from ired_interp.experiments.kit.claims import Claim
from ired_interp.experiments.kit.expressions import Expression, pick
from ired_interp.experiments.kit.tables import Lines, MeanTable, Said
from ired_interp.experiments.kit.variables import V, declare
from ired_interp.experiments.model_evidence import over_levels

__all__ = ["CLAIMS", "LINES", "SAID", "TABLES", "VARIABLES", "own_subspaces"]

_STORED: Final = "round-off of config.storage"
_SAMPLED: Final = "sampling of n noise draws; noise_concentration has the same"
_AS_MANY: Final = "over random_draws"
_BY_CHANCE: Final = "1/√(4·random_draws) by chance"
_AT_POINTS = "problem level place"
_AT_ENDS = f"{_AT_POINTS} end"
# NaN where a problem has no spectrum (no spread over noise), no own subspace, or no such end.
_number = partial(V, may_be_missing=True, mean=True)

VARIABLES = declare(
    V(
        "noise",
        "problem sample y_dim",
        "",
        "ε: the typical points are s_t·y* + σ_t·ε, and the solver starts at ε. The same at all "
        "levels.",
        _STORED,
    ),
    V(
        "path",
        "problem level sample y_dim",
        "y",
        "Where the solver was at the end of each level, in the level's own coordinates, from each "
        "of the starts.",
        _STORED,
    ),
    V(
        "score",
        f"{_AT_POINTS} sample y_dim",
        "energy / y",
        "∇_yE at the typical points and on the trajectory.",
        _STORED,
    ),
    V(
        "score_floor",
        "problem level",
        "energy / y",
        "200·ε·the root mean square of typical scores, ε of the dtype that they were computed in. "
        "Spectra and components are missing where the scores of a place spread by less over the "
        "draws: they would be round-off.",
        "round-off of a gradient is below a tenth of it",
    ),
    V(
        "mean_score",
        f"{_AT_POINTS} y_dim",
        "energy / y",
        "Mean of ∇_yE over the noise draws.",
    ),
    V(
        "component",
        f"{_AT_ENDS} component_rank y_dim",
        "",
        "The first (top) and last (bottom) principal components of a problem's scores over noise "
        "draws, unit vectors of arbitrary sign.",
        "arbitrary where the spectrum is that of noise",
        may_be_missing=True,
    ),
    _number(
        "score_rms",
        _AT_POINTS,
        "energy / y",
        "Root mean square entry of ∇E; 1 at the typical points of the ideal of a determined task.",
    ),
    V(
        "eigenvalue",
        f"{_AT_POINTS} rank",
        "1",
        "Covariance spectrum of a problem's scores over noise draws, over its mean Σλ/d.",
        _SAMPLED,
        may_be_missing=True,
    ),
    V("noise_eigenvalue", "problem rank", "1", "The same of the noise draws themselves."),
    _number(
        "concentration",
        _AT_POINTS,
        "1",
        "Σλ²/(Σλ)² over its mean (m + d + 1)/(md + 2) for isotropic rows, m = n − 1: 1 by chance, "
        "and more the fewer directions the scores have.",
        _SAMPLED,
    ),
    V(
        "noise_concentration",
        "problem",
        "1",
        "The same of the noise draws themselves.",
        mean=True,
    ),
    _number(
        "beyond_edge",
        _AT_POINTS,
        "components",
        "Components whose eigenvalue exceeds what the largest of isotropic rows exceeds in 1 % of "
        "draws.",
        "wrong by chance in 1 % of isotropic spectra",
    ),
    V(
        "noise_beyond_edge",
        "problem",
        "components",
        "The same of the noise draws themselves.",
        mean=True,
    ),
    _number(
        "top_eigenvalue", _AT_POINTS, "1", "The largest eigenvalue over the mean one.", _SAMPLED
    ),
    _number(
        "own_share",
        _AT_ENDS,
        "1",
        "Share of the components of an end in the problem's own subspace: completion: the observed "
        "entries (top) or the missing ones (bottom); else the matrices with the answer's singular "
        "vectors, which for inverse are A's eigenvectors.",
    ),
    _number(
        "other_share",
        _AT_ENDS,
        "1",
        "The same in the subspaces of the other problems, or of a random one where there is none.",
        "over the problems of the run",
    ),
    _number(
        "effective_draws",
        _AT_POINTS,
        "draws",
        "(Σ‖g‖²)²/Σ‖g‖⁴ over the centred scores g: how many draws the spectrum stands on, about "
        "n·d/(d + 2) of isotropic ones, few where some draws are far longer than others.",
        _SAMPLED,
    ),
    _number(
        "energy_along",
        _AT_ENDS,
        "1",
        "σ_t·(E(y + δ) + E(y − δ) − 2E(y))/‖δ‖² along the components of an end, at a point that "
        "the components have not seen; 1 in the ideal of a determined task.",
    ),
    _number("energy_random", _AT_POINTS, "1", "The same along random directions.", _AS_MANY),
    _number(
        "energy_place",
        _AT_ENDS,
        "1",
        "Share of the random directions along which E rises less; ties count half.",
        _BY_CHANCE,
    ),
    _number(
        "error_along",
        _AT_ENDS,
        "1",
        "Mean rise of ‖ŷ − y*‖² under the same moves, ŷ = (y − σ_t∇E)/s_t, in units of ‖δ‖²/s_t²: "
        "0 in the ideal of a determined task, 1 on a flat landscape.",
    ),
    _number("error_random", _AT_POINTS, "1", "The same along random directions.", _AS_MANY),
    _number(
        "error_place",
        _AT_ENDS,
        "1",
        "Share of the random directions along which the error rises less; ties count half.",
        _BY_CHANCE,
    ),
)


def _at_typical(data: xr.Dataset) -> str:
    return f"at {TYPICAL} points, mean {over_levels(data)}"


def _on_the_way(data: xr.Dataset) -> str:
    return f"at {TRAJECTORY} points, mean {over_levels(data)}"


def _shared(data: xr.Dataset) -> xr.DataArray:
    """A problem without a number at one of the levels has none."""
    return xr.DataArray(shared_shares(data, TYPICAL).mean(axis=1), dims="problem")


_claim = partial(
    Claim,
    note=_at_typical,
    control="the same network with untrained weights, at the same problems and noise",
)
_OWN, _OTHERS = pick("own_share", end=TOP), pick("other_share", end=TOP)
_MORE_OWN = (_OWN - _OTHERS).mean("level")
_CONCENTRATION, _BEYOND = pick("concentration"), pick("beyond_edge", place=TYPICAL)

CLAIMS = (
    _claim(
        id="concentrated",
        statement="At typical points the scores of a problem lie in fewer directions than the "
        "noise of those points, and in fewer than with untrained weights.",
        effect=_CONCENTRATION(place=TYPICAL).mean("level"),
        what="a concentration",
        null=pick("noise_concentration"),
        null_words="that of the noise",
        source="the plan's claim that the score field is low-dimensional; n isotropic scores have "
        "a participation ratio of (md + 2)/(m + d + 1), not d",
        chart="concentration",
    ),
    _claim(
        id="beyond-the-edge",
        role="exploratory",
        statement="At typical points more components of a problem's scores stand beyond the "
        "Marchenko-Pastur edge than of the noise, and more than with untrained weights.",
        effect=_BEYOND.mean("level"),
        what="a number of components beyond the edge",
        null=pick("noise_beyond_edge"),
        null_words="that of the noise",
        source="the plan's score SVD; Johnstone (2001) for what the largest of n scores exceeds",
        chart="spectra",
    ),
    _claim(
        id="own-directions",
        statement="At typical points the leading components of a problem's scores lie in its own "
        "subspace more than in those of other problems, and more than with untrained weights.",
        effect=_MORE_OWN(place=TYPICAL),
        what="a difference of the shares in the own subspace and in others'",
        source="the plan's claim that singular vectors of the gradient field align with those of "
        "the problem; other problems' subspaces have whatever is common to all",
        chart="alignment",
    ),
    _claim(
        id="own-directions-on-the-way",
        role="exploratory",
        statement="Along the solver's trajectories the leading components of a problem's scores "
        "lie in its own subspace more than in those of other problems, and more than with "
        "untrained weights.",
        effect=_MORE_OWN(place=TRAJECTORY),
        what="a difference of the shares in the own subspace and in others'",
        source="as own-directions, over the solver's starts",
        chart="alignment",
        note=_on_the_way,
    ),
    _claim(
        id="shared-directions",
        statement="At typical points the leading components of other problems' mean scores explain "
        "more of a problem's mean score than random directions, and more than with untrained "
        "weights.",
        effect=Expression(("mean_score",), _shared),
        what="a share, at the problems that found no component,",
        null=1.0,
        null_words="k/d",
        source="the plan's SVD over problems; random networks share directions too, so a shared "
        "direction without this control says nothing",
        chart="problems",
    ),
    _claim(
        id="steep-components",
        statement="At typical points the energy rises more along the leading components than along "
        "random directions of that length, and more than with untrained weights.",
        effect=pick("energy_place", place=TYPICAL, end=TOP).mean("level"),
        what="a rise of the energy",
        null=0.5,
        null_words="that of half of the random directions",
        source="to second order σ·vᵀHv; scores over noise are σHε, so in any bent landscape the "
        "leading components are steep: that the control has it too is the point",
        chart="moves",
    ),
    _claim(
        id="components-carry-error",
        statement="At typical points a move along the leading components worsens the answer more "
        "than one along random directions of that length, and more than with untrained weights.",
        effect=pick("error_place", place=TYPICAL, end=TOP).mean("level"),
        what="a rise of the error",
        null=0.5,
        null_words="that of half of the random moves",
        source="the plan's claim that components act on the answer; to second order "
        "‖(I − σH)v‖², which is 0 in the ideal of a determined task",
        chart="moves",
    ),
)

_RMS = pick("score_rms", place=TYPICAL)
# Heading, variable, ideal of a determined task.
_COLUMNS = (
    ("rms ∇E, typical", _RMS, "1"),
    ("concentration, typical", _CONCENTRATION(place=TYPICAL), "1"),
    ("beyond the edge", _BEYOND, "0"),
    ("concentration, trajectory", _CONCENTRATION(place=TRAJECTORY), "–"),
    ("effective draws, trajectory", pick("effective_draws", place=TRAJECTORY), "–"),
    ("in own subspace", _OWN(place=TYPICAL), "–"),
    ("in others’", _OTHERS(place=TYPICAL), "–"),
    ("energy along", pick("energy_along", place=TYPICAL, end=TOP), "1"),
    ("error along", pick("error_along", place=TYPICAL, end=TOP), "0"),
)
TABLES = (
    MeanTable(
        "Scores by level",
        ("level",),
        [(head, what) for head, what, _ in _COLUMNS],
        "The last four columns are of the leading components.",
        ideals=[ideal for *_, ideal in _COLUMNS],
        reference="ideal, where the answer is determined",
    ),
)
SAID = (
    Said(
        "Concentration of the scores over noise at typical points: {cases}, mean over levels. That "
        "of the noise itself is {model}.",
        _CONCENTRATION(place=TYPICAL),
        pick("noise_concentration"),
    ),
    Said("Along the trajectory: {cases}, mean over levels.", _CONCENTRATION(place=TRAJECTORY)),
    Said("Components beyond the edge, typical: {cases}, mean over levels.", _BEYOND),
    Said(
        "Held-out share of other problems’ components, over chance: {cases}, mean over levels.",
        pick("shared_share", place=TYPICAL),
    ),
    Said("Share of the leading components in the own subspace: {cases}.", _OWN(place=TYPICAL)),
    Said("In the subspaces of other problems: {cases}.", _OTHERS(place=TYPICAL)),
)
LINES = Lines(
    columns=(
        ("rms ∇E", _RMS),
        ("typical", _CONCENTRATION(place=TYPICAL)),
        ("on the way", _CONCENTRATION(place=TRAJECTORY)),
        ("own", _OWN(place=TYPICAL)),
    ),
    others=(("typical", _CONCENTRATION(place=TYPICAL)),),
    caption="typical, on the way: concentration over noise, 1 by chance; own: share of the\n"
    "leading components in the problem's own subspace;",
)


def own_subspaces(results: xr.DataTree) -> Mapping[str, str]:
    """The own subspaces of the task, in words of the page."""
    leading, last = (own_subspace_words(str(results.attrs["task"]), end) for end in (TOP, BOTTOM))
    both = " and ".join(dict.fromkeys((leading, last)))
    return {"own_leading": leading, "own_last": last, "own": both}
