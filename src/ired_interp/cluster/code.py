"""The project's exact commit on the cluster, and the environment that it runs in.

The commit travels by ``git push`` through the open ssh session into a bare repository, so that a
job needs neither network nor key. Clone and environment are made once, on the login node, under a
lock, and shared by every job that names the same commit or the same requirements.
"""

import os
import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

import ired_interp
from ired_interp.cluster.config import ClusterConfig
from ired_interp.cluster.script import load_modules
from ired_interp.cluster.shell import Shell, check, submission_environment
from ired_interp.errors import CannotAskError, ClusterError, ConfigError

__all__ = [
    "Code",
    "Prepared",
    "code_of",
    "git",
    "is_on_a_remote",
    "prepare",
    "render_preparation",
    "send_code",
]

_MANY_MINUTES = 3600.0
_PUSH_SECONDS = 900.0
_GIT_SECONDS = 30.0
_ANSWER = "python="


@dataclass(frozen=True)
class Code:
    """What is to be executed.

    Attributes:
        project: Root of the git repository here.
        sha: The commit.
        is_package: Whether the project is ired-interp itself.
    """

    project: Path
    sha: str
    is_package: bool

    @property
    def name(self) -> str:
        """For a folder on the cluster."""
        return re.sub(r"[^A-Za-z0-9._-]+", "-", self.project.name).strip(".-") or "project"


@dataclass(frozen=True)
class Prepared:
    """Where things are on the cluster.

    Attributes:
        repository: Bare, with the commit.
        clone: The project at the commit.
        python: Interpreter of the environment.
    """

    repository: str
    clone: str
    python: str


def code_of(project: Path | None, sha: str | None) -> Code:
    """The code of a run: of its own project, or of ired-interp's checkout.

    Args:
        project: Root of the git repository; None for an experiment that comes with ired-interp.
        sha: The commit that the run was planned with.

    Raises:
        ConfigError: There is no repository or no commit, so nothing exact could be sent.
    """
    root = _checkout_of_the_package() if project is None else _top_level(project)
    if root is None or sha is None:
        where = "ired-interp was installed without its repository" if project is None else project
        raise ConfigError(
            f"submit: expected a git repository with a commit, found none ({where}). A cluster "
            "runs an exact commit: 'git init', commit the experiment, and plan the run again."
        )
    if git(root, "cat-file", "-e", f"{sha}^{{commit}}").returncode != 0:
        raise ConfigError(
            f"submit: the run was planned at commit {sha}, which {root} does not have (any more). "
            "Fetch it, or plan the run again."
        )
    return Code(root, sha, is_package=project is None)


def is_on_a_remote(code: Code) -> bool:
    """Whether a branch of a remote, as last fetched, contains the commit."""
    done = git(code.project, "branch", "-r", "--contains", code.sha)
    return done.returncode == 0 and bool(done.stdout.strip())


def send_code(shell: Shell, config: ClusterConfig, code: Code) -> str:
    """Push the commit into the cluster's bare repository; returns its path.

    Raises:
        ClusterError: git failed.
        CannotAskError, SessionGoneError: No answer.
    """
    repository = f"{config.root}/code/{code.name}.git"
    check(shell, ["mkdir", "-p", "--", f"{config.root}/code"], f"making {config.root}/code")
    check(shell, ["git", "init", "--quiet", "--bare", "--", repository], f"making {repository}")
    remote = shell.git_remote(repository)
    wanted = f"{code.sha}:refs/ired-interp/{code.sha}"
    # no hooks: the user's pre-push belongs to the user's own remotes
    words = ("push", "--quiet", "--no-verify", "--", remote.url, wanted)
    done = git(code.project, *words, environment=remote.environment, seconds=_PUSH_SECONDS)
    if done.returncode != 0:
        shell.run(["true"])  # a session that is gone is said so
        raise ClusterError(f"{shell.name}: git push to {repository} failed: {done.stderr.strip()}")
    return repository


def prepare(shell: Shell, config: ClusterConfig, code: Code, repository: str) -> Prepared:
    """Clone and environment, made unless they are there; a cold environment takes minutes.

    Raises:
        ClusterError: A step failed; the message has its words.
        CannotAskError, SessionGoneError: No answer.
    """
    script = render_preparation(config, code, repository)
    bash = ["bash", "-l", "-s"] if config.modules else ["bash", "-s"]
    done = shell.run(bash, stdin=script.encode(), seconds=_MANY_MINUTES)
    lines = done.stdout.splitlines()
    if done.returncode != 0 or not lines or not lines[-1].startswith(_ANSWER):
        raise ClusterError(
            f"{shell.name}: the clone and the environment could not be made: {done.words}"
        )
    python = lines[-1].removeprefix(_ANSWER)
    return Prepared(repository, f"{config.root}/clones/{code.sha}", python)


