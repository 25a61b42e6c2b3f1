"""The command: what it prints, what it exits with, and that it runs what it says it runs."""

import json
from pathlib import Path

import pytest

import ired_interp
from ired_interp.cli import main
from ired_interp.preflight.check import CHECKS
from ired_interp.preflight.run import Wishes, preflight
from preflight_projects import EXPERIMENT, Project
from recorded_slurm import RecordedCluster, cluster_config

pytest_plugins = ("preflight_fixtures",)

DOCS = Path(__file__).parents[2] / "docs" / "preflight.md"


def test_a_sound_project_passes_with_the_interpreter_and_pip_as_they_are(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing stands in for anything: a new process, and pip."""
    monkeypatch.chdir(project.root)
    assert main(["preflight", EXPERIMENT, "--json", "--problems", "3", "--levels=2"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["ok"] is True
    checks = {check["id"]: check for check in content["checks"]}
    assert set(checks) == set(CHECKS)
    assert set(checks["tracked"]) == {"id", "status", "found", "expected", "fix", "seconds"}
    assert {checks[name]["status"] for name in ("environment", "dry_run", "time")} == {"pass"}
    assert "3 units" in checks["time"]["found"]
    assert {c["status"] for c in checks.values()} == {"pass", "not_checked"}
    # What there is no cluster for is said, and fails nothing.
    assert "no --cluster was named" in checks["queue"]["found"]


def test_the_words_of_a_failure_fit_on_a_screen(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.edit("toy/data.py", "2 * x\n", "3 * x\n")
    words = ["preflight", project.reference, "--skip", "dry_run", "--skip", "environment"]
    assert main(words) == 1
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) < 40
    (at,) = [i for i, line in enumerate(shown) if line.startswith("FAIL")]
    assert "clean" in shown[at]
    assert shown[at + 1].split()[0] == "expected"
    assert "git commit -a" in shown[at + 2]
    assert shown[-1].startswith("1 failed, ")
    assert "not checked" in shown[-1]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--skip", "nothing"], "--skip: expected one of reference"),
        (["--problems"], "expected a value after --problems"),
        (["4"], "expected '--field value'"),
        (["--cluster", "none", "--clusters", "missing.toml"], "missing.toml: no such file"),
    ],
)
def test_a_wrong_command_line_is_an_error_of_one_paragraph(
    words: list[str], text: str, project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["preflight", project.reference, *words]) == 1
    said = capsys.readouterr()
    assert "".join(said.err.split()).count("".join(text.split())) == 1
    assert "Traceback" not in said.err + said.out


def test_an_experiment_that_is_not_there_fails_the_first_check(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["preflight", "nowhere/experiment.py", "--json"]) == 1
    first, *others = json.loads(capsys.readouterr().out)["checks"]
    assert (first["id"], first["status"]) == ("reference", "fail")
    assert {check["status"] for check in others} == {"not_checked"}


def test_the_docs_list_every_id() -> None:
    rows = [
        line.split("|")[1].strip() for line in DOCS.read_text("utf-8").splitlines() if "| `" in line
    ]
    listed = [row.strip("`") for row in rows if row.startswith("`")]
    assert listed == list(CHECKS)


def test_a_requirements_file_that_does_not_resolve(project: Project, git_alone: None) -> None:
    project.write({"requirements.txt": "ired-interp\ntorch\nxarray\nnumpy==0.0.1\n"})
    project.commit()
    wishes = Wishes(skip=("dry_run",))
    checks = {check.id: check for check in preflight(project.reference, {}, wishes)}
    check = checks["environment"]
    assert check.status == "fail"
    assert "requirements.txt does not resolve" in check.found
    assert "numpy==0.0.1" in check.found


def test_an_import_that_the_requirements_do_not_ask_for(project: Project, git_alone: None) -> None:
    project.write({"requirements.txt": "ired-interp\n"})
    project.edit("toy/data.py", "import torch\n", "import torch\nimport pytest\n")
    project.commit()
    wishes = Wishes(skip=("dry_run",))
    checks = {check.id: check for check in preflight(project.reference, {}, wishes)}
    check = checks["environment"]
    assert "toy/data.py:2 imports pytest, which requirements.txt does not ask for" in check.found
    assert check.fix == "echo pytest >> requirements.txt"


@pytest.mark.parametrize(("where", "status"), [("cluster", "fail"), ("here", "not_checked")])
def test_no_requirements_file_fails_where_a_cluster_needs_one(
    where: str, status: str, project: Project, tmp_path: Path, git_alone: None
) -> None:
    project.write({"requirements.txt": None})
    project.commit()
    cluster = cluster_config(root=str(tmp_path)) if where == "cluster" else None
    wishes = Wishes(cluster=cluster, skip=("dry_run",), open_fn=lambda _: RecordedCluster())
    checks = {check.id: check for check in preflight(project.reference, {}, wishes)}
    assert checks["environment"].status == status
    assert "no requirements.txt" in checks["environment"].found


def test_a_fresh_environment_is_built_and_used(project: Project, git_alone: None) -> None:
    """Without ired-interp in it, which shows that the dry run was not made in this one."""
    project.write({"requirements.txt": "# none\n"})
    project.commit()
    wishes = Wishes(fresh_env=True)
    checks = list(preflight(project.reference, {}, wishes))
    (built,) = [check for check in checks if check.id == "environment" and check.status == "pass"]
    assert "built anew from requirements.txt" in built.found
    (missing,) = [check for check in checks if check.status == "fail"]
    assert missing.id == "environment"
    assert "No module named 'ired_interp'" in missing.found


def test_the_experiment_of_the_package_is_found_in_its_own_checkout() -> None:
    checks = {c.id: c for c in preflight("exp001", {}, Wishes(skip=("dry_run", "environment")))}
    root = Path(ired_interp.__file__).parents[2]
    if (root / ".git").exists():
        assert checks["tracked"].status in ("pass", "fail")
        assert checks["clone"].status == "pass"
    else:
        assert "installed package" in checks["tracked"].found
    assert checks["dry_run"].status == "not_checked"
