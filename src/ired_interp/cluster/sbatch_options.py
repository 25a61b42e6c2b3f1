"""Options of sbatch that a site needs and the clusters file hands on: checked, and quoted."""

import re
import shlex
from collections.abc import Iterable

from ired_interp.errors import ConfigError

__all__ = ["check_option", "for_sbatch", "option_lines", "typed_gpus"]

_LONG = re.compile(r"--(?P<name>[a-z][a-z0-9-]+)(?:=(?P<value>.+))?")
_SHORT = re.compile(r"-(?P<name>[A-Za-z])(?P<value>\s*[^\s=-].*)?")
_PLAIN = re.compile(r"[\w./+=:,@%-]+")
_GRES = "--gres="
_ALONE = "HIOQkrsv"  # short options without a value; others might follow one behind the same dash

_GPUS = "gpus; '--gres=gpu:TYPE:N' for a type"
_OF_A_TASK = "nothing: a task is one process on one node"
_OF_THE_RUN = "nothing: it is ired-interp's own, by which tasks and logs are found"
# What is set already, by whatever name; an abbreviation of one is one, too.
_TAKEN = {
    "account": "account",
    "array": "units_per_task and max_parallel",
    "chdir": _OF_THE_RUN,
    "clusters": "a table of its own for each cluster",
    "comment": _OF_THE_RUN,
    "cpus-per-gpu": "cpus",
    "cpus-per-task": "cpus",
    "dependency": "nothing, or submit's --no-canary",
    "error": _OF_THE_RUN,
    "gpus": _GPUS,
    "gpus-per-node": _GPUS,
    "gpus-per-socket": _GPUS,
    "gpus-per-task": _GPUS,
    "help": "sbatch itself",
    "input": _OF_THE_RUN,
    "job-name": _OF_THE_RUN,
    "kill-on-invalid-dep": "nothing, or submit's --no-canary",
    "mem": "memory_mib",
    "mem-per-cpu": "memory_mib",
    "mem-per-gpu": "memory_mib",
    "no-requeue": "max_requeues = 0",
    "nodes": _OF_A_TASK,
    "ntasks": _OF_A_TASK,
    "ntasks-per-core": _OF_A_TASK,
    "ntasks-per-gpu": _OF_A_TASK,
    "ntasks-per-node": _OF_A_TASK,
    "ntasks-per-socket": _OF_A_TASK,
    "open-mode": _OF_THE_RUN,
    "output": _OF_THE_RUN,
    "parsable": _OF_THE_RUN,
    "partition": "partitions",
    "qos": "qos",
    "requeue": "max_requeues",
    "signal": "signal_seconds",
    "test-only": "'ired-interp preflight'",
    "time": "time_minutes",
    "time-min": "time_minutes",
    "usage": "sbatch itself",
    "version": "sbatch itself",
    "wait": "submit's --watch end",
    "workdir": _OF_THE_RUN,
    "wrap": _OF_THE_RUN,
}
_TAKEN_SHORT = {
    "A": "account",
    "D": "chdir",
    "G": "gpus",
    "J": "job-name",
    "M": "clusters",
    "N": "nodes",
    "V": "version",
    "W": "wait",
    "a": "array",
    "c": "cpus-per-task",
    "d": "dependency",
    "e": "error",
    "h": "help",
    "i": "input",
    "n": "ntasks",
    "o": "output",
    "p": "partition",
    "q": "qos",
    "t": "time",
}


def check_option(text: str) -> None:
    """Take one option, and none that ired-interp sets itself.

    Raises:
        ConfigError: It is no option in one word, or one that another key is for.
    """
    long, short = _LONG.fullmatch(text), _SHORT.fullmatch(text)
    if long is None and short is None:
        raise ConfigError(
            "sbatch_options: expected one option a text, such as '--exclude=node7', found "
            f"{text!r}. A value stands behind '=' in the same text."
        )
    if long is not None:
        taken = next((name for name in _TAKEN if name.startswith(long["name"])), None)
    else:
        taken = _TAKEN_SHORT.get(text[1])
        if text[1] in _ALONE and len(text) > len("-X"):
            raise ConfigError(
                f"sbatch_options: expected {text[:2]!r} alone, as it takes no value, found "
                f"{text!r}. Write the others apart, or in their long form."
            )
    if taken is not None:
        raise ConfigError(
            f"sbatch_options: expected what ired-interp does not set, found {text!r}: --{taken} is "
            f"set already. Use {_TAKEN[taken]} instead."
        )


def option_lines(options: Iterable[str], gpus: int) -> list[str]:
    """The options as ``#SBATCH`` lines have them.

    Args:
        options: As the clusters file has them.
        gpus: Of a task; an option that names a type of them takes its place.
    """
    given = list(options)
    # sbatch takes the last --gres alone
    gres = [text.removeprefix(_GRES) for text in given if text.startswith(_GRES)]
    if gpus and typed_gpus(given) is None:
        gres.insert(0, f"gpu:{gpus}")
    lines = [f"{_GRES}{for_sbatch(','.join(gres))}"] if gres else []
    for text in given:
        if text.startswith(_GRES):
            continue
        name, equals, value = text.partition("=") if text.startswith("--") else (text[:2], "", "")
        value = value if equals else text[len(name) :].strip()
        lines.append(f"{name}{equals}{for_sbatch(value) if value else ''}")
    return lines


def typed_gpus(options: Iterable[str]) -> str | None:
    """The option that asks for GPUs in the place of ``gpus``; None if there is none."""
    return next((text for text in options if re.match(r"--gres=(.*,)?(gres/)?gpu\b", text)), None)


def for_sbatch(text: str) -> str:
    """Quoted for a ``#SBATCH`` line, which sbatch reads much like a shell.

    But a backslash takes the next letter as it is within single quotes, too.
    """
    if _PLAIN.fullmatch(text):
        return text
    return shlex.quote(text).replace("\\", "\\\\")
