"""What this machine has at the moment: cores, memory, disk, GPUs."""

import contextlib
import os
import platform
import re
import resource
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Gpu", "Machine", "available_bytes", "cores", "gpus", "this_machine"]

_MEMINFO, _STATM = Path("/proc/meminfo"), Path("/proc/self/statm")
_CGROUP = Path("/proc/self/cgroup")
_CGROUP_ROOT = Path("/sys/fs/cgroup")
_SMI_SECONDS = 20.0
# Name, driver, percent; warnings may stand around them.
_GPU = re.compile(r"^([^,\n]+), *(\d[\d.]*), *(\d+|\[[^,\n]*\])$", re.M)
_NO_GPU = "No devices were found"
_LOOKS, _SECONDS_BETWEEN_LOOKS = 3, 0.5


@dataclass(frozen=True)
class Gpu:
    """A GPU as nvidia-smi shows it.

    Attributes:
        name: Its model.
        driver: The driver's version.
        busy: Percent of the last moments in which something ran on it; None if it does not say.
    """

    name: str
    driver: str
    busy: float | None


@dataclass(frozen=True)
class Machine:
    """What there is, as plain data.

    Attributes:
        host: Its name.
        cores: That this process may use.
        available: Bytes of memory that a new process could take; None if not known.
        disk_free: Bytes free where the run lies.
        gpus: As nvidia-smi shows them; None where there is no nvidia-smi, or it does not answer.
    """

    host: str
    cores: int
    available: int | None
    disk_free: int
    gpus: tuple[Gpu, ...] | None


def this_machine(folder: Path, *, looks: int = _LOOKS) -> Machine:
    """Look at this machine now.

    Args:
        folder: Where results lie, or would; it need not exist.
        looks: How often to ask how busy the GPUs are; the busiest moment counts.
    """
    place = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    return Machine(
        platform.node(),
        cores(),
        available_bytes(),
        shutil.disk_usage(place).free,
        gpus(looks=looks),
    )


def cores() -> int:
    """That this process may use: a job may have fewer than its node."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def available_bytes() -> int | None:
    """The least of what the system, the control group and this process's limit leave."""
    found = [n for n in (_of_system(), _of_group(), _of_limit()) if n is not None]
    return min(found, default=None)


def gpus(*, looks: int = 1) -> tuple[Gpu, ...] | None:
    """GPUs, each with the busiest of several looks; None where they cannot be asked for."""
    if shutil.which("nvidia-smi") is None:
        return None
    seen: list[tuple[Gpu, ...]] = []
    for look in range(looks):
        if look:
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        found = _smi()
        if found is None:
            return None
        seen.append(found)
    return tuple(max(rows, key=lambda gpu: gpu.busy or 0.0) for rows in zip(*seen, strict=False))


def _smi() -> tuple[Gpu, ...] | None:
    words = ["--query-gpu=name,driver_version,utilization.gpu", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments, no shell
            ["nvidia-smi", *words],  # noqa: S607 - found on the user's PATH
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SMI_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _GPU.findall(done.stdout)
    if done.returncode != 0 or not (found or _NO_GPU in done.stdout):
        return None
    return tuple(Gpu(name, driver, _number(busy)) for name, driver, busy in found)


def _number(word: str) -> float | None:
    return float(word) if word.isdecimal() else None  # "[N/A]"


def _of_system() -> int | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in _MEMINFO.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def _of_group() -> int | None:
    """What control groups leave, as containers and SLURM jobs have them (version 2)."""
    left: list[int] = []
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = _CGROUP.read_text(encoding="utf-8").splitlines()
        group = next(line for line in lines if line.startswith("0::")).removeprefix("0::/")
        place = _CGROUP_ROOT / group
        for folder in (place, *place.parents):
            if not folder.is_relative_to(_CGROUP_ROOT):
                break
            with contextlib.suppress(OSError, ValueError):  # "max", or the root, which has none
                most = int((folder / "memory.max").read_text(encoding="ascii"))
                now = int((folder / "memory.current").read_text(encoding="ascii"))
                # Files in the cache count, and give way.
                cached = re.search(
                    r"^inactive_file (\d+)$", (folder / "memory.stat").read_text(), re.M
                )
                left.append(max(0, most - now + (int(cached[1]) if cached else 0)))
    return min(left, default=None)


def _of_limit() -> int | None:
    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    if most == resource.RLIM_INFINITY:
        return None
    with contextlib.suppress(OSError, ValueError, IndexError):
        pages = int(_STATM.read_text(encoding="ascii").split()[0])
        return max(0, most - pages * resource.getpagesize())
    return most
