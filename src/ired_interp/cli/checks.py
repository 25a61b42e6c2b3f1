"""Checks as a person reads them, each as it comes, and as JSON."""

import json
import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text

from ired_interp.preflight.check import CHECKS, OF_A_MACHINE, Check

__all__ = ["all_ok", "sum_up", "tell", "write_json"]

_WORDS = {"pass": ("pass", "green"), "fail": ("FAIL", "bold red"), "not_checked": ("–", "dim")}
_ADVICE = ("advice", "yellow")
_ID_WIDTH = max(map(len, (*CHECKS, *OF_A_MACHINE)))


def all_ok(checks: Iterable[Check]) -> bool:
    """Whether none failed; advice stops nothing."""
    return all(check.status != "fail" or check.advice for check in checks)


def write_json(checks: Iterable[Check]) -> list[Check]:
    """One object on the standard output; returns the checks."""
    made = list(checks)
    content = {"ok": all_ok(made), "checks": [check.as_mapping() for check in made]}
    sys.stdout.write(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    return made


def tell(checks: Iterable[Check], out: Console) -> list[Check]:
    """Print each check as it comes, and checks that share a reason once; returns all."""
    made: list[Check] = []
    same: list[Check] = []
    for check in checks:
        made.append(check)
        if same and (check.status, check.found) != (same[0].status, same[0].found):
            _tell(same, out)
            same = []
        if check.status == "not_checked":
            same.append(check)
        else:
            _tell([check], out)
    if same:
        _tell(same, out)
    return made


def sum_up(checks: Sequence[Check], seconds: float, out: Console) -> None:
    """A line that counts them."""
    advice = sum(check.advice for check in checks)
    count = {status: sum(check.status == status for check in checks) for status in _WORDS}
    count["fail"] -= advice
    advised = f"{advice} to be better, " if advice else ""
    out.print(
        Text(
            f"{count['fail']} failed, {advised}{count['pass']} passed, {count['not_checked']} not "
            f"checked, in {seconds:.0f} s",
            "bold red" if count["fail"] else "bold green",
        ),
        soft_wrap=True,
    )


def _tell(checks: Sequence[Check], out: Console) -> None:
    first = checks[0]
    word, style = _ADVICE if first.advice else _WORDS[first.status]
    if first.status == "not_checked":
        names = ", ".join(check.id for check in checks)
        out.print(Text(f"–    {names}: not checked, {first.found}", "dim"), soft_wrap=True)
    else:
        line = Text(f"{word:4} ", style)
        line.append(f"{first.id:{_ID_WIDTH}}  ", "bold" if first.status == "fail" else "")
        line.append(first.found, "")
        line.append(f"  {first.seconds:.1f} s" if first.seconds >= 0.05 else "", "dim")  # noqa: PLR2004
        out.print(line, soft_wrap=True)
    for name, text in (("expected", first.expected), ("to mend", first.fix)):
        if text:
            out.print(Text(f"     {name:{_ID_WIDTH}}  {text}"), soft_wrap=True)
