"""Clusters, eigenspaces, their overlaps and alignments, against planted ones and their bounds."""

import inspect
import math

import pytest
import scipy.stats
import torch
from torch import Tensor

import planted
from ired_interp.curvature import spectrum
from ired_interp.curvature.alignment import alignment
from ired_interp.curvature.eigenspaces import Pairs, clusters, eigenspace, take
from ired_interp.curvature.overlap import (
    overlap_angles,
    overlap_between,
    overlap_levels,
    overlap_problems,
    shared_directions,
)
from ired_interp.errors import ShapeError, UnknownNameError
from ired_interp.geometry import orthonormalise, overlap, overlap_null

D = 8
VALUES = [-6.0, -1.0, 0.5, 0.5, 0.5, 2.0, 4.0, 4.0 + 1e-6]


def _pairs(values: list[float], vectors: Tensor, residual: float = 1e-14) -> Pairs:
    """Eigenpairs as if computed, with a stated residual."""
    n, _, e = vectors.shape
    row = torch.tensor(values, dtype=vectors.dtype).expand(n, -1)
    norm = row.abs().amax(dim=1)
    return Pairs(row, vectors, torch.full((n, e), residual, dtype=vectors.dtype), norm)


def _all(seed: int = 0, n: int = 2, residual: float = 1e-14) -> Pairs:
    q = torch.stack([planted.orthogonal(D, seed=seed + i) for i in range(n)])
    return _pairs(VALUES, q, residual)


def test_clusters_are_the_planted_multiplicities() -> None:
    found = clusters(_all())
    assert found.labels[0].tolist() == [0, 1, 2, 2, 2, 3, 4, 5]
    assert found.size[0].tolist() == [1, 1, 3, 3, 3, 1, 1, 1]
    expected = [5, 1.5, 1.5, 1.5, 1.5, 1.5, 1e-6, 1e-6]
    assert found.gap[1].tolist() == pytest.approx(expected, rel=1e-9)
    assert bool(found.resolved.all())
    # A tolerance of 1e-5·‖H‖ joins the last two, and so do residuals of 1e-6.
    for pairs, tolerance in ((_all(), 1e-5), (_all(residual=1e-6), 0.0)):
        joined = clusters(pairs, tolerance)
        assert joined.labels[0].tolist() == [0, 1, 2, 2, 2, 3, 4, 4]
        assert joined.gap[0, 7] == 2
    # A chain is one cluster, and the order of the columns does not matter.
    chain = clusters(take(_all(), torch.tensor([5, 0, 7, 3, 1, 6, 4, 2])), 0.25)
    assert chain.labels[0].tolist() == [1, 0, 2, 1, 1, 2, 1, 1]


def test_the_last_pair_of_an_end_is_never_resolved() -> None:
    top = take(_all(), torch.tensor([0, 7, 6, 5]))  # -6, 4 + 1e-6, 4, 2
    found = clusters(top)
    assert found.resolved[0].tolist() == [True, True, True, False]
    assert found.gap[0].tolist() == pytest.approx([4, 1e-6, 1e-6, 0], rel=1e-9)
    assert found.angle_error[0, 3] == 1
    # -2 is 4 away from its neighbour 2.5, but unknown ones may lie within ±1.5.
    two_sided = clusters(_pairs([2.5, -2.0, 1.5], _all().eigenvectors[:, :, :3]))
    assert two_sided.gap[0].tolist() == pytest.approx([1, 0.5, 0])
    bottom = clusters(_pairs([-6.0, -1.0, 0.5, 4.0], _all().eigenvectors[:, :, :4]))
    assert bottom.gap[0].tolist() == pytest.approx([5, 1.5, 1.5, 0])
    # -6, -1, ½ could be either end of the spectrum: the smaller gap counts.
    either = clusters(take(_all(), slice(0, 3)))
    assert either.gap[0].tolist() == pytest.approx([5, 0.5, 0])


def test_an_eigenspace_knows_whether_its_cut_goes_through_a_cluster() -> None:
    top = [eigenspace(_all(), num) for num in range(1, D + 1)]  # -6, 4, 4, 2, -1, ½, ½, ½
    assert [bool(s.resolved[0]) for s in top] == [True, True, True, True, True, False, False, True]
    # The distance counts signs: -6 against -1 is 5, and 4 is no neighbour in spite of its size.
    assert [float(s.gap[0]) for s in top[:5]] == pytest.approx([5, 1e-6, 2, 1.5, 1.5], rel=1e-9)
    assert float(top[5].angle_error[0]) == pytest.approx(math.sqrt(6))
    assert float(top[-1].angle_error[0]) == 0
    bottom = eigenspace(_all(), 2, "bottom")
    assert bottom.eigenvalues[0].tolist() == [-6, -1]
    # From the four first pairs of the top alone only the sizes are known.
    part = eigenspace(take(_all(), torch.tensor([0, 7, 6, 5])), 3)
    assert float(part.gap[0]) == pytest.approx(2)
    assert not bool(eigenspace(_all(residual=1e-6), 2).resolved.any())


