"""The preflight: every check of an experiment at its commit, for this machine or for a cluster."""

import contextlib
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ired_interp.cluster.config import ClusterConfig
from ired_interp.cluster.shell import Shell, open_shell
from ired_interp.errors import IredInterpError, SessionGoneError, UnknownNameError
from ired_interp.git import git, without_password
from ired_interp.preflight.check import CHECKS, Check, Group, failed, not_checked, passed
from ired_interp.preflight.clone import Clone, make_clone, scratch_folder
from ired_interp.preflight.dry_run import DryRun, Facts, ask_probe
from ired_interp.preflight.environment import (
    build_environment,
    check_environment,
    check_interpreter,
)
from ired_interp.preflight.filling import fill
from ired_interp.preflight.ground import Ground, find_ground
from ired_interp.preflight.groups import side_by_side
from ired_interp.preflight.remote import ask_remote, check_pushed, check_remote
from ired_interp.preflight.repository import (
    check_clean,
    check_data_files,
    check_line_endings,
    check_submodules,
    check_tracked,
)
from ired_interp.preflight.resources import check_disk, check_resources
from ired_interp.preflight.site import Site, check_site

__all__ = ["Wishes", "preflight"]

_WAIT_SECONDS = 900.0


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """How the checks are made.

    Attributes:
        cluster: Where the jobs would run; None for this machine alone.
        fresh_env: Whether to build the environment, and to make the dry run in it.
        skip: Ids that are not checked. ``dry_run`` skips all that executes the experiment.
        allow_unpushed: Whether a commit that nobody else has is the user's own decision.
        python: Words that start the interpreter of the dry run.
        open_fn: Opens the cluster's shell.
        out: Where results will lie on this machine.
        limit_seconds: After which the dry run is ended.
        project: Where the reference is looked for, of a run that is planned; see `locate`.
        commit: Of a run that is planned; None for the one that is checked out.
    """

    cluster: ClusterConfig | None = None
    fresh_env: bool = False
    skip: Collection[str] = ()
    allow_unpushed: bool = False
    python: Sequence[str] = (sys.executable,)
    open_fn: Callable[[ClusterConfig], Shell] = open_shell
    out: Path = Path("runs")
    limit_seconds: float = 300.0
    project: Path | None = None
    commit: str | None = None

    def __post_init__(self) -> None:
        for name in self.skip:
            if name not in CHECKS:
                raise UnknownNameError(
                    f"--skip: expected one of {', '.join(CHECKS)}, found {name!r}."
                )


def preflight(
    reference: str, words: Mapping[str, str], wishes: Wishes | None = None
) -> Iterator[Check]:
    """Check all that would stop a run, in a clean clone of the commit; each check as it is made.

    Args:
        reference: Of the experiment: a name, a file, or ``package.module:NAME``.
        words: Of its config, as on the command line.
        wishes: How to check.

    Raises:
        UnknownNameError: An id to skip that does not exist.
    """
    wishes = wishes or Wishes()
    with scratch_folder() as scratch:
        try:
            ground = find_ground(
                reference, words, project=wishes.project, commit=wishes.commit, scratch=scratch
            )
        except IredInterpError as error:
            yield failed(
                "reference", str(error), "an experiment", "ired-interp preflight path/to/file.py"
            )
            for name in list(CHECKS)[1:]:
                yield not_checked(name, "there is no experiment to check")
            return
        work = _Work(ground, wishes, scratch)
        try:
            for check in side_by_side(work.groups()):
                yield _as_wished(check, wishes)
        finally:
            work.facts.stop()


def _as_wished(check: Check, wishes: Wishes) -> Check:
    if check.id in wishes.skip:
        return not_checked(check.id, f"--skip {check.id} was given")
    if check.id == "pushed" and check.status == "fail" and wishes.allow_unpushed:
        return not_checked("pushed", f"--allow-unpushed was given: {check.found}", check.fix)
    return check


