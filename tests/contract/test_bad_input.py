"""Bad input on the command line: a message that says what was found, exit 1, nothing written.

Each case is a command line, prepared in an empty folder, and what its message must say.
"""

import atexit
import contextlib
import errno
import functools
import json
import os
import pickle
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import tiny
from ired_interp.cli import main
from ired_interp.models.checkpoint import write_checkpoint

OUT = "new/out"


@dataclass(frozen=True)
class Case:
    """A command line that must fail, the files it needs, and what it must say."""

    name: str
    words: str
    says: str
    prepare: Callable[[Path], object] = lambda _: None


def run(options: str, *, model: str = "m.safetensors") -> str:
    return f"run exp001 --model {model} --out {OUT} {options}"


def sound(folder: Path) -> None:
    tiny.checkpoint(folder / "m.safetensors")


def truncated(folder: Path) -> None:
    sound(folder)
    path = folder / "m.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


def foreign(folder: Path) -> None:
    save_file({"a": torch.zeros(2)}, folder / "m.safetensors")


def newer(folder: Path) -> None:
    metadata = {"format": "ired-interp-model", "version": "99", "card": "{}"}
    save_file(tiny.weights(), folder / "m.safetensors", metadata=metadata)


def bad_card(folder: Path) -> None:
    metadata = {"format": "ired-interp-model", "version": "1", "card": "{}"}
    save_file(tiny.weights(), folder / "m.safetensors", metadata=metadata)


def nan_weights(folder: Path) -> None:
    state = tiny.weights()
    state["fc2.weight"] = state["fc2.weight"].clone()
    state["fc2.weight"][3, 4] = torch.nan
    write_checkpoint(folder / "m.safetensors", state, tiny.card())


def missing_tensor(folder: Path) -> None:
    state = tiny.weights()
    del state["t_map_fc3.bias"]
    write_checkpoint(folder / "m.safetensors", state, tiny.card())


def wrong_shape(folder: Path) -> None:
    state = tiny.weights() | {"fc3.weight": torch.zeros(16, 15)}
    write_checkpoint(folder / "m.safetensors", state, tiny.card())


def card_of_other_size(folder: Path) -> None:
    card = tiny.card(size=3, dim_x=9, dim_y=9)
    write_checkpoint(folder / "m.safetensors", tiny.weights(), card)


def reference(folder: Path) -> None:
    tiny.reference(folder / "m.pt")


def reference_without_ema(folder: Path) -> None:
    tiny.reference(folder / "m.pt", ema=None)


def reference_truncated(folder: Path) -> None:
    reference(folder)
    path = folder / "m.pt"
    path.write_bytes(path.read_bytes()[:5000])


