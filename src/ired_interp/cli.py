"""The command line: parses, calls, prints."""

import argparse
import dataclasses
import inspect
import re
import sys
import webbrowser
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn, get_args

import torch
from rich.console import Console
from rich.table import Table

from ired_interp import api
from ired_interp.console import console, no_lost_interrupt, stop_on_interrupt, tracker
from ired_interp.errors import ConfigError, IredInterpError, RunFolderError
from ired_interp.experiments import Experiment, experiment_names, find_experiment
from ired_interp.experiments.config import config_from_words
from ired_interp.models.checkpoint import Weights
from ired_interp.models.train_config import TrainConfig, TrainReport
from ired_interp.models.trainer import (
    is_training_folder,
    resume_training,
    set_steps,
    start_training,
    training_progress,
)
from ired_interp.models.zoo import list_models, open_checkpoint
from ired_interp.report.figures import save_figures
from ired_interp.report.html import write_report
from ired_interp.report.terminal import results_table
from ired_interp.runs.answers import DrawnProblems, SolverSettings, solve_to_file
from ired_interp.runs.run import Run, is_run_folder, open_run, plan_run
from ired_interp.schedule import NUM_LEVELS
from ired_interp.solve import Rule
from ired_interp.tasks import Difficulty, task_names

__all__ = ["main"]

_FAILED, _INTERRUPTED = 1, 130
_TASK_OPTIONS = ("rank", "noise", "condition")


class _Parser(argparse.ArgumentParser):
    """argparse, with errors of our own kind so that one place prints them."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message}. See '{self.prog} --help'.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0 only if it did what was asked."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        options = _parser(_named_experiment(words)).parse_args(words)
        command: Callable[[argparse.Namespace], int] = options.command
        return command(options)
    except IredInterpError as error:
        console.print("error:", style="bold red", end=" ")
        console.print(str(error), markup=False, soft_wrap=True)
        return _FAILED
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        console.print("error:", style="bold red", end=" ")
        console.print(
            "out of memory: ask for fewer problems at a time (--unit-problems, --problems, "
            "--batch-size) or a smaller size.",
            soft_wrap=True,
        )
        return _FAILED
    except KeyboardInterrupt:
        console.print("interrupted", style="bold red")
        return _INTERRUPTED


def _is_out_of_memory(error: Exception) -> bool:
    """On the CPU torch says so in words only."""
    words = "can't allocate memory"
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or words in str(error)


def _named_experiment(words: Sequence[str]) -> Experiment | None:
    """The experiment of a ``run``, whose config fields become the command's options."""
    if words[:1] != ["run"]:
        return None
    known = [word for word in words[1:] if word in experiment_names()]
    first = [word for word in words[1:2] if not word.startswith("-")]
    if words[1:] and not first and not known and not {"-h", "--help"} & set(words):
        raise ConfigError(
            f"run: expected an experiment ({', '.join(experiment_names())}), as in "
            "'ired-interp run exp001 --model inverse-4', found options alone."
        )
    return find_experiment((first or known)[0]) if first or known else None


def _parser(experiment: Experiment | None) -> argparse.ArgumentParser:
    parser = _Parser(
        prog="ired-interp",
        description="Measure the energy landscapes that reasoning models descend.",
    )
    parser.add_argument("--version", action="version", version=version("ired-interp"))
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)
    _add_run(commands, experiment)
    for name, command, text in (
        ("resume", _resume, "finish a run or a training that was stopped"),
        ("report", _report, "write the report of a finished run again"),
    ):
        folder = commands.add_parser(name, help=text)
        folder.set_defaults(command=command)
        folder.add_argument("folder", type=Path, help="run folder")
        if name == "resume":
            folder.add_argument("--steps", type=int, help="for a training: go to this many steps")
        else:
            folder.add_argument("--figures", type=Path, help="also write SVG and PDF files there")
    _add_solve(commands)
    _add_train(commands)
    models = commands.add_parser("models", help="list the bundled models")
    models.set_defaults(command=_models)
    return parser


