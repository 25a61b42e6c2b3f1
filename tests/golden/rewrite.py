"""Write the stored files that tests/golden/test_stored_formats.py reads: one of each version.

    make golden

Run it only when a format gets a new version, and keep the files of the old ones.
"""

import shutil
from pathlib import Path

import ired_interp as ii
import tiny
from sbatch_scripts import golden_scripts

DATA = Path(__file__).parent / "data"


def write_scripts() -> None:
    """The sbatch scripts that tests/golden/test_sbatch_script.py reads."""
    (DATA / "scripts").mkdir(exist_ok=True)
    for name, text in golden_scripts().items():
        (DATA / "scripts" / name).write_text(text, encoding="utf-8")


def main() -> None:
    """Write a checkpoint and a finished run of the present versions."""
    tiny.checkpoint(DATA / "model-1.safetensors")
    out = DATA / "run-3"
    shutil.rmtree(out, ignore_errors=True)
    ii.run("exp001", model="inverse-4", out=out, problems=2, levels=[1, 10], controls=1)
    (out / "report.html").unlink()
    write_scripts()


if __name__ == "__main__":
    main()
