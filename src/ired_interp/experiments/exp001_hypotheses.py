"""What EXP-001 claims, as data: each claim with its null, its control and its statistic.

Every statistic is a pure function of the results and gives one number a problem: eigenvalues,
levels and vectors are averaged within a problem first, as they are no replicates.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import xarray as xr

from ired_interp.experiments.exp001_subspaces import end_shares, own_subspace_name
from ired_interp.experiments.exp001_variables import ALL, BOTTOM, TOP
from ired_interp.experiments.hypothesis import Evidence, Hypothesis
from ired_interp.experiments.model_evidence import (
    SAME_NETWORK,
    Reduced,
    beside_untrained,
    left_out,
    over_levels,
    rows,
    untrained_data,
)
from ired_interp.stats import FloatArray, log_log_slope

__all__ = ["HYPOTHESES", "random_concentration"]

_FLAT_SIGNS = 0.5


def _sharpening(results: xr.DataTree) -> Evidence:
    """Slope of log of mean |σλ| on log σ over the levels of each problem."""

    def of(data: xr.Dataset) -> FloatArray:
        size = rows(abs(data["scaled_eigenvalues"]).mean("eigen", skipna=False), "level")
        if _only_ends(results):
            size = np.full(size.shape, np.nan)
        found: FloatArray = log_log_slope(size, data["sigma"].values).slope
        return found

    num_levels = results.sizes["level"]
    note = _where(results)
    if num_levels < 2:  # noqa: PLR2004 - a slope needs two
        note += "; one level has no slope"
    if _only_ends(results):
        note += "; only the ends of the spectra were measured, which have no mean"
    return _evidence(results, of, null=0.0, note=note)


def _negative_share(results: xr.DataTree) -> Evidence:
    """Share of the eigenvalues that are negative by more than their error, mean over levels."""

    def of(data: xr.Dataset) -> FloatArray:
        return rows((data["num_negative"] / data.sizes["y_dim"]).mean("level"))

    open_signs = float(_found(results.to_dataset())["num_undetermined"].mean().item())
    note = _where(results)
    if open_signs > 0:
        note += (
            f"; on average {open_signs:.2g} of {results.sizes['y_dim']} signs are within their "
            "error and do not count as negative"
        )
    return _evidence(results, of, null=_FLAT_SIGNS, note=note)


def _distance_to_ideal(results: xr.DataTree) -> Evidence:
    """Root mean square of σλ - σλ of the ideal, over eigenvalues and levels.

    The null is a flat landscape, λ = 0, whose distance is the size of the ideal spectrum itself.
    """
    root = results.to_dataset()
    ideal = root["ideal_eigenvalues"] * root["sigma"]

    def of(data: xr.Dataset) -> FloatArray:
        return rows(_size(data["scaled_eigenvalues"] - ideal))

    n = root.sizes["problem"]
    flat = float(_size(ideal.expand_dims(problem=1)).item())
    if math.isnan(flat):
        return Evidence(
            effect=np.full(n, np.nan),
            null=1.0,
            unit="1",
            note="the ideal spectrum of this task is not known in closed form",
        )
    return _evidence(results, of, null=flat, note=_where(results))


def random_concentration(d: int) -> float:
    """Mean logarithm of participation ratio/d of a random symmetric matrix of side d.

    log(64/9π²) - (5/2 - 3π/4)/d + 0.8/d². The first term is the semicircle's (E|λ|)²/E λ². The
    second follows from the next term of the density of the gaussian orthogonal ensemble, which
    adds (1 - 2/π)/d to E|λ| = 8/3π and 1/d to E λ² = 1. The last is fitted to simulated matrices.

    Source: Johansson (1998), doi:10.1215/S0012-7094-98-09108-6, for that term.
    """
    edge = math.log(64 / (9 * math.pi**2))
    return edge - (2.5 - 0.75 * math.pi) / d + 0.8 / d**2


def _concentration(results: xr.DataTree) -> Evidence:
    """Logarithm of participation ratio/d, mean over levels."""

    def of(data: xr.Dataset) -> FloatArray:
        share = data["participation_ratio"] / data.sizes["y_dim"]
        return rows(xr.apply_ufunc(np.log, share.where(share > 0)).mean("level"))

    note = f"logarithm of the share of d, {_where(results)}; 0 is all directions alike"
    if _only_ends(results):
        note += "; only the ends of the spectra were measured, which have no effective rank"
    return _evidence(results, of, null=random_concentration(results.sizes["y_dim"]), note=note)


def _alignment(end: str) -> Callable[[xr.DataTree], Evidence]:
    """How much of an end's eigenvectors lies in the problem's own subspace."""

    def statistic(results: xr.DataTree) -> Evidence:
        root = results.to_dataset()
        task = str(results.attrs.get("task", ""))
        if end not in root["end"].values:
            return Evidence(
                effect=np.full(root.sizes["problem"], np.nan),
                unit="1",
                note=f"no eigenvectors of the {end} end were kept",
            )
        _, others, chance = end_shares(root, task, end)
        unresolved = root["subspace_angle_error"].sel(end=end) >= _largest(root)
        cut = float(unresolved.mean().item())
        note = (
            f"{root.sizes['vector']} vectors in {own_subspace_name(task, end)}, at "
            f"{_point(results)} points; chance alone gives {chance:.3g}{_not_found(results)}"
        )
        if cut > 0:
            note += f"; {cut:.0%} of the points have no such vectors, by a cluster of eigenvalues"
        return beside_untrained(
            results, lambda data: end_shares(data, task, end)[0], null=others, note=note
        )

    return statistic


def _evidence(
    results: xr.DataTree, of: Reduced, *, null: float | FloatArray, note: str
) -> Evidence:
    """Of what was found, without the points where nothing was."""
    return beside_untrained(results, lambda data: of(_found(data)), null=null, note=note)


def _found(data: xr.Dataset) -> xr.Dataset:
    """NaN where no point was found."""
    return data.where(data["status"] == 0)


def _size(scaled: xr.DataArray) -> xr.DataArray:
    """Root mean square over eigenvalues and levels; levels without a point are left out."""
    squares = (scaled**2).mean("eigen", skipna=False).mean("level")
    return squares**0.5


def _largest(data: xr.Dataset) -> float:
    return math.sqrt(data.sizes["vector"])


def _where(results: xr.DataTree) -> str:
    return f"{over_levels(results)}, at {_point(results)} points{_not_found(results)}"


def _not_found(results: xr.DataTree) -> str:
    untrained = untrained_data(results)
    missing = results.to_dataset()["status"] != 0
    return left_out(missing, None if untrained is None else untrained["status"] != 0)


def _point(results: xr.DataTree) -> str:
    return str(results["point"].item())


def _only_ends(results: xr.DataTree) -> bool:
    # Runs of version 1 measured all of them and had no such coordinate.
    return "wanted" in results.coords and not bool((results["wanted"] == ALL).all())


_VECTORS: Sequence[str] = ("eigenvectors", "subspace_angle_error", "x", "answer")

HYPOTHESES = (
    Hypothesis(
        id="sharpening",
        statement=(
            "From the coarse level to the fine one the spectrum sharpens faster than the ideal "
            "landscape's, which must sharpen as 1/σ_t."
        ),
        statistic=_sharpening,
        direction="less",
        supports="mean |σλ| grows as σ falls (a negative slope), beyond untrained weights",
        refutes="it stays or falls as σ falls, or untrained weights sharpen as fast",
        control=SAME_NETWORK,
        source="the optimum of the training loss, H = (I − (s_t²/σ_t²)·Cov[y* | y, x])/σ_t; the "
        "slope of log mean |σλ| on log σ_t is 0 for H = I/σ_t",
        figure="measures",
        needs=("scaled_eigenvalues", "num_negative"),
    ),
    Hypothesis(
        id="definite",
        statement=(
            "At the point examined fewer eigenvalues are negative than with untrained weights, "
            "and fewer than half."
        ),
        statistic=_negative_share,
        direction="less",
        supports="a share of negative eigenvalues below that of untrained weights and below 1/2",
        refutes="a share above that of untrained weights, or above 1/2",
        control=SAME_NETWORK,
        source="a log-concave posterior has σλ in (0, 1]; a random symmetric matrix has half of "
        "its eigenvalues below 0",
        figure="index",
        needs=("num_negative", "num_undetermined"),
    ),
    Hypothesis(
        id="near-ideal",
        statement=(
            "The spectrum is closer to the ideal landscape's than a flat landscape's is, and "
            "closer than with untrained weights."
        ),
        statistic=_distance_to_ideal,
        direction="less",
        supports="a distance below that of λ = 0 and below that of untrained weights",
        refutes="a distance above one of them",
        control=SAME_NETWORK,
        source="the ideal Hessian of the training loss, I/σ_t where the answer is determined",
        figure="spectra",
        needs=("scaled_eigenvalues", "ideal_eigenvalues"),
    ),
    Hypothesis(
        id="few-directions",
        statement=(
            "Curvature concentrates in fewer directions than in a random symmetric matrix and "
            "than with untrained weights: its effective rank is low."
        ),
        statistic=_concentration,
        direction="less",
        supports="a participation ratio (Σ|λ|)²/Σλ² below 0.72·d (less for small d) and untrained "
        "weights",
        refutes="a participation ratio above one of them",
        control=SAME_NETWORK,
        source="the claim of a low-rank landscape; (E|λ|)²/E λ² = 64/9π² for Wigner's semicircle",
        figure="measures",
        needs=("participation_ratio",),
    ),
    Hypothesis(
        id="bottom-aligned",
        statement=(
            "The flattest directions lie in the problem's own subspace more than in those of "
            "other problems, and more than with untrained weights."
        ),
        statistic=_alignment(BOTTOM),
        direction="greater",
        supports="a share of the bottom eigenvectors in the problem's own subspace above both",
        refutes="a share below one of them",
        control=SAME_NETWORK,
        source="σ_t·H = I − (s_t²/σ_t²)·Cov: the bottom eigenvectors are the uncertain directions",
        figure="eigenvectors",
        needs=_VECTORS,
    ),
    Hypothesis(
        id="top-aligned",
        role="exploratory",
        statement=(
            "The sharpest directions lie in the problem's own subspace more than in those of "
            "other problems, and more than with untrained weights."
        ),
        statistic=_alignment(TOP),
        direction="greater",
        supports="a share of the top eigenvectors in the problem's own subspace above both",
        refutes="a share below one of them",
        control=SAME_NETWORK,
        source="the claim that top eigenvectors follow the problem; where the answer is "
        "determined the ideal's are degenerate, hence arbitrary",
        figure="eigenvectors",
        needs=_VECTORS,
    ),
)
