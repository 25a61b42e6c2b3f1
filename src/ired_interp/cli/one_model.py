"""``models NAME``: all that is known of a model. ``card``: measure one."""

import argparse
from pathlib import Path

from ired_interp.console import console, terminal
from ired_interp.errors import CheckpointError, ConfigError
from ired_interp.experiments.page import Listing
from ired_interp.models.checkpoint import check_task
from ired_interp.models.measurement import (
    Errors,
    Measurement,
    card_path,
    read_measurement,
)
from ired_interp.models.measuring import measure, write_measurement
from ired_interp.models.reproduction import check_training, train_command
from ired_interp.models.zoo import open_checkpoint
from ired_interp.report.printed import Printed

__all__ = ["card", "show"]

_LEAST = 2


def show(name: str) -> int:
    """Print the whole card of a model: a bundled name, or the path of a checkpoint."""
    checkpoint = open_checkpoint(name)
    out = terminal()
    card, found = checkpoint.card, read_measurement(checkpoint)
    if card is None:
        raise CheckpointError(
            f"{checkpoint.path}: expected a checkpoint of ired-interp, which has a card, found one "
            "of the reference, which has none."
        )
    command = train_command(card)
    training = check_training(card)
    origin = training["provenance"]
    options = " ".join(f"{k}={v}" for k, v in card.options.items())
    rows = {
        "task": f"{card.task}, size {card.size} {options}".rstrip(),
        "file": f"{checkpoint.path}, SHA-256 {checkpoint.sha256}",
        "network": f"width {card.width}, {card.weights} weights",
        "trained": f"{training['steps_done']} steps, seed {training['config'].get('seed')}",
        "commit": f"{origin.get('git_sha')}{' (changed)' if origin.get('git_dirty') else ''}",
        "again": command,
    }
    for label, value in rows.items():
        out.print(f"{label:8} {value}", soft_wrap=True)
    curve = Listing(
        heads=("step", "averaged weights", "online weights"),
        rows=[
            (str(entry["step"]), f"{entry['mse_ema']:.3g}", f"{entry['mse_online']:.3g}")
            for entry in training["curve"]
        ],
    )
    out.print(Printed(curve, "validation while training (mean squared error an entry)"))
    if found is None:
        out.print(f"not measured: ired-interp card {checkpoint.path}", soft_wrap=True)
        return 0
    for each in found.errors:
        out.print(_beside_rules(each))
    out.print(_curvature(found))
    return 0


def _beside_rules(errors: Errors) -> Printed:
    listing = Listing(
        heads=("rule", "its error", "skill of the model", "95 % interval"),
        rows=[
            (
                rule.name,
                f"{rule.mse:.3g} ± {rule.standard_error:.1g}",
                f"{rule.skill:.3f}",
                f"{rule.low:.3f} … {rule.high:.3f}",
            )
            for rule in errors.rules
        ],
        left=("rule",),
    )
    title = f"{errors.num_problems} held-out problems, {errors.difficulty} difficulty"
    return Printed(listing, f"{title}: error {errors.in_words}")


def _curvature(found: Measurement) -> Printed:
    ideal = ", ideally 1" if found.determined else ""
    listing = Listing(
        heads=("level", "mean", "eigenvalues below 0"),
        rows=[
            (
                str(each.level),
                f"{each.mean:.3f} ± {each.standard_error:.1g}",
                f"{100 * each.below_zero:.1f} %",
            )
            for each in found.landscape
        ],
    )
    title = f"mean σλ at typical points of {found.num_checked} problems{ideal}, by level"
    return Printed(listing, title)


def card(options: argparse.Namespace) -> int:
    """Measure, and keep it beside the file."""
    if options.problems < _LEAST:
        raise ConfigError(f"--problems: expected at least {_LEAST}, found {options.problems}.")
    checkpoint = open_checkpoint(options.model)
    if checkpoint.card is None:
        raise CheckpointError(
            f"{checkpoint.path}: expected a checkpoint of ired-interp, whose card names the task, "
            "found one of the reference."
        )
    task = check_task(checkpoint, None, {})
    check_training(checkpoint.card)
    found = measure(checkpoint, task, num_problems=options.problems)
    path = card_path(Path(checkpoint.path))
    write_measurement(path, found)
    same = found.on("same")
    console.print(
        f"{path}: error {same.in_words} on {same.num_problems} held-out problems; beats "
        f"{same.best_beaten or 'no rule'}.",
        soft_wrap=True,
    )
    return 0
