"""Whether the commit gets to the cluster, and the files that the config names."""

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ired_interp.cluster.contents import content_of, large_files, submodules
from ired_interp.cluster.git_calls import git
from ired_interp.cluster.shell import Shell
from ired_interp.errors import CannotAskError, ConfigError
from ired_interp.preflight.check import Check, failed, not_checked, passed
from ired_interp.preflight.ground import Ground

__all__ = ["check_arrives", "check_paths"]

_PUSH_SECONDS = 300.0
_MIB = 2**20
# A bare repository for this one push; it borrows what an earlier submission brought.
_MAKE = """
for tool in git rsync flock sha256sum timeout; do
    command -v "$tool" >/dev/null || { echo "there is no $tool" >&2; exit 1; }
done
d=$(mktemp -d "${TMPDIR:-/tmp}/ired-preflight.XXXXXXXXXX") &&
    git init --quiet --bare -- "$d/try.git" || exit 1
if [ -d "$1/objects" ]; then
    printf '%s\\n' "$1/objects" > "$d/try.git/objects/info/alternates"
fi
echo "made $d"
"""
# whole, since it is removed in the end
_MADE = re.compile(r"^made (/.*/ired-preflight\.\w{10})\r?\n", re.M)
_FETCH = """
git init --quiet -- "$1/clone" &&
    git -C "$1/clone" fetch --quiet --depth=1 -- "$1/try.git" "refs/ired-interp/$2" &&
    git -C "$1/clone" cat-file -e "$2^{commit}"
"""


def check_arrives(ground: Ground, shell: Shell, repository: str) -> Check:
    """That the commit can be pushed there, and fetched there as a job does; nothing is left.

    Args:
        ground: The experiment.
        shell: The cluster.
        repository: Where a submission would push to.
    """
    if ground.root is None or ground.sha is None:
        return not_checked("arrives", ground.why_none)
    root, sha = ground.root, ground.sha
    try:
        modules = submodules(root, sha)
    except ConfigError:
        return not_checked("arrives", "a submodule is not here; see 'submodules'")
    lost = [f for f in large_files(root, sha, modules) if content_of(root, f) is None]
    if lost:
        return failed(
            "arrives",
            f"{lost[0].whole_path} is kept by git-lfs, and its content is not here",
            "the content here, from where 'submit' sends it",
            f"git -C {shlex.quote(str(root))} lfs pull",
        )
    made = shell.run(["sh", "-c", _MAKE, "sh", repository])
    told = _MADE.search(made.stdout)
    if made.returncode != 0 or told is None:
        return failed(
            "arrives",
            f"{shell.name}: {made.words.splitlines()[0]}",
            "git, rsync, flock, sha256sum and timeout on the login node, and a temporary folder",
            "ask the cluster's administrators, or load a module in ~/.bashrc there",
        )
    folder = told[1]
    try:
        remote = shell.git_remote(f"{folder}/try.git")
        for place, commit in ((root, sha), *((root / m.path, m.sha) for m in modules)):
            wanted = f"{commit}:refs/ired-interp/{commit}"
            words = ("push", "--quiet", "--no-verify", "--", remote.url, wanted)
            done = git(place, *words, environment=remote.environment, seconds=_PUSH_SECONDS)
            said = done.err.strip()
            if done.ok:
                fetched = shell.run(["sh", "-c", _FETCH, "sh", folder, commit])
                if fetched.returncode == 0:
                    shell.run(["rm", "-rf", "--", f"{folder}/clone"])
                    continue
                said = fetched.words
            return failed(
                "arrives",
                f"commit {commit[:10]} of {place} does not get to {shell.name}: {_first(said)}",
                "a commit that can be pushed through the session, and fetched there",
                f"git -C {shlex.quote(str(place))} fsck; 'git fetch --unshallow' if it is shallow",
            )
    finally:
        shell.run(["rm", "-rf", "--", folder])
    more = f", with {len(modules)} submodules" if modules else ""
    return passed("arrives", f"{ground.short} pushed to {shell.name} and fetched there{more}")


def check_paths(shell: Shell, facts: Mapping[str, Any]) -> Check:
    """The plan is made here and executed there: what it names must be there, or be sent."""
    paths = facts.get("absolute")
    if paths is None:
        return not_checked("paths", "the dry run did not get as far as a plan")
    sent = [Path(path) for path in paths if Path(path).is_file()]
    for path in paths:
        if Path(path) in sent:
            continue
        done = shell.run(["test", "-e", path])
        if done.returncode > 1:
            raise CannotAskError(f"{shell.name}: cannot ask for {path}: {done.words}")
        if done.returncode == 1:
            return failed(
                "paths",
                f"the plan holds the absolute path {path}, which {shell.name} does not have",
                "paths relative to the project, a file that is here and can be sent, or the same "
                "path there",
                "give a path relative to the project's root, or copy the folder there",
            )
    if not paths:
        return passed("paths", "all relative")
    size = sum(path.stat().st_size for path in sent) / _MIB
    how = f", {len(sent)} of them files that are sent by content ({size:.1f} MiB)" if sent else ""
    return passed("paths", f"{len(paths)} absolute paths in the plan{how}")


def _first(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("fatal:", "error:", "remote:"))]
    return (telling or lines or ["no reason given"])[0]
