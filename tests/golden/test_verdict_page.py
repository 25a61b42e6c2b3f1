"""Verdicts in results.h5, on the page and in a terminal: the same, escaped, traceable."""

import io
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from rich.console import Console

from ired_interp.cli.verdicts import print_verdicts
from ired_interp.digits import with_interval
from ired_interp.errors import ExperimentError
from ired_interp.experiments.completion import as_experiment
from ired_interp.experiments.hypothesis import Evidence, Hypothesis
from ired_interp.experiments.verdict_data import read_verdicts, verdict_groups
from ired_interp.experiments.verdicts import judge
from ired_interp.report.cards import SYMBOLS, shown_outcome
from ired_interp.report.figures import save_figures
from ired_interp.report.headline import verdict_sentence
from ired_interp.report.html import write_report
from ired_interp.report.terminal import first_line, verdict_table
from ired_interp.runs.execution import collate_run, execute
from ired_interp.runs.run import Run, open_run, plan_run

EVIL = "<script>alert('σ_t')</script>&amp;"
DATA = Path(__file__).parent / "data"
N = 12


def shifted(by: float, *, control: float | None) -> Any:
    def statistic(results: xr.DataTree) -> Evidence:
        values = results.to_dataset()["value"].values
        spread = np.random.default_rng(1).normal(size=(5, values.size)) * 0.05
        return Evidence(
            effect=values + by,
            control=None if control is None else control + spread,
            unit="degrees",
            note=EVIL,
        )

    return statistic


def claim(name: str, statistic: Any, **changes: Any) -> Hypothesis:
    fields = {
        "id": name,
        "statement": f"It is above zero {EVIL}",
        "statistic": statistic,
        "direction": "greater",
        "supports": f"more {EVIL}",
        "refutes": f"less {EVIL}",
        "control": f"nothing {EVIL}",
        "source": f"a paper {EVIL}",
    }
    return Hypothesis(**(fields | changes))


@dataclass(frozen=True, kw_only=True)
class Config:
    """Nothing to choose."""

    problems: int = N


class Claiming:
    """Claims four things, and shows a fifth."""

    name = "claiming"
    Config = Config
    hypotheses = (
        claim("up", shifted(1.0, control=0.0)),
        claim("down", shifted(-1.0, control=0.0)),
        claim("alone", shifted(1.0, control=None)),
        claim("absent", shifted(0.0, control=0.0), needs=("summary/model/nothing",)),
        claim("seen", shifted(1.0, control=0.0), role="exploratory"),
        f"A sentence {EVIL}",
    )
    figures = ()

    def units(self, config: Any) -> int:  # noqa: ARG002 - the interface
        return 1

    def run_unit(self, config: Any, index: int) -> xr.Dataset:  # noqa: ARG002
        values = 0.1 * np.random.default_rng(0).normal(size=N)
        return xr.Dataset({"value": ("problem", values)})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    experiment = as_experiment(Claiming(), "claiming")
    done = execute(plan_run(experiment, Config(), tmp_path_factory.mktemp("claims") / "run"))
    write_report(done)
    return done


def text_of(run: Run) -> str:
    return run.report_path.read_text(encoding="utf-8")


