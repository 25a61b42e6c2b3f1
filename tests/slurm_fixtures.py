"""One SLURM and one laptop for all modules of tests/cluster that need them."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from slurm_here import Here, start, stop


@pytest.fixture(scope="session")
def here() -> Iterator[Here]:
    """The daemons, and a project on the near side."""
    base = Path(tempfile.mkdtemp(prefix="slurm-"))  # short, for unix sockets
    try:
        laptop = start(base / "d", base)
        try:
            yield laptop
        finally:
            stop(laptop)
    finally:
        shutil.rmtree(base)
