"""Where the results of two runs of one config differ, variable by variable, each place in words.

Groups, variables, dimensions, kinds of numbers and units are the same exactly; so are whole
numbers, words, coordinates and which entries are missing. Numbers agree to 1e-9 of the variable's
largest magnitude. `RULES` lists the variables of which less can be asked. What an attribute says in
words, and what the provenance says of a machine, is not compared.
"""

import dataclasses
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr

__all__ = ["PROVENANCE", "RULES", "SHARE", "differences", "groups_of", "options_of"]

SHARE: Final = 1e-9
"""Of the largest magnitude of a variable: how far its numbers may be apart."""
_TIMES = 10.0  # between two errors of one order of magnitude
_ONE_CLUSTER = 1e-6  # of the largest eigenvalue: vectors of closer ones may turn into one another
# From so many problems on, an interval of the bootstrap is compared by its width.
_MANY = 8
_OF_WIDTH = 0.1
_ENDS = {"mean", "low", "high", "count"}  # of the dimension ``statistic``

Ends = Literal["exact", "near"]
Rule = Literal["error", "vectors", "components", "route", "words"]
RULES: Mapping[str, Rule] = {
    # Errors: their size is compared, over the whole variable.
    **dict.fromkeys(
        (
            "residuals",
            "radii",
            "cluster_radii",
            "roundoff",
            "contribution_defects",
            "subspace_angle_error",
            "draw_overlap_error",
            "level_overlap_error",
            "largest_residual",
            "median_residual",
            "largest_radius",
            "median_radius",
            "mode_spread",
        ),
        "error",
    ),
    # Eigenvectors: the projector onto those of a cluster, stored beside them or read from spectra.
    "eigenvectors": "vectors",
    "component": "components",
    # Which way a spectrum was computed, which may get other names.
    "route": "route",
    # What a page says of a claim.
    **dict.fromkeys(
        (
            "reason",
            "statement",
            "supports",
            "refutes",
            "control_is",
            "source",
            "figure",
            "note",
        ),
        "words",
    ),
}

PROVENANCE = frozenset(
    {
        "blas_threads",
        "config",
        "format",
        "format_version",
        "git_dirty",
        "git_sha",
        "git_url",
        "gpu",
        "host",
        "machine",
        "model_sha256",
        "numpy",
        "package",
        "package_sha256",
        "package_version",
        "plan_sha256",
        "platform",
        "project",
        "python",
        "threads",
        "torch",
    }
)
"""Attributes that say where and by what the results were made."""

Values = npt.NDArray[Any]


def differences(stored: xr.DataTree, found: xr.DataTree, *, intervals: Ends = "exact") -> list[str]:
    """What is not the same, one line each: the variable, the place, what is stored and was found.

    Args:
        stored: What is right.
        found: What is held against it.
        intervals: How the ends of bootstrap intervals are compared. An end is one of the means of
            2,000 resamples, and which one depends on how many of them are below the mean; a
            resample of the same numbers in another order is or is not, by round-off. So ends are
            the same only where the values are, bit by bit: ``near`` asks a tenth of the width, and
            from fewer than 8 problems, where many resamples are such, that the mean lies between.
    """
    of_stored, of_found = groups_of(stored), groups_of(found)
    out = _of_names("group", "", set(of_stored), set(of_found))
    rules = dict(RULES)
    if "point" in stored.coords and stored["point"].item() == "minimum":
        rules["gradient_norm"] = "error"  # what the search for the minimum left
    for path in sorted(of_stored.keys() & of_found.keys()):
        out += _of_group(path, of_stored[path], of_found[path], rules, intervals)
    return out


def groups_of(tree: xr.DataTree) -> dict[str, xr.Dataset]:
    """The groups by path, each without the coordinates of those above."""
    return {node.path: node.to_dataset(inherit=False) for node in tree.subtree}


