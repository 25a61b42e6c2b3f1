"""How much memory this process takes."""

import contextlib
import re
import resource
import sys
from pathlib import Path

from ired_interp.errors import ConfigError

__all__ = ["forget_peak", "peak_bytes", "read_size", "resident_bytes"]

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def read_size(text: str) -> int:
    """Bytes from words such as ``500M`` or ``2G``, in powers of 1024.

    Raises:
        ConfigError: Not a size.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    size = int(float(found[1]) * _UNITS[found[2].upper()]) if found else 0
    if size < 1:
        raise ConfigError(f"expected a size such as 500M or 2G, found {text!r}.")
    return size


def forget_peak() -> None:
    """Let `peak_bytes` begin anew, where the system can (Linux)."""
    with contextlib.suppress(OSError):
        _CLEAR.write_text("5")


def peak_bytes() -> int:
    """The highest resident memory since `forget_peak`; since the start where that does nothing."""
    found = _from_status("VmHWM")
    if found is not None:
        return found
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def resident_bytes() -> int | None:
    """Resident memory now; None where the system does not say."""
    return _from_status("VmRSS")


def _from_status(name: str) -> int | None:
    with contextlib.suppress(OSError):
        found = re.search(
            rf"^{name}:\s+(\d+) kB", _STATUS.read_text(encoding="ascii"), re.MULTILINE
        )
        if found:
            return int(found[1]) * 1024
    return None
