"""Words of ``solve``, ``train``, ``models`` and ``card``.

What a command does is imported when it is called: torch and xarray take seconds, and a usage line
or an error needs neither.
"""

import argparse
from pathlib import Path
from typing import Any, get_args

from ired_interp.choices import (
    Answers,
    Difficulty,
    Negatives,
    Precision,
    SolverRule,
    TaskName,
    Weights,
)
from ired_interp.errors import ConfigError

__all__ = ["add"]


def add(commands: Any) -> None:
    """Register the commands."""
    parser = commands.add_parser("solve", help="answer problems by annealed inference")
    parser.set_defaults(command=_solve)
    parser.add_argument("--model", required=True, help="bundled name or path of a checkpoint")
    parser.add_argument("--task", help="to draw problems for a reference .pt, which names no task")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--problems", type=int, help="how many problems to draw")
    source.add_argument("--input", type=Path, help="x.npy with one question a row")
    parser.add_argument("--out", type=Path, required=True, help="new file, such as answers.h5")
    parser.add_argument("--seed", type=int, default=0, help="of problems and starts (default: 0)")
    parser.add_argument("--difficulty", choices=get_args(Difficulty), help="of drawn problems")
    parser.add_argument("--rule", choices=get_args(SolverRule), default="released")
    parser.add_argument("--weights", choices=get_args(Weights), help="for a reference .pt")
    parser.add_argument("--steps", type=int, default=5, help="inner steps a level (default: 5)")
    parser.add_argument(
        "--bound", type=float, help="the answer's clamp (default: that of the model's training)"
    )
    parser.add_argument("--dtype", choices=("float64", "float32"), default="float64")
    parser.add_argument("--device", default="cpu")
    parser = commands.add_parser("train", help="train an energy on a task")
    parser.set_defaults(command=_train)
    parser.add_argument("task", help=f"one of {', '.join(get_args(TaskName))}")
    parser.add_argument("--size", type=int, required=True, help="side of the matrix")
    parser.add_argument("--out", type=Path, help="new folder (default: runs/train-TASK-SIZE)")
    group = parser.add_argument_group("options of the task")
    group.add_argument("--rank", type=int, help="completion: inner rank")
    group.add_argument("--noise", type=float, help="completion: standard deviation of the noise")
    group.add_argument(
        "--scale", type=float, help="completion: standard deviation that an entry is to have"
    )
    group.add_argument("--condition", type=float, help="inverse: condition number of A")
    group.add_argument(
        "--spectrum",
        type=_numbers,
        metavar="VALUES",
        help="gaussian: the size² eigenvalues of Σ: 0.01,0.1,…",
    )
    group.add_argument("--map-seed", type=int, help="gaussian: seed of M and the eigenvectors")
    parser.add_argument("--difficulty", choices=get_args(Difficulty))
    parser.add_argument(
        "--answers",
        choices=get_args(Answers),
        help="shuffled: each problem has another one's answer, for a control",
    )
    for name, kind, text in (
        ("steps", int, "optimiser steps"),
        ("batch-size", int, "problems a step"),
        ("learning-rate", float, "of Adam; lower it if the energy explodes"),
        ("clip", float, "largest norm of the weights' gradient"),
        ("init-gain", float, "scale of the initial weights"),
        ("bound", float, "clamp of negatives and validation answers (default: 2)"),
        ("width", int, "units of a hidden layer"),
        ("seed", int, "of weights and batches"),
        ("validate-every", int, "steps between validations and saves"),
        ("validation-problems", int, "held-out problems"),
        ("device", str, "cpu, cuda, …"),
    ):
        parser.add_argument(f"--{name}", type=kind, help=text)
    parser.add_argument(
        "--negatives", choices=get_args(Negatives), help="wrong answers of the contrastive term"
    )
    parser.add_argument(
        "--keep", type=_steps, metavar="STEPS", help="keep checkpoints of these steps: 100,300,…"
    )
    parser.add_argument(
        "--precision", choices=get_args(Precision), help="of the steps' matrix products"
    )
    parser.add_argument(
        "--compile",
        action="store_const",
        const=True,
        help="fuse the steps with torch.compile: a minute at the start, then faster",
    )
    parser.add_argument("--threads", type=int, help="threads of torch (default: torch's own)")
    models = commands.add_parser("models", help="list the bundled models, or show one")
    models.set_defaults(command=_models)
    models.add_argument("name", nargs="?", help="a bundled name or a checkpoint: all of its card")
    card = commands.add_parser(
        "card", help="measure a model on held-out problems and keep that beside its file"
    )
    card.set_defaults(command=_card)
    card.add_argument("model", help="a bundled name or the path of a checkpoint")
    card.add_argument("--problems", type=int, default=5_000, help="held-out, of each difficulty")


def _steps(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigError(f"--keep: expected steps as 100,300, found {text!r}.") from error


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigError(f"--spectrum: expected numbers as 0.01,0.1, found {text!r}.") from error


def _solve(options: argparse.Namespace) -> int:
    from ired_interp.cli import solving

    return solving.solve(options)


def _train(options: argparse.Namespace) -> int:
    from ired_interp.cli import training

    return training.train(options)


def _models(options: argparse.Namespace) -> int:
    from ired_interp.cli import models

    return models.models(options)


def _card(options: argparse.Namespace) -> int:
    from ired_interp.cli import one_model

    return one_model.card(options)
