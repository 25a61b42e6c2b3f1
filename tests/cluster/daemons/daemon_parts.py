"""Daemons that a script starts and another ends, without an init system.

Each is written down as ``run/NAME.pid``: its process id and its start time (field 22 of
/proc/PID/stat), so that a recycled id is never taken for ours.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

__all__ = [
    "MARK",
    "end",
    "fail",
    "folder_of",
    "free_ports",
    "is_running",
    "listening_beyond_loopback",
    "need",
    "record",
    "start",
    "start_time",
    "wait_for",
]

MARK = ".made-by-slurm-daemons"
_LOOPBACK = ("0000000000000000", "00000000000000000000000001000000")
_LISTENING = "0A"


def fail(message: str) -> None:
    """End the script."""
    sys.exit(f"slurm daemons: {message}")


def folder_of(path: Path) -> Path:
    """The folder of a cluster, new or made by these scripts; sockets limit its length."""
    path = path.absolute()
    if len(str(path)) > 70:
        fail(f"{path}: at most 70 characters, for unix sockets have 107")
    if path.exists() and any(path.iterdir()) and not (path / MARK).exists():
        fail(f"{path} is not empty and was not made by these scripts")
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o755)
    (path / MARK).touch()
    for name in ("run", "log", "etc", "spool", "state", "munge", "home"):
        (path / name).mkdir(exist_ok=True)
    return path


def need(packages: Mapping[str, str]) -> None:
    """Install the Debian packages of the commands that are missing."""
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    os.environ["PATH"] = path
    missing = [command for command in packages if shutil.which(command) is None]
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        fail(
            f"not installed: {', '.join(missing)}; packages of Debian: {sorted(packages.values())}"
        )
    policy = Path("/usr/sbin/policy-rc.d")  # packages must not start daemons of their own
    made = not policy.exists()
    if made:
        policy.write_text("#!/bin/sh\nexit 101\n", encoding="utf-8")
        policy.chmod(0o755)
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    apt = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300"]
    try:
        subprocess.run([*apt, "update"], check=True, env=quiet, stdout=sys.stderr)
        words = [*apt, "install", "-y", "--no-install-recommends"]
        words += [packages[command] for command in missing]
        subprocess.run(words, check=True, env=quiet, stdout=sys.stderr)
    finally:
        if made:
            policy.unlink()


def start_time(pid: int) -> str | None:
    """When the process started, in clock ticks; None if there is none, or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def record(folder: Path, name: str, pid: int) -> None:
    """Write a process down as ours."""
    (folder / "run" / f"{name}.pid").write_text(f"{pid} {start_time(pid)}\n", encoding="utf-8")


def is_running(folder: Path, name: str) -> int | None:
    """The process id of a daemon of ours that is alive."""
    try:
        pid, began = (folder / "run" / f"{name}.pid").read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        return None
    return int(pid) if start_time(int(pid)) == began else None


def start(
    folder: Path, name: str, words: Sequence[str], environment: Mapping[str, str] | None = None
) -> None:
    """Start a daemon in a session of its own, unless it is running."""
    if is_running(folder, name):
        return
    with (folder / "log" / f"{name}.out").open("ab") as log:
        process = subprocess.Popen(
            list(words),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, **(environment or {})},
        )
    record(folder, name, process.pid)


def end(folder: Path, name: str, seconds: float) -> None:
    """TERM, then KILL after so many seconds; 0 kills at once. Only what is ours."""
    pid = is_running(folder, name)
    if pid is not None:
        os.kill(pid, signal.SIGTERM if seconds else signal.SIGKILL)
        limit = time.monotonic() + max(seconds, 1)
        while is_running(folder, name) and time.monotonic() < limit:
            time.sleep(0.05)
        if is_running(folder, name):
            os.kill(pid, signal.SIGKILL)
    (folder / "run" / f"{name}.pid").unlink(missing_ok=True)


def wait_for(seconds: float, what: str, ready: Callable[[], bool], folder: Path) -> None:
    """Wait, or end the script with the tail of every log."""
    limit = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > limit:
            for log in sorted((folder / "log").glob("*.out")):
                tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
                sys.stderr.write(f"{log}:\n  " + "\n  ".join(tail) + "\n")
            fail(f"gave up waiting for {what}")
        time.sleep(0.1)


def _listeners() -> list[tuple[str, int]]:
    found = []
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        if table.exists():
            for line in table.read_text(encoding="utf-8").splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENING:
                    address, _, port = fields[1].rpartition(":")
                    found.append((address, int(port, 16)))
    return found


def free_ports(count: int) -> int:
    """The first of so many consecutive free ports, below the range that the kernel hands out."""
    taken = {port for _, port in _listeners()}
    for _ in range(200):
        first = random.SystemRandom().randrange(20000, 32000)
        if not taken & set(range(first, first + count)):
            return first
    raise OSError("no free ports")


def listening_beyond_loopback(ports: Sequence[int]) -> list[int]:
    """Ports of ours that another machine could reach."""
    return [
        port
        for address, port in _listeners()
        if port in ports and not address.endswith("7F") and address not in _LOOPBACK
    ]
