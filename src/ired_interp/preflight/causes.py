"""Which check an exception belongs to: told by its kind, and by what stood in its frames.

The same words can mean different things: a TypeError of a wrong call is raised where the call
stands, as the function called never got a frame; one that a library raises has the library's.
"""

import difflib
import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ired_interp.errors import (
    CheckpointError,
    ConfigError,
    DtypeError,
    ExperimentError,
    IredInterpError,
    LevelError,
    NonFiniteError,
    ShapeError,
    UnknownNameError,
)
from ired_interp.preflight.check import Check, failed
from ired_interp.preflight.frames import Frame, Trace, trace_of

__all__ = ["Stage", "cause"]

_BINDING = re.compile(
    r"missing \d+ required|missing a required|takes (exactly |at most |at least |no |from )?.*"
    r"(argument|given)|got an unexpected keyword|unexpected keyword argument|multiple values for|"
    r"too many positional|positional-only argument"
)
_NOT_TENSOR = re.compile(
    r"must be Tensor, not|expected Tensor as|received an invalid combination|"
    r"expected a torch tensor|expected np.ndarray|can't convert|Can't call numpy\(\)|"
    r"ufunc|unsupported operand|only .* can be converted|must be .*Tensor.* (but )?got|not Tensor"
)
_DTYPES = re.compile(r"same dtype|expected scalar type|expected m1 and m2 to have the same")
_SHAPES = re.compile(
    r"cannot be multiplied|size mismatch|must match the size|invalid for input of size|"
    r"Sizes of tensors must match|could not be broadcast|not aligned|mismatch in its core|"
    r"Expected size for|does not match|must be a number of dimensions|cannot reshape|"
    r"dimension .* out of|is out of bounds|inconsistent tensor size|shape|stack expects each"
)
_RAGGED = re.compile(r"inhomogeneous shape|setting an array element with a sequence")
_CUDA = re.compile(r"CUDA|cuda|NVIDIA|same device")
_MOST_LISTED = 8

Stage = str


@dataclass(frozen=True)
class _Advice:
    id: str
    expected: str
    fix: str


def cause(error: BaseException, root: Path | None, stage: Stage) -> Check:
    """The check that an exception fails, with the author's own line and its message.

    Args:
        error: What was raised while the experiment was tried.
        root: Of the author's files; None for an experiment of this package.
        stage: What was being done, in words.
    """
    # Ours wraps what the author's file raised while it was imported.
    inner = error.__cause__ if isinstance(error, ExperimentError) else None
    trace = trace_of(inner or error, root)
    advice = next((found for rule in _RULES if (found := rule(trace)) is not None), None)
    if advice is None:
        advice = _Advice(
            "dry_run",
            "no exception on the way from plan to report",
            "mend it there, then 'ired-interp run' with one problem shows it again in seconds",
        )
    at = f"{trace.place}: " if trace.place else ""
    where = f" ({stage})" if advice.id == "dry_run" else ""
    return failed(advice.id, f"{at}{trace.kind}{where}", advice.expected, advice.fix)


def _imports(trace: Trace) -> _Advice | None:
    error = trace.error
    at = trace.place or "the import"
    if isinstance(error, ModuleNotFoundError):
        name = error.name or ""
        return _Advice("import_module", f"a module {name!r}", f"edit {at}, or install {name}")
    if isinstance(error, ImportError) and not isinstance(error, IredInterpError):
        return _Advice("import_name", "a name that the module has", f"edit {at}")
    if isinstance(error, AttributeError) and isinstance(error.obj, ModuleType):
        near = _nearest(error.name or "", dir(error.obj))
        return _Advice("import_name", f"a name that {error.obj.__name__} has{near}", f"edit {at}")
    if isinstance(error, SyntaxError):
        return _Advice("import_module", "Python that compiles", f"mend {at}")
    return None


def _ours(trace: Trace) -> _Advice | None:
    """Our own errors say what they are; some mean different things by the function that raised."""
    error, frame = trace.error, trace.deepest
    if not isinstance(error, IredInterpError):
        return None
    raised = frame.function if frame is not None else ""
    named = _RAISED_IN.get((type(error), raised))
    if named is None:
        named = next((found for kind, found in _OURS if isinstance(error, kind)), None)
    if named is None:
        return None
    return _Advice(named[0], named[1], f"change {trace.place or 'what the message names'}")


