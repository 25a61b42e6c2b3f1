"""Causes that people meet again and again, recognised in the end of a log.

A log holds warnings, errors that were caught and the ends of earlier runs beside what ended the
task. So the scheduler's own lines come first, then the last exception, and only where there is none
the rest of the log. A cause may be missing; it must not be another one's.
"""

import re
from collections.abc import Iterable
from typing import Literal

__all__ = ["full_memory", "recognise"]

_MEMORY = "out of memory: ask for more (memory_mib) or plan smaller units (--max-memory)"
_GPU_MEMORY = "the GPU's memory is full: plan smaller units"
_TIME = "the time limit was reached: ask for more (time_minutes) or fewer units_per_task"
_STATES = {
    "NODE_FAIL": "the node failed",
    "PREEMPTED": "preempted by a job of higher priority",
    "CANCELLED": "cancelled",
    "BOOT_FAIL": "the node did not start",
    "DEADLINE": "the deadline passed",
    "TIMEOUT": _TIME,
    "OUT_OF_MEMORY": _MEMORY,
}

# In each table the first that is found is told; what is more particular stands first.
_Causes = tuple[tuple[str, str], ...]

_SCHEDULER: _Causes = (
    (r"DUE TO TIME LIMIT", _TIME),
    (r"DUE TO PREEMPTION", _STATES["PREEMPTED"]),
    (r"DUE TO NODE FAILURE|srun: error: Node failure on", _STATES["NODE_FAIL"]),
    (r"(?i)oom[-_]kill|^\w+: error: .*(out[- ]of[- ]memory|exceed\w* .*memory limit)", _MEMORY),
    (
        r"execve\(\): (.+): No such file or directory",
        "a program is missing, or the interpreter that it names: {0}",
    ),
    (r"execve\(\): (.+): Permission denied", "a program may not be executed: {0}"),
    (r"srun: error: .*(Unable to create step.*)", "the step did not start: {0}"),
)
_GPU = (
    r"(?i:\b(cuda|hip|nccl|cupy|xpu|mps)\b.*out of memory)|(?<!lang\.)OutOfMemoryError|"
    r"CUDA_ERROR_OUT_OF_MEMORY|hipErrorOutOfMemory|STATUS_ALLOC_FAILED|cudaErrorMemoryAllocation"
)
_MAIN = (
    r"bad_alloc|\b(_Array)?MemoryError\b|(?i:(?<!ran )out of memory)|exceed\w* .*memory limit|"
    r"DefaultCPUAllocator|(?i:can(no|')t allocate memory)(?! in static TLS)|"
    r"Unable to allocate [\d.]+ \w+ for an array"
)
_FULL: _Causes = (
    (
        r"(?i)(out of|insufficient) shared memory|No space left on .*/dev/shm",
        "shared memory is full: /dev/shm",
    ),
    (
        r"RESOURCE_EXHAUSTED|^error: out of memory: ask",
        "out of memory, the GPU's if one was used: plan smaller units (--max-memory)",
    ),
    (_GPU, _GPU_MEMORY),
    (_MAIN, _MEMORY),
    (r"No space left on device|the disk is full", "the disk is full"),
    (r"Disk quota exceeded|the disk quota is used up", "the disk quota is used up"),
)
_SYSTEM: _Causes = (
    (
        r"Stale (?:NFS )?file handle",
        "stale file handle: the network lost a file under the task; submit again",
    ),
    (
        r"pthread_create|can't start new thread|fork: .*Resource temporarily unavailable",
        "no more threads or processes may be started: fewer threads a task (cpus)",
    ),
    (r"No module named '?([\w.]*\w)", "a module is missing in the environment: {0}"),
    (r"(\S+\.so[.\d]*): cannot open shared object file", "a shared library is missing: {0}"),
    (
        r"(\S+): version [`'](\S+?)' not found",
        "a shared library is older than what was built for it: {0} has no {1}",
    ),
    (r"(\S+\.so[.\d]*): undefined symbol: (\S+)", "shared libraries do not fit: {0} needs {1}"),
    (
        r"(\S+\.so[.\d]*): (?:invalid ELF header|wrong ELF class|file too short|cannot allocate)",
        "a shared library cannot be loaded: {0}",
    ),
    (
        r"module\(s\) are unknown:\s+(\S[^\n]*)|Unable to locate a modulefile for (\S+)",
        "the cluster has no such module (modules in clusters.toml): {0}",
    ),
    (r"(\S+): bad interpreter", "the interpreter of a script is missing: {0}"),
    (
        r"(?:line \d+: |^\w*sh: (?:\d+: )?)([^\s:]+): (?:command )?not found",
        "a command is missing: {0}",
    ),
    (r"failed to run command .(.+?).: No such file", "a program is missing: {0}"),
    (r"No such file or directory: (\S.*)", "a file is missing: {0}"),
    (r"([^:\s][^:\n]*): No such file or directory", "a file is missing: {0}"),
    (r"Permission denied: (\S.*)", "permission denied: {0}"),
    (r"([^:\s][^:\n]*): Permission denied", "permission denied: {0}"),
)
# Only of an exception: warnings have the same words.
_PYTHON: _Causes = (
    (r"cannot import name '(\w+)' from '([\w.]+)'", "{1} has no {0}"),
    (
        r"got an unexpected keyword argument '(\w+)'",
        "a function was called with a keyword that it does not know: {0}",
    ),
    (
        r"(missing \d+ required .*arguments?: .+|takes \d+ positional .*but \d+ w\w+ given)",
        "a function was called with the wrong arguments: {0}",
    ),
    (r"(size mismatch.*|mat1 and mat2 shapes cannot be multiplied.*)", "shapes do not fit: {0}"),
    (r"inhomogeneous shape", "a nested return that does not become an array"),
    (
        r"NVIDIA driver|no CUDA-capable device|Torch not compiled with CUDA",
        "no GPU that this torch can use",
    ),
)
_CRASHES: _Causes = (
    (r"Segmentation fault", "segmentation fault: a crash in a library, not in Python"),
    (r"Illegal instruction", "illegal instruction: a library is built for another processor"),
    (r"Bus error", "bus error, as where /dev/shm or the disk of a mapped file is full"),
    (r"Floating point exception", "floating point exception: a crash in a library"),
    (r"^(?:.*: )?Aborted\b", "aborted: a crash in a library, see the log"),
)
# bash says 128 and the number of the signal
_OF_SIGNAL = dict(zip((139, 132, 135, 136, 134), (words for _, words in _CRASHES), strict=True))
_CANCELLED: _Causes = ((r"\*\*\* (JOB|STEP) \S+ ON \S+ CANCELLED AT \S+ \*\*\*", "cancelled"),)
_SAY_WHY = (134, 135)
_TERM = 143
_STOPPED = 75
_KILLED = (9, 137)  # accounting shows a script's own code 137 as 9

