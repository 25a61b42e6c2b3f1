"""EXP-004 on planted landscapes whose answer is known, its moves, and a run from plan to page."""

from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
import torch
import xarray as xr
from torch import Tensor

import ired_interp as ii
import planted
import tiny
from as_tested import as_tested
from ired_interp.errors import ConfigError, ManifoldError
from ired_interp.experiments import find_experiment
from ired_interp.experiments.exp004 import EXPERIMENT as STUDY
from ired_interp.experiments.exp004 import Exp004Config
from ired_interp.experiments.exp004.distances import distances
from ired_interp.experiments.exp004.measure import (
    added_share,
    exchanged,
    partial_and_null,
    resolved,
)
from ired_interp.experiments.exp004.moves import base_points, chosen_base, chosen_rank, moved
from ired_interp.experiments.kit.options import filled
from ired_interp.experiments.verdicts import judge
from ired_interp.geometry import grassmann
from ired_interp.report.html import write_report
from ired_interp.runs.execution import execute
from ired_interp.runs.run import plan_run
from ired_interp.schedule import cosine_schedule
from ired_interp.tasks import Problems, Task

EXPERIMENT = find_experiment("exp004")
PROBLEMS = 16
LEVELS = (10, 4)


class Planted:
    """An energy around the base of each problem, which is recognised by its question."""

    def __init__(self, task: Task, problems: Problems, kind: str, *, rank: int = 1) -> None:
        self.schedule = cosine_schedule()
        self.dim_x, self.dim_y = task.dim_x, task.dim_y
        self._x, self._kind, self._rank = problems.x, kind, rank
        self._base = base_points(task, problems, chosen_base(task, None))
        rng = torch.Generator().manual_seed(5)
        n, d = problems.y.shape
        factor = torch.randn(n, d, d, generator=rng, dtype=torch.float64)
        self._matrix = factor @ factor.mT / d
        self._slope = torch.randn(n, d, generator=rng, dtype=torch.float64)

    def energy(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """E at each row."""
        row = torch.cdist(x, self._x).argmin(dim=1)
        base = self._base[row]
        signal, sigma = self.schedule.signal[t], self.schedule.sigma[t]
        off = y - signal[:, None] * base.flatten(1)
        if self._kind == "bowl":
            return off.square().sum(1) / (2 * sigma)
        if self._kind == "ellipsoid":
            return torch.einsum("ni,nij,nj->n", off, self._matrix[row], off) / (2 * sigma)
        if self._kind == "slope":
            return (self._slope[row] * y).sum(1)
        ends = (y.detach() / signal[:, None]).reshape(base.shape)
        apart = distances(base, ends[:, None], (self._kind,), rank=self._rank)[:, 0, 0]
        return apart.square() + 0 * y.sum(1)  # no derivative is asked for


def config(**changes: object) -> Exp004Config:
    fields = {"problems": PROBLEMS, "levels": LEVELS, "moves": 8, "controls": 1, "seed": 3}
    return filled(Exp004Config(**(fields | changes)))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def inverse() -> Task:
    return ii.task("inverse", size=3)


@pytest.fixture(scope="module")
def completion() -> Task:
    return ii.task("completion", size=4, rank=2)


def tree(task: Task, kind: str, **changes: object) -> xr.DataTree:
    asked = config(**changes)
    count = asked.problems or 0
    problems = task.sample(count, seed=3)
    rank = chosen_rank(task, asked.rank, chosen_base(task, None))
    model = Planted(task, problems, kind, rank=rank)
    given = STUDY.prepared(asked, task, model.schedule, 0, count)
    beside = STUDY.measured(Planted(task, problems, "slope"), given, asked)
    return xr.DataTree.from_dict(
        {
            "/": STUDY.of_model(model, given, asked),
            "controls/untrained": beside.expand_dims(draw=[0]),
        }
    )


def test_the_isotropic_bowl_supports_nothing(inverse: Task) -> None:
    results = tree(inverse, "bowl")
    root = results.to_dataset()
    verdicts = {one.id: one for one in judge(as_tested(STUDY.hypotheses), results)}
    assert "supported" not in {one.outcome for one in verdicts.values()}
    assert verdicts["grassmann-over-length"].outcome == "refuted"
    over = verdicts["grassmann-over-the-bowl"]
    assert over.outcome == "inconclusive"
    assert over.estimate.mean == pytest.approx(over.null, abs=1e-12)
    # By itself that correlation is large, which is why 0 is not its null.
    assert float(root["random_spearman"].sel(metric="grassmann").mean()) > 0.5
    # Nothing is left of it at fixed length and given the length: round-off is not ranked.
    for missing in (root["spearman"].sel(sweep="fixed"), root["partial"]):
        assert bool(missing.isnull().all())
    np.testing.assert_allclose(root["relative_energy"], 1, rtol=1e-9)
    np.testing.assert_allclose(root["energy"], root["bowl_energy"], rtol=1e-9)
    np.testing.assert_allclose(root["energy"], root["ideal_energy"], rtol=1e-9)
    adds = next(one for one in STUDY.hypotheses if one.id == "grassmann-adds").statistic(results)
    np.testing.assert_allclose(adds.effect, 0, atol=1e-12)


def test_an_ellipsoid_that_knows_no_subspaces_supports_nothing(inverse: Task) -> None:
    found = judge(as_tested(STUDY.hypotheses), tree(inverse, "ellipsoid"))
    assert "supported" not in {one.outcome for one in found}


@pytest.mark.parametrize("name", ["inverse", "completion"])
def test_an_energy_of_grassmann_distance_supports_its_claims(
    name: str, request: pytest.FixtureRequest
) -> None:
    results = tree(request.getfixturevalue(name), "grassmann")
    outcomes = {one.id: one.outcome for one in judge(as_tested(STUDY.hypotheses), results)}
    affine = outcomes.pop("affine-at-fixed-length")
    assert affine != "supported"
    assert outcomes == dict.fromkeys(outcomes, "supported")
    growing = results["spearman"].sel(sweep="growing", metric="grassmann")
    # Moves that keep the subspace are all at distance 0, those across it at π/2: ties share ranks.
    assert float(growing.min()) == pytest.approx(1, abs=1e-12)


def test_an_energy_of_affine_invariant_distance_is_told_from_one_of_subspaces(
    inverse: Task,
) -> None:
    # Moves small enough to stay within the cone, as the planted energy is not defined elsewhere.
    results = tree(inverse, "affine-invariant", length=0.02, longest=0.05)
    assert float(results["spd_share"].min()) == 1
    outcomes = {one.id: one.outcome for one in judge(as_tested(STUDY.hypotheses), results)}
    assert outcomes["affine-at-fixed-length"] == "supported"


def test_moves_are_of_their_kind_and_length(completion: Task, inverse: Task) -> None:
    problems = completion.sample(3, seed=1)
    base = base_points(completion, problems, "product")
    size = torch.linalg.matrix_norm(base)[:, None]
    lengths = size * torch.tensor([0.01, 0.3, 0.9], dtype=torch.float64)

    def ends(kind: str, at: Tensor = base, goal: Tensor = lengths, rank: int = 2) -> Tensor:
        delta = moved(at, kind, goal, rank=rank, seed=7, purpose="test", first=0)
        torch.testing.assert_close(torch.linalg.matrix_norm(delta), goal, rtol=1e-12, atol=0)
        return at[:, None] + delta

    u = torch.linalg.svd(base)[0][:, None, :, :2]
    vh = torch.linalg.svd(base)[2][:, None, :2]
    for kind in ("within", "rotation", "orbit"):
        values = torch.linalg.svdvals(ends(kind))
        assert float(values[..., 2:].max()) < 1e-12
    within = ends("within")
    assert float((within - u @ (u.mT @ within)).abs().max()) < 1e-12
    assert float((within - within @ vh.mT @ vh).abs().max()) < 1e-12
    turned = ends("rotation")
    assert float((turned - turned @ vh.mT @ vh).abs().max()) < 1e-12
    values = torch.linalg.svdvals(base)[:, None].expand(-1, 3, -1)
    torch.testing.assert_close(torch.linalg.svdvals(turned), values, rtol=1e-9, atol=1e-12)
    normal = ends("normal") - base[:, None]
    assert float((u.mT @ normal).abs().max()) < 1e-12
    assert float((normal @ vh.mT).abs().max()) < 1e-12
    ends("random")

    definite = inverse.sample(3, seed=1).y.reshape(3, 3, 3)
    goal = 0.9 * torch.linalg.matrix_norm(definite)[:, None] * torch.ones(1, 2).double()
    cone = ends("spd", definite, goal, 1)
    torch.testing.assert_close(cone, cone.mT, rtol=0, atol=1e-12)
    assert float(torch.linalg.eigvalsh(cone).min()) > 0
    with pytest.raises(ManifoldError, match="3 of 3 that are not"):
        moved(-definite, "spd", goal, rank=1, seed=7, purpose="test", first=0)


def test_a_rotation_follows_a_geodesic_of_the_grassmann_manifold(completion: Task) -> None:
    base = base_points(completion, completion.sample(2, seed=1), "product")
    size = torch.linalg.matrix_norm(base)[:, None]
    # The same draws at other lengths are points of the same curves.
    spans = [
        torch.linalg.svd(
            base + moved(base, "rotation", share * size, rank=2, seed=7, purpose="x", first=0)[:, 0]
        )[0][..., :2]
        for share in (0.1, 0.2, 0.3)
    ]
    start = torch.linalg.svd(base)[0][..., :2]
    first, second, third = (grassmann.distance(start, span) for span in spans)
    torch.testing.assert_close(
        third, second + grassmann.distance(spans[1], spans[2]), rtol=1e-9, atol=0
    )
    torch.testing.assert_close(
        second, first + grassmann.distance(spans[0], spans[1]), rtol=1e-9, atol=0
    )


def test_distances_are_those_of_scipy(inverse: Task) -> None:
    base = inverse.sample(4, seed=2).y.reshape(4, 3, 3)
    lengths = torch.full((4, 2), 0.1, dtype=torch.float64)
    ends = base[:, None] + moved(base, "random", lengths, rank=2, seed=1, purpose="t", first=0)
    names = ("frobenius", "grassmann", "grassmann-rows", "grassmann-1", "affine-invariant")
    found = distances(base, ends, names, rank=2)
    outside = 0
    for i in range(4):
        for j in range(2):
            a, b = base[i].numpy(), ends[i, j].numpy()
            (ua, _, va), (ub, _, vb) = np.linalg.svd(a), np.linalg.svd(b)
            symmetric = (b + b.T) / 2
            relative = scipy.linalg.eigh(symmetric, (a + a.T) / 2, eigvals_only=True)
            expected = [
                np.linalg.norm(b - a),
                np.linalg.norm(scipy.linalg.subspace_angles(ua[:, :2], ub[:, :2])),
                np.linalg.norm(scipy.linalg.subspace_angles(va[:2].T, vb[:2].T)),
                np.linalg.norm(scipy.linalg.subspace_angles(ua[:, :1], ub[:, :1])),
                np.linalg.norm(np.log(relative)) if relative.min() > 0 else np.nan,
            ]
            outside += bool(relative.min() <= 0)
            np.testing.assert_allclose(found[i, j], np.array(expected), rtol=1e-9)
    assert outside < 8
    gone = distances(base, -ends, ("affine-invariant",), rank=2)
    assert bool(gone.isnan().all())


def test_moves_that_keep_a_subspace_are_at_distance_0(completion: Task) -> None:
    base = base_points(completion, completion.sample(4, seed=2), "product")
    lengths = 0.3 * torch.linalg.matrix_norm(base)[:, None] * torch.linspace(0.1, 1, 8).double()
    names = ("grassmann", "grassmann-rows", "grassmann-3")

    def found(kind: str) -> Tensor:
        ends = moved(base, kind, lengths, rank=2, seed=1, purpose="t", first=0) + base[:, None]
        return distances(base, ends, names, rank=2)

    assert bool((found("within")[..., :2] == 0).all())
    turned = found("rotation")
    assert float(turned[..., 0].min()) > 1e-3
    assert bool((turned[..., 1] == 0).all())  # rows stay
    # A base of rank 2 has no third singular vector.
    assert bool(turned[..., 2].isnan().all())
    # A distance that is small but known is kept, one across the space has one number.
    near = torch.diag(torch.tensor([3.0, 2.0, 0.0, 0.0]).double())[None]
    tilted, crossed = near.expand(1, 2, 4, 4).clone(), near.expand(1, 9, 4, 4).clone()
    tilted[0, 1, 2, 1] = 2e-9
    small = distances(near, tilted, ("grassmann",), rank=2)
    assert small.flatten().tolist() == [0.0, pytest.approx(1e-9)]
    crossed[0, :, 2:, 2:] = 9 * planted.normal(9, 2, 2, seed=4) + 40 * torch.eye(2).double()
    far = distances(near, crossed, ("grassmann",), rank=2)
    assert float(far.amax() - far.amin()) == 0
    assert float(far.amax()) == pytest.approx(2**0.5 * np.pi / 2, abs=1e-12)


def test_added_share_is_that_of_two_fits() -> None:
    rng = np.random.default_rng(0)
    length, distance = rng.uniform(1, 2, 20), rng.uniform(1, 2, 20)
    energy = length**2 + 0.5 * distance**2 + 0.1 * rng.standard_normal(20)
    distance[3] = np.nan
    known = np.flatnonzero(np.isfinite(distance))
    error = {}
    for name, columns in (("short", (length,)), ("long", (length, distance))):
        error[name] = 0.0
        for parity in (0, 1):
            fitted, tried = known[known % 2 == parity], known[known % 2 != parity]
            design = np.stack([np.ones(20), *(column**2 for column in columns)], axis=1)
            solution = np.linalg.lstsq(design[fitted], energy[fitted], rcond=None)[0]
            error[name] += ((energy[tried] - design[tried] @ solution) ** 2).sum()
    total = ((energy[known] - energy[known].mean()) ** 2).sum()
    expected = (error["short"] - error["long"]) / total
    assert expected > 0.1
    np.testing.assert_allclose(added_share(energy, length, distance), expected, rtol=1e-9)
    assert np.isnan(added_share(energy, length, 3 * length))
    assert np.isnan(added_share(np.full(20, np.nan), length, distance))


def test_distances_are_exchanged_among_neighbours_in_length() -> None:
    rng = np.random.default_rng(1)
    length = rng.permutation(23).astype(np.float64)
    found = exchanged(length, length, draws=50, rng=rng)
    assert found.shape == (50, 23)
    np.testing.assert_array_equal(np.sort(found, axis=1), np.tile(np.arange(23.0), (50, 1)))
    np.testing.assert_array_equal(found // 5, np.tile(length // 5, (50, 1)))
    assert len({tuple(row) for row in found}) == 50


def test_the_null_is_reached_where_distance_means_nothing_beyond_length() -> None:
    gaps = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        length = rng.uniform(0.02, 1, 60)
        distance = length * rng.uniform(0, 1, 60)
        energy = length**2 * rng.lognormal(0, 0.3, 60)
        partial, null, added, without = partial_and_null(
            energy[None], length, distance, draws=20, seed=[seed]
        )
        gaps.append((partial - null, added - without))
    values = np.array(gaps)[..., 0]
    z = values.mean(axis=0) / (values.std(axis=0, ddof=1) / len(values) ** 0.5)
    assert np.abs(z).max() < 5
    assert values[:, 0].std() < 0.25


def test_energies_that_differ_by_round_off_are_not_ranked() -> None:
    eps = np.finfo(np.float64).eps
    energy = np.array([[1.0, 1 + 4 * eps, 1 - 4 * eps], [1.0, 1 + 1e-9, 1.0]])
    found = resolved(energy, eps)
    assert np.isnan(found[0]).all()
    np.testing.assert_array_equal(found[1], energy[1])


def test_a_problem_is_the_same_in_any_chunk(inverse: Task) -> None:
    model = Planted(inverse, inverse.sample(6, seed=3), "ellipsoid")
    asked = config(levels=(4,))
    whole, part = (
        STUDY.of_model(model, STUDY.prepared(asked, inverse, model.schedule, first, count), asked)
        for first, count in ((0, 6), (4, 2))
    )
    xr.testing.assert_allclose(whole.isel(problem=slice(4, 6)), part, rtol=1e-9)


def test_the_ideal_is_stored_where_it_is_known(completion: Task) -> None:
    task = ii.task("gaussian", size=3)
    ideal, asked = ii.exact_model(task), config(problems=2, levels=(4,))
    data = STUDY.of_model(ideal, STUDY.prepared(asked, task, ideal.schedule, 0, 2), asked)
    np.testing.assert_allclose(data["energy"], data["ideal_energy"], rtol=1e-9)
    assert data["kind"].to_numpy().tolist() == ["within", "rotation", "normal", "random"]
    found = tree(completion, "bowl", problems=2, levels=(4,))
    assert "ideal_energy" not in found
    assert np.asarray(found["kind"]).tolist() == ["within", "rotation", "orbit", "normal", "random"]
    claim = next(one for one in STUDY.hypotheses if one.id == "affine-at-fixed-length")
    assert "spd_share" in judge([claim], found)[0].reason


def test_scales_and_configs(completion: Task, inverse: Task) -> None:
    assert filled(Exp004Config()).problems == 24
    paper = filled(Exp004Config(scale="paper", controls=0))
    assert (paper.problems, paper.controls, paper.moves) == (100, 0, 40)
    for changes, match in (
        ({"moves": 3}, "moves: expected at least 4"),
        ({"length": 1.0}, "length: expected a share"),
        ({"levels": (1, 1)}, "different levels"),
    ):
        with pytest.raises(ConfigError, match=match):
            Exp004Config(**changes)
    with pytest.raises(ConfigError, match="has no UVᵀ"):
        chosen_base(inverse, "product")
    assert chosen_rank(completion, 3, "answer") == 3
    with pytest.raises(ConfigError, match="expected 1 … 2"):
        chosen_rank(completion, 3, "product")
    with pytest.raises(ConfigError, match="matrices of side ≥ 2"):
        chosen_rank(ii.task("inverse", size=1), None, "answer")


def test_a_run_from_plan_to_page(tmp_path: Path) -> None:
    asked = Exp004Config(
        model=str(tiny.checkpoint(tmp_path / "m.safetensors")),
        problems=3,
        controls=2,
        moves=4,
        unit_problems=2,
        levels=LEVELS,
    )
    run = execute(plan_run(EXPERIMENT, asked, tmp_path / "run"))
    assert run.num_units == 2  # the cases of some problems are one unit
    results = run.tree
    assert set(results.to_dataset().data_vars) == set(EXPERIMENT.definitions)
    control = results["controls/untrained"].to_dataset()
    assert control.sizes["draw"] == 2
    of_problems = {"x", "answer", "base", "length", "distance", "spd_share", "bowl_energy"}
    assert not {*of_problems, "ideal_energy"} & set(control.data_vars)
    xr.testing.assert_identical(
        EXPERIMENT.run_unit(run.config, 0), EXPERIMENT.run_unit(run.config, 0)
    )
    assert all(spec.missing(results) == [] for spec in EXPERIMENT.figures)
    text = write_report(run).read_text(encoding="utf-8")
    assert "How the matrices were moved, and measured" in text
    assert all(f'id="figure-{spec.name}"' in text for spec in EXPERIMENT.figures)
    assert [row[0] for row in EXPERIMENT.listing(results).rows] == ["4", "10"]
