"""Charts of EXP-001 on what spectra are made of: eigenvectors, parts, overlaps, the posterior."""

import math
from typing import Any

import numpy as np
import xarray as xr

from ired_interp.experiments.kit.chart_cases import Case, cases_of, interval_of, level_axis
from ired_interp.experiments.kit.charts import custom
from ired_interp.experiments.kit.drawn import Axis, Grid, Panel
from ired_interp.experiments.kit.table_charts import heat
from ired_interp.experiments.kit.traces import Band, Bars, Heat, Line, Note, Numbers, Rule, Trace

__all__ = [
    "CONTRIBUTIONS",
    "EIGENVECTORS",
    "OVERLAP_LEVELS",
    "OVERLAP_PROBLEMS",
    "PARTS",
    "POSTERIOR",
]

# Matrices of a larger side are shown of one problem only.
_SMALL_SIDE, _FEW = 8, 2
_COLUMNS = 5
# Of the posterior, both axes are linear up to this and logarithmic beyond, on both sides of 0.
_LINEAR = 1e-3
_DIAGONAL = np.array([-1.0, -1e-1, -1e-2, -1e-3, 0.0, 1e-3, 1e-2, 1e-1, 1.0, 10.0])
_TICKS = (-1.0, -1e-2, 0.0, 1e-2, 1.0)
_LOWEST = -5e-4  # no squared error is below 0
_MANY = 100


def eigenvectors(results: xr.DataTree) -> Grid:
    """Question and answer, then the eigenvectors of both ends at a coarse and a fine level."""
    root = results.to_dataset().sortby("level")
    places = _places(root)
    if not places:
        none = Note(text="no point was found", x=0.5, y=0.5, align="center")
        return Grid(panels=[Panel(traces=[none], x=Axis(shown=False), y=Axis(shown=False))])
    vectors = root["eigenvectors"].transpose("problem", "level", "end", "vector", ...)
    shown = [vectors.isel(problem=problem, level=level).values for problem, level in places]
    most = max(float(np.abs(one).max()) for one in shown)
    panels = []
    for i, ((problem, level), of_place) in enumerate(zip(places, shown, strict=True)):
        first = i == 0 or places[i - 1][0] != problem
        panels.append(_given(root, problem, answer=not first))
        here = root.isel(problem=problem, level=level)
        for j, end in enumerate(root["end"].values.tolist()):
            for v in range(root.sizes["vector"]):
                title = _vector_title(here.isel(end=j, vector=v), f"{end} {v + 1}")
                matrix = of_place[j, v].reshape(-1, _side(root))
                panels.append(_matrix(matrix, most, title, "entry of the eigenvector"))
    if len(places) == 1:
        panels.append(_given(root, places[0][0], answer=True))
    columns = len(panels) // len(places)
    return Grid(panels=panels, columns=columns, height=1.9)


def _places(root: xr.Dataset) -> list[tuple[int, int]]:
    """Problem and level: the coarsest and the finest at which the first problems have a point."""
    found = (root["status"] == 0).transpose("problem", "level").values
    num = _FEW if _side(root) <= _SMALL_SIDE else 1
    places = []
    for problem in [i for i in range(len(found)) if found[i].any()][:num]:
        levels = np.flatnonzero(found[problem])
        ends = dict.fromkeys((int(levels[0]), int(levels[-1])))
        places += [(problem, level) for level in ends]
    return places


def _side(root: xr.Dataset) -> int:
    """Of the answer's square matrix; an answer that is none is one row."""
    d = root.sizes["y_dim"]
    side = math.isqrt(d)
    return side if side * side == d else d


def _given(root: xr.Dataset, problem: int, *, answer: bool) -> Panel:
    values = root["answer" if answer else "x"].isel(problem=problem).values
    side = _side(root)
    matrix = values.reshape(-1, side) if values.size % side == 0 else values[None]
    most = float(np.abs(matrix).max()) or 1.0
    label = "answer y*" if answer else "question x"
    title = f"problem {int(root['problem'][problem])}\n{label}\ncolours: ±{most:.2g}"
    return _matrix(matrix, most, title, "")


