"""The page of a run: one file that needs no network, made from ``results.h5`` and nothing else."""

from pathlib import Path

import xarray as xr

from ired_interp.experiments.evidence_charts import evidence_charts
from ired_interp.experiments.skill_words import skill_section
from ired_interp.experiments.verdict_data import VERDICTS
from ired_interp.report import tables
from ired_interp.report.cards import cards
from ired_interp.report.headline import headline, headline_variables
from ired_interp.report.pictures import glyphs_of, picture_of, scripts_of
from ired_interp.report.readable import read
from ired_interp.report.templates import render
from ired_interp.runs.run import Run
from ired_interp.storage import write_file

__all__ = ["write_report"]


def write_report(run: Run) -> Path:
    """Write ``report.html`` into the folder of a finished run; the same results, the same bytes.

    Raises:
        RunFolderError: The run is not finished, or its results are damaged or of another version.
        StorageError: The file system refused.
    """
    with read(run) as results:
        text = _render(run, results)
    write_file(run.report_path, text.encode(errors="backslashreplace"))
    return run.report_path


def _render(run: Run, results: xr.DataTree) -> str:
    experiment, config = run.experiment, tables.config_of(results)
    page = experiment.page(results)
    evidence = evidence_charts(results)
    small = {spec.name: picture_of(spec, results) for spec in evidence}
    stored = results[VERDICTS].attrs if VERDICTS in results.children else {}
    drawable = [spec for spec in experiment.figures if not spec.missing(results)]
    pictures = [picture_of(spec, results) for spec in drawable]
    return render(
        "report.html",
        {
            "experiment": experiment,
            "attrs": results.attrs,
            "page": page,
            "headline": headline(experiment, page.subject, results),
            "traced": headline_variables(results),
            "skill": skill_section(results),
            "cards": cards(experiment, results),
            "evidence": small,
            "evidence_caption": evidence[0].caption if evidence else "",
            "alpha": stored.get("alpha"),
            "confidence": round(100 * float(stored["confidence"])) if stored else None,
            "drawn": {spec.name: spec.title for spec in drawable},
            "pictures": pictures,
            "scripts": scripts_of([*pictures, *small.values()]),
            "glyphs": glyphs_of(pictures),
            "left_out": [spec.title for spec in experiment.figures if spec not in drawable],
            "variables": tables.variable_rows(results, experiment.definitions),
            "provenance": tables.provenance_rows(results),
            "project": tables.project_of(results),
            "command": tables.command_line(run.source.reference, config, experiment.Config),
        },
    )
