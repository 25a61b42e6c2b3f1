"""What ``compare`` says of two runs, on runs whose differences are planted."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from ired_interp.cli import main
from ired_interp.errors import ConfigError, RunFolderError
from ired_interp.runs.comparison import Comparison, compare_runs
from ired_interp.runs.moves import Move

LEVELS = [1, 5, 10]


def results(*, problems: int = 8, seed: int = 0) -> xr.Dataset:
    """Numbers of a run: two of one unit, one without, one whole, one text."""
    rng = np.random.default_rng(seed)
    shape = (problems, len(LEVELS))
    dims = ("problem", "level")
    return xr.Dataset(
        {
            "eigenvalue": (dims, 100 * rng.normal(size=shape), {"units": "energy"}),
            "residual": (dims, 1e-13 * rng.random(shape), {"units": "energy"}),
            "share": (dims, 1e-3 * rng.random(shape), {"units": "1"}),
            "plain": (dims, 1e-3 * rng.random(shape)),
            "count": (dims, rng.integers(1, 9, shape)),
            "scale": ("level", [1.0, 2.0, 3.0]),
        },
        coords={"problem": np.arange(problems), "level": LEVELS},
    )


Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a finished run of made-up numbers."""

    def written(
        name: str, data: xr.Dataset, control: xr.Dataset | None = None, **config: object
    ) -> Path:
        folder = tmp_path / name
        (folder / "shards").mkdir(parents=True)
        head = {
            "format": "ired-interp-run",
            "version": 3,
            "experiment": "planted",
            "source": {"reference": "planted.py", "project": None},
            "config": {"seed": 0} | config,
            "units": 1,
            "provenance": {"torch": "2.9", "host": "here", "threads": 1, "project": {"sha": "a"}},
        }
        (folder / "run.json").write_text(json.dumps(head))
        groups = {"/": data} | ({"controls/flat": control} if control is not None else {})
        xr.DataTree.from_dict(groups).to_netcdf(folder / "results.h5", engine="h5netcdf")
        return folder

    return written


def by_name(found: Comparison) -> dict[str, Move]:
    return {move.name: move for move in found.moves}


def test_a_run_is_the_same_as_its_copy(write: Write) -> None:
    first, second = write("a", results()), write("b", results())
    found = compare_runs(first, second)
    assert found.equal
    assert found.same_bits
    assert not [*found.config, *found.code, *found.machine]
    assert main(["compare", str(first), str(second)]) == 0


def test_a_planted_shift_is_found_in_its_standard_errors(write: Write) -> None:
    """Level 5 moves by a known amount with a known spread; z is by hand."""
    one, other = results(), results()
    shifts = 3.0 + np.arange(8) / 10
    other["eigenvalue"].loc[{"level": 5}] += shifts
    found = compare_runs(write("a", one), write("b", other))
    move = by_name(found)["eigenvalue"]
    expected = shifts.mean() / (shifts.std(ddof=1) / 8**0.5)
    assert move.state == "moved"
    assert move.paired
    assert (move.at, move.places, move.problems) == ("level 5", 3, 8)
    assert move.standard_errors == pytest.approx(expected, rel=1e-9)
    assert move.largest == pytest.approx(3.7, rel=1e-9)
    assert [m.state for m in found.moves if m.name != "eigenvalue"] == ["same bits"] * 5
    assert not found.equal


@pytest.mark.parametrize(
    ("name", "by", "state"),
    [
        # Residuals are judged by the eigenvalues, of which the largest is about 100.
        ("residual", 1e-12, "within"),
        ("residual", 1e-8, "moved"),
        ("eigenvalue", 1e-12, "within"),
        # A share is a number of order 1; what has no unit has only itself.
        ("share", 5e-13, "within"),
        ("plain", 5e-13, "moved"),
        ("plain", 1e-17, "within"),
        ("scale", 1e-14, "within"),
        ("scale", 1e-9, "moved"),
    ],
)
def test_the_tolerance_is_a_share_of_the_largest_of_a_unit(
    write: Write, name: str, by: float, state: str
) -> None:
    other = results()
    other[name][{"level": 0}] += by
    found = compare_runs(write("a", results()), write("b", other))
    assert by_name(found)[name].state == state
    assert found.equal == (state == "within")
    assert not found.same_bits


def test_whole_numbers_must_be_equal(write: Write) -> None:
    other = results()
    other["count"][{"level": 2, "problem": 3}] += 1
    found = compare_runs(write("a", results()), write("b", other), tolerance=0.5)
    assert by_name(found)["count"].state == "moved"


def test_a_missing_number_is_not_equal_to_any(write: Write) -> None:
    one, other = results(), results()
    one["share"][0, 0] = np.nan
    other["share"][0, 0] = np.nan
    assert compare_runs(write("a", one), write("b", other)).same_bits
    other["share"][1, 1] = np.nan
    move = by_name(compare_runs(write("c", one), write("d", other), tolerance=1e9))["share"]
    assert move.state == "moved"
    assert move.largest == np.inf


