"""The page of two runs of one experiment with different models."""

import re
from pathlib import Path

import pytest

import tiny_runs
from ired_interp.cli import main
from ired_interp.digits import with_interval
from ired_interp.errors import ConfigError
from ired_interp.experiments import find_experiment
from ired_interp.experiments.skill_words import skill_clause
from ired_interp.experiments.verdict_data import read_verdicts
from ired_interp.report.cards import shown_outcome
from ired_interp.report.side_by_side import write_comparison
from ired_interp.runs.comparison import Comparison, compare_runs
from ired_interp.runs.run import Run

NAME = "exp005"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    folder = tmp_path_factory.mktemp("two")
    fields = {"problems": 2, "levels": (10,)}
    first, second = (
        tiny_runs.run_of(NAME, folder / str(seed), weights=seed, **fields) for seed in (0, 1)
    )
    return first, second


@pytest.fixture(scope="module")
def found(runs: tuple[Run, Run]) -> Comparison:
    return compare_runs(*(run.path for run in runs))


@pytest.fixture(scope="module")
def text(runs: tuple[Run, Run], found: Comparison, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = write_comparison(*runs, found, tmp_path_factory.mktemp("page") / "two.html")
    return path.read_text(encoding="utf-8")


def said(text: str) -> str:
    body = re.sub(r"<(svg|style|script).*?</\1>", " ", text, flags=re.DOTALL)
    plain = re.sub(r"<[^>]*>", " ", re.sub(r"</?(sub|code|em|strong)>", "", body))
    return " ".join(plain.replace("&#39;", "'").replace("&lt;", "<").split())


def test_both_runs_are_named_with_skill_and_verdicts(runs: tuple[Run, Run], text: str) -> None:
    words = said(text)
    for run in runs:
        assert str(run.path) in words
        assert run.config.model_sha256[:12] in words  # among what differs
        clause = re.sub(r"_([ty])", r"\1", skill_clause(run.tree))
        assert clause in words
    table = text[text.index('class="verdicts"') :].split("</table>", 1)[0]
    rows = [said(row) for row in table.split("<tr>")[2:]]
    stored = [{one.verdict.id: one for one in read_verdicts(run.tree)} for run in runs]
    assert "exploratory" in {one.role for one in stored[0].values()}
    assert len(rows) == len(stored[0]) == len(find_experiment(NAME).hypotheses)
    for row, name in zip(rows, stored[0], strict=True):
        assert row.startswith(name)
        for side in stored:
            verdict = side[name].verdict
            assert shown_outcome(side[name]) in row
            if verdict.num_problems:
                interval = verdict.estimate
                parts = with_interval(interval.mean, interval.low, interval.high)
                assert " ".join(" ".join(parts).split()) in row


def test_what_moved_stands_with_the_largest_first(text: str, found: Comparison) -> None:
    table = text[text.index('class="moves"') :].split("</table>", 1)[0]
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in table.split("<tr>")[2:]]
    errors = [float(row[1].replace("∞", "inf")) for row in rows if row[1]]
    assert len(errors) > 5
    assert errors == sorted(errors, reverse=True)
    assert not any(row[1] for row in rows[len(errors) :])
    moved = {move.name for move in found.moves if move.state in ("moved", "other problems")}
    assert moved
    assert {re.sub("<[^>]*>", "", row[0]) for row in rows} <= moved
    assert len(rows) == min(60, len(moved))


def test_the_same_figures_stand_beside_each_other(text: str) -> None:
    figures = re.findall(r"<figure.*?</figure>", text, re.DOTALL)
    assert len(figures) >= len(find_experiment(NAME).figures)
    for figure in figures:
        drawn = re.findall(r'id="numbers-[^"]*">([^<]*)<', figure)
        assert len(drawn) == 2
        assert drawn[0] != drawn[1]
    ids = re.findall(r' id="([^"]*)"', text)
    assert len(ids) == len(set(ids))
    wanted = {a or b for a, b in re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)', text)}
    assert wanted <= set(ids)
    scripts = re.findall("<script[^>]*>", text)
    assert len([one for one in scripts if "application/octet-stream" not in one]) == 1  # our own
    assert "default-src 'none'" in text


def test_the_command_writes_it(
    runs: tuple[Run, Run], text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    words = ["compare", *(str(run.path) for run in runs), "--report", str(page)]
    assert main(words) == 1
    assert page.read_text(encoding="utf-8") == text  # the same runs, the same bytes
    assert "variables have the same bits" in capsys.readouterr().out


def test_a_run_beside_itself(runs: tuple[Run, Run], tmp_path: Path) -> None:
    same = compare_runs(runs[0].path, runs[0].path)
    page = write_comparison(runs[0], runs[0], same, tmp_path / "same.html")
    words = said(page.read_text(encoding="utf-8"))
    assert words.count("the same") >= 4
    assert f"{len(same.moves)} of {len(same.moves)} variables are the same" in words


def test_two_experiments_have_no_page(
    runs: tuple[Run, Run], found: Comparison, tmp_path: Path
) -> None:
    other = tiny_runs.run_of("exp001", tmp_path, problems=1, levels=(10,), controls=0)
    with pytest.raises(ConfigError, match=r"expected two runs of one experiment, found exp005 in"):
        write_comparison(runs[0], other, found, tmp_path / "no.html")
    assert not (tmp_path / "no.html").exists()
