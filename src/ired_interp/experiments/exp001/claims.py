"""What EXP-001 claims: each claim with its null, its control and its statistic.

Eigenvalues, levels and vectors are averaged within a problem first, as they are no replicates.

**The subspaces that belong to a problem itself**, of which the last two claims are:

- ``completion``: the missing entries for the bottom end, the observed ones for the top end; both
  are spanned by coordinates.
- other tasks: span{uᵢvᵢᵀ}, of the singular vectors of the answer as a matrix. For ``inverse`` these
  are the eigenvectors of A, as A⁻¹ has the same.

The **null** is the share in the subspaces of the *other* problems. A random subspace of dimension l
explains l/d of a direction; but the identity matrix lies in every span{uᵢvᵢᵀ} of a symmetric
positive answer, and a symmetric matrix lies in it by more than chance. What every problem shares
says nothing of this one, and the subspaces of other problems have it too. Vectors that know nothing
of their problem are as likely above as below that null, whatever l/d is: it is no second null.
"""

import math
from collections.abc import Callable

import numpy as np
import xarray as xr

from ired_interp.experiments.exp001.measure import ALL, BOTTOM, TOP
from ired_interp.experiments.hypothesis import Evidence
from ired_interp.experiments.kit.claims import Claim
from ired_interp.experiments.model_evidence import (
    Reduced,
    beside_untrained,
    left_out,
    over_levels,
    rows,
    untrained_data,
)
from ired_interp.stats import FloatArray, log_log_slope

__all__ = ["CLAIMS", "end_shares", "own_subspace_name", "random_concentration"]

_COMPLETION = "completion"
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


def own_subspace_name(task: str, end: str) -> str:
    """The subspace in words."""
    if task == _COMPLETION:
        return "the missing entries" if end == BOTTOM else "the observed entries"
    if task == "inverse":
        return "the matrices with A’s eigenvectors"
    return "the matrices with the answer’s singular vectors"


def end_shares(data: xr.Dataset, task: str, end: str) -> tuple[FloatArray, FloatArray, float]:
    """How much of an end's eigenvectors lies in the problem's own subspace.

    tr(P_V·P_S)/k for the k vectors V of the end and the subspace S, mean over the levels where the
    cut behind the k-th vector goes through no cluster of eigenvalues.

    Args:
        data: One case, with ``eigenvectors``.
        task: Its name.
        end: ``top`` or ``bottom``.

    Returns:
        The share a problem; that in the subspaces of the other problems, or of a random subspace
        where there is no other; and the mean of the random share over problems. NaN where no level
        is left, and where the subspace is nothing or everything.
    """
    vectors = data["eigenvectors"].sel(end=end).transpose("problem", "level", "vector", "y_dim")
    resolved = data["subspace_angle_error"].sel(end=end) < data.sizes["vector"] ** 0.5
    v = vectors.where(resolved & (data["status"] == 0)).values.astype(np.float64)
    frames = _frames(data, task, end)
    d = v.shape[-1]
    chance = np.array([frame.shape[1] for frame in frames]) / d
    table = np.stack([np.square(v @ frame).sum(axis=-1).mean(axis=-1) for frame in frames], axis=1)
    table[:, (chance == 0) | (chance == 1)] = np.nan
    shares = _mean(table, 2)  # [problem whose vectors, problem whose subspace]
    own = np.diagonal(shares).copy()
    elsewhere = np.where(np.eye(len(frames), dtype=bool), np.nan, shares)
    others = _mean(elsewhere, 1)
    return own, np.where(np.isnan(others), chance, others), float(chance.mean())