def _of_names(what: str, at: str, stored: set[str], found: set[str]) -> list[str]:
    return [
        *(
            f"{at}{name}: the {what} is stored, and was not found"
            for name in sorted(stored - found)
        ),
        *(
            f"{at}{name}: the {what} was found, and is not stored"
            for name in sorted(found - stored)
        ),
    ]


def _of_group(
    path: str, stored: xr.Dataset, found: xr.Dataset, rules: Mapping[str, Rule], ends: Ends
) -> list[str]:
    at = path.rstrip("/") + "/"
    out = []
    for what, one, other in (
        ("variable", stored.data_vars, found.data_vars),
        ("coordinate", stored.coords, found.coords),
    ):
        out += _of_names(what, at, set(map(str, one)), set(map(str, other)))
    for name, value in stored.attrs.items():
        if name in PROVENANCE:
            continue
        if name not in found.attrs:
            out.append(f"{at} attribute {name}: stored {value!r}, found none")
        elif not np.array_equal(value, found.attrs[name]):
            out.append(f"{at} attribute {name}: stored {value!r}, found {found.attrs[name]!r}")
    for name in map(str, stored.variables):
        if name in found.variables and (name in stored.coords) == (name in found.coords):
            rule = None if name in stored.coords else rules.get(name)
            said = _of_variable(name, stored, found, rule, ends)
            out += [f"{at}{name}{what}" for what in said]
    return out


def _of_variable(
    name: str, stored: xr.Dataset, found: xr.Dataset, rule: Rule | None, ends: Ends
) -> Iterator[str]:
    one, other = stored[name], found[name]
    for what, a, b in (
        ("dimensions", one.dims, other.dims),
        ("kind of numbers", _kind(one), _kind(other)),
        ("units", one.attrs.get("units"), other.attrs.get("units")),
        ("shape", one.shape, other.shape),
    ):
        if a != b:
            yield f": {what}: stored {a!r}, found {b!r}"
            if what != "units":
                return
    if not one.size:
        return
    if _kind(one) == "text":
        yield from _of_text(one, other, rule)
    elif one.dtype.kind != "f":
        yield from _of_counts(one, other, rule)
    elif "statistic" in one.dims and set(one["statistic"].values.tolist()) >= _ENDS:
        yield from _of_statistics(one, other, rule, ends)
    else:
        yield from _of_numbers(one, other, rule, stored)


def _kind(values: xr.DataArray) -> str:
    return {"O": "text", "U": "text", "S": "text", "T": "text", "i": "whole", "u": "whole"}.get(
        values.dtype.kind, values.dtype.kind
    )


def _of_text(stored: xr.DataArray, found: xr.DataArray, rule: Rule | None) -> Iterator[str]:
    a, b = stored.values.astype(str), found.values.astype(str)
    yield from _apart(stored, a, b, (a != "") > (b != "") if rule == "words" else a != b)


def _of_counts(stored: xr.DataArray, found: xr.DataArray, rule: Rule | None) -> Iterator[str]:
    a, b = stored.values, found.values
    yield from _apart(stored, a, b, (a < 0) != (b < 0) if rule == "route" else a != b)


def _of_statistics(
    stored: xr.DataArray, found: xr.DataArray, rule: Rule | None, ends: Ends
) -> Iterator[str]:
    """Means, their intervals and counts, each of a magnitude of its own."""
    for chosen in (["mean"], ["count"], ["low", "high"]):
        one, other = stored.sel(statistic=chosen), found.sel(statistic=chosen)
        if "low" in chosen and ends == "near" and rule != "error":
            yield from _of_ends(stored, one, other)
        else:
            yield from _of_numbers(one, other, rule, xr.Dataset())


