"""Submodules, large files of git-lfs and files that only a config names, into a cluster's root."""

import hashlib
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ired_interp.cluster import code
from ired_interp.cluster.config import ClusterConfig
from ired_interp.cluster.contents import content_of
from ired_interp.cluster.shell import LocalShell
from ired_interp.cluster.staging import contents_of_code, files_of, stage
from ired_interp.errors import ClusterError, ConfigError, RunFolderError
from ired_interp.experiments import load, locate
from ired_interp.experiments.base import ROOT, groups_of
from ired_interp.provenance import repository
from ired_interp.runs.run import Run, open_run, plan_run
from slurm_here import Here

pytest_plugins = ("slurm_fixtures",)

LARGE = b"\0large\n" * 1000
SHA256 = hashlib.sha256(LARGE).hexdigest()
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{SHA256}\nsize {len(LARGE)}\n"
EXPERIMENT = '''
from dataclasses import dataclass
from pathlib import Path
import numpy as np
import xarray as xr

@dataclass(frozen=True, kw_only=True)
class Config:
    data: str = "none"
    more: tuple[str, ...] = ()

class Reader:
    """Reads numbers."""
    name = "reader"
    Config = Config
    hypotheses = ()
    figures = ()

    def units(self, config):
        return 1

    def run_unit(self, config, index):
        names = [config.data, *config.more]
        values = [float(len((Path(__file__).parent / name).read_bytes())) for name in names]
        return xr.Dataset({"size": ("problem", values)}, coords={"problem": range(len(values))})
'''


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=Lab", "-c", "user.email=lab@example.org")
    command = ["git", "-C", str(folder), *who, "-c", "protocol.file.allow=always", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit(folder: Path) -> str:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "-m", "state")
    return git(folder, "rev-parse", "HEAD")


