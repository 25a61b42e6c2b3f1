"""What a terminal shows: numbers with their errors, tables of any width, text as it is."""

import io
import math
import shutil
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

import ired_interp
from ired_interp.cli import main
from ired_interp.digits import concise
from ired_interp.experiments.page import Listing
from ired_interp.report.printed import Printed

DATA = Path(__file__).parent / "data"
ODD = "[bold]a[/bold] :car:"
LISTING = Listing(
    heads=("run", "what it is", "error", "harder", "no."),
    rows=[
        (
            "inverse-4-small-0-step-1000",
            "polynomial of degree 7",
            "0.0182 ± 1e-04",
            "-1.97(3)e-4",
            "1",
        ),
        (ODD, "[red]x", "2.04(5)e-3", "", "12"),
    ],
    caption=f"means over problems {ODD}",
    left=("run", "what it is"),
    muted=("harder",),
)


@pytest.mark.parametrize(
    ("mean", "half", "text"),
    [
        (0.9534, 0.018, "0.95(2)"),
        (0.9814, 0.0096, "0.98(1)"),
        (1.03444, 0.0024, "1.034(2)"),
        (9.8e-4, 2e-4, "1.0(2)e-3"),
        (4.06e-4, 2e-5, "4.1(2)e-4"),
        (-1.97e-4, 3e-6, "-1.97(3)e-4"),
        (108.2, 46.0, "108(46)"),
        (3.63, 0.2, "3.6(2)"),
        (0.0, 0.5, "0.0(5)"),
        (0.001, 0.02, "0.00(2)"),
        (5.0, 0.0, "5"),
        (5.0, math.nan, "5"),
    ],
)
def test_concise(mean: float, half: float, text: str) -> None:
    assert concise(mean, half) == text


@pytest.mark.parametrize("width", [200, 80, 75, 60, 45, 32])
def test_a_table_fits_its_terminal_with_nothing_cut(width: int) -> None:
    stream = io.StringIO()
    Console(file=stream, width=width).print(Printed(LISTING, f"title {ODD}"))
    text = stream.getvalue()
    assert "…" not in text
    lines = text.splitlines()
    assert max(map(cell_len, lines)) <= width
    for row in LISTING.rows:
        whole = [cell for i, cell in enumerate(row) if i != 1 and cell]
        assert all(any(cell in line for line in lines) for cell in whole), text
    assert all(word in text for word in ("polynomial", "degree", "[red]x", f"title {ODD}"))
    # As a table while it has room for all numbers, with words broken; else a row in some lines.
    assert (sum("error" in line for line in lines) == 1) == (width >= 75)


def test_paths_are_printed_as_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)  # of a pipe, which breaks no line
    folder = shutil.copytree(DATA / "run-2", tmp_path / ODD / "run")
    (folder / "report.html").touch()
    assert main(["resume", str(folder)]) == 0
    assert f"{folder} is finished: {folder}/report.html" in capsys.readouterr().err
    assert main(["status", str(folder)]) == 0
    assert f"results  {folder}/results.h5" in capsys.readouterr().out
    assert main(["list", str(tmp_path)]) == 0
    assert f"{folder} " in capsys.readouterr().out


def test_whatever_prints_prints_text_as_it_is() -> None:
    """Consoles are made in one place, where markup has no meaning."""
    package = Path(ired_interp.__file__).parent
    makers = [path for path in package.rglob("*.py") if " Console(" in path.read_text("utf-8")]
    assert [path.name for path in makers] == ["console.py"]


def test_no_model_is_cut_off(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert main(["models"]) == 0
    said = capsys.readouterr().out
    assert "…" not in said
    assert "error 9.44e-05 ± 2e-06 · harder" in said
    assert set(ired_interp.list_models()) <= set(said.splitlines())