def test_requests_that_cannot_be_met_are_refused() -> None:
    pairs = _all()
    both = take(pairs, torch.tensor([0, 7, 0, 1]))
    for wrong in (clusters, lambda p: eigenspace(p, 1), lambda p: alignment(p, torch.eye(D, 1))):
        with pytest.raises(ShapeError, match="orthonormal"):
            wrong(both)
    with pytest.raises(ShapeError, match="another order"):
        clusters(take(pairs, torch.tensor([7, 0, 1, 2])))
    with pytest.raises(ShapeError, match="bottom end alone"):
        eigenspace(take(pairs, torch.tensor([7, 5, 1])), 1, "bottom")
    with pytest.raises(ShapeError, match="at least 4 eigenpairs"):
        eigenspace(take(pairs, slice(0, 3)), 3, "bottom")
    with pytest.raises(ShapeError, match="1 … d = 8"):
        eigenspace(pairs, 9)
    with pytest.raises(UnknownNameError, match="top, bottom"):
        inspect.unwrap(eigenspace)(pairs, 1, "middle")
    with pytest.raises(ShapeError, match="tolerance"):
        clusters(pairs, -1e-3)


@pytest.mark.parametrize("size", [1e-9, 1e-5, 1e-2])
def test_the_exact_eigenspace_lies_within_the_bound(size: float) -> None:
    # Approximate pairs: those of a disturbed matrix, with residuals in the true one.
    a = planted.symmetric([-3.0, -1.0, 0.2, 0.7, 1.5, 5.0], seed=0)
    noise = planted.normal(6, 6, seed=1)
    values, vectors = torch.linalg.eigh(a + size * (noise + noise.T))
    off = a @ vectors - vectors * values
    pairs = Pairs(
        values[None],
        vectors[None],
        torch.linalg.vector_norm(off, dim=0)[None],
        values.abs().max()[None],
    )
    exact = torch.linalg.eigh(a).eigenvectors
    for num in range(1, 6):
        space = eigenspace(pairs, num, "bottom")
        angles = (1 - overlap(space.frame[0], exact[:, :num])).clamp(min=0) * num
        assert float(angles.sqrt()) <= float(space.angle_error[0]) + 1e-7
        if size < 1e-3:
            assert bool(space.resolved.all())
            assert float(space.angle_error[0]) < 1e3 * size
    # The overlap of two such spaces is within its error of that of the exact ones.
    one, two = eigenspace(pairs, 2, "bottom"), eigenspace(pairs, 3, "bottom")
    found = overlap_between(one, two)
    assert abs(float(found.overlap[0]) - 1) <= float(found.error[0]) + 1e-12


def _spaces(n: int, k: int, *, seed: int, d: int = 30) -> tuple[Pairs, Tensor]:
    q = torch.stack([planted.orthogonal(d, seed=seed + i) for i in range(n)])
    values = [float(d - i) for i in range(d)]
    return _pairs(sorted(values), q.flip(2)), q[:, :, :k]


def test_overlaps_of_levels_problems_and_draws_are_those_of_each_pair() -> None:
    (one, frames), (two, others) = _spaces(5, 3, seed=0), _spaces(5, 3, seed=50)
    first, second = eigenspace(one, 3), eigenspace(two, 3)
    between = overlap_between(first, second)
    assert (between.overlap - overlap(frames, others)).abs().max() < 1e-13
    assert overlap_angles(first, second).shape == (5, 3)
    assert between.null == overlap_null(30, 3, 3)
    assert bool(between.resolved.all())
    z = (between.overlap - 0.1) / between.null.standard_deviation
    assert (between.z_score - z).abs().max() < 1e-12
    levels = overlap_levels([first, second, first])
    assert levels.overlap.shape == (5, 3, 3)
    assert (levels.overlap[:, 0, 1] - between.overlap).abs().max() < 1e-13
    assert (levels.overlap[:, 0, 2] - 1).abs().max() < 1e-13
    problems = overlap_problems(first)
    for i in range(5):
        for j in range(5):
            assert abs(problems.overlap[i, j] - overlap(frames[i], frames[j])) < 1e-13
    both = shared_directions(first, second)
    assert torch.equal(both.across.overlap, problems.overlap)
    assert torch.equal(both.draws.overlap, between.overlap)
    wide = overlap_between(eigenspace(one, 3), eigenspace(one, 7))
    assert (wide.overlap - 1).abs().max() < 1e-13
    assert wide.null.mean == pytest.approx(7 / 30)


