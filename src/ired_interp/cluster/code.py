"""The project's exact commit on the cluster, and the environment that it runs in.

The commit travels by ``git push`` through the open ssh session into a bare repository, so that a
job needs neither network nor key. Clone and environment are made once, on the login node, under a
lock, and shared by every job that names the same commit or the same requirements.
"""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from ired_interp.cluster.answers import the_one
from ired_interp.cluster.config import ClusterConfig
from ired_interp.cluster.contents import (
    LargeFile,
    Submodule,
    filling,
    large_files,
    submodules,
)
from ired_interp.cluster.git_calls import git
from ired_interp.cluster.script import load_modules
from ired_interp.cluster.shell import Shell, check
from ired_interp.errors import ClusterError, ConfigError

__all__ = [
    "Code",
    "Prepared",
    "code_of",
    "is_on_a_remote",
    "prepare",
    "render_preparation",
    "send_code",
]

_MANY_MINUTES = 3600.0
_PUSH_SECONDS = 900.0


@dataclass(frozen=True)
class Code:
    """What is to be executed.

    Attributes:
        project: Root of the git repository here.
        sha: The commit.
        is_package: Whether the project is ired-interp itself.
        modules: Submodules, at the commits that are recorded.
        large: Files whose content git-lfs keeps apart.
    """

    project: Path
    sha: str
    is_package: bool
    modules: tuple[Submodule, ...] = ()
    large: tuple[LargeFile, ...] = ()

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
        ConfigError: There is no repository or no commit, so nothing exact could be sent; or a
            submodule is not filled.
    """
    root = _checkout_of_the_package() if project is None else _top_level(project)
    if root is None or sha is None:
        where = "ired-interp was installed without its repository" if project is None else project
        raise ConfigError(
            f"submit: expected a git repository with a commit, found none ({where}). A cluster "
            "runs an exact commit: 'git init', commit the experiment, and plan the run again."
        )
    if not git(root, "cat-file", "-e", f"{sha}^{{commit}}").ok:
        raise ConfigError(
            f"submit: the run was planned at commit {sha}, which {root} does not have (any more). "
            "Fetch it, or plan the run again."
        )
    modules = submodules(root, sha)
    return Code(root, sha, project is None, modules, large_files(root, sha, modules))


def is_on_a_remote(code: Code) -> bool:
    """Whether a branch of a remote, as last fetched, contains the commit."""
    done = git(code.project, "branch", "-r", "--contains", code.sha)
    return done.ok and bool(done.out.strip())


def send_code(shell: Shell, config: ClusterConfig, code: Code) -> str:
    """Push the commit, and those of submodules, into a bare repository there; returns its path.

    Raises:
        ClusterError: git failed.
        CannotAskError, SessionGoneError: No answer.
    """
    repository = f"{config.root}/code/{code.name}.git"
    check(shell, ["mkdir", "-p", "--", f"{config.root}/code"], f"making {config.root}/code")
    check(shell, ["git", "init", "--quiet", "--bare", "--", repository], f"making {repository}")
    remote = shell.git_remote(repository)
    folders = [(code.project, code.sha)]
    folders += [(code.project / module.path, module.sha) for module in code.modules]
    for folder, sha in folders:
        wanted = f"{sha}:refs/ired-interp/{sha}"
        # no hooks: the user's pre-push, git-lfs's among them, belongs to the user's own remotes
        words = ("push", "--quiet", "--no-verify", "--", remote.url, wanted)
        done = git(folder, *words, environment=remote.environment, seconds=_PUSH_SECONDS)
        if not done.ok:
            shell.run(["true"])  # a session that is gone is said so
            raise ClusterError(
                f"{shell.name}: git push of {folder} to {repository} failed: {done.err.strip()}"
            )
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
    if done.returncode != 0:
        raise ClusterError(
            f"{shell.name}: the clone and the environment could not be made: {done.words}"
        )
    asked = f"{shell.name}: the clone and the environment"
    python = the_one(done.stdout, r"python=(/.*)", "a line 'python=…'", asked)
    return Prepared(repository, f"{config.root}/clones/{code.sha}", python)


def render_preparation(config: ClusterConfig, code: Code, repository: str) -> str:
    """The script that makes clone and environment, for ``bash -s`` on the login node."""
    quote = shlex.quote
    lines = [
        "set -euo pipefail",
        _ALONE,
        *load_modules(config.modules),
        _CLONE.format(
            clones=quote(f"{config.root}/clones"),
            repository=quote(repository),
            sha=code.sha,
            store=quote(f"{config.root}/files"),
            filling="".join(
                f"    {line}\n"
                for line in filling(
                    code.modules,
                    code.large,
                    clone='"$draft"',
                    repository='"$repository"',
                    store='"$store"',
                )
            ),
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


_ALONE = """
# the lock of file descriptor 9, where the file system has locks
alone() {
    local code=0
    flock -w "$1" 9 || code=$?
    case $code in
    0) ;;
    1) echo "waited $1 s for another submit that makes the same" >&2 && exit 1 ;;
    *) echo "no locks on this file system: making it without one" >&2 ;;
    esac
}"""

_CLONE = """
# the commit, in a folder that appears whole or not at all
clones={clones} repository={repository} sha={sha} store={store}
export GIT_LFS_SKIP_SMUDGE=1  # what git-lfs keeps apart is in the store already
mkdir -p -- "$clones"
exec 9>"$clones/$sha.lock"
alone 600
if [ ! -d "$clones/$sha" ]; then
    rm -rf -- "$clones/.$sha".*
    draft=$(mktemp -d -- "$clones/.$sha.XXXXXX")
    git init --quiet -- "$draft"
    git -C "$draft" fetch --quiet --depth=1 -- "$repository" "refs/ired-interp/$sha"
    git -C "$draft" -c advice.detachedHead=false checkout --quiet --detach FETCH_HEAD
{filling}    mv -- "$draft" "$clones/$sha"
fi
flock -u 9 2>/dev/null || true  # what was started may still have the descriptor
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
alone 3600
if [ ! -e "$envs/$hash/complete" ]; then
    rm -rf -- "${{envs:?}}/$hash"
    "$base" -m venv -- "$envs/$hash" >&2
    "$python" -m pip install --quiet --disable-pip-version-check -r {requirements} >&2
    {package}
    touch -- "$envs/$hash/complete"
fi
flock -u 9 2>/dev/null || true  # what was started may still have the descriptor
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


def _checkout_of_the_package() -> Path | None:
    """None where it was installed, even if that is inside of somebody's repository."""
    folder = Path(__file__).parents[1]
    tracked = git(folder, "ls-files", "--error-unmatch", "__init__.py").ok
    return _top_level(folder) if tracked else None


def _top_level(folder: Path) -> Path | None:
    done = git(folder, "rev-parse", "--show-toplevel")
    return Path(done.out.strip()) if done.ok else None
