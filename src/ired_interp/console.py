"""What a person at a terminal, or the log of a job, sees while work goes on."""

import codecs
import contextlib
import io
import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

__all__ = [
    "console",
    "forget_output",
    "mend_streams",
    "no_lost_interrupt",
    "stop_on_interrupt",
    "stop_on_term",
    "terminal",
    "tracker",
]

T = TypeVar("T")

_SECONDS_BETWEEN_LINES = 60.0
_SPEED_WINDOW_SECONDS = 120.0

# Of a file or a pipe: whoever reads it breaks lines himself.
_WIDE = 10_000
# What a width can be; 0 and words, which some terminals leave there, are none.
_COLUMNS = re.compile(r"[1-9]\d*")

_ESCAPE = "ired-interp-escape"


def terminal(*, stderr: bool = False) -> Console:
    """A console that prints text as it is: brackets, colons and numbers have no meaning of theirs.

    It is as wide as the terminal; in a file or a pipe no line is broken, unless COLUMNS says where.

    Args:
        stderr: Print there, and not to stdout.
    """
    stream = sys.stderr if stderr else sys.stdout
    on_terminal = stream is not None and stream.isatty()
    width = None if on_terminal or _COLUMNS.fullmatch(os.environ.get("COLUMNS", "")) else _WIDE
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, width=width)


console = terminal(stderr=True)


def mend_streams() -> None:
    """Let stdout and stderr take any text, whatever the surroundings of the process are.

    Letters that their encoding lacks, as σ in ASCII and the bytes of a name that is not UTF-8, are
    escaped as JSON escapes them; where a stream was closed, what it would get is dropped.
    """
    codecs.register_error(_ESCAPE, _escaped)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ESCAPE)


def forget_output() -> None:
    """Drop what stdout has not written: nobody reads it, or it has no room."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


def tracker(label: str, total: int, *, done: int = 0) -> Callable[[Iterable[T]], Iterator[T]]:
    """A wrapper of an iterable: a bar on a terminal, a line a minute elsewhere.

    Args:
        label: What is counted, in the plural.
        total: How many there are, with those done before.
        done: How many were done before.
    """
    return lambda items: (
        _bar(items, label, total, done)
        if console.is_terminal
        else _lines(items, label, total, done)
    )


def _bar(items: Iterable[T], label: str, total: int, done: int) -> Iterator[T]:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TaskProgressColumn(),
        TextColumn("·"),
        TimeElapsedColumn(),
        TextColumn("· left"),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, speed_estimate_period=_SPEED_WINDOW_SECONDS
    ) as progress:
        bar = progress.add_task(label, total=total, completed=done)
        for item in items:
            yield item
            progress.advance(bar)


def _lines(items: Iterable[T], label: str, total: int, done: int) -> Iterator[T]:
    """A line a minute, also while one item takes longer than that."""
    begin = time.monotonic()
    number, stop = done, threading.Event()

    def tell() -> None:
        while not stop.wait(_SECONDS_BETWEEN_LINES):
            passed = time.monotonic() - begin
            sys.stderr.write(f"{label}: {number} of {total}, {_outlook(passed, number)}\n")
            sys.stderr.flush()

    def _outlook(passed: float, number: int) -> str:
        if number == done:
            return f"{passed / 60:.1f} min so far"
        left = passed / (number - done) * (total - number)
        return f"about {left / 60:.1f} min left"

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        for number, item in enumerate(items, start=done + 1):  # noqa: B007 - the teller reads it
            yield item
    finally:
        stop.set()
        teller.join()


@contextlib.contextmanager
def no_lost_interrupt(
    track: Callable[[Iterable[T]], Iterable[T]],
) -> Iterator[Callable[[Iterable[T]], Iterator[T]]]:
    """A wrapper of an iterable that ends with the item during which Ctrl-C was pressed, at latest.

    Python drops a KeyboardInterrupt that happens to be raised while an object is destroyed, as
    file handles are many times a second. So the signal is also remembered.
    """
    pressed = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        pressed = True
        signal.default_int_handler(number, frame)

    def checked(items: Iterable[T]) -> Iterator[T]:
        for item in track(items):
            yield item
            if pressed:
                raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, note)
    try:
        yield checked
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def stop_on_term() -> Iterator[Callable[[], bool]]:
    """TERM or USR1, as a scheduler sends before it kills, asks for an orderly stop.

    Yields a function that tells whether a stop was asked for.
    """
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - what a handler gets
        nonlocal asked
        asked = True

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGUSR1)}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def stop_on_interrupt() -> Iterator[Callable[[], bool]]:
    """Ctrl-C or TERM asks once for an orderly stop; a second Ctrl-C stops at once.

    Yields a function that tells whether a stop was asked for.
    """
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked and number == signal.SIGINT:
            signal.default_int_handler(number, frame)
        asked = True

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