_RAISED_IN: Mapping[tuple[type[IredInterpError], str], tuple[str, str]] = {
    (CheckpointError, "check_task"): ("dims", "a model of the task's size"),
    (CheckpointError, "_check_schedule"): ("levels", "the levels of the cosine schedule"),
    (DtypeError, "check_device"): ("device", "a device that the trial has: the CPU"),
    (ExperimentError, "run_unit"): ("result_shape", "an xarray.Dataset of named dimensions"),
}
_OURS: Sequence[tuple[type[IredInterpError], tuple[str, str]]] = (
    (CheckpointError, ("checkpoint", "a checkpoint that can be read")),
    (ShapeError, ("dims", "sizes of model and data that agree")),
    (DtypeError, ("array_type", "tensors of one dtype on one device")),
    (NonFiniteError, ("finite", "finite numbers")),
    (LevelError, ("levels", "levels that the model has")),
    (ConfigError, ("config", "a config that the experiment can run")),
    (UnknownNameError, ("config", "a name that is known")),
    (ExperimentError, ("interface", "an object that is an experiment")),
)


def _device(trace: Trace) -> _Advice | None:
    frame = trace.deepest
    if frame is None or not _CUDA.search(str(trace.error)):
        return None
    loading = any(f.file.name == "serialization.py" and f.is_in("torch") for f in trace.frames)
    if loading and isinstance(trace.error, RuntimeError):
        return _Advice(
            "device",
            "weights that load on a machine without that device",
            f"in {trace.place}: torch.load(path, map_location='cpu', weights_only=True)",
        )
    if frame.is_in("torch", "cuda") or isinstance(trace.error, RuntimeError):
        return _Advice(
            "device",
            "code that runs on the CPU, too: the trial has no GPU",
            f"in {trace.place}: take the device from the config instead of naming cuda",
        )
    return None


def _memory(trace: Trace) -> _Advice | None:
    words = "can't allocate memory"
    if isinstance(trace.error, MemoryError) or (
        isinstance(trace.error, RuntimeError) and words in str(trace.error)
    ):
        return _Advice(
            "memory", "one problem at one level that fits this machine", "ask for less at a time"
        )
    return None


def _call(trace: Trace) -> _Advice | None:
    """A call whose arguments do not fit: whatever was called has no frame."""
    error, frame = trace.error, trace.deepest
    if not isinstance(error, TypeError) or frame is None or not _BINDING.search(str(error)):
        return None
    called = re.match(r"([\w.<>]+)\(\)", str(error))
    name = called[1].split(".")[-1] if called else ""
    binds = frame.file.name == "inspect.py"
    if not binds and frame.raises:
        return None
    own = trace.own or frame
    signature = _signature(own, frame, name)
    return _Advice(
        "call_signature",
        f"{name or 'the call'}{signature}" if signature else "the arguments that it takes",
        f"edit {trace.place or 'the call'}: {_one_line(own.expression)}",
    )


def _signature(own: Frame, deepest: Frame, name: str) -> str:
    """Of what was called: the author's call, or for a model its ``forward``."""
    for frame in (own, deepest):
        found: Any = frame.called()
        if isinstance(found, nn.Module):
            found = found.forward
        if found is None:
            continue
        # A class says in its signature what its __init__ takes.
        if name and getattr(found, "__name__", name) not in (name, *_class_names(found, name)):
            continue
        try:
            return str(inspect.signature(found))
        except (TypeError, ValueError):
            continue
    return ""


def _class_names(found: Any, name: str) -> tuple[str, ...]:
    return (found.__name__,) if isinstance(found, type) and name == "__init__" else ()


def _attribute(trace: Trace) -> _Advice | None:
    """A method of tensors asked of an array, or the other way round."""
    error, at = trace.error, trace.place or "the call"
    if not isinstance(error, AttributeError):
        return None
    if isinstance(error.obj, np.ndarray | list | tuple) and hasattr(Tensor, error.name or ""):
        return _tensors(at)
    if isinstance(error.obj, Tensor) and hasattr(np.ndarray, error.name or ""):
        return _numpy(at)
    return None


def _dtype(trace: Trace) -> _Advice | None:
    """Two dtypes in one operation: they are among the values there."""
    if not isinstance(trace.error, RuntimeError) or not _DTYPES.search(str(trace.error)):
        return None
    values = list(_values(trace.beyond_own))
    dtypes = {str(v.dtype) for v in values if isinstance(v, Tensor)} | {
        str(p.dtype) for v in values if isinstance(v, nn.Module) for p in v.parameters()
    }
    if len(dtypes) < 2:  # noqa: PLR2004 - one is no conflict
        return None
    shown = " and ".join(sorted(dtypes))
    at = trace.place or "the call"
    return _Advice("array_type", f"one dtype, not {shown}", f"in {at}: convert with .to(dtype)")


def _array(trace: Trace) -> _Advice | None:
    """An array where a tensor belongs, or the other way round: it is among the values there."""
    error, at = trace.error, trace.place or "the call"
    if not isinstance(error, TypeError | RuntimeError) or not _NOT_TENSOR.search(str(error)):
        return None
    values = list(_values(trace.beyond_own))
    if any(isinstance(v, np.ndarray) for v in values) or "must be Tensor, not" in str(error):
        return _tensors(at)
    if any(isinstance(v, Tensor) for v in values) and "numpy" in str(error):
        return _numpy(at)
    return None


