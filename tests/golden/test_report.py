"""The report page: whole in one file, safe, the same every time, and true to the results."""

import base64
import gzip
import hashlib
import html
import os
import re
import shlex
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import tiny
from ired_interp.digits import number, with_interval
from ired_interp.errors import RunFolderError
from ired_interp.experiments import find_experiment
from ired_interp.experiments.config import config_from_mapping, config_from_words
from ired_interp.experiments.evidence_charts import evidence_charts
from ired_interp.experiments.exp001.shown import level_rows
from ired_interp.experiments.kit.charts import Chart
from ired_interp.experiments.verdict_data import read_verdicts
from ired_interp.report import tables
from ired_interp.report.colors import COLORS
from ired_interp.report.figures import save_figures
from ired_interp.report.html import write_report
from ired_interp.report.scripts import packed
from ired_interp.runs.execution import execute
from ired_interp.runs.run import Run, open_run, plan_run

EXPERIMENT = find_experiment("exp001")
NUM_FIGURES = 13
# Whose colours are those of matrices, not of the model and its control.
WITHOUT_CONTROL = {"figure-eigenvectors"}
BEGIN = {".svg": b"<?xml", ".pdf": b"%PDF", ".png": b"\x89PNG"}
VOID = {"br", "hr", "img", "input", "link", "meta"}
LOADING = {"src", "href", "srcset", "data", "poster", "action", "formaction", "background"}
EVIL = "<script>alert(1)</script>"


