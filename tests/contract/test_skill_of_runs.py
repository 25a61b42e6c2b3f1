"""The first question of a report: is there anything to interpret? Planted answers."""

import json

import numpy as np
import pytest
import torch
import xarray as xr

import ired_interp as ii
import tiny
from ired_interp.errors import NonFiniteError
from ired_interp.experiments.skill import DIFFICULTY, TRAINED_ON, answer_variables, skill_summary
from ired_interp.experiments.skill_words import skill_clause, skill_section
from ired_interp.rules import best_error, ladder
from ired_interp.stats import FloatArray, skill

N = 12


def results_of(
    name: str,
    size: int,
    answer_of: str,
    *,
    n: int = N,
    noise: float = 0.0,
    difficulty: str = "same",
) -> xr.DataTree:
    """Results whose model answers as a rule does, or with the truth, plus a little noise."""
    task = ii.task(name, size=size)
    problems = task.sample(n, seed=3, difficulty=difficulty)  # type: ignore[arg-type]
    by_name = {rule.name: rule for rule in ladder(task)}
    truth = problems.y
    answer = truth if answer_of == "truth" else by_name[answer_of].answers(problems.x)
    answer = answer + noise * torch.from_numpy(np.random.default_rng(0).normal(size=answer.shape))
    minimum = answer.clone()
    minimum[0] = torch.nan
    data = xr.Dataset(
        {
            "x": (("problem", "x_dim"), problems.x.numpy()),
            "answer": (("problem", "y_dim"), truth.numpy()),
            "model_answer": (("problem", "y_dim"), answer.numpy()),
            "model_minimum": (("problem", "y_dim"), minimum.numpy()),
        },
        coords={"problem": np.arange(n)},
        attrs={
            "task": name,
            "task_size": size,
            "task_options": json.dumps(task.options()),
            DIFFICULTY: difficulty,
        },
    )
    return xr.DataTree(data)


def summarised(results: xr.DataTree) -> tuple[xr.Dataset, xr.DataTree]:
    group = skill_summary(results)["skill"]
    return group, xr.DataTree.from_dict({"/": results.to_dataset(), "summary/skill": group})


def said(tree: xr.DataTree) -> str:
    section = skill_section(tree)
    assert section is not None
    return str(section.blocks)


def test_a_model_that_answers_almost_rightly_has_skill() -> None:
    group, tree = summarised(results_of("inverse", 3, "truth", noise=1e-6))
    assert (int(group["rungs_beaten"]), int(group["has_skill"])) == (5, 1)
    assert float(group["digits"].sel(what="answer", target="truth")) > 5
    assert int(group["minima_found"]) == N - 1
    assert skill_clause(tree).startswith("it has skill: it beats every trivial rule")
    assert f"(found for {N - 1} of {N})" in said(tree)


def test_a_model_that_is_a_rule_has_no_skill_and_is_told_which() -> None:
    group, tree = summarised(results_of("inverse", 3, "c0*I + c1*A", noise=1e-8))
    assert (int(group["rungs_beaten"]), int(group["has_skill"])) == (1, 0)
    digits = group["digits"].sel(what="answer")
    assert float(digits.sel(target="c0*I + c1*A")) > 7
    assert float(digits.sel(target="truth")) < 2
    clause = skill_clause(tree)
    assert clause.startswith("no skill: it does not beat the trivial rule c0*I + c1*A")
    assert "only those up to c0*I" in clause
    assert "answer is, of the rules, c0*I + c1*A" in said(tree)


def test_a_rule_answered_to_the_last_bit_shares_all_digits() -> None:
    group, tree = summarised(results_of("addition", 2, "A alone"))
    assert np.isposinf(float(group["digits"].sel(what="answer", target="A alone")))
    assert float(group["skill"].sel(rule="A alone", statistic="mean")) == 0
    assert "they share all digits" in said(tree)


def test_skill_is_that_of_the_statistics(capsys: pytest.CaptureFixture[str]) -> None:
    results = results_of("inverse", 2, "polynomial of degree 5", noise=1e-3)
    group, _ = summarised(results)
    truth, answer = (results.to_dataset()[name].values for name in ("answer", "model_answer"))
    errors: FloatArray = np.square(answer - truth).mean(axis=1)
    np.testing.assert_allclose(group["model_error"], errors)
    task = ii.task("inverse", size=2)
    problems = task.sample(N, seed=3)
    for rule in ladder(task):
        of_rule = rule.errors(problems).numpy()
        np.testing.assert_allclose(group["rule_error"].sel(rule=rule.name), of_rule, rtol=1e-12)
        expected = skill(errors, of_rule, seed=0)
        found = group["skill"].sel(rule=rule.name).values
        np.testing.assert_allclose(
            found, [expected.mean, expected.low, expected.high, expected.count], rtol=1e-9
        )
    assert capsys.readouterr().out == ""