@dataclass
class _Work:
    """What the groups share: each makes what others wait for.

    Attributes:
        ground: The experiment.
        wishes: How to check.
        scratch: A folder of this preflight alone.
        facts: Of the dry run.
    """

    ground: Ground
    wishes: Wishes
    scratch: Path
    facts: Facts = field(default_factory=Facts)
    _clone: "Future[Clone]" = field(default_factory=Future)
    _python: "Future[Sequence[str] | None]" = field(default_factory=Future)
    _shell: "Future[Shell | None]" = field(default_factory=Future)

    def groups(self) -> dict[Group, Callable[[], Iterator[Check | None]]]:
        """In the order in which they are told."""
        return {
            "repository": self._repository,
            "environment": self._environment,
            "dry run": self._dry_run,
            "resources": self._resources,
            "cluster": self._site,
        }

    def _repository(self) -> Iterator[Check]:
        with _promised(self._clone, Clone(None, "", from_remote=False, problem="there is none")):
            yield from self._of_commit()

    def _of_commit(self) -> Iterator[Check]:
        ground = self.ground
        where = ground.source.file or "this package"
        yield passed("reference", f"{ground.source.reference}, defined in {where}")
        if ground.root is None or ground.sha is None:
            if ground.root is None and ground.built_in:
                self._clone.set_result(Clone(None, "", from_remote=False, problem=ground.why_none))
            yield check_tracked(ground)
            for name in list(CHECKS)[2:]:
                if CHECKS[name] == "repository":
                    yield not_checked(name, ground.why_none)
            return
        remote = ask_remote(ground)
        url = remote.url if remote.tips is not None else None
        made = make_clone(ground.root, ground.sha, url, self.scratch / "clone")
        fill(ground.root, ground.sha, made)
        self._clone.set_result(made)
        yield check_tracked(ground)
        yield check_clean(ground)
        yield check_remote(ground, remote)
        yield check_pushed(ground, remote, self.scratch)
        # Filled in a clone of its own: the dry run is using the other.
        yield check_submodules(ground, self._second_clone(made))
        yield check_data_files(ground, made.path)
        yield check_line_endings(ground, made.path)
        if made.path is None:
            yield failed(
                "clone",
                f"commit {ground.short} cannot be cloned: {made.problem}",
                "a clone of the commit",
                f"git -C {ground.root} fsck",
            )
        else:
            yield passed("clone", f"commit {ground.short} from {without_password(made.origin)}")

    def _second_clone(self, made: Clone) -> Path | None:
        root, sha = self.ground.commit
        has_any = git(root, "cat-file", "-e", f"{sha}:.gitmodules").ok
        if made.path is None or not has_any:
            return made.path
        return make_clone(
            root,
            sha,
            made.origin if made.from_remote else None,
            self.scratch / "submodules",
        ).path

    def _environment(self) -> Iterator[Check | None]:
        wishes, ground = self.wishes, self.ground
        with _promised(self._python, wishes.python):
            clone = self._clone.result(_WAIT_SECONDS).path
            yield None
            if not wishes.fresh_env:
                self._python.set_result(wishes.python)
            yield check_interpreter(clone, wishes.cluster, self._wait_for_shell)
            if wishes.fresh_env:
                name = wishes.cluster.requirements if wishes.cluster else "requirements.txt"
                built = build_environment(ground, clone, name, self.scratch / "environment")
                python = None if built.python is None else (str(built.python),)
                self._python.set_result(python)
                yield built.check
            elif "environment" in wishes.skip:
                yield not_checked("environment", "skipped")
            else:
                yield check_environment(ground, clone, wishes.cluster)

    def _dry_run(self) -> Iterator[Check]:
        ids = [name for name, group in CHECKS.items() if group == "dry run"]
        reason = ""
        made = self._clone.result(_WAIT_SECONDS)
        python = self._python.result(_WAIT_SECONDS)
        if "dry_run" in self.wishes.skip:
            reason = "--skip dry_run was given"
        elif python is None:
            reason = "there is no environment to run it in; see 'environment'"
        elif made.path is None and not (self.ground.built_in and self.ground.root is None):
            reason = f"there is no clone to run it in: {made.problem}"
        elif made.path is not None and not self._is_in(made.path):
            reason = "the commit does not hold the experiment's own file; see 'tracked'"
        if reason or python is None:
            self.facts.done.set()
            for name in ids:
                yield not_checked(name, reason)
            return
        cluster = self.wishes.cluster
        run = DryRun(
            python=python,
            ground=self.ground,
            clone=made.path,
            folder=self.scratch / "dry run",
            threads=cluster.cpus if cluster is not None else None,
            seconds=self.wishes.limit_seconds,
        )
        yield from ask_probe(run, self.facts)

    def _is_in(self, clone: Path) -> bool:
        parts = self.ground.parts
        return parts is None or (clone / parts.modules[0]).is_file()

    def _known(self) -> Mapping[str, Any]:
        self.facts.done.wait(_WAIT_SECONDS)
        return self.facts.known

    def _resources(self) -> Iterator[Check | None]:
        known, cluster = self._known(), self.wishes.cluster
        yield None
        yield from check_resources(known, cluster)
        shell = self._shell.result(_WAIT_SECONDS)
        if cluster is not None and shell is None:
            yield not_checked("disk", "the cluster cannot be asked; see 'session'")
        else:
            yield check_disk(known, cluster, shell, self.wishes.out)

    def _wait_for_shell(self) -> Shell:
        shell = self._shell.result(_WAIT_SECONDS)
        if shell is None:
            raise SessionGoneError("there is no session; see 'session'")
        return shell

    def _site(self) -> Iterator[Check | None]:
        cluster = self.wishes.cluster
        ids = [name for name, group in CHECKS.items() if group == "cluster"]
        with _promised(self._shell, None):
            if cluster is None:
                self._shell.set_result(None)
                for name in ids:
                    yield not_checked(name, "no --cluster was named")
                return
            try:
                shell = self.wishes.open_fn(cluster)
            except IredInterpError as error:
                self._shell.set_result(None)
                message = str(error)
                yield failed(
                    "session",
                    message,
                    f"an open session to {cluster.host}",
                    message.rpartition(": ")[2],
                )
                for name in ids[1:]:
                    yield not_checked(name, "the cluster cannot be asked; see 'session'")
                return
            self._shell.set_result(shell)
            yield from check_site(Site(cluster, shell, self.ground), self._known)


@contextlib.contextmanager
def _promised(future: "Future[Any]", otherwise: Any) -> Iterator[None]:
    """Whatever happens, nobody waits for ever."""
    try:
        yield
    finally:
        if not future.done():
            future.set_result(otherwise)
