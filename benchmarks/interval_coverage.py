"""How often the bootstrap intervals of `ired_interp.stats` hold the mean that they are of.

    python benchmarks/interval_coverage.py [--runs 1000]

95 % is aimed at. Problems are independent, or lie within models with half of the variance between
models; then the interval over problems alone stands beside the clustered one. ± is one standard
error of the coverage.
"""

import argparse

import numpy as np
from calibration_evidence import DRAWS

from ired_interp.stats import Interval, bootstrap_mean, clustered_mean

EACH = 10  # problems of a model


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1_000)
    runs = parser.parse_args().runs
    print("| problems |", " | ".join(DRAWS), "|")
    print("|" + "---|" * (1 + len(DRAWS)))
    for n in (6, 10, 20, 50, 100):
        cells = [
            share(
                [bootstrap_mean(draw(np.random.default_rng(i), (n,)), seed=i) for i in range(runs)]
            )
            for draw in DRAWS.values()
        ]
        print(f"| {n} |", " | ".join(cells), "|", flush=True)
    print(f"\n| models of {EACH} problems | over models | over problems |\n|---|---|---|")
    for num_models in (6, 10, 20, 50):
        clustered, pooled = [], []
        model = np.repeat(np.arange(num_models), EACH)
        for i in range(runs):
            rng = np.random.default_rng(i)
            between, within = rng.normal(size=(num_models, 1)), rng.normal(size=(num_models, EACH))
            values = (between + within).ravel()
            clustered.append(clustered_mean(values, model, seed=i))
            pooled.append(bootstrap_mean(values, seed=i))
        print(f"| {num_models} | {share(clustered)} | {share(pooled)} |", flush=True)


def share(intervals: list[Interval]) -> str:
    """Of those that hold 0, ± its standard error."""
    covered = np.mean([interval.low <= 0 <= interval.high for interval in intervals])
    return f"{covered:.3f} ± {np.sqrt(covered * (1 - covered) / len(intervals)):.3f}"


if __name__ == "__main__":
    main()
