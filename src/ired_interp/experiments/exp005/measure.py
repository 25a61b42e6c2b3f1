"""What EXP-005 measures: gradient and Hessian of a network, split at the problems' own splits.

The Hessian of a point and its eigenpairs do not depend on how space is split: they are computed
once, for the own splits and for all random ones.
"""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ired_interp.energy.base import Energy
from ired_interp.experiments.exp005.spaces import Exp005Config, Split, chosen_rank, splits
from ired_interp.experiments.kit.options import bound_of
from ired_interp.experiments.kit.study import Prepared
from ired_interp.experiments.kit.variables import Values
from ired_interp.experiments.subjects import MODEL
from ired_interp.experiments.unit_data import scales_at, to_numpy
from ired_interp.geometry import fixed_rank, restriction
from ired_interp.geometry.fixed_rank import FixedRank
from ired_interp.landscape import Landscape
from ired_interp.points import locate
from ired_interp.stats import FloatArray
from ired_interp.tasks.completion import Completion

__all__ = [
    "BASE",
    "PLACES",
    "RANDOM",
    "TRAJECTORY",
    "TYPICAL",
    "Divided",
    "in_own_splits",
    "in_random_splits_too",
    "split_spaces",
]

TYPICAL: Final = "typical"
TRAJECTORY: Final = "trajectory"
BASE: Final = "base"
PLACES = (TYPICAL, TRAJECTORY, BASE)
"""Where the derivatives are taken."""
RANDOM: Final = "controls/random"
"""The group of random splits of the same dimensions, of the model alone."""

_FLAT = 1e-300  # of a gradient or Hessian that has no share, as it is 0


@dataclass(frozen=True, kw_only=True)
class Divided(Prepared):
    """How the space of each problem of a unit is split.

    Attributes:
        spaces: The splits of the task.
        batches: Of each of them, the problems that can be computed together.
        bases: The points, unscaled, where splits are stated, [n, b, d]: of several splits one.
        base_of: Which of them is that of a split.
    """

    spaces: tuple[str, ...]
    batches: Mapping[str, Sequence["_Batch"]]
    bases: Tensor
    base_of: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Batch:
    """Problems whose tangent spaces have one dimension q: rows [m], frames [m, d, …]."""

    rows: Tensor
    tangent: Tensor
    normal: Tensor
    at: FixedRank | None


@dataclass(frozen=True, slots=True)
class _Derivatives:
    """∇E, σ_t·H and its eigenpairs, lowest first, at p points of each of n problems.

    Attributes:
        gradient: [n, p, d].
        hessian: [n, p, d, d].
        values: [n, p, d].
        vectors: [n, p, d, d], as columns.
    """

    gradient: Tensor
    hessian: Tensor
    values: Tensor
    vectors: Tensor

    def select(self, rows: Tensor, points: Sequence[int]) -> "_Derivatives":
        """At some of the points of some of the problems."""
        at = (rows[:, None], torch.tensor(points, device="cpu"))
        return _Derivatives(self.gradient[at], self.hessian[at], self.values[at], self.vectors[at])


def split_spaces(config: Exp005Config, given: Prepared) -> Divided:
    """Split the space of each problem; the config is planned."""
    own = splits(given.task, given.problems, chosen_rank(given.task, config.rank))
    spaces = tuple(own[0])
    bases: list[Tensor] = []
    base_of = {}
    for space in spaces:  # most of them are stated at the answer
        base = torch.stack([row[space].base for row in own])
        same = [i for i, known in enumerate(bases) if torch.equal(known, base)]
        base_of[space] = same[0] if same else len(bases)
        bases += [] if same else [base]
    sizes = np.array([[row[space].tangent.shape[1] for space in spaces] for row in own])
    return Divided(
        task=given.task,
        problems=given.problems,
        first=given.first,
        schedule=given.schedule,
        coords={"place": list(PLACES), "space": list(spaces)},
        variables={
            "tangent_dimension": sizes,
            "normal_dimension": given.task.dim_y - sizes,
            **_bayes_bound(config, given, sizes, spaces),
        },
        spaces=spaces,
        batches={space: _batches([row[space] for row in own]) for space in spaces},
        bases=torch.stack(bases, dim=1),
        base_of=base_of,
    )


