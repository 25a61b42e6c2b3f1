"""An interpreter that has its imports behind it: dry runs of tests fork from it.

Each of many dry runs would spend most of its time importing torch. ``python preflight_warm.py
SOCKET`` imports once and forks a child for every request; ``python preflight_warm.py SOCKET -P -m
MODULE …`` is a client that stands in for ``python -P -m MODULE …``, with its folder, environment,
open files and exit code. What runs is the same program, in a process of its own.
"""

import contextlib
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

_PROGRAM = "ired_interp.preflight.probe"
_BYTES = 1 << 20


def serve(path: str) -> None:
    """Import, then fork for each client while the process that started this one lives."""
    parent = os.getppid()
    for name in (_PROGRAM, "h5netcdf", "jinja2"):
        importlib.import_module(name)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path + ".new")
        listener.listen(64)
        Path(path + ".new").rename(path)
        listener.settimeout(1.0)
        while os.getppid() == parent:
            try:
                client, _ = listener.accept()
            except TimeoutError:
                continue
            if os.fork() == 0:
                listener.close()
                _attend(client)
            client.close()
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass


def _attend(client: socket.socket) -> None:
    """Start what is asked for; tell how it ended; end it where the client goes."""
    content, files, _, _ = socket.recv_fds(client, _BYTES, 16)
    request = json.loads(content)
    child = os.fork()
    if child == 0:
        _become(request, files)
    for file in files:
        os.close(file)
    client.settimeout(0)
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            with contextlib.suppress(OSError):
                client.send(str(status).encode())
            os._exit(0)
        with contextlib.suppress(BlockingIOError):
            if not client.recv(1):
                os.killpg(child, signal.SIGKILL)
        time.sleep(0.005)


def _become(request: dict[str, object], files: list[int]) -> None:
    """The program that was asked for, in this process."""
    os.setsid()
    environment, words = request["environment"], request["words"]
    assert isinstance(environment, dict)
    assert isinstance(words, list)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(str(request["folder"]))
    numbers = [0, 1, 2, *([int(words[-1])] if len(files) > 3 else [])]
    # Out of the way first: a file may have the number that another is to get.
    high = [os.dup(os.dup2(file, 200 + i)) for i, file in enumerate(files)]
    for file, number in zip(high, numbers, strict=True):
        os.dup2(file, number)
    sys.modules.pop(_PROGRAM, None)
    sys.argv = [str(words[2]), *map(str, words[3:])]
    code = 1
    try:
        runpy.run_module(str(words[2]), run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 0 if left.code is None else 1
    except BaseException:  # noqa: BLE001 - printed, as an interpreter would
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def ask(path: str, words: list[str]) -> int:
    """Have a program run, and end as it did."""
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(path)
        request = {"words": words, "folder": str(Path.cwd()), "environment": dict(os.environ)}
        open_files = [0, 1, 2, int(words[-1])]
        socket.send_fds(server, [json.dumps(request).encode()], open_files)
        os.close(int(words[-1]))
        status = int(server.recv(64) or b"256")
    if os.WIFSIGNALED(status):
        os.kill(os.getpid(), os.WTERMSIG(status))
    return os.waitstatus_to_exitcode(status)


@contextlib.contextmanager
def warm_interpreter(folder: Path) -> Iterator[tuple[str, ...]]:
    """Start the server; yields the words that stand in for the interpreter's name."""
    path = str(folder / "socket")
    words = [sys.executable, "-P", str(Path(__file__))]
    server = subprocess.Popen([*words, path], start_new_session=True)
    try:
        deadline = time.monotonic() + 120
        while not Path(path).exists():
            assert server.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield (sys.executable, "-S", "-E", str(Path(__file__)), path)
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    if len(sys.argv) == 2:
        serve(sys.argv[1])
    sys.exit(ask(sys.argv[1], sys.argv[2:]))
