"""What is expected of the scanned operations: all are right, but for those listed here."""

from dataclasses import dataclass

__all__ = ["REFUSED", "TORCH", "Refusal"]

TORCH = "2.13"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an operation has no Hessian.

    Attributes:
        reason: What is missing.
        words: One of them, in lower case, stands in the error.
        torch: Whether it is torch that lacks something, so that a newer one may have it.
    """

    reason: str
    words: tuple[str, ...]
    torch: bool


REFUSED: dict[str, Refusal] = {}
