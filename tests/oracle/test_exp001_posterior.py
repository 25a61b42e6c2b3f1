"""Posteriors that EXP-001 reads: kept where they are known, and too sure where told too sharp."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr

import ired_interp as ii
import tiny
from ired_interp.energy.exact import exact_model
from ired_interp.experiments import find_experiment
from ired_interp.experiments.config import config_from_mapping
from ired_interp.experiments.exp001 import Exp001Config
from ired_interp.experiments.exp001.measure import posterior_reading
from ired_interp.experiments.exp001.summary import calibration
from ired_interp.landscape import Landscape
from ired_interp.points import locate
from ired_interp.runs.execution import execute
from ired_interp.runs.run import Run, plan_run
from ired_interp.stats import FloatArray

LEVELS = (1, 2, 3, 6, 10)
TASK = ii.task("gaussian", size=3, spectrum=tuple(np.geomspace(1, 0.01, 9).tolist()))


def readings(sharper: float) -> xr.Dataset:
    """Of the gaussian task's exact landscape, whose curvature is told ``sharper`` times."""
    model = exact_model(TASK)
    problems = TASK.sample(300, seed=3)
    points = locate("typical", model, problems.x, problems.y, LEVELS, seed=3).y
    columns: dict[str, list[FloatArray]] = {}
    timesteps = [model.schedule.timestep(level) for level in LEVELS]
    sigma, signal = (v[timesteps].numpy() for v in (model.schedule.sigma, model.schedule.signal))
    for i, level in enumerate(LEVELS):
        land, y = Landscape(model, problems.x, level), points[:, i]
        found = posterior_reading(
            sharper * land.hessian(y).diagonal(dim1=1, dim2=2),
            land.gradient(y),
            y,
            problems.y,
            sigma=float(sigma[i]),
            signal=float(signal[i]),
        )
        for name, value in found.items():
            columns.setdefault(name, []).append(value.numpy())
    return xr.Dataset(
        {
            name: (("problem", "level", "y_dim"), np.stack(values, axis=1))
            for name, values in columns.items()
        },
        coords={
            "level": list(LEVELS),
            "sigma": ("level", sigma),
            "signal": ("level", signal),
        },
    )


def curves(data: xr.Dataset) -> xr.Dataset:
    return xr.Dataset(calibration(data)).assign_coords(
        level=data["level"], statistic=["mean", "low", "high", "count"]
    )


def test_the_variance_is_that_of_the_known_posterior() -> None:
    family = TASK.family
    prior, vectors = family.eigenvalues(), family.eigenvectors()  # type: ignore[attr-defined]
    data = readings(1.0)
    for level, noise in zip(LEVELS, (data["sigma"] / data["signal"]).values, strict=True):
        exact = (vectors.square() * (prior * noise**2 / (prior + noise**2))).sum(dim=1)
        found = torch.from_numpy(data["posterior_variance"].sel(level=level).values)
        # 1 - σH loses as many digits as σ²/s² has.
        assert (found - exact).abs().max() < 1e-13 * max(1.0, float(noise) ** 2)


def test_an_exact_landscape_keeps_its_claims() -> None:
    curve = curves(readings(1.0))
    for level in (3, 6, 10):
        here = curve.sel(level=level)
        claimed, actual = here["claimed_variance"], here["actual_error"]
        mean = actual.sel(statistic="mean").values
        error = (actual.sel(statistic="high") - actual.sel(statistic="low")).values / (2 * 1.96)
        score = (mean - claimed.sel(statistic="mean").values) / error
        assert np.isfinite(score).sum() >= 5
        assert np.nanmax(np.abs(score)) < 5
        # It is a curve, not a point: the bins differ by more than their errors.
        assert np.nanmax(mean) > 1.5 * np.nanmin(mean)
        assert int(here["bin_entries"].sum()) == 300 * TASK.dim_y


def test_a_landscape_that_is_too_sure_lies_above_the_diagonal() -> None:
    curve = curves(readings(1.25))
    here = curve.sel(level=6)
    low = here["actual_error"].sel(statistic="low").values
    claimed = here["claimed_variance"].sel(statistic="mean").values
    assert (low > claimed)[np.isfinite(low)].all()
    assert (claimed < 0).any()  # no posterior has that


def test_the_noisiest_levels_are_not_determined() -> None:
    curve = curves(readings(1.0))
    assert curve["posterior_determined"].values.tolist() == [0, 0, 1, 1, 1]
    assert curve["amplification"].values[:2] == pytest.approx([41_507, 40.5], rel=1e-3)
    unread = curve["claimed_variance"].sel(level=[1, 2])
    assert bool(unread.sel(statistic="mean").isnull().all())
    assert not bool(unread.sel(statistic="count").any())
    assert not curve["claimed_variance"].sel(level=3, statistic="mean").isnull().all()


def test_what_is_not_finite_is_in_no_bin() -> None:
    data = readings(1.0)
    data["posterior_variance"][:10] = np.nan
    curve = curves(data).sel(level=6)
    assert int(curve["bin_entries"].sum()) == 290 * TASK.dim_y
    assert curve["actual_error"].sel(statistic="count").max() <= 290


def test_a_run_reads_it_at_typical_points_with_all_eigenvalues(tmp_path: Path) -> None:
    model = tiny.checkpoint(tmp_path / "m.safetensors")
    words: dict[str, Any] = {
        "problems": 3,
        "levels": [2, 10],
        "controls": 1,
        "parts": "no",
        "skill": "no",
    }

    def ran(name: str, **changes: Any) -> Run:
        config = config_from_mapping(Exp001Config, {"model": str(model), **words, **changes})
        return execute(plan_run(find_experiment("exp001"), config, tmp_path / name))

    run = ran("whole")
    root, summary = run.results, run.tree["summary/model"].to_dataset()
    sigma, signal = root["sigma"], root["signal"]
    # The trace of the covariance is that of the spectrum.
    trace = (sigma / signal) ** 2 * (1 - root["scaled_eigenvalues"]).sum("eigen")
    found = root["posterior_variance"].sum("y_dim")
    assert float(abs(found - trace).max()) < 1e-9 * float(abs(trace).max())
    assert summary["posterior_determined"].values.tolist() == [0, 1]
    assert "claimed_variance" in run.tree["summary/untrained"]
    assert "posterior_variance" not in ran("ends", top=1).results
    off = ran("off", point="solution", noise_draws=1)
    assert "posterior_variance" not in off.results
