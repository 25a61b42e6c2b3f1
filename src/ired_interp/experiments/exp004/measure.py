"""What EXP-004 measures: energies of moved matrices, and how well each distance predicts them.

**Null of a partial correlation and of an added R².** Neither is 0 where there is nothing: what a
partial rank correlation takes away is linear in ranks, and a predictor that means nothing costs R²
out of sample. So distances are exchanged among moves that are neighbours in length, which keeps
how distance goes with length and breaks everything else, and the statistic is taken again.

Source: the conditional permutation of Berrett, Wang, Barber & Samworth (2020),
doi:10.1111/rssb.12340, here within blocks of equal length (Rosenbaum 1984, doi:10.2307/2288402).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ired_interp.draws import RowDraws
from ired_interp.energy.base import Energy
from ired_interp.energy.exact import exact_model
from ired_interp.experiments.exp004.distances import AFFINE, FROBENIUS, distances, metric_names
from ired_interp.experiments.exp004.moves import (
    Exp004Config,
    base_points,
    chosen_base,
    chosen_rank,
    kinds_of,
    moved,
)
from ired_interp.experiments.kit.study import Prepared
from ired_interp.experiments.kit.variables import Values
from ired_interp.experiments.unit_data import scales_at, to_numpy
from ired_interp.landscape import Landscape
from ired_interp.stats import FloatArray, IntArray, partial_spearman, spearman
from ired_interp.tasks.gaussian import Gaussian

__all__ = [
    "FIXED",
    "GROWING",
    "SWEEPS",
    "Moved",
    "added_share",
    "exchanged",
    "move_matrices",
    "moves_of",
    "partial_and_null",
    "predict_energy",
    "resolved",
]

GROWING, FIXED = "growing", "fixed"
SWEEPS = (GROWING, FIXED)

_EXCHANGES = 10
_NEIGHBOURS = 5  # moves that may exchange their distances
_ROUND_OFF = 64  # of the dtype's eps: energies closer than this are one
_DECIMALS = 12


@dataclass(frozen=True, kw_only=True)
class Moved(Prepared):
    """The moves of a unit's problems.

    Attributes:
        base: B, [n, side, side], in the problems' dtype.
        ends: B + δ, [n, sweep, move, side, side], float64.
        length: ‖δ‖, [n, sweep, move].
        distance: From B, [n, sweep, move, metric].
        metrics: Names of the distances.
        kind: Of each move, [move].
        bowl: Energy of the isotropic bowl, [n, level, sweep, move].
        of_bowl: How well each distance predicts that, by variable.
    """

    base: Tensor
    ends: Tensor
    length: FloatArray
    distance: FloatArray
    metrics: tuple[str, ...]
    kind: npt.NDArray[Any]
    bowl: Tensor
    of_bowl: Mapping[str, FloatArray]


def moves_of(
    base: Tensor, kinds: tuple[str, ...], config: Exp004Config, *, rank: int, first: int
) -> Tensor:
    """δ of all moves, [n, sweep, move, side, side], float64; moves of one kind stand together."""
    n, each = base.shape[0], config.moves or 0
    size = torch.linalg.matrix_norm(base.to(torch.float64))[:, None]

    def of_kind(sweep: str, kind: str) -> Tensor:
        # One length in each of so many equal steps, so that no two are the same.
        draws = RowDraws(n, seed=config.seed, purpose=f"exp004/lengths/{kind}", first=first)
        steps = (torch.arange(each, device="cpu") + draws.uniform(0.1, 0.9, each)) / each
        share = config.longest * steps if sweep == GROWING else config.length
        lengths = size * share * torch.ones(n, each, dtype=torch.float64, device="cpu")
        return moved(base, kind, lengths, rank=rank, seed=config.seed, purpose=sweep, first=first)

    return torch.stack([torch.cat([of_kind(s, k) for k in kinds], dim=1) for s in SWEEPS], dim=1)


def move_matrices(config: Exp004Config, given: Prepared) -> Moved:
    """Move the problems' matrices, and measure how far they went; the config is planned."""
    task, problems = given.task, given.problems
    where = chosen_base(task, config.base)
    rank = chosen_rank(task, config.rank, where)
    kinds, metrics = kinds_of(task, where, rank), metric_names(task, rank)
    base = base_points(task, problems, where)
    moves = moves_of(base.cpu(), kinds, config, rank=rank, first=given.first)
    ends = base.cpu().to(torch.float64)[:, None, None] + moves
    sweeps = range(len(SWEEPS))
    apart = [distances(base.cpu(), ends[:, i], metrics, rank=rank) for i in sweeps]
    distance = to_numpy(torch.stack(apart, dim=1))
    kind = np.repeat(kinds, config.moves or 0)
    flat, points = base.flatten(1), _matrices(ends, base)
    bowls = [_bowl(given, level, flat, points) for level in config.levels]
    length, bowl = to_numpy(torch.linalg.matrix_norm(moves)), torch.stack(bowls, dim=1)
    variables: dict[str, Any] = {
        "base": flat,
        "length": length,
        "distance": distance,
        "bowl_energy": bowl,
    }
    if AFFINE in metrics:
        inside = np.isfinite(distance[..., metrics.index(AFFINE)]).mean(axis=-1)
        variables["spd_share"] = inside
    if isinstance(task.family, Gaussian):
        ideal = exact_model(task).to(device=base.device, dtype=base.dtype)
        variables["ideal_energy"] = _energies(ideal, given, config, points)
    elif task.family.determined:
        ideals = [_bowl(given, level, problems.y, points) for level in config.levels]
        variables["ideal_energy"] = torch.stack(ideals, dim=1)
    return Moved(
        task=task,
        problems=problems,
        first=given.first,
        schedule=given.schedule,
        coords={
            "sweep": list(SWEEPS),
            "metric": list(metrics),
            "kind": list(kinds),
            "kind_of_move": ("move", kind),
        },
        variables=variables,
        base=base,
        ends=ends,
        length=length,
        distance=distance,
        metrics=metrics,
        kind=kind,
        bowl=bowl,
        of_bowl=_bowl_correlations(length, distance, _random(kind)),
    )


