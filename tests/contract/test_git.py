"""git is asked about the folder that is meant, and no answer is never taken for one."""

import subprocess
from pathlib import Path

import pytest

from ired_interp.cluster import git_calls
from ired_interp.errors import CannotAskError
from ired_interp.git import git, git_lines
from ired_interp.provenance import repository


def make_repository(folder: Path, content: str) -> str:
    folder.mkdir()
    (folder / "file.txt").write_text(content)
    author = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    for words in (("init", "-q"), ("add", "-A"), (*author, "commit", "-q", "-m", content)):
        subprocess.run(["git", "-C", str(folder), *words], check=True)
    return git(folder, "rev-parse", "HEAD").out.strip()


def test_a_hook_of_another_repository_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = make_repository(tmp_path / "mine", "mine")
    others = make_repository(tmp_path / "others", "others")
    assert mine != others
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "others" / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "others" / ".git" / "index"))
    found = repository(tmp_path / "mine")
    assert found is not None
    assert (found.sha, found.dirty) == (mine, False)
    assert git_calls.git(tmp_path / "mine", "rev-parse", "HEAD").out.strip() == mine
    assert git_lines(tmp_path / "mine", "ls-tree", "-z", "--name-only", mine) == ["file.txt"]


def test_a_change_is_kept_byte_by_byte(tmp_path: Path) -> None:
    make_repository(tmp_path / "mine", "mine")
    (tmp_path / "mine" / "file.txt").write_bytes(b"caf\xe9\n")  # no UTF-8
    found = repository(tmp_path / "mine")
    assert found is not None
    assert b"+caf\xe9\n" in found.patch


def test_no_answer_is_told_from_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_repository(tmp_path / "mine", "mine")
    refused = git(tmp_path / "mine", "rev-parse", "--verify", "nothing")
    assert not refused.ok
    assert not refused.silent
    assert refused.reason.startswith("fatal:")
    assert not git_calls.git(tmp_path / "mine", "rev-parse", "--verify", "nothing").ok
    late = git(tmp_path / "mine", "status", seconds=1e-4)
    assert late.silent
    assert "no answer" in late.reason
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git(tmp_path / "mine", "status").silent
    with pytest.raises(CannotAskError, match="cannot be started"):
        git_calls.git(tmp_path / "mine", "status")
