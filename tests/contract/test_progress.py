"""What a log sees of work that goes on: a line a minute, with the time left."""

import time
from collections.abc import Iterator

import pytest

from ired_interp import console


def test_lines_come_while_one_item_takes_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(console, "_SECONDS_BETWEEN_LINES", 0.2)

    def slow() -> list[int]:
        return [4, 5]

    assert not console.console.is_terminal
    track = console.tracker("units", 10, done=4)
    for _ in track(slow()):
        time.sleep(0.5)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) >= 3
    assert lines[0].startswith("units: 5 of 10, about 0.0 min left")
    time.sleep(0.3)
    assert not capsys.readouterr().err  # it ends with the work


def test_nothing_is_promised_before_the_first_item(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(console, "_SECONDS_BETWEEN_LINES", 0.1)

    def first_takes_long() -> Iterator[int]:
        time.sleep(0.35)
        yield 0

    list(console.tracker("units", 3)(first_takes_long()))
    assert capsys.readouterr().err.startswith("units: 0 of 3, 0.0 min so far\n")
