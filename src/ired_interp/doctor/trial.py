"""A unit computed again and watched: which module first gives what is not finite, and where."""

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook

from ired_interp.landscape import Landscape
from ired_interp.preflight.frames import trace_of
from ired_interp.runs.computing import planned_threads
from ired_interp.runs.run import Run
from ired_interp.schedule import Schedule

__all__ = ["Origin", "Trial", "try_unit"]

_Names = Mapping[str, Any]
_MOST_LISTED = 4


@dataclass(frozen=True)
class Origin:
    """The first module whose output was not finite.

    Attributes:
        module: Its name in the model, such as ``EnergyMLP.fc2``.
        kind: Its class.
        value: ``NaN`` or ``infinity``.
        level: That was examined; None if no frame says.
        weights: Weights of the model that are not finite, each with how many.
        own_weights: Whether some of them are the module's.
        input_finite: Whether the module was given finite numbers.
        largest_input: Of the finite ones, by size.
        x: What is wrong with x, if anything is.
    """

    module: str
    kind: str
    value: str
    level: int | None
    weights: tuple[str, ...]
    own_weights: bool
    input_finite: bool
    largest_input: float
    x: str


@dataclass(frozen=True)
class Trial:
    """How it went.

    Attributes:
        unit: Which.
        seconds: That it took.
        error: What it raised, in words; empty if it was computed.
        place: Where, in the experiment's own file.
        level: From the frames of the error; None if no frame says, or there was no error.
        origin: None where the output of every module was finite.
        largest: The largest output of a module that was finite, and the module's name.
    """

    unit: int
    seconds: float
    error: str
    place: str
    level: int | None
    origin: Origin | None
    largest: tuple[float, str]


def try_unit(run: Run, index: int) -> Trial:
    """Compute a unit in this process, as the plan says; nothing is written.

    A hook of all of torch's modules watches meanwhile, and is gone afterwards.
    """
    watch, error, begin = _Watch(), None, time.monotonic()
    with planned_threads(run):
        handle = register_module_forward_hook(watch)
        try:
            run.experiment.run_unit(run.config, index)
        except (Exception, SystemExit) as raised:  # noqa: BLE001 - a researcher's code
            error = raised
        finally:
            handle.remove()
    seconds = time.monotonic() - begin
    largest = (watch.largest, watch.largest_name)
    if error is None:
        return Trial(index, seconds, "", "", None, watch.origin, largest)
    trace = trace_of(error, run.source.project)
    level = _level([frame.names for frame in reversed(trace.frames)])
    return Trial(index, seconds, trace.kind, trace.place, level, watch.origin, largest)


@dataclass
class _Watch:
    """The hook: called with each module's output, innermost modules first."""

    origin: Origin | None = None
    root: nn.Module | None = None
    largest: float = 0.0
    largest_name: str = ""
    names: dict[int, str] = field(default_factory=dict)

    def __call__(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        try:
            self._look(module, inputs, output)
        except RuntimeError:
            # Under vmap and the like a tensor has no values that could be asked for.
            return

    def _look(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        tensors = [t.detach() for t in _tensors(output)]
        if all(bool(torch.isfinite(t).all()) for t in tensors):
            if module is self.root:  # the infinity was meant, as a mask's is
                self.origin = self.root = None
            size = max((float(t.abs().max()) for t in tensors if t.numel()), default=0.0)
            if size > self.largest:
                self.largest = size
                self.largest_name = self._name(module)
            return
        if self.origin is None:
            self.origin, self.root = _origin(module, inputs, tensors)

    def _name(self, module: nn.Module) -> str:
        if id(module) not in self.names:
            self.names[id(module)] = _named(module, _frames())[0]
        return self.names[id(module)]


def _origin(
    module: nn.Module, inputs: tuple[Any, ...], outputs: Sequence[Tensor]
) -> tuple[Origin, nn.Module]:
    frames = _frames()
    name, root = _named(module, frames)
    given = [t.detach() for t in _tensors(inputs)]
    finite = [t[torch.isfinite(t)].abs() for t in given]
    bad = list(_bad_weights(root))
    origin = Origin(
        module=name,
        kind=type(module).__name__,
        value="NaN" if any(bool(t.isnan().any()) for t in outputs) else "infinity",
        level=_level(frames),
        weights=tuple(bad[:_MOST_LISTED]),
        own_weights=next(_bad_weights(module), None) is not None,
        input_finite=all(bool(torch.isfinite(t).all()) for t in given),
        largest_input=max((float(t.max()) for t in finite if t.numel()), default=0.0),
        x=_wrong_x(frames),
    )
    return origin, root


def _frames() -> list[_Names]:
    """Local variables of the functions that led here, innermost first."""
    found: list[_Names] = []
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_globals.get("__name__") != __name__:
            found.append(dict(frame.f_locals))
        if frame.f_back is None:
            break
        frame = frame.f_back
    return found


def _named(module: nn.Module, frames: Sequence[_Names]) -> tuple[str, nn.Module]:
    """Its name in the outermost module that holds it, and that one."""
    root = module
    for names in frames:
        for value in names.values():
            if isinstance(value, nn.Module) and any(one is root for one in value.modules()):
                root = value
    inner = next(name for name, one in root.named_modules() if one is module)
    kind = type(root).__name__
    return (f"{kind}.{inner}" if inner else kind), root


def _level(frames: Sequence[_Names]) -> int | None:
    """What the nearest variable ``level`` says, or else the nearest landscape."""
    for names in frames:
        value = names.get("level")
        if isinstance(value, Tensor) and value.numel() == 1:
            value = value.item()
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    for names in frames:
        found = [_level_of(v, frames) for v in names.values() if isinstance(v, Landscape)]
        if found:
            return found[0]
    return None


def _level_of(land: Landscape, frames: Sequence[_Names]) -> int | None:
    steps = set() if land.timestep is None else set(land.timestep.tolist())
    schedules = (
        schedule
        for names in frames
        for value in names.values()
        if isinstance(schedule := getattr(value, "schedule", None), Schedule)
    )
    schedule = next(schedules, None)
    return schedule.level(steps.pop()) if schedule is not None and len(steps) == 1 else None


def _wrong_x(frames: Sequence[_Names]) -> str:
    """Rows of the nearest tensor ``x`` that are not finite."""
    for names in frames:
        x = names.get("x")
        if isinstance(x, Tensor) and x.is_floating_point() and x.ndim > 0:
            rows = (~torch.isfinite(x)).flatten(1).any(1) if x.ndim > 1 else ~torch.isfinite(x)
            wrong = rows.nonzero().flatten().tolist()
            if not wrong:
                continue
            shown = ", ".join(map(str, wrong[:_MOST_LISTED]))
            more = ", …" if len(wrong) > _MOST_LISTED else ""
            return f"row{'s' * (len(wrong) > 1)} {shown}{more} of {len(rows)}"
    return ""


def _bad_weights(root: nn.Module) -> Iterator[str]:
    kind = type(root).__name__
    for name, value in (*root.named_parameters(), *root.named_buffers()):
        count = int((~torch.isfinite(value)).sum()) if value.is_floating_point() else 0
        if count:
            yield f"{kind}.{name}: {count} of {value.numel()}"


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor) and value.is_floating_point():
        yield value
    elif isinstance(value, tuple | list):
        for one in value:
            yield from _tensors(one)
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _tensors(one)