def in_own_splits(model: Energy, given: Divided, config: Exp005Config) -> Values:
    """What one network has in the splits of the problems, beside the problems themselves."""
    return _measured(model, given, config, [])[0]


def in_random_splits_too(
    model: Energy, given: Divided, config: Exp005Config
) -> Mapping[str, Sequence[Values]]:
    """The same, and what the model has in random splits of the same dimensions.

    A problem has one rotation a draw, at all levels and places, cut where each split is.
    """
    n, d = given.problems.y.shape
    frames = [
        restriction.random_frames(
            n, d, d, seed=_random_seed(config.seed, draw), first=given.first
        ).to(given.problems.y)
        for draw in range(config.random_draws or 0)
    ]
    own, *at_random = _measured(model, given, config, frames)
    return {MODEL: [own], RANDOM: at_random}


def _measured(
    model: Energy, given: Divided, config: Exp005Config, frames: Sequence[Tensor]
) -> list[Values]:
    """All numbers at all levels and places, in the own splits and in those cut from each frame."""
    problems, levels = given.problems, config.levels
    shared = torch.stack(
        [
            locate(
                place,
                model,
                problems.x,
                problems.y,
                levels,
                seed=config.seed,
                first=given.first,
                bound=bound_of(config),
            ).y
            for place in (TYPICAL, TRAJECTORY)
        ],
        dim=2,
    )
    shape = (problems.y.shape[0], len(levels), len(PLACES), len(given.spaces))
    out: list[dict[str, FloatArray]] = [
        defaultdict(lambda: np.full(shape, np.nan)) for _ in range(1 + len(frames))
    ]
    for k, level in enumerate(levels):
        signal, sigma = scales_at(given.schedule, level)
        points = torch.cat([shared[:, k], signal * given.bases], dim=1)
        found = _derivatives(model, problems.x, points, level, sigma)
        for s, space in enumerate(given.spaces):
            for batch in given.batches[space]:
                at = found.select(batch.rows, [0, 1, 2 + given.base_of[space]])
                rows, q = batch.rows.numpy(), batch.tangent.shape[-1]
                turned = (frame[batch.rows] for frame in frames)
                cuts = [(batch.tangent, batch.normal), *((f[..., :q], f[..., q:]) for f in turned)]
                for numbers, (tangent, normal) in zip(out, cuts, strict=True):
                    for name, value in _in_split(at, tangent[:, None], normal[:, None]).items():
                        numbers[name][rows, k, :, s] = to_numpy(value)
                for name, value in _on_manifold(at, batch.at, signal, sigma).items():
                    out[0][name][rows, k, PLACES.index(BASE), s] = to_numpy(value)
    beside = {"x": problems.x, "answer": problems.y, "y": shared, **given.variables}
    return [{**beside, **numbers} for numbers in out]


def _derivatives(
    model: Energy, x: Tensor, points: Tensor, level: int, sigma: float
) -> _Derivatives:
    n, p, d = points.shape
    land, y = Landscape(model, x.repeat_interleave(p, dim=0), level), points.reshape(-1, d)
    hessian = sigma * land.hessian(y).reshape(n, p, d, d)
    return _Derivatives(land.gradient(y).reshape(n, p, d), hessian, *torch.linalg.eigh(hessian))


