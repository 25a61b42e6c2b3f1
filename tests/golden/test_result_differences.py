"""What no new version may change is seen and named; what it may is let through."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import stored_runs
from result_differences import RULES, differences, groups_of, options_of

Change = Callable[[xr.Dataset], xr.Dataset]


FEW = {
    *("energy", "eigenvalues", "residuals", "radii", "clusters", "index_low", "route", "status"),
    *("eigenvectors", "vector_eigen", "vector_cluster_size", "gradient_norm", "draw_overlap"),
    *("contributions", "spectral_gap", "outcome", "p_for", "statement", "effect"),
    *("component", "eigenvalue", "score"),
}


def few(name: str) -> xr.DataTree:
    """Some variables of the results of a stored run."""
    groups = groups_of(stored_runs.read(name))
    kept = ("/", "/controls/untrained", "/summary/model", "/verdicts")
    return xr.DataTree.from_dict(
        {path: groups[path][[one for one in groups[path] if one in FEW]] for path in kept}
    )


@pytest.fixture(scope="module")
def spectra() -> xr.DataTree:
    return few("exp001")


@pytest.fixture(scope="module")
def scores() -> xr.DataTree:
    return few("exp006")


def changed(tree: xr.DataTree, path: str, change: Change) -> xr.DataTree:
    """The results with one group changed."""
    groups = groups_of(tree)
    groups[path] = change(groups[path].copy(deep=True))
    return xr.DataTree.from_dict(groups)


def setting(name: str, change: Callable[[Any], None]) -> Change:
    """Change the values of a variable in place, in a copy."""

    def of(data: xr.Dataset) -> xr.Dataset:
        values = data[name].values.copy()
        change(values)
        return data.assign({name: data[name].copy(data=values)})

    return of


def at(place: Any, value: Any) -> Callable[[Any], None]:
    def change(values: Any) -> None:
        values[place] = value(values[place]) if callable(value) else value

    return change


def times(factor: float) -> Callable[[Any], None]:
    def change(values: Any) -> None:
        values *= factor

    return change


def units(name: str, text: str) -> Change:
    return lambda data: data.assign({name: data[name].assign_attrs(units=text)})


def test_results_do_not_differ_from_themselves(spectra: xr.DataTree, scores: xr.DataTree) -> None:
    assert not differences(spectra, spectra.copy(deep=True))
    assert not differences(scores, scores.copy(deep=True))


@pytest.mark.parametrize(
    ("path", "change", "said"),
    [
        ("/", lambda d: d.rename(energy="energies"), "/energy: the variable is stored, and was"),
        ("/", lambda d: d.rename(energy="energies"), "/energies: the variable was found, and is"),
        ("/", lambda d: d.rename_dims(part="piece"), "/contributions: dimensions: stored"),
        ("/", lambda d: d.transpose("level", ...), "/energy: dimensions: stored ('problem', 'le"),
        ("/", lambda d: d.isel(problem=slice(7)), "/energy: shape: stored (8, 2), found (7, 2)"),
        ("/", lambda d: d.reset_coords("sigma"), "/sigma: the coordinate is stored, and was not"),
        ("/", lambda d: d.assign_coords(level=[2, 9]), "/level at level 10: stored 10, found 9"),
        ("/", lambda d: d.assign_attrs(task="completion"), "/ attribute task: stored 'inverse'"),
        ("/", units("energy", "energy / y"), "/energy: units: stored 'energy', found 'energy / y'"),
        (
            "/",
            lambda d: d.assign(index_low=d["index_low"].astype(float)),
            "/index_low: kind of numbers: stored 'whole', found 'f'",
        ),
        (
            "/",
            setting("energy", at((3, 1), lambda v: v + 1e-8 * 100)),
            "/energy at problem 3, level 10: stored",
        ),
        (
            "/controls/untrained",
            setting("eigenvalues", times(1 + 1e-8)),
            "/controls/untrained/eigenvalues at draw",
        ),
        ("/", setting("index_low", at((5, 0), 1)), "/index_low at problem 5, level 2: stored 0"),
        ("/", setting("status", at((5, 0), 1)), "/status at problem 5, level 2: stored 0, found 1"),
        ("/", setting("route", at((5, 0), -1)), "/route at problem 5, level 2: stored"),
        (
            "/",
            setting("spectral_gap", at((2, 0), np.nan)),
            "/spectral_gap at problem 2, level 2: stored",
        ),
        ("/", setting("radii", at((2, 0, 0), np.inf)), "/radii at problem 2, level 2, eigen 0"),
        ("/", setting("radii", times(20)), "/radii: largest of 256: stored"),
        ("/", setting("residuals", at(slice(1, None), 1e-30)), "/residuals: typical of 256"),
        ("/", setting("eigenvectors", times(2)), "/eigenvectors at problem 0, level 2, end top:"),
        (
            "/summary/model",
            setting("draw_overlap", at((0, 0, 0), lambda v: v * (1 + 1e-8))),
            "/summary/model/draw_overlap at level 0, end 0, statistic mean",
        ),
        (
            "/summary/model",
            setting("draw_overlap", at((0, 0, 1), lambda v: v * (1 + 1e-8))),
            "/summary/model/draw_overlap at level 0, end 0, statistic low",
        ),
        (
            "/verdicts",
            setting("outcome", at(1, "refuted")),
            "/verdicts/outcome at hypothesis",
        ),
        ("/verdicts", setting("p_for", at(0, 0.5)), "/verdicts/p_for at hypothesis"),
        ("/verdicts", setting("statement", at(0, "")), "/verdicts/statement at hypothesis"),
        ("/verdicts", lambda d: d.assign_attrs(alpha=0.05), "/verdicts/ attribute alpha: stored"),
    ],
)
def test_a_change_of_science_is_named(
    spectra: xr.DataTree, path: str, change: Change, said: str
) -> None:
    # One group alone, as others would have to go along with another dimension.
    data = groups_of(spectra)[path]
    stored = xr.DataTree.from_dict({path: data})
    found = xr.DataTree.from_dict({path: change(data.copy(deep=True))})
    lines = differences(stored, found)
    assert any(line.startswith(said) for line in lines), "\n".join(lines)


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("/", setting("energy", times(1 + 1e-11))),
        ("/", setting("radii", times(3))),
        ("/", setting("route", at((5, 0), 7))),
        ("/", setting("eigenvectors", times(-1))),
        ("/", lambda d: d.assign(energy=d["energy"].assign_attrs(long_name="E", error="none"))),
        ("/", lambda d: d.assign_attrs(package_version="9.9", gpu="one")),
        ("/", lambda d: d.assign(index_low=d["index_low"].astype(np.int32))),
        ("/verdicts", setting("statement", at(0, "In other words."))),
    ],
)
def test_what_may_change_is_let_through(spectra: xr.DataTree, path: str, change: Change) -> None:
    assert not differences(spectra, changed(spectra, path, change))


def test_a_group_is_missed(spectra: xr.DataTree) -> None:
    groups = {path: data for path, data in groups_of(spectra).items() if path != "/verdicts"}
    found = xr.DataTree.from_dict(groups)
    assert differences(spectra, found) == ["/verdicts: the group is stored, and was not found"]
    assert differences(found, spectra) == ["/verdicts: the group was found, and is not stored"]


def rotated(angle: float) -> Callable[[Any], None]:
    """The two vectors of every place turned into one another; in a copy."""

    def change(values: Any) -> None:
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        values[...] = turn @ values

    return change


def clustered(size: int) -> Change:
    """Each end's two vectors in one cluster of so many."""

    def of(data: xr.Dataset) -> xr.Dataset:
        found = setting("clusters", at(..., 0))(data)
        return setting("vector_cluster_size", at(..., size))(found)

    return of