def render_preparation(config: ClusterConfig, code: Code, repository: str) -> str:
    """The script that makes clone and environment, for ``bash -s`` on the login node."""
    quote = shlex.quote
    lines = [
        "set -euo pipefail",
        *load_modules(config.modules),
        _CLONE.format(
            clones=quote(f"{config.root}/clones"), repository=quote(repository), sha=code.sha
        ),
    ]
    if config.environment is not None:
        lines.append(f"python={quote(f'{config.environment}/bin/python')}")
    else:
        inputs = [config.requirements, *(["pyproject.toml"] * code.is_package)]
        lines.append(
            _ENVIRONMENT.format(
                envs=quote(f"{config.root}/envs"),
                python=quote(config.python),
                requirements=quote(config.requirements),
                inputs=shlex.join(inputs),
                modules=quote(" ".join(config.modules)),
                # its name and version; the code itself comes from the clone
                package='"$python" -m pip install --quiet --no-deps -- . >&2'
                if code.is_package
                else ":",
            )
        )
    lines.append(_END.format(path="PYTHONPATH=src " if code.is_package else ""))
    return "\n".join(lines)


_CLONE = """
# the commit, in a folder that appears whole or not at all
clones={clones} repository={repository} sha={sha}
mkdir -p -- "$clones"
exec 9>"$clones/$sha.lock"
flock -w 600 9
if [ ! -d "$clones/$sha" ]; then
    rm -rf -- "$clones/.$sha".*
    draft=$(mktemp -d -- "$clones/.$sha.XXXXXX")
    git init --quiet -- "$draft"
    git -C "$draft" fetch --quiet --depth=1 -- "$repository" "refs/ired-interp/$sha"
    git -C "$draft" -c advice.detachedHead=false checkout --quiet --detach FETCH_HEAD
    mv -- "$draft" "$clones/$sha"
fi
flock -u 9
cd -- "$clones/$sha"
test "$(git rev-parse HEAD)" = "$sha"
"""

_ENVIRONMENT = """
# the environment, one for each content of the requirements, interpreter and modules
envs={envs} base={python} modules={modules}
mkdir -p -- "$envs"
version=$("$base" -VV)
hash=$({{ cat -- {inputs}; echo "$version $modules"; }} | sha256sum | cut -c 1-16)
python=$envs/$hash/bin/python
exec 9>"$envs/$hash.lock"
flock -w 3600 9
if [ ! -e "$envs/$hash/complete" ]; then
    rm -rf -- "${{envs:?}}/$hash"
    "$base" -m venv -- "$envs/$hash" >&2
    "$python" -m pip install --quiet --disable-pip-version-check -r {requirements} >&2
    {package}
    touch -- "$envs/$hash/complete"
fi
flock -u 9
"""

_END = """
if [ ! -x "$python" ]; then
    echo "$python: expected the interpreter of an environment, found none" >&2
    exit 1
fi
find='import importlib.util, sys; sys.exit(importlib.util.find_spec("ired_interp") is None)'
if ! {path}"$python" -P -c "$find"; then
    echo "the environment of $python has no ired-interp: add it to the requirements" >&2
    exit 1
fi
printf 'python=%s\\n' "$python"
"""


def git(
    project: Path,
    *words: str,
    environment: dict[str, str] | None = None,
    seconds: float = _GIT_SECONDS,
) -> subprocess.CompletedProcess[str]:
    """Run git in a repository; its exit code is the caller's to judge.

    Raises:
        CannotAskError: git is not installed or did not end in time.
    """
    try:
        return subprocess.run(  # noqa: S603 - a list of words, no shell
            ["git", "-C", os.fspath(project), *words],  # noqa: S607 - found on the user's PATH
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**submission_environment(), **(environment or {})},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotAskError(f"git {words[0]} did not answer: {error}") from error


def _checkout_of_the_package() -> Path | None:
    """None where it was installed, even if that is inside of somebody's repository."""
    folder = Path(ired_interp.__file__).parent
    tracked = git(folder, "ls-files", "--error-unmatch", "__init__.py").returncode == 0
    return _top_level(folder) if tracked else None


def _top_level(folder: Path) -> Path | None:
    done = git(folder, "rev-parse", "--show-toplevel")
    return Path(done.stdout.strip()) if done.returncode == 0 else None