def _add_run(commands: Any, experiment: Experiment | None) -> None:
    parser = commands.add_parser(
        "run",
        help="run an experiment on a model",
        epilog="'ired-interp run exp001 --help' lists what exp001 can be told.",
    )
    parser.set_defaults(command=_run)
    parser.add_argument("experiment", help=f"one of {', '.join(experiment_names())}")
    parser.add_argument("--out", type=Path, help="new run folder (default: runs/EXPERIMENT-MODEL)")
    parser.add_argument(
        "--open", action="store_true", help="on a terminal, show the report in a browser"
    )
    if experiment is None:
        return
    described = dict(re.findall(r"^\s+(\w+): (.+)$", inspect.getdoc(experiment.Config) or "", re.M))
    group = parser.add_argument_group(f"what {experiment.name} measures")
    for field in dataclasses.fields(experiment.Config):
        if field.metadata.get("planned"):
            continue
        default = ",".join(map(str, v)) if isinstance(v := field.default, tuple) else v
        text = described.get(field.name, "").replace("%", "%%")
        group.add_argument(
            f"--{field.name.replace('_', '-')}",
            metavar="VALUE",
            dest=f"config_{field.name}",
            help=f"{text} (default: {default})",
        )


def _add_solve(commands: Any) -> None:
    parser = commands.add_parser("solve", help="answer problems by annealed inference")
    parser.set_defaults(command=_solve)
    parser.add_argument("--model", required=True, help="bundled name or path of a checkpoint")
    parser.add_argument("--task", help="needed for a reference .pt, which does not name its task")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--problems", type=int, help="how many problems to draw")
    source.add_argument("--input", type=Path, help="x.npy with one question a row")
    parser.add_argument("--out", type=Path, required=True, help="new file, such as answers.h5")
    parser.add_argument("--seed", type=int, default=0, help="of problems and starts (default: 0)")
    parser.add_argument("--difficulty", choices=get_args(Difficulty), help="of drawn problems")
    parser.add_argument("--rule", choices=get_args(Rule), default="released")
    parser.add_argument("--weights", choices=get_args(Weights), help="for a reference .pt")
    parser.add_argument("--steps", type=int, default=5, help="inner steps a level (default: 5)")
    parser.add_argument("--bound", type=float, default=2.0, help="the answer's clamp (default: 2)")
    parser.add_argument("--dtype", choices=("float64", "float32"), default="float64")
    parser.add_argument("--device", default="cpu")


def _add_train(commands: Any) -> None:
    parser = commands.add_parser("train", help="train an energy on a task")
    parser.set_defaults(command=_train)
    parser.add_argument("task", help=f"one of {', '.join(task_names())}")
    parser.add_argument("--size", type=int, required=True, help="side of the matrix")
    parser.add_argument("--out", type=Path, help="new folder (default: runs/train-TASK-SIZE)")
    group = parser.add_argument_group("options of the task")
    group.add_argument("--rank", type=int, help="completion: inner rank")
    group.add_argument("--noise", type=float, help="completion: standard deviation of the noise")
    group.add_argument("--condition", type=float, help="inverse: condition number of A")
    parser.add_argument("--difficulty", choices=get_args(Difficulty))
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
    parser.add_argument("--threads", type=int, help="threads of torch (default: torch's own)")


def _run(options: argparse.Namespace) -> int:
    experiment = find_experiment(options.experiment)
    prefix = "config_"
    words = {
        name.removeprefix(prefix): value
        for name, value in vars(options).items()
        if name.startswith(prefix) and value is not None
    }
    config = config_from_words(experiment.Config, words)
    out = options.out or Path("runs") / f"{experiment.name}-{Path(config.model).stem}"
    return _finish(plan_run(experiment, config, out), show=options.open)


