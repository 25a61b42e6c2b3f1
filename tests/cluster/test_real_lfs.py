"""Large files as the real git-lfs keeps them, on their way to a cluster with and without it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ired_interp.cluster import code
from ired_interp.cluster.config import ClusterConfig
from ired_interp.cluster.shell import LocalShell
from ired_interp.cluster.staging import contents_of_code, stage
from ired_interp.errors import ConfigError
from ired_interp.provenance import repository
from slurm_here import Here

pytestmark = pytest.mark.cluster
pytest_plugins = ("slurm_fixtures",)

LARGE = b"\0large\n" * 1000


def git(folder: Path, *words: str, **environment: str) -> str:
    who = ("-c", "user.name=Lab", "-c", "user.email=lab@example.org")
    done = subprocess.run(
        ["git", "-C", str(folder), *who, *words],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    return done.stdout.strip()


@pytest.fixture
def project(here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A commit whose one large file went through git-lfs's own filters."""
    assert here  # its start installs Debian's packages, git-lfs among them
    # the author's settings alone, whatever Debian's package wrote for all users
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    project = tmp_path / "proj"
    project.mkdir()
    git(project, "init", "--quiet")
    git(project, "lfs", "install", "--skip-repo")
    git(project, "lfs", "track", "*.bin")
    (project / "weights.bin").write_bytes(LARGE)
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "-m", "state")
    assert git(project, "cat-file", "blob", "HEAD:weights.bin").startswith(
        "version https://git-lfs"
    )
    return project


@pytest.mark.parametrize("client", ["with the client", "without it"])
def test_the_content_arrives_and_the_clone_is_clean(
    project: Path, tmp_path: Path, client: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell, what = LocalShell(), code.code_of(project, git(project, "rev-parse", "HEAD"))
    assert [(file.path, file.bytes) for file in what.large] == [("weights.bin", len(LARGE))]
    contents = contents_of_code(what)
    if client == "without it":
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    cluster = ClusterConfig(name="a", root=str(tmp_path / "root"), environment=sys.prefix)
    there = code.send_code(shell, cluster, what)
    assert stage(shell, cluster, contents, lambda _: None) == 1
    clone = Path(code.prepare(shell, cluster, what, there).clone)
    assert (clone / "weights.bin").read_bytes() == LARGE
    found = repository(clone)
    assert found is not None
    assert not found.dirty


def test_a_clone_with_pointers_alone_is_told_how_to_get_the_content(
    project: Path, tmp_path: Path
) -> None:
    git(tmp_path, "clone", "--quiet", str(project), "other", GIT_LFS_SKIP_SMUDGE="1")
    other = tmp_path / "other"
    what = code.code_of(other, git(other, "rev-parse", "HEAD"))
    cluster = ClusterConfig(name="a", root=str(tmp_path / "root"), environment=sys.prefix)
    with pytest.raises(ConfigError, match="git lfs pull"):
        stage(LocalShell(), cluster, contents_of_code(what), lambda _: None)
    git(other, "lfs", "pull")
    assert stage(LocalShell(), cluster, contents_of_code(what), lambda _: None) == 1
