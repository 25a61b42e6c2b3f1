"""How well trivial rules answer, beside a model: is there anything to interpret?

    python benchmarks/trivial_rules.py [--model inverse-4] [--difficulty same]
    python benchmarks/trivial_rules.py --task completion --size 20 [--difficulty harder]

The rules are those of `ired_interp.rules.ladder`, fitted on a training draw of the same generator.
With ``--model``, rules and model answer the same problems: those that the model was validated on
while it trained, and 5,000 fresh ones; the model solves with the rule ``released`` in float64.
With ``--task`` there is no model: the rules answer 5,000 fresh problems, and the least error that
any answer could have (`ired_interp.rules.best_error`) stands below them. Errors are mean squared
errors an entry with their standard error over problems.
"""

import argparse

from rich.console import Console
from rich.table import Table
from torch import Tensor

import ired_interp as ii
from ired_interp.models.checkpoint import task_of
from ired_interp.models.trainer import VALIDATION_SEED
from ired_interp.models.zoo import open_checkpoint
from ired_interp.rules import best_error, ladder
from ired_interp.tasks import Difficulty

NUM_FRESH = 5_000
FRESH_SEED = 1_002


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    subject = parser.add_mutually_exclusive_group()
    subject.add_argument("--model", default="inverse-4")
    subject.add_argument("--task", choices=("addition", "completion", "inverse"))
    parser.add_argument("--size", type=int, default=20, help="of the task's matrices")
    parser.add_argument("--difficulty", default="same", choices=("same", "harder"))
    options = parser.parse_args()
    if options.task is None:
        table = beside_a_model(options.model, options.difficulty)
    else:
        table = without_a_model(ii.task(options.task, options.size), options.difficulty)
    Console().print(table)


def beside_a_model(name: str, difficulty: Difficulty) -> Table:
    """The rules of a model's task, and the model, on two draws of problems."""
    card = open_checkpoint(name).card
    if card is None:
        raise SystemExit(f"{name}: expected a model with a card, which names its task")
    task, model = task_of(card), ii.load_model(name)
    held_out = task.sample(
        int(card.validation["num_problems"]), seed=VALIDATION_SEED, difficulty=difficulty
    )
    fresh = task.sample(NUM_FRESH, seed=FRESH_SEED, difficulty=difficulty)
    table = start(task, difficulty)
    table.add_column(f"{held_out.x.shape[0]} validation problems", justify="right")
    table.add_column(f"{NUM_FRESH} fresh problems", justify="right")
    for rule in ladder(task):
        table.add_row(rule.name, *(show(rule.errors(asked)) for asked in (held_out, fresh)))
    cells = []
    for asked, seed in ((held_out, VALIDATION_SEED), (fresh, FRESH_SEED)):
        answer = ii.solve(model, asked.x, seed=seed)
        cells.append(show((answer.y - asked.y).square().mean(dim=1)))
    table.add_row(f"{name} ({card.weights} weights)", *cells, style="bold")
    return table


def without_a_model(task: ii.tasks.Task, difficulty: Difficulty) -> Table:
    """The rules of a task on fresh problems, and the least error that there can be."""
    fresh = task.sample(NUM_FRESH, seed=FRESH_SEED, difficulty=difficulty)
    table = start(task, difficulty)
    table.add_column(f"{NUM_FRESH} fresh problems", justify="right")
    for rule in ladder(task):
        table.add_row(rule.name, show(rule.errors(fresh)))
    best = best_error(task, difficulty=difficulty)
    bounds = f"{best.low:.3g} … {best.high:.3g} ± {best.standard_error:.1g}"
    table.add_row("best possible", bounds, style="bold")
    return table


def start(task: ii.tasks.Task, difficulty: Difficulty) -> Table:
    """An empty table with its title."""
    title = f"mean squared error an entry, {task.name}, {difficulty} difficulty, size {task.size}"
    table = Table(title=title)
    table.add_column("rule")
    return table


def show(errors: Tensor) -> str:
    """Mean ± standard error over problems."""
    return f"{errors.mean():.3g} ± {errors.std() / errors.shape[0] ** 0.5:.1g}"


if __name__ == "__main__":
    main()
