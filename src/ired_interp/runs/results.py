"""``results.h5`` of a run folder, read whole."""

from pathlib import Path

import xarray as xr

from ired_interp.errors import RunFolderError

__all__ = ["READ_VERSIONS", "read_results"]

READ_VERSIONS = (1, 2, 3)
"""Of the format of run folders."""


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
        with xr.open_datatree(file, engine="h5netcdf") as tree:
            results = tree.load()
    except (OSError, ValueError, KeyError) as error:
        raise RunFolderError(
            f"{file} cannot be read ({_first_line(error)}). Delete it and run 'ired-interp resume "
            f"{path}': it is made again from the shards."
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


def _first_line(error: Exception) -> str:
    """What xarray has to say of groups that do not fit goes on for a page."""
    return str(error).partition("\n")[0].rstrip(":")
