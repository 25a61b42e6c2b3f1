"""What one work unit of EXP-005 measures: a chunk of problems at all levels, of one network."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from ired_interp.energy.base import Energy
from ired_interp.experiments.exp005_config import Exp005Config
from ired_interp.experiments.exp005_spaces import Split, chosen_rank, space_names, splits
from ired_interp.experiments.exp005_variables import (
    BASE,
    DEFINITIONS,
    MEASURED,
    PLACES,
    RIEMANNIAN,
    TRAJECTORY,
    TYPICAL,
    UNITS,
)
from ired_interp.experiments.model_config import bound_of
from ired_interp.experiments.skill import answer_variables
from ired_interp.experiments.unit_data import (
    described,
    draw_problems,
    level_coords,
    scales_at,
    to_numpy,
)
from ired_interp.geometry import fixed_rank, restriction
from ired_interp.geometry.fixed_rank import FixedRank
from ired_interp.landscape import Landscape
from ired_interp.points import locate
from ired_interp.tasks import Problems, Task
from ired_interp.tasks.completion import Completion

__all__ = ["measure_problems", "measure_random"]

_FLAT = 1e-300  # of a gradient or Hessian that has no share, as it is 0
_AXES = ("problem", "level", "place", "space")


@dataclass(frozen=True, slots=True)
class _Derivatives:
    """∇E, σ_t·H and its eigenpairs, lowest first, at one point a problem."""

    y: Tensor
    gradient: Tensor
    hessian: Tensor
    values: Tensor
    vectors: Tensor
    sigma: float

    def select(self, rows: Tensor) -> "_Derivatives":
        """Of some of the problems."""
        return _Derivatives(
            self.y[rows],
            self.gradient[rows],
            self.hessian[rows],
            self.values[rows],
            self.vectors[rows],
            self.sigma,
        )


def measure_problems(
    model: Energy, task: Task, config: Exp005Config, first: int, count: int, *, answers: bool
) -> xr.Dataset:
    """The stated splits of ``count`` problems from number ``first`` on; the config is planned.

    Args:
        model: The energy, in the config's dtype.
        task: What the problems come from.
        config: What is asked.
        first: Number of the first problem.
        count: How many.
        answers: Whether to store what the model answers, for its skill.
    """
    problems = draw_problems(task, config, first, count)
    own = splits(task, problems, chosen_rank(task, config.rank))
    data = _measure(model, task, config, problems, first, lambda i, name: own[i][name], own)
    if answers:
        extra = answer_variables(
            model, problems, seed=config.seed, first=first, bound=bound_of(config)
        )
        data = data.assign(extra)
    return data


def measure_random(
    model: Energy, task: Task, config: Exp005Config, first: int, count: int, *, draw: int
) -> xr.Dataset:
    """The same at random splits of the same dimensions; ``draw`` numbers them.

    A problem has one rotation a draw, at all levels and places, cut where each split is.
    """
    problems = draw_problems(task, config, first, count)
    own = splits(task, problems, chosen_rank(task, config.rank))
    d, seed = task.dim_y, _random_seed(config.seed, draw)
    frames = restriction.random_frames(count, d, d, seed=seed, first=first).to(problems.y)

    def at_random(i: int, name: str) -> Split:
        q = own[i][name].tangent.shape[1]
        return Split(frames[i, :, :q], frames[i, :, q:], own[i][name].base)

    return _measure(model, task, config, problems, first, at_random, own)


def _measure(
    model: Energy,
    task: Task,
    config: Exp005Config,
    problems: Problems,
    first: int,
    split_of: Callable[[int, str], Split],
    own: list[dict[str, Split]],
) -> xr.Dataset:
    """All numbers of all problems at all levels and places, in the splits that are asked for."""
    names = space_names(task, chosen_rank(task, config.rank))
    n, levels = problems.y.shape[0], config.levels
    shared = {
        place: locate(
            place,
            model,
            problems.x,
            problems.y,
            levels,
            seed=config.seed,
            first=first,
            bound=bound_of(config),
        ).y
        for place in (TYPICAL, TRAJECTORY)
    }
    shape = (n, len(levels), len(PLACES), len(names))
    out = {name: np.full(shape, np.nan) for name in (*MEASURED, *RIEMANNIAN)}
    bases = {name: torch.stack([row[name].base for row in own]) for name in names}
    grouped = {name: _grouped([split_of(i, name) for i in range(n)]) for name in names}
    curved = False
    for k, level in enumerate(levels):
        signal, sigma = scales_at(model.schedule, level)
        land = Landscape(model, problems.x, level)
        for p, place in enumerate(PLACES):
            at = None
            for s, name in enumerate(names):
                y = signal * bases[name] if place == BASE else shared[place][:, k]
                if at is None or not torch.equal(y, at.y):  # most splits share their points
                    at = _derivatives(land, y, sigma)
                for rows, group in grouped[name]:
                    found = at.select(rows)
                    measured = _in_split(found, group.tangent, group.normal)
                    if place == BASE and group.at is not None:
                        curved = True
                        measured |= _on_manifold(found, group.at, signal)
                    for key, value in measured.items():
                        out[key][rows.numpy(), k, p, s] = to_numpy(value)
    kept = [*MEASURED, *(RIEMANNIAN if curved else ())]
    data_vars: dict[str, Any] = {name: (_AXES, out[name], _attrs(name)) for name in kept}
    data_vars |= _given(problems, shared, own, names)
    data_vars |= _bayes_bound(model, task, config, own, names)
    return xr.Dataset(
        data_vars,
        coords=level_coords(model.schedule, config, first, n)
        | {
            "place": list(PLACES),
            "space": list(names),
        },
    )


def _derivatives(land: Landscape, y: Tensor, sigma: float) -> _Derivatives:
    hessian = sigma * land.hessian(y)
    values, vectors = torch.linalg.eigh(hessian)
    return _Derivatives(y, land.gradient(y), hessian, values, vectors, sigma)


def _grouped(own: list[Split]) -> list[tuple[Tensor, Split]]:
    """Rows and splits of the problems whose tangent spaces have one dimension, as batches.

    A mask has as many missing entries as it has; one that has none, or all, has no split.
    """
    d = len(own[0].base)
    out = []
    for q in sorted({split.tangent.shape[1] for split in own} - {0, d}):
        rows = [i for i, split in enumerate(own) if split.tangent.shape[1] == q]
        some = [own[i] for i in rows]
        points = [split.at for split in some if split.at is not None]
        at = (
            FixedRank(*(torch.stack([getattr(one, part) for one in points]) for part in "usv"))
            if points
            else None
        )
        tangent, normal, base = (
            torch.stack([getattr(split, part) for split in some])
            for part in ("tangent", "normal", "base")
        )
        out.append((torch.tensor(rows, device="cpu"), Split(tangent, normal, base, at)))
    return out


def _in_split(at: _Derivatives, tangent: Tensor, normal: Tensor) -> dict[str, Tensor]:
    """Everything of `MEASURED`, a number a problem; NaN where it is not defined."""
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
    gap = at.values[:, q] - at.values[:, q - 1]
    shared = (tangent.mT @ at.vectors[..., :q]).square().sum(dim=(-2, -1)) / q
    resolved = gap > round_off * at.values.abs().amax(dim=-1)
    out["bottom_overlap"] = _where(resolved, shared * d / q)
    return out


def _where(defined: Tensor, value: Tensor) -> Tensor:
    return torch.where(defined, value, torch.nan)


def _on_manifold(at: _Derivatives, base: FixedRank, signal: float) -> dict[str, Tensor]:
    """Curvatures of E along the matrices of fixed rank, at s_t times the base point."""
    point = FixedRank(base.u, signal * base.s, base.v)
    bent = fixed_rank.riemannian_hessian(point, at.sigma * at.gradient, at.hessian)
    found = restriction.curvatures(bent)
    return {
        "riemannian_curvature": found.mean,
        "riemannian_lowest": found.lowest,
        "riemannian_highest": found.highest,
    }


def _given(
    problems: Problems,
    shared: Mapping[str, Tensor],
    own: list[dict[str, Split]],
    names: tuple[str, ...],
) -> dict[str, Any]:
    sizes = np.array([[row[name].tangent.shape[1] for name in names] for row in own])
    d = problems.y.shape[1]
    points = torch.stack([shared[TYPICAL], shared[TRAJECTORY]], dim=2)
    return {
        "x": (("problem", "x_dim"), to_numpy(problems.x), _attrs("x")),
        "answer": (("problem", "y_dim"), to_numpy(problems.y), _attrs("answer")),
        "y": (("problem", "level", "shared_place", "y_dim"), to_numpy(points), _attrs("y")),
        "tangent_dimension": (
            ("problem", "space"),
            sizes,
            {"units": "dimensions"} | _attrs("tangent_dimension"),
        ),
        "normal_dimension": (
            ("problem", "space"),
            d - sizes,
            {"units": "dimensions"} | _attrs("normal_dimension"),
        ),
    }


def _bayes_bound(
    model: Energy,
    task: Task,
    config: Exp005Config,
    own: list[dict[str, Split]],
    names: tuple[str, ...],
) -> dict[str, Any]:
    """Of completion, whose missing entries have a known prior variance."""
    family = task.family
    if not isinstance(family, Completion):
        return {}
    variance = family.variance(config.difficulty)
    timesteps = [model.schedule.timestep(level) for level in config.levels]
    ratio = (model.schedule.signal / model.schedule.sigma)[timesteps].square().numpy() * variance
    learned = ratio / (1 + ratio)  # of each missing entry's variance in units of σ_t²/s_t²
    out = np.full((len(own), len(config.levels), len(names)), np.nan)
    for i, row in enumerate(own):
        num_missing = row["mask"].tangent.shape[1]
        for s, name in enumerate(names):
            q = row[name].tangent.shape[1]
            left = 1 - learned * num_missing / q if q else np.zeros_like(learned)
            out[i, :, s] = np.where(left > 0, 1 / np.where(left > 0, left, 1), np.nan)
    return {"bayes_bound": (("problem", "level", "space"), out, _attrs("bayes_bound"))}


def _random_seed(seed: int, draw: int) -> int:
    """Of a draw of random subspaces, which no other draw of the run has."""
    digest = hashlib.blake2b(f"random subspaces/{seed}/{draw}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def _attrs(name: str) -> dict[str, str]:
    return described(name, DEFINITIONS, UNITS)
