"""The first line of a report: what was asked of which model, its skill, and the verdicts."""

from collections.abc import Sequence

import xarray as xr

from ired_interp.experiments import Experiment
from ired_interp.experiments.hypothesis import Outcome
from ired_interp.experiments.skill_words import SKILL_VARIABLES, skill_clause, skill_group
from ired_interp.experiments.verdict_data import VERDICTS, StoredVerdict, judged, read_verdicts

__all__ = ["headline", "headline_variables", "verdict_sentence"]

_OUTCOMES: Sequence[Outcome] = ("supported", "refuted", "inconclusive")


def headline(experiment: Experiment, subject: str, results: xr.DataTree) -> str:
    """What was asked, of which model, its skill, and the verdicts, in a few sentences.

    Args:
        experiment: Which was run.
        subject: The model's name; empty if there is none.
        results: Of the run.
    """
    question = f"{experiment.title[:1].lower()}{experiment.title[1:]}"
    sentences = [f"Asked of {subject}: {question}." if subject else f"Asked: {question}."]
    if subject or skill_group(results) is not None:
        clause = skill_clause(results)
        sentences.append(f"{clause[:1].upper()}{clause[1:]}.")
    sentences.append(verdict_sentence(experiment, results))
    return " ".join(sentences)


def headline_variables(results: xr.DataTree) -> list[str]:
    """Paths of the variables that the first line's numbers come from."""
    skill = [] if skill_group(results) is None else SKILL_VARIABLES
    return [
        *skill,
        *([f"{VERDICTS}/outcome", f"{VERDICTS}/role"] if read_verdicts(results) else []),
    ]


def verdict_sentence(experiment: Experiment, results: xr.DataTree) -> str:
    """How many of the tested hypotheses came out how, by name, and which were only shown."""
    stored = read_verdicts(results)
    plain = len(experiment.hypotheses) - len(judged(experiment.hypotheses))
    if stored:
        said = _counted(stored)
    elif len(experiment.hypotheses) > plain:
        said = "These results were written without verdicts"
    elif plain:
        return f"Of {_hypotheses(plain)} none has a verdict: {_are(plain)} a sentence alone."
    else:
        return "It tests no hypothesis."
    more = f"; {plain} more {_are(plain)} a sentence alone, without a verdict" if plain else ""
    return f"{said}{more}."


def _counted(stored: Sequence[StoredVerdict]) -> str:
    tested = [one.verdict for one in stored if one.role != "exploratory"]
    parts = []
    for outcome in _OUTCOMES:
        ids = [verdict.id for verdict in tested if verdict.outcome == outcome]
        if ids:
            parts.append(f"{len(ids)} {_are(len(ids))} {outcome} ({', '.join(ids)})")
    said = f"Of {_hypotheses(len(tested))} {', '.join(parts)}" if tested else "None was tested"
    shown = [one.verdict.id for one in stored if one.role == "exploratory"]
    if not shown:
        return said
    return f"{said}; {len(shown)} more {_are(len(shown))} shown, not tested ({', '.join(shown)})"


def _hypotheses(count: int) -> str:
    return f"{count} hypothes{'i' if count == 1 else 'e'}s"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