def _batches(own: Sequence[Split]) -> list[_Batch]:
    """A mask has as many missing entries as it has; one that has none, or all, has no split."""
    d, out = len(own[0].base), []
    for q in sorted({split.tangent.shape[1] for split in own} - {0, d}):
        rows = [i for i, split in enumerate(own) if split.tangent.shape[1] == q]
        tangent, normal = (
            torch.stack([getattr(own[i], part) for i in rows]) for part in ("tangent", "normal")
        )
        points = [at for i in rows if (at := own[i].at) is not None]
        parts = [torch.stack([getattr(one, part) for one in points]) for part in "usv" if points]
        at = FixedRank(*parts) if points else None
        out.append(_Batch(torch.tensor(rows, device="cpu"), tangent, normal, at))
    return out


def _in_split(at: _Derivatives, tangent: Tensor, normal: Tensor) -> dict[str, Tensor]:
    """What there is in any split, [n, p]; NaN where it is not defined."""
    d, q = tangent.shape[-2:]
    round_off = d * torch.finfo(at.values.dtype).eps
    out: dict[str, Tensor] = {}
    for part, frame in (("tangent", tangent), ("normal", normal)):
        out[f"{part}_gradient"] = restriction.mean_square(at.gradient, frame)
        found = restriction.curvatures(restriction.restrict(at.hessian, frame))
        out[f"{part}_curvature"] = found.mean
        out[f"{part}_lowest"], out[f"{part}_highest"] = found.lowest, found.highest
    whole = at.gradient.square().mean(dim=-1)
    out["gradient_share"] = _where(whole > _FLAT, out["normal_gradient"] / whole)
    size = at.values.square().mean(dim=-1).sqrt()
    contrast = out["normal_curvature"] - out["tangent_curvature"]
    out["curvature_contrast"] = _where(size > _FLAT, contrast / size)
    mean = at.values.mean(dim=-1)
    out["curvature_share"] = _where(mean > round_off * size, out["normal_curvature"] / mean)
    # A cut through equal eigenvalues has no lowest q eigenvectors.
    gap = at.values[..., q] - at.values[..., q - 1]
    shared = (tangent.mT @ at.vectors[..., :q]).square().sum(dim=(-2, -1)) / q
    resolved = gap > round_off * at.values.abs().amax(dim=-1)
    out["bottom_overlap"] = _where(resolved, shared * d / q)
    return out


def _where(defined: Tensor, value: Tensor) -> Tensor:
    return torch.where(defined, value, torch.nan)


def _on_manifold(
    at: _Derivatives, base: FixedRank | None, signal: float, sigma: float
) -> dict[str, Tensor]:
    """Curvatures of E along the matrices of fixed rank, at s_t times the base point; [n]."""
    if base is None:
        return {}
    point, place = FixedRank(base.u, signal * base.s, base.v), PLACES.index(BASE)
    bent = fixed_rank.riemannian_hessian(point, sigma * at.gradient[:, place], at.hessian[:, place])
    found = restriction.curvatures(bent)
    return {
        "riemannian_curvature": found.mean,
        "riemannian_lowest": found.lowest,
        "riemannian_highest": found.highest,
    }


def _bayes_bound(
    config: Exp005Config, given: Prepared, sizes: npt.NDArray[Any], spaces: Sequence[str]
) -> dict[str, FloatArray]:
    """Of completion, whose missing entries have a known prior variance; [n, level, space]."""
    family, schedule = given.task.family, given.schedule
    if not isinstance(family, Completion):
        return {}
    timesteps = [schedule.timestep(level) for level in config.levels]
    ratio = (schedule.signal / schedule.sigma)[timesteps].square().numpy()
    ratio = ratio * family.variance(config.difficulty)
    learned = ratio / (1 + ratio)  # of each missing entry's variance in units of σ_t²/s_t²
    num_missing = sizes[:, None, [spaces.index("mask")]]
    with np.errstate(divide="ignore", invalid="ignore"):
        left = 1 - learned[:, None] * num_missing / sizes[:, None]
        return {"bayes_bound": np.where(left > 0, 1 / left, np.nan)}


def _random_seed(seed: int, draw: int) -> int:
    """Of a draw of random subspaces, which no other draw of the run has."""
    digest = hashlib.blake2b(f"random subspaces/{seed}/{draw}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")
