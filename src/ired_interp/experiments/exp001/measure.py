"""What EXP-001 measures: the spectrum of the Hessian in y at a point of each problem and level.

All levels of a unit's problems are rows of one landscape; rows are taken a bounded number at a
time, so that their Hessians never fill the memory.

**The posterior.** At a typical point y = s_t·y* + σ_t·ε the landscape says what the answer is, and
how sure it is:

    mean = (y − σ_t·∇E)/s_t        Cov = (σ_t²/s_t²)(I − σ_t·H)

Source: Tweedie's formula to the second order, as in Manor & Michaeli (2023), arXiv 2309.13598.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, get_args

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ired_interp import curvature
from ired_interp.curvature.eigenspaces import End
from ired_interp.curvature.routes import Route
from ired_interp.energy.base import Energy
from ired_interp.energy.exact import ideal_spectrum
from ired_interp.energy.mlp import EnergyMLP
from ired_interp.energy.mlp_parts import layer_part_names
from ired_interp.errors import ConfigError
from ired_interp.experiments.kit.options import ModelOptions, bound_of, filled, option
from ired_interp.experiments.kit.study import Prepared
from ired_interp.experiments.kit.variables import Values
from ired_interp.landscape import DEFAULT_MAX_BYTES, Landscape
from ired_interp.points import PointKind, Points, locate

__all__ = [
    "ALL",
    "BOTTOM",
    "ROUTES",
    "TOP",
    "Asked",
    "Exp001Config",
    "Request",
    "completed",
    "growth_bytes",
    "of_spectrum",
    "posterior_reading",
    "spectra_of",
    "what_is_asked",
]

YesNo = Literal["yes", "no"]
ROUTES: Final = get_args(Route)
"""By number, as results hold them."""
# Why an eigenvalue is there (coordinate ``wanted``), and which end a vector is of (``end``).
ALL: Final = "all"
TOP: Final = "top"
BOTTOM: Final = "bottom"

_MOST_DRAWS = 2
_FEW_VECTORS = 3
_PARTS = layer_part_names(3)
_ENOUGH_POINTS = 100  # beyond, more points at once make no product faster


@dataclass(frozen=True, kw_only=True)
class Exp001Config(ModelOptions):
    """What EXP-001 is asked."""

    problems: int | None = option("How many problems", laptop=20, paper=100, least=1)
    point: PointKind = option("Where in y the Hessian is taken", default="typical")
    controls: int | None = option(
        "Draws of untrained weights beside the model", laptop=8, paper=10, least=0
    )
    unit_problems: int = option("Problems a work unit", default=10, least=1)
    top: int | None = option(
        "Only so many of the largest eigenvalues by |λ|; all d if none", least=0
    )
    bottom: int = option("And so many of the lowest, where top is given", default=0, least=0)
    # A run that was planned before these fields were there did without what they ask for.
    eigenvectors: int | None = option(
        "How many to keep of each end; 3 if none, or what there is", least=0, before=0
    )
    parts: YesNo = option("Whether curvature is split by layer", default="yes", before="no")
    noise_draws: int | None = option(
        "Points a problem, 1 or 2, to compare eigenvectors; 2 if none, where it can be",
        least=1,
        before=1,
    )
    skill: YesNo = option(
        "Whether the model's answers are held against trivial rules", default="yes", before="no"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.top is None and self.bottom:
            raise ConfigError(
                f"bottom: expected 0 where top is none, as all eigenvalues are computed then, "
                f"found {self.bottom}. Give top too; 0 leaves it out."
            )
        if self.top == 0 and self.bottom == 0:
            raise ConfigError("top, bottom: expected one of them above 0, found nothing to do.")
        if self.noise_draws is not None:
            _check_draws(self, self.noise_draws)


def completed(config: Exp001Config, dim_y: int) -> Exp001Config:
    """The config with all that was left open filled in, for answers of d entries.

    Raises:
        ConfigError: More eigenvalues or eigenvectors than there are, or than were asked for.
    """
    ends = {"top": config.top, "bottom": config.bottom} if config.top is not None else {}
    for name, value in ends.items():
        if value is not None and value > dim_y:
            raise ConfigError(f"{name}: expected 0 … d = {dim_y} eigenvalues, found {value}.")
    # One eigenvalue more than vectors, so that the gap behind them is known.
    asked = [value for value in ends.values() if value]
    most = min([dim_y, *(value if value == dim_y else value - 1 for value in asked)])
    num = min(_FEW_VECTORS, most) if config.eigenvectors is None else config.eigenvectors
    if num > most:
        why = ", one less than the eigenvalues of each end" if asked else ""
        raise ConfigError(f"eigenvectors: expected 0 … {most}{why}, found {num}.")
    config = replace(filled(config), eigenvectors=num)
    draws = config.noise_draws
    if draws is None:
        draws = _MOST_DRAWS if num and config.point == "typical" else 1
    _check_draws(config, draws)
    return replace(config, noise_draws=draws)


def _check_draws(config: Exp001Config, draws: int) -> None:
    if draws > _MOST_DRAWS:
        raise ConfigError(f"noise_draws: expected 1 or {_MOST_DRAWS}, found {draws}.")
    if draws == 1:
        return
    if config.point != "typical":
        raise ConfigError(
            f"noise_draws: expected 1 at the point {config.point!r}, which no noise is added to, "
            f"found {draws}. Only typical points have it."
        )
    if config.eigenvectors == 0:
        raise ConfigError(
            f"noise_draws: expected 1 where eigenvectors is 0, as there is nothing to compare, "
            f"found {draws}."
        )


@dataclass(frozen=True)
class Request:
    """What is asked of the spectrum at each point.

    Attributes:
        top: Largest by |λ|, or None for all.
        bottom: Lowest.
        vectors: Eigenvectors to keep of each end.
        parts: Whether to split by layer.
        posterior: Whether to read a posterior, which needs the whole spectrum and typical points.
    """

    top: int | None
    bottom: int
    vectors: int
    parts: bool
    posterior: bool

    @property
    def ends(self) -> tuple[End, ...]:
        """The ends of which something was asked."""
        if self.top is None:
            return (TOP, BOTTOM)
        asked: tuple[tuple[End, int], ...] = ((TOP, self.top), (BOTTOM, self.bottom))
        return tuple(end for end, num in asked if num)

    def wanted(self, d: int) -> list[str]:
        """Why each eigenvalue is there."""
        return [ALL] * d if self.top is None else [TOP] * self.top + [BOTTOM] * self.bottom

    def columns(self, end: End) -> slice:
        """Which eigenvalues the vectors of an end are looked for among."""
        if self.top is None:
            return slice(None)
        return slice(0, self.top) if end == TOP else slice(self.top, None)


@dataclass(frozen=True, kw_only=True)
class Asked(Prepared):
    """The problems, and what is asked at their points.

    Attributes:
        request: Of the spectra.
        ideal: Spectra of the ideal landscape, [level, eigen], where the others have theirs.
        rows: Points that are measured together.
    """

    request: Request
    ideal: Tensor
    rows: int


def what_is_asked(config: Exp001Config, given: Prepared) -> Asked:
    """The request, its coordinates, and the spectrum of the ideal landscape."""
    request = Request(
        config.top,
        config.bottom,
        config.eigenvectors or 0,
        parts=config.parts == "yes",
        posterior=config.top is None and config.point == "typical",
    )
    wanted = request.wanted(given.task.dim_y)
    coords: dict[str, Any] = {
        "eigen": np.arange(len(wanted)),
        "wanted": ("eigen", wanted),
        "point": config.point,
    }
    if request.vectors:
        coords |= {"end": list(request.ends), "vector": np.arange(request.vectors)}
    if request.parts:
        coords["part"] = list(_PARTS)
    timesteps = [given.schedule.timestep(level) for level in config.levels]
    ideal = _as_wanted(ideal_spectrum(given.task, given.schedule, timesteps), request)
    return Asked(
        task=given.task,
        problems=given.problems,
        first=given.first,
        schedule=given.schedule,
        coords=coords,
        request=request,
        ideal=ideal,
        rows=_rows_at_once(config, given.problems.x.shape[0], given.task.dim_y),
    )


def spectra_of(model: Energy, given: Asked, config: Exp001Config) -> Values:
    """Everything about the problems of a unit, at one network."""
    problems, levels = given.problems, config.levels
    n, num = problems.x.shape[0], len(levels)
    places = [
        locate(
            config.point,
            model,
            problems.x,
            problems.y,
            levels,
            seed=seed,
            first=given.first,
            bound=bound_of(config),
        )
        for seed in (config.seed, _second_seed(config.seed))[: config.noise_draws or 1]
    ]
    timesteps = [given.schedule.timestep(level) for level in levels]
    scale = {
        name: table[timesteps].to(problems.y).repeat(n)
        for name, table in (("sigma", given.schedule.sigma), ("signal", given.schedule.signal))
    }
    at = _Rows(
        land=Landscape(
            model,
            problems.x.repeat_interleave(num, dim=0),
            torch.tensor(levels, device="cpu").repeat(n),
        ),
        points=[place.y.flatten(0, 1) for place in places],
        answer=problems.y.repeat_interleave(num, dim=0),
        **scale,
    )
    found = places[0].found.flatten()
    measured = _measured(at, found.nonzero().flatten(), given)
    out: dict[str, Any] = _given(given, places)
    for name in _names(given.request, draws=len(places) > 1):
        flat = _filled(name, measured, found, given)
        out[name] = flat.reshape(n, num, *flat.shape[1:])
    return out


def _given(given: Asked, places: Sequence[Points]) -> dict[str, Tensor]:
    """The problems and the points, which a control may have of its own."""
    out = {
        "x": given.problems.x,
        "answer": given.problems.y,
        "y": places[0].y,
        "status": (~places[0].found).to(torch.int8),
        "ideal_eigenvalues": given.ideal,
    }
    if len(places) > 1:
        out["second_y"] = places[1].y
    return out


@dataclass(frozen=True)
class _Rows:
    """A row a problem and level: where it is looked at, with σ_t and s_t, [r]."""

    land: Landscape
    points: Sequence[Tensor]
    answer: Tensor
    sigma: Tensor
    signal: Tensor

    def select(self, rows: Tensor) -> "_Rows":
        """Some of them."""
        return _Rows(
            self.land.select(rows),
            [y[rows] for y in self.points],
            self.answer[rows],
            self.sigma[rows],
            self.signal[rows],
        )


def _measured(at: _Rows, rows: Tensor, given: Asked) -> dict[str, Tensor]:
    """Of the rows where a point was found; empty without any."""
    chunks = [rows[i : i + given.rows] for i in range(0, len(rows), given.rows)]
    parts = [_of_rows(at.select(chunk), given.request) for chunk in chunks]
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]} if parts else {}


def _of_rows(at: _Rows, request: Request) -> dict[str, Tensor]:
    land, y, d = at.land, at.points[0], at.land.dim_y
    spec = curvature.spectrum(land, y, request.top, request.bottom)
    measured = of_spectrum(spec, at.sigma, request)
    energy, gradient = land.energy_and_gradient(y)
    measured |= {"energy": energy, "gradient_norm": gradient.norm(dim=1)}
    if request.posterior:
        diagonal = (spec.eigenvectors.square() * spec.eigenvalues[:, None]).sum(dim=2)
        measured |= posterior_reading(
            diagonal, gradient, y, at.answer, sigma=at.sigma, signal=at.signal
        )
    spaces: dict[End, curvature.Eigenspace] = {}
    if request.vectors:
        kept, spaces = _of_ends(spec, request)
        measured |= kept
    if request.parts:
        measured |= _of_parts(land, y, spec, measured, request)
        if request.top is not None:  # the traces tell what the ends do not
            trace = measured["part_traces"].sum(dim=1)
            measured["mean_scaled_eigenvalue"] = at.sigma * trace / d
    for second in at.points[1:]:
        measured |= _of_second(land, second, spaces, request)
    return measured


# Whole numbers, -1 where missing.
_COUNTS = {
    "clusters": torch.int32,
    "index_low": torch.int64,
    "index_high": torch.int64,
    "route": torch.int8,
    "num_negative": torch.int64,
    "num_undetermined": torch.int64,
    "vector_eigen": torch.int32,
    "vector_cluster_size": torch.int32,
}
_BY_EIGENVALUE = (
    "eigenvalues",
    "residuals",
    "radii",
    "clusters",
    "cluster_radii",
    "scaled_eigenvalues",
)
_BY_POINT = (
    "index_low",
    "index_high",
    "roundoff",
    "route",
    "energy",
    "gradient_norm",
    "condition_number",
    "positive_condition_number",
    "participation_ratio",
    "spectral_gap",
    "num_negative",
    "num_undetermined",
    "mean_scaled_eigenvalue",
    "largest_scaled_eigenvalue",
    "smallest_scaled_eigenvalue",
)
_VECTORS = ("vector_eigen", "vector_cluster_size", "vector_gap")
_SUBSPACES = ("subspace_gap", "subspace_angle_error")
_OVERLAPS = ("draw_overlap", "draw_overlap_error")


def _names(request: Request, *, draws: bool) -> Iterator[str]:
    """What is measured at each point."""
    yield from (*_BY_EIGENVALUE, *_BY_POINT)
    if request.vectors:
        yield from ("eigenvectors", *_VECTORS, *_SUBSPACES)
    if request.parts:
        yield "part_traces"
        yield from ("part_shares",) if request.top is None else ()
        yield from ("contributions", "contribution_defects") if request.vectors else ()
    yield from _OVERLAPS if draws else ()
    yield from ("posterior_variance", "squared_error") if request.posterior else ()


def _filled(name: str, measured: Mapping[str, Tensor], found: Tensor, given: Asked) -> Tensor:
    """NaN, and -1 for counts, where no point was found."""
    dtype = _COUNTS.get(name, given.problems.y.dtype)
    missing = -1 if name in _COUNTS else torch.nan
    shape = measured[name].shape[1:] if measured else _shape(name, given)
    out = torch.full((len(found), *shape), missing, dtype=dtype, device="cpu")
    if measured:
        out[found.cpu()] = measured[name].cpu().to(dtype)
    return out


def _shape(name: str, given: Asked) -> tuple[int, ...]:
    """Of a variable at one point."""
    d, request = given.task.dim_y, given.request
    end, vector, part = len(request.ends), request.vectors, len(_PARTS)
    known: dict[str, tuple[int, ...]] = {
        **dict.fromkeys(_BY_EIGENVALUE, (len(request.wanted(d)),)),
        **dict.fromkeys(_BY_POINT, ()),
        **dict.fromkeys((*_SUBSPACES, *_OVERLAPS), (end,)),
        **dict.fromkeys((*_VECTORS, "contribution_defects"), (end, vector)),
        **dict.fromkeys(("part_traces", "part_shares"), (part,)),
        **dict.fromkeys(("posterior_variance", "squared_error"), (d,)),
        "eigenvectors": (end, vector, d),
        "contributions": (part, end, vector),
    }
    return known[name]


def of_spectrum(
    spec: curvature.Spectrum, sigma: Float[Tensor, " r"] | float, request: Request
) -> dict[str, Tensor]:
    """Eigenvalues, their certificates, and what sums them up as far as it is known."""
    values, residuals = spec.eigenvalues, spec.residuals
    sigma = torch.as_tensor(sigma, dtype=values.dtype, device=values.device)
    measured = {
        "eigenvalues": values,
        "residuals": residuals,
        "radii": spec.radii,
        "clusters": spec.clusters,
        "cluster_radii": spec.cluster_radii,
        "index_low": spec.index_low,
        "index_high": spec.index_high,
        "roundoff": spec.roundoff,
        "route": torch.tensor([ROUTES.index(route) for route in spec.routes], device="cpu"),
        "scaled_eigenvalues": sigma[..., None] * values,
    }
    if request.top is not None:
        unknown = torch.full_like(spec.norm, torch.nan)
        lowest = values.amin(dim=1)
        # Top pairs of either sign hold that end of the spectrum, as they are the largest by |λ|.
        # Bottom pairs hold the lower one, and the upper one only where they are all.
        every = spec.eigenvectors.shape[1] in (request.top, request.bottom)
        upper = values if every else values[:, : request.top]
        largest = upper.amax(dim=1) if upper.shape[1] else unknown
        measured |= dict.fromkeys(_OF_ALL, unknown)
        return measured | {
            "num_negative": spec.index_low,
            "num_undetermined": spec.index_high - spec.index_low,
            "largest_scaled_eigenvalue": sigma
            * (largest if every else torch.where(largest > 0, largest, unknown)),
            "smallest_scaled_eigenvalue": sigma
            * (lowest if request.bottom or every else torch.where(lowest < 0, lowest, unknown)),
        }
    positive = torch.where(values > 0, values, torch.inf).amin(dim=1)
    return measured | {
        "condition_number": _if_determined(
            curvature.condition_number(values), values.abs().amin(dim=1), values, residuals
        ),
        "positive_condition_number": _if_determined(
            curvature.positive_condition_number(values), positive, values, residuals
        ),
        "participation_ratio": curvature.participation_ratio(values),
        "spectral_gap": curvature.spectral_gap(values),
        "num_negative": curvature.num_negative(values, residuals),
        "num_undetermined": curvature.num_undetermined(values, residuals),
        "mean_scaled_eigenvalue": sigma * values.mean(dim=1),
        "largest_scaled_eigenvalue": sigma * values[:, -1],
        "smallest_scaled_eigenvalue": sigma * values[:, 0],
    }


_OF_ALL = (
    "condition_number",
    "positive_condition_number",
    "participation_ratio",
    "spectral_gap",
    "mean_scaled_eigenvalue",
)


def _if_determined(ratio: Tensor, smallest: Tensor, values: Tensor, residuals: Tensor) -> Tensor:
    """A condition number, infinite where its denominator is no larger than its error."""
    unknown = smallest <= curvature.eigenvalue_errors(values, residuals).amax(dim=1)
    return torch.where(unknown, torch.inf, ratio)


def posterior_reading(
    diagonal: Float[Tensor, "r d"],
    gradient: Float[Tensor, "r d"],
    y: Float[Tensor, "r d"],
    answer: Float[Tensor, "r d"],
    *,
    sigma: Float[Tensor, " r"] | float,
    signal: Float[Tensor, " r"] | float,
) -> dict[str, Tensor]:
    """Claimed variance and actual squared error of every entry of the answer, in y².

    Args:
        diagonal: Of H, at the points.
        gradient: ∇E there.
        y: Typical points of the answers, in the level's coordinates.
        answer: y*.
        sigma: σ_t.
        signal: s_t.
    """
    sigma, signal = (
        torch.as_tensor(one, dtype=y.dtype, device=y.device)[..., None] for one in (sigma, signal)
    )
    mean = (y - sigma * gradient) / signal
    return {
        "posterior_variance": (sigma / signal).square() * (1 - sigma * diagonal),
        "squared_error": (mean - answer).square(),
    }


def _of_ends(
    spec: curvature.Spectrum, request: Request
) -> tuple[dict[str, Tensor], dict[End, curvature.Eigenspace]]:
    """The first eigenvectors of each end, and the subspaces that they span."""
    kept: dict[str, list[Tensor]] = {}
    spaces = {}
    for end in request.ends:
        columns = request.columns(end)
        pairs = curvature.take(spec, columns)
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


_ITEM_BYTES = {"float64": 8, "float32": 4}
# Products with the network: so many of its hidden layers for each entry of y, at one point.
_LAYERS_A_POINT = 16
# Eigenvectors and what is derived from them, kept until the ends are taken.
_MATRICES_A_POINT = 6
# Rows, put into a dataset and written into memory.
_COPIES = 8
_VECTORS_A_LEVEL, _NUMBERS_A_LEVEL = 12, 200


def growth_bytes(config: Exp001Config, problems: int, model: EnergyMLP) -> int:
    """A bound on the bytes by which a unit of so many problems lets the process grow.

    It counts what is held at once, with factors set above what was measured on the CPU: peaks of
    resident memory at d = 16 (10 … 4000 problems), 100 (10 … 500) and 400 (2 … 8), of networks 512,
    128 and 512 wide.

    Args:
        config: Planned.
        problems: In the unit.
        model: The network.
    """
    item, d = _ITEM_BYTES[config.dtype], model.dim_y
    work = _LAYERS_A_POINT * item * d * max(model.width, d)
    vectors = 2 * (config.eigenvectors or 0) + _VECTORS_A_LEVEL
    stored = item * len(config.levels) * (d * vectors + _NUMBERS_A_LEVEL)
    cases = 1 + (config.controls or 0) + (config.shuffled is not None)
    points = _rows_at_once(config, problems, d)
    kept = points * _MATRICES_A_POINT * item * d**2 + problems * (cases + _COPIES) * stored
    return max(work, min(points * work, 2 * DEFAULT_MAX_BYTES)) + kept


def _rows_at_once(config: Exp001Config, problems: int, d: int) -> int:
    """Points that are measured together: products of few rows cost as those of many.

    No more levels than problems, so that the smallest unit is as small as a point, and no more than
    their matrices leave room for.
    """
    matrices = problems * _MATRICES_A_POINT * _ITEM_BYTES[config.dtype] * d**2
    room = min(_ENOUGH_POINTS // problems, DEFAULT_MAX_BYTES // matrices)
    return problems * max(1, min(len(config.levels), problems, room))
