"""One interpreter with its imports behind it for all dry runs, and git that trusts test folders."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ired_interp.preflight.check import Check
from ired_interp.preflight.run import Wishes, preflight
from preflight_projects import Project, make_project
from preflight_warm import warm_interpreter
from recorded_slurm import RecordedCluster, cluster_config

Look = Callable[..., dict[str, Check]]


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, ...]]:
    """Words that stand in for the interpreter."""
    with warm_interpreter(tmp_path_factory.mktemp("warm")) as words:
        yield words


@pytest.fixture
def git_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the user's configuration; submodules of local folders, which git now refuses."""
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, os.devnull)
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "protocol.file.allow")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "always")


@pytest.fixture
def project(tmp_path: Path, git_alone: None) -> Project:
    """Nothing is wrong with it."""
    return make_project(tmp_path)


@pytest.fixture
def look(warm: tuple[str, ...], tmp_path: Path, git_alone: None) -> Look:
    """Make a preflight; its checks by id. pip, which takes seconds, has a test of its own."""

    def found(
        project: Project,
        words: dict[str, str] | None = None,
        *,
        site: RecordedCluster | None = None,
        skip: tuple[str, ...] = (),
        cluster: dict[str, object] | None = None,
        allow_unpushed: bool = False,
        limit_seconds: float = 300.0,
    ) -> dict[str, Check]:
        shell = site or RecordedCluster()
        root = tmp_path / "cluster root"
        root.mkdir(exist_ok=True)
        wishes = Wishes(
            cluster=cluster_config(**({"root": str(root)} | (cluster or {}))),
            skip=("environment", *skip),
            allow_unpushed=allow_unpushed,
            python=warm,
            open_fn=lambda _: shell,
            out=tmp_path,
            limit_seconds=limit_seconds,
        )
        checks = list(preflight(project.reference, words or {}, wishes))
        ids = [check.id for check in checks]
        assert len(set(ids)) == len(ids)
        return {check.id: check for check in checks}

    return found
