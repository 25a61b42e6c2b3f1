"""The frames of a traceback, and what stood in them when it was raised."""

import ast
import inspect
import linecache
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

__all__ = ["Frame", "Trace", "trace_of"]


@dataclass(frozen=True)
class Frame:
    """One frame of a traceback.

    Attributes:
        file: Of its code.
        line: That was running.
        function: Its name.
        names: Its local variables.
        outer: The variables of its module.
        expression: The source of the very expression that raised, as far as it is known.
        is_own: Whether the file is the author's, not a library's.
    """

    file: Path
    line: int
    function: str
    names: Mapping[str, Any]
    outer: Mapping[str, Any]
    expression: str
    is_own: bool

    def is_in(self, *parts: str) -> bool:
        """Whether the file lies in such a package or folder of one, as ``("torch", "cuda")``."""
        at = self.file.parts
        return any(at[i : i + len(parts)] == parts for i in range(len(at)))

    @property
    def raises(self) -> bool:
        """Whether Python code raised here on purpose; else what it called did, without a frame."""
        return self.expression.lstrip().startswith("raise")

    def called(self) -> Callable[..., Any] | None:
        """What the expression calls, if that is a name or an attribute of one."""
        try:
            tree = ast.parse(self.expression.strip(), mode="eval").body
        except SyntaxError:
            return None
        while isinstance(tree, ast.Await | ast.Starred):
            tree = tree.value
        if not isinstance(tree, ast.Call):
            return None
        found = self._value(tree.func)
        return found if callable(found) else None

    def _value(self, node: ast.expr) -> Any:
        """A name's value, looked up and never computed."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id, self.outer.get(node.id))
        if isinstance(node, ast.Attribute):
            base = self._value(node.value)
            if isinstance(base, nn.Module):  # whose attributes may be modules of its own
                inner = base._modules.get(node.attr)
                return inner if inner is not None else inspect.getattr_static(base, node.attr, None)
            return None if base is None else inspect.getattr_static(base, node.attr, None)
        return None


@dataclass(frozen=True)
class Trace:
    """An exception with its frames, outermost first.

    Attributes:
        error: The exception.
        frames: At least one, unless it was never raised.
        root: Of the author's files, for short names.
    """

    error: BaseException
    frames: Sequence[Frame]
    root: Path | None

    @property
    def deepest(self) -> Frame | None:
        """Where it was raised."""
        return self.frames[-1] if self.frames else None

    @property
    def own(self) -> Frame | None:
        """The author's last line on the way to it."""
        return next((frame for frame in reversed(self.frames) if frame.is_own), None)

    @property
    def place(self) -> str:
        """``file.py:12`` of the author's last line; empty where none was on the way."""
        error = self.error
        if isinstance(error, SyntaxError) and error.filename:
            return f"{self.short(Path(error.filename))}:{error.lineno}"
        frame = self.own
        return "" if frame is None else f"{self.short(frame.file)}:{frame.line}"

    @property
    def kind(self) -> str:
        """The exception's type and first line."""
        lines = str(self.error).strip().splitlines()
        message = lines[0] if lines else ""
        # "Error(s) in loading state_dict for Net:" says what on the lines below.
        if message.endswith(":") and len(lines) > 1:
            message = f"{message} {lines[1].strip()}"
        name = type(self.error).__name__
        because = str(self.error.__cause__ or "").strip().splitlines()[:1]
        why = f" ({because[0]})" if because and because[0] not in message else ""
        return f"{name}: {message}{why}" if message else name

    @property
    def beyond_own(self) -> Sequence[Frame]:
        """The frames from the author's last line on."""
        ends = [i for i, frame in enumerate(self.frames) if frame.is_own]
        return self.frames[ends[-1] :] if ends else self.frames

    def short(self, file: Path) -> str:
        """A path relative to the root if it is below."""
        if self.root is not None and file.is_relative_to(self.root):
            return file.relative_to(self.root).as_posix()
        return str(file)


def trace_of(error: BaseException, root: Path | None) -> Trace:
    """The frames of an exception that was caught.

    Args:
        error: The exception.
        root: Of the author's files; None where there are none.
    """
    frames = []
    traceback = error.__traceback__
    while traceback is not None:
        frames.append(_frame(traceback, root))
        traceback = traceback.tb_next
    return Trace(error, frames, root)


def _frame(traceback: types.TracebackType, root: Path | None) -> Frame:
    frame = traceback.tb_frame
    code = frame.f_code
    file = Path(code.co_filename)
    own = root is not None and file.is_relative_to(root) and "site-packages" not in file.parts
    return Frame(
        file,
        traceback.tb_lineno,
        code.co_name,
        dict(frame.f_locals),
        frame.f_globals,
        _expression(code, traceback.tb_lasti, str(file)),
        own,
    )


def _expression(code: types.CodeType, last: int, file: str) -> str:
    """The source between the positions that the compiler noted for an instruction."""
    positions = list(code.co_positions())
    index = last // 2
    if not 0 <= index < len(positions):
        return ""
    first, final, begin, end = positions[index]
    if first is None or final is None or begin is None or end is None:
        return ""
    lines = [linecache.getline(file, number).encode() for number in range(first, final + 1)]
    if not lines:
        return ""
    lines[-1] = lines[-1][:end]
    lines[0] = lines[0][begin:]
    return b"".join(lines).decode(errors="replace")
