"""How well trivial rules invert, beside a model: is there anything to interpret?

    python benchmarks/trivial_rules.py [--model inverse-4] [--difficulty same]

A rule of degree p answers A⁻¹ ≈ c₀·I + c₁·A + … + c_p·A^p with coefficients fitted by least squares
on 20,000 problems of the same generator. Rules and model then answer the same problems: those that
the model was validated on while it trained, and 5,000 fresh ones. Errors are mean squared errors an
entry with their standard error over problems; the model solves with the rule ``released`` in
float64.
"""

import argparse

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

import ired_interp as ii
from ired_interp.models.trainer import VALIDATION_SEED
from ired_interp.models.zoo import open_checkpoint
from ired_interp.tasks import Difficulty, Problems, Task

DEGREES = (0, 1, 3, 5, 7)
NUM_FITTED, NUM_FRESH = 20_000, 5_000
FITTING_SEED, FRESH_SEED = 1_001, 1_002
# Eigenvalues of A reach about 10 at size 4; the powers of A/10 keep the least squares well-posed.
SCALE = 10.0


def powers(problems: Problems, size: int, degree: int) -> Tensor:
    """(A/SCALE)^p for p = 0 … degree, [n, size², degree + 1]."""
    a = problems.x.reshape(-1, size, size) / SCALE
    columns = [torch.eye(size, dtype=a.dtype).expand_as(a)]
    for _ in range(degree):
        columns.append(columns[-1] @ a)
    return torch.stack([c.flatten(1) for c in columns], dim=-1)


def rule_errors(task: Task, fitted: Problems, asked: Problems, degree: int) -> Tensor:
    """Squared error an entry of each problem for the polynomial of one degree."""
    design = powers(fitted, task.size, degree).flatten(0, 1)
    coefficients = torch.linalg.lstsq(design, fitted.y.flatten()[:, None]).solution
    answers = (powers(asked, task.size, degree) @ coefficients)[..., 0]
    errors: Tensor = (answers - asked.y).square().mean(dim=1)
    return errors


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="inverse-4")
    parser.add_argument("--difficulty", default="same", choices=("same", "harder"))
    options = parser.parse_args()
    card = open_checkpoint(options.model).card
    if card is None or card.task != "inverse":
        parser.error("expected a model of the inverse task with a card")
    task, model = card.make_task(), ii.load_model(options.model)
    difficulty: Difficulty = options.difficulty
    fitted = task.sample(NUM_FITTED, seed=FITTING_SEED, difficulty="same")
    held_out = task.sample(
        int(card.validation["num_problems"]), seed=VALIDATION_SEED, difficulty=difficulty
    )
    fresh = task.sample(NUM_FRESH, seed=FRESH_SEED, difficulty=difficulty)
    table = Table(title=f"mean squared error an entry, {difficulty} difficulty, size {task.size}")
    table.add_column("rule")
    table.add_column(f"{held_out.x.shape[0]} validation problems", justify="right")
    table.add_column(f"{NUM_FRESH} fresh problems", justify="right")
    for degree in DEGREES:
        cells = [show(rule_errors(task, fitted, asked, degree)) for asked in (held_out, fresh)]
        table.add_row(f"polynomial of degree {degree}", *cells)
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
