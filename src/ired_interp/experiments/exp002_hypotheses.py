"""What EXP-002 claims, as data: each claim with its null, its control and its statistic."""

from typing import Final

import numpy as np
import xarray as xr

from ired_interp.experiments.hypothesis import Evidence, Hypothesis
from ired_interp.experiments.model_evidence import (
    SAME_NETWORK,
    beside_untrained,
    over_levels,
    rows,
)
from ired_interp.stats import FloatArray

__all__ = ["HALF", "HYPOTHESES"]

HALF: Final = 0.5
"""Pairs of starts that end together where two minima share the starts evenly."""


def _one_minimum(results: xr.DataTree) -> Evidence:
    root = results.to_dataset()
    missed = int((root["num_converged"] < 2).sum())  # noqa: PLR2004 - a pair
    note = f"mean {over_levels(root)}, {_starts(root)} descents converged each"
    if missed:
        note += f"; {missed} problems at a level had fewer than 2 descents that converged"
    return beside_untrained(
        results, lambda data: rows(data["same_minimum"].mean("level")), null=HALF, note=note
    )


def _path_plane(results: xr.DataTree) -> Evidence:
    root = results.to_dataset()
    kept, walk, random = (
        float(root[name].mean()) for name in ("path_kept", "walk_kept", "path_kept_random")
    )
    note = (
        "logarithm of what random walks lose over what the path loses; the plane keeps "
        f"{kept:.3g} of the variance on average, that of random walks with the same step lengths "
        f"{walk:.3g} of theirs, a random plane {random:.2g} of the path's"
    )
    return beside_untrained(results, lambda data: rows(data["path_flatness"]), null=0.0, note=note)


def _convex(results: xr.DataTree) -> Evidence:
    return beside_untrained(
        results,
        lambda data: rows(data["convexity"].mean("level")),
        null=0.0,
        note=f"chords between typical points, mean {over_levels(results)}",
    )


def _coarse_first(results: xr.DataTree) -> Evidence:
    levels = results.coords["level"].values
    coarse, fine = int(levels.min()), int(levels.max())

    def of(data: xr.Dataset) -> FloatArray:
        same = data["same_minimum"]
        gap = rows(same.sel(level=coarse) - same.sel(level=fine))
        return gap if coarse < fine else np.full_like(gap, np.nan)

    note = f"level {coarse} minus level {fine}"
    return beside_untrained(
        results, of, null=0.0, note=note if coarse < fine else "one level has no trend"
    )


def _starts(root: xr.Dataset) -> str:
    least, most = int(root["num_converged"].min()), int(root["num_converged"].max())
    return f"{least}" if least == most else f"{least} to {most}"


HYPOTHESES = (
    Hypothesis(
        id="one-minimum",
        statement=(
            "The landscape of a problem has fewer than two effective minima: most pairs of starts "
            "end at the same one, more than with untrained weights."
        ),
        statistic=_one_minimum,
        direction="greater",
        supports="a share of pairs that end together above 1/2 and above that of untrained weights",
        refutes="a share below one of them",
        control=SAME_NETWORK,
        source="the ideal landscape where the answer is determined is one bowl; the inverse of "
        "Σp_i² is the effective number of minima (Simpson 1949)",
        figure="minima",
        needs=("same_minimum", "num_converged"),
    ),
    Hypothesis(
        id="path-plane",
        statement=(
            "The solver's path lies in a plane: its first two principal components keep more than "
            "those of a random walk with the same step lengths, and than with untrained weights."
        ),
        statistic=_path_plane,
        direction="greater",
        supports="less of its variance lost than random walks lose (mean logarithms), by a larger "
        "ratio than with untrained weights",
        refutes="more lost than random walks lose, or a smaller ratio than with untrained weights",
        control=SAME_NETWORK,
        source="the claim of a low-dimensional path; what principal components keep of random "
        "walks: Antognini & Sohl-Dickstein (2018), arXiv 1806.08805",
        figure="path-variance",
        needs=("path_flatness", "path_kept", "walk_kept", "path_kept_random"),
    ),
    Hypothesis(
        id="convex",
        statement=(
            "Along straight lines between typical points the energy is convex, more than with "
            "untrained weights."
        ),
        statistic=_convex,
        direction="greater",
        supports="a convexity score above 0 and above that of untrained weights",
        refutes="a score below one of them",
        control=SAME_NETWORK,
        source="the ideal landscape of a determined answer is a bowl, score 1; an energy whose "
        "sign is as likely turned has score 0",
        figure="convexity",
        needs=("convexity",),
    ),
    Hypothesis(
        id="coarse-first",
        statement=(
            "The coarsest level has fewer effective minima than the finest one, by more than with "
            "untrained weights: annealing begins on a simpler landscape."
        ),
        statistic=_coarse_first,
        direction="greater",
        supports="more pairs of starts end together at the coarsest level than at the finest",
        refutes="fewer do, or the difference is smaller than with untrained weights",
        control=SAME_NETWORK,
        source="Du, Mao & Tenenbaum (2024), arXiv 2406.11179: a sequence of increasingly "
        "non-convex landscapes",
        figure="minima",
        needs=("same_minimum",),
    ),
)
