"""Write the stored files that tests/golden/test_stored_formats.py reads: one of each version.

    make golden

Run it only when a format gets a new version, and keep the files of the old ones.
"""

import shutil
from pathlib import Path

import ired_interp as ii
import tiny

DATA = Path(__file__).parent / "data"


def main() -> None:
    """Write a checkpoint and a finished run of the present versions."""
    tiny.checkpoint(DATA / "model-1.safetensors")
    out = DATA / "run-2"
    shutil.rmtree(out, ignore_errors=True)
    ii.run("exp001", model="inverse-4", out=out, problems=2, levels=[1, 10], controls=1)
    (out / "report.html").unlink()


if __name__ == "__main__":
    main()