def _matrix(matrix: Numbers, most: float, title: str, label: str) -> Panel:
    """Row 1 on top."""
    rows, columns = matrix.shape
    axes: dict[str, Any] = {"x": np.arange(columns) + 1, "y": np.arange(rows) + 1}
    drawn = Heat(**axes, z=matrix, low=-most, high=most, scale="diverging", label=label)
    x, y = Axis(label="column", shown=False), Axis(label="row", shown=False)
    y = Axis(label=y.label, shown=False, low=rows + 0.5, high=0.5)
    return Panel(traces=[drawn], title=title, x=x, y=y, square=True)


def _vector_title(here: xr.Dataset, name: str) -> str:
    """The eigenvalue with its radius, and what the vector is worth."""
    at = int(here["vector_eigen"])
    value, radius = (float(here[key][at]) for key in ("eigenvalues", "radii"))
    size, gap = int(here["vector_cluster_size"]), float(here["vector_gap"])
    worth = f"next λ at {gap:.1g}" if size == 1 else f"cluster of {size}: arbitrary"
    head = f"{name},  k = {int(here['level'])}"
    return f"{head}\nλ = {value:.4g} ± {radius:.0e}\n{worth}".replace("-", "−")


def posterior(results: xr.DataTree) -> Grid:
    """A panel a level: one mark a bin of entries, the diagonal where claims are kept."""
    cases = cases_of(results, "level")
    levels = cases[0].data["level"].values
    ends = ["mean", "high"]
    highest = [float(case.data["actual_error"].sel(statistic=ends).max()) for case in cases]
    top = 2 * max([value for value in highest if np.isfinite(value)], default=1.0)
    ticks = {at: _plain(at) for at in _TICKS}
    of_both: Any = {"scale": "symlog", "linear_to": _LINEAR, "ticks": ticks}
    x = Axis(label="claimed variance / (σ²/s²)", **of_both)
    y = Axis(label="actual squared error / (σ²/s²)", low=_LOWEST, high=top, **of_both)
    panels = []
    for level in levels:
        here = [case.data.sel(level=level) for case in cases]
        if int(here[0]["posterior_determined"]):
            kept: Any = {"color": "ideal", "dash": "dot", "name": "claims kept", "hover": False}
            traces: list[Trace] = [Line(x=_DIAGONAL, y=_DIAGONAL, **kept)]
            for i, (case, data) in enumerate(zip(cases, here, strict=True)):
                traces += _bins(case, data, 0.93 - 0.1 * i)
        else:
            traces = [Note(text="not determined", x=0.5, y=0.5, align="center")]
        title = f"k = {level},  σ²/s² = {_plain(float(here[0]['amplification']))}"
        panels.append(Panel(traces=traces, title=title, x=x, y=y))
    columns = min(_COLUMNS, len(levels))
    return Grid(panels=panels, columns=columns, same_x=True, same_y="all", height=2.05)


def _bins(case: Case, data: xr.Dataset, above: float) -> list[Trace]:
    claimed = data["claimed_variance"].sel(statistic="mean").values
    order = np.argsort(claimed)
    mean, low, high = (n[order] for n in interval_of(data["actual_error"]))
    entries = data["bin_entries"].values
    count = f"{entries.min()}" if entries.min() == entries.max() else f"≤ {entries.max()}"
    look: Any = {"name": case.label, "color": case.color, "marker": case.marker, "size": 0.8}
    line = Line(x=claimed[order], y=mean, low=low, high=high, **look)
    return [line, Note(text=f"n = {count}", x=0.04, y=above, color=case.color)]


def _plain(value: float) -> str:
    text = f"{value:.3g}" if abs(value) < _MANY else f"{value:,.0f}"
    return text.replace("-", "−")


def parts(results: xr.DataTree) -> Grid:
    """Shares of the parts in ‖H‖², and what each adds to the mean σλ, case beside case."""
    labels = {"part_shares": "share of ‖H‖²", "scaled_part_traces": "σ·trace/d: mean σλ"}
    cases, root = cases_of(results, "level"), results.to_dataset()
    panels = [
        _stacks(case, case.data[name], root, case.label, label)
        for name, label in labels.items()
        if name in cases[0].data
        for case in cases
        if name in case.data
    ]
    return Grid(panels=panels, columns=_split_cases(cases), same_x=True, height=2.3)


def contributions(results: xr.DataTree) -> Grid:
    """What each part contributes to σλ of the first vector of each end."""
    cases, root = cases_of(results, "level"), results.to_dataset()
    panels = [
        _stacks(
            case,
            case.data["scaled_contributions"].sel(end=end),
            root,
            f"{case.label}, {end} vector",
            "σ·vᵀPv",
        )
        for end in root["end"].values.tolist()
        for case in cases
        if "scaled_contributions" in case.data
    ]
    return Grid(panels=panels, columns=_split_cases(cases), same_x=True, height=2.3)