class Page(HTMLParser):
    """Every tag with its attributes, and a failure where tags do not nest."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.text = path.read_text(encoding="utf-8")
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.scripts: list[str] = []
        self.open: list[str] = []
        self.feed(self.text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        elif self.open and self.open[-1] != "style":
            self.words.append(data)

    def says(self, words: str) -> bool:
        """Whether a reader sees them, with indices set below or not."""
        text = html.unescape(re.sub(r"<sub>(\w)</sub>", r"_\1", self.text))
        return " ".join(words.split()) in " ".join(text.split())

    @property
    def said(self) -> str:
        """The text that a reader sees, with single spaces."""
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attrs for name, attrs in self.tags if name == tag]


def run_tiny(folder: Path, **changes: object) -> Run:
    """A finished run of an untrained tiny model."""
    folder.mkdir(exist_ok=True)
    model = tiny.checkpoint(folder / "tiny model.safetensors")
    fields = {"model": str(model), "problems": 3, "levels": (1, 10), "controls": 1} | changes
    config = config_from_mapping(EXPERIMENT.Config, fields)
    return execute(plan_run(EXPERIMENT, config, folder / "run"))


def store(run: Run, results: xr.DataTree, folder: Path) -> Run:
    """Other results in a copy of a run's folder."""
    folder.mkdir()
    (folder / "run.json").write_bytes((run.path / "run.json").read_bytes())
    copy = open_run(folder)
    results.to_netcdf(copy.results_path, engine="h5netcdf")
    return copy


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_tiny(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def page(run: Run) -> Page:
    path = write_report(run)
    assert path == run.path / "report.html"
    return Page(path)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One problem, one level, no control."""
    folder = tmp_path_factory.mktemp("bare")
    return run_tiny(folder, problems=1, levels=(7,), controls=0)


def drawings(page: Page) -> dict[str, str]:
    """What the browser draws, as JSON, by figure."""
    found = {}
    for name, figure in re.findall(
        r'<figure[^>]* id="([^"]*)"(.*?)</figure>', page.text, re.DOTALL
    ):
        (letters,) = re.findall(r'id="numbers-[^"]*">([^<]*)<', figure)
        found[name] = gzip.decompress(base64.b64decode(letters)).decode()
    return found


def only_our_scripts_run(page: Page) -> None:
    """What is no data is our own script; the policy lets it and plotly.js run, by their hashes."""
    kinds = [attrs.get("type", "") for attrs in page.all("script")]
    assert set(kinds) == {"", "application/octet-stream"}
    (own,) = [text for kind, text in zip(kinds, page.scripts, strict=True) if not kind]
    assert own == (files("ired_interp") / "report" / "interactive.js").read_text("utf-8")
    data = [text for kind, text in zip(kinds, page.scripts, strict=True) if kind]
    assert all(re.fullmatch(r"[A-Za-z0-9+/]+=*", text) for text in data)
    plotly = gzip.decompress(base64.b64decode(data[-1])).decode()
    hashes = [
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for text in (own, plotly)
    ]
    (policy,) = [meta["content"] for meta in page.all("meta") if "http-equiv" in meta]
    assert policy.split("; ") == [
        "default-src 'none'",
        "img-src data:",
        "style-src 'unsafe-inline'",
        f"script-src {' '.join(hashes)}",
    ]


def test_loads_nothing_from_anywhere(page: Page) -> None:
    links = [value for _, attrs in page.tags for name, value in attrs.items() if name in LOADING]
    assert len(links) > NUM_FIGURES
    for link in links:
        assert link.startswith(("data:", "#")), link[:60]
    (style,) = re.findall(r"<style>(.*?)</style>", page.text, re.DOTALL)
    assert "font" in style
    assert not re.search(r"@import|url\(", style)
    own_words = re.sub(r'"data:[^"]*"|<script.*?</script>', "", page.text, flags=re.DOTALL)
    assert not re.search(r"\bon\w+=", own_words)
    only_our_scripts_run(page)
    for chart in drawings(page).values():
        assert not re.search(r"@import|url\(|<a |javascript:", chart)
    glances = re.findall(r"<svg.*?</svg>", page.text, re.DOTALL)
    assert glances
    for svg in glances:
        assert not re.search(r"@import|url\((?!#)|<!DOCTYPE|<style", svg)
        for element in ET.fromstring(svg).iter():  # noqa: S314 - our own text
            assert not str(element.tag).endswith(("script", "foreignObject"))
            for name, value in element.attrib.items():
                if name.endswith("href"):
                    assert value.startswith(("#", "data:image/png;base64,")), value


def test_anchors_and_labels_lead_somewhere(page: Page) -> None:
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids)) > NUM_FIGURES
    wanted = [a["href"][1:] for a in page.all("a")]
    for name in ("aria-labelledby", "aria-describedby"):
        wanted += [attrs[name] for _, attrs in page.tags if name in attrs]
    assert wanted
    numbers = [attrs["data-numbers"] for _, attrs in page.tags if "data-numbers" in attrs]
    assert len(numbers) == len(drawings(page))
    wanted += numbers
    assert set(wanted) <= set(ids)


def test_headings_do_not_skip_a_rank(page: Page) -> None:
    ranks = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert ranks[0] == 1
    assert ranks.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(ranks))


def test_every_figure_is_there(page: Page, run: Run) -> None:
    assert len(EXPERIMENT.figures) == NUM_FIGURES
    found = drawings(page)
    evidence = {f"figure-{spec.name}" for spec in evidence_charts(run.tree)}
    assert set(found) == evidence | {f"figure-{figure.name}" for figure in EXPERIMENT.figures}
    assert len(set(found.values())) == len(found)
    for name, chart in found.items():
        for role in () if name in WITHOUT_CONTROL else ("model", "control"):
            assert f"var(--fig-{role})" in chart
    for figure in EXPERIMENT.figures:
        assert isinstance(figure, Chart)
        assert page.says(figure.caption)
        letters = packed(figure.drawing_fn(run.tree))
        assert f'id="numbers-{figure.name}">{letters}<' in page.text
    images = [attrs for attrs in page.all("div") if attrs.get("class") == "chart"]
    assert len(images) == len(found)
    assert all(len(image["aria-label"]) > 20 for image in images)
    for name, colors in COLORS.items():
        for role, color in colors.items():
            assert f"--fig-{role}: {color};" in page.text, name
    assert len(page.text.encode()) < 5_000_000


def test_verdicts_at_a_glance_are_those_of_the_cards(page: Page, run: Run) -> None:
    """The strip stands before the tables, the picture before the strip."""
    order = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    at = [order.index(one) for one in ("figure-spectra", "verdicts", "skill", "findings")]
    assert at == sorted(at)
    for one in read_verdicts(run.tree):
        card = page.text[page.text.index(f'id="hypothesis-{one.verdict.id}"') :]
        summary = card[: card.index("</summary>")]
        assert one.verdict.id in summary
        if one.verdict.num_problems == 0:
            assert "<svg" not in summary
            continue
        (said,) = re.findall(r'<svg[^>]* aria-label="([^"]*)"', summary)
        of = one.verdict.estimate
        assert said.startswith(f"effect {' '.join(with_interval(of.mean, of.low, of.high))}")
        assert said.endswith(f"null {number(one.verdict.null)}")
        assert ("control" in said) == (one.verdict.control is not None)
        places = [float(n) for n in re.findall(r'(?:x1|x2|cx)="([^"]*)"', summary)]
        assert all(0 <= place <= 220 for place in places)
        found = re.findall(r'effect"><line x1="(.*?)" x2="(.*?)".*?cx="(.*?)"', summary)
        low, high, middle = (float(place) for place in found[0])
        assert low <= middle <= high


def test_says_what_was_asked_of_which_model(page: Page, run: Run) -> None:
    lead = page.said[: page.said.rindex("Key findings")]
    for words in (
        "tiny model.safetensors",
        run.config.model_sha256[:12],
        "typical",
        "3 problems",
        "2 levels (k = 1, 10)",
        "1 draw of untrained weights",
        "all 4 eigenvalues",
    ):
        assert words in lead, words


def test_table_holds_the_numbers_of_the_results(page: Page, run: Run) -> None:
    for name in ("model", "untrained"):
        summary = run.tree[f"summary/{name}"].to_dataset()
        for measure in ("mean_scaled_eigenvalue", "condition_number", "gradient_norm"):
            for level in (1, 10):
                row = summary[measure].sel(level=level)
                cell = [float(row.sel(statistic=s)) for s in ("mean", "low", "high")]
                assert " ".join(with_interval(*cell)) in page.said


def test_every_variable_has_its_definition_and_error(page: Page, run: Run) -> None:
    rows = {row.name: row for row in tables.variable_rows(run.tree, EXPERIMENT.definitions)}
    assert set(rows) == set(run.results.data_vars)
    assert set(rows) <= set(EXPERIMENT.definitions)
    assert all(row.meaning and row.error and row.dims for row in rows.values())
    assert all(f"<code>{name}</code>" in page.text for name in rows)


def test_provenance_is_complete(page: Page, run: Run) -> None:
    keys = {key for key, _ in tables.provenance_rows(run.tree)}
    assert {"git_sha", "package_version", "host", "threads", "config: seed"} <= keys
    assert run.config.model_sha256 in page.said
    assert set(run.tree.attrs) - {"config"} <= keys


@pytest.mark.parametrize(
    "changes", [{}, {"point": "minimum", "levels": (3, 1), "dtype": "float32", "noise_draws": 1}]
)
def test_command_plans_the_same_config(run: Run, changes: dict[str, object]) -> None:
    config = replace(run.config, model_sha256="", **changes)
    stored = {k: list(v) if isinstance(v, tuple) else v for k, v in vars(config).items()}
    command = tables.command_line("exp001", stored, EXPERIMENT.Config)
    words = shlex.split(command.replace("\\\n", " "))  # as a shell joins lines
    assert words[:3] == ["ired-interp", "run", "exp001"]
    assert words[-2:] == ["--out", "NEW"]
    options = {k[2:].replace("-", "_"): v for k, v in zip(words[3::2], words[4::2], strict=True)}
    del options["out"]
    assert config_from_words(EXPERIMENT.Config, options) == config


def test_names_are_escaped(run: Run, tmp_path: Path) -> None:
    results = run.tree
    results.attrs["host"] = EVIL
    results.attrs["package_version"] = f'"{EVIL}'
    results.attrs["config"] = results.attrs["config"].replace(run.config.model, EVIL)
    evil = Page(write_report(store(run, results, tmp_path / "evil")))
    only_our_scripts_run(evil)
    assert EVIL not in evil.text
    assert evil.said.count(EVIL) >= 4


def test_one_problem_without_a_control(bare: Run) -> None:
    page = Page(write_report(bare))
    assert "1 problem and 1 level (k = 7), without a control" in page.said
    assert "with untrained weights" not in page.said.rsplit("Key findings", 1)[-1]
    assert not re.search(r"\bnan\b", page.said)
    assert len(drawings(page)) == NUM_FIGURES + len(evidence_charts(bare.tree))
    for name, chart in drawings(page).items():
        assert ("var(--fig-model)" in chart) == (name not in WITHOUT_CONTROL)
        assert "var(--fig-control)" not in chart


def test_points_that_were_not_found_are_counted(run: Run, tmp_path: Path) -> None:
    groups = {}
    for path in ("/", "controls/untrained"):
        data = run.tree[path].to_dataset().copy(deep=True)
        missing = (data["level"] == 1) | ((data["problem"] == 0) & (data["level"] == 10))
        data["status"] = data["status"].where(~missing, 1)
        for name in data.data_vars:
            if {"problem", "level"} <= set(data[name].dims) and data[name].dtype == np.float64:
                data[name] = data[name].where(~missing)
        groups[path] = data
    results = xr.DataTree.from_dict(groups)
    for name, summary in EXPERIMENT.summarise(results).items():
        results[f"summary/{name}"] = xr.DataTree(summary.drop_vars("level", errors="ignore"))
    page = Page(write_report(store(run, results, tmp_path / "missing")))
    assert "the others are left out" in page.said
    assert "The mean σλ is unknown at level 1" in page.said
    counts = [row.count for level in level_rows(results) for row in level.rows]
    assert counts == [0, 0, 2, 2]
    assert len(drawings(page)) == NUM_FIGURES  # no verdicts were stored


def test_the_same_results_give_the_same_bytes(run: Run, page: Page, tmp_path: Path) -> None:
    """In another process too, whatever the user's matplotlibrc and the hash seed say."""
    settings = tmp_path / "matplotlibrc"
    settings.write_text("font.size: 30\nfont.family: serif\nxtick.major.pad: 20\n")
    script = (
        "import sys, matplotlib; from ired_interp.runs.run import open_run; "
        "from ired_interp.report.html import write_report; "
        "assert matplotlib.rcParams['font.size'] == 30; write_report(open_run(sys.argv[1]))"
    )
    run.report_path.unlink()
    subprocess.run(
        [sys.executable, "-c", script, str(run.path)],
        check=True,
        env={**os.environ, "MATPLOTLIBRC": str(settings), "PYTHONHASHSEED": "7"},
    )
    assert run.report_path.read_text(encoding="utf-8") == page.text


def test_figures_for_papers(bare: Run, tmp_path: Path) -> None:
    paths = save_figures(bare, tmp_path / "new" / "figures")
    measured = evidence_charts(bare.tree)
    assert 0 < len(measured) < len(EXPERIMENT.hypotheses)
    assert len(paths) == 3 * (NUM_FIGURES + len(measured))
    first = [path.read_bytes() for path in paths]
    assert first == [path.read_bytes() for path in save_figures(bare, tmp_path / "again")]
    for path, content in zip(paths, first, strict=True):
        assert content.startswith(BEGIN[path.suffix])
        assert len(content) > 5_000


def test_an_unfinished_run_has_no_report(bare: Run, tmp_path: Path) -> None:
    unfinished = plan_run(EXPERIMENT, bare.config, tmp_path / "run")
    with pytest.raises(RunFolderError, match="not finished"):
        write_report(unfinished)
    assert not unfinished.report_path.exists()


def test_results_of_another_version_are_named(bare: Run, tmp_path: Path) -> None:
    results = bare.tree
    summary = results["summary/model"].to_dataset().drop_vars("largest_residual")
    results["summary/model"] = xr.DataTree(summary.drop_vars("level"))
    old = store(bare, results, tmp_path / "old")
    with pytest.raises(RunFolderError, match=r"none of summary/model/largest_residual.*resume"):
        write_report(old)
