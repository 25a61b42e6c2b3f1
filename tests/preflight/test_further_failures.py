"""What else people's runs fail of: each state is built, and found with its cause."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from ired_interp.cluster.shell import Completed
from ired_interp.errors import SessionGoneError
from ired_interp.preflight.check import Check
from preflight_projects import EXPERIMENT, Project, git, make_project, write_weights
from recorded_slurm import RecordedCluster
from tiers import slow_but

pytest_plugins = ("preflight_fixtures",)

Look = Callable[..., dict[str, Check]]
NET = "weights/net.pt"


@dataclass(frozen=True)
class Failure:
    """How to get there, and what must be said.

    Attributes:
        id: Of the one check that fails.
        found: Part of what it says.
        break_fn: Makes the state.
        fix: Part of what mends it.
        runs: Whether the dry run is needed to see it.
        more: Arguments of the preflight.
    """

    id: str
    found: str
    break_fn: Callable[[Project], None] = lambda _: None
    fix: str = ""
    runs: bool = False
    more: Mapping[str, Any] = field(default_factory=dict)


def _dirty(project: Project) -> None:
    project.edit("toy/data.py", "2 * x\n", "3 * x\n")


def _detached(project: Project) -> None:
    git(project.root, "switch", "--quiet", "--detach")
    project.write({"README.md": "Changed.\n"})
    project.commit(push=False)


def _moved(project: Project) -> None:
    project.origin.rename(project.origin.with_name("renamed.git"))


def _rewritten(project: Project) -> None:
    """Somebody else forced another history on the branch."""
    git(project.root, "fetch", "--quiet")
    other = project.root.with_name("other")
    git(project.root.parent, "clone", "--quiet", str(project.origin), str(other))
    git(other, "commit", "--quiet", "--amend", "-m", "another history")
    git(other, "push", "--quiet", "--force")


def _ahead(project: Project) -> None:
    """Others have pushed what is not here, and this is not there."""
    other = project.root.with_name("other")
    git(project.root.parent, "clone", "--quiet", str(project.origin), str(other))
    git(other, "commit", "--quiet", "--allow-empty", "-m", "of others")
    git(other, "push", "--quiet")
    project.write({"README.md": "Changed.\n"})
    project.commit(push=False)


def _pointer(project: Project) -> None:
    text = (
        "version https://git-lfs.github.com/spec/v1\n"
        "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
    )
    project.write({NET: text})
    project.commit()


def _annex(project: Project) -> None:
    (project.root / NET).unlink()
    (project.root / NET).symlink_to("../.git/annex/objects/Xk/2p/SHA256E-s9--4d7a.pt/net.pt")
    project.commit()


def _ignored_data(project: Project) -> None:
    git(project.root, "rm", "--quiet", "--cached", NET)
    project.write({".gitignore": "*.pt\n"})
    project.commit()


def _staged(project: Project) -> None:
    project.write({"toy/extra.py": "VALUE = 1\n"})
    project.edit(EXPERIMENT, "from toy.data", "from toy.extra import VALUE\nfrom toy.data")
    git(project.root, "commit", "--quiet", "-a", "-m", "uses it")
    git(project.root, "push", "--quiet")
    git(project.root, "add", "-A")


def _link(project: Project) -> None:
    outside = project.root.with_name("outside.pt")
    (project.root / NET).rename(outside)
    (project.root / NET).symlink_to(outside)
    project.commit()


def _submodule(project: Project) -> None:
    """One that was never filled, as after a plain clone."""
    library = make_project(project.root.parent, name="library")
    git(project.root, "submodule", "add", "--quiet", str(library.origin), "library")
    project.commit()
    git(project.root, "submodule", "deinit", "--quiet", "--force", "library")


def _unpushed_submodule(project: Project) -> None:
    library = make_project(project.root.parent, name="library")
    git(project.root, "submodule", "add", "--quiet", str(library.origin), "library")
    git(project.root / "library", "commit", "--quiet", "--allow-empty", "-m", "not pushed")
    project.commit()


def _dos_script(project: Project) -> None:
    project.write({"prepare.sh": "#!/bin/bash\r\necho ready\r\n"})
    project.edit(EXPERIMENT, "ROOT = ", 'PREPARE = "prepare.sh"\nROOT = ')
    project.commit()


def _no_commit(project: Project) -> None:
    git(project.root, "update-ref", "-d", "HEAD")


def _weights(**how: Any) -> Callable[[Project], None]:
    def change(project: Project) -> None:
        write_weights(project.root / NET, **how)
        project.commit()

    return change


def _whole_model(project: Project) -> None:
    """As torch.save(model) did in old days."""
    torch.save(torch.nn.Linear(4, 16), project.root / NET)
    project.commit()


def _cut_off(project: Project) -> None:
    content = (project.root / NET).read_bytes()
    project.write({NET: content[: len(content) // 2]})
    project.commit()


def _from_a_gpu(project: Project) -> None:
    """Weights that say they were on a GPU, and code that loads them as they were."""
    state = torch.load(project.root / NET, weights_only=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.serialization, "location_tag", lambda _: "cuda:0")
        torch.save(state, project.root / NET)
    project.edit(EXPERIMENT, 'map_location="cpu", ', "")
    project.commit()


def _edited(*changes: tuple[str, str, str]) -> Callable[[Project], None]:
    def change(project: Project) -> None:
        for file, old, new in changes:
            project.edit(file, old, new)
        project.commit()

    return change


def _plan(body: str) -> Callable[[Project], None]:
    """Give the experiment a plan of its own."""
    return _edited(
        (EXPERIMENT, "    def units(", f"    def plan(self, config):\n{body}\n    def units(")
    )


UNIT = "        model = EnergyNet(config.size)\n"


def _in_unit(*lines: str) -> Callable[[Project], None]:
    text = "".join(f"        {line}\n" for line in lines)
    return _edited((EXPERIMENT, UNIT, text + UNIT))


def _site(**how: Any) -> dict[str, Any]:
    return {"site": RecordedCluster(**how)}


def _cluster(**how: Any) -> dict[str, Any]:
    return {"cluster": how}


FAILURES = {
    "a dirty tree": Failure("clean", "toy/data.py changed since", _dirty, "git commit -a"),
    "a detached HEAD": Failure(
        "pushed", "HEAD is detached, on no branch that could be pushed", _detached, "git switch -c"
    ),
    "a moved remote": Failure("remote", "does not answer: fatal:", _moved, "git remote set-url"),
    "a remote whose history was rewritten": Failure(
        "pushed", "origin/main was rewritten or removed there", _rewritten
    ),
    "a remote that went on": Failure("pushed", "has commits that you do not have", _ahead),
    "a missing large file (LFS)": Failure(
        "data_files", "weights/net.pt is a pointer to a large file", _pointer, "git lfs"
    ),
    "a missing large file (annex)": Failure(
        "data_files", "leads to ../.git/annex/objects", _annex, "git annex unannex"
    ),
    "an ignored data file": Failure(
        "tracked", "weights/net.pt not in the commit: ignored by .gitignore:1:*.pt", _ignored_data
    ),
    "a module that was added and never committed": Failure(
        "tracked",
        "toy/extra.py not in the commit: added but never committed",
        _staged,
        "git commit",
    ),
    "a link out of the repository": Failure(
        "tracked", "weights/net.pt is a link to", _link, "cp --remove-destination"
    ),
    "a repository without a commit": Failure(
        "tracked", "has no commit yet", _no_commit, "git commit"
    ),
    "a data file that does not exist": Failure(
        "tracked",
        "data/none.npy named, but there is no such file",
        more={"words": {"data": "data/none.npy"}},
    ),
    "a submodule that was never filled": Failure(
        "submodules", "library is empty", _submodule, "git submodule update --init"
    ),
    "a submodule whose commit is not pushed": Failure(
        "submodules", "library cannot be fetched", _unpushed_submodule, "push"
    ),
    "a Windows line ending in a script": Failure(
        "line_endings", "prepare.sh has Windows line endings", _dos_script, "sed -i"
    ),
    "a CUDA request without a GPU partition": Failure(
        "gpu",
        "gpus = 1, and the nodes of main have none",
        more=_site(gres="(null)") | _cluster(gpus=1) | {"words": {"device": "cuda"}},
    ),
    "CUDA without a request": Failure(
        "gpu",
        "asks for cuda, and gpus = 0",
        fix="gpus = 1",
        more={"words": {"device": "cuda"}},
    ),
    "a partition that is down": Failure("partition", "main is down", more=_site(down=("main",))),
    "a partition that does not exist": Failure(
        "partition", "no partition 'mian'", more=_cluster(partitions=("mian",))
    ),
    "a time limit above the partition's": Failure(
        "partition", "time_minutes = 90, and main has 60", more=_cluster(time_minutes=90)
    ),
    "an account that does not exist": Failure(
        "sbatch", "Invalid account or account/partition", more=_cluster(account="nope")
    ),
    "a full disk": Failure("disk", "0 KiB free", more=_site(free_kib=0)),
    "a log folder that does not exist": Failure(
        "folders", "does not exist", more=_cluster(root="/nowhere/of/this/name")
    ),
    "a clock that is off": Failure(
        "clock", "recorded is 300 s ahead of", more=_site(clock_off=300.0)
    ),
    "no such interpreter": Failure(
        "interpreter", "python3.99 does not start", more=_cluster(python="python3.99")
    ),
    "a file that is nowhere": Failure(
        "tracked",
        "--data names /srv/lost/data.pt, but there is no such file",
        more={"words": {"data": "/srv/lost/data.pt"}},
    ),
    # From here on it takes a dry run to see it.
    "a checkpoint of another device": Failure(
        "device", "deserialize object on a CUDA device", _from_a_gpu, "map_location", runs=True
    ),
    "a time limit under the estimate": Failure(
        "time",
        "for a task of 500",
        _in_unit("import time", "time.sleep(0.2)"),
        "time_minutes = ",
        runs=True,
        more=_cluster(time_minutes=3, units_per_task=500) | {"words": {"problems": "500"}},
    ),
    "memory above the request": Failure(
        "memory",
        "scaled up",
        _in_unit("held = torch.ones(100_000_000)"),
        "memory_mib = ",
        runs=True,
        more=_cluster(memory_mib=500),
    ),
    "a NaN in the model": Failure(
        "finite", "first.weight: 1 of 64 weights are NaN", _weights(bad=True), runs=True
    ),
    "a NaN in the result": Failure(
        "finite",
        "slope: 1 of 1 numbers are NaN",
        _edited(("toy/data.py", "2 * x", "x / 0 * 0")),
        runs=True,
    ),
    "weights that were never trained": Failure(
        "trained", "look as PyTorch draws them", _weights(scale=1.0), "--skip trained", runs=True
    ),
    "an old format: the model pickled whole": Failure(
        "checkpoint", "a pickle of whole objects", _whole_model, "state_dict()", runs=True
    ),
    "a checkpoint that is cut off": Failure("checkpoint", "truncated", _cut_off, runs=True),
    "an option that the config does not have": Failure(
        "config",
        "unknown key 'problem'",
        runs=True,
        more={"words": {"problem": "3"}},
    ),
    "two dtypes": Failure(
        "array_type",
        "same dtype",
        _edited(("toy/data.py", "return x, 2 * x", "return x.double(), 2 * x.double()")),
        runs=True,
    ),
    "a unit that is not pure": Failure(
        "pure",
        "unit 0 differs in slope",
        _edited(("toy/data.py", "generator=generator", "")),
        runs=True,
    ),
    "a dictionary instead of a dataset": Failure(
        "result_shape",
        "run_unit: expected an xarray.Dataset, returned dict",
        _in_unit("return {'slope': [[1.0]]}"),
        runs=True,
    ),
    "code that needs a GPU": Failure(
        "device", "not compiled with CUDA", _in_unit("torch.zeros(1).cuda()"), "device", runs=True
    ),
    "an absolute path in the plan": Failure(
        "paths",
        "the absolute path /nowhere/net.pt",
        _plan(
            "        import dataclasses\n"
            "        return dataclasses.replace(config, note='/nowhere/net.pt')\n"
        ),
        runs=True,
    ),
    "a name of torch that does not exist": Failure(
        "import_name",
        "AttributeError: module 'torch.nn' has no attribute 'Lineer'",
        _edited(("toy/models.py", "nn.Linear(16", "nn.Lineer(16")),
        runs=True,
    ),
    "a file that is not there in the clone": Failure(
        "dry_run",
        "FileNotFoundError",
        _in_unit("(ROOT / 'data' / f'{config.seed}.txt').read_text()"),
        runs=True,
    ),
    "a crash without a traceback": Failure(
        "dry_run",
        "exit code 3 at: computing one unit",
        _in_unit("import os; os._exit(3)"),
        runs=True,
    ),
    "a unit that hangs": Failure(
        "dry_run",
        "still busy after 4 s, at: computing one unit",
        _in_unit("import time", "time.sleep(600)"),
        "smallest(config)",
        runs=True,
        more={"limit_seconds": 4.0},
    ),
}


@pytest.mark.parametrize("name", slow_but(list(FAILURES)[:1], FAILURES))
def test_each_further_failure_is_found_with_its_cause(
    name: str, project: Project, look: Look, tmp_path: Path
) -> None:
    failure = FAILURES[name]
    if name == "an absolute path in the plan":
        project.edit(EXPERIMENT, "    seed: int = 0", '    note: str = ""\n    seed: int = 0')
    failure.break_fn(project)
    checks = look(project, skip=() if failure.runs else ("dry_run",), **failure.more)
    failing = {check.id: check.found for check in checks.values() if check.status == "fail"}
    assert list(failing) == [failure.id], failing
    check = checks[failure.id]
    assert failure.found in check.found
    assert failure.fix in check.fix
    assert check.expected
    assert check.fix
    assert "Traceback" not in check.found


@pytest.mark.parametrize("name", ['it\'s a "toy"; $HOME', "with\ttab and ünïcode", "-dash", "a%b"])
def test_an_odd_path_is_no_failure(name: str, tmp_path: Path, look: Look) -> None:
    checks = look(make_project(tmp_path, name=name))
    assert not [check for check in checks.values() if check.status == "fail"]


def test_an_odd_root_on_the_cluster_gives_a_script_that_bash_can_read(
    project: Project, look: Look, tmp_path: Path
) -> None:
    root = tmp_path / 'it\'s "here"; rm -rf $HOME'
    root.mkdir()
    checks = look(project, skip=("dry_run",), cluster={"root": str(root)})
    assert {checks[name].status for name in ("script", "folders", "sbatch")} == {"pass"}


def test_a_checkpoint_outside_of_the_repository_is_sent_by_its_content(
    project: Project, look: Look
) -> None:
    outside = project.root.with_name("outside.pt")
    (project.root / NET).rename(outside)
    project.commit()
    checks = look(project, {"weights": str(outside)})
    assert [check for check in checks.values() if check.status == "fail"] == []
    assert f"{outside} not in it, named by the config: sent by content" in checks["tracked"].found
    assert "1 of them files that are sent by content" in checks["paths"].found
    assert checks["trained"].status == "pass"


def test_a_detached_head_that_is_on_the_remote_may_run(project: Project, look: Look) -> None:
    git(project.root, "switch", "--quiet", "--detach")
    assert look(project, skip=("dry_run",))["pushed"].status == "pass"


def test_a_commit_behind_the_remote_is_pushed(project: Project, look: Look) -> None:
    """What others pushed since is fetched beside the repository, which stays as it is."""
    other = project.root.with_name("other")
    git(project.root.parent, "clone", "--quiet", str(project.origin), str(other))
    git(other, "commit", "--quiet", "--allow-empty", "-m", "of others")
    git(other, "push", "--quiet")
    before = git(project.root, "count-objects", "-v")
    assert look(project, skip=("dry_run",))["pushed"].status == "pass"
    assert git(project.root, "count-objects", "-v") == before


def test_an_unpushed_commit_can_be_allowed_and_is_still_told(project: Project, look: Look) -> None:
    project.write({"README.md": "Changed.\n"})
    project.commit(push=False)
    check = look(project, skip=("dry_run",), allow_unpushed=True)["pushed"]
    assert check.status == "not_checked"
    assert "--allow-unpushed was given" in check.found
    assert "is not on origin" in check.found


def test_without_a_session_nothing_of_the_cluster_is_known(project: Project, look: Look) -> None:
    def gone(_: object) -> Completed:
        raise SessionGoneError("cluster: no open ssh session. Open it: ssh -fNM cluster")

    site = RecordedCluster(answers={"scontrol": gone, "date": gone, "sh": gone, "bash": gone})
    checks = look(project, skip=("dry_run",), site=site)
    for name in ("clock", "partition", "folders", "script"):
        assert checks[name].status == "not_checked"
        assert "no open ssh session" in checks[name].found


def test_a_closed_sacctmgr_is_not_a_full_queue(project: Project, look: Look) -> None:
    site = RecordedCluster(
        answers={"sacctmgr": lambda _: Completed(1, "", "sacctmgr: error: Access denied")}
    )
    checks = look(project, skip=("dry_run",), site=site)
    assert checks["queue"].status == "not_checked"
    assert checks["sbatch"].status == "pass"


def test_a_token_in_the_remote_s_address_is_not_printed(project: Project, look: Look) -> None:
    address = "http://user:secret-token@127.0.0.1:9/a.git"
    git(project.root, "remote", "set-url", "origin", address)
    checks = look(project, skip=("dry_run",))
    assert checks["remote"].status == "fail"
    assert "127.0.0.1" in checks["remote"].found
    assert not [check for check in checks.values() if "secret" in str(check.as_mapping())]


def test_the_working_tree_is_left_as_it_was(project: Project, look: Look) -> None:
    look(project)
    assert git(project.root, "status", "--porcelain", "--ignored") == ""