@settings(max_examples=6)
@given(angle=st.floats(0.1, 1.4))
def test_vectors_may_turn_within_their_cluster_alone(spectra: xr.DataTree, angle: float) -> None:
    turned = setting("eigenvectors", rotated(angle))
    (said,) = differences(spectra, changed(spectra, "/", turned))
    assert said.startswith("/eigenvectors at problem 0, level 2, end top, vector ")
    for size in (2, 3):  # the second is cut: what is kept of it is arbitrary
        stored = changed(spectra, "/", clustered(size))
        assert not differences(stored, changed(stored, "/", turned))


@settings(max_examples=6)
@given(angle=st.floats(0.1, 1.4))
def test_components_may_turn_where_their_spectrum_is_degenerate_alone(
    scores: xr.DataTree, angle: float
) -> None:
    turned = setting("component", rotated(angle))
    (said,) = differences(scores, changed(scores, "/", turned))
    assert said.startswith("/component at problem 0, level 2, place typical, end top, component_")
    stored = changed(scores, "/", setting("eigenvalue", at(..., 1.0)))
    assert not differences(stored, changed(stored, "/", turned))
    assert not differences(scores, changed(scores, "/", setting("component", times(-1))))


@settings(max_examples=12)
@given(
    problem=st.integers(0, 7),
    name=st.sampled_from(["energy", "gradient_norm", "eigenvalues", "contributions"]),
    off=st.floats(2e-9, 1e3),
)
def test_a_number_that_is_off_is_named_with_its_place(
    spectra: xr.DataTree, problem: int, name: str, off: float
) -> None:
    size = float(np.abs(spectra.to_dataset()[name].values).max())
    found = changed(spectra, "/", setting(name, at(problem, lambda v: v + off * size)))
    (said,) = differences(spectra, found)
    assert said.startswith(f"/{name} at problem {problem}, level ")
    assert "stored" in said
    assert "found" in said
    near = changed(spectra, "/", setting(name, at(problem, lambda v: v + 1e-10 * size)))
    assert not differences(spectra, near)