def predict_energy(model: Energy, given: Moved, config: Exp004Config) -> Values:
    """Energies of one network, and how well each distance predicts them."""
    found = _energies(model, given, config, _matrices(given.ends, given.base))
    flat, levels = given.base.flatten(1), config.levels
    at_base = [
        Landscape(model, given.problems.x, k).energy(scales_at(given.schedule, k)[0] * flat)
        for k in levels
    ]
    energy, base_energy = to_numpy(found), to_numpy(torch.stack(at_base, dim=1))
    eps = torch.finfo(given.base.dtype).eps
    fixed = SWEEPS.index(FIXED)
    rise = (energy - base_energy[..., None, None])[:, :, fixed] / to_numpy(given.bowl)[:, :, fixed]
    kinds = dict.fromkeys(given.kind)
    relative = np.stack([rise[..., given.kind == one].mean(axis=-1) for one in kinds], axis=-1)
    return {
        "energy": energy,
        "base_energy": base_energy,
        "relative_energy": relative,
        **given.of_bowl,
        **_predicted(resolved(energy, eps), given, config.seed),
    }


def _matrices(ends: Tensor, like: Tensor) -> Tensor:
    """[n, sweep, move, d], as the energies take them."""
    return ends.to(like).flatten(-2)


def _energies(model: Energy, given: Prepared, config: Exp004Config, points: Tensor) -> Tensor:
    """At s_t times the points, [n, level, sweep, move]."""
    n, sweeps, m, d = points.shape
    x = given.problems.x.repeat_interleave(sweeps * m, dim=0)
    out = []
    for level in config.levels:
        signal, _ = scales_at(given.schedule, level)
        energy = Landscape(model, x, level).energy(signal * points.reshape(-1, d))
        out.append(energy.reshape(n, sweeps, m))
    return torch.stack(out, dim=1)


def _bowl(given: Prepared, level: int, centre: Tensor, points: Tensor) -> Tensor:
    """‖y − s_t·centre‖²/(2σ_t) at s_t times the points, [n, sweep, move]."""
    signal, sigma = scales_at(given.schedule, level)
    apart: Tensor = signal * points - signal * centre[:, None, None]
    return apart.square().sum(dim=-1) / (2 * sigma)


def _random(kind: npt.NDArray[Any]) -> IntArray:
    """The places of the random moves."""
    return np.flatnonzero(kind == "random")


def _bowl_correlations(
    length: FloatArray, distance: FloatArray, random: IntArray
) -> dict[str, FloatArray]:
    """Of the bowl, whose energy ranks as the length does: of no move at fixed length."""
    growing = SWEEPS.index(GROWING)
    of_all = np.full((len(length), len(SWEEPS), distance.shape[-1]), np.nan)
    far, apart = length[:, growing, None], np.moveaxis(distance[:, growing], -1, 1)
    of_all[:, growing] = spearman(far, apart).coefficient
    of_random = spearman(far[..., random], apart[..., random]).coefficient
    return {"bowl_spearman": of_all, "random_bowl": of_random}


def _predicted(energy: FloatArray, given: Moved, seed: int) -> dict[str, FloatArray]:
    """How well each metric predicts, by problem; energies [n, level, sweep, move]."""
    n, levels = energy.shape[:2]
    num, random = len(given.metrics), _random(given.kind)
    growing = SWEEPS.index(GROWING)
    of_all = np.full((n, levels, len(SWEEPS), num), np.nan)
    of_random = np.full((n, levels, num), np.nan)
    beyond = np.full((4, n, levels, num), np.nan)
    for j, metric in enumerate(given.metrics):
        apart = given.distance[..., j]
        rises, far = energy[:, :, growing], apart[:, growing]
        of_all[:, :, growing, j] = spearman(rises, far[:, None]).coefficient
        of_random[..., j] = spearman(rises[..., random], far[:, None, random]).coefficient
        if metric == FROBENIUS:
            continue  # at fixed length it does not vary, and given itself nothing is left of it
        fixed = SWEEPS.index(FIXED)
        of_all[:, :, fixed, j] = spearman(energy[:, :, fixed], apart[:, None, fixed]).coefficient
        for i in range(n):
            beyond[:, i, :, j] = partial_and_null(
                rises[i],
                given.length[i, growing],
                far[i],
                draws=_EXCHANGES,
                seed=[seed, given.first + i, j],
            )
    names = ("partial", "partial_null", "added", "added_null")
    return {
        "spearman": of_all,
        "random_spearman": of_random,
        **dict(zip(names, beyond, strict=True)),
    }


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
