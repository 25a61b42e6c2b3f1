"""``results.h5`` of a run folder, read whole.

HDF5 locks what it opens, which fails where another program has the file open, and on file systems
without locks. A file that is only read, and that appears by a rename, needs none: its bytes are
read, and HDF5 gets those.
"""

from pathlib import Path

import xarray as xr

from ired_interp.errors import RunFolderError
from ired_interp.models.file_kinds import HEAD_BYTES, kind_of
from ired_interp.runs.format import READ_VERSIONS
from ired_interp.runs.netcdf import from_bytes

__all__ = ["READ_VERSIONS", "read_results"]

# All that files with changed bytes were seen to raise.
_RAISED = (
    OSError,
    RuntimeError,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    ArithmeticError,
    MemoryError,
)
_HDF5 = b"\x89HDF\r\n\x1a\n"


def read_results(path: Path) -> xr.DataTree:
    """All of a run's ``results.h5``.

    Raises:
        RunFolderError: The run is not finished, or the file is damaged or of a version to come.
    """
    file = path / "results.h5"
    if not file.is_file():
        raise RunFolderError(
            f"{path}: expected a finished run, found no results.h5. Finish it with 'ired-interp "
            f"resume {path}'."
        )
    try:
        content = file.read_bytes()
    except OSError as error:
        raise RunFolderError(
            f"{file} cannot be read: {error.strerror or error}. That says nothing about what is in "
            "it: mend the permission or the file system, and try again."
        ) from error
    if not content.startswith(_HDF5):
        raise RunFolderError(
            f"{file} cannot be read: expected an HDF5 file, found {kind_of(content[:HEAD_BYTES])}. "
            f"{_again(path)}"
        )
    try:
        results = from_bytes(content)
    except _RAISED as error:
        raise RunFolderError(
            f"{file} cannot be read: it is damaged ({_first_line(error)}). {_again(path)}"
        ) from error
    version = results.attrs.get("format_version", READ_VERSIONS[0])
    if version not in READ_VERSIONS:
        raise RunFolderError(
            f"{file}: expected results of version {', '.join(map(str, READ_VERSIONS))}, found "
            f"version {version}, written by ired-interp "
            f"{results.attrs.get('package_version', 'of an unknown version')}. Read them with that "
            "version."
        )
    return results


def _again(path: Path) -> str:
    return f"Delete it and run 'ired-interp resume {path}': it is made again from the shards."


def _first_line(error: Exception) -> str:
    """What xarray has to say of groups that do not fit goes on for a page."""
    return str(error).partition("\n")[0].rstrip(":")
