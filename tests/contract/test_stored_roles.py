"""Roles of hypotheses in stored verdicts, and in those that were stored before there were roles."""

import numpy as np
import xarray as xr

from ired_interp.experiments.hypothesis import Evidence, Hypothesis, Role
from ired_interp.experiments.verdict_data import VERDICTS, read_verdicts, verdict_groups
from ired_interp.experiments.verdicts import judge


def claim(name: str, role: Role) -> Hypothesis:
    rng = np.random.default_rng(5)
    effect, control = 5 + rng.normal(size=12), rng.normal(size=12)
    return Hypothesis(
        id=name,
        statement="A sentence.",
        statistic=lambda _: Evidence(effect=effect, control=control),
        direction="greater",
        supports="",
        refutes="",
        control="",
        source="",
        role=role,
    )


CLAIMS = (claim("asked", "confirmatory"), claim("seen", "exploratory"))


def stored() -> xr.Dataset:
    return verdict_groups(CLAIMS, xr.DataTree())[VERDICTS]


def test_a_role_is_stored_and_read() -> None:
    tree = xr.DataTree.from_dict({f"/{VERDICTS}": stored()})
    asked, seen = read_verdicts(tree)
    assert (asked.role, asked.verdict.outcome) == ("confirmatory", "supported")
    assert (seen.role, seen.verdict.outcome) == ("exploratory", "inconclusive")
    assert np.isnan(seen.verdict.adjusted_p)
    assert seen.verdict.p_for == asked.verdict.p_for


def test_sizes_are_stored_and_read_and_unknown_in_old_results() -> None:
    (asked, _), data = judge(CLAIMS, xr.DataTree()), stored()
    (read, _) = read_verdicts(xr.DataTree.from_dict({f"/{VERDICTS}": data}))
    names = ("hedges_g", "rank_biserial", "share_above")
    for name in names:
        assert getattr(read.verdict, name) == getattr(asked, name) == float(data[name][0])
    assert asked.share_above == asked.rank_biserial == 1.0
    old = xr.DataTree.from_dict({f"/{VERDICTS}": data.drop_vars(names)})
    assert all(np.isnan(getattr(read_verdicts(old)[0].verdict, name)) for name in names)


def test_before_there_were_roles_all_were_tested() -> None:
    old = stored().drop_vars("role")
    found = read_verdicts(xr.DataTree.from_dict({f"/{VERDICTS}": old}))
    assert [one.role for one in found] == ["confirmatory", "confirmatory"]
