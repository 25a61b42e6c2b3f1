"""Whether the environment that the jobs will have can be made, and with which interpreter."""

import os
import re
import shlex
import subprocess
import sys
import time
import tomllib
import venv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ired_interp.cluster.config import ClusterConfig
from ired_interp.cluster.script import load_modules
from ired_interp.cluster.shell import Shell
from ired_interp.errors import CannotAskError, SessionGoneError
from ired_interp.preflight.check import Check, failed, not_checked, passed
from ired_interp.preflight.ground import Ground
from ired_interp.preflight.requirements import asked_for, closure, providers

__all__ = ["Built", "build_environment", "check_environment", "check_interpreter"]

_LEAST = (3, 11)
_RESOLVE_SECONDS = 45.0
_BUILD_SECONDS = 1800.0
_COLD = "with a cold cache minutes, torch alone is 0.2 to 0.9 GB"
_OFFLINE = re.compile(
    r"NewConnectionError|ConnectionError|name resolution|Network is unreachable|ProxyError|"
    r"Read timed out|ConnectTimeout|Max retries exceeded"
)
_TELLING = re.compile(r"No matching distribution|Could not find a version|conflict|ERROR")


@dataclass(frozen=True)
class Built:
    """What came of building an environment.

    Attributes:
        python: Its interpreter; None where it could not be built.
        check: What is to be said of it.
    """

    python: Path | None
    check: Check


def check_interpreter(
    clone: Path | None, cluster: ClusterConfig | None, open_fn: Callable[[], Shell]
) -> Check:
    """That the interpreter exists where the jobs run, and is new enough for the project."""
    least = max(_LEAST, _required(clone))
    wanted = f"Python {least[0]}.{least[1]} or newer"
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    if cluster is None:
        if sys.version_info[:2] < least:
            return failed(
                "interpreter", f"Python {here}", wanted, f"use a Python {least[0]}.{least[1]}"
            )
        return passed("interpreter", f"Python {here} here; {wanted} is asked for")
    python = f"{cluster.environment}/bin/python" if cluster.environment else cluster.python
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    lines = [*load_modules(cluster.modules), f"exec {shlex.quote(python)} -c {shlex.quote(code)}"]
    try:
        shell = open_fn()
        words = ["bash", "-l", "-s"] if cluster.modules else ["bash", "-s"]
        done = shell.run(words, stdin="\n".join(lines).encode())
    except (CannotAskError, SessionGoneError) as error:
        return not_checked("interpreter", f"the cluster cannot be asked: {error}")
    # a banner may stand before it, and what a login shell says at its end behind it
    there = re.findall(r"^(\d+\.\d+)\s*$", done.stdout, re.M)
    if done.returncode != 0 or len(there) != 1:
        return failed(
            "interpreter",
            f"{shell.name}: {python} does not start: {done.words.splitlines()[0]}",
            wanted,
            f"set python (and modules) of [{cluster.name}] in clusters.toml; 'ls /usr/bin/python3*'"
            " and 'module avail python' there show what there is",
        )
    major, minor = map(int, there[0].split("."))
    if (major, minor) < least:
        return failed(
            "interpreter",
            f"{shell.name}: {python} is Python {there[0]}",
            wanted,
            f"set python of [{cluster.name}] in clusters.toml, such as python{least[0]}.{least[1]}",
        )
    differs = "" if there[0] == here else f", not {here} as here"
    return passed("interpreter", f"{shell.name}: {python} is Python {there[0]}{differs}")


def _required(clone: Path | None) -> tuple[int, int]:
    """The least version that the project's pyproject.toml asks for."""
    if clone is None:
        return _LEAST
    try:
        content = tomllib.loads((clone / "pyproject.toml").read_text("utf-8"))
    except (OSError, ValueError):
        return _LEAST
    asked = re.search(r">=\s*(\d+)\.(\d+)", str(content.get("project", {}).get("requires-python")))
    return (int(asked[1]), int(asked[2])) if asked else _LEAST


def check_environment(ground: Ground, clone: Path | None, cluster: ClusterConfig | None) -> Check:
    """That the requirements hold all that is imported, and resolve. Nothing is installed."""
    if clone is None:
        return not_checked("environment", "there is no clone with a requirements file")
    if cluster is not None and cluster.environment is not None:
        return not_checked(
            "environment",
            f"the jobs use {cluster.environment}, which is there already; the canary task tries it",
        )
    name = cluster.requirements if cluster is not None else "requirements.txt"
    file = clone / name
    if not file.is_file():
        if cluster is None:
            return not_checked("environment", f"the commit has no {name}; a cluster needs one")
        return _no_file(name)
    undeclared = _undeclared(ground, file, clone)
    if undeclared is not None:
        return undeclared
    return _resolve(file, clone)