def _frames(data: xr.Dataset, task: str, end: str) -> list[FloatArray]:
    """An orthonormal frame [d, l] of each problem's own subspace."""
    d = data.sizes["y_dim"]
    if task == _COMPLETION:
        # A missing entry is exactly 0 in x, which an observed one is with probability 0.
        missing = data["x"].values == 0
        kept = missing if end == BOTTOM else ~missing
        return [np.eye(d)[:, row] for row in kept]
    answer = data["answer"].transpose("problem", "y_dim").values.astype(np.float64)
    size = round(d**0.5)
    u, _, vt = np.linalg.svd(answer.reshape(-1, size, size))
    outer = np.einsum("nri,nic->nrci", u, vt).reshape(len(answer), d, size)
    return list(outer)


def _mean(values: FloatArray, axis: int) -> FloatArray:
    """Over what is finite; NaN where nothing is."""
    there = np.isfinite(values)
    count = there.sum(axis=axis)
    total = np.where(there, values, 0.0).sum(axis=axis)
    out: FloatArray = np.where(count, total / np.maximum(count, 1), np.nan)
    return out


_VECTORS = ("eigenvectors", "subspace_angle_error", "x", "answer")

CLAIMS = (
    Claim(
        id="sharpening",
        statement="From the coarse level to the fine one the spectrum sharpens faster than the "
        "ideal landscape's, which must sharpen as 1/σ_t.",
        effect=_sharpening,
        what="a slope of log mean |σλ| on log σ",
        direction="less",
        source="the optimum of the training loss, H = (I − (s_t²/σ_t²)·Cov[y* | y, x])/σ_t; the "
        "slope of log mean |σλ| on log σ_t is 0 for H = I/σ_t",
        chart="measures",
        needs=("scaled_eigenvalues", "num_negative"),
    ),
    Claim(
        id="definite",
        statement="At the point examined fewer eigenvalues are negative than with untrained "
        "weights, and fewer than half.",
        effect=_negative_share,
        what="a share of negative eigenvalues",
        null_words="1/2",
        direction="less",
        source="a log-concave posterior has σλ in (0, 1]; a random symmetric matrix has half of "
        "its eigenvalues below 0",
        chart="index",
        needs=("num_negative", "num_undetermined"),
    ),
    Claim(
        id="near-ideal",
        statement="The spectrum is closer to the ideal landscape's than a flat landscape's is, and "
        "closer than with untrained weights.",
        effect=_distance_to_ideal,
        what="a distance from the ideal spectrum",
        null_words="that of λ = 0",
        direction="less",
        source="the ideal Hessian of the training loss, I/σ_t where the answer is determined",
        chart="spectra",
        needs=("scaled_eigenvalues", "ideal_eigenvalues"),
    ),
    Claim(
        id="few-directions",
        statement="Curvature concentrates in fewer directions than in a random symmetric matrix "
        "and than with untrained weights: its effective rank is low.",
        effect=_concentration,
        what="a participation ratio (Σ|λ|)²/Σλ²",
        null_words="0.72·d (less for small d)",
        direction="less",
        source="the claim of a low-rank landscape; (E|λ|)²/E λ² = 64/9π² for Wigner's semicircle",
        chart="measures",
        needs=("participation_ratio",),
    ),
    Claim(
        id="bottom-aligned",
        statement="The flattest directions lie in the problem's own subspace more than in those of "
        "other problems, and more than with untrained weights.",
        effect=_alignment(BOTTOM),
        what="a share of the bottom eigenvectors in the problem's own subspace",
        null_words="that in those of other problems",
        source="σ_t·H = I − (s_t²/σ_t²)·Cov: the bottom eigenvectors are the uncertain directions",
        chart="eigenvectors",
        needs=_VECTORS,
    ),
    Claim(
        id="top-aligned",
        role="exploratory",
        statement="The sharpest directions lie in the problem's own subspace more than in those of "
        "other problems, and more than with untrained weights.",
        effect=_alignment(TOP),
        what="a share of the top eigenvectors in the problem's own subspace",
        null_words="that in those of other problems",
        source="the claim that top eigenvectors follow the problem; where the answer is "
        "determined the ideal's are degenerate, hence arbitrary",
        chart="eigenvectors",
        needs=_VECTORS,
    ),
)
