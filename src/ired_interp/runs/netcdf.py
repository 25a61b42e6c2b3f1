"""NetCDF-4 as HDF5 holds it, written and read with h5py: the same data, the same bytes.

A dimension is a *dimension scale*: the variable of its name, or an empty data set that says that it
is none. Variables and scales point to one another; what stands in a group may use the dimensions of
the groups above it. What a variable means (missing values, booleans, texts, dates) is left to
xarray's own conventions, so that ``xarray.open_datatree`` finds what was written.

Of the libraries that do this, h5netcdf looks every name up again each time that it is used, which
is most of its time (`benchmarks/unit_overhead.py` holds this against it). The netCDF library writes
the time into the file and cannot hold 16-bit numbers.

Source: the netCDF-4 file format, Appendix C of the NetCDF User's Guide, and the HDF5 dimension
scale specification.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import xarray as xr
from xarray.coding.strings import CharacterArrayCoder
from xarray.conventions import cf_encoder, encode_dataset_coordinates

__all__ = ["from_bytes", "to_bytes"]

_BARE = "This is a netCDF dimension but not a netCDF variable."
# Before the name of a variable that is called like a dimension and is not along it.
_NO_COORDINATE = "_nc4_non_coord_"
_SCALE, _NAME, _LINKS, _AXES = "CLASS", "NAME", "REFERENCE_LIST", "DIMENSION_LIST"
_NUMBER, _NUMBERS, _WRITTEN_BY = "_Netcdf4Dimid", "_Netcdf4Coordinates", "_NCProperties"
_HIDDEN = {_SCALE, _NAME, _LINKS, _AXES, _NUMBER, _NUMBERS, _WRITTEN_BY, "_nc3_strict"}
_TEXT = h5py.string_dtype()
_LINK = np.dtype([("dataset", h5py.ref_dtype), ("dimension", np.uint32)])


@dataclass(frozen=True)
class _Dimension:
    """A dimension, its scale, and which axes of which variables have it."""

    number: int
    size: int
    scale: h5py.Dataset
    links: list[tuple[h5py.Reference, int]] = field(default_factory=list)


def to_bytes(groups: Mapping[str, xr.Dataset]) -> bytes:
    """A file of groups by path, ``/`` for the root.

    Raises:
        ValueError, TypeError: Something that netCDF cannot hold, such as Python objects.
    """
    tree = xr.DataTree.from_dict(dict(groups))
    buffer = io.BytesIO()
    dimensions: list[_Dimension] = []
    # Of each group, those that what stands in it may use.
    in_sight: dict[str, dict[str, _Dimension]] = {}
    with h5py.File(buffer, "w", track_order=True) as file:
        file.attrs[_WRITTEN_BY] = np.bytes_(f"version=2,h5py={h5py.__version__}")
        for node in tree.subtree:
            top = node.parent is None
            group = file if top else file.create_group(node.path, track_order=True)
            above = {} if node.parent is None else in_sight[node.parent.path]
            data = node.to_dataset(inherit=False)
            in_sight[node.path] = _write_group(group, data, above, dimensions)
        for dimension in dimensions:
            if dimension.links:
                links = np.array(dimension.links, dtype=_LINK)
                dimension.scale.attrs.create(_LINKS, links)
    return buffer.getvalue()


def _write_group(
    group: h5py.Group,
    data: xr.Dataset,
    above: Mapping[str, _Dimension],
    dimensions: list[_Dimension],
) -> dict[str, _Dimension]:
    """Write what stands in a group; the dimensions that its own groups may use."""
    encoded, attrs = cf_encoder(*encode_dataset_coordinates(data))
    characters = CharacterArrayCoder()
    variables = {
        name: characters.encode(one, name=name)  # type: ignore[no-untyped-call]
        for name, one in encoded.items()
    }
    _write_attributes(group, attrs)
    own: dict[str, _Dimension] = {}
    for variable in variables.values():
        for name, size in variable.sizes.items():
            if name in own or (name in above and above[name].size == size):
                continue
            along_it = variables.get(name)
            if along_it is not None and along_it.dims == (name,):
                scale = _write_variable(group, name, along_it)
                scale.make_scale(name)
            else:
                scale = group.create_dataset(name, shape=(size,), dtype=">f4")
                scale.make_scale(f"{_BARE}{size:10d}")
            own[name] = _Dimension(len(dimensions), size, scale)
            scale.attrs.create(_NUMBER, np.int32(own[name].number))
            dimensions.append(own[name])
    in_sight = {**above, **own}
    for name, variable in variables.items():
        if name in own and variable.dims == (name,):
            continue
        made = _write_variable(group, _NO_COORDINATE + name if name in own else name, variable)
        if variable.dims:
            _link(made, [in_sight[dim] for dim in variable.dims])
    return in_sight


def _link(made: h5py.Dataset, axes: list[_Dimension]) -> None:
    """Let a variable point to its dimensions, and keep what these will point to."""
    scales = np.empty(len(axes), dtype=object)
    for axis, dimension in enumerate(axes):
        scales[axis] = np.array([dimension.scale.ref], dtype=h5py.ref_dtype)
        dimension.links.append((made.ref, axis))
    made.attrs.create(_AXES, scales, dtype=h5py.vlen_dtype(h5py.ref_dtype))
    made.attrs.create(_NUMBERS, np.array([one.number for one in axes], dtype=np.int32))


def _write_variable(group: h5py.Group, name: str, variable: xr.Variable) -> h5py.Dataset:
    attrs = dict(variable.attrs)
    fill = attrs.pop("_FillValue", None)
    values = variable.values
    if values.dtype.kind in "UO":  # texts: xarray has refused other objects
        made = group.create_dataset(name, data=values.astype(object), dtype=_TEXT)
    else:
        made = group.create_dataset(name, data=values, fillvalue=fill)
    if fill is not None:
        attrs = {"_FillValue": np.asarray(fill, dtype=values.dtype), **attrs}
    _write_attributes(made, attrs)
    return made


def _write_attributes(owner: h5py.Group | h5py.Dataset, attrs: Mapping[Any, Any]) -> None:
    for name, value in attrs.items():
        if isinstance(value, str | bytes):
            text = value if isinstance(value, str) else value.decode()
            owner.attrs.create(name, text, dtype=_TEXT)
            continue
        row = np.atleast_1d(np.asarray(value))  # the format knows no single numbers
        if row.dtype.kind == "U":
            owner.attrs.create(name, row.astype(object), dtype=_TEXT)
        elif row.dtype.kind in "iuf":
            owner.attrs.create(name, row)
        else:
            raise TypeError(
                f"attribute {name}: expected a text, a number or a list of either, found {value!r}."
            )


def from_bytes(content: bytes) -> xr.DataTree:
    """What a file holds, whether this module wrote it or another netCDF library did.

    Raises:
        OSError, RuntimeError, ValueError, LookupError, AttributeError, TypeError: It is damaged.
    """
    groups: dict[str, xr.Dataset] = {}
    with h5py.File(io.BytesIO(content), "r") as file:
        _read_group(file, "/", {}, groups)
    return xr.DataTree.from_dict(groups)


def _read_group(
    group: h5py.Group, path: str, dimensions: dict[int, str], groups: dict[str, xr.Dataset]
) -> None:
    """Read a group and those below it.

    Args:
        group: To read.
        path: Of it.
        dimensions: Names of those read so far, by the address of the scale.
        groups: Of those read so far; gets these.
    """
    items = list(group.items())
    found = {name: one for name, one in items if isinstance(one, h5py.Dataset)}
    labels = {name: _text(one.attrs.get(_NAME, "")) for name, one in found.items()}
    for name, one in found.items():
        if _SCALE in one.attrs:
            dimensions[_address(one.id)] = name.removeprefix(_NO_COORDINATE)
    variables = {
        name.removeprefix(_NO_COORDINATE): _read_variable(name, one, dimensions)
        for name, one in found.items()
        if not labels[name].startswith(_BARE)
    }
    data = xr.Dataset(variables, attrs=_read_attributes(group))
    groups[path] = xr.decode_cf(data).load()
    for name, below in items:
        if isinstance(below, h5py.Group):
            _read_group(below, f"{path.rstrip('/')}/{name}", dimensions, groups)


def _read_variable(name: str, stored: h5py.Dataset, dimensions: Mapping[int, str]) -> xr.Variable:
    dims = [name] * stored.ndim
    if _AXES in stored.attrs:
        file = stored.file.id
        scales = (h5py.h5r.dereference(axis[0], file) for axis in stored.attrs[_AXES])
        dims = [dimensions[_address(scale)] for scale in scales]
    elif stored.ndim > 1 or (stored.ndim and _SCALE not in stored.attrs):
        raise ValueError(f"{stored.name}: no dimensions: it is no variable of netCDF")
    if h5py.check_string_dtype(stored.dtype) is not None and stored.dtype.kind == "O":
        values: npt.NDArray[Any] = np.asarray(stored.asstr()[()], dtype=object).astype(str)
    else:
        values = np.asarray(stored[()])
    return xr.Variable(dims, values, _read_attributes(stored))


def _read_attributes(owner: h5py.Group | h5py.Dataset) -> dict[str, Any]:
    return {name: _attribute(owner.attrs[name]) for name in owner.attrs if name not in _HIDDEN}


def _attribute(value: Any) -> Any:
    """A row of one as what it has; texts as such."""
    if isinstance(value, np.ndarray) and value.shape == (1,):
        value = value[0]
    if isinstance(value, np.ndarray) and value.dtype.kind == "O":
        return value.tolist()
    return _text(value) if isinstance(value, bytes | str) else value


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _address(one: Any) -> int:
    """Where an object lies in its file."""
    return int(h5py.h5o.get_info(one).addr)
