"""Eleven submissions of EXP-001 failed for these reasons; each is found, with its cause."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from ired_interp.preflight.check import CHECKS, Check
from preflight_projects import EXPERIMENT, Project, git, make_project, write_weights
from recorded_slurm import RecordedCluster

pytest_plugins = ("preflight_fixtures",)


@dataclass(frozen=True)
class Failure:
    """How to get there, and what must be said."""

    id: str
    found: str
    break_fn: Callable[[Project], None]
    fix: str = ""
    site: RecordedCluster | None = None
    cluster: dict[str, object] | None = None


def _never_committed(project: Project) -> None:
    project.write({".gitignore": "__pycache__/\n"})
    git(project.root, "rm", "-r", "--quiet", "--cached", "experiments")
    git(project.root, "commit", "--quiet", "-a", "-m", "without the experiment")
    git(project.root, "push", "--quiet")


def _changed(file: str, old: str, new: str) -> Callable[[Project], None]:
    def change(project: Project) -> None:
        project.edit(file, old, new)
        project.commit()

    return change


def _model_of_size_20(project: Project) -> None:
    write_weights(project.root / "weights/net.pt", size=20)
    project.edit(EXPERIMENT, "EnergyNet(config.size)", "EnergyNet(20)")
    project.commit()


def _not_pushed(project: Project) -> None:
    project.write({"README.md": "Changed.\n"})
    project.commit(push=False)


FAILURES = {
    "1 project directory never committed": Failure(
        "tracked",
        "the folder experiments/slope was never committed",
        _never_committed,
        fix="git add experiments/slope",
    ),
    "2 module name wrong": Failure(
        "import_module",
        f"{EXPERIMENT}:10: no module 'toy.mesure'",
        _changed(EXPERIMENT, "from toy.measure", "from toy.mesure"),
        fix="toy.measure",
    ),
    "3 class name wrong": Failure(
        "import_name",
        f"{EXPERIMENT}:11: toy.models has no 'EnergyNetwork'",
        _changed(EXPERIMENT, "import EnergyNet\n", "import EnergyNetwork as EnergyNet\n"),
        fix="EnergyNet",
    ),
    "4 queue limit reached": Failure(
        "queue",
        "QOSMaxSubmitJobPerUserLimit",
        lambda _: None,
        fix="units_per_task = 2",
        site=RecordedCluster(queued=("capped", "capped")),
        cluster={"qos": "capped"},
    ),
    "5 arrays instead of tensors": Failure(
        "array_type",
        "numpy.ndarray",
        _changed("toy/data.py", "return x, 2 * x", "return x.numpy(), (2 * x).numpy()"),
        fix="torch.as_tensor",
    ),
    "6 library called without its required argument": Failure(
        "call_signature",
        "missing 1 required positional argument: 'inputs'",
        _changed("toy/measure.py", "model(x, y).sum(), y)", "model(x, y).sum())"),
        fix="toy/measure.py:7",
    ),
    "7 model called with the wrong number of arguments": Failure(
        "call_signature",
        "forward() takes 3 positional arguments but 4 were given",
        _changed("toy/measure.py", "model(x, y).sum()", "model(x, y, level).sum()"),
        fix="model(x, y, level)",
    ),
    "8 model of size 20 on data of size 2": Failure(
        "dims", "mat1 and mat2 shapes cannot be multiplied (1x4 and 40x16)", _model_of_size_20
    ),
    "9 commit not pushed": Failure(
        "pushed",
        "(main) is not on origin: 1 commit ahead of origin/main",
        _not_pushed,
        fix="git push origin main",
    ),
    "10 an unexpected keyword": Failure(
        "call_signature",
        "draw() got an unexpected keyword argument 'dim'",
        _changed(EXPERIMENT, "size=config.size)", "dim=config.size)"),
        fix="draw(1, seed",
    ),
    "11 a nested return that will not become an array": Failure(
        "result_shape",
        "inhomogeneous shape",
        _changed(
            EXPERIMENT,
            "torch.stack(values, dim=1).numpy())}",
            "[[v.tolist() for v in values], [0.0]])}",
        ),
        fix="one array a variable",
    ),
}


@pytest.mark.parametrize("name", FAILURES)
def test_each_of_the_eleven_is_found_with_its_cause(
    name: str, project: Project, look: Callable[..., dict[str, Check]]
) -> None:
    failure = FAILURES[name]
    failure.break_fn(project)
    checks = look(project, site=failure.site, cluster=failure.cluster)
    failing = {check.id: check for check in checks.values() if check.status == "fail"}
    assert list(failing) == [failure.id], failing
    check = failing[failure.id]
    assert failure.found in check.found
    assert failure.fix in check.fix
    assert check.expected
    assert "Traceback" not in check.found


def test_where_nothing_is_wrong_everything_passes(
    project: Project, look: Callable[..., dict[str, Check]]
) -> None:
    checks = look(project)
    assert set(checks) == set(CHECKS)
    others = {name: check for name, check in checks.items() if check.status != "pass"}
    assert set(others) == {"environment"}, others  # which the fixture skips


def test_an_ignored_folder_is_invisible_to_git_status_and_still_found(
    tmp_path: Path, look: Callable[..., dict[str, Check]]
) -> None:
    project = make_project(tmp_path, name="ignored")
    git(project.root, "rm", "-r", "--quiet", "--cached", "experiments")
    project.write({".gitignore": "experiments/\n"})
    project.commit()
    check = look(project, skip=("dry_run",))["tracked"]
    assert "ignored by .gitignore:1:experiments/" in check.found
    assert "git add -f" in check.fix
