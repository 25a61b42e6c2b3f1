"""Several processes for the units of one run, each of which may die without harm to the others.

A worker is told a unit's number on its standard input and answers on its standard output; both end
with the process at either end, however it ends. So a worker that is killed is noticed at once, and
one whose parent is killed finishes its unit, which counts, and leaves.
"""

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from io import TextIOWrapper
from pathlib import Path

from ired_interp.errors import RunFolderError
from ired_interp.runs.claims import forget
from ired_interp.runs.failures import Failure, of_signal, read_failure
from ired_interp.storage import append_log, guard

__all__ = ["compute_in_workers"]

Track = Callable[[Iterable[int]], Iterable[int]]

_MODULE = "ired_interp.runs.worker"
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_SECONDS_BETWEEN_LOOKS = 0.5
_MOST_FALSE_STARTS = 3


def compute_in_workers(
    run: Path,
    project: Path | None,
    units: Sequence[int],
    *,
    threads: int,
    workers: int,
    track: Track,
    should_stop: Callable[[], bool],
    log: Path,
) -> tuple[dict[int, Failure], bool]:
    """Compute units in processes of their own.

    Args:
        run: The run's folder.
        project: Another copy of the experiment's project, if that is to be used.
        units: Their numbers.
        threads: That the plan has.
        workers: How many processes.
        track: Wraps the numbers of the units as they are done.
        should_stop: Asked before a unit is handed out.
        log: File to append to.

    Returns:
        What failed, and whether a stop was asked for before all were done.

    Raises:
        RunFolderError: A worker cannot start, with what it said.
        StorageError: The file system refused.
    """
    with guard(run / "logs"):
        (run / "logs").mkdir(exist_ok=True)
    crew = _Crew(run, project, threads, log, deque(units))
    try:
        for _ in track(crew.work(workers, should_stop)):
            pass
    finally:
        crew.dismiss()
    return crew.failed, bool(crew.waiting)


@dataclass
class _Worker:
    """A process, and the unit that it was told to compute."""

    process: subprocess.Popen[str]
    orders: TextIOWrapper
    answers: TextIOWrapper
    started: bool = False
    unit: int | None = None
    since: float = 0.0

    def tell(self, unit: int) -> None:
        """Hand out a unit; a worker that has died says so by itself, in its answers."""
        self.unit, self.since = unit, time.monotonic()
        with contextlib.suppress(BrokenPipeError):
            self.orders.write(f"{unit}\n")
            self.orders.flush()

    def end_orders(self) -> None:
        """A worker that waits for an order leaves; closing flushes, which a dead one refuses."""
        with contextlib.suppress(BrokenPipeError):
            self.orders.close()

    def close(self) -> None:
        """Let go of the pipes."""
        self.end_orders()
        self.answers.close()


@dataclass
class _Crew:
    """The processes, what they have left to do, and what failed."""

    run: Path
    project: Path | None
    threads: int
    log: Path
    waiting: deque[int]
    failed: dict[int, Failure] = field(default_factory=dict)
    workers: list[_Worker] = field(default_factory=list)
    not_before: dict[int, float] = field(default_factory=dict)
    false_starts: int = 0

    def work(self, num_workers: int, should_stop: Callable[[], bool]) -> Iterator[int]:
        """The units, each once it is done or has failed."""
        stopping = False
        with selectors.DefaultSelector() as selector:
            for _ in range(num_workers):
                self._hire(selector)
            while self.waiting or any(worker.unit is not None for worker in self.workers):
                stopping = stopping or should_stop()
                if stopping and not any(worker.unit is not None for worker in self.workers):
                    return
                if not stopping:
                    self._hand_out()
                for key, _ in selector.select(_SECONDS_BETWEEN_LOOKS):
                    finished = self._hear(key.data, selector, replace=not stopping)
                    if finished is not None:
                        yield finished

    def dismiss(self) -> None:
        """End all processes: those that wait leave by themselves, the others are killed."""
        for worker in self.workers:
            worker.end_orders()
            if worker.unit is not None:
                worker.process.kill()
        for worker in self.workers:
            worker.process.wait()
            worker.close()
            if worker.unit is not None:
                forget(self.run / "running", worker.unit)

    def _hire(self, selector: selectors.BaseSelector) -> None:
        words = [sys.executable, "-m", _MODULE, str(self.run.resolve())]
        if self.project is not None:
            words += ["--project", str(self.project)]
        process = subprocess.Popen(  # noqa: S603 - this package's own module
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            env=os.environ | dict.fromkeys(_THREADS, str(self.threads)),
            start_new_session=True,  # Ctrl-C is for the parent, which tells the others
        )
        orders, answers = process.stdin, process.stdout
        if not (isinstance(orders, TextIOWrapper) and isinstance(answers, TextIOWrapper)):
            raise TypeError(f"expected pipes of text, found {orders!r} and {answers!r}")
        worker = _Worker(process, orders, answers)
        self.workers.append(worker)
        selector.register(worker.answers, selectors.EVENT_READ, worker)

    def _hand_out(self) -> None:
        now = time.monotonic()
        for worker in self.workers:
            if not worker.started or worker.unit is not None:
                continue
            ready = [unit for unit in self.waiting if self.not_before.get(unit, now) <= now]
            if not ready:
                return
            self.waiting.remove(ready[0])
            worker.tell(ready[0])

    def _hear(
        self, worker: _Worker, selector: selectors.BaseSelector, *, replace: bool
    ) -> int | None:
        """Take one answer; the unit that it finishes, if any."""
        word, _, rest = worker.answers.readline().rstrip("\n").partition(" ")
        if word == "ready":
            worker.started = True
            return None
        if word == "refused":
            raise RunFolderError(rest.replace("\\n", "\n"))
        unit, worker.unit = worker.unit, None
        if not word:
            selector.unregister(worker.answers)
            return self._bury(worker, unit, selector, replace=replace)
        if unit is None:
            raise RuntimeError(f"a worker answered {word!r} unasked")
        if word == "elsewhere":
            self.waiting.append(unit)
            self.not_before[unit] = time.monotonic() + _SECONDS_BETWEEN_LOOKS
            return None
        if word == "failed" and (failure := read_failure(self.run / "failures", unit)):
            self.failed[unit] = failure
        return unit

    def _bury(
        self, worker: _Worker, unit: int | None, selector: selectors.BaseSelector, *, replace: bool
    ) -> int | None:
        """A worker has ended without being asked to: its unit failed, another takes its place."""
        code = worker.process.wait()
        self.workers.remove(worker)
        worker.close()
        how = _how_it_ended(code)
        append_log(self.log, f"worker {worker.process.pid} {how}, unit {unit}")
        if not worker.started:
            self.false_starts += 1
            if self.false_starts > _MOST_FALSE_STARTS and not self.workers:
                raise RunFolderError(
                    f"{self.run}: worker processes cannot start: the last {how}. What they said "
                    f"stands above and in {self.run / 'logs'}."
                )
        few = self.false_starts <= _MOST_FALSE_STARTS
        if replace and self.waiting and (few or not self.workers):
            self._hire(selector)
        if unit is None:
            return None
        failure = of_signal(how, worker.process.pid, time.monotonic() - worker.since)
        failure.write(self.run / "failures", unit)
        forget(self.run / "running", unit)
        self.failed[unit] = failure
        return unit


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    hint = " (out of memory?)" if -code == signal.SIGKILL else ""
    name = signal.Signals(-code).name if -code in set(signal.Signals) else ""
    return f"killed by signal {-code}{hint or f' ({name})'}"
