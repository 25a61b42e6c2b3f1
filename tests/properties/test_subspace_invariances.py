"""Subspaces do not depend on frames, signs, order or the choice of axes; neither do alignments."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import planted
from ired_interp.curvature import spectrum
from ired_interp.curvature.alignment import alignment
from ired_interp.curvature.eigenspaces import Pairs, clusters, eigenspace
from ired_interp.curvature.following import follow
from ired_interp.curvature.overlap import overlap_between
from ired_interp.geometry import (
    explained_share,
    orthonormalise,
    overlap,
    overlap_null,
    overlap_p_value,
    principal_angles,
)

seeds = st.integers(0, 10_000)


def _frame(d: int, k: int, seed: int) -> Tensor:
    return orthonormalise(planted.normal(2, d, k, seed=seed))


@given(d=st.integers(1, 12), k=st.integers(1, 12), l=st.integers(1, 12), seed=seeds)
def test_angles_do_not_depend_on_frames_axes_or_order(
    d: int,
    k: int,
    l: int,  # noqa: E741
    seed: int,
) -> None:
    k, l = min(k, d), min(l, d)  # noqa: E741
    a, b = _frame(d, k, seed), _frame(d, l, seed + 1)
    angles, share = principal_angles(a, b), overlap(a, b)
    assert angles.shape == (2, min(k, l))
    assert bool((angles.diff(dim=1) >= 0).all())
    assert bool((angles >= 0).all())
    assert bool((angles <= math.pi / 2).all())
    assert (share - angles.cos().square().mean(dim=1)).abs().max() < 1e-13
    axes = planted.orthogonal(d, seed=seed + 2)
    inside = planted.orthogonal(k, seed=seed + 3)
    flipped = a[:, :, torch.arange(k - 1, -1, -1)] * -1
    for one, two in ((b, a), (axes @ a, axes @ b), (a @ inside, b), (flipped, b)):
        assert (principal_angles(one, two) - angles).abs().max() < 1e-12
        assert (overlap(one, two) - share).abs().max() < 1e-13
    assert principal_angles(a, a @ inside).abs().max() < 1e-14
    # The complement has the rest: tr(PQ) + tr(P(I - Q)) = k.
    if l < d:
        full = torch.linalg.qr(b, mode="complete").Q[:, :, l:]
        rest = overlap(a, full) * min(k, d - l)
        assert (share * min(k, l) + rest - k).abs().max() < 1e-12


@given(d=st.integers(2, 9), l=st.integers(1, 9), seed=seeds, size=st.floats(1e-6, 1e6), flip=seeds)
def test_shares_depend_on_the_span_and_the_direction_alone(
    d: int,
    l: int,  # noqa: E741
    seed: int,
    size: float,
    flip: int,
) -> None:
    l = min(l, d)  # noqa: E741
    basis, v = planted.normal(d, l, seed=seed), planted.normal(d, 4, seed=seed + 1)
    share = explained_share(orthonormalise(basis), v)
    assert bool(((share >= 0) & (share <= 1)).all())
    mixed = basis @ planted.orthogonal(l, seed=flip) * size
    assert (explained_share(orthonormalise(mixed), -size * v) - share).abs().max() < 1e-9
    frame = torch.linalg.qr(v[:, :1]).Q
    assert abs(overlap(orthonormalise(basis), frame) - share[0]) < 1e-12


@given(d=st.integers(1, 30), k=st.integers(1, 30), l=st.integers(1, 30))
def test_nulls_are_symmetric_and_those_of_the_complements(
    d: int,
    k: int,
    l: int,  # noqa: E741
) -> None:
    k, l = min(k, d), min(l, d)  # noqa: E741
    null = overlap_null(d, k, l)
    assert null == overlap_null(d, l, k)
    assert 0 < null.mean <= 1
    assert 0 <= null.standard_deviation < 0.5
    if k < d and l < d:
        other = overlap_null(d, d - k, l)
        spread = null.standard_deviation * min(k, l)
        assert abs(other.standard_deviation * min(d - k, l) - spread) < 1e-12
        assert abs(other.mean * min(d - k, l) + null.mean * min(k, l) - l) < 1e-12


@given(seed=seeds, d=st.integers(2, 8), k=st.integers(1, 4), l=st.integers(1, 4))
def test_p_values_fall_with_the_overlap(
    seed: int,
    d: int,
    k: int,
    l: int,  # noqa: E741
) -> None:
    shares = torch.linspace(0, 1, 7, dtype=torch.float64)
    p = overlap_p_value(shares, d, min(k, d), min(l, d), num_draws=49, seed=seed)
    assert bool((p.diff() <= 0).all())
    assert bool(((p >= 0) & (p <= 1)).all())
    assert float(p[0]) == 1


@given(seed=seeds, multiplicity=st.integers(1, 3))
def test_alignment_does_not_depend_on_axes_signs_or_the_choice_within_a_cluster(
    seed: int, multiplicity: int
) -> None:
    values = [*[1.0] * multiplicity, 2.0, 3.5, -1.0]
    d = len(values)
    a = planted.symmetric(values, seed=seed)
    y, basis = torch.zeros(1, d, dtype=torch.float64), planted.normal(d, 2, seed=seed + 1)
    spec = spectrum(planted.quadratic(a), y)
    found = alignment(spec, basis, num_draws=19)
    axes = planted.orthogonal(d, seed=seed + 2)
    turned = spectrum(planted.quadratic(axes @ a @ axes.T), y)
    mixed = spec.eigenvectors.clone()
    plane = clusters(spec).labels[0] == 1
    mixed[0, :, plane] = mixed[0, :, plane] @ planted.orthogonal(multiplicity, seed=seed + 3)
    other = Pairs(spec.eigenvalues, -mixed, spec.residuals, spec.norm)
    for again in (
        alignment(turned, axes @ basis, num_draws=19),
        alignment(other, basis.flip(1) * -3, num_draws=19),
    ):
        assert torch.equal(again.size, found.size)
        assert (again.share - found.share).abs().max() < 1e-10
        assert (again.angles.nan_to_num(9) - found.angles.nan_to_num(9)).abs().max() < 1e-6
        assert (again.p_value - found.p_value).abs().max() <= 1 / 19
    assert abs(float(found.share.sum()) - 2) < 1e-12  # all of the basis is somewhere


@given(seed=seeds, num=st.integers(1, 3))
def test_overlaps_and_curves_do_not_depend_on_scale_and_signs(seed: int, num: int) -> None:
    a, b = (planted.symmetric([-4.0, 1.0, 2.0, 3.0, 7.0], seed=seed + i) for i in (0, 1))
    b = a + 0.05 * b
    y = torch.zeros(1, 5, dtype=torch.float64)
    plain = [spectrum(planted.quadratic(m), y) for m in (a, b)]
    scaled = [spectrum(planted.quadratic(3 * m), y) for m in (a, b)]
    flipped = [Pairs(s.eigenvalues, -s.eigenvectors, s.residuals, s.norm) for s in plain]
    one = overlap_between(*(eigenspace(s, num) for s in plain))
    followed = follow(plain)
    for other in (scaled, flipped):
        two = overlap_between(*(eigenspace(s, num) for s in other))
        assert (one.overlap - two.overlap).abs().max() < 1e-10
        again = follow(other)
        assert torch.equal(again.columns, followed.columns)
        assert (again.overlap - followed.overlap).abs().max() < 1e-10