def keep(folder: Path) -> Path:
    """The content where git-lfs keeps its own copy."""
    kept = folder / ".git" / "lfs" / "objects" / SHA256[:2] / SHA256[2:4] / SHA256
    kept.parent.mkdir(parents=True)
    kept.write_bytes(LARGE)
    return kept


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With a submodule in a submodule, and a large file in it and beside it."""
    # the pointers are written by hand; a git-lfs that all users have would look for their content
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    inner, outer, project = (tmp_path / name for name in ("inner", "outer; 'x", "proj; 'x"))
    for folder in (inner, outer, project):
        folder.mkdir()
        git(folder, "init", "--quiet")
    (inner / "deep.py").write_text("DEEP = 1\n", encoding="utf-8")
    commit(inner)
    (outer / ".gitattributes").write_text("*.bin filter=lfs diff=lfs -text\n", encoding="utf-8")
    (outer / "table.bin").write_text(POINTER, encoding="utf-8")
    git(outer, "submodule", "--quiet", "add", str(inner), "inner")
    commit(outer)
    git(project, "submodule", "--quiet", "add", "--name", "o", str(outer), "libs/o; 'x")
    git(project, "submodule", "--quiet", "update", "--init", "--recursive")
    (project / "data").mkdir()
    (project / "data" / ".gitattributes").write_text("*.bin filter=lfs\n", encoding="utf-8")
    (project / "data" / "it's.bin").write_text(POINTER, encoding="utf-8")
    (project / "reader.py").write_text(EXPERIMENT, encoding="utf-8")
    commit(project)
    return project


@pytest.fixture
def rsync(here: Here) -> None:
    """Contents travel by it; the start of the daemons installs it where it is missing."""
    assert shutil.which("rsync"), here


@pytest.fixture
def cluster(tmp_path: Path) -> ClusterConfig:
    return ClusterConfig(name="a", root=f"{tmp_path}/ro'ot; x", environment=sys.prefix)


def sent(project: Path) -> code.Code:
    return code.code_of(project, git(project, "rev-parse", "HEAD"))


@pytest.mark.cluster
@pytest.mark.usefixtures("rsync")
def test_submodules_and_large_files_arrive_and_the_clone_is_clean(
    project: Path, cluster: ClusterConfig
) -> None:
    keep(project)
    shell, what = LocalShell(), sent(project)
    assert [module.path for module in what.modules] == ["libs/o; 'x", "libs/o; 'x/inner"]
    repository_there = code.send_code(shell, cluster, what)
    contents = [
        replace(one, here=content_of(project, what.large[0])) for one in contents_of_code(what)
    ]
    said: list[str] = []
    assert stage(shell, cluster, contents, said.append) == 2
    assert stage(shell, cluster, contents, said.append) == 0
    assert len(said) == 2
    clone = Path(code.prepare(shell, cluster, what, repository_there).clone)
    assert (clone / "libs/o; 'x/inner/deep.py").read_text(encoding="utf-8") == "DEEP = 1\n"
    assert (clone / "libs/o; 'x/table.bin").read_bytes() == LARGE
    assert (clone / "data/it's.bin").read_bytes() == LARGE
    # or a worker would refuse it as changed code
    found = repository(clone)
    assert found is not None
    assert not found.dirty


def test_a_large_file_or_a_submodule_that_is_not_here_is_named(
    project: Path, cluster: ClusterConfig
) -> None:
    what = sent(project)
    with pytest.raises(ConfigError, match=r"data/it's\.bin: expected its content .*git lfs pull"):
        stage(LocalShell(), cluster, contents_of_code(what)[:1], lambda _: None)
    git(project, "submodule", "--quiet", "deinit", "--force", "--all")
    with pytest.raises(ConfigError, match=r"the submodule libs/o; 'x .*found that it is empty"):
        sent(project)


@pytest.mark.cluster
@pytest.mark.usefixtures("rsync")
def test_a_content_that_changes_on_its_way_never_gets_its_name(
    project: Path, cluster: ClusterConfig
) -> None:
    kept = keep(project)
    (content,) = contents_of_code(sent(project))[:1]
    kept.write_bytes(LARGE[::-1])
    with pytest.raises(ClusterError, match=f"expected the SHA-256 {SHA256}, found"):
        stage(LocalShell(), cluster, [content], lambda _: None)
    assert not list(Path(cluster.root).glob("files/*/*"))


def plan(project: Path, out: Path, *names: Path | str) -> Run:
    source = locate(str(project / "reader.py"))
    experiment = load(source)
    first, *more = map(str, names)
    config = experiment.Config(data=first, more=tuple(more))
    return plan_run(experiment, config, out, source=source)


@pytest.mark.cluster
@pytest.mark.usefixtures("rsync")
def test_files_that_the_config_names_are_found_by_content_and_the_plan_stays(
    project: Path, cluster: ClusterConfig, tmp_path: Path
) -> None:
    own, other = tmp_path / "own net.pt", project / "ignored.pt"
    own.write_bytes(b"12345")
    other.write_bytes(b"123")
    run = plan(project, tmp_path / "run", own, "ignored.pt", "reader.py")
    contents = files_of(run, sent(project))
    assert [content.name for content in contents] == [str(own), "ignored.pt"]
    assert stage(LocalShell(), cluster, contents, lambda _: None) == 2
    own.unlink()  # it is there from now on
    assert stage(LocalShell(), cluster, files_of(run, sent(project)), lambda _: None) == 0
    store = Path(cluster.root) / "files"
    there = open_run(run.path, files=store)
    assert there.plan_sha256 == run.plan_sha256
    assert there.config.data == str(store / hashlib.sha256(b"12345").hexdigest() / "own net.pt")
    assert there.config.more[1] == "reader.py"
    assert list(groups_of(there.experiment.run_unit(there.config, 0))[ROOT]["size"].values[:2]) == [
        5.0,
        3.0,
    ]
    assert open_run(run.path).config.data == str(own)
    Path(there.config.data).chmod(0o600)
    Path(there.config.data).write_bytes(b"1")
    with pytest.raises(RunFolderError, match=r"expected the 5 bytes of .*own net\.pt"):
        open_run(run.path, files=store)


def test_a_file_that_changed_since_the_first_submission_is_refused(
    project: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own.pt"
    own.write_bytes(b"12345")
    run = plan(project, tmp_path / "run", own)
    files_of(run, sent(project))
    own.write_bytes(b"54321")
    with pytest.raises(ConfigError, match=r"own\.pt: expected the file as it was when"):
        files_of(run, sent(project))
