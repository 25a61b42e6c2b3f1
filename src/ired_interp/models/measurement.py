"""What was measured of a model, as it stands beside the model's file.

Format ``ired-interp-measurement`` version 1: a JSON object with the fields of `Measurement`, in a
file ``NAME.card.json`` beside ``NAME.safetensors``. `ired_interp.models.measuring` makes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from ired_interp.choices import Difficulty
from ired_interp.errors import CheckpointError
from ired_interp.storage import read_json

__all__ = [
    "FORMAT",
    "VERSION",
    "Errors",
    "LevelCheck",
    "Measurement",
    "RuleBeside",
    "Stored",
    "card_path",
    "read_measurement",
]

FORMAT = "ired-interp-measurement"
VERSION = 1


@runtime_checkable
class Stored(Protocol):
    """A model's file, whether its weights were read or not."""

    @property
    def path(self) -> Path:
        """Where it lies."""
        ...

    @property
    def sha256(self) -> str:
        """Of its content."""
        ...


@dataclass(frozen=True, kw_only=True)
class RuleBeside:
    """A trivial rule on the same problems, and the model's skill over it.

    Attributes:
        name: Of the rule.
        mse: Its mean squared error an entry.
        standard_error: Of that, over problems.
        skill: 1 - MSE/MSE of the rule.
        low: Lower end of the skill's BCa interval over problems, 95 %.
        high: Upper end.
    """

    name: str
    mse: float
    standard_error: float
    skill: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Errors:
    """The model on one set of held-out problems.

    Attributes:
        difficulty: Of the generator.
        num_problems: How many.
        seed: Of the problems and of the solver's start.
        mse: Mean squared error an entry.
        standard_error: Of that, over problems.
        rules: The ladder of the task, weakest first, fitted as the measurement says.
    """

    difficulty: Difficulty
    num_problems: int
    seed: int
    mse: float
    standard_error: float
    rules: tuple[RuleBeside, ...]

    @property
    def in_words(self) -> str:
        """The error with its standard error."""
        return f"{self.mse:.3g} ± {self.standard_error:.1g}"

    @property
    def best_beaten(self) -> str | None:
        """The last rule of those from the weakest on whose interval of skill lies above 0."""
        best = None
        for rule in self.rules:
            if not rule.low > 0:
                break
            best = rule.name
        return best


@dataclass(frozen=True, kw_only=True)
class LevelCheck:
    """Mean curvature of one level at typical points.

    Attributes:
        level: 1 … K.
        mean: Mean of σ_t·λ over eigenvalues and problems, which is σ_t·tr(H)/d.
        standard_error: Of that, over problems.
        below_zero: Share of the eigenvalues below 0.
    """

    level: int
    mean: float
    standard_error: float
    below_zero: float


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """A model, measured.

    Attributes:
        model_sha256: Of the checkpoint's file.
        provenance: Code and machine that measured.
        rule: The solver's.
        bound: The solver's clamp.
        errors: On the difficulties ``same`` and ``harder``.
        landscape: One entry a level, at typical points of the first of the ``same`` problems.
        num_checked: On how many problems.
        determined: Whether x determines y, so that the ideal of every ``mean`` is 1.
        rules_fitted_on: Difficulty of the draw that the rules were fitted on: the model's own.
    """

    model_sha256: str
    provenance: Mapping[str, Any]
    rule: str
    bound: float
    errors: tuple[Errors, ...]
    landscape: tuple[LevelCheck, ...]
    num_checked: int
    determined: bool
    rules_fitted_on: Difficulty = "same"  # cards before this field are of models trained on it

    def on(self, difficulty: Difficulty) -> Errors:
        """The errors at a difficulty."""
        return next(each for each in self.errors if each.difficulty == difficulty)


def card_path(checkpoint: Path) -> Path:
    """Where the measurement of a checkpoint lies."""
    return checkpoint.with_name(f"{checkpoint.name.removesuffix('.safetensors')}.card.json")


def read_measurement(checkpoint: Stored) -> Measurement | None:
    """The measurement beside a checkpoint; None if nobody made one.

    Raises:
        CheckpointError: It is damaged, of another format, or of another file of that name.
    """
    path = card_path(checkpoint.path)
    if not path.exists():
        return None
    content = read_json(path)
    if content.pop("format", None) != FORMAT or content.pop("version", None) != VERSION:
        raise CheckpointError(
            f"{path}: expected {FORMAT} version {VERSION}, found something else. Make it again: "
            f"ired-interp card {checkpoint.path}"
        )
    try:
        content["errors"] = tuple(
            Errors(**each | {"rules": tuple(RuleBeside(**rule) for rule in each["rules"])})
            for each in content["errors"]
        )
        content["landscape"] = tuple(LevelCheck(**each) for each in content["landscape"])
        found = Measurement(**content)
    except (TypeError, KeyError) as error:
        raise CheckpointError(
            f"{path}: the measurement is damaged ({error}). Make it again: ired-interp card "
            f"{checkpoint.path}"
        ) from error
    if found.model_sha256 != checkpoint.sha256:
        raise CheckpointError(
            f"{path}: expected a measurement of the file beside it (SHA-256 "
            f"{checkpoint.sha256[:12]}…), found one of {found.model_sha256[:12]}…. Make it again: "
            f"ired-interp card {checkpoint.path}"
        )
    return found
