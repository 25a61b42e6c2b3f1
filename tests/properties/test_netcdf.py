"""What is stored is what is read back, by this package and by every other netCDF library."""

import io
import time
from collections.abc import Mapping

import h5py
import numpy as np
import pytest
import xarray as xr

from ired_interp.runs import netcdf

KINDS: Mapping[str, object] = {
    "float64": [1.5, np.nan],
    "float32": np.array([1.5, -2.0], np.float32),
    "float16": np.array([1.5, np.nan], np.float16),
    "int8": np.array([-1, 2], np.int8),
    "int64": [1, 2**60],
    "bool": [True, False],
    "complex": [1j, 2.0],
    "text": ["a", "σ λ"],
    "bytes": [b"ab", b"c"],
    "objects that are texts": np.array(["one", ""], object),
    "dates": np.array(["2020-01-01", "2021-05-06"], "M8[s]"),
}


def groups() -> dict[str, xr.Dataset]:
    root = xr.Dataset(
        {
            "a": (
                ("problem", "level"),
                np.arange(6.0).reshape(2, 3),
                {"units": "1", "shape": [1, 2]},
            ),
            "bare": (("problem", "y_dim"), np.zeros((2, 4))),
            "empty": (("nothing", "problem"), np.zeros((0, 2))),
            "single": ((), 3.0, {"long_name": ""}),
            "one text": ((), "σ"),
            "words": ("hypothesis", ["yes", "no, not at all"], {"list": ["a", "b"]}),
        },
        coords={
            "problem": [3, 4],
            "sigma": ("level", [0.1, 0.2, 0.3], {"units": "1"}),
            "hypothesis": ["x", "why"],
            "two": (("problem", "level"), np.ones((2, 3))),
            "seed": 5,
        },
        attrs={"text": "σ", "whole": 3, "number": 2.5, "numbers": np.array([1.0, 2.0])},
    )
    draws = root[["a"]].drop_vars("two").expand_dims(draw=[0, 1])
    other = xr.Dataset({"a": ("level", np.ones(7))}, coords={"level": np.arange(7)})
    return {
        "/": root,
        "controls/untrained": draws,
        "summary/model": root[["words"]],
        "s": other.drop_vars("level").rename(level="rung"),
    }


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_number_and_text_comes_back(kind: str) -> None:
    data = xr.Dataset({"a": ("n", np.asarray(KINDS[kind]))})
    found = netcdf.from_bytes(netcdf.to_bytes({"/": data})).to_dataset()
    with xr.open_dataset(io.BytesIO(netcdf.to_bytes({"/": data})), engine="h5netcdf") as other:
        xr.testing.assert_identical(found, data)
        xr.testing.assert_identical(other.load(), found)
        assert other["a"].dtype == found["a"].dtype


def test_h5netcdf_reads_what_is_written() -> None:
    expected = xr.DataTree.from_dict(groups())
    with xr.open_datatree(io.BytesIO(netcdf.to_bytes(groups())), engine="h5netcdf") as found:
        xr.testing.assert_identical(found.load(), expected)


def test_what_h5netcdf_writes_is_read() -> None:
    expected, buffer = xr.DataTree.from_dict(groups()), io.BytesIO()
    expected.to_netcdf(buffer, engine="h5netcdf")
    xr.testing.assert_identical(netcdf.from_bytes(buffer.getvalue()), expected)


def test_hdf5_itself_knows_the_dimensions() -> None:
    """The netCDF library goes by these."""
    with h5py.File(io.BytesIO(netcdf.to_bytes(groups()))) as file:
        a, draws = file["a"], file["controls/untrained/a"]
        assert [dim[0].name for dim in a.dims] == ["/problem", "/level"]
        assert [dim[0].name for dim in draws.dims] == [
            "/controls/untrained/draw",
            "/problem",
            "/level",
        ]
        assert file["problem"].is_scale
        assert file["level"].is_scale
        assert file["level"].attrs["NAME"].startswith(b"This is a netCDF dimension but not")
        assert {"a", "bare"} <= {
            file[one].name[1:] for one in file["problem"].attrs["REFERENCE_LIST"]["dataset"]
        }


def test_bytes_depend_on_the_data_alone() -> None:
    first = netcdf.to_bytes(groups())
    time.sleep(1.1)  # HDF5 counts seconds
    assert netcdf.to_bytes(groups()) == first


def test_a_variable_called_like_a_dimension_it_does_not_have() -> None:
    data = xr.Dataset({"a": ("n", [1.0, 2.0]), "n": ("n", [b"ab", b"c"])})
    stored = netcdf.to_bytes({"/": data})
    xr.testing.assert_identical(netcdf.from_bytes(stored).to_dataset(), data)


@pytest.mark.parametrize("value", [True, None, {"a": 1}])
def test_an_attribute_that_netcdf_cannot_hold_is_named(value: object) -> None:
    data = xr.Dataset({"a": ("n", [1.0])})
    data["a"].attrs["odd"] = value
    with pytest.raises(TypeError, match="attribute odd: expected a text, a number or a list"):
        netcdf.to_bytes({"/": data})


def test_hdf5_that_is_not_netcdf_is_refused() -> None:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file["a"] = np.zeros(3)
    with pytest.raises(ValueError, match="/a: no dimensions"):
        netcdf.from_bytes(buffer.getvalue())
