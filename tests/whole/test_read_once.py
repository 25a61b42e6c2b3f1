"""Nothing is read, hashed or computed twice that is known already."""

import hashlib
import os
import shutil
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from ired_interp.cli import main
from ired_interp.experiments.hypothesis import Evidence, Hypothesis
from ired_interp.experiments.verdict_data import verdict_groups
from ired_interp.runs.results import read_results
from ired_interp.runs.run import open_run
from ired_interp.storage import create_folder, write_file, write_note
from killing import prepare

UNITS = 5


@pytest.fixture
def half_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of which one unit of five is missing."""
    prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    words = f"run waiting_experiment.py --units {UNITS} --seconds 0 --out r"
    assert main(words.split()) == 0
    for name in ("results.h5", "report.html", "shards/unit-00002.h5", "shards/unit-00002.json"):
        (tmp_path / "r" / name).unlink()
    return tmp_path / "r"


def test_a_resumed_run_reads_and_hashes_each_shard_once(
    half_done: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, hashed = Counter[str](), Counter[bytes]()
    read_bytes, sha256 = Path.read_bytes, hashlib.sha256

    def counted(path: Path) -> bytes:
        read[path.name] += 1
        return read_bytes(path)

    def counted_hash(content: bytes = b"", **kwargs: Any) -> Any:
        hashed[content] += 1
        return sha256(content, **kwargs)

    monkeypatch.setattr(Path, "read_bytes", counted)
    monkeypatch.setattr(hashlib, "sha256", counted_hash)
    assert main(["resume", str(half_done)]) == 0
    monkeypatch.undo()
    shards = sorted((half_done / "shards").glob("*.h5"))
    assert len(shards) == UNITS
    assert {path.name: read[path.name] for path in shards} == {path.name: 1 for path in shards}
    # Beside the hash that the record of a new unit gets.
    assert [hashed[path.read_bytes()] for path in shards] == [1] * UNITS


def test_the_end_of_a_run_reads_its_results_once(
    half_done: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[Path] = []

    def counted(path: Path) -> xr.DataTree:
        reads.append(path)
        return read_results(path)

    monkeypatch.setattr("ired_interp.runs.run.read_results", counted)
    assert main(["resume", str(half_done)]) == 0
    assert len(reads) == 1
    assert main(["report", str(half_done)]) == 0
    assert len(reads) == 2


def test_results_in_memory_are_those_of_the_file(half_done: Path) -> None:
    assert main(["resume", str(half_done)]) == 0
    done = open_run(half_done)
    held = done.loaded()
    xr.testing.assert_identical(held.tree, done.tree)
    shutil.rmtree(half_done)
    assert held.results.sizes["problem"] == UNITS


def test_each_statistic_of_the_verdicts_is_computed_once() -> None:
    asked: list[str] = []

    def statistic(results: xr.DataTree) -> Evidence:
        asked.append(results.name or "")
        return Evidence(effect=results.to_dataset()["a"].values, control=np.zeros(8))

    hypothesis = Hypothesis(
        id="positive",
        statement="a is positive",
        statistic=statistic,
        direction="greater",
        supports="a above 0",
        refutes="a below 0",
        control="nothing",
        source="this test",
        needs=["a"],
    )
    results = xr.DataTree.from_dict({"/": xr.Dataset({"a": ("problem", np.arange(1.0, 9.0))})})
    stored = verdict_groups([hypothesis], results)["verdicts"]
    assert len(asked) == 1
    assert stored["outcome"].item() == "supported"
    assert stored["effect"].values.tolist() == [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]]


def test_writing_leaves_the_mask_of_the_process_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a moment it was 0, for every thread: what these made then was open to everybody."""
    before = os.umask(0o027)
    try:

        def refuse(_: int) -> int:
            raise AssertionError(f"the mask was set in {threading.current_thread().name}")

        with monkeypatch.context() as patch:
            patch.setattr(os, "umask", refuse)
            write_file(tmp_path / "file", b"a")
            write_note(tmp_path / "note", b"b")
            create_folder(tmp_path / "folder", {"run.json": b"c"})
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
        assert modes == {"file": 0o640, "note": 0o640, "folder": 0o750}
        assert (tmp_path / "folder/run.json").stat().st_mode & 0o777 == 0o640
    finally:
        os.umask(before)


def test_what_cannot_be_written_leaves_no_draft(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="cannot write"):
        write_file(tmp_path / "taken", b"a")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
