"""Verdicts on planted evidence: each outcome, each reason, and what is refused."""

import math
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from ired_interp.errors import ConfigError, ExperimentError, NonFiniteError, ShapeError
from ired_interp.experiments.hypothesis import Evidence, Hypothesis, Verdict
from ired_interp.experiments.verdicts import judge
from ired_interp.stats import bootstrap_mean, paired_effect, sign_flip

NOWHERE = xr.DataTree()


def planted(evidence: Any, **changed: Any) -> Hypothesis:
    words = dict.fromkeys(("statement", "supports", "refutes", "control", "source"), "")
    plain = {"id": "planted", "direction": "greater", "statistic": lambda _: evidence}
    return Hypothesis(**{**words, **plain, **changed})


def verdict(evidence: Evidence, **changed: Any) -> Verdict:
    (found,) = judge([planted(evidence, **changed)], NOWHERE)
    return found


def noise(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def test_an_effect_beyond_null_and_control_is_supported() -> None:
    effect, control = 3 + noise(0, 20), 1 + noise(1, 20)
    found = verdict(Evidence(effect=effect, control=control, null=0.5, unit="degrees"))
    assert found.outcome == "supported"
    assert found.estimate.mean == pytest.approx(effect.mean())
    interval = bootstrap_mean(effect, seed=0)
    width = interval.high - interval.low
    assert found.estimate.low == pytest.approx(interval.low, abs=0.1 * width)
    assert found.estimate.high == pytest.approx(interval.high, abs=0.1 * width)
    assert found.null == 0.5
    assert found.control is not None
    assert found.contrast is not None
    assert found.control.mean == pytest.approx(control.mean())
    assert found.contrast.mean == pytest.approx((effect - control).mean())
    assert found.contrast.low > 0
    assert (found.num_problems, found.num_models) == (20, 1)
    assert found.p_for == found.adjusted_p <= 0.025
    assert found.p_against == 1.0
    for words in ("above the null 0.5 at 20 of 20 problems", "degrees", "of this model."):
        assert words in found.reason


def test_the_p_value_is_the_larger_of_null_and_control() -> None:
    effect, control = 1 + noise(2, 9), 0.4 + noise(3, 9)
    found = verdict(Evidence(effect=effect, control=control))
    parts = [
        stats.permutation_test(
            (values,),
            lambda x, axis: x.mean(axis=axis),
            permutation_type="samples",
            vectorized=True,
            alternative=side,
        ).pvalue
        for side in ("greater", "less")
        for values in (effect, effect - control)
    ]
    assert found.p_for == max(parts[:2])
    assert found.p_against == min(1.0, 2 * min(parts[2:]))


def test_what_the_control_does_too_is_not_supported() -> None:
    effect = 3 + noise(4, 30)
    found = verdict(Evidence(effect=effect, control=effect + 0.5 * noise(5, 30)))
    assert found.outcome == "inconclusive"
    assert found.reason.startswith("The control does the same")


def test_an_effect_on_the_wrong_side_of_null_or_control_is_refuted() -> None:
    below_null = verdict(Evidence(effect=-2 + noise(6, 20), control=-4 + noise(7, 20)))
    assert below_null.outcome == "refuted"
    assert "below the null 0 at" in below_null.reason
    assert below_null.adjusted_p == below_null.p_against <= 0.025
    below_control = verdict(Evidence(effect=2 + noise(6, 20), control=4 + noise(7, 20)))
    assert below_control.outcome == "refuted"
    assert "below the control at" in below_control.reason
    # The same evidence supports the opposite statement if null and control are both above.
    opposite = verdict(Evidence(effect=-2 + noise(6, 20), control=noise(7, 20)), direction="less")
    assert opposite.outcome == "supported"
    assert "lies below the null" in opposite.reason


def test_without_a_control_nothing_is_supported_but_something_may_be_refuted() -> None:
    found = verdict(Evidence(effect=9 + noise(8, 20)))
    assert found.outcome == "inconclusive"
    assert (found.p_for, found.contrast, found.control) == (1.0, None, None)
    assert "no control was measured" in found.reason
    assert verdict(Evidence(effect=-9 + noise(8, 20))).outcome == "refuted"


def test_no_effect_is_inconclusive() -> None:
    found = verdict(Evidence(effect=noise(9, 20), control=noise(10, 20) - 9))
    assert found.outcome == "inconclusive"
    assert "is not told from the null 0" in found.reason
    nothing = verdict(Evidence(effect=np.zeros(20), control=np.zeros(20)))
    assert nothing.outcome == "inconclusive"
    assert (nothing.p_for, nothing.p_against) == (1.0, 1.0)


def test_signs_of_round_off_are_no_evidence() -> None:
    """Scores that are the noise differ from it in the last digit, upwards more often than not."""
    noise_itself = 1 + noise(20, 24) ** 2
    effect = noise_itself * (1 + 1e-15 * (1 + np.arange(24) % 3))
    found = verdict(Evidence(effect=effect, null=noise_itself, control=noise(21, 24) - 9))
    assert (found.outcome, found.p_for) == ("inconclusive", 1.0)
    same = verdict(Evidence(effect=effect, null=0.0, control=np.stack([noise_itself] * 3)))
    assert (same.outcome, same.p_for) == ("inconclusive", 1.0)
    # A relative millionth is a difference, if it is there at every problem.
    more = Evidence(effect=noise_itself * (1 + 1e-6), null=noise_itself, control=noise(21, 24) - 9)
    assert verdict(more).outcome == "supported"


def test_round_off_around_a_null_of_zero_is_told_by_the_evidence_alone() -> None:
    """Beside 0 every difference is as large as the larger number, be it 1e-16."""
    effect, far = 1e-16 * (1 + np.arange(24) % 3), noise(21, 24) - 9

    def found(**changed: Any) -> Verdict:
        given: dict[str, Any] = {"effect": effect, "control": far, "resolution": 1e-12}
        return verdict(Evidence(**(given | changed)))

    assert found(resolution=0.0).outcome == "supported"  # 1e-16 of what, nobody has said
    nothing = found()
    assert (nothing.outcome, nothing.p_for, nothing.p_against) == ("inconclusive", 1.0, 1.0)
    assert (nothing.share_above, math.isnan(nothing.hedges_g)) == (0.0, True)
    same = found(null=-9.0, control=np.stack([-effect] * 3))
    assert (same.outcome, same.p_for) == ("inconclusive", 1.0)
    assert found(effect=effect + 1e-6).outcome == "supported"


def test_a_verdict_has_the_size_of_its_effect() -> None:
    effect, control, model = 1 + noise(30, 24), noise(31, 24), np.repeat(np.arange(8), 3)
    given: dict[str, Any] = {"effect": effect, "control": control, "null": 0.5}
    for found, units in (
        (verdict(Evidence(**given)), effect - 0.5),
        (verdict(Evidence(**given), direction="less"), effect - 0.5),
        (verdict(Evidence(**given, model=model)), (effect - 0.5).reshape(8, 3).mean(axis=1)),
    ):
        size = paired_effect(units)
        assert found.hedges_g == pytest.approx(float(size.standardised))
        assert found.rank_biserial == pytest.approx(float(size.rank_biserial))
        assert found.share_above == pytest.approx(float(size.share_above))
    assert 0.2 < size.standardised < 2
    undefined = verdict(Evidence(effect=np.full(3, np.nan)))
    assert math.isnan(undefined.share_above)


def test_an_exploratory_hypothesis_is_shown_and_takes_no_alpha() -> None:
    effect, control = 9 + noise(22, 6), noise(23, 6)
    strong = Evidence(effect=effect, control=control)
    alone = verdict(strong)
    both = [planted(strong, id="asked"), planted(strong, id="seen", role="exploratory")]
    asked, seen = judge(both, NOWHERE)
    assert (asked.outcome, asked.adjusted_p) == (alone.outcome, alone.adjusted_p)
    assert asked.outcome == "supported"
    assert seen.outcome == "inconclusive"
    assert (seen.estimate, seen.p_for) == (alone.estimate, alone.p_for)
    assert math.isnan(seen.adjusted_p)
    assert seen.reason.startswith("Exploratory, so neither supported nor refuted: ")
    assert "unadjusted p = 0.016 for" in seen.reason
    (only,) = judge(both[1:], NOWHERE)
    assert (only.outcome, only.reason) == ("inconclusive", seen.reason)


def test_five_problems_are_too_few_and_six_are_not() -> None:
    effect, control = 9 + noise(11, 6), noise(12, 6)
    assert verdict(Evidence(effect=effect, control=control)).outcome == "supported"
    found = verdict(Evidence(effect=effect[:5], control=control[:5]))
    assert found.outcome == "inconclusive"
    assert "5 problems are too few: below 6" in found.reason
    # Of ten hypotheses, nine problems: 10/2⁹ is below .025, 10/2⁸ is not.
    for n, outcome in ((8, "inconclusive"), (9, "supported")):
        many = [
            planted(Evidence(effect=9 + noise(i, n), control=noise(50 + i, n)), id=f"h{i}")
            for i in range(10)
        ]
        found = judge(many, NOWHERE)[3]
        assert found.outcome == outcome
    one = judge([planted(Evidence(effect=effect, control=control), id=i) for i in "ab"], NOWHERE)[0]
    assert "6 problems are too few: below 7 among 2 hypotheses" in one.reason


def test_problems_that_are_not_defined_are_left_out_and_counted() -> None:
    effect, control = 3 + noise(13, 20), noise(14, 2, 20)
    effect[:3] = np.nan
    control[0, 3] = control[:, 4] = np.nan  # problem 3 keeps one draw, problem 4 has none
    null = np.where(np.arange(20) == 5, np.nan, 0.1)
    found = verdict(Evidence(effect=effect, control=control[0], null=null, note="At typical."))
    assert found.num_problems == found.estimate.count == 16
    assert found.contrast is not None
    assert found.contrast.count == 14
    assert found.null == pytest.approx(0.1)
    assert found.reason.endswith("not defined at 4 of 20 problems (At typical).")
    both = verdict(Evidence(effect=effect, control=control, null=null))
    assert both.contrast is not None
    assert both.contrast.count == 15
    gone = verdict(Evidence(effect=np.full(7, np.nan), note="none was positive"))
    assert gone.outcome == "inconclusive"
    assert gone.reason == "Not defined at any of the 7 problems (none was positive)."
    assert math.isnan(gone.p_for)
    control_gone = verdict(Evidence(effect=effect, control=np.full(20, np.nan)))
    assert control_gone.outcome == "inconclusive"
    assert "0 problems where the control is defined are too few" in control_gone.reason


def test_a_hypothesis_that_was_not_measured_says_what_is_missing_and_costs_nothing() -> None:
    good = planted(Evidence(effect=9 + noise(15, 6), control=noise(16, 6)), id="good")
    absent = planted(None, id="absent", needs=("summary/model/mean", "y"))
    results = xr.DataTree(xr.Dataset({"y": ("problem", np.zeros(6))}))
    first, second = judge([absent, good], results)
    assert (first.id, first.outcome) == ("absent", "inconclusive")
    assert first.reason == "Not measured: these results hold no summary/model/mean."
    assert second.outcome == "supported"  # one of one, not one of two
    assert judge([], results) == []


def test_draws_that_sway_all_problems_are_what_a_network_is_measured_by() -> None:
    # The effect lies above the mean of 4 untrained networks at every problem, and below one.
    effect = 1 + 0.1 * noise(17, 20)
    untrained = np.array([-1.0, 0.0, 0.5, 1.5])[:, None] + 0.1 * noise(18, 4, 20)
    null = -9.0
    found = verdict(Evidence(effect=effect, control=untrained, null=null))
    assert found.outcome == "inconclusive"
    assert "the control's 4 draws differ so much from one another" in found.reason
    contrasts = (effect - untrained).mean(axis=1)
    t = contrasts.mean() / (contrasts.std(ddof=1) * math.sqrt(1 + 1 / 4))
    assert found.p_for == pytest.approx(stats.t.sf(t, 3), rel=1e-10)
    # One that lies outside of them all is told apart, alone, and not among many hypotheses.
    further = Evidence(effect=effect + 4, control=untrained, null=null)
    assert verdict(further).outcome == "supported"
    among = judge([planted(further, id=f"h{i}") for i in range(9)], NOWHERE)[0]
    assert among.outcome == "inconclusive"
    assert among.reason.endswith("among 9 hypotheses: 4 draws of the control are too few.")
    assert verdict(Evidence(effect=effect + 9, control=untrained, null=null)).outcome == "supported"
    assert verdict(Evidence(effect=effect - 9, control=untrained, null=-99.0)).outcome == "refuted"
    # Below their mean at every problem, and above one of them: nothing is refuted either.
    lower = verdict(Evidence(effect=effect - 1.6, control=untrained, null=-9.0))
    assert lower.outcome == "inconclusive"
    t = (contrasts.mean() - 1.6) / (contrasts.std(ddof=1) * math.sqrt(1 + 1 / 4))
    assert lower.p_against == pytest.approx(2 * stats.t.cdf(t, 3), rel=1e-10)
    one_draw = verdict(Evidence(effect=effect, control=untrained[:1], null=null))
    assert one_draw.outcome == "supported"


def test_six_models_are_the_units_and_five_are_not() -> None:
    model = np.repeat(np.arange(6), 10)
    between = np.repeat(np.array([3.0, 2.0, 2.5, -0.5, 3.0, 2.0]), 10)
    effect, control = between + 0.1 * noise(19, 60), -9 + noise(20, 60)
    found = verdict(Evidence(effect=effect, control=control, model=model))
    assert found.num_models == 6
    means = effect.reshape(6, 10).mean(axis=1)
    assert found.p_for == float(sign_flip(means, seed=0).greater) == 2 / 64
    assert found.estimate.mean == pytest.approx(means.mean())
    assert found.estimate.count == 60
    assert found.outcome == "inconclusive"
    five = model < 5
    fewer = verdict(Evidence(effect=effect[five], control=control[five], model=model[five]))
    assert fewer.outcome == "supported"
    assert fewer.reason.endswith("of these 5 models.")
    all_six = verdict(Evidence(effect=effect + 1, control=control, model=model))
    assert all_six.outcome == "supported"
    assert "at 6 of 6 models" in all_six.reason
    assert all_six.reason.endswith("over 6 models.")


def test_holm_counts_the_hypotheses_that_were_tested() -> None:
    # Signs + + + + + + + -: alone p = 2/256 or so; with nine empty ones it does not suffice.
    effect = np.array([1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, -0.1])
    weak = planted(Evidence(effect=effect, control=effect - effect), id="weak")
    weak_p = judge([weak], NOWHERE)[0]
    assert weak_p.outcome == "supported"
    empty = [
        planted(Evidence(effect=noise(i, 10), control=noise(90 + i, 10)), id=f"empty{i}")
        for i in range(14)
    ]
    found = judge([*empty, weak], NOWHERE)[-1]
    assert found.p_for == weak_p.p_for == 2 / 1024
    assert found.adjusted_p == 15 * weak_p.p_for > 0.025
    assert found.outcome == "inconclusive"
    assert "does not suffice among 15 hypotheses" in found.reason


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"effect": np.zeros((3, 4))}, ShapeError, r"effect.*\(3, 4\)"),
        ({"effect": np.zeros(3), "null": np.zeros(4)}, ShapeError, "null.*3 problems"),
        ({"effect": np.zeros(3), "control": np.zeros((3, 2))}, ShapeError, r"control.*\(3, 2\)"),
        ({"effect": np.zeros(3), "model": np.zeros(2, dtype=np.int64)}, ShapeError, "model"),
        ({"effect": np.array([1.0, -np.inf])}, NonFiniteError, "effect.*1 infinite of 2"),
        ({"effect": np.zeros(2), "control": np.full(2, np.inf)}, NonFiniteError, "control"),
        ({"effect": np.zeros(2), "null": math.nan}, NonFiniteError, "null.*NaN"),
        ({"effect": np.zeros(2), "resolution": -1.0}, ExperimentError, "resolution.*-1.0"),
        ({"effect": np.zeros(2), "resolution": math.nan}, ExperimentError, "resolution.*nan"),
    ],
)
def test_evidence_that_does_not_fit_is_refused(
    wrong: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Evidence(**wrong)


def test_hypotheses_that_cannot_be_judged_are_refused() -> None:
    good = Evidence(effect=np.zeros(3))
    with pytest.raises(ExperimentError, match="id: expected letters"):
        planted(good, id="two words")
    sideways = planted(good)
    object.__setattr__(sideways, "direction", "both")
    with pytest.raises(ExperimentError, match="greater or less, found 'both'"):
        sideways.__post_init__()
    with pytest.raises(ExperimentError, match="planted more than once"):
        judge([planted(good), planted(good)], NOWHERE)
    with pytest.raises(ExperimentError, match="returned float"):
        judge([planted(0.5)], NOWHERE)
    for alpha in (0.0, 0.5, -1.0):
        with pytest.raises(ConfigError, match="alpha"):
            judge([planted(good)], NOWHERE, alpha=alpha)
