"""Whether this machine can run what is asked, one check after the other."""

import importlib.metadata
import os
import platform
import shutil
import time
import webbrowser
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import torch
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from threadpoolctl import threadpool_info
from torch import Tensor

from ired_interp.cluster.config import ClusterConfig
from ired_interp.cluster.limits import partitions
from ired_interp.cluster.shell import Shell, open_shell
from ired_interp.doctor.finding import size
from ired_interp.doctor.machine import Gpu, Machine, this_machine
from ired_interp.errors import CannotAskError, ClusterError, SessionGoneError
from ired_interp.git import git, have_git
from ired_interp.landscape import Landscape
from ired_interp.preflight.check import Check, advised, failed, not_checked, passed

__all__ = [
    "check_browser",
    "check_disk",
    "check_gpu",
    "check_hessian",
    "check_interpreter",
    "check_memory",
    "check_packages",
    "check_threads",
    "checkup",
]

_PACKAGE = "ired-interp"
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
# A run takes 0.4 GB before its first unit.
_LEAST_MEMORY = 2**30
_LEAST_DISK = 200 * 2**20
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "firefox", "microsoft-edge")
_DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")
_GIT_SECONDS = 10
# Of the numbers' own size, some ten operations after each other.
_TOLERANCE = 1e-13


def checkup(folder: Path, cluster: ClusterConfig | None) -> Iterator[Check]:
    """Every check, each as soon as it is made.

    Args:
        folder: Where runs lie.
        cluster: To be asked as well; None for this machine alone.
    """
    machine = this_machine(folder, looks=1)
    checks: tuple[Callable[[], Check], ...] = (
        lambda: check_interpreter(_required_python(), platform.python_version()),
        lambda: check_packages(importlib.metadata.requires(_PACKAGE) or []),
        lambda: check_hessian("cpu"),
        lambda: check_threads(machine.cores, _threads(), dict(os.environ)),
        lambda: check_memory(machine.available),
        lambda: check_disk(folder, machine),
        lambda: check_gpu(machine.gpus, torch.version.cuda, torch.cuda.is_available()),
        check_browser,
        _check_git,
    )
    for check in checks:
        yield _timed(check)
    yield from _check_cluster(cluster)


def _timed(check: Callable[[], Check]) -> Check:
    begin = time.monotonic()
    return replace(check(), seconds=time.monotonic() - begin)


def check_interpreter(required: str, found: str) -> Check:
    """The Python that runs this, against what the package asks for."""
    if SpecifierSet(required).contains(found, prereleases=True):
        return passed("interpreter", f"Python {found}; {required} is asked for")
    return failed(
        "interpreter", f"Python {found}", f"Python {required}", "make the environment with another"
    )


def _required_python() -> str:
    return str(importlib.metadata.metadata(_PACKAGE)["Requires-Python"] or "")


def check_packages(required: list[str]) -> Check:
    """What the package's metadata ask for, against what is installed; extras left aside."""
    wrong, fix, count = [], [], 0
    for line in required:
        try:
            asked = Requirement(line)
        except InvalidRequirement as error:
            wrong.append(f"{line}: {error}")
            continue
        if asked.marker is not None and not asked.marker.evaluate({"extra": ""}):
            continue
        count += 1
        try:
            there = importlib.metadata.version(asked.name)
        except importlib.metadata.PackageNotFoundError:
            there = "missing"
        if there == "missing" or not asked.specifier.contains(there, prereleases=True):
            wrong.append(f"{asked.name} {there}")
            fix.append(f"'{asked.name}{asked.specifier}'")
    if wrong:
        return failed(
            "packages",
            ", ".join(wrong),
            "the versions that the package's metadata ask for",
            f"python -m pip install {' '.join(fix)}",
        )
    return passed("packages", f"all {count} are there, in versions that are asked for")


def check_hessian(device: str) -> Check:
    """A Hessian that is known: of E = ‖y‖⁴/4, which is ‖y‖²·I + 2·y·yᵀ, and its eigenvalues."""
    y = torch.arange(1.0, 9.0, dtype=torch.float64, device=device).reshape(2, 4)
    found = Landscape.of(_quartic, dim_y=4).hessian(y)
    square = y.square().sum(1)
    eye = torch.eye(4, dtype=y.dtype, device=device)
    true = square[:, None, None] * eye + 2 * y[:, :, None] * y[:, None, :]
    values = torch.linalg.eigvalsh(found)
    right = square[:, None] * torch.tensor([1.0, 1.0, 1.0, 3.0], dtype=y.dtype, device=device)
    off = max(
        float(((found - true).abs().amax((1, 2)) / square).max()),
        float(((values - right).abs().amax(1) / square).max()),
    )
    what = f"torch {torch.__version__} on {device}: a known Hessian and its eigenvalues"
    if off <= _TOLERANCE:
        return passed("hessian", f"{what} agree within {off:.0e}")
    return failed(
        "hessian",
        f"{what} are off by {off:.1e} of their size",
        f"{_TOLERANCE:.0e} in float64",
        "install torch anew; if it stays, this processor or its BLAS computes wrongly",
    )


def _quartic(y: Tensor) -> Tensor:
    return y.square().sum(1).square() / 4


def check_threads(cores: int, threads: dict[str, int], environment: dict[str, str]) -> Check:
    """Threads of torch and BLAS, and of the variables that set them, against the cores."""
    asked = {
        name: int(environment[name])
        for name in _THREADS
        if environment.get(name, "").strip().isdecimal()
    }
    shown = ", ".join(f"{name} {count}" for name, count in {**threads, **asked}.items())
    found = f"{cores} core{'s' * (cores > 1)} for this process; threads: {shown}"
    over = [name for name, count in {**threads, **asked}.items() if count > cores]
    if over:
        return advised(
            "threads",
            found,
            f"no more threads than cores: they would wait for one another ({', '.join(over)})",
            f"export OMP_NUM_THREADS={cores}, and run with --threads {cores} or fewer",
        )
    return passed("threads", f"{found}; with --workers N each process has so many")