def _of_ends(whole: xr.DataArray, stored: xr.DataArray, found: xr.DataArray) -> Iterator[str]:
    a, b = stored.values, found.values
    width = np.diff(a, axis=-1)
    many = whole.sel(statistic=["count"]).values >= _MANY
    mean = whole.sel(statistic=["mean"]).values
    slack = SHARE * np.abs(a)
    with np.errstate(invalid="ignore"):
        off = np.abs(a - b) > _OF_WIDTH * width + slack
        beyond = np.sign(b - mean) * [-1, 1] < 0
        beyond &= np.abs(b - mean) > slack
    yield from _apart(stored, a, b, (np.isnan(a) != np.isnan(b)) | np.where(many, off, beyond))


def _of_numbers(
    stored: xr.DataArray, found: xr.DataArray, rule: Rule | None, beside: xr.Dataset
) -> Iterator[str]:
    a, b = stored.values.astype(float), found.values.astype(float)
    finite = np.isfinite(a)
    # NaN where NaN is, and ∞ where the same ∞ is.
    odd = np.where(finite | np.isfinite(b), finite != np.isfinite(b), ~_same(a, b))
    if odd.any():
        yield from _apart(stored, a, b, odd)
        return
    # The claims of an experiment have effects of different units.
    axes = tuple(i for i, dim in enumerate(stored.dims) if dim != "hypothesis")
    size = np.abs(np.where(finite, a, 0.0)).max(axis=axes, initial=0, keepdims=True)
    # What is stored with fewer digits may be rounded to a neighbour.
    digits, own = np.finfo(stored.dtype), np.finfo(float)
    rounding = float(digits.eps) if digits.eps > own.eps else 0.0
    if rule == "error":
        yield from _of_errors(a[finite], b[finite])
    elif rule in {"vectors", "components"}:
        labels, whole = (_clusters if rule == "vectors" else _degenerate)(stored, beside)
        yield from _of_vectors(stored, a, b, labels, whole, max(SHARE, 4 * rounding))
    else:
        allowed = SHARE * size + rounding * np.abs(np.where(finite, a, 0.0))
        if rounding:
            allowed += float(digits.smallest_subnormal)
        far = np.abs(np.where(finite, b, 0.0) - np.where(finite, a, 0.0)) > allowed
        yield from _apart(stored, a, b, far, f"of at most {size.max():.3g}")


def _same(a: Values, b: Values) -> Values:
    same: Values = (a == b) | (np.isnan(a) & np.isnan(b))
    return same


def _apart(
    like: xr.DataArray, stored: Values, found: Values, odd: Values, size: str = ""
) -> Iterator[str]:
    """The place that is farthest off, and how many more there are."""
    if not odd.any():
        return
    far = odd.astype(float)
    if stored.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            off = np.abs(found - stored)
        far = np.where(odd, np.where(np.isfinite(off), off, np.inf), -1.0)
    place = np.unravel_index(int(far.argmax()), odd.shape)
    more = int(odd.sum()) - 1
    yield (
        f"{_words(like, like.dims, place)}: stored {stored[place]}, found {found[place]}"
        + (f" {size}" if size else "")
        + (f"; and {more} more of {odd.size}" if more else "")
    )


def _words(like: xr.DataArray, dims: tuple[Any, ...], place: tuple[Any, ...]) -> str:
    """Of a place: the coordinate of each dimension, or its number."""
    named = [
        f"{dim} {like[dim].values[i] if dim in like.coords else int(i)}"
        for dim, i in zip(dims, place, strict=True)
    ]
    return f" at {', '.join(named)}" if named else ""


def _of_errors(stored: Values, found: Values) -> Iterator[str]:
    """Errors are round-off themselves: of one order of magnitude, at most and typically."""
    for what, size in (("largest", _largest), ("typical", _typical)):
        a, b = size(stored), size(found)
        if max(a, b) > _TIMES * min(a, b):
            yield f": {what} of {stored.size}: stored {a:.3g}, found {b:.3g}"
            return


def _largest(values: Values) -> float:
    return float(np.abs(values).max(initial=0))


