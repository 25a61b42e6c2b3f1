"""``models``: what is bundled, as the heads of the files and the measurements beside them tell."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from ired_interp.console import terminal
from ired_interp.experiments.page import Listing
from ired_interp.models.card import bundled_file, list_models, read_card
from ired_interp.models.measurement import read_measurement
from ired_interp.report.printed import Printed
from ired_interp.storage import sha256_of

__all__ = ["models"]


@dataclass(frozen=True)
class _File:
    """A model's file, whose weights are not read."""

    path: Path
    sha256: str


def models(options: argparse.Namespace) -> int:
    """List the bundled models, or show one."""
    if options.name is not None:
        from ired_interp.cli import one_model  # torch: its weights are checked

        return one_model.show(options.name)
    rows = []
    for name in list_models():
        path = bundled_file(name)
        card, found = read_card(path), read_measurement(_File(path, sha256_of(path)))
        measured = ("not measured", "", "")
        if found is not None:
            same, harder = found.on("same"), found.on("harder")
            measured = (same.in_words, harder.in_words, same.best_beaten or "no rule")
        steps = str(card.training["steps_done"])
        rows.append((name, card.task, str(card.size), str(card.width), steps, *measured))
    heads = ("name", "task", "size", "width", "steps", "error", "harder", "beats")
    listing = Listing(heads=heads, rows=rows, left=("name", "task", "beats"))
    terminal().print(Printed(listing, "bundled models"))
    return 0
