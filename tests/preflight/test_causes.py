"""The same words, another cause: what stood in the frames decides."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

from ired_interp.errors import CheckpointError, LevelError
from ired_interp.preflight.causes import cause

HERE = Path(__file__).parent


def told(fn: Callable[[], Any]) -> tuple[str, str, str]:
    """Id, what was found, what was expected."""
    try:
        fn()
    except Exception as error:  # noqa: BLE001 - whatever it is
        check = cause(error, HERE, "a test")
        return check.id, check.found, check.expected
    raise AssertionError("nothing was raised")


def spectrum(land: object, y: object, *, top: int | None = None) -> None:
    """A function with a signature of its own."""


def check_task() -> None:
    raise CheckpointError("expected dim_x = 4, found 400")


def read() -> None:
    raise CheckpointError("expected dim_x = 4, found 400")


def raises(error: Exception) -> Callable[[], None]:
    def fn() -> None:
        raise error

    return fn


def eigenvalues() -> object:
    matrix = torch.full((3, 3), torch.nan)
    return torch.linalg.eigh(matrix)


LAYER = nn.Linear(40, 16)
MISSING = "spectrum() missing 1 required positional argument: 'y'"


@pytest.mark.parametrize(
    ("fn", "id_"),
    [
        (lambda: spectrum(1), "call_signature"),  # type: ignore[call-arg]
        (lambda: spectrum(1, 2, bottom=3), "call_signature"),  # type: ignore[call-arg]
        (lambda: LAYER(1, 2, 3), "call_signature"),
        (lambda: np.linalg.norm(top=3), "call_signature"),  # type: ignore[call-overload]
        (lambda: torch.linalg.norm(np.ones(3)), "array_type"),
        (lambda: np.ones(3).unsqueeze(0), "array_type"),  # type: ignore[attr-defined]
        (lambda: LAYER(np.ones((1, 40))), "array_type"),
        (lambda: LAYER(torch.ones(1, 40, dtype=torch.float64)), "array_type"),
        (lambda: LAYER(torch.ones(1, 4)), "dims"),
        (lambda: torch.ones(3) + torch.ones(4), "dims"),
        (lambda: np.ones(3) @ np.ones(4), "dims"),
        (
            lambda: LAYER.load_state_dict({"weight": torch.ones(2, 2), "bias": torch.ones(16)}),
            "dims",
        ),
        (lambda: np.array([[1.0, 2.0], [3.0]]), "result_shape"),
        (lambda: xr.Dataset({"a": (("p", "q"), [1.0])}), "result_shape"),
        (lambda: xr.Dataset({"a": ("p", [1.0]), "b": ("p", [1.0, 2.0])}), "result_shape"),
        (eigenvalues, "finite"),
        (lambda: torch.ones(1).to("cuda"), "device"),
        (lambda: __import__("toy_that_is_not_there"), "import_module"),
        (lambda: torch.nn.Lineer(2, 3), "import_name"),  # type: ignore[attr-defined]
        (check_task, "dims"),
        (read, "checkpoint"),
        (raises(LevelError("level 11")), "levels"),
        (raises(MemoryError()), "memory"),
        (raises(KeyError("key")), "dry_run"),
        (raises(ZeroDivisionError("division by zero")), "dry_run"),
        # The words of another cause, and nothing in the frames that goes with them.
        (raises(RuntimeError("size mismatch in the budget")), "dry_run"),
        (raises(ValueError("the shape of things to come")), "dry_run"),
        (raises(RuntimeError("expected scalar type Float but found Double")), "dry_run"),
        (raises(AttributeError("'numpy.ndarray' object has no attribute 'to'")), "dry_run"),
        (raises(ValueError("contains infs or NaNs")), "dry_run"),
    ],
)
def test_a_cause_is_told_by_kind_and_frame(fn: Callable[[], Any], id_: str) -> None:
    found = told(fn)
    assert found[0] == id_, found


def test_a_message_that_quotes_another_error_is_no_wrong_call() -> None:
    def spectrum() -> None:
        raise TypeError(MISSING)

    assert told(spectrum)[0] == "dry_run"
    assert told(lambda: spectrum(1))[0] == "call_signature"  # type: ignore[call-arg]


def test_the_author_s_own_line_is_named_and_what_the_call_takes() -> None:
    def run() -> None:
        spectrum(1)  # type: ignore[call-arg]

    _, found, expected = told(run)
    assert found.startswith("test_causes.py:")
    assert MISSING in found
    assert expected == "spectrum(land: object, y: object, *, top: int | None = None) -> None"


def test_a_model_s_forward_is_what_the_call_takes() -> None:
    _, found, expected = told(lambda: LAYER(1, 2, 3))
    assert "takes 2 positional arguments but 4 were given" in found
    assert "input: torch.Tensor" in expected or "input:" in expected


def test_the_layer_and_the_data_are_named() -> None:
    assert "the layer takes 40 entries, the data have 4" in told(lambda: LAYER(torch.ones(1, 4)))[2]
