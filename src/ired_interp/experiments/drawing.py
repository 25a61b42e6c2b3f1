"""matplotlib, imported whatever the user's surroundings say about it.

``MPLBACKEND`` left over from a notebook names a backend that another environment has. A
matplotlibrc or a style of the user may be in another encoding. Each ends the import with an error.
None has a say in figures that are drawn into files in a style of their own.
"""

import contextlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["import_matplotlib"]

_NAME = "matplotlib"


def import_matplotlib() -> None:
    """Import it as it is; where that fails, without the user's backend, matplotlibrc and styles.

    Raises:
        ImportError: It is not installed.
        OSError: There is no folder that it can write to, not even a temporary one.
    """
    try:
        importlib.import_module(f"{_NAME}.style")
    except (ValueError, OSError):
        for name in [name for name in sys.modules if name.partition(".")[0] == _NAME]:
            del sys.modules[name]  # half of it is there
        with _as_shipped():
            importlib.import_module(f"{_NAME}.style")


@contextlib.contextmanager
def _as_shipped() -> Iterator[None]:
    """In the folder of its own matplotlibrc, which comes before any other, without settings."""
    spec = importlib.util.find_spec(_NAME)
    data = Path(spec.origin or "").parent / "mpl-data" if spec else Path()
    before = {name: os.environ.pop(name, None) for name in ("MPLBACKEND", "MPLCONFIGDIR")}
    os.environ["MPLCONFIGDIR"] = str(data / "matplotlibrc")  # no folder: a temporary one is made
    try:
        with contextlib.chdir(data):
            yield
    finally:
        del os.environ["MPLCONFIGDIR"]
        os.environ.update({name: value for name, value in before.items() if value is not None})
