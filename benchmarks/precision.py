"""Does --precision bfloat16 leave the validation error where it is?

    python benchmarks/precision.py [--seeds 0 1] [--steps 1000] [--width 128] [--threads 1]

trains the inverse task of size 4 in float32 and in bfloat16, from the same weights on the same
batches, and prints the error on 1,000 held-out problems, of the averaged and of the online weights.
Products in bfloat16 are made here in float32 from factors, results and gradients that are rounded
to 8 bits: what the processor's own do, on processors that have none.
"""

import argparse
from collections.abc import Mapping

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from ired_interp.energy.mlp import EnergyMLP
from ired_interp.energy.mlp_conditioned import Product
from ired_interp.models.stepping import Stepper
from ired_interp.models.train_config import TrainConfig
from ired_interp.models.trainer import VALIDATION_SEED
from ired_interp.solve import solve
from ired_interp.tasks import Problems

NUM_PROBLEMS = 1_000


def rounded(a: Tensor) -> Tensor:
    """To bfloat16 and back; its gradient is rounded alike."""
    return a.to(torch.bfloat16).to(a.dtype)


def rounded_product(a: Tensor, b: Tensor) -> Tensor:
    """`ired_interp.training.bfloat16_product` with sums in float32, on any processor."""
    return rounded(rounded(a) @ rounded(b))


PRODUCTS: Mapping[str, Product] = {"float32": torch.matmul, "bfloat16": rounded_product}


def trained(config: TrainConfig, product: Product) -> Stepper:
    """After the config's steps with that product."""
    stepper = Stepper(config, product=product)
    for _ in range(config.steps):
        stepper.take()
    return stepper


def error(model: EnergyMLP, held_out: Problems) -> float:
    """As a validation."""
    answer = solve(model, held_out.x, seed=VALIDATION_SEED).y
    return float((answer - held_out.y).square().mean())


def main() -> None:
    """Train and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--steps", type=int, default=1_000)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    table = Table(title=f"validation error after {options.steps} steps, width {options.width}")
    for column in ("seed", "product", "averaged weights", "online weights"):
        table.add_column(column, justify="right")
    for seed in options.seeds:
        config = TrainConfig(
            task="inverse",
            size=4,
            width=options.width,
            learning_rate=1e-3,
            steps=options.steps,
            seed=seed,
        )
        held_out = config.make_task().sample(
            NUM_PROBLEMS, seed=VALIDATION_SEED, dtype=torch.float32
        )
        for name, product in PRODUCTS.items():
            stepper = trained(config, product)
            errors = [error(model, held_out) for model in (stepper.average, stepper.online)]
            table.add_row(str(seed), name, *(f"{value:.3g}" for value in errors))
    Console().print(table)


if __name__ == "__main__":
    main()
