"""Commands and files on a cluster: on this machine, or through an ssh session that is open.

Two-factor logins make ssh's habit of logging in anew, silently, where a shared session has gone a
trap: a prompt nobody sees, or a ban. So every call goes through the session that the user opened,
or fails at once.
"""

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from ired_interp.cluster.answers import tells_of_trouble
from ired_interp.cluster.config import ClusterConfig
from ired_interp.errors import CannotAskError, ClusterError, SessionGoneError

__all__ = [
    "Completed",
    "GitRemote",
    "LocalShell",
    "Shell",
    "SshShell",
    "ask",
    "check",
    "open_shell",
    "submission_environment",
]

# A submission from inside a job would hand that job's options on; SLURM_CONF names the cluster.
_OF_A_JOB = ("SLURM_", "SBATCH_", "SRUN_", "SALLOC_", "SQUEUE_", "SINFO_", "SACCT_", "SCANCEL_")
_KEPT = "SLURM_CONF"

_NOT_STARTED, _NOT_FOUND = 126, 127
_SSH_FAILED = 255
_CHECK_SECONDS = 10.0
_COPY_SECONDS = 3600.0
# Through the master or not at all: ProxyCommand is what a fresh connection would need.
_ONLY_THE_MASTER = ("BatchMode=yes", "ControlMaster=no", "ProxyCommand=false")


@dataclass(frozen=True, slots=True)
class Completed:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def words(self) -> str:
        """What it said, for a person."""
        return (self.stderr.strip() or self.stdout.strip()) or f"exit code {self.returncode}"


@dataclass(frozen=True, slots=True)
class GitRemote:
    """A repository as git is told of it.

    Attributes:
        url: For ``git push``.
        environment: Variables that git needs to get there.
    """

    url: str
    environment: dict[str, str]


@runtime_checkable
class Shell(Protocol):
    """A place where commands run; see `LocalShell` and `SshShell`."""

    @property
    def name(self) -> str:
        """For messages."""
        ...

    @property
    def is_local(self) -> bool:
        """Whether files there are files here."""
        ...

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", seconds: float = 60.0) -> Completed:
        """Run one command and wait for it; its exit code is the caller's to judge.

        Raises:
            SessionGoneError: The ssh session is not open any more.
            CannotAskError: No answer within ``seconds``.
        """
        ...

    def copy_to(self, local: Path, remote: str, *, only: Sequence[str] = ()) -> None:
        """Bring a folder's content there; what is there already and equal is not sent again.

        Args:
            local: A folder.
            remote: A folder, made if its parent exists.
            only: rsync filter rules, such as ``+ /shards/``; none for everything.

        Raises:
            SessionGoneError, CannotAskError: As `run`.
            ClusterError: rsync failed.
        """
        ...

    def send_file(self, local: Path, remote: str) -> None:
        """Bring one file there; of a link, what it leads to.

        Raises:
            SessionGoneError, CannotAskError, ClusterError: As `copy_to`.
        """
        ...

    def copy_from(self, remote: str, local: Path, *, only: Sequence[str] = ()) -> list[str]:
        """Bring a folder's content here; returns the paths of the files that changed.

        Raises:
            SessionGoneError, CannotAskError, ClusterError: As `copy_to`.
        """
        ...

    def git_remote(self, path: str) -> GitRemote:
        """How git reaches the repository at ``path``."""
        ...


def submission_environment() -> dict[str, str]:
    """This process's environment without what a SLURM job would have added."""
    return {k: v for k, v in os.environ.items() if k == _KEPT or not k.startswith(_OF_A_JOB)}


def check(shell: Shell, argv: Sequence[str], doing: str, *, stdin: bytes = b"") -> str:
    """Run a command that has to succeed; returns what it printed.

    Raises:
        ClusterError: It did not.
        SessionGoneError, CannotAskError: As `Shell.run`.
    """
    done = shell.run(argv, stdin=stdin)
    if done.returncode != 0:
        raise ClusterError(f"{shell.name}: {doing} failed: {done.words}")
    return done.stdout


def ask(shell: Shell, argv: Sequence[str], what: str) -> str:
    """Ask a question; returns the answer.

    Raises:
        CannotAskError: There was none. What was asked about may be anything.
        SessionGoneError: As `Shell.run`.
    """
    done = shell.run(argv)
    in_place = not done.stdout.strip() and tells_of_trouble(done.stderr)
    if done.returncode != 0 or in_place:
        raise CannotAskError(f"{shell.name}: cannot ask for {what}: {done.words}")
    return done.stdout


@dataclass(frozen=True)
class LocalShell:
    """This machine."""

    name: str = "this machine"
    is_local: bool = True

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", seconds: float = 60.0) -> Completed:
        """As `Shell.run`."""
        return _run(argv, stdin=stdin, seconds=seconds, name=self.name)

    def copy_to(self, local: Path, remote: str, *, only: Sequence[str] = ()) -> None:
        """As `Shell.copy_to`."""
        _rsync(self, (), f"{local.resolve()}/", f"{remote}/", only)

    def send_file(self, local: Path, remote: str) -> None:
        """As `Shell.send_file`."""
        _rsync(self, (), str(local.resolve()), remote, ())

    def copy_from(self, remote: str, local: Path, *, only: Sequence[str] = ()) -> list[str]:
        """As `Shell.copy_from`."""
        return _rsync(self, (), f"{remote}/", f"{local.resolve()}/", only)

    def git_remote(self, path: str) -> GitRemote:
        """As `Shell.git_remote`."""
        return GitRemote(path, {})


