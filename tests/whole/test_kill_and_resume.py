"""A run cannot be lost: killed, damaged, without disk, finished by two at once, it ends the same.

``make soak`` has more kills of the first kind.
"""

import contextlib
import functools
import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

import ired_interp as ii
from ired_interp.cli import main
from ired_interp.runs.execution import collate_run
from killing import (
    Undisturbed,
    What,
    assert_same,
    finish,
    kill_and_resume,
    prepare,
    start,
    undisturbed,
    wait_for_plan,
)
from tiers import slow, slow_but


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("kills")
    prepare(path)
    return path


@pytest.fixture(scope="module")
def whole(folder: Path) -> Callable[[What], Undisturbed]:
    """The run of a kind that nobody killed, made when it is first asked for."""
    return functools.cache(lambda what: undisturbed(what, folder))


@pytest.mark.parametrize("seed", slow_but({0}, range(5)))
def test_a_killed_run_ends_with_the_same_bytes(
    seed: int, folder: Path, whole: Callable[[What], Undisturbed]
) -> None:
    what: What = "exp001" if seed % 2 else "waiting"
    kill_and_resume(what, whole(what), folder, seed)


@pytest.fixture(scope="module")
def roomy(folder: Path) -> Path:
    """A run of large units, made where there is room for them."""
    with contextlib.chdir(folder):
        assert main([*_LARGE.split(), "--out", "roomy"]) == 0
    return folder / "roomy"


def copied(whole: Path, to: Path) -> Path:
    """A run whose shards are there, to be collated again."""
    shutil.copytree(whole, to)
    (to / "results.h5").unlink()
    (to / "report.html").unlink()
    return to


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [truncate, flip, empty, Path.unlink])
@pytest.mark.parametrize("name", ["unit-00003.h5", "unit-00003.json"])
def test_a_damaged_shard_is_computed_again(
    name: str,
    damage: object,
    folder: Path,
    whole: Callable[[What], Undisturbed],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    run = copied(whole("waiting").path, tmp_path / "run")
    assert callable(damage)
    damage(run / "shards" / name)
    lost = name.endswith(".h5") and damage is Path.unlink
    state = "missing" if lost else "damaged"
    assert main(["status", str(run)]) == 0
    assert f"11 done, 1 {state}" in capsys.readouterr().out
    with pytest.raises(OSError, match=r"1 of 12 units are missing or damaged:\n.*unit-00003"):
        collate_run(ii.open_run(run))
    assert main(["resume", str(run)]) == 0
    assert_same(run, whole("waiting").path)
    log = (run / "log.txt").read_text()
    assert ("computed again" in log) == (not lost)
    assert Counter(log.split())["done"] == 13  # the twelve, and the one again


@slow
def test_two_resumes_at_once_share_the_work(folder: Path) -> None:
    words = "run waiting_experiment.py --units 8 --seconds 1"
    first = start(f"{words} --out twice", folder)
    wait_for_plan(folder / "twice", first)
    first.kill()
    finish(first)
    for process in [start("resume twice", folder) for _ in range(2)]:
        code, said = finish(process)
        assert code == 0, said
    lines = (folder / "twice/log.txt").read_text().splitlines()
    done = [line for line in lines if " done in " in line]
    assert len(done) == 8, done  # not one of them twice
    assert len([line for line in lines if "collated" in line]) in (1, 2)
    assert not list((folder / "twice/running").iterdir())
    code, said = finish(start(f"{words} --workers 4 --out once", folder))
    assert code == 0, said
    assert_same(folder / "twice", folder / "once")


_LARGE = "run waiting_experiment.py --numbers 8000 --seconds 0"
_ON_A_SMALL_DISK = """
set -u
mount -t tmpfs -o size=600k none disk || exit 99
"$PYTHON" -m ired_interp.cli run waiting_experiment.py --numbers 8000 --seconds 0 --out disk/run
echo "first: $?"
ls disk/run/shards > kept.txt
mount -o remount,size=64m disk
"$PYTHON" -m ired_interp.cli resume disk/run || exit 98
cp -r disk/run "$OUT"
"""
_ON_SMALL_FILES = """
import resource, sys
from ired_interp.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY))
sys.exit(main(sys.argv[1:]))
"""


@slow
def test_a_full_disk_stops_the_run_and_loses_nothing(
    folder: Path, roomy: Path, tmp_path: Path
) -> None:
    """On a real file system of 600 KiB where this user may mount one."""
    (folder / "disk").mkdir()
    private = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", _ON_A_SMALL_DISK]
    done = subprocess.run(
        private,
        cwd=folder,
        env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "OMP_NUM_THREADS": "1"}
        | {"PYTHON": sys.executable, "OUT": str(tmp_path / "run"), "PYTHONPATH": _path()},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 99 or "unshare" in done.stderr:
        _refused_file(folder, roomy)
        return
    assert done.returncode == 0, done.stderr
    assert "the disk is full; free some space" in done.stderr
    assert "first: 1" in done.stdout
    kept = [name for name in (folder / "kept.txt").read_text().split() if name.endswith(".h5")]
    assert 1 <= len(kept) < 12
    assert_same(tmp_path / "run", roomy)


def _refused_file(folder: Path, roomy: Path) -> None:
    """Without a right to mount: files may not grow beyond 60 kB, less than a shard."""
    shutil.rmtree(folder / "refused", ignore_errors=True)
    done = subprocess.run(
        [sys.executable, "-c", _ON_SMALL_FILES, *_LARGE.split(), "--out", "refused"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "cannot write refused/shards/unit-00000.h5: File too large" in done.stderr
    with contextlib.chdir(folder):
        assert main(["resume", "refused"]) == 0
    assert_same(folder / "refused", roomy)


def test_a_file_that_may_not_grow_is_refused_like_a_full_disk(folder: Path, roomy: Path) -> None:
    _refused_file(folder, roomy)


def _path() -> str:
    return str(Path(ii.__file__).parents[1])


def test_what_is_recorded_of_a_unit(whole: Callable[[What], Undisturbed]) -> None:
    run = whole("waiting").path
    record = json.loads((run / "shards/unit-00002.json").read_text())
    head = json.loads((run / "run.json").read_text())
    assert record["plan_sha256"] == head["plan_sha256"]
    assert record["bytes"] == (run / "shards/unit-00002.h5").stat().st_size
    assert 0 < record["seconds"] < 100
    assert 50e6 < record["start_memory_bytes"] <= record["peak_memory_bytes"] < 4e9
    assert record["code"]["package_sha256"] == head["provenance"]["package_sha256"]
    assert record["host"] == head["provenance"]["host"]
