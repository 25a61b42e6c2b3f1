"""What is said of a file that is given as a model or as questions is true of it."""

import gzip
import io
import lzma
import os
import pickle
import random
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from torch import Tensor, nn

import ired_interp as ii
import tiny
from ired_interp.cli import main
from ired_interp.errors import CheckpointError, ConfigError
from ired_interp.models.checkpoint import read_checkpoint, write_checkpoint
from ired_interp.preflight.weights import check_weights
from ired_interp.runs.answers import read_questions

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 1234\n"
HTML = b"\n<!DOCTYPE html><html><head><title>404 Not Found</title></head></html>"
LAYOUT = {"ema": "ema_model.model.ebm.", "online": "model.ebm."}


class Owner:
    """Runs a command when unpickled by a loader that trusts files."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch owned",)


def in_order_of_age(content: object) -> bytes:
    """As torch wrote before 1.6."""
    stream = io.BytesIO()
    torch.save(content, stream, _use_new_zipfile_serialization=False)
    return stream.getvalue()


def saved(content: object) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream)
    return stream.getvalue()


def content(**changes: object) -> dict[str, object]:
    return {
        "step": 3000,
        "model": {f"model.ebm.{k}": v for k, v in tiny.weights(1).items()},
        "ema": {f"ema_model.model.ebm.{k}": v for k, v in tiny.weights(2).items()},
    } | changes


def average(change_fn: Callable[[Tensor], Tensor], part: str) -> dict[str, object]:
    weights = tiny.weights(2)
    return {
        f"ema_model.model.ebm.{k}": change_fn(v) if part in k else v for k, v in weights.items()
    }


def tar(*names: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 3
            archive.addfile(member, io.BytesIO(b"abc"))
    return stream.getvalue()


def zipped(name: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, saved(content()))
    return stream.getvalue()


def script() -> bytes:
    stream = io.BytesIO()
    with warnings.catch_warnings():  # torch.jit is deprecated, and such files exist
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(nn.Linear(2, 2)), stream)
    return stream.getvalue()


def array(values: object) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array(values))
    return stream.getvalue()


def trained() -> dict[str, object]:
    layer = nn.Linear(2, 2)
    optimiser = torch.optim.Adam(layer.parameters())
    layer(torch.ones(2)).sum().backward()
    optimiser.step()
    return optimiser.state_dict()


LOADS: dict[str, Callable[[], bytes]] = {
    "zip": lambda: saved(content()),
    "before 1.6": lambda: in_order_of_age(content()),
    "with an optimiser": lambda: saved(content(opt=trained(), scaler={"scale": 65536.0})),
    "half precision": lambda: saved(content(ema=average(Tensor.half, "weight"))),
}
REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "found an empty file"),
    "git-lfs": (lambda: LFS, "found a git-lfs pointer; 'git lfs pull'"),
    "git-annex": (lambda: b"/annex/objects/MD5-s1--abc\n", "found a git-annex pointer"),
    "web page": (lambda: HTML, "found a web page"),
    "text": (lambda: b'{"error": "not found"}', r"found a file that begins with b'{\"error"),
    "text with a brace": (lambda: b'{"err": {"code": 404}}', "found a file that begins with"),
    "zeros": (lambda: bytes(5000), "found zeros alone"),
    "gzip": (lambda: gzip.compress(saved(content())), "compressed by gzip; unpack it"),
    "xz": (lambda: lzma.compress(saved(content())), "compressed by xz; unpack it"),
    "tar": (lambda: tar("model-1.pt"), "found a tar archive; unpack it"),
    "before 0.1.10": (
        lambda: tar("sys_info", "pickle", "storages", "tensors"),
        "torch's tar format from before 0.1.10.*weights_only=False",
    ),
    "zip of a checkpoint": (lambda: zipped("model-1.pt"), "found one of model-1.pt. Unpack"),
    "array": (lambda: array([1.0]), "found a NumPy array"),
    "HDF5": (lambda: b"\x89HDF\r\n\x1a\n" + bytes(100), "found an HDF5 file"),
    "pickle": (lambda: pickle.dumps({"ema": Owner()}), "found a pickle.*it was not run"),
    "code": (lambda: saved(content(opt=Owner())), "found posix.system.*it was not run"),
    "old code": (lambda: in_order_of_age(Owner()), "found posix.system.*it was not run"),
    "module": (lambda: saved(nn.Linear(2, 2)), "found torch.nn.modules.linear.Linear.*state_dict"),
    "number of NumPy": (
        lambda: saved(content(best=np.float64(2.0))),
        r"found numpy\._core\.multiarray\.scalar.*plain numbers",
    ),
    "TorchScript": (script, "found a TorchScript archive.*was not run"),
    "cut zip": (lambda: saved(content())[:5000], "truncated or damaged.*table of contents"),
    "cut before 1.6": (lambda: in_order_of_age(content())[:-9], "truncated.*expected 9 more bytes"),
    "state dict": (lambda: saved(tiny.weights()), "'ema' in it, found time_mlp.1.weight.* others"),
    "other names": (
        lambda: saved(content(ema={"net.fc1.weight": torch.ones(2), 3: 4})),
        "as 'ema_model.model.ebm.…', found net.fc1.weight, 3",
    ),
    "whole numbers": (
        lambda: saved(content(ema=average(lambda v: v.to(torch.int8), "fc2"))),
        "fc2.weight: expected weights as floating-point numbers, found torch.int8",
    ),
    "sparse": (
        lambda: saved(content(ema=average(Tensor.to_sparse, "fc2.weight"))),
        "floating-point numbers, found .*sparse_coo",
    ),
    "without content": (
        lambda: saved(content(ema=average(lambda v: v.to("meta"), "fc2"))),
        "floating-point numbers, found .* on meta",
    ),
    "no outputs": (
        lambda: saved(content(ema=average(lambda v: v[:0], "fc4"))),
        "8 inputs for 0 entries of y",
    ),
}


@pytest.mark.parametrize("name", LOADS)
def test_what_holds_the_weights_loads(name: str, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"  # the content decides, not the name
    path.write_bytes(LOADS[name]())
    for kind, seed in (("online", 1), ("ema", 2)):
        found = read_checkpoint(path, weights=kind).model.fc3.bias  # type: ignore[arg-type]
        assert torch.equal(found, tiny.weights(seed)["fc3.bias"])


def test_our_format_loads_under_any_name(tmp_path: Path) -> None:
    path = tiny.checkpoint(tmp_path / "m.safetensors").rename(tmp_path / "m.pt")
    assert read_checkpoint(path).card is not None


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_model_is_named(name: str, tmp_path: Path) -> None:
    make_fn, said = REFUSED[name]
    path = tmp_path / "m.pt"
    path.write_bytes(make_fn())
    with pytest.raises(CheckpointError, match=said) as caught:
        read_checkpoint(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    assert not Path("owned").exists()


def test_a_link_to_nothing_a_folder_and_a_file_that_may_not_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "m.pt").symlink_to("gone.pt")
    with pytest.raises(CheckpointError, match=r"a link to gone\.pt, which is not there"):
        read_checkpoint(tmp_path / "m.pt")
    with pytest.raises(CheckpointError, match="found a folder"):
        read_checkpoint(tmp_path)
    for name in ("a" * 300, f"{'a' * 300}.pt"):
        with pytest.raises((CheckpointError, LookupError), match=r"name too long|expected one of"):
            ii.load_model(name)

    def refuse(path: Path, *words: object, **more: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(CheckpointError, match="cannot be read: Permission denied"):
        read_checkpoint(tmp_path / "own.pt")


@pytest.mark.parametrize("old", [False, True], ids=["zip", "before 1.6"])
def test_bytes_that_were_changed_give_a_model_or_an_error_of_ours(
    old: bool,  # noqa: FBT001 - a parameter of the test
    tmp_path: Path,
) -> None:
    whole = (in_order_of_age if old else saved)(content())
    draws = random.Random(0)  # noqa: S311
    path = tmp_path / "m.pt"
    for number in range(150):
        changed = bytearray(whole)
        at = draws.randrange(1500)
        if number % 2:
            changed[at] = draws.randrange(256)
        else:
            del changed[at : at + draws.randrange(1, 9)]
        path.write_bytes(changed)
        with warnings.catch_warnings():  # of torch, on odd numbers of a pickle's protocol
            warnings.simplefilter("ignore")
            try:
                read_checkpoint(path)
            except CheckpointError as error:
                assert str(path) in str(error)  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize("kind", LAYOUT)
@pytest.mark.parametrize(
    "wrap_fn",
    [
        lambda name: f"module.{name}",
        lambda name: name.replace("model.ebm", "module.model.ebm"),
        lambda name: name.replace("model.ebm", "_orig_mod.model.ebm"),
        lambda name: name.replace("model.ebm", "model._orig_mod.module.ebm"),
        lambda name: name.replace("ebm.", "ebm._fsdp_wrapped_module._checkpoint_wrapped_module."),
        lambda name: name.replace(".weight", "._orig_mod.weight"),
    ],
    ids=["outermost", "DataParallel", "compiled", "both", "FSDP", "layers"],
)
def test_a_wrapped_model_is_the_model(
    wrap_fn: Callable[[str], str], kind: str, tmp_path: Path
) -> None:
    state = {wrap_fn(f"{LAYOUT[kind]}{k}"): v for k, v in tiny.weights(3).items()}
    if kind == "ema":
        state[wrap_fn("ema_model.alphas_cumprod")] = ii.cosine_schedule().alpha_bar.float()
    path = tmp_path / "m.pt"
    path.write_bytes(saved({"ema" if kind == "ema" else "model": state}))
    found = read_checkpoint(path, weights=kind).model.state_dict()  # type: ignore[arg-type]
    for name, tensor in tiny.weights(3).items():
        assert torch.equal(found[name], tensor)


def test_a_wrapped_model_in_our_format(tmp_path: Path) -> None:
    state = {f"_orig_mod.{k}": v for k, v in tiny.weights(3).items()}
    write_checkpoint(tmp_path / "m.safetensors", state, tiny.card())
    found = read_checkpoint(tmp_path / "m.safetensors").model
    assert torch.equal(found.fc3.bias, tiny.weights(3)["fc3.bias"])


def test_the_schedule_of_a_wrapped_model_is_checked(tmp_path: Path) -> None:
    state = average(Tensor.clone, "")
    state["ema_model.module.alphas_cumprod"] = torch.linspace(1, 0, 10)
    (tmp_path / "m.pt").write_bytes(saved({"ema": state}))
    with pytest.raises(CheckpointError, match="cosine schedule"):
        read_checkpoint(tmp_path / "m.pt")


def test_a_model_that_is_there_wrapped_and_not(tmp_path: Path) -> None:
    state = average(Tensor.clone, "")
    state |= {f"module.{name}": tensor for name, tensor in state.items()}
    (tmp_path / "m.pt").write_bytes(saved({"ema": state}))
    with pytest.raises(CheckpointError, match=r"'ema_model.*' and 'module\.ema_model.*twice"):
        read_checkpoint(tmp_path / "m.pt")


@pytest.mark.parametrize(
    ("make_fn", "said"),
    [(script, "a TorchScript archive"), (lambda: LFS, "a git-lfs pointer"), (lambda: HTML, "page")],
    ids=["TorchScript", "git-lfs", "web page"],
)
def test_the_preflight_says_the_same(
    make_fn: Callable[[], bytes], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "m.pt"
    path.write_bytes(make_fn())
    (check,) = check_weights("m.pt", path)
    assert check.status == "fail"
    assert said in check.found
    assert str(tmp_path) not in check.found


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (b"", "found an empty file"),
        (LFS, "found a git-lfs pointer"),
        (HTML, "found a web page"),
        (b"1.0,2.0,3.0,4.0\n", "found a file that begins with"),
        (pickle.dumps([1.0]), "found a pickle, .* was not run"),
        (gzip.compress(array([[1.0] * 4])), "compressed by gzip"),
        (array([[1.0] * 4])[:-3], r"not.* fully written|only read"),
        (array([["a"] * 4]), "expected an array of real numbers, found <U1"),
    ],
    ids=["empty", "git-lfs", "page", "text", "pickle", "gzip", "cut", "words"],
)
def test_questions_that_are_none(made: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "x.npy").write_bytes(made)
    with pytest.raises(ConfigError, match=said) as caught:
        read_questions(tmp_path / "x.npy", 4)
    assert "allow_pickle" not in str(caught.value)
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        read_questions(tmp_path, 4)


def parity(path: Path) -> Path:
    """The released network with 40 inputs and one output: its ``--dataset parity``."""
    weights = tiny.weights()
    weights["fc1.weight"] = torch.zeros(tiny.WIDTH, 41)
    weights["fc4.weight"] = weights["fc4.weight"][:1]
    weights["fc4.bias"] = weights["fc4.bias"][:1]
    path.write_bytes(saved({"ema": {f"ema_model.model.ebm.{k}": v for k, v in weights.items()}}))
    return path


def test_questions_that_are_given_need_no_task(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = parity(tmp_path / "m.pt")
    (tmp_path / "x.npy").write_bytes(array(np.ones((3, 40))))
    words = ["solve", "--model", str(path), "--out", str(tmp_path / "a.h5")]
    given = [*words, "--input", str(tmp_path / "x.npy")]
    assert main(given) == 0
    with xr.open_dataset(tmp_path / "a.h5", engine="h5netcdf") as data:
        assert data["prediction"].shape == (3, 1)
        assert "task" not in data.attrs
        assert data.attrs["weights"] == "ema"
    (tmp_path / "a.h5").unlink()
    capsys.readouterr()
    # A task that is named must fit, and problems cannot be drawn without one.
    assert main([*given, "--task", "inverse"]) == 1
    assert "fit none of our tasks" in " ".join(capsys.readouterr().err.split())
    assert main([*words, "--problems", "2"]) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "solve --input x.npy" in said
    assert "--task" not in said
