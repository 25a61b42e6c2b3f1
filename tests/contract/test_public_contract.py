"""The names and shapes that scripts outside this repository rely on."""

from pathlib import Path

import h5py
import torch
import xarray as xr

import ired_interp as ii
import tiny
from ired_interp.models.checkpoint import read_checkpoint


def test_the_example_of_the_design_runs(tmp_path: Path) -> None:
    task = ii.task("inverse", size=4)
    problems = task.sample(3, seed=0, difficulty="harder")
    assert (task.dim_x, task.dim_y) == (16, 16)
    assert problems.x.shape == problems.y.shape == (3, 16)
    assert ii.list_models()[0].startswith("inverse-")
    model = ii.load_model(ii.list_models()[0])
    assert isinstance(model, torch.nn.Module)
    assert (model.dim_x, model.dim_y) == (16, 16)
    assert model.schedule.alpha_bar.shape == (10,)
    x, y = problems.x, problems.y
    assert model.energy(x, y, torch.tensor([0, 5, 9])).shape == (3,)
    land = ii.Landscape(model, x, level=3)
    assert land.energy(y).shape == (3,)
    assert land.gradient(y).shape == (3, 16)
    assert land.hvp(y, y).shape == (3, 16)
    assert land.hvp(y, torch.ones(3, 16, 2, dtype=torch.float64)).shape == (3, 16, 2)
    hessian = land.hessian(y)
    assert torch.equal(hessian, hessian.mT)
    own = ii.Landscape.of(lambda x, y: model.energy(x, y, 7), dim_y=16, x=x)
    torch.testing.assert_close(own.hessian(y), hessian, rtol=1e-10, atol=1e-10)
    answer = ii.solve(model, x, seed=0, rule="paper")
    assert answer.y.shape == (3, 16)
    assert answer.trajectory.shape == (10, 3, 16)
    assert answer.energy.shape == answer.rejected.shape == (10, 3)
    assert torch.equal(answer.y, answer.trajectory[-1])
    start = torch.zeros(3, 16, dtype=torch.float64)
    assert ii.solve(model, x, start=start).y.shape == (3, 16)
    spec = ii.curvature.spectrum(land, y, top=2, bottom=1, tol=1e-6)
    assert spec.eigenvalues.shape == spec.residuals.shape == (3, 3)
    assert spec.eigenvectors.shape == (3, 16, 3)
    run = ii.run("exp001", model="inverse-4", out=tmp_path / "a", problems=2, controls=1)
    assert ii.open_run(tmp_path / "a").results.identical(run.results)


def test_results_hold_what_the_design_says(tmp_path: Path) -> None:
    model = tiny.checkpoint(tmp_path / "m.safetensors")
    run = ii.run(
        "exp001", model=model, out=tmp_path / "r", problems=3, levels=(1, 4, 10), controls=2
    )
    with xr.open_dataset(tmp_path / "r/results.h5") as data:
        assert data["x"].dims == ("problem", "x_dim")
        assert data["answer"].dims == ("problem", "y_dim")
        assert data["y"].dims == ("problem", "level", "y_dim")
        assert data["eigenvalues"].dims == ("problem", "level", "eigen")
        assert data["level"].values.tolist() == [1, 4, 10]
        assert data["timestep"].values.tolist() == [9, 6, 0]
        assert str(data["point"].values) == "typical"
        for name in ("package_version", "git_sha", "git_dirty", "model_sha256", "seed", "config"):
            assert name in data.attrs
        assert data.attrs["dtype"] == "float64"
        land_model = ii.load_model(model)
        x, y = (torch.from_numpy(data[name].values) for name in ("x", "y"))
        spec = ii.curvature.spectrum(ii.Landscape(land_model, x, 4), y[:, 1])
        torch.testing.assert_close(
            torch.from_numpy(data["eigenvalues"].values[:, 1]), spec.eigenvalues, rtol=0, atol=1e-14
        )
    with h5py.File(tmp_path / "r/results.h5") as file:
        assert file["controls/untrained/eigenvalues"].shape == (2, 3, 3, 4)
    assert list(run.controls) == ["untrained"]


def test_reference_checkpoints_load(tmp_path: Path) -> None:
    path = tiny.reference(tmp_path / "m.pt")
    average, online = tiny.weights(2), tiny.weights(1)
    assert torch.equal(ii.load_model(path).fc2.weight, average["fc2.weight"].double())
    taken = ii.load_model(path, weights="online", dtype=torch.float32)
    assert torch.equal(taken.fc2.weight, online["fc2.weight"])


def test_newer_moving_averages_load(tmp_path: Path) -> None:
    path = tiny.reference(tmp_path / "m.pt")
    content = torch.load(path, weights_only=True)
    content["ema"] |= {"initted": torch.ones((), dtype=torch.bool), "step": torch.tensor(3000)}
    torch.save(content, path)
    assert read_checkpoint(path).weights == "ema"


def test_what_is_saved_is_what_is_loaded(tmp_path: Path) -> None:
    path = tiny.checkpoint(tmp_path / "m.safetensors", seed=4)
    loaded = read_checkpoint(path)
    assert loaded.card == tiny.card()
    for name, tensor in tiny.weights(4).items():
        assert torch.equal(loaded.model.state_dict()[name], tensor)


def test_reference_run_through_the_command_line(tmp_path: Path) -> None:
    path = tiny.reference(tmp_path / "m.pt")
    run = ii.run(
        "exp001",
        model=path,
        task="inverse",
        out=tmp_path / "r",
        problems=2,
        levels=[1],
        controls=0,
    )
    assert run.results.sizes["problem"] == 2