@dataclass(frozen=True)
class SshShell:
    """A machine behind an open ssh session.

    Attributes:
        host: As the user's ssh configuration names it.
        ssh_config: Another configuration file than the user's own.
    """

    host: str
    ssh_config: str | None = None
    is_local: bool = False

    @property
    def name(self) -> str:
        """The host."""
        return self.host

    @property
    def opening_command(self) -> str:
        """What the user runs to open the session."""
        return shlex.join(["ssh", *self._config(), "-fNM", self.host])

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", seconds: float = 60.0) -> Completed:
        """As `Shell.run`."""
        # The far side hands the one string to the user's login shell, so every word is quoted.
        words = [*self._ssh(), "--", self.host, shlex.join(argv)]
        done = _run(words, stdin=stdin, seconds=seconds, name=self.name)
        if done.returncode == _SSH_FAILED:
            self.check_session()
        return done

    def check_session(self) -> None:
        """Do nothing if the session is open.

        Raises:
            SessionGoneError: It is not.
        """
        words = ["ssh", *self._config(), "-O", "check", "--", self.host]
        done = _run(words, stdin=b"", seconds=_CHECK_SECONDS, name=self.name)
        if done.returncode != 0:
            how = ""
            if "No ControlPath" in done.stderr:
                how = (
                    f" First give the host a ControlPath: 'Host {self.host}' with 'ControlPath "
                    "~/.ssh/cm-%C' in your ssh configuration."
                )
            raise SessionGoneError(
                f"{self.host}: no open ssh session ({done.words.splitlines()[0]}).{how} Open it, "
                f"with your second factor, and try again: {self.opening_command}"
            )

    def copy_to(self, local: Path, remote: str, *, only: Sequence[str] = ()) -> None:
        """As `Shell.copy_to`."""
        _rsync(self, self._ssh(), f"{local.resolve()}/", f"{self.host}:{remote}/", only)

    def send_file(self, local: Path, remote: str) -> None:
        """As `Shell.send_file`."""
        _rsync(self, self._ssh(), str(local.resolve()), f"{self.host}:{remote}", ())

    def copy_from(self, remote: str, local: Path, *, only: Sequence[str] = ()) -> list[str]:
        """As `Shell.copy_from`."""
        source = f"{self.host}:{remote}/"
        return _rsync(self, self._ssh(), source, f"{local.resolve()}/", only)

    def git_remote(self, path: str) -> GitRemote:
        """As `Shell.git_remote`."""
        ssh = {"GIT_SSH_COMMAND": shlex.join(self._ssh()), "GIT_SSH_VARIANT": "ssh"}
        return GitRemote(f"{self.host}:{path}", ssh)

    def _config(self) -> list[str]:
        return [] if self.ssh_config is None else ["-F", self.ssh_config]

    def _ssh(self) -> list[str]:
        options = [word for option in _ONLY_THE_MASTER for word in ("-o", option)]
        return ["ssh", *self._config(), *options]


def open_shell(config: ClusterConfig) -> Shell:
    """The place where the cluster takes commands.

    Raises:
        SessionGoneError: It is behind ssh and no session is open; the message has the command.
    """
    if config.host is None:
        return LocalShell()
    shell = SshShell(config.host, config.ssh_config)
    shell.check_session()
    return shell


def _run(argv: Sequence[str], *, stdin: bytes, seconds: float, name: str) -> Completed:
    try:
        done = subprocess.run(  # noqa: S603 - a list of words, no shell
            list(argv),
            input=stdin,
            capture_output=True,
            timeout=seconds,
            check=False,
            env=submission_environment(),
        )
    except FileNotFoundError:
        return Completed(_NOT_FOUND, "", f"{argv[0]}: command not found")
    except OSError as error:  # no leave to execute it, no program, too many words
        return Completed(_NOT_STARTED, "", f"{argv[0]}: cannot be started: {error.strerror}")
    except subprocess.TimeoutExpired as error:
        raise CannotAskError(
            f"{name}: no answer to '{argv[0]}' within {seconds:g} s; nothing is known. Try again."
        ) from error
    out, err = (text.decode("utf-8", "replace") for text in (done.stdout, done.stderr))
    return Completed(done.returncode, out, err)


def _rsync(
    shell: LocalShell | SshShell, ssh: Sequence[str], source: str, target: str, only: Sequence[str]
) -> list[str]:
    """Files appear under their names whole: rsync writes beside them and renames."""
    over = ["-e", _for_rsync(ssh)] if ssh else []
    rules = [word for rule in only for word in ("--filter", rule)]
    # -s: the far side's shell does not see the path.
    words = ["rsync", "-rlt", "-s", "--out-format=%n", *over, *rules, "--", source, target]
    done = _run(words, stdin=b"", seconds=_COPY_SECONDS, name=shell.name)
    if done.returncode == _NOT_FOUND and shutil.which("rsync") is None:
        raise ClusterError(
            "this machine: expected rsync, by which files are copied to and from a cluster, found "
            "none on PATH; install it."
        )
    if done.returncode != 0:
        if isinstance(shell, SshShell):  # rsync has no code of its own for a session that is gone
            shell.check_session()
        raise ClusterError(f"{shell.name}: copying {source} to {target} failed: {done.words}")
    return [line for line in done.stdout.splitlines() if not line.endswith("/")]


def _for_rsync(words: Sequence[str]) -> str:
    """Words as rsync's ``-e`` reads them: a quote inside quotes is doubled, not escaped."""
    return " ".join("'" + word.replace("'", "''") + "'" for word in words)
