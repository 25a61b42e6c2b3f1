"""Where a process was, from the stacks that `runs.computing` keeps every few minutes."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

__all__ = ["Place", "places"]

_DUMP = re.compile(r"^Timeout \(.*\)!$", re.M)
_THREAD = re.compile(r"^(?:Current t|T)hread 0x[0-9a-f]+.*$", re.M)
_FRAME = re.compile(r'^  File "(.*)", line (\d+|\?\?\?) in (.*)$', re.M)
_LIBRARY = re.compile(r"[/\\]lib(64)?[/\\]python3\.\d+[/\\]|site-packages|dist-packages")
_OWN = "ired_interp"
_CALLER = "compute_unit"


@dataclass(frozen=True)
class Place:
    """Where one look found the unit.

    Attributes:
        file: Of the innermost frame that is no library's.
        line: In it.
        function: Its name.
        within: The function of a library that it had called, if any.
    """

    file: str
    line: str
    function: str
    within: str

    def __str__(self) -> str:
        inner = f", within {self.within}" if self.within else ""
        return f"{self.file}:{self.line} in {self.function}{inner}"


def places(text: str) -> list[Place]:
    """Where each look found the unit, oldest first.

    A look that was cut short, because the process was killed meanwhile, is left out.
    """
    looks = _DUMP.split(text)[1:]
    return [place for look in looks if (place := _place(look)) is not None]


def _place(look: str) -> Place | None:
    # Innermost frames first, and the thread that computes among others.
    threads = [_FRAME.findall(part) for part in _THREAD.split(look)[1:]]
    ours = [frames for frames in threads if any(name == _CALLER for _, _, name in frames)]
    frames = (ours or threads or [[]])[-1]
    for i, (file, line, function) in enumerate(frames):
        if not _is_library(file):
            return Place(file, line, function, _within(frames[:i]))
    return None


def _within(frames: Sequence[tuple[str, str, str]]) -> str:
    if not frames:
        return ""
    file, line, function = frames[0]
    return f"{PurePath(file).name}:{line} {function}"


def _is_library(file: str) -> bool:
    if file.startswith("<"):
        return True
    return bool(_LIBRARY.search(file)) and _OWN not in PurePath(file).parts