def _threads() -> dict[str, int]:
    """Of torch, and of each BLAS that is loaded."""
    found = {"torch": torch.get_num_threads()}
    for pool in threadpool_info():
        if pool["user_api"] == "blas":
            found[str(pool["internal_api"])] = int(pool["num_threads"])
    return found


def check_memory(available: int | None) -> Check:
    """What a run could take, limits of a job or a shell counted in."""
    if available is None:
        return not_checked("memory", "this system does not say how much is available")
    if available < _LEAST_MEMORY:
        return failed(
            "memory",
            f"{size(available)} available",
            f"{size(_LEAST_MEMORY)}: Python and its libraries alone take 0.4 GB",
            "end other programs, or raise the limit of this shell or job (ulimit -v)",
        )
    return passed("memory", f"{size(available)} available")


def check_disk(folder: Path, machine: Machine) -> Check:
    """Room where runs lie, and leave to write there."""
    place = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    found = f"{folder.absolute()}: {size(machine.disk_free)} free"
    if not os.access(place, os.W_OK):
        return failed("disk", f"{place} cannot be written to", "a folder of yours", "--out FOLDER")
    if machine.disk_free < _LEAST_DISK:
        return failed(
            "disk", found, f"{size(_LEAST_DISK)} at least", "free some space, or --out FOLDER"
        )
    return passed("disk", found)


def check_gpu(gpus: tuple[Gpu, ...] | None, built_for: str | None, usable: bool) -> Check:  # noqa: FBT001
    """What nvidia-smi shows, against what this torch can use.

    Args:
        gpus: As nvidia-smi shows them; None where it is not there.
        built_for: The CUDA that torch was built for; None for a build without.
        usable: Whether torch finds one.
    """
    if usable:
        tried = check_hessian("cuda")
        if tried.status == "fail":
            return replace(tried, id="gpu")
        return passed("gpu", f"{torch.cuda.get_device_name()}: {tried.found}")
    if not gpus:
        why = "no nvidia-smi" if gpus is None else "nvidia-smi shows none"
        return passed("gpu", f"none ({why}); everything runs on the CPU, as by default")
    there = f"{gpus[0].name}, driver {gpus[0].driver}"
    if built_for is None:
        return advised(
            "gpu",
            f"{there}; this torch ({torch.__version__}) was built without CUDA",
            "a torch that can use it, or none needed (--device cpu is the default)",
            "install torch with CUDA: pytorch.org/get-started",
        )
    return advised(
        "gpu",
        f"{there}; this torch was built for CUDA {built_for} and finds no GPU",
        f"a driver for CUDA {built_for}, and CUDA_VISIBLE_DEVICES that shows the GPU",
        "a newer driver, or a torch for an older CUDA; 'nvidia-smi' shows what the driver takes",
    )


def check_browser() -> Check:
    """Something that shows report.html; only --open needs it."""
    try:
        found = webbrowser.get()
    except webbrowser.Error:
        path = next((p for name in _BROWSERS if (p := shutil.which(name)) is not None), None)
        if path is None:
            return advised(
                "browser",
                "none",
                "one, for --open alone: reports are written all the same",
                "copy report.html to a machine that has one; it is one file",
            )
        # On a machine without a screen it is there and --open shows nothing.
        screen = any(os.environ.get(name) for name in _DISPLAYS)
        note = "" if screen else ", but no display: --open shows nothing, copy report.html"
        return passed("browser", f"{path}{note}")
    return passed("browser", str(getattr(found, "name", None) or type(found).__name__))


def _check_git() -> Check:
    expected, fix = "git, which the provenance of a run and 'submit' need", "install git"
    if not have_git():
        return failed("git", "none", expected, fix)
    said = git(Path(), "--version", seconds=_GIT_SECONDS)
    if not said.ok:
        return failed("git", said.reason, expected, fix)
    return passed("git", said.out.strip())


def _check_rsync() -> Check:
    path = shutil.which("rsync")
    if path is None:
        return failed("rsync", "none", "rsync, by which 'submit' and 'fetch' copy", "install rsync")
    return passed("rsync", path)


def _check_cluster(cluster: ClusterConfig | None) -> Iterator[Check]:
    if cluster is None:
        for name in ("rsync", "session", "slurm"):
            yield not_checked(name, "no cluster was named (--cluster NAME)")
        return
    yield _timed(_check_rsync)
    begin = time.monotonic()
    try:
        shell = open_shell(cluster)
    except SessionGoneError as error:
        yield failed("session", str(error), "an open ssh session", "open it as shown")
        yield not_checked("slurm", "there is no session")
        return
    except CannotAskError as error:
        yield failed("session", str(error), "an answer", "look at the network, and try again")
        yield not_checked("slurm", "there is no session")
        return
    took = time.monotonic() - begin
    yield replace(passed("session", f"{shell.name} takes commands"), seconds=took)
    yield _timed(lambda: _check_slurm(shell, cluster))


def _check_slurm(shell: Shell, cluster: ClusterConfig) -> Check:
    try:
        there = partitions(shell)
    except (CannotAskError, ClusterError) as error:
        return failed(
            "slurm",
            str(error),
            "sinfo and scontrol that answer",
            f"log in to {shell.name} and try 'sinfo' there; 'modules' of [{cluster.name}] may be "
            "missing, or the controller is down",
        )
    up = [one.name for one in there if one.up]
    return passed("slurm", f"{len(there)} partitions, up: {', '.join(up) or 'none'}")
