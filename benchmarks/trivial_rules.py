"""How well trivial rules answer, beside a model: is there anything to interpret?

    python benchmarks/trivial_rules.py [--model inverse-4] [--difficulty same]

The rules are those of `ired_interp.rules.ladder`, fitted on a training draw of the same generator.
Rules and model then answer the same problems: those that the model was validated on while it
trained, and 5,000 fresh ones. Errors are mean squared errors an
entry with their standard error over problems; the model solves with the rule ``released`` in
float64.
"""

import argparse

from rich.console import Console
from rich.table import Table
from torch import Tensor

import ired_interp as ii
from ired_interp.models.trainer import VALIDATION_SEED
from ired_interp.models.zoo import open_checkpoint
from ired_interp.rules import ladder
from ired_interp.tasks import Difficulty

NUM_FRESH = 5_000
FRESH_SEED = 1_002


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="inverse-4")
    parser.add_argument("--difficulty", default="same", choices=("same", "harder"))
    options = parser.parse_args()
    card = open_checkpoint(options.model).card
    if card is None:
        parser.error("expected a model with a card, which names its task")
    task, model = card.make_task(), ii.load_model(options.model)
    difficulty: Difficulty = options.difficulty
    held_out = task.sample(
        int(card.validation["num_problems"]), seed=VALIDATION_SEED, difficulty=difficulty
    )
    fresh = task.sample(NUM_FRESH, seed=FRESH_SEED, difficulty=difficulty)
    table = Table(title=f"mean squared error an entry, {difficulty} difficulty, size {task.size}")
    table.add_column("rule")
    table.add_column(f"{held_out.x.shape[0]} validation problems", justify="right")
    table.add_column(f"{NUM_FRESH} fresh problems", justify="right")
    for rule in ladder(task):
        table.add_row(rule.name, *(show(rule.errors(asked)) for asked in (held_out, fresh)))
    cells = []
    for asked, seed in ((held_out, VALIDATION_SEED), (fresh, FRESH_SEED)):
        answer = ii.solve(model, asked.x, seed=seed)
        cells.append(show((answer.y - asked.y).square().mean(dim=1)))
    table.add_row(f"{options.model} ({card.weights} weights)", *cells, style="bold")
    Console().print(table)


def show(errors: Tensor) -> str:
    """Mean ± standard error over problems."""
    return f"{errors.mean():.3g} ± {errors.std() / errors.shape[0] ** 0.5:.1g}"


if __name__ == "__main__":
    main()
