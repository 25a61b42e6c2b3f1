"""What a config holds can be written as words and as JSON, and read back the same."""

import json
from dataclasses import dataclass
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ired_interp.errors import ConfigError
from ired_interp.experiments.config import (
    config_from_mapping,
    config_from_words,
    config_to_mapping,
    word_of,
)

# Words that a comma or "none" would split or hide.
TEXTS = st.text(max_size=8).filter(lambda text: text != "none")


@dataclass(frozen=True, kw_only=True)
class Config:
    """One field of every kind; the first has no default."""

    needed: int
    share: float = 0.5
    careful: bool = False
    text: str = ""
    kind: Literal["one", "two"] = "one"
    most: int | None = None
    numbers: tuple[int, ...] = ()
    sure: tuple[bool, ...] = ()


@given(
    st.builds(
        Config,
        needed=st.integers(),
        share=st.floats(allow_nan=False),
        careful=st.booleans(),
        text=TEXTS,
        kind=st.sampled_from(["one", "two"]),
        most=st.none() | st.integers(),
        numbers=st.lists(st.integers(), max_size=3).map(tuple),
        sure=st.lists(st.booleans(), max_size=3).map(tuple),
    )
)
def test_words_and_json_give_the_config_back(config: Config) -> None:
    words = {name: word_of(value) for name, value in vars(config).items()}
    assert config_from_words(Config, words) == config
    stored = json.loads(json.dumps(config_to_mapping(config)))
    assert config_from_mapping(Config, stored) == config


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({}, r"needed: expected a value, as it has no default, found none\. Give --needed"),
        ({"needed": "1", "careful": "perhaps"}, r"careful: expected yes or no, found 'perhaps'"),
        ({"needed": "x"}, r"needed: expected a whole number, found 'x'"),
        ({"needed": "1", "shre": "1"}, r"unknown key 'shre'.*mean 'share'"),
    ],
)
def test_words_that_do_not_fit_are_refused(words: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config_from_words(Config, words)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"needed": True}, r"needed: expected a whole number, found True"),
        ({"needed": 1, "careful": 1}, r"careful: expected yes or no, found 1"),
        ({"needed": 1, "numbers": [1, False]}, r"numbers: expected a whole number, found False"),
    ],
)
def test_a_truth_value_is_no_number(content: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config_from_mapping(Config, content)