def _typical(values: Values) -> float:
    """Geometric mean of what is not 0."""
    there = np.abs(values[values != 0])
    return float(np.exp(np.log(there).mean())) if there.size else 0.0


def _clusters(stored: xr.DataArray, beside: xr.Dataset) -> tuple[Values, Values]:
    """Of each eigenvector the number of its cluster, and whether all of that cluster are here."""
    chosen = beside["vector_eigen"]
    eigen = beside["clusters"].transpose(..., "eigen")
    numbers = eigen.values[..., None, :].repeat(chosen.sizes["end"], axis=-2)
    labels = np.take_along_axis(numbers, np.maximum(chosen.values, 0), axis=-1)
    here = (labels[..., :, None] == labels[..., None, :]).sum(axis=-1)
    return labels, here >= beside["vector_cluster_size"].values


def _degenerate(stored: xr.DataArray, beside: xr.Dataset) -> tuple[Values, Values]:
    """The same of principal components, whose spectrum is stored, falling."""
    spectrum = beside["eigenvalue"].values
    top = np.abs(spectrum).max(axis=-1, keepdims=True)
    apart = np.diff(spectrum, axis=-1) < -_ONE_CLUSTER * top
    numbers = np.concatenate([np.zeros_like(spectrum[..., :1]), apart.cumsum(axis=-1)], axis=-1)
    k = stored.sizes["component_rank"]
    labels = np.stack([numbers[..., :k], numbers[..., -k:]], axis=-2)
    here = (labels[..., :, None] == labels[..., None, :]).sum(axis=-1)
    there = (labels[..., :, None] == numbers[..., None, None, :]).sum(axis=-1)
    return labels, here >= there


def _of_vectors(
    like: xr.DataArray, stored: Values, found: Values, labels: Values, whole: Values, most: float
) -> Iterator[str]:
    """Projectors onto clusters; a cluster that is cut has arbitrary vectors, of length 1."""
    for place in np.ndindex(labels.shape[:-1]):
        a, b = stored[place], found[place]
        if np.isnan(a).all():
            continue
        lengths = np.linalg.norm(b, axis=1)
        wrong = np.abs(lengths - 1) > most
        if wrong.any():
            at = _words(like, like.dims[:-2], place)
            yield f"{at}: stored vectors of length 1, found {lengths[wrong][0]}"
            return
        for label in np.unique(labels[place]):
            mine = np.flatnonzero(labels[place] == label)
            off = np.abs(a[mine].T @ a[mine] - b[mine].T @ b[mine]).max()
            if whole[place][mine].all() and off > most:
                at = _words(like, like.dims[:-2], place)
                which = f"{like.dims[-2]} {', '.join(map(str, mine))}"
                yield (
                    f"{at}, {which}: projectors {off:.3g} apart: stored {_short(a[mine])}, "
                    f"found {_short(b[mine])}"
                )
                return


def _short(vectors: Values) -> str:
    return np.array2string(vectors[0], precision=4, threshold=4, edgeitems=2)


def options_of(config: type[Any]) -> dict[str, dict[str, Any]]:
    """Of every option of an experiment its type and default, as JSON holds them."""
    hints = typing.get_type_hints(config)
    out = {}
    for one in dataclasses.fields(config):
        assert one.default is not dataclasses.MISSING, one.name
        default = list(one.default) if isinstance(one.default, tuple) else one.default
        out[one.name] = {"type": _spelled(hints[one.name]), "default": default}
    return out


def _spelled(hint: Any) -> str:
    """A type as it is written, whatever the version of Python."""
    if hint is type(None):
        return "None"
    if hint is Ellipsis:
        return "..."
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return f"Literal[{', '.join(map(repr, arguments))}]"
    if origin in {typing.Union, types.UnionType}:
        return " | ".join(_spelled(one) for one in arguments)
    if origin is not None:
        return f"{origin.__name__}[{', '.join(_spelled(one) for one in arguments)}]"
    return str(hint.__name__)
