"""Files of every version that was ever written stay readable."""

import json
import shutil
from pathlib import Path

import pytest
import torch
import xarray as xr

import ired_interp as ii
from ired_interp.cli import main
from ired_interp.models.checkpoint import read_checkpoint
from ired_interp.report.figures import save_figures
from ired_interp.runs.units import unit_statuses

DATA = Path(__file__).parent / "data"


def test_a_checkpoint_of_version_1() -> None:
    checkpoint = read_checkpoint(DATA / "model-1.safetensors")
    assert checkpoint.card is not None
    assert (checkpoint.card.task, checkpoint.card.size, checkpoint.card.width) == ("inverse", 2, 16)
    x = torch.tensor([[1.0, 0.5, 0.5, 2.0]], dtype=torch.float64)
    energy = checkpoint.model.double().energy(x, x, 3)
    assert energy.item() == pytest.approx(0.0921416219292573, rel=1e-12)


def test_a_run_of_version_1(tmp_path: Path) -> None:
    shutil.copytree(DATA / "run-1", tmp_path / "run")
    run = ii.open_run(tmp_path / "run")
    assert run.finished
    assert run.results["level"].values.tolist() == [1, 10]
    scaled = run.results["scaled_eigenvalues"]
    assert 0.7 < float(scaled.min()) < float(scaled.max()) < 1.2
    assert list(run.controls) == ["untrained"]
    assert main(["report", str(run.path)]) == 0
    assert run.report_path.stat().st_size > 10_000


def test_a_run_of_version_1_did_not_measure_what_came_later(tmp_path: Path) -> None:
    shutil.copytree(DATA / "run-1", tmp_path / "run")
    run = ii.open_run(tmp_path / "run")
    config = run.config
    assert (config.eigenvectors, config.parts, config.noise_draws) == (0, "no", 1)
    drawn = {path.stem for path in save_figures(run, tmp_path / "figures")}
    assert drawn == {"spectra", "eigenvalues", "measures", "residuals"}
    assert main(["report", str(run.path)]) == 0
    text = run.report_path.read_text(encoding="utf-8")
    assert "Not drawn, because this run did not measure what they show" in text
    assert "These results were written without verdicts." in text
    assert '<article class="card' not in text
    for words in ("--eigenvectors 0", "--parts no", "--noise-draws 1"):
        assert words in text


def test_a_run_of_version_2(tmp_path: Path) -> None:
    shutil.copytree(DATA / "run-2", tmp_path / "run")
    run = ii.open_run(tmp_path / "run")
    results = run.results
    assert results.attrs["format_version"] == 2
    assert results["eigenvectors"].dims == ("problem", "level", "end", "vector", "y_dim")
    assert results["wanted"].values.tolist() == ["all"] * 16
    assert float((results["radii"] / abs(results["eigenvalues"]).max("eigen")).max()) < 1e-10
    assert results["part"].values.tolist() == ["gauss_newton", "layer_1", "layer_2", "layer_3"]
    before = run.tree
    run.results_path.unlink()
    assert main(["resume", str(run.path)]) == 0
    after = ii.open_run(run.path).tree
    for path in ("/", "controls/untrained"):
        assert after[path].to_dataset().equals(before[path].to_dataset())
    for path in ("summary/model", "summary/untrained"):
        xr.testing.assert_allclose(after[path].to_dataset(), before[path].to_dataset())


def test_a_run_of_version_3(tmp_path: Path) -> None:
    shutil.copytree(DATA / "run-3", tmp_path / "run")
    run = ii.open_run(tmp_path / "run")
    assert run.results.attrs["format_version"] == 3
    assert run.results.attrs["plan_sha256"] == run.plan_sha256
    assert run.plan_sha256.startswith("c25b362ffe27")
    assert [status.state for status in unit_statuses(run)] == ["done", "done"]
    assert all(status.peak_memory_bytes for status in unit_statuses(run))
    before = run.tree
    run.results_path.unlink()
    assert main(["resume", str(run.path)]) == 0
    after = ii.open_run(run.path).tree
    for path in ("/", "controls/untrained"):
        assert after[path].to_dataset().equals(before[path].to_dataset())


@pytest.mark.parametrize("version", [1, 2])
def test_the_units_of_an_old_run_are_checked_by_their_checksum(
    version: int, tmp_path: Path
) -> None:
    run = ii.open_run(shutil.copytree(DATA / f"run-{version}", tmp_path / "run"))
    assert {status.state for status in unit_statuses(run)} == {"done"}
    path = run.shards / "unit-00000.h5"
    path.write_bytes(path.read_bytes()[:-1])
    assert unit_statuses(run)[0].state == "damaged"


def test_a_run_of_version_1_is_collated_again_to_the_same_results(tmp_path: Path) -> None:
    shutil.copytree(DATA / "run-1", tmp_path / "run")
    run = ii.open_run(tmp_path / "run")
    before = run.tree
    run.results_path.unlink()
    assert main(["resume", str(run.path)]) == 0
    assert ii.open_run(run.path).results.equals(before.to_dataset())


def test_the_bundled_model_is_of_the_version_that_its_header_says() -> None:
    for path in Path(ii.__file__).parent.glob("models/bundled/*.safetensors"):
        head = path.read_bytes()[8:200_000].split(b'"__metadata__":')[1]
        metadata = json.JSONDecoder().raw_decode(head.decode("utf-8", "ignore").strip())[0]
        assert metadata["format"] == "ired-interp-model"
        assert metadata["version"] == "1"
