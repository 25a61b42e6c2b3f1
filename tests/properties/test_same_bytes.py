"""The same tensors and words are the same file, which any reader of safetensors reads."""

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load, save

import tiny
from ired_interp.models.checkpoint import read_checkpoint, write_checkpoint
from ired_interp.models.tensor_file import to_safetensors

WORDS = {f"word {number}": f"„{number}“" for number in range(12)}
TENSORS = {
    "b": torch.arange(6, dtype=torch.float64).reshape(2, 3).mT,
    "a": torch.tensor([True, False, True]),
    "c": torch.zeros(0, 4),
    "d": torch.arange(3),
}


def test_the_order_of_words_and_tensors_does_not_matter() -> None:
    # The library orders twelve words by chance: the same order twice in a row is 1 in 12!.
    found = to_safetensors(TENSORS, WORDS)
    again = to_safetensors(dict(reversed(TENSORS.items())), dict(reversed(WORDS.items())))
    assert found == again


@pytest.mark.parametrize("num_words", range(9))
def test_any_reader_reads_it(num_words: int, tmp_path: Path) -> None:
    words = dict(list(WORDS.items())[:num_words])  # headers of every length modulo 8
    path = tmp_path / "file.safetensors"
    path.write_bytes(to_safetensors(TENSORS, words))
    assert int.from_bytes(path.read_bytes()[:8], "little") % 8 == 0
    with safe_open(path, framework="pt") as stream:
        assert (stream.metadata() or {}) == words
        for name, tensor in TENSORS.items():
            found = stream.get_tensor(name)
            assert found.dtype == tensor.dtype
            assert torch.equal(found, tensor)
    assert load(path.read_bytes()).keys() == TENSORS.keys()


def test_a_checkpoint_has_the_same_bytes_and_one_of_before_is_read(tmp_path: Path) -> None:
    one, other, before = (tmp_path / f"{name}.safetensors" for name in ("one", "other", "before"))
    for path in (one, other):
        write_checkpoint(path, tiny.weights(), tiny.card())
    assert one.read_bytes() == other.read_bytes()
    with safe_open(one, framework="pt") as stream:
        words = stream.metadata()
    before.write_bytes(save(tiny.weights(), metadata=words))
    assert read_checkpoint(before).card == read_checkpoint(one).card
