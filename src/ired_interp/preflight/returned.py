"""What the data that a trial's unit returned say, and what they leave open."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

from ired_interp.experiments import GROUP
from ired_interp.experiments.smallest import Reduced
from ired_interp.preflight.check import Check, failed, not_checked, passed

__all__ = ["check_finite", "check_pure", "check_read_back", "seen_in"]


def seen_in(data: xr.Dataset, reduced: Reduced) -> Iterator[Check]:
    """What would have failed in the unit, had it been wrong, each with what there is to see of it.

    Args:
        data: That the unit returned.
        reduced: The config that it was run with: what it shows holds for so much of the plan.
    """
    shares = [f"1/{times:g} of the {name}" for name, times in reduced.ratios.items()]
    tried = f"in one unit of the trial{' with ' if shares else ''}{', '.join(shares)}"
    sizes = ", ".join(f"{dim} {size}" for dim, size in data.sizes.items())
    yield passed("dims", f"no sizes disagreed {tried}; it returned {sizes or 'single numbers'}")
    if "level" in data.coords:
        levels = ", ".join(str(level) for level in np.atleast_1d(data["level"].values))
        yield passed("levels", f"the model has level {levels}, {tried}")
    else:
        yield not_checked("levels", "the unit returned nothing along 'level'")
    dtypes = sorted({str(values.dtype) for values in data.data_vars.values()})
    yield passed("array_type", f"no array was of a wrong kind {tried}; it returned {_list(dtypes)}")
    yield passed("call_signature", f"no call lacked an argument or refused one {tried}")
    yield passed("device", f"nothing left the CPU {tried}")


def check_read_back(data: xr.Dataset, read: xr.Dataset) -> Check:
    """Whether a shard holds what the unit returned.

    Args:
        data: That the unit returned.
        read: The same, from the bytes of a shard.
    """
    names = dict.fromkeys([*data.variables, *read.variables])
    other = [
        str(name)
        for name in names
        if name not in data.variables
        or name not in read.variables
        or not data[name].equals(read[name])
    ]
    if not other:
        return passed(
            "result_shape",
            f"{len(data.data_vars)} variables over {', '.join(map(str, data.sizes))}, written as a "
            f"shard and read back the same; group {data.attrs.get(GROUP, '/')}",
        )
    name = other[0]
    was, now = (
        f"{one.variables[name].dtype} over {one.variables[name].dims}" if name in one else "nothing"
        for one in (data, read)
    )
    return failed(
        "result_shape",
        f"variable {name} is {was} before it is stored and {now} when it is read back"
        + (f"; so are {', '.join(other[1:4])}" if other[1:] else ""),
        "variables that netCDF gives back as they were",
        f"look at the type and the attributes of {name}: units such as 'days since …' make dates",
    )


def check_finite(experiment: Any, data: xr.Dataset) -> Check:
    """NaN is missing only where the experiment says so, or a ``status`` beside it does."""
    allowed = set(getattr(getattr(experiment, "own", experiment), "may_be_missing", ()))
    if "status" in data.data_vars and bool((data["status"] != 0).any()):
        return not_checked("finite", "the unit's status says that a point was not found")
    bad = {}
    for name, values in data.variables.items():
        if values.dtype.kind in "fc" and str(name) not in allowed:
            count = int((~np.isfinite(values.values)).sum())
            if count:
                bad[str(name)] = (count, values.size)
    if not bad:
        return passed("finite", "all numbers of the unit are finite")
    name, (count, total) = next(iter(bad.items()))
    return failed(
        "finite",
        f"{name}: {count} of {total} numbers are NaN or infinite"
        + (f"; so have {', '.join(list(bad)[1:4])}" if len(bad) > 1 else ""),
        "finite numbers",
        f"look at what the model returns; a variable that may be missing is named in "
        f"may_be_missing = ({name!r},)",
    )


def check_pure(first: xr.Dataset, second: Any) -> Check:
    """Whether two computations of a unit are the same to the bit."""
    if isinstance(second, xr.Dataset) and first.identical(second):
        return passed("pure", "computed twice, the unit is the same to the bit")
    differing = [
        str(name)
        for name in first.variables
        if not isinstance(second, xr.Dataset)
        or name not in second.variables
        or not first[name].identical(second[name])
    ]
    return failed(
        "pure",
        f"computed twice, unit 0 differs in {', '.join(differing[:4]) or 'its attributes'}",
        "the same bytes: what is killed and computed again must be what it was",
        "draw from a generator with a seed of config and index, and record no times",
    )


def _list(names: list[str]) -> str:
    return ", ".join(names) or "no variables"