def _numpy(at: str) -> _Advice:
    return _Advice("array_type", "a NumPy array", f"in {at}: .detach().cpu().numpy()")


def _tensors(at: str) -> _Advice:
    return _Advice(
        "array_type", "a torch tensor", f"in {at}: torch.as_tensor(…, dtype=torch.float64)"
    )


def _result(trace: Trace) -> _Advice | None:
    """What will not become an array, or a dataset."""
    error = trace.error
    if not isinstance(error, ValueError | TypeError):
        return None
    building = any(frame.is_in("xarray") for frame in trace.beyond_own)
    ragged = bool(_RAGGED.search(str(error)))
    named = trace.own.called() if trace.own is not None else None
    makes_array = getattr(named, "__module__", "").split(".")[0] in ("numpy", "xarray")
    if building or (ragged and (makes_array or _raised_in_numpy(trace))):
        return _Advice(
            "result_shape",
            "an xarray.Dataset of arrays with named dimensions, each of one shape",
            f"in {trace.place or 'run_unit'}: return flat numbers, one array a variable",
        )
    return None


def _raised_in_numpy(trace: Trace) -> bool:
    return any(frame.is_in("numpy") for frame in trace.beyond_own) or trace.own is trace.deepest


def _finite(trace: Trace) -> _Advice | None:
    """Linear algebra that gave up, where one of its numbers is NaN."""
    error = trace.error
    of_torch = torch.linalg.LinAlgError  # type: ignore[attr-defined]
    kinds = (FloatingPointError, ArithmeticError, np.linalg.LinAlgError, of_torch)
    if not isinstance(error, (*kinds, ValueError, RuntimeError)):
        return None
    bad = [v for v in _values(trace.beyond_own) if _has_nan(v)]
    if bad and (
        isinstance(error, kinds) or re.search(r"infs or NaNs|[Nn]a[Nn]|finite", str(error))
    ):
        return _Advice(
            "finite",
            f"finite numbers; {len(bad)} of the values there have NaN or infinity",
            f"look at what {trace.place or 'the unit'} is given",
        )
    return None


def _dims(trace: Trace) -> _Advice | None:
    error = trace.error
    if not isinstance(error, RuntimeError | ValueError | IndexError):
        return None
    if not _SHAPES.search(str(error)):
        return None
    values = list(_values(trace.beyond_own))
    there = any(isinstance(v, Tensor | np.ndarray | nn.Module) for v in values)
    if not there and not _by_numerics(trace):
        return None
    return _Advice(
        "dims",
        f"sizes of model and data that agree{_layer(trace)}",
        f"edit {trace.place or 'the config'}: build the model for the data's size, or draw data "
        "of the model's",
    )


def _by_numerics(trace: Trace) -> bool:
    """Whether torch or NumPy raised it: in their own frames, or in C, which has none."""
    frame = trace.deepest
    if frame is None:
        return False
    return any(frame.is_in(name) for name in ("torch", "numpy", "scipy")) or not frame.raises


def _layer(trace: Trace) -> str:
    """What a linear layer takes and what it was given."""
    for frame in reversed(trace.frames):
        layer, given = frame.names.get("self"), frame.names.get("input")
        if isinstance(layer, nn.Linear) and isinstance(given, Tensor):
            return f": the layer takes {layer.in_features} entries, the data have {given.shape[-1]}"
    return ""


def _missing_file(trace: Trace) -> _Advice | None:
    if not isinstance(trace.error, FileNotFoundError):
        return None
    name = trace.error.filename
    return _Advice(
        "dry_run",
        "a file that the commit holds, by a path relative to the project",
        f"git add the file {name}, if it is in your folder but not in the commit",
    )


_RULES: Sequence[Callable[[Trace], _Advice | None]] = (
    _imports,
    _ours,
    _memory,
    _device,
    _call,
    _attribute,
    _dtype,
    _array,
    _result,
    _finite,
    _dims,
    _missing_file,
)


def _values(frames: Sequence[Frame]) -> Iterator[Any]:
    """What the local variables hold, and the entries of their tuples and lists."""
    for frame in frames:
        for value in frame.names.values():
            yield value
            if isinstance(value, tuple | list):
                yield from value[:_MOST_LISTED]


def _has_nan(value: Any) -> bool:
    if isinstance(value, Tensor):
        return value.is_floating_point() and not bool(torch.isfinite(value).all())
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return not bool(np.isfinite(value).all())
    return False


def _nearest(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _one_line(text: str) -> str:
    shown = " ".join(text.split())
    limit = 80
    return shown if len(shown) <= limit else f"{shown[:limit]}…"
