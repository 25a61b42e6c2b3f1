"""Whether the commit is where others can get it."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ired_interp.git import git, without_password
from ired_interp.preflight.check import Check, failed, not_checked, passed
from ired_interp.preflight.clone import borrowed_objects
from ired_interp.preflight.ground import Ground

__all__ = ["Remote", "ask_remote", "check_pushed", "check_remote"]

_SECONDS = 30.0
_HEADS = "refs/heads/"


@dataclass(frozen=True)
class Remote:
    """What the remote says.

    Attributes:
        name: Such as ``origin``; None where the repository has none.
        url: As git uses it.
        tips: Commit by ref; None where it did not answer.
        complaint: What git said if it did not.
    """

    name: str | None
    url: str | None
    tips: Mapping[str, str] | None
    complaint: str = ""

    @property
    def shown(self) -> str:
        """The address as it may be printed."""
        return without_password(self.url or "")


def ask_remote(ground: Ground) -> Remote:
    """List the refs of the branch's own remote, or else of ``origin``, or else of the first."""
    root, _ = ground.commit
    names = git(root, "remote").out.split()
    if not names:
        return Remote(None, None, None)
    own = git(root, "config", f"branch.{ground.branch}.remote").out.strip()
    name = next((one for one in (own, "origin") if one in names), names[0])
    url = _absolute(git(root, "remote", "get-url", name).out.strip(), root)
    answer = git(root, "ls-remote", "--heads", "--tags", "--", name, seconds=_SECONDS)
    if not answer.ok:
        return Remote(name, url, None, answer.reason)
    pairs = re.findall(r"^([0-9a-f]{40,64})\t(refs/\S+)$", answer.out, re.M)
    return Remote(name, url, {ref: sha for sha, ref in pairs})


def _absolute(url: str, root: Path) -> str:
    """A path is relative to the repository; git would take it as relative to where it runs."""
    is_path = "://" not in url and ":" not in url.split("/", 1)[0]
    return str((root / url).resolve()) if is_path and not url.startswith("/") else url


def check_remote(ground: Ground, remote: Remote) -> Check:
    """That there is a remote, and that it answers."""
    if remote.name is None:
        return failed(
            "remote",
            f"{ground.root} has no remote",
            "a place where others can get the commit, so that the result can be reproduced",
            f"git remote add origin URL && git push -u origin {_branch(ground)}",
        )
    if remote.tips is None:
        return failed(
            "remote",
            f"{remote.name} ({remote.shown}) does not answer: {remote.complaint}",
            "a repository that git can list",
            f"git remote set-url {shlex.quote(remote.name)} NEW-URL if it has moved; else see "
            f"'git ls-remote {shlex.quote(remote.name)}'",
        )
    return passed("remote", f"{remote.name} ({remote.shown}) answers")


def check_pushed(ground: Ground, remote: Remote, scratch: Path) -> Check:
    """That the commit is in the history of a branch or tag of the remote."""
    root, sha = ground.commit
    if remote.tips is None or remote.name is None:
        why = "there is no remote" if remote.name is None else "the remote did not answer"
        return not_checked("pushed", why)
    ref = _containing(root, sha, remote, scratch)
    where = ground.branch or "detached HEAD"
    if ref is not None:
        short = ref.removeprefix(_HEADS).removeprefix("refs/tags/")
        return passed("pushed", f"{ground.short} ({where}) is in {remote.name}/{short}")
    return failed(
        "pushed",
        f"commit {ground.short} ({where}) is not on {remote.name}{_how_far(ground, remote)}",
        f"a commit in the history of a branch of {remote.shown}",
        _push(ground, remote.name),
    )


def _containing(root: Path, sha: str, remote: Remote, scratch: Path) -> str | None:
    """A ref of the remote whose history holds the commit."""
    tips = remote.tips or {}
    branches = sorted(tips, key=lambda ref: not ref.startswith(_HEADS))
    for ref in branches:
        if tips[ref] == sha:
            return ref
    place = root
    unknown = [ref for ref in branches if not git(root, "cat-file", "-e", tips[ref]).ok]
    if unknown and remote.url is not None:
        # What others pushed since: fetched beside the user's repository, which stays as it is.
        borrowed = borrowed_objects(root, scratch / "history.git")
        if borrowed is not None:
            git(borrowed, "fetch", "--quiet", "--", remote.url, *unknown, seconds=_SECONDS)
            place = borrowed
    for ref in branches:
        if git(place, "merge-base", "--is-ancestor", sha, tips[ref]).ok:
            return ref
    return None


def _how_far(ground: Ground, remote: Remote) -> str:
    """How the commit and the remote's branch differ."""
    root, sha = ground.commit
    tracking = f"refs/remotes/{remote.name}"
    held = git(root, "for-each-ref", "--contains", sha, "--format=%(refname)", tracking)
    before = [ref for ref in held.out.split() if not ref.endswith("/HEAD")]
    if held.ok and before:
        name = before[0].removeprefix("refs/remotes/")
        return f" any more: {name} was rewritten or removed there since you last fetched"
    if ground.branch is None:
        return ": HEAD is detached, on no branch that could be pushed"
    tip = (remote.tips or {}).get(_HEADS + ground.branch)
    if tip is None:
        return f": it has no branch {ground.branch}"
    ahead = git(root, "rev-list", "--count", f"{tip}..{sha}")
    if not ahead.ok:
        return f": {ground.branch} there has commits that you do not have"
    count = ahead.out.strip()
    return f": {count} commit{'' if count == '1' else 's'} ahead of {remote.name}/{ground.branch}"


def _push(ground: Ground, name: str) -> str:
    if ground.branch is None:
        return f"git switch -c NAME && git push -u {shlex.quote(name)} NAME"
    return f"git push {shlex.quote(name)} {shlex.quote(ground.branch)}"


def _branch(ground: Ground) -> str:
    return shlex.quote(ground.branch or "main")
