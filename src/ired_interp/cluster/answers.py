"""What a cluster's command answered, told from what its site prints around it.

A login banner stands before an answer, a warning after it, an error text in its place; a
connection breaks in the middle, another version has other columns. So a line counts only if it has
the form of an answer. One that almost has it, or is cut short, is no answer: nothing is guessed.
"""

import re
from collections.abc import Mapping

from ired_interp.errors import CannotAskError

__all__ = [
    "NONE",
    "count_or_none",
    "listed",
    "not_understood",
    "table",
    "tells_of_trouble",
    "the_one",
    "whole_lines",
]

# Words of SLURM's commands for what is not there, or has no limit.
NONE = ("", "N/A", "(null)", "NONE", "None", "UNLIMITED", "INFINITE", "infinite", "unlimited", "-1")

_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_HEADING = re.compile(r"[A-Z][A-Z0-9_()/: ]*")
_TROUBLE = re.compile(
    r"(?i)\b(error|fatal|invalid|unable|cannot|can't|could not|fail(ed|ure)?|refused|timed? ?out|"
    r"denied|not found|not supported|not running|disabled|no such|unrecogni[sz]ed|unknown|"
    r"unavailable|problem|usage:)"
)
# As an answer has them, and not as a sentence or the frame of a banner.
_COLUMNS = re.compile(r"(?<! )\|(?! )")
_MOST_SHOWN = 200


def whole_lines(answer: str, asked: str) -> list[str]:
    """The lines of an answer, without colours and empty ones.

    Args:
        answer: All that was printed.
        asked: Where and for what, for the error.

    Raises:
        CannotAskError: The last line has no end: the answer was cut short.
    """
    if answer and not answer.endswith("\n"):
        last = answer.rpartition("\n")[2]
        raise CannotAskError(
            f"{asked}: the answer was cut short, it ends in {last[-_MOST_SHOWN:]!r}; nothing is "
            "known. Try again."
        )
    lines = (_COLOURS.sub("", line).strip("\r") for line in answer.split("\n"))
    return [line for line in lines if line.strip()]


def table(
    answer: str, columns: Mapping[str, str], asked: str, *, may_be_empty: bool = True
) -> list[dict[str, str]]:
    """The rows of a table whose columns are separated by ``|``.

    Args:
        answer: All that was printed.
        columns: Name and pattern of each.
        asked: Where and for what, for the error.
        may_be_empty: Whether no row is an answer, too.

    Raises:
        CannotAskError: A line is almost a row; or there is none, and no heading, where there must
            be one or where something went wrong by the words.
    """
    row = re.compile(r"\|".join(f"(?P<{name}>{pattern})" for name, pattern in columns.items()))
    begins = re.compile(rf"(?!\|)(?:{next(iter(columns.values()))})\|")
    lines = whole_lines(answer, asked)
    rows, others, headed = [], [], False
    for line in lines:
        found = row.fullmatch(line)
        if found is not None:
            rows.append(found.groupdict())
        elif _is_heading(line, len(columns)):
            headed = True
        elif begins.match(line) or (
            line[0] not in "| +" and len(_COLUMNS.findall(line)) >= len(columns) - 1
        ):
            raise not_understood(asked, f"lines of {'|'.join(columns)}", line)
        else:
            others.append(line)
    if not rows and not headed:
        wrong = [line for line in others if tells_of_trouble(line)]
        if wrong or not may_be_empty:
            said = (wrong or others or ["nothing"])[0]
            raise not_understood(asked, f"lines of {'|'.join(columns)}", said)
    return rows


def tells_of_trouble(text: str) -> bool:
    """Whether words that stand where an answer should are those of an error."""
    return _TROUBLE.search(text) is not None


def _is_heading(line: str, num_columns: int) -> bool:
    words = line.split("|")
    return len(words) == num_columns and all(_HEADING.fullmatch(word) for word in words)


def the_one(answer: str, pattern: str, what: str, asked: str) -> str:
    """The only line that has the form of an answer; its first group.

    Args:
        answer: All that was printed.
        pattern: Of the whole line, with a group.
        what: That is expected, in words.
        asked: Where and for what, for the error.

    Raises:
        CannotAskError: There is none, or several that differ.
    """
    lines = whole_lines(answer, asked)
    found = {match[1] for line in lines if (match := re.fullmatch(pattern, line.strip()))}
    if len(found) != 1:
        raise not_understood(asked, what, "; ".join(lines) or "nothing")
    return found.pop()


def listed(answer: str, pattern: str, asked: str) -> set[str]:
    """The lines of a list, by their first group; there may be none.

    Args:
        answer: All that was printed.
        pattern: Of a whole line, with a group.
        asked: Where and for what, for the error.

    Raises:
        CannotAskError: There is none, and something went wrong by the words.
    """
    lines = whole_lines(answer, asked)
    found = {match[1] for line in lines if (match := re.fullmatch(pattern, line))}
    wrong = [line for line in lines if tells_of_trouble(line)]
    if wrong and not found:
        raise not_understood(asked, "a list", wrong[0])
    return found


def count_or_none(text: str, asked: str) -> int | None:
    """A number, or None for a word that means that there is none.

    Raises:
        CannotAskError: It is neither.
    """
    if text.strip() in NONE:
        return None
    if not text.strip().isdecimal():
        raise not_understood(asked, "a number or no limit", text)
    return int(text)


def not_understood(asked: str, expected: str, found: str) -> CannotAskError:
    """The error of an answer that is none, with its words."""
    return CannotAskError(
        f"{asked}: the answer is not understood: expected {expected}, found "
        f"{found[:_MOST_SHOWN]!r}. Run the command there to see what it says."
    )