def _split_cases(cases: list[Case]) -> int:
    return sum("scaled_part_traces" in case.data for case in cases)


def _stacks(case: Case, values: xr.DataArray, root: xr.Dataset, title: str, label: str) -> Panel:
    """Positive parts above 0, negative ones below it, and their sum."""
    mean = values.sel(statistic="mean").transpose("part", "level")
    levels = mean["level"].values
    above, below = np.zeros(len(levels)), np.zeros(len(levels))
    traces: list[Trace] = [Rule(at=0, color="muted", dash="solid")]
    for i, (part, here) in enumerate(zip(mean["part"].values, mean.values, strict=True)):
        there = np.nan_to_num(here)
        base = np.where(there >= 0, above, below)
        traces.append(Bars(x=levels, y=there, base=base, name=_part_name(str(part)), color=i))
        above, below = above + np.maximum(there, 0), below + np.minimum(there, 0)
    total = mean.sum("part", skipna=False).values
    look: Any = {"color": "ideal", "dash": "none", "marker": "bar", "size": 2.0, "name": "sum"}
    traces.append(Line(x=levels, y=total, **look))
    x = level_axis(root, sigma_every=3)
    return Panel(traces=traces, title=title, color=case.color, x=x, y=Axis(label=label))


def _part_name(name: str) -> str:
    return name.replace("_", " ").replace("gauss newton", "Gauss–Newton 2JᵀJ")


def _null(results: xr.DataTree) -> tuple[float, float]:
    """Of a random subspace: mean overlap and standard deviation."""
    summary = results["summary/model"].to_dataset()
    return float(summary["overlap_null"]), float(summary["overlap_null_deviation"])


def _null_label(results: xr.DataTree) -> tuple[str, tuple[float, ...]]:
    null, deviation = _null(results)
    words = f"mean overlap;  a random subspace has {null:.3f} ± {deviation:.3f} (line)"
    return words, (null,)


def problem_overlaps(results: xr.DataTree) -> Grid:
    """Overlap between problems, and between two draws of the noise of one problem."""
    cases, root = cases_of(results, "level"), results.to_dataset().sortby("level")
    null, deviation = _null(results)
    x = level_axis(root, sigma_every=3)
    ends = np.array([x.low, x.high])
    name = "random subspace ± 2 s.d."
    panels = []
    for end in root["end"].values.tolist():
        low, high = (np.full(2, null + sign * 2 * deviation) for sign in (-1, 1))
        traces: list[Trace] = [
            Band(x=ends, low=low, high=high),
            Rule(at=null, dash="dot", name=name),
        ]
        for case in reversed(cases):
            for variable, words, filled in (
                ("draw_overlap", "two draws of one problem", True),
                ("problem_overlap", "two problems", False),
            ):
                if variable not in case.data:
                    continue
                mean, lower, upper = interval_of(case.data[variable].sel(end=end))
                at = case.data["level"].values + case.shift
                look: Any = {"color": case.color, "marker": case.marker, "filled": filled}
                look |= {"name": f"{case.label}: {words}", "dash": "solid" if filled else "dash"}
                traces.append(Line(x=at, y=mean, low=lower, high=upper, **look))
        title = f"{end} {root.sizes['vector']} of {root.sizes['y_dim']}"
        y = Axis(label="overlap", low=-0.03, high=1.03)
        panels.append(Panel(traces=traces, title=title, x=x, y=y))
    return Grid(panels=panels, columns=len(panels), same_x=True, same_y="all", height=3.0)


EIGENVECTORS = custom(
    "eigenvectors",
    "Eigenvectors as matrices, beside the problem’s own",
    "The first problems of the run: the question x and the answer y*, row-major as matrices, and "
    "the first eigenvectors of H at the coarsest and the finest level measured, in the same "
    "layout: top by the largest |λ|, bottom by the lowest λ, each with its eigenvalue, the "
    "certified radius and the distance to the next eigenvalue. A vector shows in which entries the "
    "answer must move together to change the energy most (top) or least (bottom); its sign is "
    "arbitrary, set so that the largest entry is positive. Where the note says cluster the vector "
    "is an accident of the arithmetic. Where the next eigenvalue is near by the measure of what "
    "you call the same, it is an accident of the training: the ideal spectrum of a determined "
    "answer is flat and has no eigenvectors of its own. Two problems are no evidence for all.",
    traces=eigenvectors,
    needs=("eigenvectors", "vector_eigen", "radii"),
)

