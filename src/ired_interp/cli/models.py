"""``models``: what is bundled."""

import argparse
from typing import Any

from rich.console import Console
from rich.table import Table

from ired_interp.models.zoo import list_models, open_checkpoint

__all__ = ["add"]


def add(commands: Any) -> None:
    """Register the command."""
    models = commands.add_parser("models", help="list the bundled models")
    models.set_defaults(command=_models)


def _models(options: argparse.Namespace) -> int:  # noqa: ARG001 - every command takes them
    table = Table(title="bundled models")
    for column in ("name", "task", "size", "width", "steps", "weights", "validation MSE"):
        table.add_column(column)
    for name in list_models():
        card = open_checkpoint(name).card
        if card is not None:
            table.add_row(
                name,
                card.task,
                str(card.size),
                str(card.width),
                str(card.training["steps_done"]),
                card.weights,
                f"{card.validation['mse']:.3g}",
            )
    Console(highlight=False).print(table)
    return 0
