"""What one work unit of EXP-001 measures: a chunk of problems at all levels, of one network."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from ired_interp import curvature
from ired_interp.curvature.eigenspaces import Eigenpairs, End
from ired_interp.energy.base import Energy
from ired_interp.energy.exact import ideal_spectrum
from ired_interp.experiments.exp001_config import Exp001Config
from ired_interp.experiments.exp001_memory import levels_at_once
from ired_interp.experiments.exp001_posterior import posterior_reading
from ired_interp.experiments.exp001_spectra import ROUTES, Request, of_spectrum
from ired_interp.experiments.exp001_variables import (
    BOTTOM,
    COUNTS,
    DEFINITIONS,
    TOP,
    UNITS,
    dims_of,
    measured_names,
)
from ired_interp.experiments.model_config import bound_of
from ired_interp.experiments.skill import answer_variables
from ired_interp.experiments.unit_data import (
    draw_problems,
    level_coords,
    to_numpy,
)
from ired_interp.landscape import Landscape
from ired_interp.points import Points, locate
from ired_interp.tasks import Task

__all__ = ["measure_problems"]


def measure_problems(
    model: Energy,
    task: Task,
    config: Exp001Config,
    first: int,
    count: int,
    *,
    answers: bool,
) -> xr.Dataset:
    """Everything about ``count`` problems from number ``first`` on; the config is planned.

    Args:
        model: Or a control.
        task: Which the problems are drawn from.
        config: Of the run.
        first: Number of the first problem.
        count: How many.
        answers: Also what the model answers, and the minimum behind it.
    """
    problems = draw_problems(task, config, first, count)
    places = [
        locate(
            config.point,
            model,
            problems.x,
            problems.y,
            config.levels,
            seed=seed,
            first=first,
            bound=bound_of(config),
        )
        for seed in (config.seed, _second_seed(config.seed))[: config.noise_draws or 1]
    ]
    request = Request(
        config.top,
        config.bottom,
        config.eigenvectors or 0,
        parts=config.parts == "yes",
        posterior=config.top is None and config.point == "typical",
    )
    columns: dict[str, list[Tensor]] = {}
    step = levels_at_once(config, count, dim_y=task.dim_y)
    for begin in range(0, len(config.levels), step):
        some = slice(begin, begin + step)
        levels = torch.tensor(config.levels[some], device="cpu")
        rows = torch.arange(count, device="cpu").repeat_interleave(len(levels))
        land = Landscape(model, problems.x[rows], levels.repeat(count))
        at = [points.y[:, some].flatten(0, 1) for points in places]
        found = places[0].found[:, some].flatten()
        timesteps = [model.schedule.timestep(level) for level in config.levels[some]]
        tables = (model.schedule.signal, model.schedule.sigma)
        signal, sigma = (table[timesteps].repeat(count) for table in tables)
        measured = _at_points(land, at, found, (signal, sigma), request, problems.y[rows])
        for name, value in measured.items():
            shaped = value.reshape(count, len(levels), *value.shape[1:])
            columns.setdefault(name, []).append(shaped)
    data_vars = _given(problems.x, problems.y, places, config)
    if answers:
        data_vars |= answer_variables(
            model, problems, seed=config.seed, first=first, bound=bound_of(config)
        )
    for name, values in columns.items():
        attrs = {"units": UNITS[name], "long_name": DEFINITIONS[name].meaning}
        if name == "route":
            attrs["flag_meanings"] = "; ".join(f"{i}: {route}" for i, route in enumerate(ROUTES))
        data_vars[name] = (
            ("problem", "level", *dims_of(name)),
            to_numpy(torch.cat(values, dim=1)),
            attrs,
        )
    timesteps = [model.schedule.timestep(level) for level in config.levels]
    ideal = ideal_spectrum(task, model.schedule, timesteps)
    data_vars["ideal_eigenvalues"] = (
        ("level", "eigen"),
        to_numpy(_as_wanted(ideal, request)),
        {"units": "energy / y^2", "long_name": DEFINITIONS["ideal_eigenvalues"].meaning},
    )
    coords = level_coords(model.schedule, config, first, count) | {
        "eigen": np.arange(len(request.wanted(task.dim_y))),
        "wanted": ("eigen", request.wanted(task.dim_y)),
        "point": config.point,
    }
    if request.vectors:
        coords |= {"end": list(request.ends), "vector": np.arange(request.vectors)}
    if request.parts:
        coords["part"] = list(land.part_names)
    return xr.Dataset(data_vars, coords=coords)


def _given(x: Tensor, answer: Tensor, places: list[Points], config: Exp001Config) -> dict[str, Any]:
    """The problems and the points."""
    data_vars: dict[str, Any] = {
        "x": (("problem", "x_dim"), to_numpy(x), {"long_name": "the question"}),
        "answer": (("problem", "y_dim"), to_numpy(answer), {"long_name": "the true answer y*"}),
        "y": (
            ("problem", "level", "y_dim"),
            to_numpy(places[0].y),
            {"long_name": f"point examined ({config.point}), in the level's coordinates"},
        ),
        "status": (
            ("problem", "level"),
            to_numpy((~places[0].found).to(torch.int8)),
            {"long_name": "0: a point was found; 1: the search for a minimum did not converge"},
        ),
    }
    for points in places[1:]:
        data_vars["second_y"] = (
            ("problem", "level", "y_dim"),
            to_numpy(points.y),
            {"long_name": DEFINITIONS["second_y"].meaning},
        )
    return data_vars


def _at_points(
    land: Landscape,
    at: list[Tensor],
    found: Tensor,
    scales: tuple[Tensor, Tensor],
    request: Request,
    answer: Tensor,
) -> dict[str, Tensor]:
    """Everything measured at some points; NaN (and -1 for counts) where none was found.

    Args:
        land: Of as many rows: problems at their levels.
        at: The points of each draw.
        found: Where there is one.
        scales: s_t and σ_t of each row.
        request: What is asked of the spectrum.
        answer: y* of each row.
    """
    y = at[0]
    n, d = y.shape
    measured: dict[str, Tensor] = {}
    rows = found.nonzero().flatten()
    if len(rows):
        there, here = land.select(rows), y[rows]
        signal, sigma = (scale.to(y)[rows] for scale in scales)
        spec = curvature.spectrum(there, here, request.top, request.bottom)
        measured = of_spectrum(spec, sigma, request)
        energy, gradient = there.energy_and_gradient(here)
        measured |= {"energy": energy, "gradient_norm": gradient.norm(dim=1)}
        if request.posterior:
            diagonal = (spec.eigenvectors.square() * spec.eigenvalues[:, None]).sum(dim=2)
            measured |= posterior_reading(
                diagonal,
                gradient,
                here,
                answer[rows],
                sigma=sigma[:, None],
                signal=signal[:, None],
            )
        spaces: dict[End, curvature.Eigenspace] = {}
        if request.vectors:
            kept, spaces = _of_ends(spec, request)
            measured |= kept
        if request.parts:
            measured |= _of_parts(there, here, spec, measured, request)
            if request.top is not None:  # the traces tell what the ends do not
                trace = measured["part_traces"].sum(dim=1)
                measured["mean_scaled_eigenvalue"] = sigma * trace / d
        for second in at[1:]:
            measured |= _of_second(there, second[rows], spaces, request)
    names = measured_names(
        every=request.top is None,
        vectors=request.vectors > 0,
        parts=request.parts,
        draws=len(at) > 1,
        posterior=request.posterior,
    )
    sizes = {
        "eigen": len(request.wanted(d)),
        "end": len(request.ends),
        "vector": request.vectors,
        "y_dim": d,
        "part": len(land.part_names) if request.parts else 0,
    }
    filled = {}
    for name in names:
        shape = (n, *(sizes[dim] for dim in dims_of(name)))
        dtype = COUNTS.get(name, y.dtype)
        out = torch.full(shape, -1 if name in COUNTS else torch.nan, dtype=dtype, device="cpu")
        if measured:
            out[found.cpu()] = measured[name].cpu().to(dtype)
        filled[name] = out
    return filled


def _of_ends(
    spec: curvature.Spectrum, request: Request
) -> tuple[dict[str, Tensor], dict[End, curvature.Eigenspace]]:
    """The first eigenvectors of each end, and the subspaces that they span."""
    kept: dict[str, list[Tensor]] = {}
    spaces = {}
    for end in request.ends:
        columns = request.columns(end)
        pairs: Eigenpairs = curvature.take(spec, columns)
        labels = spec.clusters[:, columns]
        values = pairs.eigenvalues
        key = -values.abs() if end == TOP else values
        first = key.argsort(dim=1, stable=True)[:, : request.vectors]
        sizes = (labels[:, :, None] == labels[:, None, :]).sum(dim=2)
        space = curvature.eigenspace(pairs, request.vectors, end)
        spaces[end] = space
        for name, value in {
            "eigenvectors": _signed(space.frame).mT,
            "vector_eigen": first + (columns.start or 0),
            "vector_cluster_size": sizes.gather(1, first),
            "vector_gap": curvature.clusters(pairs).gap.gather(1, first),
            "subspace_gap": space.gap,
            "subspace_angle_error": space.angle_error,
        }.items():
            kept.setdefault(name, []).append(value)
    return {name: torch.stack(values, dim=1) for name, values in kept.items()}, spaces


def _of_parts(
    land: Landscape,
    y: Tensor,
    spec: curvature.Spectrum,
    measured: Mapping[str, Tensor],
    request: Request,
) -> dict[str, Tensor]:
    """Traces and shares of the parts, and what they contribute along the stored eigenvectors."""
    n, d = y.shape
    if request.top is None:
        apart = curvature.split(land, y, spec.eigenvectors)
        along, values = apart.contributions, spec.eigenvalues
        out = {
            "part_traces": along.sum(dim=2),
            "part_shares": (along * values[:, None]).sum(dim=2)
            / values.square().sum(dim=1, keepdim=True),
        }
    else:
        out = {"part_traces": curvature.part_traces(land, y)}
    if request.vectors:
        if request.top is None:  # the stored vectors are among all of them
            columns = measured["vector_eigen"].flatten(1)
            names = columns[:, None].expand(-1, along.shape[1], -1)
            contributions, defects = along.gather(2, names), apart.defects.gather(1, columns)
        else:
            kept = curvature.split(land, y, measured["eigenvectors"].reshape(n, -1, d).mT)
            contributions, defects = kept.contributions, kept.defects
        shape = (n, len(request.ends), request.vectors)
        out["contributions"] = contributions.reshape(n, -1, *shape[1:])
        out["contribution_defects"] = defects.reshape(shape)
    return out


def _of_second(
    land: Landscape,
    y: Tensor,
    spaces: Mapping[End, curvature.Eigenspace],
    request: Request,
) -> dict[str, Tensor]:
    """How far the subspaces at a second point agree with those at the first."""
    num = min(request.vectors + 1, land.dim_y)
    top, bottom = (num if end in request.ends else 0 for end in (TOP, BOTTOM))
    spec = curvature.spectrum(land, y, top, bottom, index=False)
    overlaps = []
    for end in request.ends:
        columns = slice(0, top) if end == TOP else slice(top, None)
        space = curvature.eigenspace(curvature.take(spec, columns), request.vectors, end)
        overlaps.append(curvature.overlap_between(spaces[end], space))
    return {
        "draw_overlap": torch.stack([found.overlap for found in overlaps], dim=1),
        "draw_overlap_error": torch.stack([found.error for found in overlaps], dim=1),
    }


def _signed(vectors: Tensor) -> Tensor:
    """Each with its largest entry positive: the sign of an eigenvector is arbitrary."""
    largest = vectors.abs().argmax(dim=1, keepdim=True)
    return vectors * vectors.gather(1, largest).sign()


def _as_wanted(ideal: Tensor, request: Request) -> Tensor:
    """The eigenvalues of the ideal that stand where those that were asked for do."""
    if request.top is None:
        return ideal
    order = (-ideal.abs()).argsort(dim=1, stable=True)[:, : request.top]
    return torch.cat([ideal.gather(1, order), ideal[:, : request.bottom]], dim=1)


def _second_seed(seed: int) -> int:
    """Of the noise of the second point, which no other run has as its first."""
    digest = hashlib.blake2b(f"second noise/{seed}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")
