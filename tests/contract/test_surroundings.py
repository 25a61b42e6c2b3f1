"""Nothing around a process ends its work: locks, encodings, backends, closed outputs, old names."""

import fcntl
import io
import json
import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import pytest

import tiny
from ired_interp.cli import main
from ired_interp.cluster.config import clusters_file
from ired_interp.console import mend_streams, terminal
from ired_interp.errors import RunFolderError
from ired_interp.models.checkpoint import read_checkpoint
from ired_interp.runs.results import read_results

if TYPE_CHECKING:
    from tiny_runs import Shared

OLD_NAME = os.fsdecode(b"donn\xe9es")  # in Latin-1, as old file servers hold it
DRAW = (
    "import io, os; before = dict(os.environ); "
    "from ired_interp.experiments.drawing import import_matplotlib; import_matplotlib(); "
    "from matplotlib import style; from matplotlib.figure import Figure; "
    "figure = Figure(); figure.subplots().plot([1, 2]); "
    "figure.savefig(io.BytesIO(), format='svg'); "
    "assert dict(os.environ) == before; assert os.getcwd() == before['PWD']"
)


@pytest.fixture
def finished(tmp_path: Path, shared_runs: "Shared") -> Path:
    """A folder with results of its own."""
    content = shared_runs["exp001"].results_path.read_bytes()
    (tmp_path / "results.h5").write_bytes(content)
    return tmp_path


@pytest.mark.parametrize("lock", ["flock", "lockf"])
def test_results_that_another_program_locks_are_read(finished: Path, lock: str) -> None:
    with (finished / "results.h5").open("r+b") as stream:
        getattr(fcntl, lock)(stream, fcntl.LOCK_EX)
        assert "eigenvalues" in read_results(finished)