def test_stored_digits_are_all_that_is_asked(scores: xr.DataTree) -> None:
    """A float32 may be rounded to its neighbour, and no further."""
    kept = scores.to_dataset()["score"].values
    for steps, seen in ((1, False), (4, True)):
        other = kept.copy()
        for _ in range(steps):
            other = np.nextafter(other, np.float32(np.inf), dtype=np.float32)
        found = changed(scores, "/", setting("score", at(..., other)))
        assert any("/score at" in line for line in differences(scores, found)) == seen


@pytest.mark.parametrize(
    ("by", "intervals", "times_named"),
    [(1e-6, "exact", 1), (0.01, "near", 0), (0.5, "near", 1)],
)
def test_ends_of_intervals(
    spectra: xr.DataTree, by: float, intervals: Literal["exact", "near"], times_named: int
) -> None:
    def widen(values: Any) -> None:
        values[0, 2] += by * (values[0, 2] - values[0, 1])

    found = changed(spectra, "/summary/model", setting("gradient_norm", widen))
    lines = differences(spectra, found, intervals=intervals)
    assert [line.split(":")[0] for line in lines] == [
        "/summary/model/gradient_norm at level 0, statistic high"
    ] * times_named


def test_ends_of_intervals_of_few_problems_stay_around_their_mean() -> None:
    summary = groups_of(stored_runs.read("exp004-completion"))["/summary/model"]
    stored = xr.DataTree.from_dict({"/summary/model": summary[["relative_energy"]]})

    def past(values: Any) -> None:
        values[..., 1] = values[..., 0] + 1.0

    found = changed(stored, "/summary/model", setting("relative_energy", past))
    (said,) = differences(stored, found, intervals="near")
    assert said.startswith("/summary/model/relative_energy at level 0, kind ")


def test_every_rule_is_of_a_variable_that_is_stored() -> None:
    there: set[str] = set()
    for name in ("exp001", "exp002", "exp006"):
        for data in groups_of(stored_runs.read(name)).values():
            there |= set(map(str, data.data_vars))
    assert set(RULES) <= there


def test_options_are_spelled_as_they_are_written() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Config:
        one: int | None = None
        several: tuple[int, ...] = (1, 2)
        choice: Literal["a", "b"] = "a"

    assert options_of(Config) == {
        "one": {"type": "int | None", "default": None},
        "several": {"type": "tuple[int, ...]", "default": [1, 2]},
        "choice": {"type": "Literal['a', 'b']", "default": "a"},
    }
