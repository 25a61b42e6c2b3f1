"""Results of another version, or of another run, are answered or refused in words."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import xarray as xr

import ired_interp as ii
from ired_interp.cli import main
from ired_interp.errors import RunFolderError
from ired_interp.provenance import package_sha256
from ired_interp.report.figures import save_figures
from ired_interp.report.html import write_report
from ired_interp.report.readable import read
from ired_interp.report.terminal import first_line, results_table
from ired_interp.runs.run import Run, open_run

DATA = Path(__file__).parent / "data"


def changed(folder: Path, change: Callable[[xr.DataTree], object]) -> Run:
    """A copy of a run of another version, with its results changed."""
    run = open_run(shutil.copytree(DATA / "run-3", folder))
    results = run.tree
    change(results)
    results.to_netcdf(run.results_path, engine="h5netcdf")
    return run


def without(group: str, name: str) -> Callable[[xr.DataTree], object]:
    def change(results: xr.DataTree) -> None:
        node = results[group]
        assert isinstance(node, xr.DataTree)
        node.dataset = node.to_dataset(inherit=False).drop_vars(name)

    return change


def setting(**attrs: object) -> Callable[[xr.DataTree], object]:
    return lambda results: results.attrs.update(attrs)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            without("summary/model", "condition_number"),
            r"none of summary/model/condition_number; .*ired-interp 0\.1\.0 at commit a31297.*res",
        ),
        (
            lambda results: results.attrs.pop("git_dirty"),
            "found none of attribute git_dirty; .*resume",
        ),
        (setting(experiment="exp005"), "expected results of exp001.*found those of exp005"),
        (setting(format_version=4), r"expected results of version 1, 2, 3, found version 4"),
    ],
)
def test_what_no_report_can_be_made_of_is_refused(
    change: Callable[[xr.DataTree], object], said: str, tmp_path: Path
) -> None:
    run = changed(tmp_path / "run", change)
    for make in (write_report, first_line, lambda one: save_figures(one, tmp_path / "figures")):
        with pytest.raises(RunFolderError, match=said):
            make(run)
    assert not run.report_path.exists()
    assert not (tmp_path / "figures").exists()


def test_whatever_an_older_version_did_not_write_is_refused_in_words(tmp_path: Path) -> None:
    """Also what no list of needed variables names."""
    run = changed(tmp_path / "run", without("summary/untrained", "mean_scaled_eigenvalue"))
    said = r"some written by ired-interp 0\.1\.0 .*without what it needs.*mean_scaled_eigenvalue"
    with pytest.raises(RunFolderError, match=said):
        results_table(run, "title")
    assert main(["report", str(run.path)]) == 1


def test_a_fault_of_this_version_is_not_taken_for_old_results(tmp_path: Path) -> None:
    run = changed(tmp_path / "run", setting(package_sha256=package_sha256()))
    with pytest.raises(KeyError, match="nothing"), read(run) as results:
        results["nothing"]


def test_versions_to_come_are_not_compared(tmp_path: Path) -> None:
    run = changed(tmp_path / "run", setting(format_version=4))
    assert main(["compare", str(DATA / "run-3"), str(run.path)]) == 1
    with pytest.raises(RunFolderError, match="Read them with that version"):
        ii.open_run(run.path).results  # noqa: B018 - it is read


@pytest.mark.parametrize("version", [1, 2, 3])
def test_stored_versions_are_answered(version: int) -> None:
    run = open_run(DATA / f"run-{version}")
    assert run.experiment.title.lower() in first_line(run).lower()
    assert results_table(run, "title").listing.rows
