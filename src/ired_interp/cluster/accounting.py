"""How many jobs accounting lets a user submit: by QOS, by association, by the accounts above it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ired_interp.cluster.answers import NONE, count_or_none, table
from ired_interp.cluster.shell import Shell, ask
from ired_interp.errors import CannotAskError

__all__ = ["Association", "QosCaps", "ask_association", "ask_qos_caps"]

_WORD, _CAP = r"[^|\s]+", r"[^|]*"
_QOS = {"name": _WORD, "maxsubmitpu": _CAP, "maxsubmitpa": _CAP, "grpsubmit": _CAP}
_USER = {"account": _WORD, "defaultaccount": _CAP, "maxsubmitjobs": _CAP, "defaultqos": _CAP}
_ACCOUNT = {"account": _WORD, "user": _CAP, "parentname": _CAP, "grpsubmit": _CAP}


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
    rows = _ask(shell, ["qos"], _QOS, "the QOS limits")
    asked = f"{shell.name}: the QOS limits"
    return {
        row["name"].lower(): QosCaps(
            of_user=count_or_none(row["maxsubmitpu"], asked),
            of_account=count_or_none(row["maxsubmitpa"], asked),
            of_all=count_or_none(row["grpsubmit"], asked),
        )
        for row in rows
    }


def _ask(
    shell: Shell, what: Sequence[str], columns: Mapping[str, str], words: str
) -> list[dict[str, str]]:
    question = ["sacctmgr", "-nP", "show", *what, f"format={','.join(columns)}"]
    answer = ask(shell, question, words)
    return table(answer, columns, f"{shell.name}: {words}", may_be_empty=False)


def ask_association(shell: Shell, account: str | None, user: str, cluster: str) -> Association:
    """The user's association with an account on a cluster.

    Args:
        shell: Where to ask.
        account: None for the user's default.
        user: The user's name there.
        cluster: Its name in accounting: the database may be that of several clusters.

    Raises:
        CannotAskError: There is none, or it is not known which.
    """
    words = "the user's association"
    rows = _ask(shell, ["user", user, "withassoc", f"cluster={cluster}"], _USER, words)
    mine = {
        (row["maxsubmitjobs"], row["defaultqos"], row["account"])
        for row in rows
        if row["account"].lower() == (account or row["defaultaccount"]).lower()
    }
    if len(mine) != 1:
        # several: one for each of some partitions, with limits of its own
        found = "several that differ" if mine else ", ".join(row["account"] for row in rows)
        raise CannotAskError(
            f"{shell.name}: expected one association of {user} with the account "
            f"{account or '(default)'} on {cluster}, found {found}."
        )
    ((cap, qos, name),) = mine
    return Association(
        name,
        count_or_none(cap, f"{shell.name}: {words}"),
        None if qos in NONE else qos,
        _groups(shell, name, cluster),
    )


def _groups(shell: Shell, account: str, cluster: str) -> dict[str, tuple[int, tuple[str, ...]]]:
    """Caps of the account and of those above it, each with all accounts below."""
    rows = _ask(shell, ["assoc", f"cluster={cluster}"], _ACCOUNT, "the accounts")
    parent: dict[str, str] = {}
    caps: dict[str, int] = {}
    for row in rows:
        if row["user"]:
            continue
        parent[row["account"]] = row["parentname"]
        cap = count_or_none(row["grpsubmit"], f"{shell.name}: the accounts")
        if cap is not None:
            caps[row["account"]] = cap
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
