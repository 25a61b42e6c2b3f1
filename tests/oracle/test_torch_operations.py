"""The Hessian by the landscape of each torch operation of the scan is that of the energy."""

import pytest
import torch

import operations_own_backward as own_backward
from scan_expectations import REFUSED, TORCH
from tiers import slow_but
from torch_operations import GROUPS, NOW_RIGHT, OPERATIONS, ROWS, Outcome, complaint, scan

RIGHT = [Outcome(num_rows, "right", "off by 1e-16") for num_rows in ROWS]
EXPECTED = "cdist 2"


# Those with derivatives of their own are what the verification is for; of the others three a list.
FIRST = {*own_backward.OWN_BACKWARDS, *(name for group in GROUPS for name in list(group)[:3])}


@pytest.mark.parametrize("name", slow_but(FIRST, OPERATIONS))
def test_hessian_is_that_of_the_energy_or_what_is_missing_is_said(name: str) -> None:
    _, outcomes = scan(name)
    change = complaint(name, outcomes)
    newer = not torch.__version__.startswith(f"{TORCH}.")
    if change == NOW_RIGHT and newer and REFUSED[name].of_torch:
        pytest.skip(f"torch {torch.__version__} has it; make scan, and write down the new torch")
    assert change is None, change


def test_each_operation_has_a_name_of_its_own() -> None:
    assert len(OPERATIONS) == sum(map(len, GROUPS))
    assert set(OPERATIONS) >= set(REFUSED)


def _refused(words: str) -> list[Outcome]:
    return [Outcome(num_rows, "refused", words) for num_rows in ROWS]


@pytest.mark.parametrize(
    ("name", "outcomes", "said"),
    [
        ("sin", RIGHT, None),
        ("sin", _refused("The second derivative is missing."), "The second derivative is missing."),
        ("sin", [Outcome(1, "wrong", "off by 1e-02"), *RIGHT[1:]], "at 1 rows wrong off by 1e-02"),
        ("sin", [*RIGHT[:2], Outcome(4, "raw", "TypeError: no")], "at 4 rows raw TypeError: no"),
        (EXPECTED, _refused("The second derivative is missing."), None),
        (EXPECTED, _refused("It is late."), "refused without 'second derivative'"),
        (EXPECTED, RIGHT, NOW_RIGHT),
        (EXPECTED, [*_refused("No second derivative.")[:2], RIGHT[2]], "at 4 rows right"),
        (EXPECTED, [Outcome(n, "wrong", "off by 1e-02") for n in ROWS], "wrong off by 1e-02"),
    ],
)
def test_what_differs_from_the_expectation_is_said(
    name: str, outcomes: list[Outcome], said: str | None
) -> None:
    found = complaint(name, outcomes)
    if said is None:
        assert found is None
    else:
        assert found is not None
        assert said in found