POSTERIOR = custom(
    "posterior",
    "What the landscape claims to be unsure of, and how wrong it is",
    "At typical points the ideal landscape carries the answer’s posterior: its mean is "
    "(y − σ∇E)/s, its covariance (σ²/s²)(I − σH). One panel a level. The entries of all answers "
    "are put into eight bins by the variance that is claimed for them; n is how many a bin holds. "
    "A mark is a bin: across, the mean claim; up, the mean squared error that these entries have, "
    "with a 95\u00a0% bootstrap interval over problems. On the dotted diagonal claims are kept; "
    "above it the landscape is too sure, left of 0 it claims a variance that no posterior has. "
    "Both are divided by σ²/s², the variance of the noise, and drawn linear up to ±0.001, "
    "logarithmic beyond. Where x determines the answer the ideal is the point (0, 0). Levels "
    "where σ²/s² multiplies any error of the curvature beyond use are not determined.",
    traces=posterior,
    needs=("summary/model/claimed_variance",),
)

PARTS = custom(
    "parts",
    "Where curvature comes from: the split by layer",
    "H is the sum of a Gauss–Newton part, which never bends down, and one part per layer, the bend "
    "of its units. Above: each part’s share ⟨P, H⟩/‖H‖², means over problems; shares add up to 1, "
    "and one below 0 works against the rest. Below: each part’s trace, in units of the mean σλ "
    "that they add up to (the dash). Long bars on both sides of 0 with a short sum mean that "
    "curvature is a small rest of a cancellation. The panels’ scales differ between model and "
    "control. The split belongs to the network as it is written, not to its landscape, and a part "
    "is no measure of how important a layer is.",
    traces=parts,
    needs=("summary/model/scaled_part_traces",),
)

CONTRIBUTIONS = custom(
    "contributions",
    "The top and the bottom eigenvalue, by layer",
    "What each part contributes to σλ = σ·vᵀHv of the eigenvector with the largest |λ| (top) and "
    "of that with the lowest λ (bottom), means over problems. They add up to the dash. Where the "
    "dash is below 0, the bars say which layer bends the landscape down. Not to be read where "
    "the eigenvalue has close neighbours: contributions of one vector of a cluster are as "
    "arbitrary as the vector.",
    traces=contributions,
    needs=("summary/model/scaled_contributions",),
)

OVERLAP_LEVELS = heat(
    "overlap-levels",
    "Do the levels share their eigenvectors?",
    "The span of the first eigenvectors of an end (top: largest |λ|, bottom: lowest λ) at one "
    "level against that at another: tr(PQ)/k, the mean squared cosine of their principal angles, "
    "averaged over problems. 1 is the same subspace; the line in the colour bar is what a random "
    "subspace gives, with the standard deviation of a single pair. A problem’s levels share their "
    "noise at typical points. Not a finding by itself: compare with the untrained control, whose "
    "few stiff directions hardly change with the level. Where a cut goes through a cluster "
    "(subspace_unresolved, level_overlap_error) the overlap is that of arbitrary directions.",
    z="level_overlap",
    x="other_level",
    y="level",
    rows="end",
    low=0.0,
    high=1.0,
    scale="shares",
    label=_null_label,
    written=".2f",
    axes=("level k", "level k"),
)

OVERLAP_PROBLEMS = custom(
    "overlap-problems",
    "Do problems share their eigenvectors, and does one problem have any?",
    "Hollow: mean overlap of a problem’s eigenspace with those of the other problems. Filled: of "
    "the same problem at two points with independent noise. If two draws of one problem do not "
    "agree, the problem has no eigenspace that another could share: read the hollow marks against "
    "the filled ones and against the untrained control, not against 1. Bars are 95\u00a0% "
    "bootstrap intervals over problems; those of the hollow marks are too short, as the pairs "
    "share problems. The band is two standard deviations of one pair of random subspaces. The top "
    "of a flat spectrum is ordered by small errors of training, however well it is resolved.",
    traces=problem_overlaps,
    needs=("summary/model/problem_overlap",),
)
