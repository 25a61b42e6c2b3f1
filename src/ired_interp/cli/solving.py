"""``solve``: answers as a file."""

import argparse
from pathlib import Path
from typing import Any, get_args

from ired_interp.console import console, tracker
from ired_interp.errors import ConfigError
from ired_interp.models.checkpoint import Weights
from ired_interp.runs.answers import DrawnProblems, SolverSettings, solve_to_file
from ired_interp.schedule import NUM_LEVELS
from ired_interp.solve import Rule
from ired_interp.tasks import Difficulty

__all__ = ["add"]


def add(commands: Any) -> None:
    """Register the command."""
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
    parser.add_argument("--rule", choices=get_args(Rule), default="released")
    parser.add_argument("--weights", choices=get_args(Weights), help="for a reference .pt")
    parser.add_argument("--steps", type=int, default=5, help="inner steps a level (default: 5)")
    parser.add_argument(
        "--bound", type=float, help="the answer's clamp (default: that of the model's training)"
    )
    parser.add_argument("--dtype", choices=("float64", "float32"), default="float64")
    parser.add_argument("--device", default="cpu")


def _solve(options: argparse.Namespace) -> int:
    if options.input is not None and options.difficulty is not None:
        raise ConfigError("--difficulty is for drawn problems: give it with --problems.")
    source = options.input or DrawnProblems(options.problems, options.difficulty or "same")
    settings = SolverSettings(
        seed=options.seed,
        rule=options.rule,
        num_steps=options.steps,
        bound=options.bound,
        dtype=options.dtype,
        device=options.device,
    )
    data = solve_to_file(
        options.model,
        source,
        options.out,
        settings,
        task=options.task,
        weights=options.weights,
        track=tracker("levels", NUM_LEVELS),
    )
    error = ""
    if "squared_error" in data:
        errors = data["squared_error"]
        error = f", MSE {float(errors.mean()):.3g}"
        if errors.size > 1:
            standard_error = float(errors.std(ddof=1)) / errors.size**0.5
            error += f" ± {standard_error:.1g} (standard error)"
    console.print(f"{data.sizes['problem']} answers in {options.out}{error}", soft_wrap=True)
    return 0