class Evil:
    """Runs a command when unpickled by a loader that trusts files."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch owned",)


def reference_with_code(folder: Path) -> None:
    torch.save({"model": Evil()}, folder / "m.pt")


def plain_pickle(folder: Path) -> None:
    (folder / "m.pt").write_bytes(pickle.dumps(Evil()))


def reference_of_100_levels(folder: Path) -> None:
    reference(folder)
    content = torch.load(folder / "m.pt", weights_only=True)
    content["ema"]["ema_model.alphas_cumprod"] = torch.linspace(1, 0, 100)
    torch.save(content, folder / "m.pt")


def reference_of_other_schedule(folder: Path) -> None:
    reference(folder)
    content = torch.load(folder / "m.pt", weights_only=True)
    content["ema"]["ema_model.alphas_cumprod"] = torch.linspace(1, 0, 10)
    torch.save(content, folder / "m.pt")


def array(values: object) -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        sound(folder)
        np.save(folder / "x.npy", np.array(values), allow_pickle=True)

    return prepare


def planned(folder: Path) -> None:
    """A finished run of one problem: a copy, since making one takes seconds."""
    shutil.copytree(_made_once(), folder, dirs_exist_ok=True)


@functools.cache
def _made_once() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="ired-interp-bad-input-"))
    atexit.register(shutil.rmtree, folder)
    sound(folder)
    words = "run exp001 --model m.safetensors --problems 1 --levels 1 --controls 0 --out run"
    with contextlib.chdir(folder):
        assert main(words.split()) == 0
    return folder


def edited(**changes: object) -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        planned(folder)
        head = json.loads((folder / "run/run.json").read_text())
        (folder / "run/run.json").write_text(json.dumps(head | changes))

    return prepare


def unfinished(folder: Path) -> None:
    planned(folder)
    (folder / "run/results.h5").unlink()
    (folder / "run/report.html").unlink()


def without_shards(folder: Path) -> None:
    unfinished(folder)
    (folder / "run/shards/unit-00000.h5").unlink()


def other_code_since(folder: Path) -> None:
    without_shards(folder)
    head = json.loads((folder / "run/run.json").read_text())
    head["provenance"]["torch"] = "1.0"
    (folder / "run/run.json").write_text(json.dumps(head))


def damaged_results(folder: Path) -> None:
    planned(folder)
    (folder / "run/results.h5").write_bytes(b"not HDF5")


def damaged_state(folder: Path) -> None:
    words = "train inverse --size 2 --width 16 --steps 2 --batch-size 2 --out t"
    assert main(words.split()) == 0
    (folder / "t/state.safetensors").write_bytes(b"12345678{")


def a_file(folder: Path) -> None:
    sound(folder)
    (folder / "new").write_text("a file, not a folder")


def a_folder(folder: Path) -> None:
    sound(folder)
    (folder / OUT).mkdir(parents=True)


CASES = [
    Case("no command", "", "required: COMMAND"),
    Case("unknown command", "rum exp001", "invalid choice: 'rum'"),
    Case("unknown experiment", "run exp-001", "Did you mean 'exp001'"),
    Case("unknown option", run("--problem-count 3"), "unrecognized arguments", sound),
    Case("unknown model", run("", model="inverse-44"), "expected one of"),
    Case("missing checkpoint", run("", model="gone/m.safetensors"), "no such file"),
    Case("folder as checkpoint", run("", model="."), "found a folder"),
    Case("empty", run(""), "empty file", lambda f: (f / "m.safetensors").touch()),
    Case(
        "text as checkpoint",
        run(""),
        "not a checkpoint",
        lambda f: (f / "m.safetensors").write_text("hello, this is no checkpoint"),
    ),
    Case("truncated", run(""), "damaged or truncated", truncated),
    Case("other tensors", run(""), "not a model of ired-interp", foreign),
    Case("newer format", run(""), "Upgrade", newer),
    Case("card without fields", run(""), "card in the header is damaged", bad_card),
    Case("NaN weights", run(""), "fc2.weight: expected finite weights, found 1", nan_weights),
    Case("missing tensor", run(""), "t_map_fc3.bias", missing_tensor),
    Case("wrong shape", run(""), "fc3.weight: expected shape (16, 16)", wrong_shape),
    Case("card against weights", run(""), "expected dim_x = 9", card_of_other_size),
    Case("online weights of ours", run("--weights online"), "ema ones alone", sound),
    Case("unknown weights", run("--weights best"), "ema", sound),
    Case("task against card", run("--task addition"), "trained on 'inverse'", sound),
    Case(
        "reference without task", run("", model="m.pt"), "completion, inverse, gaussian", reference
    ),
    Case(
        "reference with a task that does not fit",
        run("--task addition", model="m.pt"),
        "expected dim_x = 8 and dim_y = 4",
        reference,
    ),
    Case("unknown task", run("--task inverze", model="m.pt"), "Did you mean 'inverse'", reference),
    Case("no moving average", run("", model="m.pt"), "'ema' in it", reference_without_ema),
    Case("truncated reference", run("", model="m.pt"), "truncated", reference_truncated),
    Case("code in a checkpoint", run("", model="m.pt"), "was not run", reference_with_code),
    Case("plain pickle", run("", model="m.pt"), "not a checkpoint", plain_pickle),
    Case("other levels", run("", model="m.pt"), "found one of 100", reference_of_100_levels),
    Case("other schedule", run("", model="m.pt"), "cosine", reference_of_other_schedule),
    Case("level 0", run("--levels 0,1"), "level 0 is outside 1 … 10", sound),
    Case("level 11", run("--levels 11"), "level 11 is outside 1 … 10", sound),
    Case("level in words", run("--levels one"), "expected a whole number, found 'one'", sound),
    Case("fractional level", run("--levels 1.5"), "found '1.5'", sound),
    Case("level twice", run("--levels 1,1"), "different levels", sound),
    Case("no problems", run("--problems 0"), "problems: expected at least 1", sound),
    Case("problems in words", run("--problems many"), "found 'many'", sound),
    Case("unknown point", run("--point centre"), "typical, scaled_solution", sound),
    Case("unknown difficulty", run("--difficulty hard"), "same, harder", sound),
    Case("negative seed", run("--seed -1"), "0 … 2^64 - 1, found -1", sound),
    Case("half precision", run("--dtype float16"), "float64, float32", sound),
    Case("no such device", run("--device cuda:77"), "found 'cuda:77'", sound),
    Case("a device without numbers", run("--device meta"), "found 'meta'", sound),
    Case(
        "experiment forgotten",
        "run --problems 2",
        "expected an experiment (exp001, exp002, exp004, exp005, exp006, exp007, exp011)",
    ),
    Case(
        "difficulty of given questions",
        f"solve --model m.safetensors --input x.npy --difficulty harder --out {OUT}",
        "--difficulty is for drawn problems",
        array(np.zeros((1, 4))),
    ),
    Case("bound 0", run("--bound 0"), "bound: expected a finite number > 0", sound),
    Case("out exists", run(""), "exists already (a folder)", a_folder),
    Case("out below a file", run(""), "cannot write", a_file),
    Case(
        "out where nothing can be made",
        "run exp001 --model m.safetensors --out /proc/none/out",
        "cannot write /proc/none/out",
        sound,
    ),
    Case("no input", f"solve --model m.safetensors --out {OUT}", "required", sound),
    Case(
        "two inputs",
        f"solve --model m.safetensors --problems 2 --input x.npy --out {OUT}",
        "not allowed with",
        sound,
    ),
    Case(
        "solve no problems",
        f"solve --model m.safetensors --problems 0 --out {OUT}",
        "problems: expected at least 1",
        sound,
    ),
    Case(
        "unknown rule",
        f"solve --model m.safetensors --problems 1 --rule fast --out {OUT}",
        "invalid choice: 'fast'",
        sound,
    ),
    Case(
        "solve with a reference without task",
        f"solve --model m.pt --problems 1 --out {OUT}",
        "expected --task",
        reference,
    ),
    Case(
        "missing questions",
        f"solve --model m.safetensors --input x.npy --out {OUT}",
        "x.npy: no such file",
        sound,
    ),
    Case(
        "questions with NaN",
        f"solve --model m.safetensors --input x.npy --out {OUT}",
        "found 1 NaN",
        array([[1.0, np.nan, 0.0, 1.0]]),
    ),
    Case(
        "questions too wide",
        f"solve --model m.safetensors --input x.npy --out {OUT}",
        "expected 4 entries a row (the model's dim_x), found 5",
        array(np.zeros((2, 5))),
    ),
    Case(
        "one question, flat",
        f"solve --model m.safetensors --input x.npy --out {OUT}",
        "save x[None]",
        array(np.zeros(4)),
    ),
    Case(
        "questions that are objects",
        f"solve --model m.safetensors --input x.npy --out {OUT}",
        ".npy file of numbers",
        array([{"a": 1}]),
    ),
    Case("train unknown task", f"train inverze --size 4 --out {OUT}", "Did you mean 'inverse'"),
    Case("train without size", f"train inverse --out {OUT}", "--size"),
    Case("train size 0", f"train inverse --size 0 --out {OUT}", "size: expected"),
    Case("train no steps", f"train inverse --size 2 --steps 0 --out {OUT}", "steps: expected"),
    Case(
        "train negative rate",
        f"train inverse --size 2 --learning-rate -1 --out {OUT}",
        "learning_rate: expected",
    ),
    Case(
        "rank of an inverse",
        f"train inverse --size 2 --rank 1 --out {OUT}",
        "unknown option 'rank'; it takes condition",
    ),
    Case(
        "condition below 1",
        f"train inverse --size 2 --condition 0.5 --out {OUT}",
        "condition: expected",
    ),
    Case("no threads", f"train inverse --size 2 --threads 0 --out {OUT}", "--threads: expected"),
    Case("train where something is", f"train inverse --size 2 --out {OUT}", "exists", a_folder),
    Case("resume nothing", "resume gone", "expected a run folder"),
    Case("resume another folder", "resume .", "expected a run folder"),
    Case("resume a damaged run.json", "resume run", "unknown key", edited(config={"modell": "x"})),
    Case(
        "resume a newer run",
        "resume run",
        "expected ired-interp-run version 1, 2 or 3",
        edited(version=4),
    ),
    Case(
        "report of an unfinished run",
        "report run",
        "0 of 1 units",
        without_shards,
    ),
    Case("no workers", run("--workers 0"), "--workers: expected at least 1, found 0", sound),
    Case("resume without workers", "resume run --workers 0", "--workers: expected", unfinished),
    Case("no threads of a run", run("--threads 0"), "--threads: expected at least 1", sound),
    Case("no size", run("--max-memory lots"), "such as 500M or 2G, found 'lots'", sound),
    Case("units that are none", "work run --units 3", "expected numbers in 0 … 0", unfinished),
    Case("work on nothing", "work gone", "is not a run folder"),
    Case("status of nothing", "status gone", "is not a run folder"),
    Case("code changed since", "resume run", "(torch was 1.0, is ", other_code_since),
    Case("damaged results", "report run", "results.h5 cannot be read", damaged_results),
    Case("damaged training state", "resume t", "saved state is damaged", damaged_state),
]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")


def listing(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_input(case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case.prepare(tmp_path)
    before = listing(tmp_path)
    capsys.readouterr()
    assert main(case.words.split()) == 1
    said = capsys.readouterr()
    message = " ".join(said.err.split())
    assert message.startswith("error: ")
    assert case.says in message
    assert "Traceback" not in message
    assert len(message) < 800
    assert listing(tmp_path) == before


@pytest.mark.parametrize(
    ("number", "says"),
    [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "the file system is read-only")],
)
@pytest.mark.parametrize(
    "words",
    [
        run("--problems 1"),
        f"solve --model m.safetensors --problems 1 --out {OUT}",
        f"train inverse --size 2 --width 16 --steps 1 --out {OUT}",
    ],
    ids=["run", "solve", "train"],
)
def test_a_disk_that_refuses(
    words: str,
    number: int,
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sound(tmp_path)
    before = listing(tmp_path)

    def refuse(handle: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    assert main(words.split()) == 1
    message = " ".join(capsys.readouterr().err.split())
    assert message.startswith("error: cannot write")
    assert says in message
    assert listing(tmp_path) == before


def test_a_full_disk_keeps_the_units_that_are_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sound(tmp_path)
    real, calls = os.fsync, 0

    def refuse_later(handle: int) -> None:
        nonlocal calls
        calls += 1
        if calls > 12:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(handle)

    monkeypatch.setattr(os, "fsync", refuse_later)
    words = run("--problems 4 --unit-problems 1 --levels 1 --controls 0").split()
    assert main(words) == 1
    assert "the disk is full" in " ".join(capsys.readouterr().err.split())
    done = sorted(p.name for p in (tmp_path / OUT / "shards").glob("*.h5"))
    assert 0 < len(done) < 4
    monkeypatch.setattr(os, "fsync", real)
    assert main(["resume", OUT]) == 0
    assert (tmp_path / OUT / "results.h5").is_file()


def test_code_in_a_checkpoint_is_never_run(tmp_path: Path) -> None:
    reference_with_code(tmp_path)
    assert main(run("--task inverse", model="m.pt").split()) == 1
    plain_pickle(tmp_path)
    assert main(run("--task inverse", model="m.pt").split()) == 1
    assert not (tmp_path / "owned").exists()


def test_there_are_at_least_thirty_cases() -> None:
    assert len({case.name for case in CASES}) >= 30
