"""How well a distance predicts energy, one number a problem.

**Null of a partial correlation and of an added R².** Neither is 0 where there is nothing: what a
partial rank correlation takes away is linear in ranks, and a predictor that means nothing costs R²
out of sample. So distances are exchanged among moves that are neighbours in length, which keeps
how distance goes with length and breaks everything else, and the statistic is taken again.

Source: the conditional permutation of Berrett, Wang, Barber & Samworth (2020),
doi:10.1111/rssb.12340, here within blocks of equal length (Rosenbaum 1984, doi:10.2307/2288402).
"""

import numpy as np

from ired_interp.stats import FloatArray, partial_spearman

__all__ = ["added_share", "exchanged", "partial_and_null", "resolved"]

_NEIGHBOURS = 5  # moves that may exchange their distances
_ROUND_OFF = 64  # of the dtype's eps: energies closer than this are one
_DECIMALS = 12


def resolved(energy: FloatArray, eps: float) -> FloatArray:
    """The energies [..., m], NaN throughout a row whose energies differ by round-off alone."""
    spread = energy.max(axis=-1) - energy.min(axis=-1)
    tells = spread > _ROUND_OFF * eps * np.abs(energy).max(axis=-1)
    return np.where(tells[..., None], energy, np.nan)


def added_share(energy: FloatArray, length: FloatArray, distance: FloatArray) -> FloatArray:
    """What distance² adds to length² in R², out of sample.

    Least squares with an intercept, fitted on every other move and tried on the rest, both ways:
    (SSE without - SSE with)/SST. Moves where something is NaN are left out.

    Args:
        energy: Shape [..., m].
        length: Likewise; the leading axes broadcast.
        distance: Likewise.

    Returns:
        Shape [...]; NaN where the energy does not vary or distance is proportional to length.
    """
    energy, length, distance = np.broadcast_arrays(energy, length, distance)
    known = np.isfinite(energy) & np.isfinite(length) & np.isfinite(distance)
    target = _standard(energy, known)
    one, two = _standard(length**2, known), _standard(distance**2, known)
    short = np.stack([known.astype(np.float64), one], axis=-1)
    long = np.concatenate([short, two[..., None]], axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = (_error(short, target) - _error(long, target)) / (target**2).sum(axis=-1)
    same = np.abs(one - two).max(axis=-1) < 10.0**-_DECIMALS
    empty = (target**2).sum(axis=-1) == 0
    return np.where(same | empty, np.nan, np.round(gain, _DECIMALS))


def exchanged(
    length: FloatArray, distance: FloatArray, *, draws: int, rng: np.random.Generator
) -> FloatArray:
    """Distances [m] exchanged among neighbours in length [m], [draws, m]."""
    order = np.argsort(length, kind="stable")
    block = np.arange(length.size) // _NEIGHBOURS
    out = np.empty((draws, length.size))
    for row in out:
        shuffled = np.lexsort((rng.random(length.size), block))
        row[order] = distance[order][shuffled]
    return out


def partial_and_null(
    energy: FloatArray, length: FloatArray, distance: FloatArray, *, draws: int, seed: list[int]
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Partial correlation and added R² of one problem at its levels, each with its null.

    Args:
        energy: Shape [levels, m].
        length: Shape [m].
        distance: Shape [m].
        draws: Exchanges that the nulls are means of.
        seed: Of the exchanges.

    Returns:
        partial, its null, added R², its null; each [levels].
    """
    partial = partial_spearman(energy, distance, length).coefficient
    added = added_share(energy, length, distance)
    known = np.isfinite(distance)
    if np.isnan(added).all() and np.isnan(partial).all():
        return partial, partial, added, added
    # Only those that are defined change places.
    other = np.full((draws, 1, distance.size), np.nan)
    other[:, 0, known] = exchanged(
        length[known], distance[known], draws=draws, rng=np.random.default_rng(seed)
    )
    partial_null = partial_spearman(energy, other, length[None, None]).coefficient.mean(axis=0)
    added_null = added_share(energy, length, other).mean(axis=0)
    return partial, partial_null, added, added_null


def _standard(values: FloatArray, known: np.ndarray) -> FloatArray:
    """Centred, of length 1 along the last axis; 0 where not known."""
    count = np.maximum(known.sum(axis=-1, keepdims=True), 1)
    filled = np.where(known, values, 0.0)
    centred = np.where(known, filled - filled.sum(axis=-1, keepdims=True) / count, 0.0)
    size = np.sqrt((centred**2).sum(axis=-1, keepdims=True))
    out: FloatArray = np.divide(centred, size, out=np.zeros_like(centred), where=size > 0)
    return out


def _error(design: FloatArray, target: FloatArray) -> FloatArray:
    """Squared error of what was not fitted, over both halves; [...]."""
    odd = np.arange(target.shape[-1]) % 2 == 1
    total = np.zeros(target.shape[:-1])
    for fitted, tried in ((odd, ~odd), (~odd, odd)):
        solver = np.linalg.pinv(design[..., fitted, :])
        coefficients = solver @ target[..., fitted, None]
        left = target[..., tried, None] - design[..., tried, :] @ coefficients
        total = total + (left[..., 0] ** 2).sum(axis=-1)
    return np.asarray(total)
