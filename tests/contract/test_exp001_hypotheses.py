"""The hypotheses of EXP-001 on planted results: supported, refuted, inconclusive, not measured."""

import math
from collections.abc import Callable, Mapping

import numpy as np
import pytest
import xarray as xr

from as_tested import as_tested
from ired_interp.experiments.exp001 import EXPERIMENT
from ired_interp.experiments.exp001.claims import end_shares, random_concentration
from ired_interp.experiments.hypothesis import Verdict
from ired_interp.experiments.verdicts import judge
from ired_interp.stats import FloatArray

N, LEVELS, SIZE, DRAWS, VECTORS = 14, 4, 4, 6, 3
D = SIZE**2
SIGMA = np.array([1.0, 0.7, 0.4, 0.2])
BY_ID = {one.id: one for one in as_tested(EXPERIMENT.hypotheses)}

Spectrum = Callable[[np.random.Generator], FloatArray]


def noisy(level_means: FloatArray, spread: float) -> Spectrum:
    """σλ [n, level, eigen] around a mean a level; problems and networks differ a little."""

    def draw(rng: np.random.Generator) -> FloatArray:
        own = level_means[:, None] * (1 + 0.02 * rng.normal(size=(N, LEVELS, 1)))
        return np.sort(own + spread * rng.normal(size=(N, LEVELS, D)), axis=-1)

    return draw


def few(num: int) -> Spectrum:
    """All curvature in so many directions."""

    def draw(rng: np.random.Generator) -> FloatArray:
        values = 0.01 * rng.uniform(size=(N, LEVELS, D))
        values[..., -num:] = 1 + 0.1 * rng.normal(size=(N, LEVELS, num))
        return np.sort(values, axis=-1)

    return draw


FLAT = noisy(np.zeros(LEVELS), 0.01)
IDEAL = noisy(np.ones(LEVELS), 0.02)
WIGNER = noisy(np.zeros(LEVELS), 0.5)


def random_frames(rng: np.random.Generator) -> FloatArray:
    frames = np.linalg.qr(rng.normal(size=(N, LEVELS, 2, D, VECTORS)))[0]
    return np.moveaxis(frames, -1, -2)


def own_frames(rng: np.random.Generator, answer: FloatArray) -> FloatArray:
    """Both ends within span{u_i v_i^T} of each problem's answer."""
    u, _, vt = np.linalg.svd(answer.reshape(N, SIZE, SIZE))
    basis = np.einsum("nri,nic->nrci", u, vt).reshape(N, D, SIZE)
    inner = np.linalg.qr(rng.normal(size=(N, LEVELS, 2, SIZE, SIZE)))[0][..., :VECTORS]
    frames: FloatArray = np.einsum("ndi,nleik->nlekd", basis, inner)
    return frames


def case(
    scaled: FloatArray, frames: FloatArray, x: FloatArray, answer: FloatArray, ideal: float
) -> xr.Dataset:
    size = np.abs(scaled)
    level = ("problem", "level")
    return xr.Dataset(
        {
            "scaled_eigenvalues": ((*level, "eigen"), scaled),
            "num_negative": (level, (scaled < 0).sum(-1)),
            "num_undetermined": (level, np.zeros((N, LEVELS), int)),
            "participation_ratio": (level, size.sum(-1) ** 2 / (size**2).sum(-1)),
            "ideal_eigenvalues": (("level", "eigen"), ideal / SIGMA[:, None] * np.ones(D)),
            "eigenvectors": ((*level, "end", "vector", "y_dim"), frames),
            "subspace_angle_error": ((*level, "end"), np.full((N, LEVELS, 2), 1e-6)),
            "status": (level, np.zeros((N, LEVELS), np.int8)),
            "x": (("problem", "x_dim"), x),
            "answer": (("problem", "y_dim"), answer),
        },
        coords={
            "level": np.arange(1, LEVELS + 1),
            "sigma": ("level", SIGMA),
            "wanted": ("eigen", ["all"] * D),
            "end": ["top", "bottom"],
            "point": "typical",
        },
    )


def planted(
    model: Spectrum,
    control: Spectrum | None,
    *,
    aligned: str = "",
    task: str = "inverse",
    ideal: float = 1.0,
) -> xr.DataTree:
    """Results with planted spectra; ``aligned``: whose eigenvectors lie in the own subspace."""
    rng = np.random.default_rng(7)
    answer = rng.normal(size=(N, D))
    x = np.where(rng.uniform(size=(N, D)) < 0.5, answer, 0.0)

    def one(spectrum: Spectrum, who: str) -> xr.Dataset:
        frames = own_frames(rng, answer) if who in aligned.split() else random_frames(rng)
        return case(spectrum(rng), frames, x, answer, ideal)

    groups = {"/": one(model, "model").assign_attrs(task=task)}
    if control is not None:
        draws = [one(control, "control").expand_dims(draw=[i]) for i in range(DRAWS)]
        groups["controls/untrained"] = xr.concat(
            draws, "draw", data_vars="minimal", coords="minimal", compat="override"
        )
    return xr.DataTree.from_dict(groups)