def plain(text: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", text).split())


def test_what_is_stored_is_what_was_judged(run: Run) -> None:
    asked = [one for one in Claiming.hypotheses if isinstance(one, Hypothesis)]
    expected = judge(asked, run.tree)
    stored = read_verdicts(run.tree)
    assert [repr(one.verdict) for one in stored] == [repr(one) for one in expected]
    assert {one.verdict.id: one.verdict.outcome for one in stored} == {
        "up": "supported",
        "down": "refuted",
        "alone": "inconclusive",
        "absent": "inconclusive",
        "seen": "inconclusive",
    }
    assert stored[0].statement == asked[0].statement
    assert stored[2].verdict.control is None
    data = run.tree["verdicts"].to_dataset()
    np.testing.assert_array_equal(
        data["effect"].sel(hypothesis="up"), run.results["value"].values + 1
    )
    assert bool(data["effect"].sel(hypothesis="absent").isnull().all())
    assert data.attrs["alpha"] == 0.025


def test_any_hdf5_tool_reads_them(run: Run) -> None:
    import h5py

    with h5py.File(run.results_path) as file:
        outcomes = file["verdicts/outcome"].asstr()[:].tolist()
    assert outcomes == ["supported", "refuted", *["inconclusive"] * 3]


def test_the_page_has_a_card_for_each(run: Run) -> None:
    text = text_of(run)
    assert EVIL not in text
    scripts = re.findall("<script[^>]*>", text)
    assert len([one for one in scripts if "application/octet-stream" not in one]) == 1  # our own
    assert text.count('<details class="card') == 6
    said = plain(text)
    for one in read_verdicts(run.tree):
        card = plain(text[text.index(f'id="hypothesis-{one.verdict.id}"') :].split("</details>")[0])
        assert f"{SYMBOLS[shown_outcome(one)]} {shown_outcome(one)}" in card
        if one.verdict.num_problems:
            interval = one.verdict.estimate
            value, ends = with_interval(interval.mean, interval.low, interval.high)
            assert f"{value} degrees {ends} verdicts/estimate" in card
            for path in (
                "null",
                "control",
                "contrast",
                "hedges_g",
                "p_for",
                "adjusted_p",
                "num_problems",
            ):
                assert f"verdicts/{path}" in card
            assert f'tree["verdicts"].to_dataset().sel(hypothesis="{one.verdict.id}")' in (
                card.replace("&#34;", '"')
            )
        else:
            assert "summary/model/nothing" in card
    assert "– no verdict" in said
    assert "It is a sentence alone" in said
    control = text[text.index('id="hypothesis-alone"') :].split("</details>")[0]
    assert "not measured" in control


def test_every_path_on_a_card_is_a_variable(run: Run) -> None:
    paths = set(re.findall(r"<code>(verdicts/\w+)</code>", text_of(run)))
    assert len(paths) == 10
    for path in paths:
        group, name = path.split("/")
        assert name in run.tree[group].data_vars


def test_the_first_line_says_it_in_words(run: Run) -> None:
    said = plain(text_of(run))
    line = "Of 4 hypotheses 1 is supported (up), 1 is refuted (down), 2 are inconclusive"
    assert f"{line} (alone, absent); 1 more is shown, not tested (seen)" in said
    assert said.index("Asked: claims four things, and shows a fifth.") < said.index("This run of")
    assert "1 more is a sentence alone, without a verdict." in said


def test_what_is_exploratory_is_shown_and_not_counted(run: Run) -> None:
    text = text_of(run)
    card = plain(text[text.index('id="hypothesis-seen"') :].split("</details>")[0])
    assert "inconclusive" not in card
    assert "○ shown, not tested" in card
    assert "p, adjusted not tested" in card
    assert "Exploratory, so neither supported nor refuted" in card
    alone = xr.DataTree.from_dict(
        {"/verdicts": run.tree["verdicts"].to_dataset().isel(hypothesis=[4])}
    )
    assert verdict_sentence(run.experiment, alone).startswith(
        "None was tested; 1 more is shown, not tested (seen)"
    )


def test_the_terminal_says_the_same(run: Run) -> None:
    stream = io.StringIO()
    print_verdicts(run, Console(file=stream, width=100))
    said = " ".join(stream.getvalue().split())
    for one in read_verdicts(run.tree):
        assert f"{one.verdict.id} {SYMBOLS[shown_outcome(one)]} {shown_outcome(one)}" in said
    assert "Of 4 hypotheses 1 is supported (up)" in said


def test_a_figure_for_each_effect(run: Run, tmp_path: Path) -> None:
    names = {path.name for path in save_figures(run, tmp_path)}
    assert names == {
        f"evidence-{name}.{suffix}"
        for name in ("up", "down", "alone", "seen")
        for suffix in ("svg", "pdf", "png")
    }
    assert text_of(run).count('id="figure-evidence-') == 4


def test_the_same_results_give_the_same_page(run: Run) -> None:
    before = text_of(run)
    write_report(open_run_again(run))
    assert text_of(run) == before


def open_run_again(run: Run) -> Run:
    return Run(
        path=run.path,
        experiment=run.experiment,
        config=run.config,
        num_units=run.num_units,
        provenance=run.provenance,
        source=run.source,
        plan_sha256=run.plan_sha256,
    )


def test_sentences_alone_make_no_group() -> None:
    assert verdict_groups(("A sentence.",), xr.DataTree()) == {}


def test_a_statistic_that_gives_no_evidence_is_named() -> None:
    wrong = claim("wrong", lambda _: 3.0)
    with pytest.raises(ExperimentError, match=r"wrong: statistic: expected an Evidence.*float"):
        verdict_groups((wrong,), xr.DataTree())


@pytest.mark.parametrize("version", [1, 2, 3])
def test_results_that_were_written_without_verdicts(version: int) -> None:
    run = open_run(DATA / f"run-{version}")
    assert "verdicts" not in run.tree.children
    assert verdict_table(run) is None
    line = "Its skill was not measured. These results were written without verdicts."
    assert line in first_line(run)


def test_old_units_are_joined_again_with_verdicts(tmp_path: Path) -> None:
    run = open_run(shutil.copytree(DATA / "run-1", tmp_path / "run"))
    run.results_path.unlink()
    collate_run(run)
    by_id = {one.verdict.id: one.verdict for one in read_verdicts(open_run(run.path).tree)}
    assert by_id["bottom-aligned"].reason.startswith("Not measured")
    assert by_id["sharpening"].num_problems == 2
    assert by_id["sharpening"].outcome == "inconclusive"
