"""The models of the zoo: train what is missing, and write their table.

    python benchmarks/zoo.py --train FOLDER [--only NAME …] [--threads 1] [--compile]
    python benchmarks/zoo.py --bundle FOLDER NAME …
    python benchmarks/zoo.py --table

``--train`` goes through the recipes below in their order, each in a folder of its own; what is
finished is left alone, what was stopped is resumed, so that it can be killed and started again at
any time. ``--bundle`` copies finished models and their kept checkpoints into the package, without
the names of the machine and of its folders, and measures them as ``ired-interp card`` does.
``--table`` writes the table of docs/models.md, between its marks, from the cards of the bundled
models, beside the numbers of the paper.
"""

import argparse
import dataclasses
from collections.abc import Mapping
from pathlib import Path

import torch

import ired_interp
from ired_interp.models.checkpoint import check_task, read_checkpoint, write_checkpoint
from ired_interp.models.measuring import (
    Errors,
    card_path,
    measure,
    read_measurement,
    write_measurement,
)
from ired_interp.models.reproduction import train_command
from ired_interp.models.train_config import TrainConfig
from ired_interp.models.trainer import is_training_folder, resume_training, start_training
from ired_interp.models.zoo import list_models, open_checkpoint

PAGE = Path(__file__).parents[1] / "docs/models.md"
BEGIN, END = "<!-- table: python benchmarks/zoo.py --table -->", "<!-- end of table -->"

_SMALL = TrainConfig(task="inverse", size=4, width=128, learning_rate=1e-3, steps=8_000)
_KEPT = (10, 30, 100, 300, 1_000, 3_000)
RECIPES: Mapping[str, TrainConfig] = {
    "inverse-4-small-0": dataclasses.replace(_SMALL, keep=_KEPT),
    **{f"inverse-4-small-{seed}": dataclasses.replace(_SMALL, seed=seed) for seed in range(1, 6)},
    **{
        f"inverse-4-small-{name}": dataclasses.replace(_SMALL, negatives=name)
        for name in ("none", "random", "hard")
    },
    "addition-4-small": dataclasses.replace(_SMALL, task="addition", steps=5_000),
    # Entries of variance 1: at the released scale, 0.05, they drown in the noise of every level.
    "completion-3-rank-1": dataclasses.replace(
        _SMALL,
        task="completion",
        size=3,
        options={"rank": 1, "noise": 0.0, "scale": 1.0},
        bound=5.0,
        steps=12_000,
    ),
}

# Du, Mao & Tenenbaum (ICML 2024), table 1: 20 × 20, mean squared error, same and harder.
PAPER: Mapping[str, tuple[float, float]] = {
    "addition": (0.0002, 0.0020),
    "completion": (0.0174, 0.2054),
    "inverse": (0.0095, 0.2063),
}


def main() -> None:
    """Train, or write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--train", type=Path, metavar="FOLDER")
    parser.add_argument("--only", nargs="+", choices=tuple(RECIPES), default=list(RECIPES))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--bundle", nargs="+", metavar=("FOLDER", "NAME"))
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.train is not None:
        for name in options.only:
            recipe = dataclasses.replace(RECIPES[name], compile=options.compile)
            print(f"{name}: {train(recipe, options.train / name)}", flush=True)
    if options.bundle:
        for name in options.bundle[1:]:
            bundle(Path(options.bundle[0]) / name, name)
    if options.table:
        text = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(with_table(text), encoding="utf-8")


def train(recipe: TrainConfig, folder: Path) -> str:
    """Start or go on; the last validation in words."""
    done = resume_training(folder) if is_training_folder(folder) else start_training(recipe, folder)
    last = done.curve[-1]
    return f"step {done.step}, validation MSE {last['mse_ema']:.3g}"


def bundle(folder: Path, name: str) -> None:
    """Copy a finished training's models into the package; measure those that have no card."""
    target = Path(ired_interp.__file__).parent / "models/bundled"
    sources = {name: folder / "model.safetensors"}
    for path in sorted(folder.glob("step-*.safetensors")):
        sources[f"{name}-step-{int(path.stem.removeprefix('step-'))}"] = path
    for bundled, source in sources.items():
        checkpoint = read_checkpoint(source)
        card = checkpoint.card
        if card is None:
            raise SystemExit(f"{source}: expected a checkpoint with a card")
        origin = dict(card.training["provenance"]) | dict.fromkeys(("git_url", "host"))
        origin["command"] = train_command(card).split()
        card = dataclasses.replace(card, training=dict(card.training) | {"provenance": origin})
        write_checkpoint(target / f"{bundled}.safetensors", checkpoint.model.state_dict(), card)
    for bundled in sources:
        copied = read_checkpoint(target / f"{bundled}.safetensors")
        if card_path(copied.path).exists():
            read_measurement(copied)  # refuses one of another file
            continue
        if copied.card is not None:
            found = measure(copied, check_task(copied, None, {}))
            write_measurement(card_path(copied.path), found)
            print(f"{bundled}: {shown(found.on('same'))}", flush=True)


def with_table(page: str) -> str:
    """The page with the table of the bundled models in its place."""
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n{table()}{END}{after}"


def table() -> str:
    """The bundled models, a row each; those of one training's way follow it."""
    lines = [
        "| model | error | harder | strongest rule beaten | its error | skill over it | paper |",
        "|---|---|---|---|---|---|---|",
    ]
    commands = ["", "| model | command |", "|---|---|"]
    for name in list_models():
        checkpoint = open_checkpoint(name)
        found, card = read_measurement(checkpoint), checkpoint.card
        if found is None or card is None:
            continue
        same, harder = found.on("same"), found.on("harder")
        paper = " / ".join(f"{value:.4f}" for value in PAPER[card.task])
        cells = [f"`{name}`", shown(same), shown(harder), *beaten(same), paper]
        lines.append(f"| {' | '.join(cells)} |")
        commands.append(f"| `{name}` | `{train_command(card)}` |")
    return "\n".join([*lines, *commands]) + "\n"


def shown(errors: Errors) -> str:
    """Mean and standard error."""
    return f"{errors.mse:.3g} ± {errors.standard_error:.1g}"


def beaten(errors: Errors) -> list[str]:
    """The strongest rule of those beaten from the weakest on, its error, and the skill over it."""
    rule = next((one for one in errors.rules if one.name == errors.best_beaten), None)
    if rule is None:
        first = errors.rules[0]
        skill = f"{first.skill:.3f} [{first.low:.3f}, {first.high:.3f}] over {first.name}"
        return ["none", f"{first.mse:.3g}", skill]
    return [rule.name, f"{rule.mse:.3g}", f"{rule.skill:.3f} [{rule.low:.3f}, {rule.high:.3f}]"]


if __name__ == "__main__":
    main()
