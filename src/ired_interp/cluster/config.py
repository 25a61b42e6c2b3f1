"""A cluster as one table of a TOML file, read strictly."""

import dataclasses
import difflib
import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from ired_interp.cluster.sbatch_options import check_option
from ired_interp.errors import ConfigError, UnknownNameError
from ired_interp.experiments.config import config_from_mapping

__all__ = ["ClusterConfig", "clusters_file", "load_cluster"]

# What sbatch takes as the value of an option without quoting, and ssh as a host.
_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+@:=-]*")
_AT_LEAST = {
    "time_minutes": 1,
    "memory_mib": 1,
    "cpus": 1,
    "gpus": 0,
    "max_parallel": 1,
    "units_per_task": 1,
    "signal_seconds": 1,
    "max_requeues": 0,
}
_FOLDER_OF_THE_JOB = re.compile(r"\$[A-Z_]+(/[A-Za-z0-9._/-]*)?")


@dataclass(frozen=True, kw_only=True)
class ClusterConfig:
    """Where and how a run is executed; docs/cluster.md explains each entry.

    Attributes:
        name: Of the table.
        root: One durable folder on the cluster, absolute; code, environments and runs lie there.
        host: A host of the user's ssh configuration; None for this machine.
        partitions: In order of preference; none for the cluster's default.
        account: To be charged; None for the user's default.
        qos: Quality of service; None for the default.
        modules: To ``module load`` before anything is started.
        scratch: Folder for each job's own clone, absolute or ``$TMPDIR``; None for one clone that
            all jobs share.
        python: Interpreter that makes the environment.
        environment: An environment that is there already; None to make one.
        requirements: File of the project that the environment is made from.
        time_minutes: Time limit of a task.
        memory_mib: Memory of a task.
        cpus: Cores of a task.
        gpus: GPUs of a task.
        max_parallel: Tasks of one array that may run at a time.
        units_per_task: Work units that one task computes.
        signal_seconds: How long before its time limit a task is told to stop.
        max_requeues: How often a task may put itself back into the queue.
        ssh_config: Another file than ``~/.ssh/config``.
        sbatch_options: Further options of sbatch, one a text, such as ``--exclude=node7``.
    """

    name: str
    root: str
    host: str | None = None
    partitions: tuple[str, ...] = ()
    account: str | None = None
    qos: str | None = None
    modules: tuple[str, ...] = ()
    scratch: str | None = None
    python: str = "python3"
    environment: str | None = None
    requirements: str = "requirements.txt"
    time_minutes: int = 60
    memory_mib: int = 4096
    cpus: int = 1
    gpus: int = 0
    max_parallel: int = 20
    units_per_task: int = 1
    signal_seconds: int = 120
    max_requeues: int = 5
    ssh_config: str | None = None
    sbatch_options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._check_text()
        self._check_paths()
        for name, least in _AT_LEAST.items():
            if getattr(self, name) < least:
                raise ConfigError(
                    f"{name}: expected at least {least}, found {getattr(self, name)}."
                )

    def _check_text(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            for text in value if isinstance(value, tuple) else (value,):
                if isinstance(text, str) and not (text and text.isprintable()):
                    raise ConfigError(
                        f"{name}: expected printable text on one line, found {text!r}."
                    )
        for word in (self.name, self.host, self.account, self.qos, *self.partitions):
            if word is not None and not _WORD.fullmatch(word):
                raise ConfigError(
                    "name, host, account, qos, partitions: expected letters, digits and "
                    f"'_.+@:=-', found {word!r}."
                )
        for option in self.sbatch_options:
            check_option(option)

    def _check_paths(self) -> None:
        for name in ("root", "environment"):
            path = getattr(self, name)
            if path is not None and not path.startswith("/"):
                raise ConfigError(
                    f"{name}: expected an absolute path on the cluster, found {path!r}; write it "
                    "out, '~' and variables are not expanded there."
                )
        absolute = self.scratch is None or self.scratch.startswith("/")
        if self.scratch and not absolute and not _FOLDER_OF_THE_JOB.fullmatch(self.scratch):
            raise ConfigError(
                "scratch: expected an absolute path or a variable of the job such as '$TMPDIR', "
                f"found {self.scratch!r}."
            )


def clusters_file() -> Path:
    """Where clusters are described unless another file is named."""
    base = os.environ.get("XDG_CONFIG_HOME")
    # Without a home, as an unknown user in a container is, there are none.
    home = os.path.expanduser("~")  # noqa: PTH111 - pathlib's raises there
    return Path(base or f"{home}/.config") / "ired-interp" / "clusters.toml"


def load_cluster(name: str, file: Path | None = None) -> ClusterConfig:
    """The cluster of that name.

    Args:
        name: Of the table.
        file: TOML; None for `clusters_file`.

    Raises:
        ConfigError: No such file, not TOML, an unknown key (the nearest is named), a wrong value.
        UnknownNameError: No such table.
    """
    path = clusters_file() if file is None else file
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(
            f"{path}: no such file: expected one table a cluster, as in '[{name}]' with 'host' "
            "and 'root' (docs/cluster.md has an example). Write it, or name one with --clusters."
        ) from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: expected TOML that can be read ({error}).") from error
    content = tables.get(name)
    if not isinstance(content, dict):
        near = difflib.get_close_matches(name, tables, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise UnknownNameError(
            f"{path}: expected a table [{name}], found {', '.join(tables) or 'none'}.{hint}"
        )
    if "name" in content:
        raise ConfigError(f"{path} [{name}]: 'name' is the table's own; leave the entry out.")
    if "root" not in content:
        raise ConfigError(
            f"{path} [{name}]: no 'root': expected one durable folder on the cluster, such as "
            f'root = "/home/you/ired-interp".'
        )
    try:
        return config_from_mapping(ClusterConfig, {"name": name, **content})
    except ConfigError as error:
        raise ConfigError(f"{path} [{name}]: {error}") from error
