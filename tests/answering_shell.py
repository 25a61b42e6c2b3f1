"""A shell that answers as a test says, for what is asked of a cluster; it copies nothing."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from ired_interp.cluster.shell import Completed, GitRemote

__all__ = ["Answer", "AnsweringShell", "by_beginning"]

Answer: TypeAlias = "str | Completed | Callable[[str], Completed]"


@dataclass
class AnsweringShell:
    """A shell without a machine behind it.

    Attributes:
        answer_fn: What a command, and the seconds that it may take, are answered with.
        name: Of the host.
        is_local: Whether it stands for this machine.
        asked: Every command that was run.
    """

    answer_fn: Callable[[Sequence[str], float], Completed]
    name: str = "recorded"
    is_local: bool = False
    asked: list[str] = field(default_factory=list)

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", seconds: float = 60.0) -> Completed:
        del stdin
        self.asked.append(" ".join(argv))
        return self.answer_fn(argv, seconds)

    def copy_to(self, local: Path, remote: str, *, only: Sequence[str] = ()) -> None:
        raise NotImplementedError

    def send_file(self, local: Path, remote: str) -> None:
        raise NotImplementedError

    def copy_from(self, remote: str, local: Path, *, only: Sequence[str] = ()) -> list[str]:
        raise NotImplementedError

    def git_remote(self, path: str) -> GitRemote:
        raise NotImplementedError


def by_beginning(
    answers: Iterable[tuple[str, Answer]], otherwise: Completed | None = None
) -> Callable[[Sequence[str], float], Completed]:
    """Answers by the beginning of the command, the first that fits.

    Args:
        answers: By beginnings; text is that of a command that went well.
        otherwise: What any other command says; without one, it is an error of the test.
    """

    known = list(answers)

    def answer(argv: Sequence[str], _: float) -> Completed:
        words = " ".join(argv)
        for beginning, found in known:
            if words.startswith(beginning):
                said = found(words) if callable(found) else found
                return Completed(0, said, "") if isinstance(said, str) else said
        assert otherwise is not None, f"no answer to {words}"
        return otherwise

    return answer
