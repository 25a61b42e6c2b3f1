"""How many jobs accounting lets a user submit: by QOS, by association, by the accounts above it."""

from collections.abc import Mapping
from dataclasses import dataclass

from ired_interp.cluster.shell import Shell, ask
from ired_interp.errors import CannotAskError

__all__ = ["Association", "QosCaps", "ask_association", "ask_qos_caps"]


@dataclass(frozen=True, slots=True)
class QosCaps:
    """The caps of a QOS on jobs that are submitted; None for no limit.

    Attributes:
        of_user: For each user (MaxSubmitJobsPerUser).
        of_account: For each account (MaxSubmitJobsPerAccount).
        of_all: For all together (GrpSubmitJobs).
    """

    of_user: int | None
    of_account: int | None
    of_all: int | None


@dataclass(frozen=True)
class Association:
    """A user in an account.

    Attributes:
        account: That is charged.
        max_submit: How many jobs the user may have there; None for no limit.
        qos: The default one; None if there is none.
        groups: Accounts, from that one upwards, which all their users together may fill: the cap
            (GrpSubmitJobs), and the accounts that count.
    """

    account: str
    max_submit: int | None
    qos: str | None
    groups: Mapping[str, tuple[int, tuple[str, ...]]]


def ask_qos_caps(shell: Shell) -> dict[str, QosCaps]:
    """The caps of each QOS.

    Raises:
        CannotAskError: They are not known, as at sites that close sacctmgr to users.
    """
    columns = "format=name,maxsubmitpu,maxsubmitpa,grpsubmit"
    answer = ask(shell, ["sacctmgr", "-nP", "show", "qos", columns], "the QOS limits")
    rows = [line.split("|") for line in answer.splitlines() if line]
    return {name: QosCaps(*(int(cap) if cap else None for cap in caps)) for name, *caps in rows}


def ask_association(shell: Shell, account: str | None, user: str) -> Association:
    """The user's association with an account.

    Args:
        shell: Where to ask.
        account: None for the user's default.
        user: The user's name there.

    Raises:
        CannotAskError: There is none, or it is not known.
    """
    columns = "format=account,defaultaccount,maxsubmitjobs,defaultqos"
    answer = ask(
        shell,
        ["sacctmgr", "-nP", "show", "user", user, "withassoc", columns],
        "the user's association",
    )
    rows = [line.split("|") for line in answer.splitlines() if line]
    for name, default, cap, qos in rows:
        if name == (account or default):
            return Association(name, int(cap) if cap else None, qos or None, _groups(shell, name))
    raise CannotAskError(
        f"{shell.name}: expected an association of {user} with the account "
        f"{account or '(default)'}, found {', '.join(row[0] for row in rows) or 'none'}."
    )


def _groups(shell: Shell, account: str) -> dict[str, tuple[int, tuple[str, ...]]]:
    """Caps of the account and of those above it, each with all accounts below."""
    columns = "format=account,user,parentname,grpsubmit"
    answer = ask(shell, ["sacctmgr", "-nP", "show", "assoc", columns], "the accounts")
    parent: dict[str, str] = {}
    caps: dict[str, int] = {}
    for line in answer.splitlines():
        name, user, above, cap = line.split("|")
        if user:
            continue
        parent[name] = above
        if cap:
            caps[name] = int(cap)
    return {
        name: (caps[name], tuple(one for one in parent if name in _upwards(one, parent)))
        for name in _upwards(account, parent)
        if name in caps
    }


def _upwards(account: str, parent: Mapping[str, str]) -> list[str]:
    """The account, the one above it, and so on."""
    found = [account]
    while (above := parent.get(found[-1], "")) and above not in found:
        found.append(above)
    return found