def test_other_problems_are_compared_by_their_means(write: Write) -> None:
    """z of the difference of two independent means, at the place where it is largest."""
    one, other = results(), results(seed=1, problems=11)
    found = compare_runs(write("a", one), write("b", other, seed=1))
    move = by_name(found)["eigenvalue"]
    assert found.pairing == "not paired: the seeds differ"
    assert (move.state, move.paired) == ("other problems", False)
    gap = one["eigenvalue"].mean("problem") - other["eigenvalue"].mean("problem")
    variance = one["eigenvalue"].var("problem", ddof=1) / 8
    variance = variance + other["eigenvalue"].var("problem", ddof=1) / 11
    z = abs(gap) / variance**0.5
    assert move.standard_errors == pytest.approx(float(z.max()), rel=1e-9)
    assert move.at == f"level {LEVELS[int(np.argmax(z.values))]}"
    assert move.largest == pytest.approx(float(abs(gap).max()), rel=1e-9)
    assert by_name(found)["scale"].state == "same bits"


@pytest.mark.parametrize("by", [0.0, 1e-3])
def test_the_questions_say_whether_problems_are_the_same(write: Write, by: float) -> None:
    """Whatever the seeds say."""
    question = xr.DataArray(np.arange(16.0).reshape(8, 2), dims=("problem", "x_dim"))
    one, other = results().assign(x=question), results(seed=3).assign(x=question + by)
    found = compare_runs(write("a", one), write("b", other, seed=1))
    assert by_name(found)["eigenvalue"].paired == (by == 0)
    assert ("x differs" in found.pairing) == (by > 0)


def test_runs_of_other_sizes_are_compared_where_both_have_numbers(write: Write) -> None:
    other = results().isel(problem=slice(5), level=[0, 2])
    found = compare_runs(write("a", results()), write("b", other, problems=5))
    move = by_name(found)["eigenvalue"]
    assert move.state == "in part"
    assert move.detail == "where both have problem (8 | 5) and level (3 | 2)"
    assert not found.equal
    assert [(one.name, one.first, one.second) for one in found.config] == [("problems", None, 5)]


def test_controls_and_what_one_run_lacks_are_named(write: Write) -> None:
    control = results().expand_dims(draw=[0, 1]).copy(deep=True)
    moved = control.copy(deep=True)
    moved["eigenvalue"].loc[{"level": 10, "draw": 1}] += [2.0, 4.0] * 4
    first = write("a", results().assign(extra=1.0), control)
    second = write("b", results().drop_vars("share"), moved)
    names = by_name(compare_runs(first, second))
    assert names["extra"].state == names["share"].state == "only in first"
    # Draws are averaged first: the problem is the unit of replication.
    half = np.array([1.0, 2.0] * 4)
    expected = half.mean() / (half.std(ddof=1) / 8**0.5)
    move = names["controls/flat/eigenvalue"]
    assert move.standard_errors == pytest.approx(expected, rel=1e-9)
    assert move.at == "level 10"


def test_json_says_all_of_it(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    other = results()
    other["share"][1, 1] = np.nan
    words = ["compare", str(write("a", results())), str(write("b", other, seed=1)), "--json"]
    assert main(words) == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["equal"], said["same_bits"]) == (False, False)
    assert said["config"] == [{"name": "seed", "first": 0, "second": 1}]
    (share,) = [move for move in said["moves"] if move["name"] == "share"]
    assert share["state"] == "other problems"
    assert isinstance(share["standard_errors"], float)


def test_words_name_what_moved(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    other = results()
    other["eigenvalue"].loc[{"level": 5}] += 3.0
    assert main(["compare", str(write("a", results())), str(write("b", other))]) == 1
    said = capsys.readouterr().out
    assert "config   the same" in said
    assert "eigenvalue  by 3 of " in said
    assert "5 of 6 variables have the same bits" in said


def test_what_cannot_be_compared_is_refused(write: Write, tmp_path: Path) -> None:
    first = write("a", results())
    unfinished = write("b", results())
    (unfinished / "results.h5").unlink()
    with pytest.raises(RunFolderError, match=r"expected a finished run.*ired-interp resume"):
        compare_runs(first, unfinished)
    with pytest.raises(RunFolderError, match="not a run folder"):
        compare_runs(tmp_path, first)
    (unfinished / "results.h5").write_bytes(b"no HDF5")
    with pytest.raises(RunFolderError, match=r"cannot be read.*made again from the shards"):
        compare_runs(first, unfinished)
    with pytest.raises(ConfigError, match="at least 0"):
        compare_runs(first, first, tolerance=-1)


def test_stored_runs_of_old_versions_are_compared(tmp_path: Path) -> None:
    data = Path(__file__).parents[1] / "golden/data"
    copy = tmp_path / "copy"
    shutil.copytree(data / "run-1", copy)
    assert compare_runs(data / "run-1", copy).same_bits
    found = compare_runs(data / "run-1", data / "run-2")
    assert found.pairing == "paired: the problems are the same (x and answer are equal)"
    assert by_name(found)["eigenvalues"].state == "within"
    assert by_name(found)["radii"].state == "only in second"