def test_unresolved_cuts_are_marked_and_leave_the_overlap_open() -> None:
    q = torch.stack([planted.orthogonal(6, seed=i) for i in range(3)])
    flat = _pairs([1.0] * 6, q)
    found = overlap_problems(eigenspace(flat, 2))
    assert not bool(found.resolved.any())
    assert bool((found.error == 1).all())
    with pytest.raises(ShapeError, match="same problems"):
        overlap_between(eigenspace(flat, 2), eigenspace(_pairs([1.0] * 6, q[:2]), 2))


def test_unrelated_eigenspaces_have_the_null_s_z_scores() -> None:
    first, second = (eigenspace(_spaces(300, 4, seed=s, d=12)[0], 4) for s in (0, 1_000))
    z = overlap_between(first, second).z_score
    assert abs(float(z.mean())) < 5 / 300**0.5
    assert abs(float(z.square().mean()) - 1) < 5 * float(z.square().std()) / 300**0.5


def test_a_degenerate_cluster_is_aligned_as_one_subspace() -> None:
    q = planted.orthogonal(D, seed=3)
    basis = torch.stack([q[:, 2] + q[:, 3] + q[:, 4], q[:, 0]], dim=1)
    turned = q.clone()
    turned[:, 2:5] = q[:, 2:5] @ planted.orthogonal(3, seed=4)
    for vectors in (q, turned):  # any choice within the cluster gives the same
        found = alignment(_pairs(VALUES, vectors[None]), basis, num_draws=199)
        assert found.size[0].tolist() == [1, 1, 3, 3, 3, 1, 1, 1]
        expected = [1, 0, *[1 / 3] * 3, 0, 0, 0]
        assert found.share[0].tolist() == pytest.approx(expected, abs=1e-13)
        assert found.angles.shape == (1, D, 2)
        assert found.angles[0, 3].tolist() == pytest.approx([0, math.pi / 2], abs=1e-7)
        assert found.angles[0, 0, 0] < 1e-7
        assert bool(found.angles[0, 0, 1].isnan())
    # A single cosine would have differed: 0 in one choice of vectors, 1 in another.
    singles = [(v[:, 2:5].T @ basis[:, 0]).square() / 3 for v in (q, turned)]
    assert float((singles[0] - singles[1]).abs().max()) > 0.1


def test_alignment_comes_with_the_null_of_the_cluster_s_own_size() -> None:
    q = planted.orthogonal(D, seed=3)
    basis = planted.normal(D, 3, seed=9)
    found = alignment(_pairs(VALUES, q[None]), basis, num_draws=499, seed=2)
    assert (found.null_mean - 3 / D).abs().max() < 1e-14
    null = overlap_null(D, 3, 3)
    assert float(found.null_standard_deviation[0, 2]) == pytest.approx(null.standard_deviation)
    single = overlap_null(D, 1, 3)
    assert float(found.null_standard_deviation[0, 0]) == pytest.approx(single.standard_deviation)
    z = (found.share - 3 / D) / found.null_standard_deviation
    assert (found.z_score - z).abs().max() < 1e-12
    exact = scipy.stats.beta(1.5, 2.5).sf(float(found.share[0, 0]))
    assert float(found.p_value[0, 0]) == pytest.approx(exact, rel=1e-10)
    assert 1 / 500 <= float(found.p_value[0, 2]) <= 1
    frame = orthonormalise(basis)
    assert float(found.share[0, 3]) == pytest.approx(float(overlap(q[:, 2:5], frame)), abs=1e-13)
    # A cluster larger than the basis: shares stay tr(PQ)/size.
    line = alignment(_pairs(VALUES, q[None]), q[:, 2:3])
    assert float(line.share[0, 2]) == pytest.approx(1 / 3)
    assert float(line.null_mean[0, 2]) == pytest.approx(1 / D)
    assert float(line.p_value[0, 2]) < 1e-6


def test_alignment_of_a_landscape_with_a_basis_a_row() -> None:
    land = planted.quadratic(planted.symmetric([1.0, 2.0, 2.0, 2.0, 9.0], seed=0))
    spec = spectrum(land, planted.normal(2, 5, seed=1))
    own = spec.eigenvectors[:, :, 1:3] @ planted.orthogonal(2, seed=5)
    found = alignment(spec, torch.stack([own[0], spec.eigenvectors[1, :, [0, 4]]]))
    assert found.share[0].tolist() == pytest.approx([0, *[2 / 3] * 3, 0], abs=1e-12)
    assert found.share[1].tolist() == pytest.approx([1, 0, 0, 0, 1], abs=1e-12)
    assert bool(found.resolved.all())
    assert float(found.share_error.max()) < 1e-12
    with pytest.raises(ShapeError, match=r"found rank 1"):
        alignment(spec, torch.ones(5, 2, dtype=torch.float64))
    with pytest.raises(ShapeError, match=r"basis: expected shape \(5, l\)"):
        alignment(spec, torch.ones(4, 2, dtype=torch.float64))
