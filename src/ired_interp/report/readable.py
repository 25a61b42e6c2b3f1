"""Results that a report can be made of, or a refusal: what was found, and what is needed."""

from collections.abc import Iterator
from contextlib import contextmanager

import xarray as xr

from ired_interp.errors import RunFolderError
from ired_interp.experiments.base import missing_variables
from ired_interp.experiments.skill import SKILL
from ired_interp.experiments.skill_words import skill_group
from ired_interp.experiments.verdict_data import VERDICTS
from ired_interp.provenance import package_sha256
from ired_interp.runs.run import Run

__all__ = ["read", "readable"]

_ATTRIBUTES = ("config", "package_version", "git_sha", "git_dirty", "threads")
_OF_SKILL = (
    "mean_model_error",
    "best_error",
    "mean_rule_error",
    "skill",
    "rungs_beaten",
    "has_skill",
    "digits",
    "minima_found",
)
_OF_VERDICTS = (
    "outcome",
    "reason",
    "statement",
    "direction",
    "supports",
    "refutes",
    "control_is",
    "source",
    "figure",
    "unit",
    "note",
    "estimate",
    "control",
    "contrast",
    "null",
    "p_for",
    "p_against",
    "adjusted_p",
    "num_problems",
    "num_models",
    "effect",
    "effect_control",
)
# What is made of the shards when the results are joined; the rest is in them, or nowhere.
_MADE = ("summary/", f"{VERDICTS}/", "attribute ")


@contextmanager
def read(run: Run) -> Iterator[xr.DataTree]:
    """The results as `readable` has them, while something is made of them.

    Raises:
        RunFolderError: As `readable`; or something is not there that another version of this
            package, which wrote them, did not write.
    """
    results = readable(run)
    try:
        yield results
    except KeyError as error:
        if results.attrs.get("package_sha256") == package_sha256():
            raise  # a fault of the experiment, not of old results
        raise RunFolderError(
            f"{run.results_path}: expected results of this version of {run.experiment.name}, found "
            f"some {_written_by(results)}, without what it needs ({_first_line(error)}). If the "
            f"shards hold it, delete the file and run 'ired-interp resume {run.path}'; else start "
            "a new run, or use that version."
        ) from error


def readable(run: Run) -> xr.DataTree:
    """The results of a finished run, with everything that every report says.

    Raises:
        RunFolderError: The run is not finished, its results are damaged, of another experiment, or
            of a version that lacks what this one needs.
    """
    results, experiment = run.tree, run.experiment
    of = results.attrs.get("experiment", experiment.name)
    if of != experiment.name:
        raise RunFolderError(
            f"{run.results_path}: expected results of {experiment.name}, as run.json says, found "
            f"those of {of}. Put the run's own file back, or delete it and run 'ired-interp resume "
            f"{run.path}'."
        )
    needed = list(experiment.needs)
    if skill_group(results) is not None:
        needed += [f"summary/{SKILL}/{name}" for name in _OF_SKILL]
    if VERDICTS in results.children:
        needed += [f"{VERDICTS}/{name}" for name in _OF_VERDICTS]
    missing = [f"attribute {name}" for name in _ATTRIBUTES if name not in results.attrs]
    missing += missing_variables(results, needed)
    if not missing:
        return results
    remedy = (
        f"Delete the file and run 'ired-interp resume {run.path}': it is made again from the "
        "shards."
        if all(name.startswith(_MADE) for name in missing)
        else "The run did not measure that: start a new one with this version."
    )
    raise RunFolderError(
        f"{run.results_path}: expected results of this version of {experiment.name}, found "
        f"none of {', '.join(missing)}; they were {_written_by(results)}. {remedy}"
    )


def _written_by(results: xr.DataTree) -> str:
    version, commit = (str(results.attrs.get(n, "null")) for n in ("package_version", "git_sha"))
    at = "" if commit == "null" else f" at commit {commit[:12]}"
    return f"written by ired-interp {'of an unknown version' if version == 'null' else version}{at}"


def _first_line(error: KeyError) -> str:
    return str(error.args[0] if error.args else error).partition("\n")[0].partition(". ")[0]
