"""``solve``: answers as a file."""

import argparse

from ired_interp.console import console, tracker
from ired_interp.errors import ConfigError
from ired_interp.runs.answers import DrawnProblems, SolverSettings, solve_to_file
from ired_interp.schedule import NUM_LEVELS

__all__ = ["solve"]


def solve(options: argparse.Namespace) -> int:
    """Answer, and keep the answers."""
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