def _resume(options: argparse.Namespace) -> int:
    if is_training_folder(options.folder):
        return _resume_training(options.folder, options.steps)
    if options.steps is not None:
        raise ConfigError(f"--steps: {options.folder} is no training folder.")
    if not is_run_folder(options.folder):
        raise RunFolderError(
            f"{options.folder}: expected a run folder (with run.json) or a training folder (with "
            "train.json), found neither."
        )
    run = open_run(options.folder)
    if run.finished and run.report_path.is_file():
        console.print(f"{run.path} is finished: {run.report_path}", soft_wrap=True)
        return 0
    return _finish(run, show=False)


def _finish(run: Run, *, show: bool) -> int:
    left = len(run.missing_units())
    track = tracker("units", run.num_units, done=run.num_units - left)
    try:
        with no_lost_interrupt(track) as safe:
            api.finish(run, track=safe)
    except KeyboardInterrupt:
        done = run.num_units - len(run.missing_units())
        if run.finished:
            console.print(
                f"stopped: {run.results_path} is complete; 'ired-interp resume {run.path}' writes "
                "the report.",
                soft_wrap=True,
            )
            return _INTERRUPTED
        console.print(
            f"stopped: {done} of {run.num_units} units are done and kept; "
            f"'ired-interp resume {run.path}' goes on.",
            soft_wrap=True,
        )
        return _INTERRUPTED
    title = f"{run.experiment.name} · {Path(run.config.model).stem}"
    out = Console(highlight=False)
    out.print(results_table(run.tree, title))
    out.print(f"results  {run.results_path}\nreport   {run.report_path}", soft_wrap=True)
    if show and sys.stdout.isatty():
        webbrowser.open(run.report_path.resolve().as_uri())
    return 0


def _report(options: argparse.Namespace) -> int:
    run = open_run(options.folder)
    console.print(f"report   {write_report(run)}", soft_wrap=True)
    if options.figures is not None:
        for path in save_figures(run, options.figures):
            console.print(f"figure   {path}", soft_wrap=True)
    return 0


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


def _train(options: argparse.Namespace) -> int:
    if options.threads is not None:
        if options.threads < 1:
            raise ConfigError(f"--threads: expected at least 1, found {options.threads}.")
        torch.set_num_threads(options.threads)
    names = {field.name for field in dataclasses.fields(TrainConfig)} - {"options"}
    given = {k: v for k, v in vars(options).items() if k in names and v is not None}
    chosen = {k: v for k in _TASK_OPTIONS if (v := getattr(options, k)) is not None}
    config = TrainConfig(options=chosen, **given)
    folder = options.out or Path("runs") / f"train-{config.task}-{config.size}"
    with stop_on_interrupt() as should_stop:
        report = start_training(
            config, folder, track=tracker("steps", config.steps), should_stop=should_stop
        )
    return _say_training(report)


def _resume_training(folder: Path, steps: int | None) -> int:
    if steps is not None:
        set_steps(folder, steps)
    before = training_progress(folder)
    if before.finished and steps is None and (folder / "model.safetensors").is_file():
        console.print(f"{folder} is finished.", soft_wrap=True)
        return 0
    with stop_on_interrupt() as should_stop:
        report = resume_training(
            folder,
            track=tracker("steps", before.steps, done=before.step),
            should_stop=should_stop,
        )
    return _say_training(report)


def _say_training(report: TrainReport) -> int:
    if not report.finished:
        console.print(
            f"stopped at step {report.step} of {report.steps}; "
            f"'ired-interp resume {report.folder}' goes on.",
            soft_wrap=True,
        )
        return _INTERRUPTED
    last = report.curve[-1]
    console.print(
        f"{report.folder / 'model.safetensors'}: {report.steps} steps; validation MSE "
        f"{last['mse_ema']:.3g} with the averaged weights (those in the file), "
        f"{last['mse_online']:.3g} with the online ones.",
        soft_wrap=True,
    )
    return 0


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


if __name__ == "__main__":
    sys.exit(main())
