"""The scripts as a researcher reads them; rewritten by `make golden`."""

import subprocess
from pathlib import Path

import pytest

from sbatch_scripts import golden_scripts

DATA = Path(__file__).parent / "data" / "scripts"


@pytest.mark.parametrize("name", sorted(golden_scripts()))
def test_script_is_as_it_was(name: str) -> None:
    assert golden_scripts()[name] == (DATA / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(golden_scripts()))
def test_bash_reads_the_script(name: str) -> None:
    done = subprocess.run(
        ["bash", "-n"], input=golden_scripts()[name].encode(), check=False, capture_output=True
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_no_script_has_a_windows_line_end() -> None:
    assert not [name for name, text in golden_scripts().items() if "\r" in text]
