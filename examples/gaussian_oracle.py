"""A model whose landscape is ideal by construction: what the tool must find, it finds.

In the task ``gaussian`` the answer is y* = Mx + noise with a covariance Σ of chosen eigenvalues v.
A perfectly trained energy has at every level a Hessian with the eigenvalues σ/(σ² + s²v), at any x
and y. This script measures them at typical points of every level, by the model's closed form and
by automatic differentiation of its energy alone, and compares.
"""

import torch
from torch import Tensor

import ired_interp as ii

VARIANCES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
NUM_PROBLEMS = 4
TOLERANCE = 1e-12


def main() -> None:
    """Print the largest difference at each level."""
    task = ii.task("gaussian", size=3, spectrum=VARIANCES)
    model = ii.exact_model(task)
    schedule = model.schedule
    problems = task.sample(NUM_PROBLEMS, seed=0)
    noise = torch.randn(
        NUM_PROBLEMS, task.dim_y, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    variances = torch.tensor(VARIANCES, dtype=torch.float64)

    print("level   smallest exact   largest exact   closed form      autograd")
    worst = 0.0
    for level in range(1, schedule.num_levels + 1):
        t = schedule.timestep(level)
        sigma, signal = schedule.sigma[t], schedule.signal[t]
        truth = (sigma / (sigma**2 + signal**2 * variances)).sort().values
        y = signal * problems.y + sigma * noise

        def energy(x: Tensor, y: Tensor, t: int = t) -> Tensor:
            return model.energy(x, y, torch.full((len(y),), t))

        gaps = []
        for land in (
            ii.Landscape(model, problems.x, level),
            ii.Landscape.of(energy, dim_y=task.dim_y, x=problems.x),
        ):
            values = ii.curvature.spectrum(land, y).eigenvalues
            gaps.append(float((values - truth).abs().max()))
        worst = max(worst, *gaps)
        print(f"{level:5d} {truth[0]:16.6f} {truth[-1]:15.6f} {gaps[0]:13.1e} {gaps[1]:13.1e}")
    print(f"\nlargest difference from the closed form: {worst:.1e}")
    if worst > TOLERANCE:
        raise SystemExit(f"expected a difference of at most {TOLERANCE:g}")


if __name__ == "__main__":
    main()
