"""The cosine schedule against the reference's table and the closed form that it telescopes to."""

import inspect
import math

import numpy as np
import numpy.typing as npt
import pytest
import torch

from ired_interp.errors import LevelError
from ired_interp.schedule import NUM_LEVELS, Schedule, cosine_schedule

# t, ᾱ_t, β_t, s_t, σ_t, λ_t, r_t: the reference implementation's table.
TABLE = np.array(
    [
        [0, 0.97209275, 0.02790726, 0.98594761, 0.16705467, 0.16705467, 1.000000],
        [1, 0.89870590, 0.07549363, 0.94800103, 0.31826732, 0.23720199, 0.745292],
        [2, 0.78691053, 0.12439599, 0.88707978, 0.46161616, 0.26947927, 0.583774],
        [3, 0.64747822, 0.17718953, 0.80466032, 0.59373546, 0.29843178, 0.502634],
        [4, 0.49384359, 0.23728153, 0.70274007, 0.71144670, 0.33351976, 0.468791],
        [5, 0.34080964, 0.30988345, 0.58378905, 0.81190538, 0.38167432, 0.470097],
        [6, 0.20312147, 0.40400314, 0.45069000, 0.89268053, 0.45257303, 0.506982],
        [7, 0.09404561, 0.53699815, 0.30666858, 0.95181638, 0.56418252, 0.592743],
        [8, 0.02409172, 0.74382937, 0.15521508, 0.98788071, 0.75295466, 0.762192],
        [9, 0.00002409, 0.99900001, 0.00490833, 0.99998796, 0.99901205, 0.999024],
    ]
)


def _float32(values: torch.Tensor) -> npt.NDArray[np.float64]:
    return values.to(torch.float32).to(torch.float64).numpy()


@pytest.fixture(name="schedule")
def _schedule() -> Schedule:
    return cosine_schedule()


def test_alpha_bar_is_the_published_table(schedule: Schedule) -> None:
    assert schedule.alpha_bar.dtype == torch.float64
    # The reference stores float32, and its table has 8 decimals.
    assert np.abs(_float32(schedule.alpha_bar) - TABLE[:, 1]).max() < 5.01e-9
    assert np.abs(schedule.alpha_bar.numpy() - TABLE[:, 1]).max() < 3e-8


def test_steps_and_scales_are_the_published_table(schedule: Schedule) -> None:
    names = ("beta", "signal", "sigma", "step_size")
    for column, name in enumerate(names, start=2):
        gap = np.abs(_float32(getattr(schedule, name)) - TABLE[:, column]).max()
        assert gap < 5.01e-9, name
    relative = (schedule.beta / (1 - schedule.alpha_bar)).numpy()
    assert np.abs(relative - TABLE[:, 6]).max() < 1e-6


def test_alpha_bar_telescopes_to_the_cosine_except_where_beta_is_clipped(
    schedule: Schedule,
) -> None:
    for t in range(NUM_LEVELS - 1):
        top = math.cos(((t + 1) / NUM_LEVELS + 0.008) / 1.008 * math.pi / 2) ** 2
        bottom = math.cos(0.008 / 1.008 * math.pi / 2) ** 2
        # A product of nine factors in float64.
        assert float(schedule.alpha_bar[t]) == pytest.approx(top / bottom, rel=1e-13)
    assert float(schedule.beta[-1]) == 0.999
    assert float(schedule.alpha_bar[-1]) == pytest.approx(
        0.001 * float(schedule.alpha_bar[-2]), rel=1e-12
    )


def test_levels_and_timesteps_count_in_opposite_directions(schedule: Schedule) -> None:
    assert schedule.num_levels == NUM_LEVELS == 10
    assert [schedule.timestep(k) for k in range(1, 11)] == list(range(9, -1, -1))
    assert [schedule.level(t) for t in range(10)] == list(range(10, 0, -1))
    assert schedule.timesteps(3, 2).tolist() == [7, 7]
    assert schedule.timesteps([1, 10], 2).tolist() == [9, 0]
    assert schedule.timesteps(torch.tensor([1, 10, 4]), 3).tolist() == [9, 0, 6]


def test_noise_grows_with_the_timestep(schedule: Schedule) -> None:
    assert bool((schedule.sigma.diff() > 0).all())
    assert bool((schedule.signal.diff() < 0).all())


@pytest.mark.parametrize("level", [0, 11, -1])
def test_levels_out_of_range_are_refused(schedule: Schedule, level: int) -> None:
    with pytest.raises(LevelError, match=r"outside 1 … 10"):
        schedule.timestep(level)
    with pytest.raises(LevelError, match=r"outside 1 … 10"):
        schedule.timesteps([1, level], 2)
    with pytest.raises(LevelError, match=r"outside 1 … 10"):
        schedule.timesteps(torch.tensor([1, level]), 2)


@pytest.mark.parametrize("level", [True, False, 2.0, 2.5, None])
def test_levels_that_are_not_whole_numbers_are_refused(schedule: Schedule, level: object) -> None:
    # Users have no beartype: the check by hand is what they meet.
    with pytest.raises(LevelError, match="whole number"):
        inspect.unwrap(Schedule.timestep)(schedule, level)
    with pytest.raises(LevelError, match="whole number"):
        inspect.unwrap(Schedule.timesteps)(schedule, level, 3)


@pytest.mark.parametrize("levels", [[1, True], [1, 2.0]])
def test_lists_with_a_level_that_is_not_whole_are_refused(
    schedule: Schedule, levels: list[object]
) -> None:
    with pytest.raises((LevelError, TypeError), match=r"whole number|Type-check"):
        inspect.unwrap(Schedule.timesteps)(schedule, levels, 2)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bool])
def test_tensors_of_levels_that_are_not_whole_are_refused(
    schedule: Schedule, dtype: torch.dtype
) -> None:
    with pytest.raises(LevelError, match="whole numbers"):
        inspect.unwrap(Schedule.timesteps)(schedule, torch.ones(2).to(dtype), 2)


def test_a_wrong_count_of_levels_is_refused(schedule: Schedule) -> None:
    with pytest.raises(LevelError, match="found 2"):
        schedule.timesteps([1, 2], 3)
    with pytest.raises(LevelError, match="found 2"):
        schedule.timesteps(torch.tensor([1, 2]), 3)


@pytest.mark.parametrize("timestep", [-1, 10])
def test_timesteps_out_of_range_are_refused(schedule: Schedule, timestep: int) -> None:
    with pytest.raises(LevelError, match=r"outside 0 … 9"):
        schedule.level(timestep)


@pytest.mark.parametrize("timestep", [True, 2.5])
def test_timesteps_that_are_not_whole_numbers_are_refused(
    schedule: Schedule, timestep: object
) -> None:
    with pytest.raises(LevelError):
        inspect.unwrap(Schedule.level)(schedule, timestep)


def test_a_schedule_of_no_levels_is_refused() -> None:
    with pytest.raises(LevelError, match="at least 1"):
        cosine_schedule(0)