@pytest.mark.parametrize("number", [5, 13, 37, 116])
def test_results_that_cannot_be_read_at_the_moment_are_not_to_be_deleted(
    finished: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> bytes:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(RunFolderError, match=os.strerror(number)) as caught:
        read_results(finished)
    assert "Delete" not in str(caught.value)


@pytest.mark.parametrize(
    ("keep", "put", "said"),
    [
        (0, b"", "found an empty file"),
        (0, b"version https://git-lfs.github.com/spec/v1\n", "found a git-lfs pointer"),
        (9, b"", "is damaged"),
        (5000, b"", "is damaged"),
        (-100, b"", "is damaged"),
        (600, b"\xff" * 3000, "is damaged"),
    ],
    ids=["empty", "git-lfs", "head", "half", "tail", "overwritten"],
)
def test_damaged_results_are_called_so(finished: Path, keep: int, put: bytes, said: str) -> None:
    path = finished / "results.h5"
    whole = path.read_bytes()
    path.write_bytes(whole[:keep] + put + (whole[keep + len(put) :] if len(put) > 2000 else b""))
    with pytest.raises(RunFolderError, match=f"{said}.*Delete it"):
        read_results(finished)


def _surroundings(kind: str, folder: Path) -> dict[str, str]:
    (folder / "stylelib").mkdir()
    if kind == "backend":
        return {"MPLBACKEND": "module://of_another.environment"}
    name = "matplotlibrc" if kind == "matplotlibrc" else "stylelib/own.mplstyle"
    (folder / name).write_bytes(b"lines.linewidth: 3  # \xe9paisseur\n")
    if kind == "matplotlibrc":
        return {"MATPLOTLIBRC": str(folder)}
    return {"MPLCONFIGDIR": str(folder)}


@pytest.mark.parametrize("kind", ["backend", "matplotlibrc", "style"])
def test_figures_are_drawn_whatever_matplotlib_is_told(kind: str, tmp_path: Path) -> None:
    told = _surroundings(kind, tmp_path)
    kept = {k: v for k, v in os.environ.items() if k != "MPLBACKEND"}
    done = subprocess.run(
        [sys.executable, "-c", DRAW],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=kept | told | {"PWD": str(tmp_path)},
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_command_needs_no_backend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MPLBACKEND", "TkAgg")  # experiments of one's own may import pyplot
    assert main(["list", str(tmp_path)]) == 0
    assert os.environ["MPLBACKEND"] == "agg"


def _stdout(monkeypatch: pytest.MonkeyPatch, encoding: str) -> io.BytesIO:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
    return written


def test_letters_that_a_terminal_lacks_are_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    written = _stdout(monkeypatch, "ascii")
    assert main(["models"]) == 0
    assert rb"\u00b1" in written.getvalue()
    written = _stdout(monkeypatch, "ascii")
    mend_streams()
    content = {"σ": f"×é{OLD_NAME}\N{GRINNING FACE}"}
    sys.stdout.write(json.dumps(content, ensure_ascii=False))
    sys.stdout.flush()
    assert json.loads(written.getvalue()) == content


def test_an_output_that_is_closed_or_full(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["list", "--json", str(tmp_path)]) == 0
    sys.stdout.close()
    monkeypatch.setattr(sys, "stdout", None)
    assert terminal().width == terminal(stderr=True).width
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert main(["list", "--json", str(tmp_path)]) == 1
    assert capsys.readouterr().err == ""
    with Path("/dev/full").open("w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert main(["list", "--json", str(tmp_path)]) == 1
    assert "cannot write standard output: the disk is full" in capsys.readouterr().err


@pytest.mark.parametrize(("columns", "width"), [("abc", 10_000), ("0", 10_000), ("60", 60)])
def test_columns_that_are_no_width(
    columns: str, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    _stdout(monkeypatch, "utf-8")
    monkeypatch.setenv("COLUMNS", columns)
    assert terminal().width == width


def test_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(number: int) -> None:
        raise KeyError(number)

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert not clusters_file().exists()


def test_a_folder_whose_name_is_not_utf_8(
    tmp_path: Path,
    shared_runs: "Shared",
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["ired-interp", f"{OLD_NAME}/a"])  # what provenance records
    odd = tmp_path / OLD_NAME
    odd.mkdir()
    shutil.copytree(shared_runs["exp001"].path, odd / "there")
    (odd / "there/report.html").touch()  # drawn again where it is missing, which takes seconds
    model, done = tiny.checkpoint(odd / "m.safetensors"), f"{odd}/there"
    few = ("--problems", "2", "--levels", "10", "--controls", "0")
    train = ("--size", "2", "--width", "16", "--batch-size", "2", "--validation-problems", "2")
    for words in (
        ["run", "exp001", "--model", str(model), *few, "--out", f"{odd}/a"],
        ["status", done],
        ["resume", done],
        ["compare", done, done],
        ["list", str(odd)],
        ["doctor", done, "--json"],
        ["solve", "--model", str(model), "--problems", "2", "--out", f"{odd}/s.h5"],
        ["train", "inverse", *train, "--steps", "2", "--out", f"{odd}/t"],
        ["resume", f"{odd}/t", "--steps", "3"],
        ["models", f"{odd}/t/model.safetensors"],
    ):
        assert main(words) == 0, (words[0], capsys.readouterr().err)
    assert "donn\\udce9es" in capsys.readouterr().out
    # The name in a file is escaped, and read back it is the same name.
    head = json.loads((odd / "a/run.json").read_text(encoding="utf-8"))
    assert head["config"]["model"] == str(model)
    with h5py.File(odd / "a/results.h5") as file:
        assert json.loads(file.attrs["config"]) == head["config"]
    assert "\\udce9" in (odd / "a/report.html").read_text(encoding="utf-8")
    card = read_checkpoint(odd / "t/model.safetensors").card
    assert card is not None
    assert card.training["provenance"]["command"][1] == f"{OLD_NAME}/a"
    # What is wrong there is said in a line.
    assert main(["status", f"{odd}/gone"]) == 1
    assert "donn\\udce9es/gone is not a run folder" in capsys.readouterr().err


def test_an_experiment_in_a_project_whose_name_is_not_utf_8(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = tmp_path / OLD_NAME
    odd.mkdir()
    monkeypatch.chdir(odd)
    assert main(["new", "experiment", "mine"]) == 0
    subprocess.run(["git", "init", "-q"], check=True)
    assert main(["run", "mine.py", "--out", "r"]) == 0, capsys.readouterr().err
    head = json.loads((odd / "r/run.json").read_text(encoding="utf-8"))
    assert head["source"]["project"] == str(odd)
    assert main(["status", "r"]) == 0
