"""What the doctor says of a machine: each check can fail, and says what mends it."""

import json
import os
import webbrowser
from pathlib import Path

import pytest

from ired_interp.cli import main
from ired_interp.doctor import checkup
from ired_interp.doctor.checkup import (
    check_browser,
    check_disk,
    check_gpu,
    check_hessian,
    check_interpreter,
    check_memory,
    check_packages,
    check_threads,
)
from ired_interp.doctor.machine import Gpu, available_bytes, gpus, this_machine
from ired_interp.preflight.check import OF_A_MACHINE, passed

H200 = Gpu("NVIDIA H200", "550.90", 0.0)


def test_this_machine_is_looked_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(checkup, "check_browser", lambda: passed("browser", "one"))
    code = main(["doctor", "--out", str(tmp_path), "--json"])
    told = json.loads(capsys.readouterr().out)
    checks = {check["id"]: check for check in told["checks"]}
    assert list(checks) == list(OF_A_MACHINE)
    wrong = [check for check in told["checks"] if check["status"] == "fail"]
    assert (code, told["ok"]) == (0, True), wrong
    assert checks["hessian"]["status"] == "pass"
    assert checks["session"]["status"] == "not_checked"
    assert "--cluster NAME" in checks["session"]["found"]


def test_one_failure_makes_the_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkup, "_LEAST_DISK", 2**80)
    assert main(["doctor", "--out", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "FAIL disk" in said
    assert "to mend" in said


def test_advice_is_told_and_stops_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "999")
    monkeypatch.setattr(checkup, "check_browser", lambda: passed("browser", "one"))
    assert main(["doctor", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "advice threads" in said
    assert "0 failed, 1 to be better" in said
    assert main(["doctor", "--out", str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["ok"]
    assert [check["id"] for check in told["checks"] if check.get("advice")] == ["threads"]


def test_every_check_is_in_the_docs() -> None:
    page = (Path(__file__).parents[2] / "docs" / "doctor.md").read_text(encoding="utf-8")
    for name in OF_A_MACHINE:
        assert f"| `{name}` |" in page


def test_interpreter() -> None:
    assert check_interpreter(">=3.11", "3.13.0rc1").status == "pass"
    failed = check_interpreter(">=3.11", "3.10.14")
    assert (failed.status, failed.expected) == ("fail", "Python >=3.11")


def test_packages() -> None:
    assert check_packages(["torch>=2", 'nowhere>=1; extra == "dev"']).status == "pass"
    failed = check_packages(["torch>=99", "no-such-package>=1"])
    assert failed.status == "fail"
    assert "no-such-package missing" in failed.found
    assert "'torch>=99'" in failed.fix


def test_a_wrong_hessian_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_hessian("cpu").status == "pass"
    right = checkup._quartic
    monkeypatch.setattr(checkup, "_quartic", lambda y: right(y) * (1 + 1e-9))
    assert check_hessian("cpu").status == "fail"


def test_threads() -> None:
    assert check_threads(4, {"torch": 4}, {"OMP_NUM_THREADS": "4"}).status == "pass"
    failed = check_threads(4, {"torch": 4, "openblas": 64}, {"MKL_NUM_THREADS": "8"})
    assert failed.status == "fail"
    assert "(openblas, MKL_NUM_THREADS)" in failed.expected


def test_memory_and_disk(tmp_path: Path) -> None:
    available = available_bytes()
    assert available is not None
    assert available > 2**20
    assert check_memory(2**29).status == "fail"
    assert check_memory(None).status == "not_checked"
    assert check_disk(tmp_path / "not" / "yet", this_machine(tmp_path)).status == "pass"


def test_gpu() -> None:
    assert check_gpu(None, None, usable=False).status == "pass"
    without = check_gpu((H200,), None, usable=False)
    assert without.status == "fail"
    assert "built without CUDA" in without.found
    mismatch = check_gpu((H200,), "13.0", usable=False)
    assert "built for CUDA 13.0 and finds no GPU" in mismatch.found


def test_nvidia_smi_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpus() is None
    tool = tmp_path / "nvidia-smi"
    tool.write_text(
        "#!/bin/sh\necho 'NVIDIA A100, 550.90, 12'\necho 'NVIDIA A100, 550.90, [N/A]'\n"
    )
    tool.chmod(0o755)
    assert gpus() == (Gpu("NVIDIA A100", "550.90", 12.0), Gpu("NVIDIA A100", "550.90", None))
    tool.write_text("#!/bin/sh\necho 'driver gone' >&2; exit 9\n")
    assert gpus() is None


def test_a_missing_browser_fails_and_says_that_it_is_for_open_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def none() -> None:
        raise webbrowser.Error

    monkeypatch.setattr(webbrowser, "get", none)
    monkeypatch.setenv("PATH", str(tmp_path))
    failed = check_browser()
    assert failed.status == "fail"
    assert "--open alone" in failed.expected
    browser = tmp_path / "firefox"
    browser.touch(mode=0o755)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert "no display" in check_browser().found


def test_a_cluster_that_does_not_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clusters = tmp_path / "clusters.toml"
    clusters.write_text('[here]\nroot = "/nowhere"\n[there]\nroot = "/x"\nhost = "no-such-host"\n')
    bare = tmp_path / "bin"
    bare.mkdir()
    for name in ("git", "ssh"):
        found = next(
            Path(p) / name for p in os.environ["PATH"].split(":") if (Path(p) / name).exists()
        )
        (bare / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(bare))
    words = ["doctor", "--out", str(tmp_path), "--clusters", str(clusters), "--json"]
    assert main([*words, "--cluster", "here"]) == 1
    checks = {c["id"]: c for c in json.loads(capsys.readouterr().out)["checks"]}
    assert checks["session"]["status"] == "pass"
    assert checks["rsync"]["status"] == "fail"
    assert "'submit' and 'fetch' copy" in checks["rsync"]["expected"]
    assert checks["slurm"]["status"] == "fail"
    assert "scontrol: command not found" in checks["slurm"]["found"]
    assert main([*words, "--cluster", "there"]) == 1
    checks = {c["id"]: c for c in json.loads(capsys.readouterr().out)["checks"]}
    assert checks["session"]["status"] == "fail"
    assert "ssh -fNM no-such-host" in checks["session"]["found"]
    assert checks["slurm"]["status"] == "not_checked"