def _undeclared(ground: Ground, file: Path, clone: Path) -> Check | None:
    """An import that is installed here by chance and that nobody asked for."""
    if ground.parts is None:
        return None
    asked = closure(asked_for(file, clone))
    if ground.built_in:
        asked |= closure({"ired-interp"})
    known = providers()
    for module, one in ground.parts.foreign().items():
        given = known.get(module, set())
        if given and not given & asked:
            package = sorted(given)[0]
            return failed(
                "environment",
                f"{one.file}:{one.line} imports {module}, which {file.name} does not ask for",
                f"{package} among the requirements: it is installed here, and will not be there",
                f"echo {package} >> {shlex.quote(file.name)}",
            )
    return None


def _resolve(file: Path, clone: Path) -> Check:
    words = [
        *("-m", "pip", "install", "--dry-run", "--disable-pip-version-check", "--quiet"),
        *("--no-input", "--retries", "1", "--timeout", "10", "-r", str(file)),
    ]
    done = _python(sys.executable, words, clone, _RESOLVE_SECONDS)
    if done is None:
        return not_checked(
            "environment",
            f"pip did not resolve {file.name} within {_RESOLVE_SECONDS:.0f} s",
            "ired-interp preflight … --fresh-env",
        )
    if done.returncode == 0:
        return passed(
            "environment",
            f"{file.name} resolves and names all that is imported; --fresh-env would build it "
            f"({_COLD})",
        )
    if "No module named pip" in done.stderr:
        return not_checked("environment", "this environment has no pip to resolve with")
    if _OFFLINE.search(done.stderr):
        return not_checked("environment", "the package index cannot be reached from here")
    return failed(
        "environment",
        f"{file.name} does not resolve: {_telling(done.stderr)}",
        "packages and versions that exist, and agree",
        f"edit {file.name}; 'pip install --dry-run -r {shlex.quote(file.name)}' tries it",
    )


def build_environment(ground: Ground, clone: Path | None, requirements: str, folder: Path) -> Built:
    """Make a new environment from the requirements, as the cluster will.

    Args:
        ground: The experiment.
        clone: Has the requirements.
        requirements: Their file.
        folder: For the environment; new.
    """
    if clone is None:
        return Built(None, not_checked("environment", "there is no clone to build it from"))
    file = clone / requirements
    if not file.is_file():
        return Built(None, _no_file(requirements))
    begin = time.monotonic()
    venv.create(folder, with_pip=True, symlinks=True)
    python = folder / "bin" / "python"
    words = ["-m", "pip", "install", "--disable-pip-version-check", "--quiet", "--no-input"]
    steps = [[*words, "-r", str(file)]]
    if ground.built_in:
        steps.append([*words, "--no-deps", "."])
    for step in steps:
        done = _python(str(python), step, clone, _BUILD_SECONDS)
        if done is None or done.returncode != 0:
            why = "it took too long" if done is None else _telling(done.stderr)
            return Built(
                None,
                failed(
                    "environment",
                    f"{requirements} cannot be installed: {why}",
                    "packages and versions that exist, and agree",
                    f"edit {requirements}; 'pip install -r {shlex.quote(requirements)}' in a new "
                    "environment tries it",
                ),
            )
    took = time.monotonic() - begin
    found = f"built anew from {requirements} in {took:.0f} s ({_COLD})"
    return Built(python, passed("environment", found))


def _no_file(requirements: str) -> Check:
    return failed(
        "environment",
        f"the commit has no {requirements}",
        "a file that says which packages the jobs need",
        f"pip freeze > {shlex.quote(requirements)}, then commit it",
    )


def _python(
    python: str, words: Sequence[str], folder: Path, seconds: float
) -> subprocess.CompletedProcess[str] | None:
    """Run Python, isolated from the caller's paths; None where it took too long."""
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    try:
        return subprocess.run(  # noqa: S603 - no shell
            [python, "-P", *words],
            cwd=folder,
            env=kept,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return None


def _telling(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return ([line for line in lines if _TELLING.search(line)] or lines or ["no reason given"])[-1]
