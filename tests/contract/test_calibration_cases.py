"""Calibration cases: every hypothesis has nulls and truths, and they plant what they say."""

import importlib
from collections import Counter

import numpy as np
import planted_energies as planted
import pytest
import torch
import xarray as xr
from calibration import registered
from calibration_case import NULL_SEEDS, RUNS, TRIAL_NULLS, TRIAL_TRUTHS, TRUE_SEEDS, Case
from torch import Tensor

import ired_interp as ii
from ired_interp.energy.base import AnalyticEnergy
from ired_interp.experiments.hypothesis import Hypothesis
from ired_interp.landscape import Landscape

EXPERIMENTS = ("exp001", "exp002", "exp004", "exp005", "exp006")
TASK = ii.task("inverse", size=2)
PROBLEMS = TASK.sample(3, seed=4)
X, N, T = PROBLEMS.x, 3, planted.num_timesteps()


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(8)


def normal(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=rng(), dtype=torch.float64)


def claims(name: str) -> set[str]:
    found = ii.experiments.find_experiment(name).hypotheses
    return {one.id for one in found if isinstance(one, Hypothesis)}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_hypothesis_has_200_nulls_and_200_truths_of_written_seeds(name: str) -> None:
    nulls, truths = Counter[str](), Counter[str]()
    places: dict[str, set[int]] = {}
    for case in registered(name, ""):
        for one in case.hypotheses:
            nulls[one.id] += len(case.places) * (case.null is not None)
            truths[one.id] += len(case.places) * (case.truth is not None)
            if case.null is not None:
                assert not places.setdefault(one.id, set()) & set(case.places)
                places[one.id] |= set(case.places)
        assert case.family <= 5
        assert RUNS * (case.round + 1) <= min(len(NULL_SEEDS), len(TRUE_SEEDS))
    assert nulls == truths == dict.fromkeys(claims(name), RUNS)


def test_trials_look_at_no_seed_of_the_calibration() -> None:
    seeds = [seed for one in (NULL_SEEDS, TRUE_SEEDS, TRIAL_NULLS, TRIAL_TRUTHS) for seed in one]
    assert len(seeds) == len(set(seeds))


def cases() -> list[Case]:
    """The first landscape of each experiment that has a null."""
    modules = [importlib.import_module(f"calibration_{name}") for name in EXPERIMENTS]
    return [next(one for one in module.CASES if one.null is not None) for module in modules]


@pytest.mark.parametrize("case", cases(), ids=EXPERIMENTS)
def test_a_landscape_is_that_of_its_seed(case: Case) -> None:
    assert case.null is not None
    first, again = (case.null(TRIAL_NULLS[0]) for _ in range(2))
    found = [case.hypotheses[0].statistic(one) for one in (first, again)]
    np.testing.assert_array_equal(found[0].effect, found[1].effect)
    assert found[0].control is not None
    assert found[0].control.shape == (first["controls/untrained"].sizes["draw"], N_OF[case.name])
    xr.testing.assert_identical(first.to_dataset(), again.to_dataset())


N_OF = {case.name: int(case.name.split("n = ")[1]) for case in cases()}


def energies() -> dict[str, AnalyticEnergy]:
    bases = planted.haar(N, 4, rng())
    size = normal(N, T, 4).abs()
    symmetric = planted.random_symmetric(N * T, 4, rng()).reshape(N, T, 4, 4)
    return {
        "quadratic": planted.quadratic(PROBLEMS, symmetric, slope=normal(N, T, 4)),
        "wells": planted.Wells(PROBLEMS, bases, size, 1 - size, length=2.0),
        "waves": planted.Waves(PROBLEMS, normal(N, 5, 4), normal(N, 5), normal(N, 5), normal(N)),
    }


class _EnergyOnly:
    """Without its closed forms, so that autograd is used."""

    def __init__(self, energy: AnalyticEnergy) -> None:
        self.energy, self.schedule = energy.energy, energy.schedule
        self.dim_x, self.dim_y = energy.dim_x, energy.dim_y


@pytest.mark.parametrize("name", ["quadratic", "wells", "waves"])
def test_closed_forms_are_those_of_autograd(name: str) -> None:
    model = energies()[name]
    order = torch.tensor([2, 0, 1, 2])  # a problem is known by its question, in any order
    x, y = X[order], normal(4, 4)
    for level in (3, 10):
        closed, auto = Landscape(model, x, level), Landscape(_EnergyOnly(model), x, level)
        torch.testing.assert_close(closed.gradient(y), auto.gradient(y), rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(closed.hessian(y), auto.hessian(y), rtol=1e-10, atol=1e-12)
        product = closed.hvp(y, normal(4, 4, 2))
        torch.testing.assert_close(product, closed.hessian(y) @ normal(4, 4, 2))


def test_bases_have_the_share_of_the_own_subspace_that_was_asked_for() -> None:
    task = ii.task("inverse", size=3)
    problems = task.sample(4, seed=1)
    own, rest = planted.own_and_rest(task, problems)
    share = torch.tensor([0.0, 0.3, 0.7, 1.0], dtype=torch.float64)
    bases = planted.aligned_bases(own, rest, share, rng())
    inside = (own.mT @ bases).square().sum(dim=1)
    flat = torch.eye(9, dtype=torch.float64).expand(4, -1, -1)
    torch.testing.assert_close(bases.mT @ bases, flat)
    torch.testing.assert_close(inside[:, :3], share[:, None].expand(-1, 3))
    torch.testing.assert_close(inside[:, 3:6], 1 - share[:, None].expand(-1, 3))
    torch.testing.assert_close(inside[:, 6:], torch.zeros(4, 3, dtype=torch.float64))