def verdict_of(name: str, results: xr.DataTree) -> Verdict:
    """Each by itself: how many others are tested is not what is tested here."""
    return judge([BY_ID[name]], results)[0]


SHARPER = noisy(SIGMA**-0.5, 0.02)
BLUNTER = noisy(SIGMA**0.5, 0.02)
CASES: Mapping[str, tuple[str, xr.DataTree]] = {
    "sharpening supported": ("sharpening", planted(SHARPER, BLUNTER)),
    "sharpening refuted": ("sharpening", planted(BLUNTER, FLAT)),
    "sharpening inconclusive": ("sharpening", planted(IDEAL, IDEAL)),
    "definite supported": ("definite", planted(IDEAL, WIGNER)),
    "definite refuted": ("definite", planted(noisy(-np.ones(LEVELS), 0.1), IDEAL)),
    "definite inconclusive": ("definite", planted(IDEAL, IDEAL)),
    "near-ideal supported": ("near-ideal", planted(IDEAL, FLAT)),
    "near-ideal refuted": ("near-ideal", planted(noisy(3 * np.ones(LEVELS), 0.1), IDEAL)),
    "near-ideal inconclusive": ("near-ideal", planted(IDEAL, IDEAL)),
    "few-directions supported": ("few-directions", planted(few(2), IDEAL)),
    "few-directions refuted": ("few-directions", planted(IDEAL, WIGNER)),
    "few-directions inconclusive": ("few-directions", planted(few(2), few(2))),
    "bottom-aligned supported": ("bottom-aligned", planted(IDEAL, IDEAL, aligned="model")),
    "bottom-aligned refuted": ("bottom-aligned", planted(IDEAL, IDEAL, aligned="control")),
    "bottom-aligned inconclusive": (
        "bottom-aligned",
        planted(IDEAL, IDEAL, aligned="model control"),
    ),
    "top-aligned supported": ("top-aligned", planted(IDEAL, IDEAL, aligned="model")),
    "top-aligned refuted": ("top-aligned", planted(IDEAL, IDEAL, aligned="control")),
    "top-aligned inconclusive": ("top-aligned", planted(IDEAL, IDEAL)),
}


@pytest.mark.parametrize("name", list(CASES))
def test_planted(name: str) -> None:
    hypothesis, results = CASES[name]
    verdict = verdict_of(hypothesis, results)
    assert verdict.outcome == name.split()[1], verdict.reason
    assert verdict.num_problems == N


def test_every_hypothesis_is_planted_each_way() -> None:
    assert {name.split()[0] for name in CASES} == set(BY_ID)
    assert len(CASES) == 3 * len(BY_ID)


def test_without_a_control_nothing_is_supported() -> None:
    results = planted(SHARPER, None, aligned="model")
    outcomes = {verdict.id: verdict.outcome for verdict in judge(list(BY_ID.values()), results)}
    assert "supported" not in outcomes.values()


def test_the_slope_is_that_of_the_planted_power() -> None:
    found = verdict_of("sharpening", planted(noisy(SIGMA**-0.5, 0.0), FLAT))
    assert found.estimate.mean == pytest.approx(-0.5, abs=0.02)
    assert found.null == 0


def test_a_flat_landscape_is_the_null_of_closeness() -> None:
    flat = planted(lambda _: np.full((N, LEVELS, D), 1e-12), None, ideal=0.8)
    found = verdict_of("near-ideal", flat)
    assert found.estimate.mean == pytest.approx(0.8)
    assert found.null == pytest.approx(0.8)


@pytest.mark.parametrize("d", [9, 16, 36, 64])
def test_the_null_of_few_directions_is_a_random_matrix_of_that_size(d: int) -> None:
    num = 160_000 // d**2
    matrices = np.random.default_rng(d).normal(size=(num, d, d))
    size = np.abs(np.linalg.eigvalsh(matrices + matrices.swapaxes(1, 2)))
    found = np.log(size.sum(1) ** 2 / (size**2).sum(1) / d)
    assert abs(found.mean() - random_concentration(d)) < 4 * found.std() / num**0.5
    # A matrix without end is another null: from it simulated ones are told at these sizes.
    assert random_concentration(10**9) == pytest.approx(math.log(64 / (9 * math.pi**2)), abs=1e-8)
    assert random_concentration(d) < random_concentration(10**9) - 0.001