def test_rules_are_fitted_on_what_the_model_was_trained_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ired_interp.rules.ladders._NUM_POLYNOMIAL", 200)
    results = results_of("inverse", 2, "truth", difficulty="harder")
    task = ii.task("inverse", size=2)
    problems = task.sample(N, seed=3, difficulty="harder")
    for trained_on in (None, "same", "harder"):  # None: results of before it was stored
        if trained_on is not None:
            results.attrs[TRAINED_ON] = trained_on
        group = skill_summary(results)["skill"]
        rules = ladder(task, difficulty="harder" if trained_on == "harder" else "same")
        expected = [rule.errors(problems).numpy() for rule in rules]
        np.testing.assert_allclose(group["rule_error"], expected, rtol=1e-9)


def test_completion_knows_its_best_error() -> None:
    results = results_of("completion", 3, "zero-fill", difficulty="harder")
    group, tree = summarised(results)
    best = best_error(ii.task("completion", size=3), difficulty="harder", num_problems=64, seed=0)
    assert group["best_error"].values.tolist() == [best.low, best.high, best.standard_error]
    assert int(group["has_skill"]) == 0
    assert "lies between" in said(tree)


def test_one_problem_has_no_interval() -> None:
    group, tree = summarised(results_of("addition", 2, "truth", n=1, noise=1e-6))
    assert int(group["has_skill"]) == 0
    assert bool(group["skill"].sel(statistic="low").isnull().all())
    assert skill_clause(tree) == "skill cannot be told from one problem"


def test_results_without_answers_have_no_skill_group() -> None:
    data = results_of("addition", 2, "truth").to_dataset().drop_vars("model_answer")
    tree = xr.DataTree(data)
    assert skill_summary(tree) == {}
    assert skill_section(tree) is None
    assert skill_clause(tree) == "its skill was not measured"


def test_it_is_the_same_each_time() -> None:
    results = results_of("inverse", 2, "truth", noise=0.1)
    first = skill_summary(results)["skill"]
    for _ in range(3):
        xr.testing.assert_identical(skill_summary(results)["skill"], first)


def test_what_the_model_answers_and_its_minimum() -> None:
    model = ii.untrained_model("inverse", tiny.SIZE, seed=0, width=tiny.WIDTH)
    problems = ii.task("inverse", size=tiny.SIZE).sample(4, seed=1)
    whole = answer_variables(model, problems, seed=5, first=0, bound=2.0)
    expected = ii.solve(model, problems.x, seed=5).y
    np.testing.assert_array_equal(whole["model_answer"][1], expected.numpy())
    minimum = torch.from_numpy(whole["model_minimum"][1])
    found = minimum.isfinite().all(dim=1)
    assert bool(found.any())
    signal = float(model.schedule.signal[0])
    land = ii.Landscape(model, problems.x[found], 10)
    assert float(land.gradient(signal * minimum[found]).norm(dim=1).max()) < 1e-6


def test_a_solver_that_leaves_the_numbers_says_what_to_do() -> None:
    model = ii.untrained_model("inverse", tiny.SIZE, seed=0, width=tiny.WIDTH)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1e200)
    problems = ii.task("inverse", size=tiny.SIZE).sample(2, seed=1)
    with pytest.raises(NonFiniteError, match="skill 'no' leaves that out"):
        answer_variables(model, problems, seed=5, first=0, bound=2.0)


def test_completion_without_noise_has_skill_but_no_known_best_error() -> None:
    # The sampler cannot move there; a model may still be compared with the rules.
    task = ii.task("completion", size=3, rank=1, noise=0.0)
    results = results_of("completion", 3, "truth", noise=1e-6)
    root = results.to_dataset().assign_attrs(task_options=json.dumps(task.options()))
    group, tree = summarised(xr.DataTree(root))
    assert bool(group["best_error"].isnull().all())
    assert float(group["skill"].sel(rule="zero-fill", statistic="mean")) > 0.99
    assert "least error that any answer can have is not known here" in said(tree)
