"""A card a hypothesis: what it says, how it came out, and where each number stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import xarray as xr

from ired_interp.digits import number, with_interval
from ired_interp.experiments import Experiment
from ired_interp.experiments.verdict_data import VERDICTS, StoredVerdict, read_verdicts
from ired_interp.report.glances import Glance, glance_of
from ired_interp.stats import Interval

__all__ = ["NOT_TESTED", "NO_VERDICT", "SYMBOLS", "Card", "Fact", "cards", "shown_outcome"]

NO_VERDICT = "no verdict"
NOT_TESTED = "shown, not tested"
"""Of an exploratory hypothesis, which is not among those that are counted."""
# Told apart by word and shape; colour comes on top.
SYMBOLS: Mapping[str, str] = {
    "supported": "▲",
    "refuted": "▼",
    "inconclusive": "◆",
    NOT_TESTED: "○",
    NO_VERDICT: "–",
}
_SMALLEST_P = 1e-4


@dataclass(frozen=True)
class Fact:
    """A number on a card.

    Attributes:
        term: What it is.
        value: With as many digits as its interval allows.
        interval: Empty if there is none.
        path: Of its variable in ``results.h5``.
    """

    term: str
    value: str
    interval: str
    path: str


@dataclass(frozen=True)
class Card:
    """What the page says of a hypothesis.

    Attributes:
        anchor: Of the card.
        id: Of the hypothesis; empty for a plain sentence.
        outcome: Or ``shown, not tested``, or ``no verdict``.
        kind: The outcome as a class of the style sheet.
        symbol: Its shape.
        statement: What is claimed.
        reason: Of the outcome, a sentence.
        words: What would support and refute it, the control, the source.
        facts: The numbers.
        strip: Its effect at a glance; None where nothing was measured.
        evidence: Name of the figure of its effects; empty where nothing was measured.
        figure: Name of the experiment's figure that shows it; empty without one.
        code: How to read the numbers.
    """

    anchor: str
    id: str
    outcome: str
    kind: str
    symbol: str
    statement: str
    reason: str
    words: Sequence[tuple[str, str]] = ()
    facts: Sequence[Fact] = ()
    strip: Glance | None = None
    evidence: str = ""
    figure: str = ""
    code: str = ""


def cards(experiment: Experiment, results: xr.DataTree) -> list[Card]:
    """The cards of the verdicts that the results hold, then of the plain sentences."""
    found = [_of_verdict(one) for one in read_verdicts(results)]
    sentences = [one for one in experiment.hypotheses if isinstance(one, str)]
    return found + [_of_sentence(text, i) for i, text in enumerate(sentences, start=1)]


def shown_outcome(one: StoredVerdict) -> str:
    """Supported, refuted or inconclusive; an exploratory hypothesis is none of them."""
    return NOT_TESTED if one.role == "exploratory" else one.verdict.outcome


def _of_sentence(text: str, place: int) -> Card:
    return Card(
        anchor=f"sentence-{place}",
        id="",
        outcome=NO_VERDICT,
        kind="none",
        symbol=SYMBOLS[NO_VERDICT],
        statement=text,
        reason="It is a sentence alone: without a statistic and a control there is no verdict.",
    )


def _of_verdict(one: StoredVerdict) -> Card:
    verdict, outcome = one.verdict, shown_outcome(one)
    return Card(
        anchor=f"hypothesis-{verdict.id}",
        id=verdict.id,
        outcome=outcome,
        kind="none" if outcome == NOT_TESTED else outcome,
        symbol=SYMBOLS[outcome],
        statement=one.statement,
        reason=verdict.reason,
        words=[
            ("Would support it", one.supports),
            ("Would refute it", one.refutes),
            ("Control", one.control_is),
            ("Source", one.source),
        ],
        facts=_facts(one),
        strip=glance_of(one),
        evidence=f"evidence-{verdict.id}" if verdict.num_problems else "",
        figure=one.figure,
        code=f'ii.open_run("RUN").tree["{VERDICTS}"].to_dataset().sel(hypothesis="{verdict.id}")',
    )


def _facts(one: StoredVerdict) -> list[Fact]:
    verdict, unit = one.verdict, "" if one.unit in ("", "1") else f" {one.unit}"
    if not verdict.num_problems:
        return [Fact("problems", "0", "", f"{VERDICTS}/num_problems")]

    def fact(term: str, interval: Interval | None, name: str) -> Fact:
        if interval is None:
            return Fact(term, "not measured", "", f"{VERDICTS}/{name}")
        value, ends = with_interval(interval.mean, interval.low, interval.high)
        return Fact(term, f"{value}{unit}", ends, f"{VERDICTS}/{name}")

    return [
        fact("effect", verdict.estimate, "estimate"),
        Fact("null", f"{number(verdict.null)}{unit}", "", f"{VERDICTS}/null"),
        fact("control", verdict.control, "control"),
        fact("effect − control", verdict.contrast, "contrast"),
        Fact("Hedges' g", number(verdict.hedges_g, 2), "", f"{VERDICTS}/hedges_g"),
        Fact("p for", _p(verdict.p_for), "", f"{VERDICTS}/p_for"),
        Fact("p against", _p(verdict.p_against), "", f"{VERDICTS}/p_against"),
        Fact("p, adjusted", _adjusted(one), "", f"{VERDICTS}/adjusted_p"),
        Fact("problems", str(verdict.num_problems), "", f"{VERDICTS}/num_problems"),
        Fact("models", str(verdict.num_models), "", f"{VERDICTS}/num_models"),
    ]


def _adjusted(one: StoredVerdict) -> str:
    return "not tested" if one.role == "exploratory" else _p(one.verdict.adjusted_p)


def _p(value: float) -> str:
    return f"< {number(_SMALLEST_P)}" if value < _SMALLEST_P else number(value, 2)