_START = re.compile(r"^\S+Z units .* on .*, restart \d+, commit \w+$", re.M)
_EXCEPTION = re.compile(
    r"(?:\s*units? [\d, -]+: )?(?P<name>(?:[A-Za-z_]\w*\.)*\w*(?:Error|Exception|Interrupt|Exit))"
    r"(?:: (?P<words>.*))?"
)
_AFTER = re.compile(
    r"Traceback|srun: |slurmstepd: |Where they ran|(Their tracebacks are|Its traceback is) in|"
    r"\S+Z exit code|\s*units? [\d, -]+: "
)
_IGNORED = "Exception ignored in"


def recognise(state: str, exit_code: int, log: str) -> str:
    """The cause of a task's failure, in words; empty if there is none to be told.

    Args:
        state: SLURM's word for how it ended.
        exit_code: Of its script.
        log: The end of its log.
    """
    if state == "COMPLETED" and exit_code == 0:
        return ""
    said = _of_the_last_run(log)
    scheduler = _first(_SCHEDULER, said)
    if state in _STATES and not (state == "CANCELLED" and scheduler):
        return _STATES[state]
    if exit_code == _STOPPED:
        return "stopped as often as max_requeues allows: submit again, or ask for more time"
    return scheduler or _of_process(exit_code, said)


def full_memory(text: str) -> Literal["", "gpu", "main"]:
    """Which memory an error says is full; empty if none."""
    found = _first(_FULL, text)
    return {_GPU_MEMORY: "gpu", _MEMORY: "main"}.get(found, "")  # type: ignore[return-value]


def _of_process(exit_code: int, said: str) -> str:
    # A signal ends it, whatever was written before; a library that aborts says why.
    if exit_code in _OF_SIGNAL:
        why = _first(_FULL, said) if exit_code in _SAY_WHY else ""
        return why or _OF_SIGNAL[exit_code]
    if exit_code in _KILLED:
        return "killed: out of memory, or a unit that takes longer than the time limit"
    if exit_code == _TERM:
        told = "told to stop (SIGTERM), as by a cancellation, a preemption or a limit"
        return _first(_CANCELLED, said) or told
    error = _last_exception(said)
    if error:
        return _first((*_FULL, *_SYSTEM, *_PYTHON), "\n".join(error)) or _finished(error)
    found = _first((*_FULL, *_SYSTEM, *_CRASHES, (r"^error: (.+)$", "{0}"), *_CANCELLED), said)
    return found or f"exit code {exit_code}, not recognised: see the log"


def _of_the_last_run(log: str) -> str:
    """A task that is requeued goes on in the log of its earlier runs."""
    starts = [found.start() for found in _START.finditer(log)]
    return log[starts[-1] :] if starts else log


def _first(causes: Iterable[tuple[str, str]], text: str) -> str:
    for pattern, words in causes:
        found = re.search(pattern, text, re.M)
        if found is not None:
            groups = [group.strip() for group in found.groups() if group is not None]
            return words.format(*groups).rstrip(": ")
    return ""


def _last_exception(said: str) -> list[str]:
    """Its type and words, and the further lines of these; none where there is no exception."""
    error: list[str] = []
    ignored = goes_on = False
    for line in said.splitlines():
        found = _EXCEPTION.fullmatch(line)
        if line.startswith(_IGNORED):
            ignored, goes_on = True, False
        elif found is not None and ignored:
            ignored = False
        elif found is not None:
            error = [found["name"] + (f": {found['words']}" if found["words"] else "")]
            goes_on = True
        elif _AFTER.match(line):
            goes_on = False
        elif goes_on:
            error.append(line.strip())
    return error


def _finished(error: list[str]) -> str:
    """The first line; one that ends in a colon goes on in the next."""
    words, *more = error
    words = re.sub(r"^(\w+\.)+(?=\w)", "", words)  # of its module
    if words.endswith(":") and any(more):
        words = f"{words} {next(line for line in more if line)}"
    return words.rstrip(": ") + (", without words" if ":" not in words else "")