def test_an_unknown_ideal_is_not_judged() -> None:
    found = verdict_of("near-ideal", planted(IDEAL, FLAT, ideal=math.nan))
    assert (found.outcome, found.num_problems) == ("inconclusive", 0)
    assert "not known in closed form" in found.reason


def test_points_that_were_not_found_and_cuts_through_clusters_are_left_out() -> None:
    results = planted(SHARPER, BLUNTER, aligned="model")
    root = results.to_dataset().copy(deep=True)
    root["status"][0] = 1
    root["scaled_eigenvalues"][0] = np.nan
    root["subspace_angle_error"][1] = VECTORS**0.5
    results.dataset = root
    assert verdict_of("sharpening", results).num_problems == N - 1
    aligned = verdict_of("bottom-aligned", results)
    assert aligned.num_problems == N - 2
    for name in BY_ID:
        assert f"left out: {LEVELS} of {N * LEVELS} levels" in verdict_of(name, results).reason
    assert "7%" in aligned.reason


def test_one_level_has_no_slope() -> None:
    results = planted(SHARPER, BLUNTER)
    less = xr.DataTree.from_dict(
        {path: results[path].to_dataset().isel(level=[0]) for path in ("/", "controls/untrained")}
    )
    found = verdict_of("sharpening", less)
    assert (found.outcome, found.num_problems) == ("inconclusive", 0)
    assert "one level has no slope" in found.reason


def test_only_the_ends_have_no_mean() -> None:
    results = planted(SHARPER, BLUNTER)
    ends = xr.DataTree(results.to_dataset().assign_coords(wanted=("eigen", ["top"] * D)))
    found = verdict_of("sharpening", ends)
    assert found.num_problems == 0
    assert "only the ends" in found.reason


@pytest.mark.parametrize(("end", "missing"), [("bottom", True), ("top", False)])
def test_the_subspaces_of_completion_are_those_of_the_mask(end: str, *, missing: bool) -> None:
    data = planted(IDEAL, None).to_dataset().copy(deep=True)
    x = data["x"].values
    # The vectors of one end: coordinates that are missing, or that are observed, in each problem.
    for i in range(N):
        entries = np.flatnonzero((x[i] == 0) == missing)[:VECTORS]
        data["eigenvectors"].loc[{"end": end}][i] = np.eye(D)[entries]
    own, others, chance = end_shares(data, "completion", end)
    np.testing.assert_allclose(own, 1)
    expected = ((x == 0) == missing).mean(axis=1)
    assert chance == pytest.approx(expected.mean())
    # Of the k coordinates of a problem so many belong to the others too.
    kept = (x == 0) == missing
    each = np.array([kept[:, np.flatnonzero(row)[:VECTORS]].mean(axis=1) for row in kept])
    np.testing.assert_allclose(others, (each.sum(axis=1) - np.diag(each)) / (N - 1))
    assert others.max() < 1


def test_shares_against_projectors() -> None:
    data = planted(IDEAL, None).to_dataset()
    own, others, chance = end_shares(data, "inverse", "top")
    u, _, vt = np.linalg.svd(data["answer"].values.reshape(N, SIZE, SIZE))
    shares = np.zeros((N, N))
    for i in range(N):
        for j in range(N):
            basis = np.stack([np.outer(u[j][:, s], vt[j][s]).ravel() for s in range(SIZE)])
            v = data["eigenvectors"].values[i, :, 0]
            shares[i, j] = np.mean([np.trace(basis.T @ basis @ w.T @ w) / VECTORS for w in v])
    np.testing.assert_allclose(own, np.diag(shares), rtol=1e-10)
    away = (shares.sum(1) - np.diag(shares)) / (N - 1)
    np.testing.assert_allclose(others, away, rtol=1e-10)
    assert chance == SIZE / D
    alone = end_shares(data.isel(problem=[0]), "inverse", "top")
    np.testing.assert_allclose(alone[1], SIZE / D)


def test_what_every_problem_shares_is_part_of_the_null() -> None:
    """The identity lies in the subspace of every symmetric answer, and says nothing of one."""
    rng = np.random.default_rng(3)
    data = planted(IDEAL, None).to_dataset().copy(deep=True)
    a = rng.normal(size=(N, SIZE, SIZE))
    data["answer"][:] = (a @ a.swapaxes(1, 2)).reshape(N, D)
    data = data.isel(vector=[0])
    data["eigenvectors"][:] = np.eye(SIZE).ravel() / SIZE**0.5
    own, others, chance = end_shares(data, "inverse", "bottom")
    np.testing.assert_allclose(own, 1)
    np.testing.assert_allclose(others, 1)
    assert chance == SIZE / D
