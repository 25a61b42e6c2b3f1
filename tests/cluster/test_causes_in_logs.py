"""A cause that is told is the one that ended the task, in a sentence that ends."""

import pytest

from ired_interp.cluster.causes import full_memory, recognise

START = "2026-01-02T03:04:05Z units 0,1 on n1, restart {restart}, commit 0123abcd\n"
CANCELLED = "slurmstepd: error: *** JOB 7 ON n1 CANCELLED AT 2026-01-01T00:00:00"
PREEMPTED = f"{CANCELLED} DUE TO PREEMPTION ***"
EINOPS = "ModuleNotFoundError: No module named 'einops'"
TOO_OLD = "UserWarning: CUDA initialization: The NVIDIA driver on your system is too old"
AFTER = "2026-01-02T03:04:09Z exit code 1\n"


@pytest.mark.parametrize(
    ("log", "code", "cause"),
    [
        ("RuntimeError: CUDA error: out of memory\nCUDA kernel errors might be", 1, "the GPU's"),
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB", 1, "the GPU's"),
        ("RuntimeError: CUDA driver error: out of memory", 1, "the GPU's memory"),
        ("RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling", 1, "the GPU's"),
        ("RuntimeError: HIP out of memory. Tried to allocate", 1, "the GPU's memory"),
        ("ncclUnhandledCudaError: Cuda failure 2 'out of memory'", 1, "the GPU's memory"),
        ("cupy.cuda.memory.OutOfMemoryError: Out of memory allocating 8 bytes", 1, "the GPU's"),
        ("jax.XlaRuntimeError: RESOURCE_EXHAUSTED: Out of memory", 1, "the GPU's if one was used"),
        ("srun: error: cuda-01: task 0: Out Of Memory", 137, "(memory_mib)"),
        ("slurmstepd: error: Detected 1 oom_kill event in StepId=7.0.", 1, "(memory_mib)"),
        ("slurmstepd: error: Exceeded job memory limit at some point.", 1, "(memory_mib)"),
        ("OSError: [Errno 12] Cannot allocate memory", 1, "(memory_mib)"),
        ("RuntimeError: [enforce fail] DefaultCPUAllocator: can't allocate memory", 1, "(memory_"),
        ("numpy._core._exceptions._ArrayMemoryError: Unable to allocate 8.00 GiB", 1, "(memory_"),
        ("MemoryError", 1, "(memory_mib)"),
        ("terminate called after throwing an instance of 'std::bad_alloc'", 134, "(memory_mib)"),
        ("java.lang.OutOfMemoryError: Java heap space", 1, "OutOfMemoryError: Java heap space"),
        (("RuntimeError: DataLoader worker is killed: Bus error. It is possible that dataloader's "
         "workers are out of shared memory."), 1, "shared memory is full: /dev/shm"),
        ("OSError: [Errno 28] No space left on device: '/dev/shm/x'", 1, "shared memory is full"),
        ("OSError: [Errno 28] No space left on device", 1, "the disk is full"),
        ("ImportError: libcublas.so.12: cannot open shared object file: No such file or directory",
         1, "a shared library is missing: libcublas.so.12"),
        (("python: error while loading shared libraries: libmpi.so.40: cannot open shared object "
         "file: No such file or directory"), 127, "a shared library is missing: libmpi.so.40"),
        ("ImportError: /lib64/libstdc++.so.6: version `GLIBCXX_3.4.29' not found (required by x)",
         1, "/lib64/libstdc++.so.6 has no GLIBCXX_3.4.29"),
        ("ImportError: /e/lib/x.so: undefined symbol: _ZN3c105", 1, "x.so needs _ZN3c105"),
        ("ImportError: /e/libgomp.so.1: cannot allocate memory in static TLS block", 1,
         "a shared library cannot be loaded: /e/libgomp.so.1"),
        ("slurmstepd: error: execve(): /env/bin/python: No such file or directory", 2,
         "a program is missing, or the interpreter that it names: /env/bin/python"),
        ("slurmstepd: error: execve(): /x/y: Permission denied", 13, "not be executed: /x/y"),
        ("bash: ./x.sh: /usr/bin/zsh: bad interpreter: No such file or directory", 126,
         "the interpreter of a script is missing: /usr/bin/zsh"),
        ("/var/spool/slurmd/job00007/slurm_script: line 30: srun: command not found", 127,
         "a command is missing: srun"),
        ("sh: 1: timeout: not found", 127, "a command is missing: timeout"),
        ("timeout: failed to run command '/e/bin/python': No such file or directory", 127,
         "a program is missing: /e/bin/python"),
        ("bash: line 12: cd: /no/where: No such file or directory", 1, "missing: /no/where"),
        ("FileNotFoundError: [Errno 2] No such file or directory: 'a b'", 1, "missing: 'a b'"),
        ("bash: /x: Permission denied", 126, "permission denied: /x"),
        ("PermissionError: [Errno 13] Permission denied: '/x'", 1, "permission denied: '/x'"),
        ("user@host: Permission denied (publickey).", 255, "permission denied: user@host"),
        ("line 12:    77 Illegal instruction     (core dumped)", 132, "illegal instruction"),
        ("srun: error: n1: task 0: Segmentation fault (core dumped)", 139, "segmentation fault"),
        ("Fatal Python error: Segmentation fault", 1, "segmentation fault"),
        ("", 139, "segmentation fault"),
        (f"{EINOPS}\nand it was caught", 139, "segmentation fault"),
        ("", 135, "bus error"),
        ("RuntimeError: CUDA out of memory. (caught)", 139, "segmentation fault"),
        (f"{EINOPS}\nsrun: error: n1: task 0: Killed", 137, "killed: out of memory, or a unit"),
        (f"{EINOPS}\n{CANCELLED} ***", 143, "cancelled"),
        (EINOPS, 143, "told to stop (SIGTERM)"),
        ("error: the run cannot go on:", 1, "the run cannot go on"),
        (PREEMPTED, 143, "preempted"),
        (("slurmstepd: error: *** STEP 7.0 ON n1 CANCELLED AT 2026-01-01T00:00:00 DUE TO NODE "
         "FAILURE, SEE SLURMCTLD LOG FOR DETAILS ***"), 1, "the node failed"),
        ("srun: error: Node failure on n1", 1, "the node failed"),
        ("slurmstepd: error: *** STEP 7.0 ON n1 CANCELLED AT 2026-01-01T00:00:00 ***", 143,
         "cancelled"),
        ("", 143, "told to stop (SIGTERM)"),
        (("Lmod has detected the following error:  The following module(s) are unknown: "
         '"python/3.11"'), 1, 'no such module (modules in clusters.toml): "python/3.11"'),
        ("ERROR: Unable to locate a modulefile for 'python/3.11'", 1, "'python/3.11'"),
        ("/bin/bash: error reading input file: Stale file handle", 1, "stale file handle"),
        (("OpenBLAS blas_thread_init: pthread_create failed for thread 3 of 64: Resource "
         "temporarily unavailable"), 1, "no more threads"),
        ("bash: fork: retry: Resource temporarily unavailable", 254, "no more threads"),
        ("RuntimeError: can't start new thread", 1, "no more threads"),
        (("BlockingIOError: [Errno 11] Unable to open file (unable to lock file, errno = 11, error "
         "message = 'Resource temporarily unavailable')"), 1, "BlockingIOError: [Errno 11] Unable"),
        (f"{TOO_OLD}\nValueError: of our own", 1, "ValueError: of our own"),
        (TOO_OLD, 3, "exit code 3, not recognised"),
        ("RuntimeError: Found no NVIDIA driver on your system.", 1, "no GPU that this torch"),
        ("RuntimeError: Error(s) in loading state_dict for Net:\n\tMissing key(s): a.b", 1,
         "RuntimeError: Error(s) in loading state_dict for Net: Missing key(s): a.b"),
        ("RuntimeError: Error(s) in loading state_dict for Net:\n\tsize mismatch for a: b", 1,
         "shapes do not fit: size mismatch for a: b"),
        ("AssertionError", 1, "AssertionError, without words"),
        ("ValueError: bad:", 1, "ValueError: bad"),
        (f"{EINOPS}\nDuring handling\nKeyError: 'x'", 1, "KeyError: 'x'"),
        (f"{EINOPS}\nException ignored in: <f>\nTraceback\nAttributeError: y", 1, "einops"),
        (("1 of 4 units failed:\n  unit 3: OutOfMemoryError: CUDA out of memory.\nWhere they ran "
         "out of memory: ask for fewer problems"), 1, "the GPU's memory"),
        ("1 of 4 units failed:\n  unit 3: ValueError: x\nWhere they ran out of memory: ask", 1,
         "ValueError: x"),
        (f"{START.format(restart=0)}{PREEMPTED}\n{START.format(restart=1)}{EINOPS}\n{AFTER}", 1,
         "a module is missing in the environment: einops"),
        (f"{START.format(restart=1)}{AFTER}", 1, "exit code 1, not recognised"),
    ],
)  # fmt: skip
def test_the_cause_that_ended_the_task_is_told(log: str, code: int, cause: str) -> None:
    found = recognise("FAILED", code, log)
    assert cause in found
    assert not found.endswith((":", " "))


@pytest.mark.parametrize(
    ("state", "log", "cause"),
    [
        ("CANCELLED", PREEMPTED, "preempted"),
        ("CANCELLED", EINOPS, "cancelled"),
        ("PREEMPTED", EINOPS, "preempted"),
        ("TIMEOUT", EINOPS, "the time limit"),
        ("OUT_OF_MEMORY", "CUDA out of memory", "(memory_mib)"),
    ],
)
def test_what_the_scheduler_knows_counts_first(state: str, log: str, cause: str) -> None:
    assert cause in recognise(state, 0, log)


def test_the_doctor_tells_the_two_memories_apart() -> None:
    assert full_memory("OutOfMemoryError: CUDA out of memory") == "gpu"
    assert full_memory("_ArrayMemoryError: Unable to allocate 1.17 GiB for an array") == "main"
    assert full_memory("ValueError: x") == ""
