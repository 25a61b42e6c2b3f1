"""What must not matter to a verdict, and what must turn it round."""

from dataclasses import replace

import numpy as np
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ired_interp.experiments.hypothesis import Evidence, Hypothesis, Verdict
from ired_interp.experiments.verdicts import judge
from ired_interp.stats import holm, partial_spearman, proportion, sign_flip, slope, spearman

seeds = st.integers(0, 10_000)
p_values = arrays(np.float64, st.integers(1, 12), elements=st.floats(0, 1))
few = settings(max_examples=12, deadline=None)


def evidence(seed: int, n: int, draws: int) -> Evidence:
    rng = np.random.default_rng(seed)
    effect = rng.normal(rng.choice([-2.0, 0.0, 2.0]), 1, size=n)
    effect[rng.random(n) < 0.1] = np.nan
    control = rng.normal(rng.choice([-2.0, 0.0, 2.0]), 1, size=(draws, n) if draws else n)
    return Evidence(effect=effect, control=control, model=rng.integers(0, 8, size=n))


def verdict(given_evidence: Evidence, direction: str = "greater") -> Verdict:
    hypothesis = Hypothesis(
        id="planted",
        statistic=lambda _: given_evidence,
        direction="greater" if direction == "greater" else "less",
        statement="",
        supports="",
        refutes="",
        control="",
        source="",
    )
    (found,) = judge([hypothesis], xr.DataTree())
    return found


@few
@given(seed=seeds, n=st.integers(7, 25), draws=st.integers(0, 4))
def test_the_order_of_the_problems_does_not_matter(seed: int, n: int, draws: int) -> None:
    one = evidence(seed, n, draws)
    order = np.random.default_rng(seed + 1).permutation(n)
    assert one.control is not None
    assert one.model is not None
    other = Evidence(
        effect=one.effect[order], control=one.control[..., order], model=one.model[order]
    )
    found, again = verdict(one), verdict(other)
    assert found.outcome == again.outcome
    assert np.isclose(found.p_for, again.p_for, rtol=1e-9)
    assert np.isclose(found.p_against, again.p_against, rtol=1e-9)
    assert found.estimate == again.estimate


@few
@given(seed=seeds, n=st.integers(7, 25), draws=st.integers(0, 4))
def test_the_mirror_image_supports_the_opposite_statement(seed: int, n: int, draws: int) -> None:
    one = evidence(seed, n, draws)
    assert one.control is not None
    mirrored = replace(one, effect=-one.effect, control=-one.control)
    found, opposite = verdict(one), verdict(mirrored, "less")
    assert found.outcome == opposite.outcome
    assert np.isclose(found.p_for, opposite.p_for, rtol=1e-12)
    assert np.isclose(found.p_against, opposite.p_against, rtol=1e-12)


@few
@given(seed=seeds, n=st.integers(8, 25))
def test_the_verdict_turns_with_the_sign_of_the_data(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    effect = np.abs(rng.normal(3, 0.5, size=n))
    control = rng.normal(0, 0.1, size=n)
    assert verdict(Evidence(effect=effect, control=control)).outcome == "supported"
    assert verdict(Evidence(effect=-effect, control=control)).outcome == "refuted"


@few
@given(seed=seeds, n=st.integers(7, 25), shift=st.floats(-50, 50), scale=st.floats(0.01, 100))
def test_units_and_origin_do_not_matter(seed: int, n: int, shift: float, scale: float) -> None:
    one = evidence(seed, n, 0)
    assert one.control is not None
    other = replace(
        one,
        effect=scale * one.effect + shift,
        control=scale * one.control + shift,
        null=shift,
    )
    found, again = verdict(one), verdict(other)
    assert abs(found.p_for - again.p_for) < 1e-9
    assert abs(found.p_against - again.p_against) < 1e-9


@few
@given(seed=seeds, n=st.integers(7, 25), more=st.floats(0, 5))
def test_a_larger_effect_is_never_less_supported(seed: int, n: int, more: float) -> None:
    one = evidence(seed, n, 0)
    larger = replace(one, effect=one.effect + more)
    assert verdict(larger).p_for <= verdict(one).p_for + 1e-12


@given(values=arrays(np.float64, st.integers(1, 12), elements=st.floats(-100, 100)), seed=seeds)
def test_signs_have_two_sides_that_mirror(values: np.ndarray, seed: int) -> None:
    found, mirrored = sign_flip(values, seed=seed), sign_flip(-values, seed=seed)
    assert found.greater == mirrored.less
    assert found.less == mirrored.greater
    # Each sum is on one side at least, and the observed one on both.
    assert found.greater + found.less >= 1
    assert min(found.greater, found.less) >= 2.0**-values.size


@given(p=p_values, seed=seeds)
def test_holm_is_monotone_never_below_and_blind_to_order(p: np.ndarray, seed: int) -> None:
    adjusted = holm(p)
    assert (adjusted >= p).all()
    assert (adjusted <= 1).all()
    assert (adjusted <= np.minimum(p.size * p, 1) + 1e-15).all()  # no worse than Bonferroni
    order = np.argsort(p, kind="stable")
    assert (np.diff(adjusted[order]) >= 0).all()
    shuffled = np.random.default_rng(seed).permutation(p.size)
    assert np.array_equal(holm(p[shuffled]), adjusted[shuffled])
    # One more hypothesis never makes another easier.
    assert (holm(np.append(p, 0.5))[:-1] >= adjusted - 1e-15).all()


@given(trials=st.integers(1, 300), share=st.floats(0, 1))
def test_a_proportion_lies_in_its_interval(trials: int, share: float) -> None:
    successes = round(share * trials)
    found = proportion(successes, trials)
    assert 0 <= found.low <= found.mean <= found.high <= 1
    mirrored = proportion(trials - successes, trials)
    assert abs(mirrored.low - (1 - found.high)) < 1e-9


@given(seed=seeds, rows=st.integers(1, 4), m=st.integers(3, 20))
def test_ranks_know_order_alone(seed: int, rows: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    one, two, three = rng.integers(-4, 9, size=(3, rows, m)).astype(np.float64)
    two[rng.random(two.shape) < 0.2] = np.nan
    plain, partial = spearman(one, two), partial_spearman(one, two, three)
    order = rng.permutation(m)
    for other in (
        spearman(np.exp(one), two**3),
        spearman(two, one),
        spearman(one[:, order], two[:, order]),
    ):
        assert np.allclose(plain.coefficient, other.coefficient, atol=1e-12, equal_nan=True)
    bent = partial_spearman(one, np.exp(two), three**3)
    assert np.allclose(partial.coefficient, bent.coefficient, atol=1e-12, equal_nan=True)
    assert np.allclose(
        spearman(-one, two).coefficient, -plain.coefficient, atol=1e-12, equal_nan=True
    )
    known = np.isfinite(plain.coefficient)
    assert (np.abs(plain.coefficient[known]) <= 1).all()
    alone = spearman(one[0], two[0])
    assert np.allclose(alone.coefficient, plain.coefficient[0], atol=1e-12, equal_nan=True)


@given(seed=seeds, k=st.integers(2, 10), rise=st.floats(-5, 5), start=st.floats(-100, 100))
def test_a_line_has_its_slope(seed: int, k: int, rise: float, start: float) -> None:
    positions = np.sort(np.random.default_rng(seed).uniform(0, 10, size=k))
    positions += np.arange(k)  # apart from one another
    found = slope(start + rise * positions, positions)
    assert abs(float(found.slope) - rise) < 1e-9 * (1 + abs(start) + abs(rise))
