"""What the data that a trial's unit returned say, and what they leave open."""

from collections.abc import Iterator

import numpy as np
import xarray as xr

from ired_interp.experiments.base import Experiment, groups_of
from ired_interp.experiments.smallest import Reduced
from ired_interp.preflight.check import Check, failed, not_checked, passed

__all__ = ["check_finite", "check_pure", "check_read_back", "seen_in"]


def seen_in(data: xr.Dataset | xr.DataTree, reduced: Reduced) -> Iterator[Check]:
    """What would have failed in the unit, had it been wrong, each with what there is to see of it.

    Args:
        data: That the unit returned.
        reduced: The config that it was run with: what it shows holds for so much of the plan.
    """
    shares = [f"1/{times:g} of the {name}" for name, times in reduced.ratios.items()]
    tried = f"in one unit of the trial{' with ' if shares else ''}{', '.join(shares)}"
    groups = groups_of(data)
    of_dims = {dim: size for one in groups.values() for dim, size in one.sizes.items()}
    sizes = ", ".join(f"{dim} {size}" for dim, size in of_dims.items())
    yield passed("dims", f"no sizes disagreed {tried}; it returned {sizes or 'single numbers'}")
    known = [one["level"].values for one in groups.values() if "level" in one.coords]
    if known:
        levels = ", ".join(str(level) for level in np.atleast_1d(known[0]))
        yield passed("levels", f"the model has level {levels}, {tried}")
    else:
        yield not_checked("levels", "the unit returned nothing along 'level'")
    dtypes = sorted({str(v.dtype) for one in groups.values() for v in one.data_vars.values()})
    yield passed("array_type", f"no array was of a wrong kind {tried}; it returned {_list(dtypes)}")
    yield passed("call_signature", f"no call lacked an argument or refused one {tried}")
    yield passed("device", f"nothing left the CPU {tried}")


def check_read_back(data: xr.Dataset | xr.DataTree, read: xr.Dataset | xr.DataTree) -> Check:
    """Whether a shard holds what the unit returned.

    Args:
        data: That the unit returned.
        read: The same, from the bytes of a shard.
    """
    was_in, now_in = _variables(data), _variables(read)
    other = [
        path
        for path in dict.fromkeys([*was_in, *now_in])
        if path not in was_in or path not in now_in or not was_in[path].equals(now_in[path])
    ]
    if not other:
        groups = groups_of(data)
        dims = dict.fromkeys(str(dim) for one in groups.values() for dim in one.sizes)
        return passed(
            "result_shape",
            f"{sum(len(one.data_vars) for one in groups.values())} variables over "
            f"{', '.join(dims)}, written as a shard and read back the same; "
            f"group{'s' * (len(groups) > 1)} {', '.join(groups)}",
        )
    name = other[0]
    was, now = (
        f"{one[name].dtype} over {one[name].dims}" if name in one else "nothing"
        for one in (was_in, now_in)
    )
    return failed(
        "result_shape",
        f"variable {name} is {was} before it is stored and {now} when it is read back"
        + (f"; so are {', '.join(other[1:4])}" if other[1:] else ""),
        "variables that netCDF gives back as they were",
        f"look at the type and the attributes of {name}: units such as 'days since …' make dates",
    )


def check_finite(experiment: Experiment, data: xr.Dataset | xr.DataTree) -> Check:
    """NaN is missing only where the experiment says so, or a ``status`` beside it does."""
    allowed = set(experiment.may_be_missing)
    found = _variables(data)
    if any(_name(path) == "status" and bool((v != 0).any()) for path, v in found.items()):
        return not_checked("finite", "the unit's status says that a point was not found")
    bad = {}
    for path, values in found.items():
        if values.dtype.kind in "fc" and _name(path) not in allowed:
            count = int((~np.isfinite(values.values)).sum())
            if count:
                bad[path] = (count, values.size)
    if not bad:
        return passed("finite", "all numbers of the unit are finite")
    name, (count, total) = next(iter(bad.items()))
    return failed(
        "finite",
        f"{name}: {count} of {total} numbers are NaN or infinite"
        + (f"; so have {', '.join(list(bad)[1:4])}" if len(bad) > 1 else ""),
        "finite numbers",
        f"look at what the model returns; a variable that may be missing is named in "
        f"may_be_missing = ({_name(name)!r},)",
    )


def check_pure(first: xr.Dataset | xr.DataTree, second: xr.Dataset | xr.DataTree) -> Check:
    """Whether two computations of a unit are the same to the bit."""
    ones, others = groups_of(first), groups_of(second)
    if ones.keys() == others.keys() and all(one.identical(others[k]) for k, one in ones.items()):
        return passed("pure", "computed twice, the unit is the same to the bit")
    before, after = _variables(first), _variables(second)
    differing = [
        path
        for path, values in before.items()
        if path not in after or not values.identical(after[path])
    ]
    return failed(
        "pure",
        f"computed twice, unit 0 differs in {', '.join(differing[:4]) or 'its attributes'}",
        "the same bytes: what is killed and computed again must be what it was",
        "draw from a generator with a seed of config and index, and record no times",
    )


def _variables(data: xr.Dataset | xr.DataTree) -> dict[str, xr.DataArray]:
    """Variables and coordinates by path; those of the root by name."""
    return {
        f"{group}/{name}".removeprefix("//"): one[name]
        for group, one in groups_of(data).items()
        for name in one.variables
    }


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _list(names: list[str]) -> str:
    return ", ".join(names) or "no variables"
