"""Causes that people meet again and again, recognised in the end of a log."""

import re

__all__ = ["recognise"]

_MEMORY = "out of memory: ask for more (memory_mib) or plan smaller units (--max-memory)"
_TIME = "the time limit was reached: ask for more (time_minutes) or fewer units_per_task"
# The first that is found is told; what is more particular stands first.
_CAUSES: tuple[tuple[str, str], ...] = (
    (r"CUDA out of memory|OutOfMemoryError.*CUDA", "the GPU's memory is full: plan smaller units"),
    (r"(?i)oom[-_ ]kill|(exceeded|exceeds) .*memory limit", _MEMORY),
    (r"bad_alloc|MemoryError|out of memory|can't allocate memory", _MEMORY),
    (r"DUE TO TIME LIMIT", _TIME),
    (r"No space left on device|the disk is full", "the disk is full"),
    (r"Disk quota exceeded|the disk quota is used up", "the disk quota is used up"),
    (r"No module named '?([\w.]+)", "a module is missing in the environment: {0}"),
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
    (r"Permission denied:? ?(.*)", "permission denied: {0}"),
    (r"No such file or directory:? ?(.*)", "a file is missing: {0}"),
    (r"srun: error: .*(Unable to create step.*)", "the step did not start: {0}"),
    (r"(?m)^(?:[\w.]*\.)?(\w+Error: .+)$", "{0}"),
    (r"(?m)^error: (.+)$", "{0}"),
)
_STATES = {
    "NODE_FAIL": "the node failed",
    "PREEMPTED": "preempted by a job of higher priority",
    "CANCELLED": "cancelled",
    "BOOT_FAIL": "the node did not start",
    "DEADLINE": "the deadline passed",
    "TIMEOUT": _TIME,
    "OUT_OF_MEMORY": _MEMORY,
}
_STOPPED = 75
_KILLED = (9, 137)  # accounting shows a script's own code 137 as 9


def recognise(state: str, exit_code: int, log: str) -> str:
    """The cause of a task's failure, in words; empty if there is none to be told.

    Args:
        state: SLURM's word for how it ended.
        exit_code: Of its script.
        log: The end of its log.
    """
    if state == "COMPLETED" and exit_code == 0:
        return ""
    if state in _STATES:
        return _STATES[state]
    if exit_code == _STOPPED:
        return "stopped as often as max_requeues allows: submit again, or ask for more time"
    for pattern, words in _CAUSES:
        found = re.search(pattern, log)
        if found:
            return words.format(*(group or "" for group in found.groups())).strip()
    if exit_code in _KILLED:
        return "killed: out of memory, or a unit that takes longer than the time limit"
    return f"exit code {exit_code}, not recognised: see the log"
