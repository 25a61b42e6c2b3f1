"""A hold is one process's alone, also where the file system has no locks."""

import errno
import fcntl
import os
import re
import threading
from pathlib import Path
from typing import Any

import pytest

from ired_interp.cluster.submission import _alone
from ired_interp.errors import RunFolderError
from ired_interp.runs import locks
from ired_interp.runs.claims import claim
from ired_interp.runs.claims import holder_of as holder_of_unit

REFUSALS = ("ENOLCK", "ENOSYS", "EOPNOTSUPP", "EINVAL", "ESTALE", "EIO")


def refuse_locks(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    number = getattr(errno, name)

    def flock(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)


def test_a_hold_is_one_alone_and_leaves_nothing(tmp_path: Path) -> None:
    with locks.hold(tmp_path / "x") as ours:
        assert ours
        found = locks.holder_of(tmp_path / "x")
        assert found is not None
        assert found.pid == os.getpid()
        with locks.hold(tmp_path / "x") as again:
            assert not again
    assert locks.holder_of(tmp_path / "x") is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", REFUSALS)
def test_without_locks_notes_tell_who_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    refuse_locks(monkeypatch, name)
    with claim(tmp_path, 3) as ours:
        assert ours
        assert holder_of_unit(tmp_path, 3) is not None
        with claim(tmp_path, 3) as again:
            assert not again
    with claim(tmp_path, 3) as ours:
        assert ours
    monkeypatch.setattr(locks, "SILENT_SECONDS", -1.0)
    with locks.hold(tmp_path / "x"), locks.hold(tmp_path / "x") as after_a_kill:
        assert after_a_kill


@pytest.mark.parametrize("name", [None, *REFUSALS])
def test_two_submits_of_a_run_are_told_apart_with_and_without_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str | None
) -> None:
    if name is not None:
        refuse_locks(monkeypatch, name)
    with _alone(tmp_path):
        by = rf"another submit of this run is under way \(process {os.getpid()} on "
        with pytest.raises(RunFolderError, match=by), _alone(tmp_path):
            pass
    with _alone(tmp_path):
        pass


def test_of_many_at_once_one_has_it(tmp_path: Path) -> None:
    had: list[bool] = []
    together, done = threading.Barrier(8), threading.Barrier(8)

    def take() -> None:
        together.wait()
        with locks.hold(tmp_path / "x") as ours:
            had.append(ours)
            done.wait(10)

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(had) == [False] * 7 + [True]


def test_a_folder_that_cannot_be_written_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=re.escape("cannot write")), locks.hold(tmp_path / "no" / "x"):
        pass
