"""The variables of EXP-002: their dimensions, units and definitions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ired_interp.experiments.page import Definition
from ired_interp.experiments.skill import SKILL_DEFINITIONS

__all__ = [
    "DEFINITIONS",
    "MAY_BE_MISSING",
    "MEASURED",
    "PLANES",
    "SLICES",
    "SLICE_DEFINITIONS",
    "Plane",
    "Variable",
]

SLICES: Final = "slices"
"""Where the slices lie: a group ``slices/<problem>`` each."""


@dataclass(frozen=True)
class Variable:
    """A number a problem, or a problem and level.

    Attributes:
        unit: As text.
        definition: What it is, and its error.
        levels: Whether there is one a level.
        count: Whether it is a whole number, -1 where it is missing.
    """

    unit: str
    definition: Definition
    levels: bool = True
    count: bool = False


@dataclass(frozen=True)
class Plane:
    """A plane that is cut.

    Attributes:
        label: In figures.
        axes: What its two directions are.
    """

    label: str
    axes: tuple[str, str]


PLANES: Mapping[str, Plane] = {
    "top": Plane("sharpest", ("eigenvector of the largest |λ|", "of the second largest")),
    "bottom": Plane("flattest", ("eigenvector of the lowest λ", "of the second lowest")),
    "ends": Plane("sharp, flat", ("eigenvector of the largest |λ|", "of the lowest λ")),
    "path": Plane("solver’s path", ("first principal component of the path", "second")),
    "rank": Plane("keep, raise rank", ("a move that keeps the rank", "one that raises it")),
    "singular": Plane("singular values", ("u₁v₁ᵀ of the answer", "u₂v₂ᵀ")),
    "rotation": Plane("turn subspaces", ("left singular subspace turns", "right one turns")),
    "random": Plane("random", ("a random direction", "another")),
}

_ENDS = "gradient below 1e-10·‖H‖ at each end (1e-5 in float32)"
_SAMPLED = "a lower bound: the path is sampled at images"
_NONE = "none: a mark"
_ROUND_OFF = "round-off of the dtype"

MEASURED: Mapping[str, Variable] = {
    "num_minima": Variable(
        "minima",
        Definition(
            "Distinct minima that descents from many starts end at; 1 is a single mode, 0 none.",
            "a lower bound; mode_spread and mode_separation say how sure the distinction is",
        ),
        count=True,
    ),
    "num_converged": Variable(
        "descents", Definition("How many of the descents converged.", _NONE), count=True
    ),
    "same_minimum": Variable(
        "1",
        Definition(
            "Share of the pairs of starts that end at the same minimum, Σn_i(n_i−1)/N(N−1); its "
            "inverse is the effective number of minima.",
            "unbiased over starts",
        ),
    ),
    "mode_spread": Variable(
        "1",
        Definition("Largest distance from an end to its minimum, over max(1, ‖y‖).", _ENDS),
    ),
    "mode_separation": Variable(
        "1",
        Definition(
            "Smallest distance between two minima, over max(1, ‖y‖); missing for a single mode.",
            _ENDS,
        ),
    ),
    "softness": Variable(
        "1",
        Definition(
            "Least λ_min/‖H‖ over the minima; near 0 a minimum is a valley whose ends may have "
            "been counted apart.",
            _ROUND_OFF,
        ),
    ),
    "minimum_offset": Variable(
        "1",
        Definition(
            "Distance of the most visited minimum from s_t·y*, over σ_t√d, the length of the "
            "level's noise.",
            _ENDS,
        ),
    ),
    "convexity": Variable(
        "1",
        Definition(
            "Mean over chords between typical points of ΣD/Σ|D|, D the jumps of the slope along "
            "the chord: 1 convex, −1 concave.",
            "second differences at the images; jumps within round-off are left out",
        ),
    ),
    "chord_height": Variable(
        "energy",
        Definition("Mean over the same chords of max E − max(E₀, E₁).", _SAMPLED),
    ),
    "chord_excess": Variable(
        "energy",
        Definition("Mean over the same chords of max[E − the chord from E₀ to E₁].", _SAMPLED),
    ),
    "straight_height": Variable(
        "energy",
        Definition(
            "max E − max(E₀, E₁) on the straight line between the two most visited minima; missing "
            "for a single mode.",
            _SAMPLED,
        ),
    ),
    "straight_excess": Variable(
        "energy",
        Definition("max[E − the chord from E₀ to E₁] on that line.", _SAMPLED),
    ),
    "geodesic_height": Variable(
        "energy",
        Definition(
            "max E − max(E₀, E₁) on the affine-invariant geodesic between their symmetric parts, "
            "the antisymmetric part going straight; missing where a symmetric part is not positive "
            "definite, or the task is not inverse.",
            _SAMPLED,
        ),
    ),
    "geodesic_skew": Variable(
        "1",
        Definition(
            "‖antisymmetric part‖/‖Y‖ of the less symmetric of the two: what of it goes straight.",
            _ROUND_OFF,
        ),
    ),
    "band_height": Variable(
        "energy",
        Definition(
            "max E − max(E₀, E₁) on the nudged elastic band between them, an upper bound of the "
            "least barrier up to sampling.",
            "band_status; saddle_height where the saddle was found",
        ),
    ),
    "band_status": Variable(
        "1",
        Definition(
            "0: the band converged; 1: it ran out of steps; −1: there is nothing to join.", _NONE
        ),
        count=True,
    ),
    "saddle_height": Variable(
        "energy",
        Definition(
            "E above the higher end at the saddle that Newton's method reaches from the band's "
            "highest image, with exactly one negative eigenvalue; missing where there is none.",
            "gradient below 1e-10·‖H‖ (1e-5 in float32)",
        ),
    ),
    "path_kept": Variable(
        "1",
        Definition(
            "Share of the variance of the solver's path (the unscaled predictions after levels 2 … "
            "K) that the plane of its first two principal components keeps.",
            _ROUND_OFF,
        ),
        levels=False,
    ),
    "path_kept_random": Variable(
        "1",
        Definition("The share that a random plane keeps; 2/d on average.", _ROUND_OFF),
        levels=False,
    ),
    "walk_kept": Variable(
        "1",
        Definition(
            "Mean share that the same analysis keeps of random walks with the same step lengths.",
            "its standard error is walk_deviation/√walks",
        ),
        levels=False,
    ),
    "walk_deviation": Variable(
        "1",
        Definition("Standard deviation of that share over walks.", "it is an error"),
        levels=False,
    ),
    "path_flatness": Variable(
        "1",
        Definition(
            "Mean over those random walks of the logarithm of the share that they lose, minus that "
            "of the share that the path loses: 0 where the path is one of them, above 0 where it "
            "is flatter.",
            "standard deviation over walks of the logarithm, over √walks",
        ),
        levels=False,
    ),
    "path_place": Variable(
        "1",
        Definition(
            "Share of those random walks of which less is kept than of the path; ties count half.",
            "1/√walks at most",
        ),
        levels=False,
    ),
}

DEFINITIONS: Mapping[str, Definition] = {
    "x": Definition("The question, flat and row-major.", "none: given"),
    "answer": Definition("The true answer y*, flat and row-major.", "none: given"),
    "minimum": Definition(
        "The most visited minimum, in the level's own coordinates; NaN where no descent converged.",
        _ENDS,
    ),
    "path": Definition("The solver's prediction y/s_t after each level, unscaled.", "none: given"),
    **{name: variable.definition for name, variable in MEASURED.items()},
    **SKILL_DEFINITIONS,
}

SLICE_DEFINITIONS: Mapping[str, str] = {
    "sliced": "1 for the problem of this group",
    "origin": "the point that the planes go through, in the level's own coordinates",
    "origin_energy": "E at the point",
    "status": "0: a point was found; 1: the search for a minimum did not converge",
    "axes": "the two orthonormal directions of each plane; ends: the second is the eigenvector of "
    "the second lowest λ where the lowest λ is also the largest |λ|",
    "energy_above": "E(u, v) − E at the point",
    "gradient": "∇E along the two axes of the plane",
    "gradient_norm": "‖∇E‖ with all entries, of which the plane shows a part",
    "path_at": "(u, v) of the solver's predictions, in this level's coordinates",
    "path_distance": "distance of those predictions from the plane, in σ_t",
    "path_kept": "share of the path's variance that the plane keeps",
    "answer_at": "(u, v) of s_t·y*",
    "answer_distance": "distance of s_t·y* from the plane, in σ_t",
}

MAY_BE_MISSING = (
    *(name for name, variable in MEASURED.items() if not variable.count),
    "minimum",
    "model_minimum",
    "origin",
    "origin_energy",
    "axes",
    "energy_above",
    "gradient",
    "gradient_norm",
    "path_at",
    "path_distance",
    "answer_at",
    "answer_distance",
)
